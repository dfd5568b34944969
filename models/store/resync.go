package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"tokendesk/internal/otp"
	"tokendesk/models"
)

// Resync is what a logged-in person gives to bring a locked or drifted hardware token back (MGT-2).
type Resync struct {
	CredentialID    string
	AccountID       string
	AuthenticatorID string
	First, Second   models.Secret // consecutive one-time passwords
}

// ResyncToken finds two consecutive codes of a token in the resync window of the credential's policy, and unlocks it: the very next code
// works (MGT-2). Wrong pairs are counted, one try after the other; at the policy's limit only support can reset the token.
// at is the vendor's clock, codeTime the real time. Locks are taken in the order of Verify: credential, then authenticator.
//
// The count lasts also when this call takes part in a larger transaction: that one commits then. Refusals are audited,
// codes never.
//
// Faults: NoSuchThing (not this account's, or no hardware token), CredentialNotActive (revoked, suspended, expired or pending),
// AlreadyRevoked (the token), TokenNeedsReset, each with what is allowed; OTPIncorrect.
func (s *Store) ResyncToken(ctx context.Context, r Resync, ring Opener, at, codeTime time.Time) (models.Authenticator, error) {
	var a models.Authenticator
	err := s.InTx(ctx, func(tx *Store) (err error) {
		a, err = tx.resync(ctx, r, ring, at, codeTime)
		return err
	})
	if err != nil {
		return models.Authenticator{}, fmt.Errorf("resync a token: %w", err)
	}
	return a, nil
}

func (s *Store) resync(ctx context.Context, r Resync, ring Opener, at, codeTime time.Time) (a models.Authenticator, err error) {
	c, err := s.lockCredential(ctx, r.CredentialID)
	if err != nil {
		return a, err
	}
	if c.AccountID != r.AccountID {
		return a, models.NoSuchThing.New("no such credential")
	}
	if a, err = s.lockAuthenticator(ctx, c.ID, r.AuthenticatorID); err != nil {
		return a, err
	}
	if a.Kind != models.HardwareToken {
		return a, models.NoSuchThing.New("the credential has no such token")
	}
	policy, err := s.Policy(ctx, c.PolicyVersion)
	if err != nil {
		return a, err
	}
	tries, err := s.resyncTries(ctx, a.ID)
	if err != nil {
		return a, err
	}
	if f := refuseResync(c, a, tries, policy.OTP, at); f != nil {
		refusal := s.forbids(ctx, c, f, models.BySubscriber, at)
		if !errors.Is(refusal, f.Type) {
			return a, refusal
		}
		f.Allowed = slices.DeleteFunc(f.Allowed, func(action string) bool { return action == string(models.ActionResync) })
		return a, s.refuseResync(ctx, c, a, f, at)
	}
	state, ok, err := s.matchPair(ctx, r, a, policy.OTP, ring, codeTime)
	if err != nil {
		return a, err
	}
	if !ok {
		if err := s.countResync(ctx, a.ID, at); err != nil {
			return a, err
		}
		return a, s.refuseResync(ctx, c, a, models.OTPIncorrect.New("").At("/first_code"), at)
	}
	return s.resynced(ctx, c, a, state, at)
}

// lockAuthenticator reads an authenticator of a locked credential under a row lock. Fault: NoSuchThing.
func (s *Store) lockAuthenticator(ctx context.Context, credentialID, id string) (a models.Authenticator, err error) {
	if err := s.with(ctx).Raw("select * from authenticators where id = ? and credential_id = ? for update", id, credentialID).Scan(&a).Error; err != nil {
		return a, fmt.Errorf("lock an authenticator: %w", err)
	}
	if a.ID == "" {
		return a, models.NoSuchThing.New("the credential has no such authenticator")
	}
	return a, nil
}

// refuseResync says what stands against a resync, whatever the codes are; nil: nothing.
func refuseResync(c models.Credential, a models.Authenticator, tries int, policy models.OTPPolicy, at time.Time) *models.Fault {
	switch shown := c.Displayed(false, at); {
	case shown != models.ShownActive:
		return models.CredentialNotActive.New("the credential is %s", shown)
	case a.Status == models.AuthenticatorRevoked:
		return models.AlreadyRevoked.New("the token is revoked")
	case tries >= policy.FailuresToLock():
		return models.TokenNeedsReset.New("")
	}
	return nil
}

