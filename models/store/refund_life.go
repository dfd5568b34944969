package store

import (
	"context"
	"fmt"
	"time"

	"tokendesk/models"
)

// RefundStanding is where a refund stands and what time will do to it next.
type RefundStanding struct {
	Refund         models.Refund
	OrganizationID string // of the buyer; empty: none
	ProductKind    models.ProductKind
	Timeline       models.Timeline
}

// AdvanceRefund does what a refund is ready for at a moment: what is back is undone, and when nothing is out any more, credited; what
// time brings is performed. Doing it again changes nothing. Fault: NoSuchThing.
func (s *Store) AdvanceRefund(ctx context.Context, id string, at time.Time) (st RefundStanding, err error) {
	err = s.InTx(ctx, func(tx *Store) error {
		o, r, err := tx.lockRefund(ctx, id)
		if err != nil {
			return err
		}
		if r.Status == models.RefundReturning {
			out, err := tx.undoWhatIsBack(ctx, o, &r, at)
			if err != nil {
				return err
			}
			if out == 0 {
				if err := tx.credit(ctx, o, &r, at); err != nil {
					return err
				}
			}
		}
		policy, err := tx.Policy(ctx, o.PolicyVersion)
		if err != nil {
			return err
		}
		for _, m := range models.RefundTimeline(r, policy).Due(at) {
			if err := tx.performRefund(ctx, o, &r, m, at); err != nil {
				return fmt.Errorf("perform %s: %w", m.Name, err)
			}
		}
		st.Refund, st.Timeline = r, models.RefundTimeline(r, policy)
		line, err := tx.OrderOfLine(ctx, r.Lines[0].OrderLineID)
		st.OrganizationID, st.ProductKind = line.OrganizationID, line.ProductKind
		return err
	})
	if err != nil {
		return RefundStanding{}, fmt.Errorf("advance a refund: %w", err)
	}
	return st, nil
}

// performRefund does what a milestone brings, once.
func (s *Store) performRefund(ctx context.Context, o models.Order, r *models.Refund, m models.Milestone, at time.Time) error {
	switch m.Name {
	case models.RefundDecisionDue:
		return s.OpenCase(ctx, "refund-decision/"+r.ID, r.ID, "a refund waits for a second person to allow or reject it", at)
	case models.RefundReturnReminder:
		policy, err := s.Policy(ctx, o.PolicyVersion)
		if err != nil {
			return err
		}
		return s.tellRefund(ctx, o, *r, models.NoticeReturnReminder, day("by", r.ReturnBy.Add(-time.Nanosecond), policy), at)
	case models.RefundLapses:
		return s.endWaiting(ctx, o, r, models.LapseRefund, refundActor, at)
	case models.RefundPayoutDue:
		return s.OpenCase(ctx, "refund-payout/"+r.ID, r.ID, "a buyer waits for money: pay it out, or keep it as credit", at)
	}
	return fmt.Errorf("nobody performs the milestone %q of a refund", m.Name)
}

// RefundActions lists what people may do with a refund, for allowed_actions.
func RefundActions(r models.Refund) []string {
	actions := models.Events(models.RefundMachine.Allowed(r.Status, models.ByPerson))
	if r.Status == models.RefundPaying && r.BankDue().Minor == 0 {
		actions = nil
	}
	if r.BankDue().Minor > 0 {
		actions = append(actions, models.RecordPayoutAction)
		if r.Status == models.RefundKept {
			actions = append(actions, models.ApplyCreditAction)
		}
	}
	return actions
}
