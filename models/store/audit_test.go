package store_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"tokendesk/internal/seal"
	"tokendesk/internal/testpg"
	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
)

// trail is an audit trail and whoever signs it.
type trail struct {
	*store.Store
	signer *seal.Signer
}

const class = models.AuthenticationEvents

func newTrail(t *testing.T) trail {
	t.Helper()
	st, err := store.Open(t.Context(), testpg.Open(t))
	storetest.Must(t, err)
	t.Cleanup(st.Close)
	signer, err := seal.GenerateSigner()
	storetest.Must(t, err)
	return trail{st, signer}
}

// write writes n events of a class, each in a transaction of its own.
func (r trail) write(t *testing.T, c models.RetentionClass, n int) {
	t.Helper()
	for i := range n {
		credential := fmt.Sprintf("cr_%d", i%3)
		storetest.Must(t, r.Audit(t.Context(), models.AuditEvent{At: storetest.At.Add(time.Duration(i) * time.Second), Class: c, Kind: "test.written", Actor: "ac_test",
			CredentialID: &credential, Outcome: models.Succeeded, Detail: map[string]string{"n": strconv.Itoa(i)}}))
	}
}

func (r trail) seal(t *testing.T) int {
	t.Helper()
	n, err := r.SealAudit(t.Context(), class, r.signer, storetest.At)
	storetest.Must(t, err)
	return n
}

func (r trail) checkpoint(t *testing.T) models.Checkpoint {
	t.Helper()
	c, ok, err := r.LastCheckpoint(t.Context(), class)
	if err != nil || !ok {
		t.Fatalf("no checkpoint: %v", err)
	}
	return c
}

// verify returns what the verification finds.
func (r trail) verify(t *testing.T, known ...models.Checkpoint) store.AuditReport {
	t.Helper()
	report, err := r.VerifyAudit(t.Context(), class, r.signer.Verifier, known...)
	storetest.Must(t, err)
	return report
}

func (r trail) wantIntact(t *testing.T, events, unsealed int64, known ...models.Checkpoint) store.AuditReport {
	t.Helper()
	report := r.verify(t, known...)
	if !report.Intact() || report.Events != events || report.Unsealed != unsealed {
		t.Fatalf("%d events in %d batches, %d unsealed, findings %v; want %d events, %d unsealed, intact",
			report.Events, report.Batches, report.Unsealed, report.Findings, events, unsealed)
	}
	return report
}

// forge changes the database as someone does who can switch off its triggers.
func (r trail) forge(t *testing.T, statements ...string) {
	t.Helper()
	tx, err := r.Pool().Begin(t.Context())
	storetest.Must(t, err)
	defer tx.Rollback(context.Background())
	for _, sql := range append([]string{"set local session_replication_role = replica"}, statements...) {
		tag, err := tx.Exec(t.Context(), sql)
		storetest.Must(t, err)
		if tag.RowsAffected() == 0 && !tag.Select() && tag.String() != "SET" {
			t.Fatalf("%s changed nothing", sql)
		}
	}
	storetest.Must(t, tx.Commit(t.Context()))
}

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

