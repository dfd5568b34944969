package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"tokendesk/models"
)

// RefundEndings lists what ends for good with the lines of a refund: as things stand now, or when it happened (ORD-5, MGT-4).
func (s *Store) RefundEndings(ctx context.Context, r models.Refund) (all []models.RefundEnding, err error) {
	o, err := s.order(ctx, "id = ?", r.OrderID)
	if err != nil {
		return nil, err
	}
	for _, l := range r.Lines {
		if l.DroppedAt != nil {
			continue
		}
		line := o.Lines[l.Position-1]
		concerned, err := s.endsWith(ctx, line)
		if err != nil {
			return nil, err
		}
		for _, c := range concerned {
			var e *models.RefundEnding
			if l.UndoneAt != nil {
				e, err = s.endedAt(ctx, line, c, *l.UndoneAt)
			} else {
				e, err = s.endingOf(ctx, line, c)
			}
			if err != nil {
				return nil, err
			}
			if e != nil {
				e.Position = l.Position
				all = append(all, *e)
			}
		}
	}
	return all, nil
}

// endsWith are the credentials that may end when a line is undone: the one that it made, and the one whose token it replaces.
func (s *Store) endsWith(ctx context.Context, line models.OrderLine) (rows []models.Credential, err error) {
	err = s.with(ctx).Raw("select * from credentials where order_line_id = ? or ? and id = ?", line.ID, line.ReplacementReason != nil, line.CredentialID).Scan(&rows).Error
	if err != nil {
		err = fault(fmt.Errorf("find the credential of a line: %w", err))
	}
	return rows, err
}

// endingOf is what of a credential ends when a line is undone: all of it, where the line has made it, or where the token that the line brought
// is the last that lives or would come; else the authenticator that this token became. nil: nothing.
func (s *Store) endingOf(ctx context.Context, line models.OrderLine, c models.Credential) (*models.RefundEnding, error) {
	switch {
	case c.Phase == models.CredentialRevoked:
		return nil, nil
	case c.OrderLineID == line.ID:
		return &models.RefundEnding{CredentialID: c.ID}, nil
	}
	brought, others, err := s.boundBy(ctx, line, c)
	if err != nil {
		return nil, err
	}
	if brought != nil && brought.Status == models.AuthenticatorRevoked {
		brought = nil // by other hands
	}
	coming, err := s.replacementsUnderWay(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	lives := slices.ContainsFunc(append(others, coming...), func(id string) bool { return id != line.ID })
	switch {
	case brought == nil && (lives || c.Phase != models.PendingRegistration):
		return nil, nil
	case lives:
		return &models.RefundEnding{CredentialID: c.ID, AuthenticatorID: brought.ID}, nil
	}
	return &models.RefundEnding{CredentialID: c.ID}, nil
}

// boundBy is the authenticator that the token of a replacement became; nil: none. others are the ids of those that live beside it.
func (s *Store) boundBy(ctx context.Context, line models.OrderLine, c models.Credential) (brought *models.Authenticator, others []string, err error) {
	sent, err := s.sentFor(ctx, line.ID)
	if err != nil {
		return nil, nil, err
	}
	bound, err := s.authenticatorsOf(ctx, c.ID)
	if err != nil {
		return nil, nil, err
	}
	for i, a := range bound {
		switch {
		case len(sent) > 0 && a.Serial != nil && *a.Serial == sent[0].Serial:
			brought = &bound[i]
		case a.Status != models.AuthenticatorRevoked:
			others = append(others, a.ID)
		}
	}
	return brought, others, nil
}

// endedAt is what of a credential was ended at a moment with a line.
func (s *Store) endedAt(ctx context.Context, line models.OrderLine, c models.Credential, at time.Time) (*models.RefundEnding, error) {
	if c.RevokedAt != nil && c.RevokedAt.Equal(at) && *c.RevokeReason == models.RevokeRefunded {
		return &models.RefundEnding{CredentialID: c.ID, EndedAt: &at}, nil
	}
	brought, _, err := s.boundBy(ctx, line, c)
	if err != nil || brought == nil || brought.RevokedAt == nil || !brought.RevokedAt.Equal(at) {
		return nil, err
	}
	return &models.RefundEnding{CredentialID: c.ID, AuthenticatorID: brought.ID, EndedAt: &at}, nil
}

// endOfLine ends what an undone line takes with it.
func (s *Store) endOfLine(ctx context.Context, line models.OrderLine, at time.Time) error {
	concerned, err := s.endsWith(ctx, line)
	if err != nil {
		return err
	}
	for _, c := range concerned {
		e, err := s.endingOf(ctx, line, c)
		if err != nil {
			return err
		}
		if e == nil {
			continue
		}
		if err := s.end(ctx, c, *e, at); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) end(ctx context.Context, c models.Credential, e models.RefundEnding, at time.Time) error {
	q := models.Revocation{CredentialID: c.ID, AuthenticatorID: e.AuthenticatorID, Reason: models.RevokeRefunded, By: models.ByAdministrator}
	if e.AuthenticatorID == "" {
		if err := s.revokeForGood(ctx, &c, q, refundActor, at); err != nil {
			return err
		}
		return s.Signal(ctx, models.CredentialLifecycle, c.ID, models.SignalCredentialChanged, c.ID, at)
	}
	bound, err := s.authenticatorsOf(ctx, c.ID)
	if err != nil {
		return err
	}
	if err := s.revokeOne(ctx, &c, bound, q, refundActor, at); err != nil {
		return err
	}
	return s.Signal(ctx, models.CredentialLifecycle, c.ID, models.SignalCredentialChanged, c.ID, at)
}
