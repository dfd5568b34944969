package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"tokendesk/models"
)

// PaymentResult is what became of a payment notice.
type PaymentResult struct {
	Payment     models.Payment
	Allocations []models.Allocation
	Duplicate   bool // the same source, account and bank reference was recorded before; nothing changed
}

// Unapplied is the part of the payment that no invoice took, in minor units.
func (r PaymentResult) Unapplied() int64 {
	rest := r.Payment.AmountMinor
	for _, a := range r.Allocations {
		rest -= a.AmountMinor
	}
	return rest
}

// RecordPayment records money received and applies it to the invoice that it names; what the invoice does not need, or a
// void invoice cannot take, stays as unapplied cash, and billing is asked to look (ORD-4). When the invoice is settled its order is paid, and the
// lifecycle hears of it. A notice that was recorded before changes nothing.
//
// Faults: NoSuchThing (invoice), CurrencyMismatch, InvalidRequest.
func (s *Store) RecordPayment(ctx context.Context, n models.NewPayment, by models.Actor, at time.Time) (PaymentResult, error) {
	var r PaymentResult
	n.SourceAccount, n.BankReference = strings.TrimSpace(n.SourceAccount), strings.TrimSpace(n.BankReference)
	if n.Amount.Minor <= 0 {
		return r, models.InvalidRequest.New("the amount must be positive").At("/amount")
	}
	if n.ReceivedAt.After(at.Add(24*time.Hour)) || n.ReceivedAt.Before(at.AddDate(-10, 0, 0)) {
		return r, models.InvalidRequest.New("the money cannot have been received then").At("/received_at")
	}
	err := s.InTx(ctx, func(tx *Store) (err error) {
		r, err = tx.recordPayment(ctx, n, by, at)
		return err
	})
	if err != nil {
		return r, fmt.Errorf("record a payment: %w", err)
	}
	return r, nil
}

func (s *Store) recordPayment(ctx context.Context, n models.NewPayment, by models.Actor, at time.Time) (r PaymentResult, err error) {
	p := models.Payment{ID: NewID("py", at), Source: n.Source, SourceAccount: n.SourceAccount, BankReference: n.BankReference,
		AmountMinor: n.Amount.Minor, Currency: n.Amount.Currency, ReceivedAt: n.ReceivedAt, RecordedBy: by.ID, RecordedAt: at}
	created := s.with(ctx).Exec(`insert into payments (id, source, source_account, bank_reference, amount_minor, currency, received_at, recorded_by, recorded_at)
		values (?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict on constraint payments_once do nothing`,
		p.ID, p.Source, p.SourceAccount, p.BankReference, p.AmountMinor, p.Currency, p.ReceivedAt, p.RecordedBy, p.RecordedAt)
	if created.Error != nil {
		return r, created.Error
	}
	if created.RowsAffected == 0 {
		return s.recordedBefore(ctx, n, at)
	}
	r.Payment = p
	if n.InvoiceNumber != "" {
		if r.Allocations, err = s.apply(ctx, p, n.InvoiceNumber, at); err != nil {
			return r, err
		}
	}
	cash := "bank"
	if p.Source == models.SourceCard {
		cash = "card_clearing"
	}
	rest := r.Unapplied()
	if err := s.post(ctx, entry{Kind: "payment_received", Ref: p.ID, Currency: p.Currency, At: at},
		posting{cash, p.AmountMinor}, posting{"receivable", rest - p.AmountMinor}, posting{"unapplied_cash", -rest}); err != nil {
		return r, err
	}
	if err := s.reportUnapplied(ctx, r, n.InvoiceNumber, at); err != nil {
		return r, err
	}
	return r, s.Audit(ctx, models.AuditEvent{At: at, Class: models.AdministrationEvents, Kind: "payment.recorded", Actor: by.ID, SubjectRef: p.ID,
		Outcome: models.Succeeded, Detail: map[string]string{"invoice": n.InvoiceNumber, "amount": n.Amount.String()}})
}

