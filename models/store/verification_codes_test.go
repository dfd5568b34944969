package store_test

import (
	"sync"
	"testing"
	"time"

	"tokendesk/internal/otp"
	"tokendesk/models"
	"tokendesk/models/store/storetest"
)

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
		l := newLogin(t, st, storetest.EventDevice)
		l.exec(t, "insert into policies (version, body, effective_at) select 3, jsonb_set(body, '{otp,lock_after}', '100000'), effective_at from policies where version = 1")
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
