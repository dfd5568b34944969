package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"tokendesk/models"
)

// reportUnapplied asks billing to look at a payment of which no invoice needs all, once, and tells the buyer where it named an invoice: the
// money is here, and somebody decides what becomes of it (ORD-4).
func (s *Store) reportUnapplied(ctx context.Context, r PaymentResult, invoiceNumber string, at time.Time) error {
	rest := models.Money{Minor: r.Unapplied(), Currency: r.Payment.Currency}
	if rest.Minor == 0 {
		return nil
	}
	if err := s.unappliedCase(ctx, r.Payment.ID, at); err != nil || invoiceNumber == "" {
		return err
	}
	var o models.Order
	err := s.with(ctx).Raw("select o.number, o.buyer_id from orders o join invoices i on i.order_id = o.id where i.number = ?", invoiceNumber).Scan(&o).Error
	if err != nil {
		return fmt.Errorf("look whose invoice it is: %w", err)
	}
	received := models.Money{Minor: r.Payment.AmountMinor, Currency: r.Payment.Currency}
	return s.AddNotice(ctx, NewNotice{Kind: models.NoticePaymentUnapplied, DedupeKey: o.Number + "/unapplied/" + r.Payment.ID, AccountID: o.BuyerID, SubjectRef: o.Number,
		Params: map[string]string{"received": received.String(), "rest": rest.String()}}, at)
}

func (s *Store) unappliedCase(ctx context.Context, paymentID string, at time.Time) error {
	return s.OpenCase(ctx, "unapplied/"+paymentID, paymentID, "money without an invoice: find out what it is for, or pay it out", at)
}

// reportUnappliedOf is reportUnapplied for the payments of an invoice that is void now; that the order is cancelled, the buyer is told anyway.
func (s *Store) reportUnappliedOf(ctx context.Context, invoiceID string, at time.Time) error {
	var ids []string
	if err := s.with(ctx).Raw("select payment_id from allocations where invoice_id = ? order by payment_id", invoiceID).Scan(&ids).Error; err != nil {
		return fmt.Errorf("look what was paid of a void invoice: %w", err)
	}
	for _, id := range ids {
		if err := s.unappliedCase(ctx, id, at); err != nil {
			return err
		}
	}
	return nil
}

// lockUnapplied reads a payment and what became of it, under its lock. Fault: NoSuchThing.
func (s *Store) lockUnapplied(ctx context.Context, paymentID string) (PaymentResult, error) {
	if err := s.with(ctx).Exec("select id from payments where id = ? for update", paymentID).Error; err != nil {
		return PaymentResult{}, fmt.Errorf("lock a payment: %w", err)
	}
	return s.Payment(ctx, paymentID)
}

// buyersOf are the buyers whose invoices a payment was for: the one that it named, and all that took of it, void ones too. None: nobody knows.
func (s *Store) buyersOf(ctx context.Context, p models.Payment) (ids []string, err error) {
	err = s.with(ctx).Raw(`select distinct o.buyer_id from orders o join invoices i on i.order_id = o.id
		where i.number = ? or i.id in (select invoice_id from allocations where payment_id = ?)`, p.InvoiceNumber, p.ID).Scan(&ids).Error
	if err != nil {
		err = fmt.Errorf("look whose money it is: %w", err)
	}
	return ids, err
}

// ApplyPayment gives what is left of a payment to an open invoice, as far as that lacks it (ORD-4). Where it is known whose money it is, the
// invoice must be the same buyer's.
//
// Faults: NoSuchThing, ReferenceUnknown (invoice), InvalidRequest (reason), NothingUnapplied, CurrencyMismatch, BuyersDiffer, StateForbids (the
// invoice takes no money).
func (s *Store) ApplyPayment(ctx context.Context, paymentID, invoiceNumber, reason string, actor models.Actor, at time.Time) (r PaymentResult, err error) {
	if reason, err = checkReason(reason); err != nil {
		return r, err
	}
	err = s.InTx(ctx, func(tx *Store) error {
		i, err := tx.lockOpen(ctx, invoiceNumber)
		if err != nil {
			return err
		}
		if r, err = tx.lockUnapplied(ctx, paymentID); err != nil {
			return err
		}
		if r.Unapplied() == 0 {
			return models.NothingUnapplied.New("").Allowing()
		}
		buyers, err := tx.buyersOf(ctx, r.Payment)
		if err != nil {
			return err
		}
		if len(buyers) > 0 && !slices.Contains(buyers, i.buyerID) {
			return models.BuyersDiffer.New("").At("/invoice_number").Allowing(string(models.ApplyPayment), string(models.PayOutPayment))
		}
		applied, err := tx.apply(ctx, r.Payment, i, r.Unapplied(), at)
		if err != nil {
			return err
		}
		r.Allocations = append(r.Allocations, applied...)
		return tx.applied(ctx, "cash_applied", "unapplied_cash", applied[0], i, paymentID, reason, actor, at)
	})
	if err != nil {
		return PaymentResult{}, fmt.Errorf("apply a payment: %w", err)
	}
	return r, nil
}

// lockOpen locks an invoice that takes money. Faults: ReferenceUnknown, StateForbids.
func (s *Store) lockOpen(ctx context.Context, invoiceNumber string) (payable, error) {
	i, err := s.lockPayable(ctx, invoiceNumber)
	switch {
	case models.KindOf(err) == models.NotFound:
		return i, models.ReferenceUnknown.New("there is no such invoice").At("/invoice_number")
	case err == nil && i.Status != models.InvoiceOpen:
		return i, models.StateForbids.New("the invoice is %s", i.Status).At("/invoice_number").Allowing()
	}
	return i, err
}

// applied posts what an invoice took out of an account, and writes down who did it and why.
func (s *Store) applied(ctx context.Context, kind, account string, a models.Allocation, i payable, subject, reason string, actor models.Actor, at time.Time) error {
	err := s.post(ctx, entry{Kind: kind, Ref: a.PaymentID + "/" + i.Number, Currency: i.Currency, At: at},
		posting{account, a.AmountMinor}, posting{"receivable", -a.AmountMinor})
	if err != nil {
		return err
	}
	amount := models.Money{Minor: a.AmountMinor, Currency: i.Currency}.String()
	return s.Audit(ctx, models.AuditEvent{At: at, Class: models.AdministrationEvents, Kind: "payment." + kind, Actor: actor.ID, SubjectRef: subject,
		Outcome: models.Succeeded, Detail: map[string]string{"invoice": i.Number, "amount": amount, "reason": reason}})
}
