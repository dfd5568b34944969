package store

import (
	"context"
	"fmt"
	"time"

	"tokendesk/models"
)

// Elevation is what a person gives to raise the strength of the running session (LOG-2).
type Elevation struct {
	AccountID    string
	CredentialID string // empty: the one that has the person's token
	Code         models.Secret
}

// ProveCredential verifies a one-time password of the person's own credential, for a session that is to be raised, and returns the credential. It is
// verified as for relying applications (see Verify): a code is accepted once, failures count and lock the token, every answer is audited. It is a
// transaction of its own and must not be called inside another.
//
// Faults: NoSuchThing (not this account's credential), NoCredential, CodeWrong, and with what is allowed instead TokenLocked, SuspendedByHolder,
// SuspendedByAdministrator, SuspendedByTime, CredentialIsExpired, CredentialNotApproved, CredentialNotProofed, CredentialNotRegistered, NoLiveToken,
// CredentialIsRevoked (LOG-8).
func (s *Store) ProveCredential(ctx context.Context, e Elevation, ring Opener, at, codeTime time.Time) (credentialID string, err error) {
	id, err := s.provable(ctx, e)
	if err != nil {
		return "", fmt.Errorf("prove a credential: %w", err)
	}
	v, err := s.Verify(ctx, VerificationRequest{CredentialID: id, Code: e.Code, Actor: models.Actor{ID: e.AccountID, AccountID: e.AccountID}}, ring, at, codeTime)
	if err == nil && v.Result != models.Accepted {
		err = s.unproven(ctx, id, v.Result, at)
	}
	if err != nil {
		return "", fmt.Errorf("prove a credential: %w", err)
	}
	return v.CredentialID, nil
}

// provable finds the credential that a code is for: the one that was named, else the one with the person's live token, else the newest.
func (s *Store) provable(ctx context.Context, e Elevation) (id string, err error) {
	if e.CredentialID != "" {
		c, _, err := s.Credential(ctx, e.CredentialID)
		if err == nil && c.AccountID != e.AccountID {
			err = models.NoSuchThing.New("no such credential")
		}
		return c.ID, err
	}
	err = s.with(ctx).Raw(`
		select coalesce((select c.id from credentials c where c.account_id = ? order by
			exists (select from authenticators a where a.credential_id = c.id and a.kind = ? and a.revoked_at is null) desc, c.phase = ?, c.created_at desc, c.id desc limit 1), '')`,
		e.AccountID, models.HardwareToken, models.CredentialRevoked).Row().Scan(&id)
	switch {
	case err != nil:
		return "", fault(fmt.Errorf("find a person's credential: %w", err))
	case id == "":
		return "", models.NoCredential.New("")
	}
	return id, nil
}

// unproven says why a code was not accepted, to the holder, and what helps (LOG-8).
func (s *Store) unproven(ctx context.Context, id string, result models.VerificationResult, at time.Time) error {
	if result == models.ResultWrongCode {
		return models.CodeWrong.New("").At("/code")
	}
	c, _, err := s.Credential(ctx, id)
	if err != nil {
		return err
	}
	return s.forbids(ctx, c, models.WhyUnproven(c, result), models.BySubscriber, at)
}

// RaiseSession lets a session have the strength of a credential that was just proven, and that credential's level (LOG-2). Account and credential are
// looked at once more under their locks: who revoked or suspended it meanwhile, or ended the session, comes first.
//
// Faults: NotAuthenticated, and those of ProveCredential about the credential's state.
func (s *Store) RaiseSession(ctx context.Context, sessionID, credentialID string, at time.Time) (session models.Session, err error) {
	err = s.InTx(ctx, func(tx *Store) error {
		c, err := tx.lockCredential(ctx, credentialID)
		if err != nil {
			return err
		}
		if _, err := tx.lockAccount(ctx, c.AccountID); err != nil {
			return err
		}
		if err := tx.liveSession(ctx, sessionID, c.AccountID, at); err != nil {
			return err
		}
		if reason, ok := c.Unusable(at); !ok {
			return tx.forbids(ctx, c, models.WhyUnproven(c, reason), models.BySubscriber, at)
		}
		err = tx.with(ctx).Raw("update sessions set strength = ?, level = ?, credential_id = ?, seen_at = ? where id = ? and ended_at is null returning *",
			models.StrengthHardware, c.Level, c.ID, at, sessionID).Scan(&session).Error
		switch {
		case err != nil:
			return err
		case session.ID == "": // logged out meanwhile
			return models.NotAuthenticated.New("the session has ended")
		}
		return tx.Audit(ctx, models.AuditEvent{At: at, Class: models.AuthenticationEvents, Kind: "session.elevated", Actor: c.AccountID, CredentialID: &c.ID,
			SubjectRef: sessionID, Outcome: models.Succeeded, Detail: map[string]string{"strength": string(session.Strength), "level": fmt.Sprint(session.Level)}})
	})
	if err != nil {
		return models.Session{}, fmt.Errorf("raise a session: %w", err)
	}
	return session, nil
}

// liveSession refuses where an account's session has ended. The account is locked: nobody ends its sessions meanwhile but who logs out.
func (s *Store) liveSession(ctx context.Context, id, accountID string, at time.Time) error {
	var session models.Session
	if err := s.with(ctx).Where("id = ? and account_id = ?", id, accountID).Limit(1).Find(&session).Error; err != nil {
		return fmt.Errorf("read a session: %w", err)
	}
	policy, err := s.CurrentPolicy(ctx, at)
	if err == nil && (session.ID == "" || !session.Live(policy.Session, at)) {
		err = models.NotAuthenticated.New("the session has ended")
	}
	return err
}