// SEC-3: nothing of the trail can be changed, removed or added without being found.
func TestVerifyAuditFindsTampering(t *testing.T) {
	const second = "(select id from audit_events order by id offset 4 limit 1)" // an event of the second of three batches
	cases := []struct {
		name  string
		forge []string
		want  store.AuditFindingKind
		batch int64
	}{
		{"kind changed", []string{"update audit_events set kind = 'x' where id = " + second}, store.EventsDiffer, 2},
		{"actor changed", []string{"update audit_events set actor = 'ac_other' where id = " + second}, store.EventsDiffer, 2},
		{"moment changed", []string{"update audit_events set at = at + interval '1 microsecond' where id = " + second}, store.EventsDiffer, 2},
		{"credential changed", []string{"update audit_events set credential_id = 'cr_other' where id = " + second}, store.EventsDiffer, 2},
		{"credential removed", []string{"update audit_events set credential_id = null where id = " + second}, store.EventsDiffer, 2},
		{"authenticator made empty instead of none", []string{"update audit_events set authenticator_id = '' where id = " + second}, store.EventsDiffer, 2},
		{"a character moved from one field to the next", []string{"update audit_events set subject_ref = 's', outcome = 'uccess' where id = " + second}, store.EventsDiffer, 2},
		{"outcome changed", []string{"update audit_events set outcome = 'failure' where id = " + second}, store.EventsDiffer, 2},
		{"detail changed", []string{`update audit_events set detail = '{"n": "9"}' where id = ` + second}, store.EventsDiffer, 2},
		{"id changed", []string{"update audit_events set id = id + 100 where id = " + second}, store.EventsDiffer, 2},
		{"moved to another class", []string{"update audit_events set class = 'lifecycle' where id = " + second}, store.EventsDiffer, 2},
		{"removed", []string{"delete from audit_events where id = " + second}, store.EventsDiffer, 2},
		{"moved to another batch", []string{"update audit_events set xid = (select min(lo::text::bigint) + 1 from audit_seals where batch = 1)::text::xid8 where id = " + second}, store.EventsDiffer, 1},
		{"added with an old number", []string{"insert into audit_events (at, xid, class, kind, actor, outcome) select at, xid, class, 'x', 'ac_forger', outcome from audit_events where id = " + second}, store.EventsDiffer, 2},
		{"removed and the count corrected", []string{"delete from audit_events where id = " + second, "update audit_seals set row_count = row_count - 1 where batch = 2"}, store.SignatureWrong, 2},
		{"seal given another moment", []string{"update audit_seals set sealed_at = sealed_at - interval '1 year' where batch = 2"}, store.SignatureWrong, 2},
		{"seal given another hash", []string{"update audit_seals set hash = sha256('x') where batch = 2"}, store.SignatureWrong, 2},
		{"seal given another predecessor", []string{"update audit_seals set previous = sha256('x') where batch = 2"}, store.EventsDiffer, 2},
		{"seal removed with its events", []string{"delete from audit_events e using audit_seals s where s.batch = 2 and e.xid >= s.lo and e.xid < s.hi", "delete from audit_seals where batch = 2"}, store.SealBroken, 3},
		{"seal removed, its events left", []string{"delete from audit_seals where batch = 2"}, store.EventsUnsealed, 3},
		{"beginning removed", []string{"delete from audit_events e using audit_seals s where s.batch = 1 and e.xid < s.hi", "delete from audit_seals where batch = 1"}, store.SealBroken, 2},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := newTrail(t)
			for range 3 {
				r.write(t, class, 3)
				r.sealNow(t)
			}
			r.wantIntact(t, 9, 0)
			r.forge(t, c.forge...)
			findings := r.verify(t).Findings
			if !slices.ContainsFunc(findings, func(f store.AuditFinding) bool { return f.Kind == c.want && f.Batch == c.batch }) {
				t.Fatalf("found %v; want %s in batch %d", findings, c.want, c.batch)
			}
		})
	}
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

