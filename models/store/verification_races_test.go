package store_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
)

// LOG-5: a verification that waits for a revocation, a suspension or the end of a term sees it, and none is accepted after it.
func TestVerifyNeverAcceptsAfterTheEnd(t *testing.T) {
	st := storetest.New(t)
	cases := []struct {
		name, change string
		want         models.VerificationResult
	}{
		{"revocation", "update credentials set phase = 'revoked', revoked_at = now() where id = $1", models.ResultRevoked},
		{"suspension", "update credentials set suspended_at = now(), suspended_by = 'person' where id = $1", models.ResultSuspended},
		{"shortened term", "update credentials set purchased_at = expires_at - interval '2 years', expires_at = expires_at - interval '1 year' where id = $1", models.ResultExpired},
		{"token revoked", "update authenticators set status = 'revoked', revoked_at = now() where credential_id = $1", models.ResultRevoked},
		{"token locked", "update authenticators set status = 'locked', locked_at = now() where credential_id = $1", models.ResultLocked},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			for _, by := range []string{"user id", "credential", "serial"} {
				l := newLogin(t, st, storetest.EventDevice)
				q := store.VerificationRequest{Code: l.device.Press(codeLater), Actor: l.asker}
				switch by {
				case "user id":
					q.UserID = l.account.UserID
				case "credential":
					q.CredentialID = l.credential.ID
				default:
					q.Serial = l.device.Serial
				}
				end, err := st.Pool().Begin(t.Context())
				storetest.Must(t, err)
				defer end.Rollback(context.Background())
				_, err = end.Exec(t.Context(), c.change, l.credential.ID)
				storetest.Must(t, err)
				answer := make(chan models.VerificationResult)
				go func() { answer <- l.verify(t, q) }()
				waitFor(t, "the verification to wait for the change", func() bool {
					return query[int](t, st, "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'") > 0
				})
				storetest.Must(t, end.Commit(t.Context()))
				if got := <-answer; got != c.want {
					t.Errorf("by %s: a verification that waited says %s, want %s", by, got, c.want)
				}
			}
		})
	}
}

// waitFor polls a condition of the database.
func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// LOG-5: codes verified while the credential is revoked are accepted before the revocation or not at all. Order is told by
// commits: nothing accepted is visible after the revocation that was not visible to it.
func TestVerifyRacesRevocation(t *testing.T) {
	st := storetest.New(t)
	for range 5 {
		l := newLogin(t, st, storetest.EventDevice)
		var wg sync.WaitGroup
		for i := range 8 {
			code := l.device.Code(l.device.Next + int64(i))
			wg.Go(func() { l.verify(t, l.ask(code)) })
		}
		const accepted = "select count(*) from audit_events where kind = 'code.verified' and outcome = 'success' and credential_id = $1"
		var before int
		tx, err := st.Pool().Begin(t.Context())
		storetest.Must(t, err)
		defer tx.Rollback(context.Background())
		_, err = tx.Exec(t.Context(), "update credentials set phase = 'revoked', revoked_at = now() where id = $1", l.credential.ID)
		storetest.Must(t, err)
		_, err = tx.Exec(t.Context(), "update authenticators set status = 'revoked', revoked_at = now() where credential_id = $1", l.credential.ID)
		storetest.Must(t, err)
		storetest.Must(t, tx.QueryRow(t.Context(), accepted, l.credential.ID).Scan(&before))
		storetest.Must(t, tx.Commit(t.Context()))
		wg.Wait()
		if after := query[int](t, st, accepted, l.credential.ID); after != before {
			t.Fatalf("%d codes were accepted after the revocation", after-before)
		}
	}
}
