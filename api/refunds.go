package api

import (
	"bytes"
	"context"
	"fmt"

	"tokendesk/api/gen"
	"tokendesk/internal/documents"
	"tokendesk/models"
	"tokendesk/models/store"
)

// RequestRefund asks for the money of a paid order back (ORD-5).
func (s *server) RequestRefund(ctx context.Context, r gen.RequestRefundRequestObject) (gen.RequestRefundResponseObject, error) {
	o, err := s.order(ctx, r.OrderNumber)
	if err != nil {
		return nil, err
	}
	q := models.RefundRequest{OrderNumber: o.Number, Reason: r.Body.Reason, Note: deref(r.Body.Note)}
	for _, position := range r.Body.Lines {
		q.Positions = append(q.Positions, int(position))
	}
	id, err := making(ctx, s, func(tx *store.Store) (string, string, error) {
		refund, err := tx.RequestRefund(ctx, q, callOf(ctx).caller.Actor, s.Clock())
		return refund.ID, refund.ID, err
	}, func(id string) (string, error) { return id, nil })
	if err != nil {
		return nil, err
	}
	view, err := s.viewRefundNumbered(ctx, id)
	return gen.RequestRefund202JSONResponse{Headers: gen.RequestRefund202ResponseHeaders{Location: "/v1/refunds/" + id}, Body: view}, err
}

