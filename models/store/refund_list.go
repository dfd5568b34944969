package store

import (
	"context"
	"fmt"

	"gorm.io/gorm"
	"tokendesk/models"
)

// Refund returns one refund with its lines. Fault: NoSuchThing.
func (s *Store) Refund(ctx context.Context, id string) (models.Refund, error) {
	var r models.Refund
	if err := s.withLines(ctx).Where("id = ?", id).Take(&r).Error; err != nil {
		return r, fault(fmt.Errorf("read a refund: %w", err))
	}
	return r, nil
}

func (s *Store) withLines(ctx context.Context) *gorm.DB {
	return s.with(ctx).Preload("Lines", func(db *gorm.DB) *gorm.DB { return db.Order("position") })
}

// RefundFilter selects refunds; empty members do not narrow.
type RefundFilter struct {
	Status  models.RefundStatus
	OrderID string
	BuyerID string
}

// Refunds lists refunds, newest first.
func (s *Store) Refunds(ctx context.Context, f RefundFilter, p Page) ([]models.Refund, error) {
	q := s.withLines(ctx).Where(where("status", string(f.Status))).Where(where("order_id", f.OrderID))
	if f.BuyerID != "" {
		q = q.Where("order_id in (select id from orders where buyer_id = ?)", f.BuyerID)
	}
	if p.After != "" {
		q = q.Where("id < ?", p.After)
	}
	var rows []models.Refund
	return rows, fault(q.Order("id desc").Limit(p.limit()).Find(&rows).Error)
}

// RefundTimeline is what happens to a refund if nobody acts (LIF-4).
func (s *Store) RefundTimeline(ctx context.Context, r models.Refund) (models.Timeline, error) {
	o, err := s.order(ctx, "id = ?", r.OrderID)
	if err != nil {
		return nil, err
	}
	policy, err := s.Policy(ctx, o.PolicyVersion)
	if err != nil {
		return nil, err
	}
	return models.RefundTimeline(r, policy), nil
}

// CreditNoteOfRefund returns the credit note of a refund. Fault: NoSuchThing, while nothing is credited.
func (s *Store) CreditNoteOfRefund(ctx context.Context, refundID string) (models.CreditNote, error) {
	return s.creditNote(ctx, "refund_id = ?", refundID)
}

// CreditNoteByNumber returns one credit note. Fault: NoSuchThing.
func (s *Store) CreditNoteByNumber(ctx context.Context, number string) (models.CreditNote, error) {
	return s.creditNote(ctx, "number = ?", number)
}

func (s *Store) creditNote(ctx context.Context, where string, args ...any) (models.CreditNote, error) {
	var n models.CreditNote
	if err := s.with(ctx).Preload("Lines").Where(where, args...).Take(&n).Error; err != nil {
		return n, fault(fmt.Errorf("read a credit note: %w", err))
	}
	return n, nil
}

// CreditNotes lists the credit notes of an order, oldest first.
func (s *Store) CreditNotes(ctx context.Context, orderID string) ([]models.CreditNote, error) {
	var rows []models.CreditNote
	return rows, fault(s.with(ctx).Preload("Lines").Where("order_id = ?", orderID).Order("id").Find(&rows).Error)
}

// PayoutOfRefund returns the transfer that ended a refund. Fault: NoSuchThing.
func (s *Store) PayoutOfRefund(ctx context.Context, refundID string) (models.Payout, error) {
	var p models.Payout
	return p, fault(s.with(ctx).Where("refund_id = ?", refundID).Take(&p).Error)
}

// undoneLines are the lines of an order that a refund has undone.
func (s *Store) undoneLines(ctx context.Context, orderID string) (map[string]bool, error) {
	return s.lineSet(ctx, "f.undone_at is not null", orderID)
}

// RefundLines lists the lines of an order that stand in refunds, or are credited.
func (s *Store) RefundLines(ctx context.Context, orderID string) ([]models.RefundLine, error) {
	var rows []models.RefundLine
	err := s.with(ctx).Where("refund_id in (select id from refunds where order_id = ?) and dropped_at is null", orderID).Order("position").Find(&rows).Error
	return rows, fault(err)
}

func (s *Store) lineSet(ctx context.Context, condition, orderID string) (map[string]bool, error) {
	var ids []string
	err := s.with(ctx).Raw("select f.order_line_id from refund_lines f join refunds r on r.id = f.refund_id where r.order_id = ? and "+condition, orderID).Scan(&ids).Error
	if err != nil {
		return nil, fault(fmt.Errorf("look for refunded lines: %w", err))
	}
	in := make(map[string]bool, len(ids))
	for _, id := range ids {
		in[id] = true
	}
	return in, nil
}
