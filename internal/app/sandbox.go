package app

import (
	"context"
	"time"

	"tokendesk/activities/gateway/sandbox"
	"tokendesk/internal/sandboxclock"
	"tokendesk/models"
	"tokendesk/worker"
)

// timeMachine is what a sandbox moves time with; empty elsewhere.
type timeMachine struct {
	*sandboxclock.Machine
	bell  worker.Bell
	wakes []func() // simulators that deliver what is due
}

// openClock puts the vendor's now under the sandbox's clock, unless the configuration names another clock.
func (a *App) openClock(ctx context.Context) error {
	if !a.cfg.Sandbox || a.cfg.Clock != nil {
		if a.cfg.Clock == nil {
			a.cfg.Clock = RealClock
		}
		return nil
	}
	clock, err := sandboxclock.Open(ctx, a.store.Pool())
	if err != nil {
		return err
	}
	a.cfg.Clock = clock.Now
	a.run(ctx, clock.Run)
	a.time.Machine = sandboxclock.New(sandboxclock.Config{Clock: clock, Engine: a.engine.WorkflowService(), Namespace: a.cfg.Namespace,
		Sources: []sandboxclock.Source{{What: "webhooks of the simulators", Due: a.webhooksDue}},
		Prepare: a.prepareMonths, Hurry: a.hurry})
	return nil
}

// TimeMachine moves the sandbox's time; nil where there is no sandbox, or its clock is somebody else's.
func (a *App) TimeMachine() *sandboxclock.Machine { return a.time.Machine }

func (a *App) webhooksDue(ctx context.Context, at time.Time) (undone int, next time.Time, err error) {
	return sandbox.WebhooksDue(ctx, a.gateways.sandbox.Pool, at)
}

// prepareMonths makes the audit trail's partitions before the first event of a month is written. Writers may hold it up for a moment.
func (a *App) prepareMonths(ctx context.Context, at time.Time) (err error) {
	const tries, months = 5, 3
	for range tries {
		if _, err = a.store.EnsureAuditPartitions(ctx, at, months); models.KindOf(err) != models.Unavailable {
			break
		}
	}
	return err
}

func (a *App) hurry() {
	a.time.bell.Ring()
	for _, wake := range a.time.wakes {
		wake()
	}
}
