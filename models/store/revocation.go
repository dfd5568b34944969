package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"tokendesk/internal/password"
	"tokendesk/models"
)

// RevokeCredential revokes an authenticator, or a credential with everything bound to it, at once and for good (MGT-4). Without its only
// authenticator a credential ends too, unless a replacement is under way: then it waits for that one. In either case the
// person's sessions end, the password is reset, and a temporary one is mailed.
//
// Faults: NoSuchThing, AlreadyRevoked; with what is allowed.
func (s *Store) RevokeCredential(ctx context.Context, r models.Revocation, sealer Sealer, hasher *password.Hasher, actor models.Actor, at time.Time) error {
	temporary, err := NewTemporaryPassword(hasher) // before rows are locked: it takes its time
	if err != nil {
		return err
	}
	err = s.command(ctx, "revoke", r.CredentialID, at, func(tx *Store, c *models.Credential) error {
		bound, err := tx.authenticatorsOf(ctx, c.ID)
		if err != nil {
			return err
		}
		survives, err := tx.survives(ctx, *c, bound, r, at)
		if err != nil {
			return err
		}
		if survives {
			err = tx.revokeOne(ctx, c, bound, r, actor, at)
		} else {
			err = tx.revokeForGood(ctx, c, r, actor, at)
		}
		if err != nil {
			return err
		}
		return tx.ResetPasswordTo(ctx, c.AccountID, temporary, sealer, actor, "revoked/"+c.ID+"/"+r.AuthenticatorID, at)
	})
	if errors.Is(err, models.CredentialIsRevoked) {
		return models.AlreadyRevoked.New("").Allowing()
	}
	return err
}

// survives reports whether the credential lives on without the authenticator.
func (s *Store) survives(ctx context.Context, c models.Credential, bound []models.Authenticator, r models.Revocation, at time.Time) (bool, error) {
	if r.AuthenticatorID == "" {
		return false, nil
	}
	i := slices.IndexFunc(bound, func(a models.Authenticator) bool { return a.ID == r.AuthenticatorID })
	if i < 0 {
		return false, models.NoSuchThing.New("the credential has no such authenticator")
	}
	if bound[i].Status == models.AuthenticatorRevoked {
		return false, s.forbids(ctx, c, models.AlreadyRevoked.New(""), r.By, at)
	}
	if slices.ContainsFunc(bound, func(a models.Authenticator) bool {
		return a.ID != r.AuthenticatorID && a.Status != models.AuthenticatorRevoked
	}) {
		return true, nil
	}
	line, err := s.replacementUnderWay(ctx, c.ID)
	return line != "", err
}

// revokeOne ends one authenticator. When it was the last one, the credential waits for the replacement to be registered.
func (s *Store) revokeOne(ctx context.Context, c *models.Credential, bound []models.Authenticator, r models.Revocation, actor models.Actor, at time.Time) error {
	if err := s.endAuthenticators(ctx, *c, r.AuthenticatorID, r.Reason, actor, at); err != nil {
		return err
	}
	others := slices.ContainsFunc(bound, func(a models.Authenticator) bool {
		return a.ID != r.AuthenticatorID && a.Status != models.AuthenticatorRevoked
	})
	if !others && c.Phase == models.CredentialActive {
		if err := credentials.move(s.with(ctx), c.ID, models.AwaitReplacement, at, nil); err != nil {
			return err
		}
		c.Phase = models.PendingRegistration
	}
	return s.tell(ctx, *c, models.NoticeTokenRevoked, "token-revoked/"+r.AuthenticatorID, map[string]string{"by": string(r.By)}, at)
}

func (s *Store) revokeForGood(ctx context.Context, c *models.Credential, r models.Revocation, actor models.Actor, at time.Time) error {
	if err := s.revokeAll(ctx, c, r.Reason, actor, at); err != nil {
		return err
	}
	return s.tell(ctx, *c, models.NoticeRevoked, "revoked/"+c.ID, map[string]string{"by": string(r.By)}, at)
}

// revokeAll ends a credential, everything bound to it and the person's sessions. The password stays.
func (s *Store) revokeAll(ctx context.Context, c *models.Credential, reason models.RevokeReason, actor models.Actor, at time.Time) error {
	if err := s.lockEnd(ctx, *c); err != nil {
		return err
	}
	err := credentials.move(s.with(ctx), c.ID, models.RevokeCredential, at, map[string]any{"revoked_at": at, "revoke_reason": reason})
	if err != nil {
		return err
	}
	c.Phase, c.RevokedAt, c.RevokeReason = models.CredentialRevoked, &at, &reason
	if err := s.abandonProofing(ctx, c.ID, actor, at); err != nil {
		return err
	}
	if err := s.withdrawTermMails(ctx, *c); err != nil {
		return err
	}
	if err := s.withdrawReminders(ctx, *c, time.Time{}); err != nil {
		return err
	}
	if err := s.LapseRenewals(ctx, c.ID, at); err != nil {
		return err
	}
	if err := s.undoReplacements(ctx, c.ID, at); err != nil {
		return err
	}
	if err := s.creditUnbegun(ctx, c.ID, at); err != nil {
		return err
	}
	if err := s.endAuthenticators(ctx, *c, "", reason, actor, at); err != nil {
		return err
	}
	if _, err := s.EndSessions(ctx, c.AccountID, actor, at); err != nil {
		return err
	}
	return s.auditCredential(ctx, *c, "credential.revoked", actor, map[string]string{"reason": string(reason)}, at)
}

// endAuthenticators revokes one authenticator of a credential, or all where the id is empty; the devices are retired, since a serial is
// bound once.
func (s *Store) endAuthenticators(ctx context.Context, c models.Credential, id string, reason models.RevokeReason, actor models.Actor, at time.Time) error {
	from, to, _ := models.AuthenticatorMachine.Lookup(models.RevokeAuthenticator)
	var ended []models.Authenticator
	err := s.with(ctx).Raw("update authenticators set status = ?, revoked_at = ? where credential_id = ? and (? = '' or id = ?) and status in ? returning *",
		to, at, c.ID, id, id, from).Scan(&ended).Error
	if err != nil {
		return fmt.Errorf("revoke authenticators: %w", err)
	}
	for _, a := range ended {
		if a.Serial != nil {
			if err := tokens.move(s.with(ctx), *a.Serial, models.RetireToken, at, map[string]any{"status_reason": "revoked: " + string(reason)}); err != nil {
				return err
			}
		}
		err := s.Audit(ctx, models.AuditEvent{At: at, Class: models.LifecycleEvents, Kind: "authenticator.revoked", Actor: actor.ID, CredentialID: &c.ID,
			AuthenticatorID: &a.ID, SubjectRef: c.ID, Outcome: models.Succeeded, Detail: map[string]string{"reason": string(reason)}})
		if err != nil {
			return err
		}
	}
	return nil
}
