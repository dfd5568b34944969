package store_test

import (
	"testing"
	"time"

	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
)

func registered(t *testing.T) (awaiting, models.Authenticator) {
	t.Helper()
	w := awaitingToken(t, storetest.EventDevice)
	a, err := w.register(t, w.registration(codeNow))
	if err != nil {
		t.Fatal(err)
	}
	return w, a
}

func (w awaiting) advance(t *testing.T, at time.Time) store.CredentialStanding {
	t.Helper()
	s, err := w.AdvanceCredential(t.Context(), w.credential.ID, at)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (w awaiting) lock(t *testing.T, a models.Authenticator, at time.Time) {
	t.Helper()
	if _, err := w.Pool().Exec(t.Context(), "update authenticators set status = 'locked', locked_at = $2, failures = 10 where id = $1", a.ID, at); err != nil {
		t.Fatal(err)
	}
}

func (w awaiting) unlock(t *testing.T, a models.Authenticator) {
	t.Helper()
	if _, err := w.Pool().Exec(t.Context(), "update authenticators set status = 'active', locked_at = null, failures = 0 where id = $1", a.ID); err != nil {
		t.Fatal(err)
	}
}

// LIF-1: the credential expires at the end of its term, once, whenever and however often the lifecycle looks.
func TestAdvanceExpires(t *testing.T) {
	w, _ := registered(t)
	expiry := w.credential.ExpiresAt
	cases := []struct {
		name   string
		at     time.Time
		status models.DisplayedStatus
		next   models.MilestoneName
		mails  string
	}{
		{"a year before", storetest.At, models.ShownActive, models.ExpiryNotice, "activated registered"},
		{"just before", expiry.Add(-time.Microsecond), models.ShownActive, models.CredentialExpires, "activated expiry_ahead registered"},
		{"in time", expiry, models.ShownExpired, models.TermSuspended, "activated expired expiry_ahead registered"},
		{"a repeat", expiry, models.ShownExpired, models.TermSuspended, "activated expired expiry_ahead registered"},
		{"a month later", expiry.AddDate(0, 1, 0), models.ShownExpired, models.TermSuspended, "activated expired expiry_ahead registered"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := w.advance(t, c.at)
			next, _ := s.Timeline.Next(c.at)
			if s.Status != c.status || next.Name != c.next {
				t.Errorf("%s, next %+v", s.Status, next)
			}
			if got := w.mails(t); got != c.mails {
				t.Errorf("mails %v", got)
			}
		})
	}
	if stored, _, _ := w.Credential(t.Context(), w.credential.ID); stored.ExpiredAt == nil || !stored.ExpiredAt.Equal(expiry) {
		t.Errorf("expired at %v", stored.ExpiredAt)
	}
	if n := query[int](t, w.Store, "select count(*) from audit_events where kind = 'credential.expired'"); n != 1 {
		t.Errorf("audited %d times", n)
	}
}

// LIF-1: an engine that was away for a year finds everything due at once; simultaneous looks perform it once.
func TestAdvanceLateAndAtOnce(t *testing.T) {
	w, _ := registered(t)
	late := w.credential.ExpiresAt.AddDate(0, 11, 0)
	got := atOnce(8, func(int) error {
		_, err := w.AdvanceCredential(t.Context(), w.credential.ID, late)
		return err
	})
	if got[""] != 8 {
		t.Fatalf("answers %v", got)
	}
	if n := query[int](t, w.Store, "select count(*) from notices where kind = 'expired'"); n != 1 {
		t.Errorf("%d mails", n)
	}
	_, err := w.AdvanceCredential(t.Context(), "cr_none", late)
	wantFault(t, err, models.NoSuchThing)
}

// LOG-4: each lock is told once; the next lock is told again.
func TestAdvanceTellsOfLocks(t *testing.T) {
	w, a := registered(t)
	mails := func() int {
		return query[int](t, w.Store, "select count(*) from notices where kind = 'locked' and subject_ref = $1", w.credential.ID)
	}
	for lock := 1; lock <= 2; lock++ {
		at := storetest.At.Add(time.Duration(lock) * time.Hour)
		w.lock(t, a, at)
		for range 2 {
			if s := w.advance(t, at.Add(time.Minute)); s.Status != models.ShownLocked {
				t.Errorf("shown as %s", s.Status)
			}
		}
		if n := mails(); n != lock {
			t.Errorf("%d mails after lock %d", n, lock)
		}
		w.unlock(t, a)
		if s := w.advance(t, at.Add(2*time.Minute)); s.Status != models.ShownActive || mails() != lock {
			t.Errorf("after the resync: %s, %d mails", s.Status, mails())
		}
	}
}

// LIC-2: the term is that of the vendor's calendar, from the payment, whenever the key is used; 29 February has no anniversary.
func TestTermEnd(t *testing.T) {
	zone := models.DefaultPolicy().Location()
	day := func(y int, m time.Month, d, hour int) time.Time { return time.Date(y, m, d, hour, 30, 0, 0, zone) }
	for name, c := range map[string]struct{ start, end time.Time }{
		"a year":                 {day(2026, 11, 2, 10), day(2027, 11, 2, 10)},
		"29 February":            {day(2028, 2, 29, 10), day(2029, 2, 28, 10)},
		"to a leap year":         {day(2027, 2, 28, 10), day(2028, 2, 28, 10)},
		"across a clock change":  {day(2026, 3, 9, 1), day(2027, 3, 9, 1)},
		"the vendor's last hour": {day(2026, 12, 31, 23), day(2027, 12, 31, 23)},
	} {
		if got := models.TermEnd(c.start.UTC(), 12, zone); !got.Equal(c.end) {
			t.Errorf("%s: %v, want %v", name, got, c.end)
		}
	}
}
