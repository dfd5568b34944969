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
	"tokendesk/internal/calendar"
	"tokendesk/models"
	"tokendesk/workflows"
)

var credentialStart = time.Date(2026, 11, 2, 15, 0, 0, 0, time.UTC)

// register stands in for the database: one credential and when the lifecycle looked at it.
type register struct {
	models.Credential
	locked    bool
	performed []string
	looks     []string // day and displayed status
	commands  []string
}

func newRegister() *register {
	return &register{Credential: models.Credential{ID: "cr_1", Kind: models.HardwareOTP, Phase: models.PendingRegistration, ExpiresAt: credentialStart.AddDate(1, 0, 0)}}
}

func (r *register) timeline(at time.Time) models.Timeline {
	p := models.DefaultPolicy()
	facts := models.LifeFacts{Phase: r.Phase, ExpiresAt: r.ExpiresAt, SuspendedAt: r.SuspendedAt, Performed: r.performed}
	return models.CredentialTimeline(facts, p, calendar.Bank(p.Location(), calendar.DefaultClose), at)
}

func (r *register) advance(_ context.Context, in workflows.CredentialAt) (f workflows.CredentialFacts, _ error) {
	if in.ID != r.ID {
		return f, models.NoSuchThing.New("no such credential")
	}
	for _, m := range r.timeline(in.At).Performable(in.At) {
		r.performed = append(r.performed, m.Key)
		switch m.Name {
		case models.TermSuspended:
			r.TermSuspendedAt = &m.At
		case models.CredentialRevokes:
			r.Phase = models.CredentialRevoked
		}
	}
	f = workflows.CredentialFacts{Status: r.Displayed(r.locked, in.At), ProductKind: r.Kind, Ended: r.Phase == models.CredentialRevoked}
	if next, ok := r.timeline(in.At).NextPerformed(in.At); ok {
		f.NextAt, f.NextWhat = next.At, next.What
	}
	r.looks = append(r.looks, fmt.Sprintf("%s %s", in.At.Format(time.DateOnly), f.Status))
	return f, nil
}

// command carries a command out on the register; a refusal is one of the database's.
func (r *register) command(name string, change func(workflows.CredentialCommand) error) func(context.Context, workflows.CredentialCommand) (struct{}, error) {
	return func(_ context.Context, in workflows.CredentialCommand) (struct{}, error) {
		r.commands = append(r.commands, fmt.Sprintf("%s %s by %s %s", name, in.ID, in.Actor, in.At.Format(time.DateOnly)))
		return struct{}{}, change(in)
	}
}

func (r *register) bind(b *workflows.Binder) {
	workflows.Bind(b, workflows.AdvanceCredential, r.advance)
	workflows.Bind(b, workflows.SuspendCredential, r.command("suspend", func(in workflows.CredentialCommand) error {
		r.SuspendedAt, r.SuspendedBy = &in.At, &in.By
		return nil
	}))
	workflows.Bind(b, workflows.ReenableCredential, r.command("re-enable", func(workflows.CredentialCommand) error {
		if r.SuspendedAt == nil {
			return models.NotSuspended.New("").Allowing("suspend")
		}
		r.SuspendedAt = nil
		return nil
	}))
	workflows.Bind(b, workflows.RevokeCredential, r.command("revoke", func(workflows.CredentialCommand) error {
		r.Phase = models.CredentialRevoked
		return nil
	}))
	workflows.Bind(b, workflows.ResetAuthenticator, r.command("reset", func(workflows.CredentialCommand) error { return nil }))
}