// resyncTries is how many wrong pairs are counted since the last success or reset.
func (s *Store) resyncTries(ctx context.Context, authenticatorID string) (int, error) {
	var failures []int
	if err := s.with(ctx).Table("resync_tries").Where("authenticator_id = ?", authenticatorID).Pluck("failures", &failures).Error; err != nil {
		return 0, fmt.Errorf("read the tries of a token: %w", err)
	}
	if len(failures) == 0 {
		return 0, nil
	}
	return failures[0], nil
}

func (s *Store) countResync(ctx context.Context, authenticatorID string, at time.Time) error {
	err := s.with(ctx).Exec(`insert into resync_tries (authenticator_id, failures, last_at) values (?, 1, ?)
		on conflict (authenticator_id) do update set failures = resync_tries.failures + 1, last_at = excluded.last_at`, authenticatorID, at).Error
	if err != nil {
		return fmt.Errorf("count a wrong pair: %w", err)
	}
	return nil
}

// matchPair looks for the two codes in the resync window.
func (s *Store) matchPair(ctx context.Context, r Resync, a models.Authenticator, policy models.OTPPolicy, ring Opener, codeTime time.Time) (otp.State, bool, error) {
	t, err := s.Token(ctx, *a.Serial)
	if err != nil {
		return otp.State{}, false, err
	}
	seed, err := ring.Open(t.SealedSeed, models.TokenSeedContext(t.Serial))
	if err != nil {
		return otp.State{}, false, fmt.Errorf("open the seed of a token: %w", err)
	}
	params := otp.Parameters{Kind: otp.Kind(t.Kind), Algorithm: otp.Algorithm(t.Algorithm), Digits: t.Digits, Period: time.Duration(t.PeriodSeconds) * time.Second}
	window := otp.Window{Ahead: policy.HOTPResync, Skew: policy.TOTPResync}
	state, ok := otp.Resync(seed.Reveal(), params, otp.State{Next: a.NextCounter, Drift: a.Drift}, r.First.Reveal(), r.Second.Reveal(), window, codeTime)
	return state, ok, nil
}

// resynced writes a success down: what is remembered of the token, that it is not locked, and that nothing is counted.
func (s *Store) resynced(ctx context.Context, c models.Credential, a models.Authenticator, state otp.State, at time.Time) (models.Authenticator, error) {
	before := a.Status
	if before == models.AuthenticatorLocked {
		_, a.Status, _ = models.AuthenticatorMachine.Lookup(models.UnlockAuthenticator)
	}
	a.NextCounter, a.Drift, a.Failures, a.LockedAt = state.Next, state.Drift, 0, nil
	u := s.with(ctx).Exec("update authenticators set status = ?, next_counter = ?, drift = ?, failures = 0, locked_at = null where id = ? and status = ?",
		a.Status, a.NextCounter, a.Drift, a.ID, before)
	if u.Error != nil {
		return a, fmt.Errorf("keep what a resync found: %w", u.Error)
	}
	if u.RowsAffected != 1 {
		return a, models.EditConflict.New("")
	}
	if err := s.with(ctx).Exec("delete from resync_tries where authenticator_id = ?", a.ID).Error; err != nil {
		return a, fmt.Errorf("forget wrong pairs: %w", err)
	}
	err := s.Audit(ctx, models.AuditEvent{At: at, Class: models.LifecycleEvents, Kind: "token.resynced", Actor: c.AccountID, CredentialID: &c.ID,
		AuthenticatorID: &a.ID, SubjectRef: c.ID, Outcome: models.Succeeded, Detail: map[string]string{"before": string(before)}})
	if err != nil {
		return a, err
	}
	err = s.AddNotice(ctx, NewNotice{Kind: models.NoticeResynced, DedupeKey: "resynced/" + a.ID + "/" + strconv.FormatInt(a.NextCounter, 10),
		AccountID: c.AccountID, SubjectRef: c.ID}, at)
	if err != nil {
		return a, err
	}
	return a, s.Signal(ctx, models.CredentialLifecycle, c.ID, models.SignalCredentialChanged, c.ID, at)
}

// refuseResync writes a refusal down and lets it last though the request fails (SEC-3). The detail is the fault's type only.
func (s *Store) refuseResync(ctx context.Context, c models.Credential, a models.Authenticator, refusal error, at time.Time) error {
	err := s.Audit(ctx, models.AuditEvent{At: at, Class: models.LifecycleEvents, Kind: "token.resynced", Actor: c.AccountID, CredentialID: &c.ID,
		AuthenticatorID: &a.ID, SubjectRef: c.ID, Outcome: models.Failed, Detail: map[string]string{"reason": models.FaultOf(refusal).Type.Slug}})
	if err != nil {
		return err
	}
	return kept{refusal}
}
