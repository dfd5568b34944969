package api

import (
	"context"

	"tokendesk/api/gen"
	"tokendesk/models"
)

// QuoteOrder says what an order would cost and bring, and what its buyer should know before (REN-1, REN-2, MGT-6).
func (s *server) QuoteOrder(ctx context.Context, r gen.QuoteOrderRequestObject) (gen.QuoteOrderResponseObject, error) {
	buyer := callOf(ctx).caller
	n := models.NewOrder{BuyerID: buyer.AccountID, LoggedInWith: buyer.loggedInWith(), PaymentMethod: deref(r.Body.PaymentMethod), Lines: newLines(r.Body.Lines)}
	q, err := s.Store.QuoteOrder(ctx, n, s.Clock())
	if err != nil {
		return nil, err
	}
	return gen.QuoteOrder200JSONResponse{Total: q.Total, Lines: each(q.Lines, viewQuotedLine), Warnings: viewWarnings(q)}, nil
}

func viewQuotedLine(l models.QuotedLine) gen.QuotedLine {
	v := gen.QuotedLine{Position: int32(l.Position), ProductSKU: l.ProductSKU, BeneficiaryID: l.BeneficiaryID, CredentialID: l.CredentialID,
		Proofing: l.Proofing, Price: l.Price, NewExpiry: l.NewExpiry}
	if l.Warranty {
		v.Warranty = &l.Warranty
	}
	return v
}

func viewWarnings(q models.Quote) []gen.OrderWarning {
	out := []gen.OrderWarning{}
	for _, l := range q.Lines {
		for _, w := range l.Warnings {
			out = append(out, gen.OrderWarning{Code: w.Kind, Detail: w.Detail, Position: int32(l.Position), CredentialID: optional(w.CredentialID), At: w.At})
		}
	}
	return out
}