// recordedBefore returns the payment that has the notice's identity. A notice that says something else under it changes nothing
// either, and becomes a case.
func (s *Store) recordedBefore(ctx context.Context, n models.NewPayment, at time.Time) (PaymentResult, error) {
	r := PaymentResult{Duplicate: true}
	err := s.with(ctx).Where("source = ? and source_account = ? and bank_reference = ?", n.Source, n.SourceAccount, n.BankReference).Take(&r.Payment).Error
	if err != nil {
		return r, err
	}
	if first := (models.Money{Minor: r.Payment.AmountMinor, Currency: r.Payment.Currency}); first != n.Amount {
		if err := s.OpenCase(ctx, "payment-differs/"+r.Payment.ID, r.Payment.ID, "a payment was notified again with another amount", at); err != nil {
			return r, err
		}
	}
	r.Allocations, err = s.Allocations(ctx, r.Payment.ID)
	return r, err
}

// apply gives the payment to the invoice, as far as it is open and lacks money, and settles it when nothing is due.
func (s *Store) apply(ctx context.Context, p models.Payment, invoiceNumber string, at time.Time) ([]models.Allocation, error) {
	// The order is locked before its invoice, as cancelling does, so that the two never wait for each other.
	var number string
	err := s.with(ctx).Raw("select o.number from orders o join invoices i on i.order_id = o.id where i.number = ? for update of o", invoiceNumber).Row().Scan(&number)
	if err != nil {
		return nil, fault(fmt.Errorf("find the invoice: %w", noRows(err)))
	}
	i, err := s.lockInvoice(ctx, "number = ?", invoiceNumber)
	if err != nil {
		return nil, err
	}
	if i.Currency != p.Currency {
		return nil, models.CurrencyMismatch.New("the invoice is in %s", i.Currency).At("/amount/currency")
	}
	applied, _ := models.Allocate(i.Status, i.TotalMinor-i.PaidMinor, p.AmountMinor)
	if applied == 0 {
		return nil, nil
	}
	a := models.Allocation{PaymentID: p.ID, InvoiceID: i.ID, AmountMinor: applied, At: at}
	if err := s.with(ctx).Create(&a).Error; err != nil {
		return nil, err
	}
	if err := s.with(ctx).Exec("update invoices set paid_minor = paid_minor + ? where id = ?", applied, i.ID).Error; err != nil {
		return nil, err
	}
	i.PaidMinor += applied
	if i.PaidMinor < i.TotalMinor {
		return []models.Allocation{a}, s.tellPartial(ctx, number, i, p, at)
	}
	return []models.Allocation{a}, s.settle(ctx, number, i, p, at)
}

func (s *Store) settle(ctx context.Context, number string, i models.Invoice, p models.Payment, at time.Time) error {
	if err := invoices.move(s.with(ctx), i.ID, models.SettleInvoice, at, map[string]any{"settled_at": at}); err != nil {
		return err
	}
	if err := orders.move(s.with(ctx), i.OrderID, models.PayOrder, at, map[string]any{"paid_at": at}); err != nil {
		return err
	}
	if p.Source == models.SourceCard { // its lifecycle is the one that captures; it needs no signal
		return nil
	}
	return s.Signal(ctx, models.OrderLifecycle, number, models.SignalPaymentReceived, p.ID, at)
}

func (s *Store) tellPartial(ctx context.Context, number string, i models.Invoice, p models.Payment, at time.Time) error {
	o, err := s.OrderByNumber(ctx, number)
	if err != nil {
		return err
	}
	return s.AddNotice(ctx, NewNotice{Kind: models.NoticePaymentPartial, DedupeKey: number + "/partial/" + p.ID, AccountID: o.BuyerID, SubjectRef: number,
		Params: map[string]string{"received": models.Money{Minor: p.AmountMinor, Currency: p.Currency}.String(), "due": i.Due().String()}}, at)
}

// Payments lists payments, newest first.
func (s *Store) Payments(ctx context.Context, p Page) ([]models.Payment, error) {
	q := s.with(ctx).Order("id desc").Limit(p.limit())
	if p.After != "" {
		q = q.Where("id < ?", p.After)
	}
	var rows []models.Payment
	return rows, fault(q.Find(&rows).Error)
}

// Allocations lists what became of payments. An allocation to an invoice that was voided later counts no more: its
// money is unapplied cash again.
func (s *Store) Allocations(ctx context.Context, paymentIDs ...string) ([]models.Allocation, error) {
	var rows []models.Allocation
	if len(paymentIDs) == 0 {
		return nil, nil
	}
	err := s.with(ctx).Where("payment_id in ? and invoice_id not in (select id from invoices where status = 'void')", paymentIDs).
		Order("payment_id, at").Find(&rows).Error
	return rows, fault(err)
}
