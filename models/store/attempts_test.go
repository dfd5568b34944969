package store_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
)

// LIC-2: a window slides: room comes when the oldest of the last tries leaves it, and the answer says when.
func TestThrottleWindow(t *testing.T) {
	st := storetest.New(t)
	const limit, window = 3, time.Hour
	at := storetest.At
	for _, after := range []time.Duration{0, 10 * time.Minute, 20 * time.Minute} {
		if err := st.Throttle(t.Context(), "test", "subject", limit, window, at.Add(after)); err != nil {
			t.Fatalf("after %v: %v", after, err)
		}
		if _, err := st.CountAttempt(t.Context(), "test", "subject", at.Add(after)); err != nil {
			t.Fatal(err)
		}
	}
	cases := []struct {
		name  string
		after time.Duration
		wait  time.Duration // 0: allowed
	}{
		{"full", 30 * time.Minute, 30 * time.Minute},
		{"almost", window - time.Microsecond, time.Second},
		{"the first has left", window, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			err := st.Throttle(t.Context(), "test", "subject", limit, window, at.Add(c.after))
			if c.wait == 0 {
				wantFault(t, err, nil)
				return
			}
			wantFault(t, err, models.TooManyTries)
			if f := models.FaultOf(err); f.RetryAfter != c.wait {
				t.Errorf("wait %v, want %v", f.RetryAfter, c.wait)
			}
		})
	}
	for name, err := range map[string]error{
		"another subject": st.Throttle(t.Context(), "test", "other", limit, window, at),
		"another scope":   st.Throttle(t.Context(), "other", "subject", limit, window, at),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	wantFault(t, st.Throttle(t.Context(), "test", "fresh", 0, window, at), models.TooManyTries)
}

// LIC-2: tries at the same time are counted one after the other, and exactly the limit of them gets through.
func TestThrottleRace(t *testing.T) {
	st := storetest.New(t)
	const limit = 5
	got := atOnce(30, func(int) error {
		return st.InTx(t.Context(), func(tx *store.Store) error {
			if err := tx.Throttle(t.Context(), "test", "subject", limit, time.Hour, storetest.At); err != nil {
				return err
			}
			_, err := tx.CountAttempt(t.Context(), "test", "subject", storetest.At)
			return err
		})
	})
	if got[""] != limit || got[models.TooManyTries.Slug] != 30-limit {
		t.Fatalf("answers %v", got)
	}
}

// SEC-5: who tried is stored as a hash only. What is old is removed; what turned out right is taken back alone.
func TestAttemptsKeepNoSubjects(t *testing.T) {
	st := storetest.New(t)
	first, err := st.CountAttempt(t.Context(), store.LoginByAddress, "192.0.2.77", storetest.At)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.CountAttempt(t.Context(), store.LoginByAddress, "192.0.2.77", storetest.At.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if n := query[int](t, st, "select count(*) from attempts where to_jsonb(attempts)::text like '%192.0.2%' or subject = encode(sha256('192.0.2.77'), 'hex')"); n != 0 {
		t.Errorf("%d rows show the address", n)
	}
	if n := query[int](t, st, "select count(distinct subject) from attempts"); n != 1 {
		t.Errorf("one address has %d hashes", n)
	}
	if n, err := st.PurgeAttempts(t.Context(), storetest.At.Add(time.Minute)); n != 1 || err != nil {
		t.Errorf("purged %d, %v", n, err)
	}
	if err := st.ForgetAttempts(t.Context(), first); err != nil {
		t.Error(err)
	}
	if n := query[int](t, st, "select count(*) from attempts"); n != 1 {
		t.Errorf("%d tries are left", n)
	}
}

// LIC-2: one host of IPv6 has a whole network of addresses, and an IPv4 address has two spellings.
func TestAddressesOfOneNetworkCountTogether(t *testing.T) {
	cases := []struct {
		name, one, other string
		together         bool
	}{
		{"one IPv6 network", "2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true},
		{"two IPv6 networks", "2001:db8:1:2::1", "2001:db8:1:3::1", false},
		{"IPv4 in IPv6", "192.0.2.1", "::ffff:192.0.2.1", true},
		{"two IPv4 addresses", "192.0.2.1", "192.0.2.2", false},
		{"unreadable", "somewhere", "somewhere", true},
	}
	st := storetest.New(t)
	limit := strictLogins(t, st).TriesPerAddress
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if _, err := st.PurgeAttempts(t.Context(), storetest.At.Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
			try := func(i int, address string) error {
				_, _, err := st.Login(t.Context(), store.PasswordLogin{Name: fmt.Sprint(address, i), Password: "wrong", Address: address}, storetest.Hasher, storetest.At)
				return err
			}
			for i := range limit {
				wantFault(t, try(i, c.one), models.LoginFailed)
			}
			if err := try(0, c.other); errors.Is(err, models.TooManyTries) != c.together {
				t.Errorf("got %v", err)
			}
		})
	}
}

// strictLogins puts a policy into effect that allows few wrong passwords, so that tests reach its limits soon.
func strictLogins(t *testing.T, st *store.Store) models.SessionPolicy {
	t.Helper()
	p := models.DefaultPolicy()
	p.Version, p.Session.TriesPerUser, p.Session.TriesPerAddress, p.Session.TriesPerUserAnywhere = 2, 3, 5, 8
	storetest.Must(t, st.AddPolicy(t.Context(), p, storetest.At.Add(-time.Minute)))
	return p.Session
}

// A version of the policy that was stored before the limit over all addresses existed has it all the same.
func TestOldPoliciesBoundLoginsFromEverywhere(t *testing.T) {
	st := storetest.New(t)
	query[int](t, st, `insert into policies (version, body, effective_at)
		select 2, body #- '{session,tries_per_user_anywhere}', $1 from policies where version = 1 returning version`, storetest.At)
	p, err := st.CurrentPolicy(t.Context(), storetest.At)
	if err != nil || p.Version != 2 || p.Session != models.DefaultPolicy().Session {
		t.Errorf("%v, version %d, %+v", err, p.Version, p.Session)
	}
}
