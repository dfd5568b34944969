package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"tokendesk/internal/otp"
	"tokendesk/internal/seal"
	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
)

// login is a person with a registered token, and a relying application that asks about codes.
type login struct {
	*store.Store
	ring       *seal.Keyring
	account    models.Account
	credential models.Credential
	device     *storetest.Device
	asker      models.Actor
}

// codeLater is when the codes are asked for: long after the two of the registration.
var codeLater = codeNow.Add(time.Hour)

func newLogin(t *testing.T, st *store.Store, p otp.Parameters) login {
	t.Helper()
	l := login{Store: st, ring: storetest.Keyring(t), account: storetest.Account(t, st)}
	l.credential, l.device = storetest.Registered(t, st, l.ring, l.account, p, codeNow)
	l.asker = models.Actor{ID: "ak_bank", Role: models.RoleRelyingApp, PartnerID: storetest.Partner(t, st, 2, models.HardwareToken).ID}
	return l
}

func (l login) ask(code models.Secret) store.VerificationRequest {
	return store.VerificationRequest{UserID: l.account.UserID, Code: code, Actor: l.asker}
}

// verify may be called from any goroutine.
func (l login) verify(t *testing.T, q store.VerificationRequest) models.VerificationResult {
	t.Helper()
	v, err := l.Verify(t.Context(), q, l.ring, storetest.At, codeLater)
	if err != nil {
		t.Error(err)
	}
	return v.Result
}

// wrong is a code that the device will not show for long.
func (l login) wrong() models.Secret { return l.device.Code(1 << 40) }

func (l login) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	if _, err := l.Pool().Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

func (l login) failures(t *testing.T) int {
	t.Helper()
	return query[int](t, l.Store, "select failures from authenticators where credential_id = $1", l.credential.ID)
}

// LOG-5: whoever is named, the right code is accepted, with level and strength.
func TestVerifyAccepts(t *testing.T) {
	for _, p := range []otp.Parameters{storetest.EventDevice, storetest.ClockDevice} {
		st := storetest.New(t)
		for _, subject := range []string{"user id", "user id in other case", "credential", "serial"} {
			t.Run(fmt.Sprintf("%s by %s", p.Kind, subject), func(t *testing.T) {
				l := newLogin(t, st, p)
				q := store.VerificationRequest{Code: l.device.Press(codeLater), Actor: l.asker}
				switch subject {
				case "user id":
					q.UserID = l.account.UserID
				case "user id in other case":
					q.UserID = swapCase(l.account.UserID)
				case "credential":
					q.CredentialID = l.credential.ID
				default:
					q.Serial = l.device.Serial
				}
				got, err := l.Verify(t.Context(), q, l.ring, storetest.At, codeLater)
				want := store.Verification{Result: models.Accepted, CredentialID: l.credential.ID, Level: 2, Strength: models.StrengthHardware}
				if err != nil || got != want {
					t.Fatalf("got %+v, %v; want %+v", got, err, want)
				}
			})
		}
	}
}

func swapCase(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'a' && c <= 'z' {
			b[i] = c - 'a' + 'A'
		}
	}
	return string(b)
}

