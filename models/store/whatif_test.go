package store_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
)

// crowd makes n credentials, a day of the year apart, by copying one that is in use.
func crowd(t testing.TB, st *store.Store, n int) {
	t.Helper()
	a := storetest.Account(t, st)
	ring := storetest.Keyring(t)
	o := storetest.FulfilledOrder(t, st, ring, a.ID)
	c := storetest.Activated(t, st, ring, a, o, 1)
	tx, err := st.Pool().Begin(t.Context())
	storetest.Must(t, err)
	defer func() { _ = tx.Rollback(context.Background()) }()
	for _, sql := range []string{
		"set local session_replication_role = replica", // the copies have no orders and keys of their own
		`create temp table crowd on commit drop as select lpad(n::text, 20, '0') as tail, n from generate_series(1, $2::int) n where $1::text is not null`,
		`insert into credentials (id, account_id, order_line_id, license_key_id, product_sku, kind, level, phase, policy_version, purchased_at, expires_at, created_at, updated_at)
			select 'cr_' || tail, account_id, 'ol_' || tail, 'lk_' || tail, product_sku, kind, level, 'active', policy_version,
				purchased_at, expires_at - make_interval(days => n % 360, secs => n % 86400), created_at, updated_at from credentials, crowd where id = $1 and $2::int > 0`,
	} {
		args := []any{c.ID, n}
		if sql[:3] == "set" {
			args = nil
		}
		_, err := tx.Exec(t.Context(), sql, args...)
		storetest.Must(t, err)
	}
	storetest.Must(t, tx.Commit(t.Context()))
}

// LIF-1: every credential that is not revoked is looked at once, in one snapshot, over one connection.
func TestPreviewPolicy(t *testing.T) {
	t.Parallel()
	st := storetest.New(t)
	const n = 1000
	crowd(t, st, n)
	other, at := models.DefaultPolicy(), storetest.At.AddDate(0, 6, 0)
	other.Life.GraceMonths = 6
	seen, last := 0, ""
	looked, err := st.PreviewPolicy(t.Context(), other, at, func(c models.Credential, e models.PolicyEffect) error {
		if held := st.Pool().Stat().AcquiredConns(); held != 1 {
			t.Fatalf("%d connections are held", held)
		}
		if c.ID <= last || len(e.Changes) != 2 {
			t.Fatalf("%s after %s: %+v", c.ID, last, e)
		}
		if seen == 0 { // what is written meanwhile is not seen
			_, err := st.Pool().Exec(t.Context(), "update credentials set phase = 'revoked', revoked_at = $1", at)
			storetest.Must(t, err)
		}
		seen, last = seen+1, c.ID
		return nil
	})
	if err != nil || looked != n+1 || seen != n+1 {
		t.Errorf("looked at %d, told of %d: %v", looked, seen, err)
	}
	if looked, err := st.PreviewPolicy(t.Context(), other, at, nil); err != nil || looked != 0 {
		t.Errorf("revoked ones are looked at: %d, %v", looked, err)
	}
	if held := st.Pool().Stat().AcquiredConns(); held != 0 {
		t.Errorf("%d connections are held afterwards", held)
	}
}

// Whoever hears no more ends it, and so does a context; either way the connection is given back.
func TestPreviewPolicyEnds(t *testing.T) {
	t.Parallel()
	st := storetest.New(t)
	crowd(t, st, 5000)
	other := models.DefaultPolicy()
	other.Life.GraceMonths = 6
	gone := errors.New("gone")
	told := 0
	_, err := st.PreviewPolicy(t.Context(), other, storetest.At, func(models.Credential, models.PolicyEffect) error {
		if told++; told == 10 {
			return gone
		}
		return nil
	})
	if !errors.Is(err, gone) || told != 10 {
		t.Errorf("told of %d: %v", told, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	told = 0
	_, err = st.PreviewPolicy(ctx, other, storetest.At, func(models.Credential, models.PolicyEffect) error {
		told++
		cancel()
		return nil
	})
	if !errors.Is(err, context.Canceled) || told >= 5000 {
		t.Errorf("told of %d: %v", told, err)
	}
	for st.Pool().Stat().AcquiredConns() != 0 { // a connection that was cut is put away in the background
		if t.Context().Err() != nil {
			t.Fatal("the connection is held")
		}
		runtime.Gosched()
	}
}

// BenchmarkPreviewPolicy looks at 100,000 credentials, all of which change.
func BenchmarkPreviewPolicy(b *testing.B) {
	st := storetest.New(b)
	const n = 100_000
	crowd(b, st, n)
	other := models.DefaultPolicy()
	other.Life.GraceMonths = 6
	b.ReportAllocs()
	for b.Loop() {
		began := time.Now()
		looked, err := st.PreviewPolicy(b.Context(), other, storetest.At, func(models.Credential, models.PolicyEffect) error { return nil })
		if err != nil || looked != n+1 {
			b.Fatal(looked, err)
		}
		b.ReportMetric(float64(n)/time.Since(began).Seconds(), "credentials/s")
	}
}
