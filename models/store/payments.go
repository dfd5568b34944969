package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"tokendesk/models"
)

// PaymentResult is what became of a payment.
type PaymentResult struct {
	Payment     models.Payment
	Allocations []models.Allocation
	Payouts     []models.UnappliedPayout
	Approvals   []models.PayoutApproval
	Duplicate   bool // the same source, account and bank reference was recorded before; nothing changed
}

// Unapplied is what is left of the payment, in minor units: no invoice took it, and it was not paid out.
func (r PaymentResult) Unapplied() int64 {
	rest := r.Payment.AmountMinor
	for _, a := range r.Allocations {
		rest -= a.AmountMinor
	}
	for _, p := range r.Payouts {
		rest -= p.AmountMinor
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
	if n.InvoiceNumber != "" {
		p.InvoiceNumber = &n.InvoiceNumber
	}
	created := s.with(ctx).Exec(`insert into payments (id, source, source_account, bank_reference, invoice_number, amount_minor, currency, received_at, recorded_by, recorded_at)
		values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict on constraint payments_once do nothing`,
		p.ID, p.Source, p.SourceAccount, p.BankReference, p.InvoiceNumber, p.AmountMinor, p.Currency, p.ReceivedAt, p.RecordedBy, p.RecordedAt)
	if created.Error != nil {
		return r, created.Error
	}
	if created.RowsAffected == 0 {
		return s.recordedBefore(ctx, n, at)
	}
	r.Payment = p
	if n.InvoiceNumber != "" {
		i, err := s.lockPayable(ctx, n.InvoiceNumber)
		if err != nil {
			return r, err
		}
		if r.Allocations, err = s.apply(ctx, p, i, p.AmountMinor, at); err != nil {
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
	became, err := s.becameOf(ctx, []models.Payment{r.Payment})
	if err != nil {
		return r, err
	}
	became[0].Duplicate = true
	return became[0], nil
}

// payable is an invoice with its order, both locked.
type payable struct {
	models.Invoice
	orderNumber string
	buyerID     string
}

// lockPayable locks the order of an invoice, then the invoice. Fault: NoSuchThing.
func (s *Store) lockPayable(ctx context.Context, invoiceNumber string) (i payable, err error) {
	err = s.with(ctx).Raw("select o.number, o.buyer_id from orders o join invoices i on i.order_id = o.id where i.number = ? for update of o", invoiceNumber).
		Row().Scan(&i.orderNumber, &i.buyerID)
	if err != nil {
		return i, fault(fmt.Errorf("find the invoice: %w", noRows(err)))
	}
	i.Invoice, err = s.lockInvoice(ctx, "number = ?", invoiceNumber)
	return i, err
}

// apply gives an amount of the payment to the invoice, as far as that is open and lacks money, and settles it when nothing is due.
// Fault: CurrencyMismatch.
func (s *Store) apply(ctx context.Context, p models.Payment, i payable, minor int64, at time.Time) ([]models.Allocation, error) {
	if i.Currency != p.Currency {
		return nil, models.CurrencyMismatch.New("the invoice is in %s", i.Currency).At("/amount/currency")
	}
	applied, _ := models.Allocate(i.Status, i.TotalMinor-i.PaidMinor, minor)
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
		return []models.Allocation{a}, s.tellPartial(ctx, i, p, minor, at)
	}
	return []models.Allocation{a}, s.settle(ctx, i.orderNumber, i.Invoice, p, at)
}

func (s *Store) settle(ctx context.Context, number string, i models.Invoice, p models.Payment, at time.Time) error {
	if err := invoices.move(s.with(ctx), i.ID, models.SettleInvoice, at, map[string]any{"settled_at": at}); err != nil {
		return err
	}
	paid, err := s.moneyComplete(ctx, i, at)
	if err != nil {
		return err
	}
	if err := orders.move(s.with(ctx), i.OrderID, models.PayOrder, at, map[string]any{"paid_at": paid}); err != nil {
		return err
	}
	if p.Source == models.SourceCard { // its lifecycle is the one that captures; it needs no signal
		return nil
	}
	return s.Signal(ctx, models.OrderLifecycle, number, models.SignalPaymentReceived, p.ID, at)
}

// moneyComplete is when the money for a settled invoice was all received, which somebody may record much later: the term starts then, and
// a renewal was in time by then (LIF-1). It is no moment before the invoice, nor ahead of now.
func (s *Store) moneyComplete(ctx context.Context, i models.Invoice, at time.Time) (received time.Time, err error) {
	err = s.with(ctx).Raw("select max(p.received_at) from payments p join allocations a on a.payment_id = p.id where a.invoice_id = ?", i.ID).Row().Scan(&received)
	switch {
	case err != nil:
		return received, fmt.Errorf("look when the money was received: %w", err)
	case received.Before(i.IssuedAt):
		return i.IssuedAt, nil
	case received.After(at):
		return at, nil
	}
	return received, nil
}

func (s *Store) tellPartial(ctx context.Context, i payable, p models.Payment, minor int64, at time.Time) error {
	params := map[string]string{"received": models.Money{Minor: minor, Currency: p.Currency}.String(), "due": i.Due().String()}
	if p.Source == models.SourceCredit {
		params["credit"] = params["received"]
	}
	return s.AddNotice(ctx, NewNotice{Kind: models.NoticePaymentPartial, DedupeKey: i.orderNumber + "/partial/" + p.ID, AccountID: i.buyerID, SubjectRef: i.orderNumber, Params: params}, at)
}

// Payments lists payments and what became of them, newest first.
func (s *Store) Payments(ctx context.Context, p Page) ([]PaymentResult, error) {
	q := s.with(ctx).Order("id desc").Limit(p.limit())
	if p.After != "" {
		q = q.Where("id < ?", p.After)
	}
	var rows []models.Payment
	if err := q.Find(&rows).Error; err != nil {
		return nil, fault(err)
	}
	return s.becameOf(ctx, rows)
}

// Payment returns one payment and what became of it. Fault: NoSuchThing.
func (s *Store) Payment(ctx context.Context, id string) (PaymentResult, error) {
	var p models.Payment
	if err := s.with(ctx).Where("id = ?", id).Take(&p).Error; err != nil {
		return PaymentResult{}, fault(fmt.Errorf("read a payment: %w", err))
	}
	became, err := s.becameOf(ctx, []models.Payment{p})
	if err != nil {
		return PaymentResult{}, err
	}
	return became[0], nil
}

// becameOf reads what became of payments.
func (s *Store) becameOf(ctx context.Context, payments []models.Payment) ([]PaymentResult, error) {
	ids, index := make([]string, len(payments)), map[string]int{}
	results := make([]PaymentResult, len(payments))
	for i, p := range payments {
		ids[i], index[p.ID], results[i].Payment = p.ID, i, p
	}
	allocations, err := s.Allocations(ctx, ids...)
	if err != nil {
		return nil, err
	}
	for _, a := range allocations {
		r := &results[index[a.PaymentID]]
		r.Allocations = append(r.Allocations, a)
	}
	var payouts []models.UnappliedPayout
	if err := s.with(ctx).Where("payment_id in ?", ids).Order("recorded_at, id").Find(&payouts).Error; err != nil {
		return nil, fault(fmt.Errorf("read payouts: %w", err))
	}
	for _, p := range payouts {
		r := &results[index[p.PaymentID]]
		r.Payouts = append(r.Payouts, p)
	}
	var approvals []models.PayoutApproval
	if err := s.with(ctx).Where("payment_id in ?", ids).Order("approved_at, id").Find(&approvals).Error; err != nil {
		return nil, fault(fmt.Errorf("read approvals of payouts: %w", err))
	}
	for _, a := range approvals {
		r := &results[index[a.PaymentID]]
		r.Approvals = append(r.Approvals, a)
	}
	return results, nil
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