// LOG-5, LOG-8: what stands against a login, and that a refusal tells nothing else and changes nothing.
func TestVerifyRefuses(t *testing.T) {
	st := storetest.New(t)
	const credentials, authenticators = "update credentials set ", "update authenticators set "
	cases := []struct {
		name    string
		change  string // of the row with the credential's id
		later   time.Duration
		partner func(t *testing.T) string
		want    models.VerificationResult
	}{
		{name: "wrong code", want: models.ResultWrongCode},
		{name: "suspended", change: credentials + "suspended_at = now(), suspended_by = 'person' where id = $1", want: models.ResultSuspended},
		{name: "expired, though no step has said so", later: 366 * 24 * time.Hour, want: models.ResultExpired},
		{name: "pending approval", change: credentials + "phase = 'pending_approval' where id = $1", want: models.ResultPendingApproval},
		{name: "pending registration", change: credentials + "phase = 'pending_registration' where id = $1", want: models.ResultPending},
		{name: "revoked", change: credentials + "phase = 'revoked', revoked_at = now() where id = $1", want: models.ResultRevoked},
		{name: "token revoked", change: authenticators + "status = 'revoked', revoked_at = now() where credential_id = $1", want: models.ResultRevoked},
		{name: "locked", change: authenticators + "status = 'locked', locked_at = now() where credential_id = $1", want: models.ResultLocked},
		{name: "level not accepted", partner: func(t *testing.T) string { return storetest.Partner(t, st, 3, models.HardwareToken).ID }, want: models.ResultNotAccepted},
		{name: "kind not accepted", partner: func(t *testing.T) string { return storetest.Partner(t, st, 2, models.Phone).ID }, want: models.ResultNotAccepted},
		{name: "unknown partner", partner: func(*testing.T) string { return "pa_none" }, want: models.ResultNotAccepted},
		{name: "a partner that does not accept it learns nothing else", change: credentials + "suspended_at = now(), suspended_by = 'person' where id = $1",
			partner: func(t *testing.T) string { return storetest.Partner(t, st, 3, models.HardwareToken).ID }, want: models.ResultNotAccepted},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			l := newLogin(t, st, storetest.EventDevice)
			code := l.device.Code(l.device.Next)
			if c.want == models.ResultWrongCode {
				code = l.wrong()
			}
			if c.change != "" {
				l.exec(t, c.change, l.credential.ID)
			}
			if c.partner != nil {
				l.asker.PartnerID = c.partner(t)
			}
			for _, q := range []store.VerificationRequest{{UserID: l.account.UserID}, {CredentialID: l.credential.ID}, {Serial: l.device.Serial}} {
				q.Code, q.Actor = code, l.asker
				before := query[string](t, st, "select (next_counter, status)::text from authenticators where credential_id = $1", l.credential.ID)
				got, err := l.Verify(t.Context(), q, l.ring, storetest.At.Add(c.later), codeLater)
				if want := (store.Verification{Result: c.want}); err != nil || got != want {
					t.Fatalf("%+v: got %+v, %v; want %+v", q, got, err, want)
				}
				if after := query[string](t, st, "select (next_counter, status)::text from authenticators where credential_id = $1", l.credential.ID); after != before {
					t.Fatalf("a refusal changed the authenticator from %s to %s", before, after)
				}
			}
			if n := query[int](t, st, "select count(*) from audit_events where kind = 'code.verified' and credential_id = $1 and actor = 'ak_bank' and outcome = 'failure' and detail->>'result' = $2", l.credential.ID, c.want); n != 3 {
				t.Errorf("%d refusals of 3 are audited", n)
			}
		})
	}
}

// LOG-5: someone without any token is told why, and LOG-8: who does not exist is told what a wrong code is told.
func TestVerifyWithoutToken(t *testing.T) {
	st := storetest.New(t)
	ring := storetest.Keyring(t)
	buyer := storetest.Account(t, st)
	storetest.Stock(t, st, ring, storetest.TokenModel, storetest.EventDevice, 1)
	o := storetest.FulfilledOrder(t, st, ring, buyer.ID)
	storetest.Shipped(t, st, o, 1)
	c := storetest.Activated(t, st, ring, buyer, o, 1)
	cases := []struct {
		name string
		q    store.VerificationRequest
		want models.VerificationResult
	}{
		{"user id, nothing registered yet", store.VerificationRequest{UserID: buyer.UserID}, models.ResultPending},
		{"credential, nothing registered yet", store.VerificationRequest{CredentialID: c.ID}, models.ResultPending},
		{"person without credential", store.VerificationRequest{UserID: storetest.Account(t, st).UserID}, models.ResultWrongCode},
		{"unknown user id", store.VerificationRequest{UserID: "nobody'; drop table accounts"}, models.ResultWrongCode},
		{"unknown credential", store.VerificationRequest{CredentialID: "cr_none"}, models.ResultWrongCode},
		{"unknown serial", store.VerificationRequest{Serial: "NONE"}, models.ResultWrongCode},
	}
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			c.q.Code, c.q.Actor = "123456", models.Actor{ID: fmt.Sprintf("ak_%d", i)}
			got, err := st.Verify(t.Context(), c.q, ring, storetest.At, codeLater)
			if want := (store.Verification{Result: c.want}); err != nil || got != want {
				t.Fatalf("got %+v, %v; want %+v", got, err, want)
			}
			if n := query[int](t, st, "select count(*) from audit_events where kind = 'code.verified' and actor = $1 and outcome = 'failure'", c.q.Actor.ID); n != 1 {
				t.Errorf("audited %d times", n)
			}
		})
	}
}

