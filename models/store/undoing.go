package store

import (
	"context"
	"fmt"
	"time"

	"tokendesk/models"
)

var refundActor = models.SystemActor(models.RefundLifecycle)

// allow lets a refund go on: what has not left is undone at once; where everything is, it is credited at once as well.
func (s *Store) allow(ctx context.Context, o models.Order, r *models.Refund, set map[string]any, actor models.Actor, at time.Time) error {
	if err := refunds.move(s.with(ctx), r.ID, models.ApproveRefund, at, set); err != nil {
		return err
	}
	r.Status = models.RefundReturning
	if err := s.auditRefund(ctx, *r, "allowed", actor, nil, at); err != nil {
		return err
	}
	out, err := s.undoWhatIsBack(ctx, o, r, at)
	if err != nil {
		return err
	}
	if out == 0 {
		return s.credit(ctx, o, r, at)
	}
	policy, err := s.Policy(ctx, o.PolicyVersion)
	if err != nil {
		return err
	}
	by := models.ReturnDeadline(at, policy)
	r.ReturnBy = &by
	if err := s.with(ctx).Table("refunds").Where("id = ?", r.ID).Updates(map[string]any{"return_by": by, "updated_at": at}).Error; err != nil {
		return fmt.Errorf("date a refund: %w", err)
	}
	return s.tellRefund(ctx, o, *r, models.NoticeReturnToken, day("by", by.Add(-time.Nanosecond), policy), at)
}

// undoWhatIsBack undoes the lines of which no token is out, and returns how many lines still wait for one. They are all marked first: what a
// revocation credits by itself is not credited twice.
func (s *Store) undoWhatIsBack(ctx context.Context, o models.Order, r *models.Refund, at time.Time) (out int, err error) {
	type ready struct {
		line   *models.RefundLine
		behind []sent
	}
	if err := s.lockBehind(ctx, r.Lines); err != nil {
		return 0, err
	}
	var undo []ready
	for i := range r.Lines {
		l := &r.Lines[i]
		if l.UndoneAt != nil || l.DroppedAt != nil {
			continue
		}
		sent, err := s.sentFor(ctx, l.OrderLineID)
		if err != nil {
			return 0, err
		}
		if anyOut(sent) {
			out++
			continue
		}
		if err := s.markUndone(ctx, l, at); err != nil {
			return 0, err
		}
		undo = append(undo, ready{l, sent})
	}
	for _, u := range undo {
		if err := s.undoLine(ctx, o, *r, *u.line, u.behind, at); err != nil {
			return 0, fmt.Errorf("undo line %d: %w", u.line.Position, err)
		}
	}
	return out, nil
}

// sent is a shipment behind a line: its own, or one that replaced its token later.
type sent struct {
	ID          string
	OrderLineID string
	Status      models.ShipmentStatus
	Serial      string // of the current parcel; empty: none is packed
	TokenStatus models.TokenStatus
	Condition   *models.TokenCondition // it came back so
	ReceivedAt  *time.Time
	Last        bool // no later one replaced it
}

// left reports whether a token of the shipment has left and was not given up on the way.
func (x sent) left() bool {
	switch x.Status {
	case models.ShipmentShipped, models.ShipmentInTransit, models.ShipmentException, models.ShipmentDelivered:
		return true
	}
	return false
}

// out reports whether the token has to come back: not one that was replaced and retired.
func (x sent) out() bool {
	return x.left() && x.ReceivedAt == nil && (x.Last || x.TokenStatus != models.TokenRetired)
}

func anyOut(all []sent) bool {
	for _, x := range all {
		if x.out() {
			return true
		}
	}
	return false
}

const behindLine = `from shipments h join order_lines l on l.id = h.order_line_id
	where l.id = @line or l.replacement_reason is not null and l.credential_id = (select id from credentials where order_line_id = @line)`

