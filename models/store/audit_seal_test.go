package store_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
)

// SEC-3: what is written is sealed, once, class by class; what is not new costs nothing.
func TestSealAudit(t *testing.T) {
	r := newTrail(t)
	if n := r.seal(t); n != 0 {
		t.Fatalf("sealed %d events of an empty trail", n)
	}
	r.write(t, class, 5)
	r.write(t, models.LifecycleEvents, 2)
	r.wantIntact(t, 0, 5)
	if n := r.sealAll(t); n != 5 {
		t.Fatalf("sealed %d events of 5", n)
	}
	first := r.checkpoint(t)
	for range 3 {
		if n := r.seal(t); n != 0 {
			t.Fatalf("sealed %d events again", n)
		}
	}
	r.write(t, class, 3)
	r.wantIntact(t, 5, 3, first)
	if n := r.sealAll(t); n != 3 {
		t.Fatalf("sealed %d events of 3", n)
	}
	if report := r.wantIntact(t, 8, 0, first, r.checkpoint(t)); report.Batches != 2 || report.Last.Batch != 2 {
		t.Fatalf("%d batches, the last one %d", report.Batches, report.Last.Batch)
	}
	if n, err := r.SealAudit(t.Context(), models.LifecycleEvents, r.signer, storetest.At); n != 2 || err != nil {
		t.Fatalf("sealed %d events of the other class: %v", n, err)
	}
}

// SEC-3: an event whose transaction is still open when later ones are sealed is not left out.
func TestSealAuditWaitsForOpenTransactions(t *testing.T) {
	r := newTrail(t)
	r.write(t, class, 2)
	r.waitForOlder(t)
	slow, err := r.Pool().Begin(t.Context())
	storetest.Must(t, err)
	defer slow.Rollback(context.Background())
	_, err = slow.Exec(t.Context(), "insert into audit_events (at, class, kind, actor, outcome) values (now(), $1, 'test.slow', 'ac_test', 'success')", class)
	storetest.Must(t, err)
	r.write(t, class, 4)
	if n := r.seal(t); n != 2 {
		t.Fatalf("sealed %d events while a transaction is open; 2 are older than it", n)
	}
	r.wantIntact(t, 2, 4)
	storetest.Must(t, slow.Commit(t.Context()))
	if n := r.sealAll(t); n != 5 {
		t.Fatalf("sealed %d events of 5", n)
	}
	r.wantIntact(t, 7, 0)
}

// SEC-3: writers and sealers at once; every event is sealed exactly once, and nobody waits for a sealer.
func TestSealAuditBesideWriters(t *testing.T) {
	r := newTrail(t)
	var writers, sealers sync.WaitGroup
	done := make(chan struct{})
	for range 3 {
		sealers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					r.seal(t)
				}
			}
		})
	}
	for range 8 {
		writers.Go(func() { r.write(t, class, 50) })
	}
	writers.Wait()
	close(done)
	sealers.Wait()
	r.sealAll(t)
	r.wantIntact(t, 400, 0)
}

// sealAll seals everything in one batch, and returns how much that was.
func (r trail) sealAll(t *testing.T) int {
	t.Helper()
	r.waitForOlder(t)
	return r.seal(t)
}

// waitForOlder waits until no transaction holds back the sealing of what has been written: those of other tests on the same
// server do, too.
func (r trail) waitForOlder(t *testing.T) {
	t.Helper()
	newest := query[uint64](t, r.Store, "select xid from audit_events where class = $1 and xid < pg_snapshot_xmax(pg_current_snapshot()) order by xid desc limit 1", class)
	waitFor(t, "older transactions to end", func() bool {
		return query[uint64](t, r.Store, "select pg_snapshot_xmin(pg_current_snapshot())") > newest
	})
}

// sealNow seals what has been written in one batch, whatever other tests do on the same server: here, no older transaction
// writes to this trail.
func (r trail) sealNow(t *testing.T) {
	t.Helper()
	newest := query[uint64](t, r.Store, "select xid from audit_events where class = $1 order by xid desc limit 1", class)
	storetest.Must(t, r.SealAuditBelow(t.Context(), class, newest+1, r.signer, storetest.At))
}

// SEC-3: a database restored into another cluster, where transactions are counted anew, begins a new epoch: what was
// unsealed at that moment is sealed with the old one, and both stay verifiable.
func TestSealAuditAfterARestore(t *testing.T) {
	r := newTrail(t)
	const far = 1 << 50 // where the cluster stood that the events come from
	arrive := func(n, xid int) {
		for range n {
			_, err := r.Pool().Exec(t.Context(), "insert into audit_events (at, xid, class, kind, actor, outcome) values (now(), $1::bigint::text::xid8, $2, 'test.restored', 'ac_test', 'success')", int64(far+xid), class)
			storetest.Must(t, err)
		}
	}
	arrive(3, 10)
	storetest.Must(t, r.SealAuditBelow(t.Context(), class, far+20, r.signer, storetest.At))
	before := r.checkpoint(t)
	arrive(2, 30) // unsealed when the copy was taken
	r.write(t, class, 4)
	r.sealAll(t)
	after := r.checkpoint(t)
	if after.Epoch != 2 || after.AfterID != 5 || after.Rows != 4 {
		t.Fatalf("the newest checkpoint is %s", after)
	}
	r.write(t, class, 2)
	r.sealAll(t)
	r.wantIntact(t, 11, 0, before, after)

	for _, c := range []struct {
		name, forge, undo string
		want              store.AuditFindingKind
	}{
		{"old epoch", "update audit_events set actor = 'x' where id = 5", "update audit_events set actor = 'ac_test' where id = 5", store.EventsDiffer},
		{"new epoch", "update audit_events set actor = 'x' where id = 6", "update audit_events set actor = 'ac_test' where id = 6", store.EventsDiffer},
		{"behind the old epoch", fmt.Sprintf("insert into audit_events (id, at, xid, class, kind, actor, outcome) values (0+1, now(), '%d', 'authentication', 'x', 'x', 'success')", far+40),
			"delete from audit_events where kind = 'x'", store.EventsUnsealed},
	} {
		t.Run(c.name, func(t *testing.T) {
			r.forge(t, c.forge)
			wantFindings(t, r.verify(t), c.want)
			r.forge(t, c.undo)
			r.wantIntact(t, 11, 0)
		})
	}
}