func TestVerifyRefusesUnclearSubjects(t *testing.T) {
	l := newLogin(t, storetest.New(t), storetest.EventDevice)
	for _, q := range []store.VerificationRequest{
		{}, {UserID: "a", Serial: "b"}, {UserID: "a", CredentialID: "b"}, {CredentialID: "a", Serial: "b"}, {UserID: "a", CredentialID: "b", Serial: "c"},
		{UserID: "nul\x00"}, {Serial: "not utf-8 \xff"},
	} {
		q.Code, q.Actor = l.wrong(), l.asker
		_, err := l.Verify(t.Context(), q, l.ring, storetest.At, codeLater)
		wantFault(t, err, models.InvalidRequest)
	}
	l.wantIdle(t)
}

// LOG-3: a code is accepted once, and none before it afterwards.
func TestVerifyAcceptsACodeOnce(t *testing.T) {
	for _, p := range []otp.Parameters{storetest.EventDevice, storetest.ClockDevice} {
		t.Run(string(p.Kind), func(t *testing.T) {
			st := storetest.New(t)
			l := newLogin(t, st, p)
			code := l.device.Press(codeLater)
			answers := make(chan models.VerificationResult, 8)
			var wg sync.WaitGroup
			for range cap(answers) {
				wg.Go(func() { answers <- l.verify(t, l.ask(code)) })
			}
			wg.Wait()
			close(answers)
			counts := map[models.VerificationResult]int{}
			for a := range answers {
				counts[a]++
			}
			if counts[models.Accepted] != 1 || counts[models.ResultWrongCode] != 7 {
				t.Fatalf("one code, sent 8 times at once: %v", counts)
			}
			if got := l.verify(t, l.ask(code)); got != models.ResultWrongCode {
				t.Fatalf("a used code: %s", got)
			}
			if n := query[int](t, st, "select count(*) from audit_events where kind = 'code.verified' and outcome = 'success' and credential_id = $1", l.credential.ID); n != 1 {
				t.Fatalf("%d acceptances are audited", n)
			}
		})
	}
}

// LOG-3: the window is the policy's; what was skipped is spent; a clock's drift is remembered, and the window moves with it.
func TestVerifyWindow(t *testing.T) {
	t.Run("counter", func(t *testing.T) {
		l := newLogin(t, storetest.New(t), storetest.EventDevice)
		ahead := int64(models.DefaultPolicy().OTP.HOTPLookAhead)
		for _, c := range []struct {
			counter int64
			want    models.VerificationResult
		}{
			{l.device.Next + ahead, models.ResultWrongCode}, {l.device.Next + ahead - 1, models.Accepted},
			{l.device.Next, models.ResultWrongCode}, {l.device.Next + ahead, models.Accepted},
		} {
			if got := l.verify(t, l.ask(l.device.Code(c.counter))); got != c.want {
				t.Fatalf("counter %d: %s, want %s", c.counter, got, c.want)
			}
		}
	})
	t.Run("clock", func(t *testing.T) {
		l := newLogin(t, storetest.New(t), storetest.ClockDevice)
		skew := int64(models.DefaultPolicy().OTP.TOTPWindow)
		for i, c := range []struct {
			ahead int64 // of the real time, in steps
			want  models.VerificationResult
		}{
			// The registration has taught that this clock is one step ahead.
			{1 + skew + 1, models.ResultWrongCode}, {1 + skew, models.Accepted}, {1 + 2*skew + 1, models.ResultWrongCode}, {1 + 2*skew, models.Accepted},
		} {
			at := codeLater.Add(time.Duration(i) * time.Hour)
			q := l.ask(l.device.Code(otp.Step(l.device.Params, at) + c.ahead))
			if v, err := l.Verify(t.Context(), q, l.ring, storetest.At, at); err != nil || v.Result != c.want {
				t.Fatalf("%d steps ahead: %s, %v, want %s", c.ahead, v.Result, err, c.want)
			}
		}
	})
}

