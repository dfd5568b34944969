package store_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
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
