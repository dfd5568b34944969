package store

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"time"

	"tokendesk/models"
)

// SuspendCredential takes a credential out of use until it is re-enabled, at most for the policy's days (MGT-3, LIF-2). An administrator
// takes over a person's own suspension; its days go on from where they began.
//
// Faults: NoSuchThing, CredentialIsRevoked, AlreadySuspended; with what is allowed.
func (s *Store) SuspendCredential(ctx context.Context, id string, by models.Suspender, actor models.Actor, at time.Time) error {
	return s.command(ctx, "suspend", id, at, func(tx *Store, c *models.Credential) error {
		since := at
		switch {
		case c.SuspendedAt != nil && (by != models.ByAdministrator || *c.SuspendedBy == models.ByAdministrator):
			return tx.forbids(ctx, *c, models.AlreadySuspended.New(""), by, at)
		case c.SuspendedAt != nil:
			since = *c.SuspendedAt
		}
		err := tx.with(ctx).Table("credentials").Where("id = ?", id).Updates(map[string]any{"suspended_at": since, "suspended_by": by, "updated_at": at}).Error
		if err != nil {
			return err
		}
		return tx.toldAndAudited(ctx, *c, "credential.suspended", models.NoticeSuspended, by, nil, actor, at)
	})
}

// ReenableCredential lifts a suspension by command. A person lifts only their own; a credential whose term has ended shows as expired
// then, and what time has suspended stays so until it is renewed (MGT-3).
//
// Faults: NoSuchThing, CredentialIsRevoked, NotSuspended, SuspendedByTime, SuspendedByAdministrator; with what is allowed.
func (s *Store) ReenableCredential(ctx context.Context, id string, by models.Suspender, actor models.Actor, at time.Time) error {
	return s.command(ctx, "re-enable", id, at, func(tx *Store, c *models.Credential) error {
		switch {
		case c.SuspendedAt == nil && c.TermSuspendedAt != nil:
			return tx.forbids(ctx, *c, models.SuspendedByTime.New(""), by, at)
		case c.SuspendedAt == nil:
			return tx.forbids(ctx, *c, models.NotSuspended.New(""), by, at)
		case by != models.ByAdministrator && *c.SuspendedBy == models.ByAdministrator:
			return tx.forbids(ctx, *c, models.SuspendedByAdministrator.New(""), by, at)
		}
		set := map[string]any{"suspended_at": nil, "suspended_by": nil, "review_since": nil, "updated_at": at}
		if err := tx.with(ctx).Table("credentials").Where("id = ?", id).Updates(set).Error; err != nil {
			return err
		}
		c.SuspendedAt, c.SuspendedBy, c.ReviewSince = nil, nil, nil
		params, err := tx.reenabled(ctx, *c, at)
		if err != nil {
			return err
		}
		return tx.toldAndAudited(ctx, *c, "credential.re_enabled", models.NoticeReenabled, by, params, actor, at)
	})
}

// command runs one change of a credential that is not revoked, under its row lock; its lifecycle hears of it.
func (s *Store) command(ctx context.Context, what, id string, at time.Time, change func(*Store, *models.Credential) error) error {
	err := s.InTx(ctx, func(tx *Store) error {
		c, err := tx.lockCredential(ctx, id)
		if err != nil {
			return err
		}
		if c.Phase == models.CredentialRevoked {
			return models.CredentialIsRevoked.New("").Allowing()
		}
		if _, err := tx.performDue(ctx, &c, at); err != nil { // what time has done by now comes first
			return err
		}
		if c.Phase == models.CredentialRevoked {
			return kept{models.CredentialIsRevoked.New("").Allowing()}
		}
		if err := change(tx, &c); err != nil {
			return err
		}
		return tx.Signal(ctx, models.CredentialLifecycle, id, models.SignalCredentialChanged, id, at)
	})
	if err != nil {
		return fmt.Errorf("%s a credential: %w", what, err)
	}
	return nil
}

// toldAndAudited writes down who changed a credential and tells its person.
func (s *Store) toldAndAudited(ctx context.Context, c models.Credential, kind string, mail models.NoticeKind, by models.Suspender, params map[string]string, actor models.Actor, at time.Time) error {
	if err := s.auditCredential(ctx, c, kind, actor, map[string]string{"by": string(by)}, at); err != nil {
		return err
	}
	said := map[string]string{"by": string(by)}
	maps.Copy(said, params)
	return s.tell(ctx, c, mail, kind+"/"+c.ID+"/"+strconv.FormatInt(at.UnixMicro(), 10), said, at)
}
