package store

import (
	"context"
	"fmt"
	"strings"
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

// UnappliedPayout is money of a payment that no invoice took, and that billing transferred back.
type UnappliedPayout struct {
	ID            string // up_…
	PaymentID     string
	SourceAccount string // ours
	BankReference string
	AmountMinor   int64
	Currency      models.Currency
	PaidAt        time.Time
	RecordedBy    string
	RecordedAt    time.Time
}

// PayOutUnapplied records that billing has transferred money back that no invoice took, up to what is left of the payment (ORD-4). The
// payout's RefundID is not used.
//
// Faults: NoSuchThing, InvalidRequest, CurrencyMismatch, PayoutDiffers (more than is left), PayoutRecorded.
func (s *Store) PayOutUnapplied(ctx context.Context, paymentID string, n models.NewPayout, actor models.Actor, at time.Time) (p UnappliedPayout, err error) {
	n.SourceAccount, n.BankReference = strings.TrimSpace(n.SourceAccount), strings.TrimSpace(n.BankReference)
	switch err := checkPayout(n, at); {
	case err != nil:
		return p, err
	case n.Amount.Minor <= 0:
		return p, models.InvalidRequest.New("the amount must be positive").At("/amount")
	}
	err = s.InTx(ctx, func(tx *Store) error {
		left, err := tx.lockUnapplied(ctx, paymentID)
		switch {
		case err != nil:
			return err
		case n.Amount.Currency != left.Currency:
			return models.CurrencyMismatch.New("the payment is in %s", left.Currency).At("/amount/currency")
		case n.Amount.Minor > left.Minor:
			return models.PayoutDiffers.New("%s is left of the payment", left).At("/amount")
		}
		p = UnappliedPayout{ID: NewID("up", at), PaymentID: paymentID, SourceAccount: n.SourceAccount, BankReference: n.BankReference,
			AmountMinor: n.Amount.Minor, Currency: n.Amount.Currency, PaidAt: n.PaidAt, RecordedBy: actor.ID, RecordedAt: at}
		if err := tx.with(ctx).Create(&p).Error; err != nil {
			return err
		}
		err = tx.post(ctx, entry{Kind: "unapplied_paid_out", Ref: p.ID, Currency: p.Currency, At: at},
			posting{"unapplied_cash", p.AmountMinor}, posting{"bank", -p.AmountMinor})
		if err != nil {
			return err
		}
		return tx.Audit(ctx, models.AuditEvent{At: at, Class: models.AdministrationEvents, Kind: "payment.paid_out", Actor: actor.ID, SubjectRef: paymentID,
			Outcome: models.Succeeded, Detail: map[string]string{"amount": n.Amount.String()}})
	})
	if err != nil {
		return UnappliedPayout{}, fmt.Errorf("pay out what no invoice took: %w", err)
	}
	return p, nil
}

// lockUnapplied is what no invoice took of a payment and was not paid out, under the payment's lock. Fault: NoSuchThing.
func (s *Store) lockUnapplied(ctx context.Context, paymentID string) (left models.Money, err error) {
	var p models.Payment
	if err := s.with(ctx).Raw("select * from payments where id = ? for update", paymentID).Scan(&p).Error; err != nil {
		return left, fmt.Errorf("lock a payment: %w", err)
	}
	if p.ID == "" {
		return left, models.NoSuchThing.New("no such payment")
	}
	applied, err := s.Allocations(ctx, paymentID)
	if err != nil {
		return left, err
	}
	left = models.Money{Minor: PaymentResult{Payment: p, Allocations: applied}.Unapplied(), Currency: p.Currency}
	var out int64
	err = s.with(ctx).Raw("select coalesce(sum(amount_minor), 0) from unapplied_payouts where payment_id = ?", paymentID).Row().Scan(&out)
	if err != nil {
		return left, fmt.Errorf("add up payouts: %w", err)
	}
	left.Minor -= out
	return left, nil
}
