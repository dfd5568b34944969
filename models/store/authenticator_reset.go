package store

import (
	"context"
	"fmt"
	"time"

	"tokendesk/models"
)

// ResetAuthenticator lets a person resync a token again after too many wrong pairs (MGT-2: support reset). It forgets the tries, and unlocks
// nothing by itself: only the two codes do. Where no wrong pair is counted nothing changes, so it may be repeated.
// Faults: NoSuchThing, InvalidRequest (no reason), AlreadyRevoked, with what is allowed.
func (s *Store) ResetAuthenticator(ctx context.Context, credentialID, authenticatorID string, actor models.Actor, reason string, at time.Time) error {
	reason, err := checkReason(reason)
	if err != nil {
		return err
	}
	err = s.InTx(ctx, func(tx *Store) error {
		c, err := tx.lockCredential(ctx, credentialID)
		if err != nil {
			return err
		}
		a, err := tx.lockAuthenticator(ctx, c.ID, authenticatorID)
		if err != nil {
			return err
		}
		if a.Status == models.AuthenticatorRevoked {
			return tx.forbids(ctx, c, models.AlreadyRevoked.New("the token is revoked"), models.ByAdministrator, at)
		}
		r := tx.with(ctx).Exec("delete from resync_tries where authenticator_id = ?", a.ID)
		if r.Error != nil || r.RowsAffected == 0 {
			return r.Error
		}
		return tx.Audit(ctx, models.AuditEvent{At: at, Class: models.LifecycleEvents, Kind: "token.resync_reset", Actor: actor.ID, CredentialID: &c.ID,
			AuthenticatorID: &a.ID, SubjectRef: c.ID, Outcome: models.Succeeded, Detail: map[string]string{"reason": reason}})
	})
	if err != nil {
		return fmt.Errorf("reset an authenticator: %w", err)
	}
	return nil
}
