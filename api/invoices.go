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

// ListInvoices lists a buyer's own invoices, or all of them to staff.
func (s *server) ListInvoices(ctx context.Context, r gen.ListInvoicesRequestObject) (gen.ListInvoicesResponseObject, error) {
	f := store.InvoiceFilter{Status: deref(r.Params.Status), BuyerID: callOf(ctx).caller.own()}
	l := s.list(r.Params.Limit, fmt.Sprintf("invoices/%s/%s", f.BuyerID, f.Status))
	page, err := l.page(r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	rows, err := s.Store.Invoices(ctx, f, page)
	if err != nil {
		return nil, err
	}
	rows, next, err := cut(l, rows, func(i models.Invoice) string { return i.ID })
	if err != nil {
		return nil, err
	}
	orders := make([]string, len(rows))
	for i, row := range rows {
		orders[i] = row.OrderID
	}
	numbers, err := s.Store.OrderNumbers(ctx, orders)
	return gen.ListInvoices200JSONResponse{
		Items:      each(rows, func(i models.Invoice) gen.Invoice { return viewInvoice(i, numbers[i.OrderID]) }),
		NextCursor: next,
	}, err
}

// GetInvoice shows one invoice.
func (s *server) GetInvoice(ctx context.Context, r gen.GetInvoiceRequestObject) (gen.GetInvoiceResponseObject, error) {
	i, o, err := s.invoice(ctx, r.InvoiceNumber)
	return gen.GetInvoice200JSONResponse(viewInvoice(i, o.Number)), err
}

// invoice finds an invoice that exists for the caller, and its order.
func (s *server) invoice(ctx context.Context, number string) (models.Invoice, models.Order, error) {
	i, err := s.Store.InvoiceByNumber(ctx, number)
	if err != nil {
		return i, models.Order{}, err
	}
	numbers, err := s.Store.OrderNumbers(ctx, []string{i.OrderID})
	if err != nil {
		return i, models.Order{}, err
	}
	o, err := s.order(ctx, numbers[i.OrderID])
	return i, o, err
}

// GetInvoicePDF makes the invoice as a document (ORD-6).
func (s *server) GetInvoicePDF(ctx context.Context, r gen.GetInvoicePDFRequestObject) (gen.GetInvoicePDFResponseObject, error) {
	_, o, err := s.invoice(ctx, r.InvoiceNumber)
	if err != nil {
		return nil, err
	}
	paper, err := s.paper(ctx, o, documents.Invoice)
	return gen.GetInvoicePDF200ApplicationPDFResponse{Body: bytes.NewReader(paper), ContentLength: int64(len(paper))}, err
}

// GetOrderConfirmation makes the order confirmation as a document (ORD-6).
func (s *server) GetOrderConfirmation(ctx context.Context, r gen.GetOrderConfirmationRequestObject) (gen.GetOrderConfirmationResponseObject, error) {
	o, err := s.order(ctx, r.OrderNumber)
	if err != nil {
		return nil, err
	}
	paper, err := s.paper(ctx, o, documents.OrderConfirmation)
	return gen.GetOrderConfirmation200ApplicationPDFResponse{Body: bytes.NewReader(paper), ContentLength: int64(len(paper))}, err
}

func (s *server) paper(ctx context.Context, o models.Order, render func(documents.Facts) ([]byte, error)) ([]byte, error) {
	if o.PlacedAt == nil {
		return nil, models.StateForbids.New("the order is %s: it has no papers", o.Status).Allowing(actionsOf(ctx, s, models.OrderMachine, o.Status)...)
	}
	facts, err := s.Store.OrderPaper(ctx, o.Number, s.Seller, s.Bank)
	if err != nil {
		return nil, err
	}
	return render(facts)
}

func viewInvoice(i models.Invoice, orderNumber string) gen.Invoice {
	money := func(minor int64) models.Money { return models.Money{Minor: minor, Currency: i.Currency} }
	v := gen.Invoice{Number: i.Number, OrderNumber: orderNumber, Status: i.Status, Total: money(i.TotalMinor), Paid: money(i.PaidMinor),
		Due: i.Due(), IssuedAt: i.IssuedAt, DueAt: i.DueAt, SettledAt: i.SettledAt, VoidedAt: i.VoidedAt}
	if i.Status == models.InvoiceVoid {
		v.Due = money(0)
	}
	return v
}
