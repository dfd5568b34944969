package store

import (
	"context"
	"fmt"
	"time"

	"tokendesk/models"
)

// ApplyCredit pays an open invoice of the same buyer with what a refund has left as credit, as far as either goes (ORD-4). The invoice takes
// it as a payment of its own; should it become void, the money is unapplied cash.
//
// Faults: NoSuchThing, ReferenceUnknown (invoice), InvalidRequest (reason), StateForbids (no credit is left, or the invoice takes no money),
// CurrencyMismatch, BuyersDiffer.
func (s *Store) ApplyCredit(ctx context.Context, refundID, invoiceNumber, reason string, actor models.Actor, at time.Time) (r models.Refund, err error) {
	if reason, err = checkReason(reason); err != nil {
		return r, err
	}
	err = s.InTx(ctx, func(tx *Store) error {
		i, err := tx.lockOpen(ctx, invoiceNumber)
		if err != nil {
			return err
		}
		if r, err = tx.lockCredit(ctx, refundID, i); err != nil {
			return err
		}
		p := models.Payment{ID: NewID("py", at), Source: models.SourceCredit, SourceAccount: refundID, BankReference: i.Number, InvoiceNumber: &i.Number,
			AmountMinor: min(r.BankDue().Minor, i.Due().Minor), Currency: r.Currency, ReceivedAt: at, RecordedBy: actor.ID, RecordedAt: at}
		if err := tx.with(ctx).Create(&p).Error; err != nil {
			return err
		}
		r.UsedMinor += p.AmountMinor
		if err := tx.with(ctx).Exec("update refunds set used_minor = ?, updated_at = ? where id = ?", r.UsedMinor, at, refundID).Error; err != nil {
			return fmt.Errorf("use a credit: %w", err)
		}
		applied, err := tx.apply(ctx, p, i, p.AmountMinor, at)
		if err != nil {
			return err
		}
		return tx.applied(ctx, "credit_applied", "customer_credit", applied[0], i, refundID, reason, actor, at)
	})
	if err != nil {
		return models.Refund{}, fmt.Errorf("apply a credit: %w", err)
	}
	return r, nil
}

// lockCredit reads a refund that has left the buyer of an invoice a credit, under its lock. The order of the refund need not be locked: how much
// is left changes under the lock of the refund only.
func (s *Store) lockCredit(ctx context.Context, refundID string, i payable) (r models.Refund, err error) {
	if _, err := refunds.lock(ctx, s, refundID); err != nil {
		return r, err
	}
	if r, err = s.Refund(ctx, refundID); err != nil {
		return r, err
	}
	o, err := s.order(ctx, "id = ?", r.OrderID)
	switch {
	case err != nil:
		return r, err
	case r.Status != models.RefundKept || r.BankDue().Minor == 0:
		return r, models.StateForbids.New("nothing of the refund is left as credit").Allowing(RefundActions(r)...)
	case o.BuyerID != i.buyerID:
		return r, models.BuyersDiffer.New("").At("/invoice_number").Allowing(RefundActions(r)...)
	case r.Currency != i.Currency:
		return r, models.CurrencyMismatch.New("the credit is in %s", r.Currency).At("/invoice_number")
	}
	return r, nil
}
