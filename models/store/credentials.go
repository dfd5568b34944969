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
		if err := tx.performDue(ctx, &c, at); err != nil {
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
		standing = CredentialStanding{c, deref(account.OrganizationID), c.Displayed(models.AllLocked(bound), at), models.CredentialTimeline(c)}
		return nil
	})
	if err != nil {
		return CredentialStanding{}, fmt.Errorf("advance a credential: %w", err)
	}
	return standing, nil
}

// performDue performs milestones in order until the timeline has none that is due: each one changes a fact that takes it out
// of the timeline, and may bring the next one forward.
func (s *Store) performDue(ctx context.Context, c *models.Credential, at time.Time) error {
	for {
		due := models.CredentialTimeline(*c).Due(at)
		if len(due) == 0 {
			return nil
		}
		var err error
		switch m := due[0]; m.Name {
		case models.CredentialExpires:
			err = s.expire(ctx, c, m, at)
		default:
			err = fmt.Errorf("nobody performs the milestone %q of a credential", m.Name)
		}
		if err != nil {
			return err
		}
	}
}

// expire records that the term has ended. Logins were refused from that moment on, whenever this runs (LOG-5).
func (s *Store) expire(ctx context.Context, c *models.Credential, m models.Milestone, at time.Time) error {
	r := s.with(ctx).Exec("update credentials set expired_at = ?, updated_at = ? where id = ? and expired_at is null and revoked_at is null", m.At, at, c.ID)
	if r.Error != nil {
		return fmt.Errorf("expire a credential: %w", r.Error)
	}
	if r.RowsAffected != 1 {
		return fmt.Errorf("expire a credential: %w", models.EditConflict.New(""))
	}
	c.ExpiredAt = &m.At
	err := s.Audit(ctx, models.AuditEvent{At: at, Class: models.LifecycleEvents, Kind: "credential.expired",
		Actor: models.SystemActor(models.CredentialLifecycle).ID, CredentialID: &c.ID, SubjectRef: c.ID, Outcome: models.Succeeded})
	if err != nil {
		return err
	}
	return s.AddNotice(ctx, NewNotice{Kind: models.NoticeExpired, DedupeKey: "expired/" + c.ID + "/" + m.At.UTC().Format(time.DateOnly),
		AccountID: c.AccountID, SubjectRef: c.ID}, at)
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
