package store

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"tokendesk/models"
)

var refunds = guarded[models.RefundStatus, models.RefundEvent]{models.RefundMachine, "refunds", "id", "status", true}

// RequestRefund asks to undo lines of a paid order (ORD-5). A request within the policy's limit is allowed at once; a larger one, or a
// buyer's own that comes late, waits for a second person (SEC-1). Once it is allowed, what has not left is undone, and what has left
// must come back first.
//
// Faults: NoSuchThing, InvalidRequest, StateForbids, NothingToRefund, LineInRefund, LineNotRefundable.
func (s *Store) RequestRefund(ctx context.Context, q models.RefundRequest, actor models.Actor, at time.Time) (models.Refund, error) {
	q.Note = strings.TrimSpace(q.Note)
	switch {
	case !q.Reason.Commanded():
		return models.Refund{}, models.InvalidRequest.New("unknown reason").At("/reason")
	case utf8.RuneCountInString(q.Note) > maxReason:
		return models.Refund{}, models.InvalidRequest.New("the note has more than %d characters", maxReason).At("/note")
	}
	var r models.Refund
	err := s.InTx(ctx, func(tx *Store) error {
		o, err := tx.lockOrder(ctx, "number = ?", q.OrderNumber)
		if err != nil {
			return err
		}
		lines, err := tx.refundableLines(ctx, o, q.Positions, at)
		if err != nil {
			return err
		}
		if r, err = tx.openRefund(ctx, o, lines, q, actor, at); err != nil {
			return err
		}
		if r.SecondPerson {
			return nil
		}
		return tx.allow(ctx, o, &r, nil, actor, at)
	})
	if err != nil {
		return models.Refund{}, fmt.Errorf("request a refund: %w", err)
	}
	return r, nil
}

// refundableLines are the lines at the positions, or all that are in no refund.
func (s *Store) refundableLines(ctx context.Context, o models.Order, positions []int, at time.Time) (lines []models.OrderLine, err error) {
	switch {
	case o.Status == models.OrderRefunded:
		return nil, models.NothingToRefund.New("").Allowing()
	case !models.OrderMachine.Allows(o.Status, models.RefundOrder):
		return nil, models.StateForbids.New("the order is %s", o.Status).Allowing(models.Events(models.OrderMachine.Allowed(o.Status, models.ByPerson))...)
	}
	taken, err := s.lineSet(ctx, "f.dropped_at is null", o.ID)
	if err != nil {
		return nil, err
	}
	for i, p := range positions {
		switch {
		case p < 1 || p > len(o.Lines):
			return nil, models.NoSuchThing.New("the order has no line %d", p).At("/lines/" + strconv.Itoa(i))
		case taken[o.Lines[p-1].ID]:
			return nil, models.LineInRefund.New("line %d", p).At("/lines/" + strconv.Itoa(i)).Allowing(orderActions(o, taken)...)
		}
	}
	for _, l := range o.Lines {
		if taken[l.ID] || len(positions) > 0 && !slices.Contains(positions, l.Position) {
			continue
		}
		if err := s.refuseLine(ctx, o, l, at); err != nil {
			return nil, err
		}
		lines = append(lines, l)
	}
	if len(lines) == 0 {
		return nil, models.NothingToRefund.New("every line is in a refund").Allowing(orderActions(o, taken)...)
	}
	return lines, nil
}

// orderActions are what people may do with an order whose lines are in refunds, for a refusal: no refund where none of them is left.
func orderActions(o models.Order, taken map[string]bool) []string {
	actions := models.OrderMachine.Allowed(o.Status, models.ByPerson)
	if !slices.ContainsFunc(o.Lines, func(l models.OrderLine) bool { return !taken[l.ID] }) {
		actions = slices.DeleteFunc(actions, func(e models.OrderEvent) bool { return e == models.RefundOrder })
	}
	return models.Events(actions)
}