// sentFor reads the shipments behind a line, oldest first.
func (s *Store) sentFor(ctx context.Context, lineID string) (all []sent, err error) {
	err = s.with(ctx).Raw(`
		select h.id, h.order_line_id, h.status, coalesce(p.serial, '') as serial, coalesce(t.status, '') as token_status, b.condition, b.received_at
		from (select h.* `+behindLine+`) h left join parcels p on p.shipment_id = h.id and p.number = h.parcel
			left join tokens t on t.serial = p.serial left join token_returns b on b.serial = p.serial
		order by h.id`, map[string]any{"line": lineID}).Scan(&all).Error
	if err != nil {
		return nil, fault(fmt.Errorf("read shipments: %w", err))
	}
	if len(all) > 0 {
		all[len(all)-1].Last = true
	}
	return all, nil
}

func (s *Store) markUndone(ctx context.Context, l *models.RefundLine, at time.Time) error {
	l.UndoneAt = &at
	err := s.with(ctx).Exec("update refund_lines set undone_at = ? where refund_id = ? and order_line_id = ?", at, l.RefundID, l.OrderLineID).Error
	if err != nil {
		return fmt.Errorf("mark line %d: %w", l.Position, err)
	}
	return nil
}

// undoLine takes back what a line has brought: shipments that have not left, its key, its credential, the term that it renewed, the proofing.
func (s *Store) undoLine(ctx context.Context, o models.Order, r models.Refund, l models.RefundLine, behind []sent, at time.Time) error {
	for _, x := range behind {
		if models.ShipmentMachine.Allows(x.Status, models.CancelShipment) {
			if err := s.CancelShipment(ctx, x.ID, refundActor, at); err != nil {
				return err
			}
		}
	}
	var key models.LicenseKey
	if err := s.with(ctx).Raw("select * from license_keys where order_line_id = ? and status = ? for update", l.OrderLineID, models.KeyIssued).Scan(&key).Error; err != nil {
		return fmt.Errorf("lock the license key: %w", err)
	}
	if key.ID != "" {
		if err := s.voidKey(ctx, key, "its line is refunded", at); err != nil {
			return err
		}
	}
	line := o.Lines[l.Position-1]
	if err := s.endOfLine(ctx, line, at); err != nil {
		return err
	}
	if err := s.unproof(ctx, o, line, at); err != nil {
		return err
	}
	return s.unrenew(ctx, o, line, r.RequestedAt, at)
}

// endWaiting ends a refund that waits, for a person or for tokens. What was undone is credited all the same.
func (s *Store) endWaiting(ctx context.Context, o models.Order, r *models.Refund, event models.RefundEvent, actor models.Actor, at time.Time) error {
	if err := s.dropLines(ctx, r, at); err != nil {
		return err
	}
	if err := s.auditRefund(ctx, *r, string(event), actor, nil, at); err != nil {
		return err
	}
	for _, l := range r.Lines {
		if l.UndoneAt != nil {
			return s.credit(ctx, o, r, at)
		}
	}
	if err := refunds.move(s.with(ctx), r.ID, event, at, map[string]any{"ended_at": at}); err != nil {
		return err
	}
	_, r.Status, _ = models.RefundMachine.Lookup(event)
	return s.tellRefund(ctx, o, *r, models.NoticeRefundWithdrawn, map[string]string{"cause": string(r.Status)}, at)
}

// dropLines lets the lines that are not undone leave a refund.
func (s *Store) dropLines(ctx context.Context, r *models.Refund, at time.Time) error {
	err := s.with(ctx).Exec("update refund_lines set dropped_at = ? where refund_id = ? and undone_at is null and dropped_at is null", at, r.ID).Error
	if err != nil {
		return fmt.Errorf("drop lines of a refund: %w", err)
	}
	for i := range r.Lines {
		if r.Lines[i].UndoneAt == nil && r.Lines[i].DroppedAt == nil {
			r.Lines[i].DroppedAt = &at
		}
	}
	return nil
}