// SEC-3: a trail that was cut off at its end, or written anew by someone who holds the key, agrees with itself; a checkpoint kept elsewhere
// gives it away.
func TestVerifyAuditAgainstCheckpoints(t *testing.T) {
	r := newTrail(t)
	var known []models.Checkpoint
	for range 3 {
		r.write(t, class, 3)
		r.sealNow(t)
		known = append(known, r.checkpoint(t))
	}
	r.wantIntact(t, 9, 0, known...)

	forged := known[1]
	forged.Rows = 2
	wantFindings(t, r.verify(t, forged), store.CheckpointWrong)
	otherClass := known[1]
	otherClass.Class = models.LifecycleEvents
	wantFindings(t, r.verify(t, otherClass))

	r.forge(t, "delete from audit_events e using audit_seals s where s.batch = 3 and e.xid >= s.lo", "delete from audit_seals where batch = 3")
	r.wantIntact(t, 6, 0, known[:2]...)
	wantFindings(t, r.verify(t, known...), store.CheckpointMissing)

	r.write(t, class, 1)
	r.sealNow(t)
	r.wantIntact(t, 7, 0, known[:2]...)
	wantFindings(t, r.verify(t, known...), store.CheckpointsDisagree)

	r.forge(t, "delete from audit_events", "delete from audit_seals")
	r.wantIntact(t, 0, 0)
	wantFindings(t, r.verify(t, known[2]), store.CheckpointMissing)
}

func wantFindings(t *testing.T, report store.AuditReport, want ...store.AuditFindingKind) {
	t.Helper()
	var got []store.AuditFindingKind
	for _, f := range report.Findings {
		got = append(got, f.Kind)
	}
	if !slices.Equal(got, want) {
		t.Fatalf("found %v, want %v", report.Findings, want)
	}
}

// SEC-3: seals of a former key stand, those of a stranger do not.
func TestVerifyAuditSigners(t *testing.T) {
	r := newTrail(t)
	r.write(t, class, 1)
	r.sealNow(t)
	rotated, err := r.signer.Rotate()
	storetest.Must(t, err)
	former := r.signer
	r.signer = rotated
	r.write(t, class, 1)
	r.sealNow(t)
	r.wantIntact(t, 2, 0)
	report, err := r.VerifyAudit(t.Context(), class, former.Verifier)
	storetest.Must(t, err)
	wantFindings(t, report, store.SignatureWrong)
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

// SEC-3: the database itself refuses to change or empty the trail, in whatever partition.
func TestAuditIsAppendOnly(t *testing.T) {
	r := newTrail(t)
	_, err := r.EnsureAuditPartitions(t.Context(), storetest.At, 1)
	storetest.Must(t, err)
	r.write(t, class, 1)
	r.sealNow(t)
	for _, sql := range []string{
		"update audit_events set kind = 'x'", "delete from audit_events", "truncate audit_events",
		"update audit_authentication_2026_11 set kind = 'x'", "delete from audit_authentication_2026_11", "truncate audit_authentication_2026_11",
		"truncate audit_authentication", "truncate audit_lifecycle", "truncate audit_administration",
		"truncate audit_authentication_rest", "truncate audit_lifecycle_rest", "truncate audit_administration_rest",
		"update audit_seals set row_count = 0", "delete from audit_seals", "truncate audit_seals",
	} {
		if _, err := r.Pool().Exec(t.Context(), sql); err == nil {
			t.Errorf("%s: allowed", sql)
		}
	}
	r.wantIntact(t, 1, 0)
}

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

// SEC-3: the trail of one credential, in pages, over all classes.
func TestAuditOfCredential(t *testing.T) {
	r := newTrail(t)
	r.write(t, class, 6)
	r.write(t, models.LifecycleEvents, 6)
	var got []int64
	page := store.Page{Limit: 3}
	for {
		events, err := r.AuditOfCredential(t.Context(), "cr_1", page)
		storetest.Must(t, err)
		for _, e := range events {
			if *e.CredentialID != "cr_1" || e.Kind != "test.written" || e.Detail["n"] == "" || e.At.IsZero() {
				t.Fatalf("got %+v", e)
			}
			got = append(got, e.ID)
		}
		if len(events) < 3 {
			break
		}
		page.After = strconv.FormatInt(events[len(events)-1].ID, 10)
	}
	if !slices.Equal(got, []int64{11, 8, 5, 2}) {
		t.Fatalf("got events %v", got)
	}
	_, err := r.AuditOfCredential(t.Context(), "cr_1", store.Page{After: "x"})
	wantFault(t, err, models.InvalidRequest)
}
