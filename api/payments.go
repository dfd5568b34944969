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
	limit, err := s.soloLimit(ctx)
	if err != nil {
		return nil, err
	}
	view := s.viewPayment(ctx, result, limit)
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
	rows, next, err := cut(l, rows, func(p store.PaymentResult) string { return p.Payment.ID })
	if err != nil {
		return nil, err
	}
	limit, err := s.soloLimit(ctx)
	return gen.ListPayments200JSONResponse{NextCursor: next, Items: each(rows, func(p store.PaymentResult) gen.Payment { return s.viewPayment(ctx, p, limit) })}, err
}

// GetPayment shows one payment and what became of it (ORD-7).
func (s *server) GetPayment(ctx context.Context, r gen.GetPaymentRequestObject) (gen.GetPaymentResponseObject, error) {
	view, err := s.viewPaymentNumbered(ctx, r.PaymentID)
	return gen.GetPayment200JSONResponse(view), err
}

// ApplyPayment gives what is left of a payment to an open invoice (ORD-4).
func (s *server) ApplyPayment(ctx context.Context, r gen.ApplyPaymentRequestObject) (gen.ApplyPaymentResponseObject, error) {
	view, err := s.changePayment(ctx, r.PaymentID, func(tx *store.Store, by models.Actor) error {
		_, err := tx.ApplyPayment(ctx, r.PaymentID, r.Body.InvoiceNumber, r.Body.Reason, by, s.Clock())
		return err
	})
	return gen.ApplyPayment200JSONResponse{Body: view}, err
}

// PayOutUnapplied records the transfer with which billing gave back what no invoice took (ORD-4).
func (s *server) PayOutUnapplied(ctx context.Context, r gen.PayOutUnappliedRequestObject) (gen.PayOutUnappliedResponseObject, error) {
	b := r.Body
	view, err := s.changePayment(ctx, r.PaymentID, func(tx *store.Store, by models.Actor) error {
		n := models.NewPayout{SourceAccount: b.SourceAccount, BankReference: b.BankReference, Amount: b.Amount, PaidAt: b.PaidAt}
		_, err := tx.PayOutUnapplied(ctx, r.PaymentID, n, b.Reason, by, s.Clock())
		return err
	})
	return gen.PayOutUnapplied201JSONResponse{Body: view}, err
}

// ApproveUnappliedPayout is the second person's consent to a payout above the limit (SEC-1).
func (s *server) ApproveUnappliedPayout(ctx context.Context, r gen.ApproveUnappliedPayoutRequestObject) (gen.ApproveUnappliedPayoutResponseObject, error) {
	view, err := s.changePayment(ctx, r.PaymentID, func(tx *store.Store, by models.Actor) error {
		_, err := tx.ApprovePayout(ctx, r.PaymentID, r.Body.Amount, r.Body.Reason, by, s.Clock())
		return err
	})
	return gen.ApproveUnappliedPayout201JSONResponse{Body: view}, err
}

// changePayment performs one change of what became of a payment.
func (s *server) changePayment(ctx context.Context, id string, change func(tx *store.Store, by models.Actor) error) (gen.Payment, error) {
	_, err := making(ctx, s, func(tx *store.Store) (string, string, error) {
		return id, id, change(tx, callOf(ctx).caller.Actor)
	}, func(id string) (string, error) { return id, nil })
	if err != nil {
		return gen.Payment{}, err
	}
	return s.viewPaymentNumbered(ctx, id)
}

func (s *server) viewPaymentNumbered(ctx context.Context, id string) (gen.Payment, error) {
	p, err := s.Store.Payment(ctx, id)
	if err != nil {
		return gen.Payment{}, err
	}
	limit, err := s.soloLimit(ctx)
	return s.viewPayment(ctx, p, limit), err
}

// soloLimit is how much one person alone may pay out of a payment, in minor units (SEC-1).
func (s *server) soloLimit(ctx context.Context) (int64, error) {
	policy, err := s.Store.CurrentPolicy(ctx, s.Clock())
	return policy.Refund.SecondPersonAbove, err
}

func (s *server) viewPayment(ctx context.Context, r store.PaymentResult, limit int64) gen.Payment {
	p := r.Payment
	money := func(minor int64) models.Money { return models.Money{Minor: minor, Currency: p.Currency} }
	v := gen.Payment{ID: p.ID, Source: p.Source, SourceAccount: p.SourceAccount, BankReference: p.BankReference, InvoiceNumber: p.InvoiceNumber,
		Amount: money(p.AmountMinor), ReceivedAt: p.ReceivedAt, RecordedBy: p.RecordedBy, RecordedAt: p.RecordedAt, Unapplied: money(r.Unapplied()), AllowedActions: []string{},
		Allocations: each(r.Allocations, func(a models.Allocation) gen.Allocation {
			return gen.Allocation{InvoiceID: a.InvoiceID, Amount: money(a.AmountMinor), At: a.At}
		}),
		Payouts: each(r.Payouts, func(o models.UnappliedPayout) gen.UnappliedPayout {
			return gen.UnappliedPayout{ID: o.ID, Amount: money(o.AmountMinor), SourceAccount: o.SourceAccount, BankReference: o.BankReference, PaidAt: o.PaidAt,
				Reason: o.Reason, ApprovalID: o.ApprovalID, RecordedBy: o.RecordedBy, RecordedAt: o.RecordedAt}
		}),
		PayoutApprovals: each(r.Approvals, func(a models.PayoutApproval) gen.PayoutApproval {
			return gen.PayoutApproval{ID: a.ID, Amount: money(a.AmountMinor), Reason: a.Reason, ApprovedBy: a.ApprovedBy, ApprovedAt: a.ApprovedAt}
		})}
	for _, action := range store.PaymentActions(r, limit) {
		if s.operations.performs("payment."+action, callOf(ctx).caller.roles) {
			v.AllowedActions = append(v.AllowedActions, action)
		}
	}
	return v
}
