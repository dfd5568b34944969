package api

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"tokendesk/api/gen"
	"tokendesk/internal/seal"
	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
	"tokendesk/worker"
)

// archive is a house whose audit trail is sealed by a worker, with checkpoints in a file.
type archive struct {
	*house
	signer  *seal.Signer
	file    string
	auditor models.Secret
}

func newArchive(t *testing.T, file string) archive {
	t.Helper()
	signer, err := seal.GenerateSigner()
	storetest.Must(t, err)
	a := archive{signer: signer, file: file}
	a.house = newHouse(t, func(c *Config) { c.AuditKeys, c.CheckpointFile = signer.Verifier, file })
	a.auditor = a.as(models.RoleAuditor)
	return a
}

func (a archive) verification() gen.AuditVerification {
	a.t.Helper()
	return read[gen.AuditVerification](a.get(a.auditor, "/v1/audit/verification").want(http.StatusOK))
}

func chainOf(v gen.AuditVerification, class models.RetentionClass) gen.AuditChain {
	return v.Chains[slices.IndexFunc(v.Chains, func(c gen.AuditChain) bool { return c.Class == class })]
}

// write writes an event, and has the worker's sealer seal it as a batch of its own.
func (a archive) write() gen.AuditVerification {
	a.t.Helper()
	before := chainOf(a.verification(), models.AuthenticationEvents)
	storetest.Must(a.t, a.st.Audit(a.t.Context(), models.AuditEvent{At: a.now(), Class: models.AuthenticationEvents, Kind: "test.written", Actor: "ac_test", Outcome: models.Succeeded}))
	ctx, stop := context.WithCancel(a.t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		(&worker.Sealer{Store: a.st, Signer: a.signer, Clock: a.now, CheckpointFile: a.file}).Run(ctx)
	}()
	defer func() { stop(); <-ended }()
	deadline := time.Now().Add(30 * time.Second)
	for {
		v := a.verification()
		chain := chainOf(v, models.AuthenticationEvents)
		kept := a.file == "" || a.lines(models.AuthenticationEvents, chain.Batches) > 0
		if chain.Batches > before.Batches && v.Chains[2].Unsealed+v.Chains[1].Unsealed+chain.Unsealed == 0 && kept {
			return a.verification()
		}
		if time.Now().After(deadline) {
			a.t.Fatalf("waited in vain for the sealer: %+v", v)
		}
	}
}

// lines counts the lines of a batch in the file.
func (a archive) lines(class models.RetentionClass, batch int64) (n int) {
	a.t.Helper()
	text, err := os.ReadFile(a.file)
	if os.IsNotExist(err) {
		return 0
	}
	storetest.Must(a.t, err)
	for line := range strings.Lines(string(text)) {
		if c, err := models.ParseCheckpoint(line); err == nil && c.Class == class && c.Batch == batch {
			n++
		}
	}
	return n
}

// cut removes the batches from one on, as someone does who rules the database.
func (a archive) cut(from int64) {
	a.t.Helper()
	ctx := a.t.Context()
	storetest.Must(a.t, pgx.BeginFunc(ctx, a.st.Pool(), func(tx pgx.Tx) error {
		for _, sql := range []string{"set local session_replication_role = replica",
			"delete from audit_events where class = 'authentication' and xid >= (select min(lo::text::bigint) from audit_seals where class = 'authentication' and batch >= $1)::text::xid8",
			"delete from audit_seals where class = 'authentication' and batch >= $1"} {
			var args []any
			if strings.Contains(sql, "$1") {
				args = []any{from}
			}
			if tag, err := tx.Exec(ctx, sql, args...); err != nil || args != nil && tag.RowsAffected() == 0 {
				a.t.Fatalf("%s: %s, %v", sql, tag, err)
			}
		}
		return nil
	}))
}

// SEC-3: a superuser of the database who deletes the newest seals and their events is noticed, at once and after the trail has gone on.
func TestTruncationIsNoticed(t *testing.T) {
	a := newArchive(t, filepath.Join(t.TempDir(), "checkpoints.log"))
	if v := a.verification(); !v.Intact || chainOf(v, models.AuthenticationEvents).TruncationChecked {
		t.Fatalf("before the first seal: %+v", v)
	}
	var v gen.AuditVerification
	for range 3 {
		v = a.write()
	}
	chain := chainOf(v, models.AuthenticationEvents)
	if !v.Intact || !v.TruncationChecked || !chain.TruncationChecked {
		t.Fatalf("nothing happened: %+v", v)
	}
	for n := range chain.Batches {
		if lines := a.lines(models.AuthenticationEvents, n+1); lines != 1 {
			t.Errorf("%d lines of batch %d", lines, n+1)
		}
	}

	a.cut(chain.Batches - 1)
	a.wantFinding(a.verification(), store.CheckpointMissing)
	a.wantFinding(a.write(), store.CheckpointMissing) // one batch of two is there again
	a.wantFinding(a.write(), store.CheckpointsDisagree)
	a.wantFinding(a.write(), store.CheckpointsDisagree) // the trail is longer than it ever was
}

func (a archive) wantFinding(v gen.AuditVerification, kind store.AuditFindingKind) {
	a.t.Helper()
	chain := chainOf(v, models.AuthenticationEvents)
	found := slices.ContainsFunc(chain.Findings, func(f gen.AuditFinding) bool { return f.Kind == string(kind) })
	if v.Intact || chain.Intact || !v.TruncationChecked || !found {
		a.t.Fatalf("want %s: %+v", kind, v)
	}
}

// SEC-3: without checkpoints kept elsewhere a truncated trail agrees with itself; the answer does not hide that.
func TestTruncationIsNotChecked(t *testing.T) {
	a := newArchive(t, "")
	a.write()
	a.cut(chainOf(a.write(), models.AuthenticationEvents).Batches)
	if v := a.verification(); !v.Intact || v.TruncationChecked || slices.ContainsFunc(v.Chains, func(c gen.AuditChain) bool { return c.TruncationChecked }) {
		t.Fatalf("no file: %+v", v)
	}
}

// SEC-3: the file vanished while there are seals; or it has a line that nobody here signed, which is reported and not believed.
func TestCheckpointFileIsNotTrusted(t *testing.T) {
	a := newArchive(t, filepath.Join(t.TempDir(), "checkpoints.log"))
	last := chainOf(a.write(), models.AuthenticationEvents).Batches
	c, _, err := a.st.LastCheckpoint(t.Context(), models.AuthenticationEvents)
	storetest.Must(t, err)
	genuine, err := os.ReadFile(a.file)
	storetest.Must(t, err)
	stranger, err := seal.GenerateSigner()
	storetest.Must(t, err)
	c.Batch = last + 9
	signature := stranger.Sign(c.Message())
	c.KeyID, c.Signature = signature.KeyID, signature.Value
	storetest.Must(t, os.WriteFile(a.file, append(genuine, c.String()+"\n"...), 0o600))

	v := a.verification()
	chain := chainOf(v, models.AuthenticationEvents)
	if v.Intact || !chain.Intact || !chain.TruncationChecked || len(v.RejectedCheckpoints) != 1 {
		t.Fatalf("a forged line: %+v", v)
	}
	if r := v.RejectedCheckpoints[0]; int(r.Line) != strings.Count(string(genuine), "\n")+1 || r.Detail == "" {
		t.Errorf("rejected %+v", r)
	}

	storetest.Must(t, os.Remove(a.file))
	if v := a.verification(); !v.Intact || v.TruncationChecked {
		t.Fatalf("the file is gone: %+v", v)
	}
}
