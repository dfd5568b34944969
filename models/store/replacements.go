package store

import (
	"context"
	"fmt"
	"time"

	"tokendesk/models"
)

// tokenPurchase is how a token that was registered for a credential had been bought.
type tokenPurchase struct {
	Serial string
	PaidAt time.Time
	Free   bool // replaced under warranty
}

// tokenPurchases are those of a credential's tokens, oldest first.
type tokenPurchases []tokenPurchase

func (s *Store) tokenPurchases(ctx context.Context, c models.Credential) (p tokenPurchases, err error) {
	err = s.with(ctx).Raw(`
		select a.serial, o.paid_at, l.credential_id is not null and l.price_minor = 0 as free
		from authenticators a join parcels p on p.serial = a.serial and p.outcome is distinct from 'cancelled'
		join shipments h on h.id = p.shipment_id join order_lines l on l.id = h.order_line_id join orders o on o.id = l.order_id
		where a.credential_id = ? order by o.paid_at, l.id`, c.ID).Scan(&p).Error
	if err != nil {
		return nil, fault(fmt.Errorf("find the purchases of a credential's tokens: %w", err))
	}
	if len(p) == 0 { // what came by no shipment of ours came with the credential
		p = tokenPurchases{{PaidAt: c.PurchasedAt}}
	}
	return p, nil
}

// of is when a token was bought; a free replacement then, too.
func (p tokenPurchases) of(serial string) time.Time {
	for _, t := range p {
		if t.Serial == serial {
			return t.PaidAt
		}
	}
	return p[0].PaidAt
}

// warrantyFrom is the purchase from which the newest token's warranty runs. A replacement that was paid for is a purchase of its own;
// a free one is none, so it carries on with the days of the token that it replaced (MGT-6).
func (p tokenPurchases) warrantyFrom() time.Time {
	from := p[0].PaidAt
	for _, t := range p {
		if !t.Free {
			from = t.PaidAt
		}
	}
	return from
}

// priceReplacement checks a replacement of a credential's token: that token must be live and the term not over. It is free where the
// warranty covers the reason, and the token sent is of the model that failed (MGT-6).
//
// Faults: InvalidRequest, CredentialIsRevoked, ReplacementPending, ReplacementNotPossible.
func (s *Store) priceReplacement(ctx context.Context, b buying, reason models.ReplacementReason, line *pricedLine, pointer string) error {
	if !reason.Valid() {
		return models.InvalidRequest.New("say why the token is replaced").At(pointer + "/replacement_reason")
	}
	line.ReplacementReason = &reason
	st := line.standing
	token := models.LiveToken(st.Bound)
	refuse := func(f *models.Fault) error { return b.forbid(f, st, models.ActionReplace, pointer) }
	if st.Credential.Phase == models.CredentialRevoked {
		return refuse(models.CredentialIsRevoked.New(""))
	}
	open, err := s.openOrderFor(ctx, st.Credential.ID, models.Replacement)
	switch {
	case err != nil:
		return err
	case open != "":
		return refuse(models.ReplacementPending.New("it was ordered with %s", open))
	case st.Replacing:
		return refuse(models.ReplacementPending.New("its token has not been registered yet"))
	case !b.at.Before(st.Credential.ExpiresAt):
		return refuse(models.ReplacementNotPossible.New("the credential has expired: renew it first"))
	case token == nil:
		return refuse(models.ReplacementNotPossible.New("no live hardware token is bound to the credential"))
	case !reason.Warranted():
		return nil
	}
	return s.underWarranty(ctx, b, st.Credential, *token.Serial, line)
}

func (s *Store) underWarranty(ctx context.Context, b buying, c models.Credential, serial string, line *pricedLine) error {
	token, err := s.Token(ctx, serial)
	if err != nil {
		return err
	}
	purchases, err := s.tokenPurchases(ctx, c)
	if err != nil {
		return err
	}
	p, err := s.Policy(ctx, c.PolicyVersion)
	if err != nil {
		return err
	}
	if token.Model == *line.product.TokenModel && p.InWarranty(purchases.warrantyFrom(), b.at) {
		line.PriceMinor, line.warranty = 0, true
	}
	return nil
}
