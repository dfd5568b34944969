package store_test

import (
	"slices"
	"testing"

	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
)

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
