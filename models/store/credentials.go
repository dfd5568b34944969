package store

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"tokendesk/models"
)

// Credential returns one credential and its authenticators, oldest first, revoked ones included.
func (s *Store) Credential(ctx context.Context, id string) (models.Credential, []models.Authenticator, error) {
	var c models.Credential
	if err := s.with(ctx).Where("id = ?", id).Take(&c).Error; err != nil {
		return c, nil, fault(fmt.Errorf("read a credential: %w", err))
	}
	bound, err := s.authenticatorsOf(ctx, id)
	return c, bound, err
}

func (s *Store) authenticatorsOf(ctx context.Context, credentialID string) ([]models.Authenticator, error) {
	var rows []models.Authenticator
	if err := s.with(ctx).Where("credential_id = ?", credentialID).Order("registered_at, id").Find(&rows).Error; err != nil {
		return nil, fault(fmt.Errorf("read authenticators: %w", err))
	}
	return rows, nil
}

// CredentialsOfAccount lists the credentials of an account, newest first.
func (s *Store) CredentialsOfAccount(ctx context.Context, accountID string) ([]models.Credential, error) {
	var rows []models.Credential
	err := s.with(ctx).Where("account_id = ?", accountID).Order("id desc").Find(&rows).Error
	return rows, fault(err)
}

// lockCredential reads a credential under a row lock. Whoever locks credential and authenticator locks the credential first.
func (s *Store) lockCredential(ctx context.Context, id string) (c models.Credential, err error) {
	if err := s.with(ctx).Raw("select * from credentials where id = ? for update", id).Scan(&c).Error; err != nil {
		return c, fault(fmt.Errorf("lock a credential: %w", err))
	}
	if c.ID == "" {
		return c, models.NoSuchThing.New("no such credential")
	}
	return c, nil
}

// CredentialStanding is where a credential stands and what time will do to it next.
type CredentialStanding struct {
	Credential     models.Credential
	OrganizationID string // empty: none
	Status         models.DisplayedStatus
	Timeline       models.Timeline // what is still ahead
}

// AdvanceCredential performs what is due for a credential at a moment, each milestone once, and mails about locks that
// nobody was told of yet. Doing it again changes nothing. Fault: NoSuchThing.
func (s *Store) AdvanceCredential(ctx context.Context, id string, at time.Time) (CredentialStanding, error) {
	var standing CredentialStanding
	err := s.InTx(ctx, func(tx *Store) error {
		c, err := tx.lockCredential(ctx, id)
		if err != nil {
			return err
		}
		timeline, err := tx.performDue(ctx, &c, at)
		if err != nil {
			return err
		}
		bound, err := tx.authenticatorsOf(ctx, id)
		if err != nil {
			return err
		}
		if err := tx.noticeLocks(ctx, c, bound, at); err != nil {
			return err
		}
		account, err := tx.Account(ctx, c.AccountID)
		if err != nil {
			return err
		}
		standing = CredentialStanding{c, deref(account.OrganizationID), c.Displayed(models.AllLocked(bound), at), timeline}
		return nil
	})
	if err != nil {
		return CredentialStanding{}, fmt.Errorf("advance a credential: %w", err)
	}
	return standing, nil
}

// noticeLocks tells the person of locked authenticators and how to resync them (LOG-4): once for each lock, since the notice is
// known by authenticator and moment of the lock.
func (s *Store) noticeLocks(ctx context.Context, c models.Credential, bound []models.Authenticator, at time.Time) error {
	for _, a := range bound {
		if a.Status != models.AuthenticatorLocked || a.LockedAt == nil {
			continue
		}
		err := s.AddNotice(ctx, NewNotice{Kind: models.NoticeLocked, DedupeKey: "locked/" + a.ID + "/" + strconv.FormatInt(a.LockedAt.UnixMicro(), 10),
			AccountID: c.AccountID, SubjectRef: c.ID}, at)
		if err != nil {
			return err
		}
	}
	return nil
}
