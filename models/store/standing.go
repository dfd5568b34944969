package store

import (
	"context"
	"fmt"
	"time"

	"tokendesk/models"
)

// Standing reads what decides which actions on a credential are possible at a moment (MGT-1, REN-1). Fault: NoSuchThing.
func (s *Store) Standing(ctx context.Context, credentialID string, at time.Time) (models.Standing, error) {
	c, bound, err := s.Credential(ctx, credentialID)
	if err != nil {
		return models.Standing{}, err
	}
	return s.standing(ctx, c, bound, at)
}

func (s *Store) standing(ctx context.Context, c models.Credential, bound []models.Authenticator, at time.Time) (models.Standing, error) {
	st := models.Standing{Credential: c, Bound: bound}
	if c.Phase == models.CredentialRevoked {
		return st, nil
	}
	line, err := s.replacementUnderWay(ctx, c.ID)
	if err != nil {
		return st, err
	}
	st.Replacing = line != ""
	p, err := s.Policy(ctx, c.PolicyVersion)
	if err != nil {
		return st, err
	}
	product, err := s.Product(ctx, c.ProductSKU)
	if err != nil {
		return st, err
	}
	f, err := s.lifeFacts(ctx, c, p, at)
	if err != nil {
		return st, err
	}
	st.Window = models.RenewalOf(f, p, bank(p), product.TermMonths)
	return st, s.hindrances(ctx, &st, p.OTP)
}

// replacementUnderWay is the newest of replacementsUnderWay; empty: none.
func (s *Store) replacementUnderWay(ctx context.Context, credentialID string) (lineID string, err error) {
	lines, err := s.replacementsUnderWay(ctx, credentialID)
	if err != nil || len(lines) == 0 {
		return "", err
	}
	return lines[0], nil
}

// replacementsUnderWay are the lines that were paid to replace a token of the credential and whose own token is not registered yet, newest first.
func (s *Store) replacementsUnderWay(ctx context.Context, credentialID string) (lineIDs []string, err error) {
	err = s.with(ctx).Raw(`
		select l.id from order_lines l join orders o on o.id = l.order_id
		where l.credential_id = ? and l.replacement_reason is not null and o.status in ('paid', 'fulfilled')
		  and not exists (select from shipments h join parcels p on p.shipment_id = h.id join authenticators a on a.serial = p.serial where h.order_line_id = l.id)
		  and not exists (select from shipments h where h.order_line_id = l.id and h.status in ('cancelled', 'given_up'))
		  and not exists (select from refund_lines f where f.order_line_id = l.id and f.undone_at is not null)
		order by l.id desc`, credentialID).Scan(&lineIDs).Error
	if err != nil {
		err = fault(fmt.Errorf("look for a replacement under way: %w", err))
	}
	return lineIDs, err
}

// forbids is a fault about a credential that lists what somebody can do with it instead.
func (s *Store) forbids(ctx context.Context, c models.Credential, f *models.Fault, by models.Suspender, at time.Time) error {
	bound, err := s.authenticatorsOf(ctx, c.ID)
	if err != nil {
		return err
	}
	st, err := s.standing(ctx, c, bound, at)
	if err != nil {
		return err
	}
	return f.Allowing(models.Events(st.Actions(by, at))...)
}
