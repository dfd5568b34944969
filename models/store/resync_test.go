package store_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tokendesk/internal/otp"
	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
)

// pair is a resync with the device's next two codes.
func (l login) pair(t *testing.T, at time.Time) store.Resync {
	t.Helper()
	r := store.Resync{CredentialID: l.credential.ID, AccountID: l.account.ID, AuthenticatorID: l.bound(t).ID}
	r.First, r.Second = l.device.Pair(at)
	return r
}

func (l login) bound(t *testing.T) models.Authenticator {
	t.Helper()
	_, all, err := l.Credential(t.Context(), l.credential.ID)
	storetest.Must(t, err)
	return all[0]
}

func (l login) resync(t *testing.T, r store.Resync) (models.Authenticator, error) {
	t.Helper()
	return l.ResyncToken(t.Context(), r, l.ring, storetest.At, codeLater)
}

// lock makes the token locked, as wrong codes do.
func (l login) lock(t *testing.T) {
	t.Helper()
	for range models.DefaultPolicy().OTP.LockAfter {
		l.verify(t, l.ask(l.wrong()))
	}
	if status := l.bound(t).Status; status != models.AuthenticatorLocked {
		t.Fatalf("the token is %s", status)
	}
}

// MGT-2: a locked or drifted token of either kind works again, from its very next code on; what is written with it.
func TestResync(t *testing.T) {
	cases := []struct {
		name    string
		params  otp.Parameters
		locked  bool
		pressed int64         // HOTP: how often the button was pressed for nothing
		ahead   time.Duration // TOTP: how much the clock has gone fast
	}{
		{"HOTP, locked", storetest.EventDevice, true, 0, 0},
		{"HOTP, pressed too often", storetest.EventDevice, false, 500, 0},
		{"HOTP, locked, at the end of the window", storetest.EventDevice, true, 998, 0},
		{"TOTP, locked", storetest.ClockDevice, true, 0, 0},
		{"TOTP, fast", storetest.ClockDevice, false, 0, 9 * time.Minute},
		{"TOTP, locked and slow", storetest.ClockDevice, true, 0, -9 * time.Minute},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			l := newLogin(t, storetest.New(t), c.params)
			if c.locked {
				l.lock(t)
			}
			l.device.Next += c.pressed
			a, err := l.resync(t, l.pair(t, codeLater.Add(c.ahead)))
			if err != nil {
				t.Fatal(err)
			}
			for name, a := range map[string]models.Authenticator{"answered": a, "stored": l.bound(t)} {
				if a.Status != models.AuthenticatorActive || a.Failures != 0 || a.LockedAt != nil || *a.Serial != l.device.Serial {
					t.Errorf("%s %+v", name, a)
				}
			}
			next := l.device.Press(codeLater.Add(c.ahead + 2*c.params.Period))
			v, err := l.Verify(t.Context(), l.ask(next), l.ring, storetest.At, codeLater.Add(2*c.params.Period))
			if err != nil || v.Result != models.Accepted {
				t.Errorf("the very next code: %s, %v", v.Result, err)
			}
			l.wantResynced(t, a, c.locked)
		})
	}
}

func (l login) wantResynced(t *testing.T, a models.Authenticator, locked bool) {
	t.Helper()
	before := map[bool]models.AuthenticatorStatus{true: models.AuthenticatorLocked, false: models.AuthenticatorActive}[locked]
	if n := query[int](t, l.Store, `select count(*) from audit_events where kind = 'token.resynced' and class = 'lifecycle' and outcome = 'success'
		and credential_id = $1 and authenticator_id = $2 and actor = $3 and detail->>'before' = $4`, l.credential.ID, a.ID, l.account.ID, before); n != 1 {
		t.Errorf("audited %d times", n)
	}
	if n := query[int](t, l.Store, "select count(*) from notices where kind = 'resynced' and subject_ref = $1", l.credential.ID); n != 1 {
		t.Errorf("%d mails", n)
	}
	if n := query[int](t, l.Store, "select count(*) from outbox where kind = 'signal' and name = $1 and workflow_id = $2", models.SignalCredentialChanged, "credential/"+l.credential.ID); n != 2 {
		t.Errorf("signalled %d times, with the registration", n)
	}
}