// LOG-4: failures that come at once all count; the policy's tenth locks, and neither the right code nor further failures
// change that.
func TestVerifyLocks(t *testing.T) {
	st := storetest.New(t)
	t.Run("all count", func(t *testing.T) {
		p := models.DefaultPolicy()
		p.Version, p.OTP.LockAfter = 2, 60
		storetest.Must(t, st.AddPolicy(t.Context(), p, storetest.At.AddDate(1, 0, 0)))
		l := newLogin(t, st, storetest.EventDevice)
		l.exec(t, "update credentials set policy_version = 2 where id = $1", l.credential.ID)
		atOnce(40, func(int) error { l.verify(t, l.ask(l.wrong())); return nil })
		if n := l.failures(t); n != 40 {
			t.Fatalf("40 wrong codes at once count %d", n)
		}
		if got := l.verify(t, l.ask(l.device.Press(codeLater))); got != models.Accepted || l.failures(t) != 0 {
			t.Fatalf("the right code then: %s, and %d failures", got, l.failures(t))
		}
	})
	t.Run("the limit locks", func(t *testing.T) {
		l := newLogin(t, st, storetest.EventDevice)
		atOnce(40, func(int) error { l.verify(t, l.ask(l.wrong())); return nil })
		if n := l.failures(t); n != 10 {
			t.Fatalf("%d failures count; the lock comes at 10", n)
		}
		if got := l.verify(t, l.ask(l.device.Press(codeLater))); got != models.ResultLocked {
			t.Fatalf("the right code then: %s", got)
		}
		l.wantLockTold(t)
	})
	t.Run("never more than 100", func(t *testing.T) {
		p := models.DefaultPolicy()
		p.Version, p.OTP.LockAfter = 3, 100000
		storetest.Must(t, st.AddPolicy(t.Context(), p, storetest.At.AddDate(1, 0, 0)))
		l := newLogin(t, st, storetest.EventDevice)
		l.exec(t, "update credentials set policy_version = 3 where id = $1", l.credential.ID)
		l.exec(t, "update authenticators set failures = 98 where credential_id = $1", l.credential.ID)
		if got := l.verify(t, l.ask(l.wrong())); got != models.ResultWrongCode {
			t.Fatalf("99th failure: %s", got)
		}
		if got := l.verify(t, l.ask(l.wrong())); got != models.ResultWrongCode {
			t.Fatalf("100th failure: %s", got)
		}
		if got := l.verify(t, l.ask(l.device.Press(codeLater))); got != models.ResultLocked {
			t.Fatalf("after 100 failures: %s", got)
		}
	})
}

// wantLockTold checks that the lock is written once, with its evidence and with a message for the lifecycle.
func (l login) wantLockTold(t *testing.T) {
	t.Helper()
	id := query[string](t, l.Store, "select id from authenticators where credential_id = $1 and status = 'locked' and locked_at = $2", l.credential.ID, storetest.At)
	if n := query[int](t, l.Store, "select count(*) from audit_events where kind = 'authenticator.locked' and class = 'lifecycle' and authenticator_id = $1", id); n != 1 {
		t.Errorf("the lock is audited %d times", n)
	}
	n := query[int](t, l.Store, "select count(*) from outbox where kind = 'signal' and workflow_id = $1 and name = $2 and ref = $3 and dispatched_at is null",
		"credential/"+l.credential.ID, models.SignalAuthenticatorLocked, id)
	if n != 1 {
		t.Errorf("the lifecycle is told %d times", n)
	}
}

