package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"tokendesk/models"
)

// QuoteOrder says what an order would cost and bring, and warns of what its buyer should know before (REN-2, MGT-6). Nothing is written;
// of the order only the buyer, the payment method, if chosen, and the lines count.
//
// Faults: those of DraftOrder that are about lines.
func (s *Store) QuoteOrder(ctx context.Context, n models.NewOrder, at time.Time) (models.Quote, error) {
	lines, err := s.priceLines(ctx, n, at)
	if err == nil {
		var q models.Quote
		if q, err = s.quote(ctx, n.BuyerID, lines, at); err == nil {
			return q, nil
		}
	}
	return models.Quote{}, fmt.Errorf("quote an order: %w", err)
}

// QuoteOfOrder is the quote of an order that was drafted: at the prices that it was sold for, with the warnings of the moment.
func (s *Store) QuoteOfOrder(ctx context.Context, o models.Order, at time.Time) (models.Quote, error) {
	lines := make([]pricedLine, len(o.Lines))
	for i, line := range o.Lines {
		product, err := s.Product(ctx, line.ProductSKU)
		if err != nil {
			return models.Quote{}, err
		}
		lines[i] = pricedLine{OrderLine: line, product: product, warranty: line.ReplacementReason != nil && line.PriceMinor == 0}
		if line.CredentialID == nil {
			continue
		}
		if lines[i].standing, err = s.Standing(ctx, *line.CredentialID, at); err != nil {
			return models.Quote{}, err
		}
	}
	return s.quote(ctx, o.BuyerID, lines, at)
}

func (s *Store) quote(ctx context.Context, buyerID string, lines []pricedLine, at time.Time) (q models.Quote, err error) {
	b, err := s.buying(ctx, models.NewOrder{BuyerID: buyerID}, at)
	if err != nil {
		return q, err
	}
	q.Total.Currency = lines[0].product.Currency
	for _, line := range lines {
		price := models.Money{Minor: line.PriceMinor, Currency: line.product.Currency}
		quoted := models.QuotedLine{Position: line.Position, ProductSKU: line.ProductSKU, BeneficiaryID: line.BeneficiaryID,
			CredentialID: line.CredentialID, Price: price, Proofing: line.Proofing, Warranty: line.warranty}
		switch {
		case line.product.Kind.Subscribed():
			quoted.Warnings, err = s.warnOfRenewal(ctx, b, line)
		case line.product.Kind == models.Renewal && line.standing.Credential.Phase != models.CredentialRevoked:
			quoted.NewExpiry = &line.standing.Window.NewExpiry
			quoted.Warnings, err = s.warnRenewing(ctx, line.standing, at)
		}
		if err != nil {
			return q, err
		}
		q.Lines = append(q.Lines, quoted)
		q.Total = q.Total.Plus(price)
	}
	return q, nil
}

// warnOfRenewal warns whoever buys a new credential for somebody who has one of the kind that could be renewed (REN-2). Only who could
// order that renewal is told which one it is.
func (s *Store) warnOfRenewal(ctx context.Context, b buying, line pricedLine) (warnings []models.Warning, err error) {
	owned, err := s.CredentialsOfAccount(ctx, line.BeneficiaryID)
	if err != nil {
		return nil, err
	}
	for _, c := range owned {
		if c.Kind != line.product.Kind {
			continue
		}
		st, err := s.Standing(ctx, c.ID, b.at)
		if err != nil {
			return nil, err
		}
		if c.Phase == models.CredentialRevoked || !st.Window.Open(b.at) {
			continue
		}
		w := models.Warning{Kind: models.WarnRenewalAvailable,
			Detail: "there is a credential of this kind that could be renewed instead; a new one changes nothing on it"}
		if c.AccountID == b.buyer.ID || b.administers {
			w.CredentialID, w.At = c.ID, &c.ExpiresAt
		}
		warnings = append(warnings, w)
	}
	return warnings, nil
}

// warnRenewing warns of an old token (MGT-6), of a term that, counted from the old expiry, ends soon (REN-1), and of a suspension that a renewal
// does not lift (MGT-3).
func (s *Store) warnRenewing(ctx context.Context, st models.Standing, at time.Time) (warnings []models.Warning, err error) {
	c := st.Credential
	p, err := s.Policy(ctx, c.PolicyVersion)
	if err != nil {
		return nil, err
	}
	day := func(t time.Time) string { return t.In(p.Location()).Format("2 January 2006") }
	if token := models.LiveToken(st.Bound); token != nil {
		purchases, err := s.tokenPurchases(ctx, c)
		if err != nil {
			return nil, err
		}
		if bought := purchases.of(*token.Serial); !at.Before(models.TermEnd(bought, 12*p.Tokens.OldYears, p.Location())) {
			warnings = append(warnings, models.Warning{Kind: models.WarnTokenOld, CredentialID: c.ID, At: &bought,
				Detail: fmt.Sprintf("the token was bought on %s and is more than %d years old: its battery may not last another term", day(bought), p.Tokens.OldYears)})
		}
	}
	if c.SuspendedAt != nil {
		ends := models.DatesOf(models.LifeFacts{ExpiresAt: st.Window.NewExpiry, SuspendedAt: c.SuspendedAt}, p, bank(p)).Revocation
		warnings = append(warnings, models.Warning{Kind: models.WarnSuspended, CredentialID: c.ID, At: &ends,
			Detail: fmt.Sprintf("the credential is suspended: renewing does not lift that, and unless it is re-enabled it is revoked at the end of %s", day(ends.Add(-1)))})
	}
	if until := st.Window.NewExpiry; !at.Before(models.StartOfDay(until, -p.Life.NoticeBefore, p.Location())) {
		warnings = append(warnings, models.Warning{Kind: models.WarnRenewalReaches, CredentialID: c.ID, At: &until,
			Detail: fmt.Sprintf("the renewed term is counted from the old expiry and ends on %s already", day(until))})
	}
	return slices.Clip(warnings), nil
}
