package store

import (
	"context"
	"fmt"

	"tokendesk/internal/documents"
	"tokendesk/models"
)

// OrderPaper collects what stands in the order confirmation and the invoice of a placed order (ORD-6). The seller and the
// bank account are the vendor's own and come from its configuration.
func (s *Store) OrderPaper(ctx context.Context, number string, seller documents.Seller, bank documents.Bank) (documents.Facts, error) {
	f := documents.Facts{Seller: seller, Bank: bank}
	o, err := s.OrderByNumber(ctx, number)
	if err != nil {
		return f, err
	}
	i, err := s.InvoiceOfOrder(ctx, o.ID)
	if err != nil {
		return f, fmt.Errorf("find the invoice: %w", err)
	}
	policy, err := s.Policy(ctx, o.PolicyVersion)
	if err != nil {
		return f, err
	}
	zone := policy.Location()
	f.OrderNumber, f.InvoiceNumber, f.PONumber = o.Number, i.Number, deref(o.PONumber)
	f.PlacedAt, f.IssuedAt, f.DueAt = deref(o.PlacedAt).In(zone), i.IssuedAt.In(zone), i.DueAt.In(zone)
	f.Billing, f.Shipping, f.Method = o.BillingAddress, o.ShippingAddress, o.PaymentMethod
	f.Paid = models.Money{Minor: i.PaidMinor, Currency: i.Currency}
	f.Void = i.Status == models.InvoiceVoid
	f.DisclaimerVersion, f.DisclaimerAcceptedAt = o.DisclaimerVersion, o.DisclaimerAcceptedAt.In(zone)
	buyer, err := s.Account(ctx, o.BuyerID)
	if err != nil {
		return f, err
	}
	f.BuyerName, f.BuyerEmail = buyer.LegalName(), buyer.Email
	if f.Brings, err = s.OrderBrings(ctx, o); err != nil {
		return f, err
	}
	if !f.Brings.Tokens {
		f.Shipping = nil
	}
	for _, line := range o.Lines {
		product, err := s.Product(ctx, line.ProductSKU)
		if err != nil {
			return f, err
		}
		beneficiary, err := s.Account(ctx, line.BeneficiaryID)
		if err != nil {
			return f, err
		}
		f.Lines = append(f.Lines, documents.Line{SKU: product.SKU, Description: product.Name, Beneficiary: beneficiary.LegalName(),
			Quantity: 1, UnitPrice: models.Money{Minor: line.PriceMinor, Currency: o.Currency}})
	}
	return f, nil
}

// OrderBrings says what comes of an order.
func (s *Store) OrderBrings(ctx context.Context, o models.Order) (b documents.Brings, err error) {
	for _, line := range o.Lines {
		product, err := s.Product(ctx, line.ProductSKU)
		if err != nil {
			return b, err
		}
		b.Keys = b.Keys || product.Kind.Subscribed()
		b.Renewals = b.Renewals || product.Kind == models.Renewal
		b.Replacements = b.Replacements || product.Kind == models.Replacement
		b.Proofings = b.Proofings || product.Kind == models.ProofingUpgrade
		b.Tokens = b.Tokens || product.Ships()
	}
	return b, nil
}