func (r *register) env() *testsuite.TestWorkflowEnvironment {
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestWorkflowEnvironment()
	env.SetStartTime(credentialStart)
	env.SetTestTimeout(10 * time.Second)
	env.RegisterWorkflowWithOptions(workflows.Credential, workflow.RegisterOptions{Name: string(models.CredentialLifecycle)})
	r.bind(workflows.NewBinder(env))
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

// LIF-1, LOG-4: the lifecycle looks at the start, at each signal and at each of the seven milestones, sleeps in between, and ends with
// the revocation only.
func TestCredentialLives(t *testing.T) {
	r := newRegister()
	env := r.env()
	change(env, 10, models.SignalCredentialChanged, func() { r.Phase = models.CredentialActive })
	change(env, 20, models.SignalAuthenticatorLocked, func() { r.locked = true })
	change(env, 21, models.SignalCredentialChanged, func() { r.locked = false })
	if err := run(env, r.ID); err != nil {
		t.Fatal(err)
	}
	want := []string{"2026-11-02 pending_activation", "2026-11-12 active", "2026-11-22 locked", "2026-11-23 active", "2027-10-03 active", "2027-11-02 expired",
		"2028-09-03 suspended", "2028-10-03 suspended", "2028-10-18 suspended", "2028-10-30 suspended", "2028-11-03 revoked"}
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
	want := []string{"2026-11-02 active", "2027-08-29 active", "2028-10-03 active", "2028-11-02 expired", "2029-01-10 revoked"}
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

// MGT-3, MGT-4: commands are carried out at the lifecycle's own now, and change what it waits for; a refusal is the answer, and the lifecycle
// goes on. After the revocation it ends.
func TestCredentialCommands(t *testing.T) {
	r := newRegister()
	r.Phase = models.CredentialActive
	env := r.env()
	var suspended, reenabled, refused, revoked outcome
	command := func(days int, update string, answer *outcome) {
		env.RegisterDelayedCallback(func() {
			env.UpdateWorkflow(update, fmt.Sprintf("%s/%d", update, days), answer, workflows.CredentialCommand{ID: "cr_forged", By: models.BySubscriber, Actor: "ac_1"})
		}, time.Duration(days)*24*time.Hour)
	}
	command(10, workflows.SuspendUpdate, &suspended)
	command(40, workflows.ReenableUpdate, &reenabled)
	command(41, workflows.ReenableUpdate, &refused)
	command(50, workflows.RevokeUpdate, &revoked)
	if err := run(env, r.ID); err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]outcome{"suspend": suspended, "re-enable": reenabled, "revoke": revoked} {
		if o.rejected != nil || o.err != nil {
			t.Errorf("%s: %v, %v", name, o.rejected, o.err)
		}
	}
	if !workflows.Refused(refused.err, models.NotSuspended) {
		t.Errorf("the second re-enabling ended with %v", refused.err)
	}
	wantCommands := []string{"suspend cr_1 by ac_1 2026-11-12", "re-enable cr_1 by ac_1 2026-12-12", "re-enable cr_1 by ac_1 2026-12-13", "revoke cr_1 by ac_1 2026-12-22"}
	if !slices.Equal(r.commands, wantCommands) {
		t.Errorf("carried out %v", r.commands)
	}
	want := []string{"2026-11-02 active", "2026-11-12 suspended", "2026-12-12 suspended", "2026-12-12 active", "2026-12-22 revoked"}
	if !slices.Equal(r.looks, want) {
		t.Errorf("looked\n%s, want\n%s", strings.Join(r.looks, "\n"), strings.Join(want, "\n"))
	}
}

// LIF-2: a suspension that nobody lifts ends in the revocation, after its reminders.
func TestSuspensionIsBounded(t *testing.T) {
	r := newRegister()
	r.Phase = models.CredentialActive
	env := r.env()
	change(env, 10, models.SignalCredentialChanged, func() {
		since, by := credentialStart.AddDate(0, 0, 10), models.ByAdministrator
		r.SuspendedAt, r.SuspendedBy = &since, &by
	})
	if err := run(env, r.ID); err != nil {
		t.Fatal(err)
	}
	want := []string{"2026-11-02 active", "2026-11-12 suspended", "2026-12-12 suspended", "2026-12-27 suspended", "2027-01-08 suspended", "2027-01-12 revoked"}
	if !slices.Equal(r.looks, want) {
		t.Errorf("looked\n%s, want\n%s", strings.Join(r.looks, "\n"), strings.Join(want, "\n"))
	}
}