// MGT-2: what stands against a resync has its own answer, with what may be done instead; the token stays as it is.
func TestResyncRefuses(t *testing.T) {
	st := storetest.New(t)
	const credentials = "update credentials set "
	cases := []struct {
		name    string
		change  string // of the row with the credential's id
		later   time.Duration
		spoil   func(t *testing.T, l login, r *store.Resync)
		want    *models.FaultType
		allowed string
		tries   int
	}{
		{name: "suspended by the person", change: credentials + "suspended_at = now(), suspended_by = 'person' where id = $1", want: models.CredentialNotActive, allowed: "re_enable replace revoke"},
		{name: "suspended by an administrator", change: credentials + "suspended_at = now(), suspended_by = 'administrator' where id = $1", want: models.CredentialNotActive, allowed: "replace revoke"},
		{name: "expired, though no step has said so", later: 366 * 24 * time.Hour, want: models.CredentialNotActive, allowed: "suspend renew revoke"},
		{name: "pending registration", change: credentials + "phase = 'pending_registration' where id = $1", want: models.CredentialNotActive, allowed: "suspend replace revoke"},
		{name: "revoked", change: credentials + "phase = 'revoked', revoked_at = now() where id = $1", want: models.CredentialNotActive, allowed: ""},
		{name: "token revoked", change: "update authenticators set status = 'revoked', revoked_at = now() where credential_id = $1", want: models.AlreadyRevoked, allowed: "suspend revoke"},
		{name: "the wrong way round", spoil: func(_ *testing.T, _ login, r *store.Resync) { r.First, r.Second = r.Second, r.First }, want: models.OTPIncorrect, tries: 1},
		{name: "one code twice", spoil: func(_ *testing.T, _ login, r *store.Resync) { r.Second = r.First }, want: models.OTPIncorrect, tries: 1},
		{name: "no codes", spoil: func(_ *testing.T, _ login, r *store.Resync) { r.First, r.Second = "", "" }, want: models.OTPIncorrect, tries: 1},
		{name: "used codes", spoil: func(_ *testing.T, l login, r *store.Resync) { r.First, r.Second = l.device.Code(0), l.device.Code(1) }, want: models.OTPIncorrect, tries: 1},
		{name: "beyond the window", spoil: func(_ *testing.T, l login, r *store.Resync) {
			r.First, r.Second = l.device.Code(1002), l.device.Code(1003)
		}, want: models.OTPIncorrect, tries: 1},
		{name: "somebody else's credential", spoil: func(t *testing.T, l login, r *store.Resync) { r.AccountID = storetest.Account(t, l.Store).ID }, want: models.NoSuchThing},
		{name: "another credential's token", spoil: func(t *testing.T, l login, r *store.Resync) {
			r.AuthenticatorID = newLogin(t, l.Store, storetest.EventDevice).bound(t).ID
		}, want: models.NoSuchThing},
		{name: "no such credential", spoil: func(_ *testing.T, _ login, r *store.Resync) { r.CredentialID = "cr_none" }, want: models.NoSuchThing},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			l := newLogin(t, st, storetest.EventDevice)
			r := l.pair(t, codeLater)
			if c.change != "" {
				l.exec(t, c.change, l.credential.ID)
			}
			if c.spoil != nil {
				c.spoil(t, l, &r)
			}
			before := l.bound(t)
			_, err := st.ResyncToken(t.Context(), r, l.ring, storetest.At.Add(c.later), codeLater)
			wantFault(t, err, c.want)
			if f := models.FaultOf(err); strings.Join(f.Allowed, " ") != c.allowed {
				t.Errorf("allowed %v, want %s", f.Allowed, c.allowed)
			}
			if after := l.bound(t); after.Status != before.Status || after.NextCounter != before.NextCounter {
				t.Errorf("the token is %+v", after)
			}
			if n := query[int](t, st, "select coalesce(sum(failures), 0) from resync_tries where authenticator_id = $1", before.ID); n != c.tries {
				t.Errorf("%d tries are counted, want %d", n, c.tries)
			}
			audited := query[int](t, st, "select count(*) from audit_events where kind = 'token.resynced' and outcome = 'failure' and credential_id = $1 and detail = jsonb_build_object('reason', $2::text)", l.credential.ID, c.want.Slug)
			if audited != 1 && c.want != models.NoSuchThing {
				t.Errorf("the refusal was audited %d times", audited)
			}
			if r.First != "" && strings.Contains(fmt.Sprintf("%v %+v", err, r), r.First.Reveal()) {
				t.Error("a code is shown")
			}
		})
	}
}

