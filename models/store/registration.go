package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"tokendesk/internal/otp"
	"tokendesk/models"
)

// Registration is what a person gives to bind a hardware token: what stands on its back and two of its codes (REG-1).
type Registration struct {
	CredentialID  string
	AccountID     string
	Serial        string
	First, Second models.Secret // consecutive one-time passwords
}

// RegisterHardwareToken binds the token that was shipped for the credential's order line, or to replace its token, and makes the
// credential active (REG-1, SHP-3, MGT-6). Any other serial gets the same answer, whether it exists or not. Wrong codes are counted, one try after
// the other; at the policy's limit only support can reset the token. at is the vendor's clock, codeTime the real time.
//
// The count lasts also when this call takes part in a larger transaction: that one commits then. Refusals are audited,
// codes never.
//
// Faults: NoSuchThing (not this account's credential), ActionNotPossible, TokenAlreadyRegistered (MGT-5: the old one may be revoked), SerialIncorrect,
// TokenNotActivable, OTPIncorrect.
func (s *Store) RegisterHardwareToken(ctx context.Context, r Registration, ring Opener, at, codeTime time.Time) (models.Authenticator, error) {
	var bound models.Authenticator
	err := s.InTx(ctx, func(tx *Store) (err error) {
		bound, err = tx.register(ctx, r, ring, at, codeTime)
		return err
	})
	if err != nil {
		return models.Authenticator{}, fmt.Errorf("register a hardware token: %w", err)
	}
	return bound, nil
}

func (s *Store) register(ctx context.Context, r Registration, ring Opener, at, codeTime time.Time) (a models.Authenticator, err error) {
	c, err := s.lockCredential(ctx, r.CredentialID)
	if err != nil {
		return a, err
	}
	if c.AccountID != r.AccountID {
		return a, models.NoSuchThing.New("no such credential")
	}
	refuse := func(refusal error) error {
		return s.auditRefusal(ctx, "token.registered", r.AccountID, c.ID, c.ID, refusal, at)
	}
	if refusal, err := s.refuseRegistration(ctx, c, at); err != nil {
		return a, err
	} else if refusal != nil {
		return a, refuse(refusal)
	}
	line, err := s.replacementUnderWay(ctx, c.ID)
	if err != nil {
		return a, err
	}
	token, found, err := s.lockShippedToken(ctx, cmp.Or(line, c.OrderLineID))
	if err != nil {
		return a, err
	}
	if !found || !strings.EqualFold(strings.TrimSpace(r.Serial), token.Serial) {
		return a, refuse(models.SerialIncorrect.New("").At("/serial"))
	}
	state, refusal, err := s.tryCodes(ctx, r, c, token, ring, at, codeTime)
	if err != nil {
		return a, err
	}
	if refusal != nil {
		return a, refuse(refusal)
	}
	return s.bind(ctx, c, token, state, at)
}

// refuseRegistration says what stands against registering any token; nil: nothing. A token that the person has already comes first:
// it must be revoked before its replacement is registered (MGT-5).
func (s *Store) refuseRegistration(ctx context.Context, c models.Credential, at time.Time) (refusal, err error) {
	var live []string
	err = s.with(ctx).Table("authenticators").Where("account_id = ? and kind = ? and revoked_at is null", c.AccountID, models.HardwareToken).Pluck("credential_id", &live).Error
	if err != nil {
		return nil, fmt.Errorf("look for a live token: %w", err)
	}
	shown := c.Displayed(false, at)
	f := models.ActionNotPossible.New("the credential is %s", shown)
	switch {
	case c.Phase == models.CredentialRevoked:
	case len(live) > 0 && live[0] != c.ID:
		return models.TokenAlreadyRegistered.New("it belongs to credential %s", live[0]).Allowing(string(models.ActionRevoke)), nil
	case len(live) > 0:
		f = models.TokenAlreadyRegistered.New("")
	case c.Phase == models.PendingRegistration && c.Kind == models.HardwareOTP && shown == models.ShownPendingActivation:
		return nil, nil
	case c.Phase == models.CredentialActive && shown == models.ShownActive: // beside another authenticator, its replacement only (PRF-11)
		if line, err := s.replacementUnderWay(ctx, c.ID); err != nil || line != "" {
			return nil, err
		}
	}
	if err := s.forbids(ctx, c, f, models.BySubscriber, at); !errors.Is(err, f.Type) {
		return nil, err
	}
	return f, nil
}

// lockShippedToken finds the token of the current parcel for an order line, if it has left and is bound nowhere. Its row lock
// makes simultaneous tries wait for each other.
func (s *Store) lockShippedToken(ctx context.Context, orderLineID string) (t models.Token, found bool, err error) {
	err = s.with(ctx).Raw(`
		select t.* from shipments h join parcels p on p.shipment_id = h.id and p.number = h.parcel join tokens t on t.serial = p.serial
		where h.order_line_id = ? for update of t`, orderLineID).Scan(&t).Error
	if err != nil {
		return t, false, fmt.Errorf("find the token that was shipped: %w", err)
	}
	return t, t.Serial != "" && models.TokenMachine.Allows(t.Status, models.BindToken), nil
}