// openRefund writes a request down and starts its lifecycle.
func (s *Store) openRefund(ctx context.Context, o models.Order, lines []models.OrderLine, q models.RefundRequest, actor models.Actor, at time.Time) (models.Refund, error) {
	r := models.Refund{ID: NewID("rf", at), OrderID: o.ID, Status: models.RefundRequested, Reason: q.Reason, Note: q.Note, Currency: o.Currency,
		RequestedBy: actor.ID, RequestedAt: at, CardTry: 1, UpdatedAt: at}
	for _, l := range lines {
		r.TotalMinor += l.PriceMinor
		r.Lines = append(r.Lines, models.RefundLine{RefundID: r.ID, OrderLineID: l.ID, Position: l.Position, AmountMinor: l.PriceMinor})
	}
	var err error
	if r.SecondPerson, err = s.needsSecondPerson(ctx, o, r, actor, at); err != nil {
		return r, err
	}
	if err := s.with(ctx).Omit("Lines").Create(&r).Error; err != nil {
		return r, fmt.Errorf("create a refund: %w", err)
	}
	if err := s.with(ctx).Create(&r.Lines).Error; err != nil {
		return r, fmt.Errorf("create a refund's lines: %w", err)
	}
	if err := s.auditRefund(ctx, r, "requested", actor, map[string]string{"reason": string(r.Reason), "total": r.Total().String()}, at); err != nil {
		return r, err
	}
	return r, s.Start(ctx, models.RefundLifecycle, r.ID, at)
}

// needsSecondPerson: a limit counts what an order's refunds come to that nobody else has allowed, so that it is not got round in parts.
func (s *Store) needsSecondPerson(ctx context.Context, o models.Order, r models.Refund, actor models.Actor, at time.Time) (bool, error) {
	if !r.Reason.Commanded() { // nobody asked for it
		return false, nil
	}
	policy, err := s.Policy(ctx, o.PolicyVersion)
	if err != nil {
		return false, err
	}
	if actor.ID == o.BuyerID && o.PaidAt != nil && !at.Before(models.StartOfDay(*o.PaidAt, policy.Refund.SelfServiceDays+1, policy.Location())) {
		return true, nil
	}
	var alone int64
	err = s.with(ctx).Raw(`select coalesce(sum(total_minor), 0) from refunds where order_id = ? and not second_person and status not in ('rejected', 'withdrawn', 'lapsed')`,
		o.ID).Row().Scan(&alone)
	if err != nil {
		return false, fmt.Errorf("add up refunds: %w", err)
	}
	return alone+r.TotalMinor > policy.Refund.SecondPersonAbove, nil
}

// ApproveRefund allows a refund that waits for a second person: neither who asked for it, nor the buyer (SEC-1).
// Faults: NoSuchThing, SecondPerson, StateForbids.
func (s *Store) ApproveRefund(ctx context.Context, id string, actor models.Actor, at time.Time) error {
	return s.changeRefund(ctx, "approve", id, at, func(tx *Store, o models.Order, r *models.Refund) error {
		if err := maySecond(o, *r, actor); err != nil {
			return err
		}
		return tx.allow(ctx, o, r, map[string]any{"decided_by": actor.ID, "decided_at": at}, actor, at)
	})
}

// RejectRefund refuses a refund that waits for a second person; the buyer is told.
// Faults: NoSuchThing, InvalidRequest (reason), SecondPerson, StateForbids.
func (s *Store) RejectRefund(ctx context.Context, id, reason string, actor models.Actor, at time.Time) error {
	reason, err := checkReason(reason)
	if err != nil {
		return err
	}
	return s.changeRefund(ctx, "reject", id, at, func(tx *Store, o models.Order, r *models.Refund) error {
		if err := maySecond(o, *r, actor); err != nil {
			return err
		}
		set := map[string]any{"decided_by": actor.ID, "decided_at": at, "rejection": reason, "ended_at": at}
		if err := refunds.move(tx.with(ctx), r.ID, models.RejectRefund, at, set); err != nil {
			return err
		}
		if err := tx.dropLines(ctx, r, at); err != nil {
			return err
		}
		if err := tx.auditRefund(ctx, *r, "rejected", actor, map[string]string{"reason": reason}, at); err != nil {
			return err
		}
		return tx.tellRefund(ctx, o, *r, models.NoticeRefundRejected, nil, at)
	})
}

