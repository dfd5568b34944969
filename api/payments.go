package api

import (
	"context"

	"tokendesk/api/gen"
	"tokendesk/models"
	"tokendesk/models/store"
)

// RecordPayment records money received (ORD-4). It is idempotent by source, account and bank reference as well.
func (s *server) RecordPayment(ctx context.Context, r gen.RecordPaymentRequestObject) (gen.RecordPaymentResponseObject, error) {
	b, at := r.Body, s.Clock()
	result, err := s.Store.RecordPayment(ctx, models.NewPayment{Source: b.Source, SourceAccount: b.SourceAccount, BankReference: b.BankReference,
		Amount: b.Amount, ReceivedAt: b.ReceivedAt, InvoiceNumber: deref(b.InvoiceNumber)}, callOf(ctx).caller.Actor, at)
	if err != nil {
		if models.KindOf(err) == models.NotFound {
			err = models.ReferenceUnknown.New("there is no such invoice").At("/invoice_number")
		}
		return nil, err
	}
	view := viewPayment(result)
	if result.Duplicate {
		view.Duplicate = &result.Duplicate
		return gen.RecordPayment200JSONResponse{Body: view}, nil
	}
	return gen.RecordPayment201JSONResponse{Body: view}, nil
}

// ListPayments lists payments with what is unapplied (ORD-7).
func (s *server) ListPayments(ctx context.Context, r gen.ListPaymentsRequestObject) (gen.ListPaymentsResponseObject, error) {
	l := s.list(r.Params.Limit, "payments")
	page, err := l.page(r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	rows, err := s.Store.Payments(ctx, page)
	if err != nil {
		return nil, err
	}
	rows, next, err := cut(l, rows, func(p models.Payment) string { return p.ID })
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(rows))
	for i, p := range rows {
		ids[i] = p.ID
	}
	allocations, err := s.Store.Allocations(ctx, ids...)
	if err != nil {
		return nil, err
	}
	of := map[string][]models.Allocation{}
	for _, a := range allocations {
		of[a.PaymentID] = append(of[a.PaymentID], a)
	}
	return gen.ListPayments200JSONResponse{NextCursor: next, Items: each(rows, func(p models.Payment) gen.Payment {
		return viewPayment(store.PaymentResult{Payment: p, Allocations: of[p.ID]})
	})}, nil
}

func viewPayment(r store.PaymentResult) gen.Payment {
	p := r.Payment
	money := func(minor int64) models.Money { return models.Money{Minor: minor, Currency: p.Currency} }
	return gen.Payment{ID: p.ID, Source: p.Source, SourceAccount: p.SourceAccount, BankReference: p.BankReference, Amount: money(p.AmountMinor),
		ReceivedAt: p.ReceivedAt, RecordedBy: p.RecordedBy, RecordedAt: p.RecordedAt, Unapplied: money(r.Unapplied()),
		Allocations: each(r.Allocations, func(a models.Allocation) gen.Allocation {
			return gen.Allocation{InvoiceID: a.InvoiceID, Amount: money(a.AmountMinor), At: a.At}
		})}
}