// ListRefunds lists those of a buyer's own orders, or all of them to staff.
func (s *server) ListRefunds(ctx context.Context, r gen.ListRefundsRequestObject) (gen.ListRefundsResponseObject, error) {
	f := store.RefundFilter{Status: deref(r.Params.Status), BuyerID: callOf(ctx).caller.own()}
	l := s.list(r.Params.Limit, fmt.Sprintf("refunds/%s/%s", f.BuyerID, f.Status))
	page, err := l.page(r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	rows, err := s.Store.Refunds(ctx, f, page)
	if err != nil {
		return nil, err
	}
	rows, next, err := cut(l, rows, func(r models.Refund) string { return r.ID })
	if err != nil {
		return nil, err
	}
	items := make([]gen.Refund, 0, len(rows))
	for _, row := range rows {
		view, err := s.viewRefund(ctx, row)
		if err != nil {
			return nil, err
		}
		items = append(items, view)
	}
	return gen.ListRefunds200JSONResponse{Items: items, NextCursor: next}, nil
}

// GetRefund shows one refund.
func (s *server) GetRefund(ctx context.Context, r gen.GetRefundRequestObject) (gen.GetRefundResponseObject, error) {
	refund, err := s.refund(ctx, r.RefundID)
	if err != nil {
		return nil, err
	}
	view, err := s.viewRefund(ctx, refund)
	return gen.GetRefund200JSONResponse(view), err
}

// GetCreditNotePDF makes the credit note of a refund as a document (ORD-5).
func (s *server) GetCreditNotePDF(ctx context.Context, r gen.GetCreditNotePDFRequestObject) (gen.GetCreditNotePDFResponseObject, error) {
	refund, err := s.refund(ctx, r.RefundID)
	if err != nil {
		return nil, err
	}
	if refund.CreditedAt == nil {
		return nil, models.StateForbids.New("the refund is %s: there is no credit note", refund.Status).Allowing(s.refundActions(ctx, refund)...)
	}
	note, err := s.Store.CreditNoteOfRefund(ctx, refund.ID)
	if err != nil {
		return nil, err
	}
	facts, err := s.Store.CreditNotePaper(ctx, note.Number, s.Seller)
	if err != nil {
		return nil, err
	}
	paper, err := documents.CreditNote(facts)
	return gen.GetCreditNotePDF200ApplicationPDFResponse{Body: bytes.NewReader(paper), ContentLength: int64(len(paper))}, err
}

// ApproveRefund is the second person's consent (SEC-1).
func (s *server) ApproveRefund(ctx context.Context, r gen.ApproveRefundRequestObject) (gen.ApproveRefundResponseObject, error) {
	reason, err := givenReason(models.ByAdministrator, &r.Body.Reason)
	if err != nil {
		return nil, err
	}
	view, err := s.changeRefund(ctx, r.RefundID, func(tx *store.Store, by models.Actor) error {
		if err := tx.ApproveRefund(ctx, r.RefundID, by, s.Clock()); err != nil {
			return err
		}
		return tx.Audit(ctx, models.AuditEvent{At: s.Clock(), Class: models.AdministrationEvents, Kind: "refund.approval_reasoned", Actor: by.ID,
			SubjectRef: r.RefundID, Outcome: models.Succeeded, Detail: map[string]string{"reason": reason}})
	})
	return gen.ApproveRefund200JSONResponse{Body: view}, err
}

// RejectRefund is the second person's refusal (SEC-1).
func (s *server) RejectRefund(ctx context.Context, r gen.RejectRefundRequestObject) (gen.RejectRefundResponseObject, error) {
	view, err := s.changeRefund(ctx, r.RefundID, func(tx *store.Store, by models.Actor) error {
		return tx.RejectRefund(ctx, r.RefundID, r.Body.Reason, by, s.Clock())
	})
	return gen.RejectRefund200JSONResponse{Body: view}, err
}

// WithdrawRefund takes the request back.
func (s *server) WithdrawRefund(ctx context.Context, r gen.WithdrawRefundRequestObject) (gen.WithdrawRefundResponseObject, error) {
	view, err := s.changeRefund(ctx, r.RefundID, func(tx *store.Store, by models.Actor) error {
		return tx.WithdrawRefund(ctx, r.RefundID, by, s.Clock())
	})
	return gen.WithdrawRefund200JSONResponse{Body: view}, err
}

// KeepRefundAsCredit lets the buyer keep the money as credit.
func (s *server) KeepRefundAsCredit(ctx context.Context, r gen.KeepRefundAsCreditRequestObject) (gen.KeepRefundAsCreditResponseObject, error) {
	view, err := s.changeRefund(ctx, r.RefundID, func(tx *store.Store, by models.Actor) error {
		return tx.KeepAsCredit(ctx, r.RefundID, by, s.Clock())
	})
	return gen.KeepRefundAsCredit200JSONResponse{Body: view}, err
}

// RecordPayout records the transfer with which billing gave the money back.
func (s *server) RecordPayout(ctx context.Context, r gen.RecordPayoutRequestObject) (gen.RecordPayoutResponseObject, error) {
	b := r.Body
	view, err := s.changeRefund(ctx, r.RefundID, func(tx *store.Store, by models.Actor) error {
		_, err := tx.RecordPayout(ctx, r.RefundID, models.NewPayout{SourceAccount: b.SourceAccount, BankReference: b.BankReference,
			Amount: b.Amount, PaidAt: b.PaidAt}, by, s.Clock())
		return err
	})
	return gen.RecordPayout200JSONResponse{Body: view}, err
}

// ApplyCredit pays an open invoice with what a refund has left as credit (ORD-4).
func (s *server) ApplyCredit(ctx context.Context, r gen.ApplyCreditRequestObject) (gen.ApplyCreditResponseObject, error) {
	view, err := s.changeRefund(ctx, r.RefundID, func(tx *store.Store, by models.Actor) error {
		_, err := tx.ApplyCredit(ctx, r.RefundID, r.Body.InvoiceNumber, r.Body.Reason, by, s.Clock())
		return err
	})
	return gen.ApplyCredit200JSONResponse{Body: view}, err
}

// refund finds a refund that exists for the caller: staff, or whoever bought what it is about.
func (s *server) refund(ctx context.Context, id string) (models.Refund, error) {
	refund, err := s.Store.Refund(ctx, id)
	if err != nil {
		return refund, err
	}
	number, err := s.orderNumber(ctx, refund.OrderID)
	if err != nil {
		return refund, err
	}
	if _, err := s.order(ctx, number); err != nil {
		if models.KindOf(err) == models.NotFound {
			err = models.NoSuchThing.New("no such refund")
		}
		return refund, err
	}
	return refund, nil
}

func (s *server) orderNumber(ctx context.Context, orderID string) (string, error) {
	numbers, err := s.Store.OrderNumbers(ctx, []string{orderID})
	return numbers[orderID], err
}

// changeRefund performs one change of a refund that exists for the caller.
func (s *server) changeRefund(ctx context.Context, id string, change func(tx *store.Store, by models.Actor) error) (gen.Refund, error) {
	if _, err := s.refund(ctx, id); err != nil {
		return gen.Refund{}, err
	}
	_, err := making(ctx, s, func(tx *store.Store) (string, string, error) {
		return id, id, change(tx, callOf(ctx).caller.Actor)
	}, func(id string) (string, error) { return id, nil })
	if err != nil {
		return gen.Refund{}, err
	}
	return s.viewRefundNumbered(ctx, id)
}