// tryCodes looks for the two codes in the registration window of the credential's policy. A wrong pair is counted.
func (s *Store) tryCodes(ctx context.Context, r Registration, c models.Credential, t models.Token, ring Opener, at, codeTime time.Time) (state otp.State, refusal, err error) {
	policy, err := s.Policy(ctx, c.PolicyVersion)
	if err != nil {
		return state, nil, err
	}
	var failures []int
	if err := s.with(ctx).Table("registration_tries").Where("serial = ?", t.Serial).Pluck("failures", &failures).Error; err != nil {
		return state, nil, fmt.Errorf("read the tries of a token: %w", err)
	}
	if len(failures) > 0 && failures[0] >= policy.OTP.FailuresToLock() {
		return state, models.TokenNotActivable.New(""), nil
	}
	seed, err := ring.Open(t.SealedSeed, models.TokenSeedContext(t.Serial))
	if err != nil {
		return state, nil, fmt.Errorf("open the seed of a token: %w", err)
	}
	params := otp.Parameters{Kind: otp.Kind(t.Kind), Algorithm: otp.Algorithm(t.Algorithm), Digits: t.Digits, Period: time.Duration(t.PeriodSeconds) * time.Second}
	window := otp.Window{Ahead: policy.OTP.HOTPResync, Skew: policy.OTP.TOTPResync}
	state, ok := otp.Resync(seed.Reveal(), params, fresh(t), r.First.Reveal(), r.Second.Reveal(), window, codeTime)
	if ok {
		return state, nil, nil
	}
	err = s.with(ctx).Exec(`insert into registration_tries (serial, failures, last_at) values (?, 1, ?)
		on conflict (serial) do update set failures = registration_tries.failures + 1, last_at = excluded.last_at`, t.Serial, at).Error
	if err != nil {
		return state, nil, fmt.Errorf("count a wrong code: %w", err)
	}
	return state, models.OTPIncorrect.New("").At("/first_code"), nil
}

// fresh is the state of a token as it left the factory: nothing is spent and, of time steps, nothing is known.
func fresh(t models.Token) otp.State {
	if otp.Kind(t.Kind) == otp.HOTP {
		return otp.State{Next: t.InitialCounter}
	}
	return otp.State{}
}

func (s *Store) bind(ctx context.Context, c models.Credential, t models.Token, state otp.State, at time.Time) (models.Authenticator, error) {
	a := models.Authenticator{ID: NewID("au", at), CredentialID: c.ID, AccountID: c.AccountID, Kind: models.HardwareToken, Serial: &t.Serial,
		Status: models.AuthenticatorActive, NextCounter: state.Next, Drift: state.Drift, RegisteredAt: at}
	if err := fault(s.with(ctx).Create(&a).Error); errors.Is(err, models.TokenAlreadyRegistered) { // another one at the same time
		return a, models.TokenAlreadyRegistered.Because(err).Allowing(string(models.ActionRevoke))
	} else if err != nil {
		return a, fmt.Errorf("create an authenticator: %w", err)
	}
	if err := tokens.move(s.with(ctx), t.Serial, models.BindToken, at, nil); err != nil {
		return a, err
	}
	if err := s.with(ctx).Exec("delete from registration_tries where serial = ?", t.Serial).Error; err != nil {
		return a, fmt.Errorf("forget wrong codes: %w", err)
	}
	if c.Phase != models.CredentialActive {
		if err := credentials.move(s.with(ctx), c.ID, models.RegisterCredential, at, nil); err != nil {
			return a, err
		}
	}
	if err := s.completeProofing(ctx, c.ID, at); err != nil {
		return a, err
	}
	err := s.Audit(ctx, models.AuditEvent{At: at, Class: models.LifecycleEvents, Kind: "token.registered", Actor: c.AccountID,
		CredentialID: &c.ID, AuthenticatorID: &a.ID, SubjectRef: t.Serial, Outcome: models.Succeeded})
	if err != nil {
		return a, err
	}
	err = s.AddNotice(ctx, NewNotice{Kind: models.NoticeRegistered, DedupeKey: "registered/" + a.ID, AccountID: c.AccountID, SubjectRef: c.ID}, at)
	if err != nil {
		return a, err
	}
	return a, s.Signal(ctx, models.CredentialLifecycle, c.ID, models.SignalCredentialChanged, c.ID, at)
}

// ResetRegistration lets a token be tried again after too many wrong codes (REG-1: support must reset). Fault: NoSuchThing.
func (s *Store) ResetRegistration(ctx context.Context, serial, reason string, by models.Actor, at time.Time) error {
	reason, err := checkReason(reason)
	if err != nil {
		return err
	}
	return s.InTx(ctx, func(tx *Store) error {
		r := tx.with(ctx).Exec("delete from registration_tries where serial = ?", serial)
		if r.Error != nil {
			return fmt.Errorf("reset a token: %w", r.Error)
		}
		if r.RowsAffected == 0 {
			return models.NoSuchThing.New("no wrong codes are counted for this serial")
		}
		return tx.Audit(ctx, models.AuditEvent{At: at, Class: models.LifecycleEvents, Kind: "token.registration_reset", Actor: by.ID,
			SubjectRef: serial, Outcome: models.Succeeded, Detail: map[string]string{"reason": reason}})
	})
}