// LOG-5: a verification that waits for a revocation, a suspension or the end of a term sees it, and none is accepted after it.
func TestVerifyNeverAcceptsAfterTheEnd(t *testing.T) {
	st := storetest.New(t)
	cases := []struct {
		name, change string
		want         models.VerificationResult
	}{
		{"revocation", "update credentials set phase = 'revoked', revoked_at = now() where id = $1", models.ResultRevoked},
		{"suspension", "update credentials set suspended_at = now(), suspended_by = 'person' where id = $1", models.ResultSuspended},
		{"shortened term", "update credentials set purchased_at = expires_at - interval '2 years', expires_at = expires_at - interval '1 year' where id = $1", models.ResultExpired},
		{"token revoked", "update authenticators set status = 'revoked', revoked_at = now() where credential_id = $1", models.ResultRevoked},
		{"token locked", "update authenticators set status = 'locked', locked_at = now() where credential_id = $1", models.ResultLocked},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			for _, by := range []string{"user id", "credential", "serial"} {
				l := newLogin(t, st, storetest.EventDevice)
				q := store.VerificationRequest{Code: l.device.Press(codeLater), Actor: l.asker}
				switch by {
				case "user id":
					q.UserID = l.account.UserID
				case "credential":
					q.CredentialID = l.credential.ID
				default:
					q.Serial = l.device.Serial
				}
				end, err := st.Pool().Begin(t.Context())
				storetest.Must(t, err)
				defer end.Rollback(context.Background())
				_, err = end.Exec(t.Context(), c.change, l.credential.ID)
				storetest.Must(t, err)
				answer := make(chan models.VerificationResult)
				go func() { answer <- l.verify(t, q) }()
				waitFor(t, "the verification to wait for the change", func() bool {
					return query[int](t, st, "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'") > 0
				})
				storetest.Must(t, end.Commit(t.Context()))
				if got := <-answer; got != c.want {
					t.Errorf("by %s: a verification that waited says %s, want %s", by, got, c.want)
				}
			}
		})
	}
}

// waitFor polls a condition of the database.
func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// LOG-5: codes verified while the credential is revoked are accepted before the revocation or not at all. Order is told by
// commits: nothing accepted is visible after the revocation that was not visible to it.
func TestVerifyRacesRevocation(t *testing.T) {
	st := storetest.New(t)
	for range 5 {
		l := newLogin(t, st, storetest.EventDevice)
		var wg sync.WaitGroup
		for i := range 8 {
			code := l.device.Code(l.device.Next + int64(i))
			wg.Go(func() { l.verify(t, l.ask(code)) })
		}
		const accepted = "select count(*) from audit_events where kind = 'code.verified' and outcome = 'success' and credential_id = $1"
		var before int
		tx, err := st.Pool().Begin(t.Context())
		storetest.Must(t, err)
		defer tx.Rollback(context.Background())
		_, err = tx.Exec(t.Context(), "update credentials set phase = 'revoked', revoked_at = now() where id = $1", l.credential.ID)
		storetest.Must(t, err)
		_, err = tx.Exec(t.Context(), "update authenticators set status = 'revoked', revoked_at = now() where credential_id = $1", l.credential.ID)
		storetest.Must(t, err)
		storetest.Must(t, tx.QueryRow(t.Context(), accepted, l.credential.ID).Scan(&before))
		storetest.Must(t, tx.Commit(t.Context()))
		wg.Wait()
		if after := query[int](t, st, accepted, l.credential.ID); after != before {
			t.Fatalf("%d codes were accepted after the revocation", after-before)
		}
	}
}

