package workflows_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"
	"tokendesk/models"
	"tokendesk/workflows"
)

var credentialStart = time.Date(2026, 11, 2, 15, 0, 0, 0, time.UTC)

// register stands in for the database: one credential and when the lifecycle looked at it.
type register struct {
	models.Credential
	locked bool
	looks  []string // day and displayed status
}

func newRegister() *register {
	return &register{Credential: models.Credential{ID: "cr_1", Kind: models.HardwareOTP, Phase: models.PendingRegistration, ExpiresAt: credentialStart.AddDate(1, 0, 0)}}
}

func (r *register) advance(_ context.Context, in workflows.CredentialAt) (f workflows.CredentialFacts, _ error) {
	if in.ID != r.ID {
		return f, models.NoSuchThing.New("no such credential")
	}
	for _, m := range models.CredentialTimeline(r.Credential).Due(in.At) {
		r.ExpiredAt = &m.At
	}
	f = workflows.CredentialFacts{Status: r.Displayed(r.locked, in.At), ProductKind: r.Kind, Ended: r.Phase == models.CredentialRevoked}
	if next, ok := models.CredentialTimeline(r.Credential).Next(in.At); ok {
		f.NextAt, f.NextWhat = next.At, next.What
	}
	r.looks = append(r.looks, fmt.Sprintf("%s %s", in.At.Format(time.DateOnly), f.Status))
	return f, nil
}

func (r *register) env() *testsuite.TestWorkflowEnvironment {
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestWorkflowEnvironment()
	env.SetStartTime(credentialStart)
	env.SetTestTimeout(10 * time.Second)
	env.RegisterWorkflowWithOptions(workflows.Credential, workflow.RegisterOptions{Name: string(models.CredentialLifecycle)})
	workflows.Bind(workflows.NewBinder(env), workflows.AdvanceCredential, r.advance)
	return env
}

func run(env *testsuite.TestWorkflowEnvironment, id string) error {
	env.ExecuteWorkflow(string(models.CredentialLifecycle), workflows.CredentialInput{ID: id})
	return env.GetWorkflowError()
}

// change signals the lifecycle after the register has changed, so many days after the start.
func change(env *testsuite.TestWorkflowEnvironment, days int, name models.Signal, f func()) {
	env.RegisterDelayedCallback(func() {
		f()
		env.SignalWorkflow(string(name), "id")
	}, time.Duration(days)*24*time.Hour)
}

// LIF-1, LOG-4: the lifecycle looks at the start, at each signal and at each milestone, sleeps in between, and ends with the
// revocation only.
func TestCredentialLives(t *testing.T) {
	r := newRegister()
	env := r.env()
	change(env, 10, models.SignalCredentialChanged, func() { r.Phase = models.CredentialActive })
	change(env, 20, models.SignalAuthenticatorLocked, func() { r.locked = true })
	change(env, 21, models.SignalCredentialChanged, func() { r.locked = false })
	change(env, 800, models.SignalCredentialChanged, func() { r.Phase = models.CredentialRevoked })
	if err := run(env, r.ID); err != nil {
		t.Fatal(err)
	}
	want := []string{"2026-11-02 pending_activation", "2026-11-12 active", "2026-11-22 locked", "2026-11-23 active", "2027-11-02 expired", "2029-01-10 revoked"}
	if !slices.Equal(r.looks, want) {
		t.Errorf("looked\n%s, want\n%s", strings.Join(r.looks, "\n"), strings.Join(want, "\n"))
	}
}

// LIF-1: a term that was moved on while the lifecycle slept is slept on anew.
func TestCredentialRenewedMeanwhile(t *testing.T) {
	r := newRegister()
	r.Phase = models.CredentialActive
	env := r.env()
	change(env, 300, models.SignalCredentialChanged, func() { r.ExpiresAt = r.ExpiresAt.AddDate(1, 0, 0) })
	change(env, 800, models.SignalCredentialChanged, func() { r.Phase = models.CredentialRevoked })
	if err := run(env, r.ID); err != nil {
		t.Fatal(err)
	}
	want := []string{"2026-11-02 active", "2027-08-29 active", "2028-11-02 expired", "2029-01-10 revoked"}
	if !slices.Equal(r.looks, want) {
		t.Errorf("looked\n%s, want\n%s", strings.Join(r.looks, "\n"), strings.Join(want, "\n"))
	}
}

// LIF-1: before its history grows too long the lifecycle continues as new, with its id alone, and no signal is left behind.
func TestCredentialContinuesAsNew(t *testing.T) {
	r := newRegister()
	env := r.env()
	change(env, 10, models.SignalCredentialChanged, func() {
		env.SetContinueAsNewSuggested(true)
		r.Phase = models.CredentialActive
		env.SignalWorkflow(string(models.SignalAuthenticatorLocked), "au_1")
	})
	err := run(env, r.ID)
	next, ok := errors.AsType[*workflow.ContinueAsNewError](err)
	if !ok || next.WorkflowType.Name != string(models.CredentialLifecycle) {
		t.Fatalf("ended with %v", err)
	}
	if len(r.looks) < 2 || r.looks[len(r.looks)-1] != "2026-11-12 active" {
		t.Errorf("looked %v: the signals were not taken before the next run", r.looks)
	}
}

// A credential that does not exist ends its lifecycle with the refusal, instead of trying for ever.
func TestCredentialUnknown(t *testing.T) {
	err := run(newRegister().env(), "cr_none")
	if err == nil || !workflows.Refused(err, models.NoSuchThing) {
		t.Errorf("ended with %v", err)
	}
}