func maySecond(o models.Order, r models.Refund, actor models.Actor) error {
	if r.Status != models.RefundRequested {
		return models.StateForbids.New("the refund is %s", r.Status).Allowing(models.Events(models.RefundMachine.Allowed(r.Status, models.ByPerson))...)
	}
	if actor.ID == r.RequestedBy || actor.ID == o.BuyerID {
		return models.SecondPerson.New("").Allowing(string(models.WithdrawRefund))
	}
	return nil
}

// WithdrawRefund gives a refund up. What was undone already stays undone, and is credited; what has not come back stays with the buyer.
// Faults: NoSuchThing, StateForbids.
func (s *Store) WithdrawRefund(ctx context.Context, id string, actor models.Actor, at time.Time) error {
	return s.changeRefund(ctx, "withdraw", id, at, func(tx *Store, o models.Order, r *models.Refund) error {
		if !models.RefundMachine.Allows(r.Status, models.WithdrawRefund) {
			return models.StateForbids.New("the refund is %s", r.Status).Allowing(models.Events(models.RefundMachine.Allowed(r.Status, models.ByPerson))...)
		}
		if r.Status == models.RefundReturning {
			if _, err := tx.undoWhatIsBack(ctx, o, r, at); err != nil {
				return err
			}
		}
		return tx.endWaiting(ctx, o, r, models.WithdrawRefund, actor, at)
	})
}

// changeRefund runs one change of a refund under the lock of its order, and lets its lifecycle look again.
func (s *Store) changeRefund(ctx context.Context, what, id string, at time.Time, change func(tx *Store, o models.Order, r *models.Refund) error) error {
	err := s.InTx(ctx, func(tx *Store) error {
		o, r, err := tx.lockRefund(ctx, id)
		if err != nil {
			return err
		}
		if err := change(tx, o, &r); err != nil {
			return err
		}
		return tx.Signal(ctx, models.RefundLifecycle, id, models.SignalRefundChanged, id, at)
	})
	if err != nil {
		return fmt.Errorf("%s a refund: %w", what, err)
	}
	return nil
}

func (s *Store) lockRefund(ctx context.Context, id string) (o models.Order, r models.Refund, err error) {
	if r, err = s.Refund(ctx, id); err != nil {
		return o, r, err
	}
	if o, err = s.lockOrder(ctx, "id = ?", r.OrderID); err != nil {
		return o, r, err
	}
	if _, err := refunds.lock(ctx, s, id); err != nil {
		return o, r, err
	}
	r, err = s.Refund(ctx, id)
	return o, r, err
}

func (s *Store) auditRefund(ctx context.Context, r models.Refund, what string, actor models.Actor, detail map[string]string, at time.Time) error {
	return s.Audit(ctx, models.AuditEvent{At: at, Class: models.AdministrationEvents, Kind: "refund." + what, Actor: actor.ID, SubjectRef: r.ID,
		Outcome: models.Succeeded, Detail: detail})
}

// tellRefund records a mail to the buyer about a refund, one of each kind.
func (s *Store) tellRefund(ctx context.Context, o models.Order, r models.Refund, kind models.NoticeKind, params map[string]string, at time.Time) error {
	return s.AddNotice(ctx, NewNotice{Kind: kind, DedupeKey: "refund/" + r.ID + "/" + string(kind), AccountID: o.BuyerID, SubjectRef: r.ID, Params: params}, at)
}