// A caller that goes away midway leaves no transaction behind, and takes back no failure.
func TestVerifyCancelled(t *testing.T) {
	l := newLogin(t, storetest.New(t), storetest.EventDevice)
	t.Run("while it waits", func(t *testing.T) {
		other, err := l.Pool().Begin(t.Context())
		storetest.Must(t, err)
		defer other.Rollback(context.Background())
		_, err = other.Exec(t.Context(), "select from authenticators where credential_id = $1 for update", l.credential.ID)
		storetest.Must(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		failed := make(chan error)
		go func() {
			_, err := l.Verify(ctx, l.ask(l.wrong()), l.ring, storetest.At, codeLater)
			failed <- err
		}()
		waitFor(t, "the verification to wait", func() bool {
			return query[int](t, l.Store, "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'") > 0
		})
		cancel()
		if err := <-failed; !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v", err)
		}
		storetest.Must(t, other.Rollback(t.Context()))
		l.wantIdle(t)
		if n := l.failures(t); n != 0 {
			t.Fatalf("%d failures count", n)
		}
	})
	t.Run("while it decides", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		v, err := l.Verify(ctx, l.ask(l.wrong()), openerFunc(func(c []byte, place string) (models.SecretBytes, error) {
			cancel()
			return l.ring.Open(c, place)
		}), storetest.At, codeLater)
		if err != nil || v.Result != models.ResultWrongCode || l.failures(t) != 1 {
			t.Fatalf("got %v, %v; %d failures count", v, err, l.failures(t))
		}
		l.wantIdle(t)
	})
	t.Run("before it begins", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := l.Verify(ctx, l.ask(l.wrong()), l.ring, storetest.At, codeLater); !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v", err)
		}
		l.wantIdle(t)
	})
}

type openerFunc func([]byte, string) (models.SecretBytes, error)

func (f openerFunc) Open(c []byte, place string) (models.SecretBytes, error) { return f(c, place) }

// What fails in the middle is undone, says nothing of what it was about, and leaves every connection fit for use.
func TestVerifyFails(t *testing.T) {
	l := newLogin(t, storetest.New(t), storetest.EventDevice)
	broken := errors.New("no key")
	cases := []struct {
		name  string
		open  openerFunc
		fault *models.FaultType
	}{
		{"seed does not open", func([]byte, string) (models.SecretBytes, error) { return nil, broken }, models.InternalFault},
		{"connection breaks", func(c []byte, place string) (models.SecretBytes, error) {
			l.exec(t, "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and state = 'idle in transaction'")
			return l.ring.Open(c, place)
		}, models.ServiceDown},
		{"audit trail is gone", func(c []byte, place string) (models.SecretBytes, error) {
			l.exec(t, "alter table audit_authentication add constraint planted check (kind <> 'code.verified') not valid")
			return l.ring.Open(c, place)
		}, models.InternalFault},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := l.Verify(t.Context(), l.ask(l.wrong()), c.open, storetest.At, codeLater)
			if err == nil || models.FaultOf(err).Type != c.fault {
				t.Fatalf("got %v, want %v", err, c.fault)
			}
			l.wantIdle(t)
			if n := l.failures(t); n != 0 {
				t.Fatalf("%d failures count", n)
			}
		})
	}
}

// wantIdle checks that no connection is inside a transaction.
func (l login) wantIdle(t *testing.T) {
	t.Helper()
	waitFor(t, "every connection to be idle", func() bool {
		return query[int](t, l.Store, "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and state <> 'idle'") == 0
	})
	for range l.Pool().Stat().MaxConns() {
		conn, err := l.Pool().Acquire(t.Context())
		storetest.Must(t, err)
		defer conn.Release()
		if status := conn.Conn().PgConn().TxStatus(); status != 'I' {
			t.Fatalf("a connection of the pool is in state %c", status)
		}
	}
}
