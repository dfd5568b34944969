package activities_test

import (
	"slices"
	"testing"
	"time"

	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"
	"tokendesk/activities"
	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
	"tokendesk/workflows"
)

// LIF-1, LOG-4: a credential's whole life on a real database, in virtual time: it expires once, each lock is mailed once, and
// revocation ends the lifecycle.
func TestCredentialLifecycle(t *testing.T) {
	st, ring := storetest.New(t), storetest.Keyring(t)
	account := storetest.Account(t, st)
	c, _ := storetest.Registered(t, st, ring, account, storetest.ClockDevice, storetest.At)
	_, bound, err := st.Credential(t.Context(), c.ID)
	if err != nil {
		t.Fatal(err)
	}
	env := environment(st)
	after := func(days int, name models.Signal, ref, sql string, args ...any) {
		env.RegisterDelayedCallback(func() {
			if _, err := st.Pool().Exec(t.Context(), sql, args...); err != nil {
				t.Error(err)
			}
			env.SignalWorkflow(string(name), ref)
			env.SignalWorkflow(string(name), ref) // the outbox delivers at least once
		}, time.Duration(days)*24*time.Hour)
	}
	device := bound[0].ID
	for _, day := range []int{30, 60} {
		after(day, models.SignalAuthenticatorLocked, device, "update authenticators set status = 'locked', locked_at = $2 where id = $1", device, storetest.At.AddDate(0, 0, day))
		after(day+1, models.SignalCredentialChanged, c.ID, "update authenticators set status = 'active', locked_at = null where id = $1", device)
	}
	after(500, models.SignalCredentialChanged, c.ID, "update credentials set phase = 'revoked', revoked_at = $2 where id = $1", c.ID, storetest.At.AddDate(0, 0, 500))
	env.ExecuteWorkflow(string(models.CredentialLifecycle), workflows.CredentialInput{ID: c.ID})
	if err := env.GetWorkflowError(); err != nil || !env.IsWorkflowCompleted() {
		t.Fatalf("ended with %v", err)
	}
	if got, want := mails(t, st, c.ID), []models.NoticeKind{models.NoticeActivated, models.NoticeExpired, models.NoticeExpiryAhead, models.NoticeLocked, models.NoticeLocked, models.NoticeRegistered}; !slices.Equal(got, want) {
		t.Errorf("mails %v, want %v", got, want)
	}
	if c, _, _ := st.Credential(t.Context(), c.ID); c.ExpiredAt == nil || !c.ExpiredAt.Equal(c.ExpiresAt) {
		t.Errorf("expired at %v, the term ended at %v", c.ExpiredAt, c.ExpiresAt)
	}
}

func environment(st *store.Store) *testsuite.TestWorkflowEnvironment {
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestWorkflowEnvironment()
	env.SetStartTime(storetest.At)
	env.SetTestTimeout(time.Minute)
	env.RegisterWorkflowWithOptions(workflows.Credential, workflow.RegisterOptions{Name: string(models.CredentialLifecycle)})
	(&activities.Credentials{Store: st}).Bind(workflows.NewBinder(env))
	return env
}

func mails(t *testing.T, st *store.Store, ref string) (kinds []models.NoticeKind) {
	t.Helper()
	rows, err := st.NoticesAbout(t.Context(), ref, store.Page{Limit: 200})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range rows {
		kinds = append(kinds, n.Kind)
	}
	slices.Sort(kinds)
	return kinds
}