// MGT-2: wrong pairs are counted though the request fails, also at the same time and inside a larger transaction; at the limit right
// codes do not help any more. Support's reset makes a resync possible again, and unlocks nothing by itself.
func TestResyncNeedsReset(t *testing.T) {
	l := newLogin(t, storetest.New(t), storetest.ClockDevice)
	l.lock(t)
	limit, id := models.DefaultPolicy().OTP.LockAfter, l.bound(t).ID
	wrong := l.pair(t, codeLater)
	wrong.Second = wrong.First
	got := atOnce(limit+10, func(int) error {
		return l.InTx(t.Context(), func(tx *store.Store) error {
			_, err := tx.ResyncToken(t.Context(), wrong, l.ring, storetest.At, codeLater)
			return err
		})
	})
	if got[models.OTPIncorrect.Slug] != limit || got[models.TokenNeedsReset.Slug] != 10 {
		t.Fatalf("answers %v", got)
	}
	_, err := l.resync(t, l.pair(t, codeLater))
	wantFault(t, err, models.TokenNeedsReset)
	if f := models.FaultOf(err); slices.Contains(f.Allowed, string(models.ActionResync)) || !slices.Contains(f.Allowed, string(models.ActionRevoke)) {
		t.Errorf("allowed %v", f.Allowed)
	}
	reset := func(credential, authenticator, reason string) error {
		return l.ResetAuthenticator(t.Context(), credential, authenticator, supporter, reason, storetest.At)
	}
	wantFault(t, reset(l.credential.ID, id, " \u00a0 "), models.InvalidRequest)
	wantFault(t, reset(l.credential.ID, "au_none", "identified"), models.NoSuchThing)
	wantFault(t, reset("cr_none", id, "identified"), models.NoSuchThing)
	for range 2 { // a repeated one changes nothing
		wantFault(t, reset(l.credential.ID, id, "identified by phone"), nil)
	}
	if n := query[int](t, l.Store, "select count(*) from audit_events where kind = 'token.resync_reset' and actor = 'ak_support' and authenticator_id = $1 and detail->>'reason' = 'identified by phone'", id); n != 1 {
		t.Errorf("the reset is audited %d times", n)
	}
	if status := l.bound(t).Status; status != models.AuthenticatorLocked {
		t.Errorf("the reset made the token %s", status)
	}
	_, err = l.resync(t, l.pair(t, codeLater))
	wantFault(t, err, nil)
	if n := query[int](t, l.Store, "select count(*) from resync_tries"); n != 0 {
		t.Error("tries are left")
	}
	l.exec(t, "update authenticators set status = 'revoked', revoked_at = now() where id = $1", id)
	wantFault(t, reset(l.credential.ID, id, "identified"), models.AlreadyRevoked)
}

// MGT-2, LOG-3: one pair sent many times at once unlocks once; its codes are spent.
func TestResyncAtOnce(t *testing.T) {
	for _, p := range []otp.Parameters{storetest.EventDevice, storetest.ClockDevice} {
		t.Run(string(p.Kind), func(t *testing.T) {
			l := newLogin(t, storetest.New(t), p)
			l.lock(t)
			r := l.pair(t, codeLater)
			got := atOnce(6, func(int) error {
				_, err := l.resync(t, r)
				return err
			})
			if got[""] != 1 || got[models.OTPIncorrect.Slug] != 5 {
				t.Fatalf("answers %v", got)
			}
			for _, code := range []models.Secret{r.First, r.Second} {
				if result := l.verify(t, l.ask(code)); result != models.ResultWrongCode {
					t.Errorf("a code of the pair is %s", result)
				}
			}
			if n := query[int](t, l.Store, "select count(*) from notices where kind = 'resynced'"); n != 1 {
				t.Errorf("%d mails", n)
			}
		})
	}
}

// MGT-2, LOG-4: logins with wrong codes and a resync at the same time wait for each other: every failure after it counts, none before.
func TestResyncWhileVerifying(t *testing.T) {
	l := newLogin(t, storetest.New(t), storetest.EventDevice)
	l.lock(t)
	r := l.pair(t, codeLater)
	got := atOnce(9, func(i int) error {
		if i == 4 {
			_, err := l.resync(t, r)
			return err
		}
		return map[models.VerificationResult]error{models.ResultLocked: models.StateForbids.New(""), models.ResultWrongCode: models.OTPIncorrect.New("")}[l.verify(t, l.ask(l.wrong()))]
	})
	if a := l.bound(t); got[""] != 1 || a.Status != models.AuthenticatorActive || a.Failures != got[models.OTPIncorrect.Slug] {
		t.Errorf("answers %v, %+v", got, a)
	}
}
