package store_test

import (
	"sync"
	"testing"
	"time"

	"tokendesk/models"
	"tokendesk/models/store/storetest"
)

// SEC-4: each class and month has a partition, made ahead, and made once; a month that began without one stays with the rest.
func TestEnsureAuditPartitions(t *testing.T) {
	r := newTrail(t)
	r.write(t, class, 1)
	r.sealNow(t)
	where := func(month string) string {
		return query[string](t, r.Store, "insert into audit_events (at, class, kind, actor, outcome) values ($1::text::timestamptz, $2, 'test.written', 'ac_test', 'success') returning tableoid::regclass::text", month, class)
	}
	for _, c := range []struct {
		from   time.Time
		months int
		made   int
	}{
		{storetest.At, 14, 14*3 - 1}, {storetest.At, 14, 0}, {storetest.At.AddDate(0, 1, 0), 14, 3}, {storetest.At, 0, 0},
	} {
		if made, err := r.EnsureAuditPartitions(t.Context(), c.from, c.months); err != nil || made != c.made {
			t.Fatalf("%d months from %s: made %d partitions, want %d: %v", c.months, c.from.Format("2006-01"), made, c.made, err)
		}
	}
	for at, want := range map[string]string{
		"2026-11-30T23:59:59.999999Z": "audit_authentication_rest",
		"2026-12-01T00:00:00Z":        "audit_authentication_2026_12",
		"2027-01-31T23:59:59.999999Z": "audit_authentication_2027_01",
		"2040-01-01T00:00:00Z":        "audit_authentication_rest",
	} {
		if got := where(at); got != want {
			t.Errorf("an event of %s stands in %s, want %s", at, got, want)
		}
	}
	r.sealNow(t)
	r.wantIntact(t, 5, 0)
}

// Several processes that make partitions at once, beside writers, do not get in each other's way.
func TestEnsureAuditPartitionsAtOnce(t *testing.T) {
	r := newTrail(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, err := r.EnsureAuditPartitions(t.Context(), storetest.At, 2); err != nil && models.KindOf(err) != models.Unavailable {
				t.Error(err)
			}
		})
		wg.Go(func() { r.write(t, class, 20) })
	}
	wg.Wait()
	if n := query[int](t, r.Store, "select count(*) from audit_events"); n != 80 {
		t.Fatalf("%d events of 80", n)
	}
}
