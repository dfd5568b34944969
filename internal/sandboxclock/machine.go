package sandboxclock

import (
	"context"
	"errors"
	"fmt"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"tokendesk/models"
)

// Config says what a time machine moves.
type Config struct {
	Clock     *Clock
	Engine    workflowservice.WorkflowServiceClient
	Namespace string

	// Sources have things to do at dates of their own, beside the lifecycles, the mails and the messages to the engine.
	Sources []Source
	// Prepare makes ready for what will be written at a moment that the clock is about to reach; may be nil.
	Prepare func(ctx context.Context, at time.Time) error
	// Hurry tells those in this process who deliver what is due that something is; may be nil.
	Hurry func()
	// Patience is how long an advance waits for something that makes no progress; 20 seconds when 0.
	Patience time.Duration
}

// Machine is the time machine of a sandbox.
type Machine struct{ Config }

const defaultPatience = 20 * time.Second

// New makes a time machine.
func New(cfg Config) *Machine {
	if cfg.Patience == 0 {
		cfg.Patience = defaultPatience
	}
	if cfg.Prepare == nil {
		cfg.Prepare = func(context.Context, time.Time) error { return nil }
	}
	if cfg.Hurry == nil {
		cfg.Hurry = func() {}
	}
	return &Machine{cfg}
}

// Now returns the sandbox's now, and how far it is ahead of real time.
func (m *Machine) Now(ctx context.Context) (time.Time, time.Duration, error) {
	ahead, err := m.Clock.Reload(ctx)
	return realNow().Add(ahead), ahead, err
}

// Advance moves time on: for all running lifecycles in order of due dates, or for one alone, and the sandbox's now with them.
// Lifecycles that start on the way come along. Where it cannot arrive, the report says how far it came.
//
// After the advance of one lifecycle the others lie behind the sandbox's now; what they have missed they do, at its own date and
// in order, in the next advance of all.
//
// Faults: InvalidRequest; NoSuchThing and StateForbids (one lifecycle that is unknown, or has ended); SandboxClockUnavailable
// (the engine does not skip time, and nothing was changed); SandboxClockBusy; SandboxClockBlocked, which names what blocks it;
// ServiceDown.
func (m *Machine) Advance(ctx context.Context, a Advance) (Report, error) {
	if _, _, err := m.aim(ctx, a); err != nil {
		return Report{}, err
	}
	unlock, err := m.lock(ctx)
	if err != nil {
		return Report{}, err
	}
	defer unlock()
	if err := m.able(ctx); err != nil {
		return Report{}, err
	}
	from, to, err := m.aim(ctx, a) // an advance that has just ended may have moved it
	if err != nil {
		return Report{}, err
	}
	j := newJourney(m, a.WorkflowID, to)
	err = j.travel(ctx)
	return j.report(from, err == nil), err
}

// aim returns where an advance begins and where it is to end.
func (m *Machine) aim(ctx context.Context, a Advance) (from, to time.Time, err error) {
	if from, _, err = m.Now(ctx); err != nil {
		return from, to, err
	}
	to, err = a.target(from)
	return from, to, err
}

// lock lets one advance at a time through, of all processes on the database. The lock ends with its connection at the latest.
func (m *Machine) lock(ctx context.Context) (unlock func(), err error) {
	conn, err := m.Clock.pool.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("lock the sandbox clock: %w", err)
	}
	var free bool
	if err := conn.QueryRow(ctx, "select pg_try_advisory_lock(hashtext('sandbox_clock'))").Scan(&free); err != nil || !free {
		conn.Release()
		if err != nil {
			return nil, fmt.Errorf("lock the sandbox clock: %w", err)
		}
		return nil, models.SandboxClockBusy.New("")
	}
	return func() {
		ctx := context.WithoutCancel(ctx)
		if _, err := conn.Exec(ctx, "select pg_advisory_unlock(hashtext('sandbox_clock'))"); err != nil {
			_ = conn.Conn().Close(ctx) // and the lock with it
		}
		conn.Release()
	}, nil
}

// able asks the engine to skip the time of a lifecycle that does not exist. Whether it would is answered first.
func (m *Machine) able(ctx context.Context) error {
	err := m.skip(ctx, "sandbox-clock-probe", &commonpb.TimeSkippingConfig{Enabled: true, DisablePropagation: true, MaxSessionSkipCount: 1})
	if _, missing := errors.AsType[*serviceerror.NotFound](err); missing {
		return nil
	}
	_, off := errors.AsType[*serviceerror.Unimplemented](err)
	_, older := errors.AsType[*serviceerror.InvalidArgument](err)
	switch {
	case off || older:
		return models.SandboxClockUnavailable.Because(err)
	case err == nil:
		return models.SandboxClockUnavailable.New("a lifecycle goes by the name of the probe")
	}
	return models.ServiceDown.Because(fmt.Errorf("ask the engine whether it skips time: %w", err))
}

// skip tells the engine how to skip the time of a lifecycle from now on.
func (m *Machine) skip(ctx context.Context, workflowID string, how *commonpb.TimeSkippingConfig) error {
	_, err := m.Engine.UpdateWorkflowExecutionOptions(ctx, &workflowservice.UpdateWorkflowExecutionOptionsRequest{
		Namespace: m.Namespace, WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: workflowID},
		WorkflowExecutionOptions: &workflowpb.WorkflowExecutionOptions{TimeSkippingConfig: how},
		UpdateMask:               &fieldmaskpb.FieldMask{Paths: []string{"time_skipping_config"}},
	})
	return err
}
