package store

import (
	"context"

	"tokendesk/internal/documents"
	"tokendesk/models"
)

// CreditNotePaper collects what stands in a credit note (ORD-5). Fault: NoSuchThing.
func (s *Store) CreditNotePaper(ctx context.Context, number string, seller documents.Seller) (c documents.Credit, err error) {
	n, err := s.CreditNoteByNumber(ctx, number)
	if err != nil {
		return c, err
	}
	o, err := s.order(ctx, "id = ?", n.OrderID)
	if err != nil {
		return c, err
	}
	r, err := s.Refund(ctx, n.RefundID)
	if err != nil {
		return c, err
	}
	policy, err := s.Policy(ctx, o.PolicyVersion)
	if err != nil {
		return c, err
	}
	if c.Facts, err = s.OrderPaper(ctx, o.Number, seller, documents.Bank{}); err != nil {
		return c, err
	}
	credited := make(map[string]bool, len(n.Lines))
	for _, l := range n.Lines {
		credited[l.OrderLineID] = true
	}
	all := c.Lines
	c.Lines = nil
	for i, l := range o.Lines {
		if credited[l.ID] {
			c.Lines = append(c.Lines, all[i])
		}
	}
	c.Number, c.CreditedAt, c.Reason = n.Number, n.IssuedAt.In(policy.Location()), r.Reason
	if r.CardMinor > 0 {
		c.Card = models.Money{Minor: r.CardMinor, Currency: r.Currency}
	}
	return c, nil
}
