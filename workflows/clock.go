package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"
)

// now is the lifecycle's own now, in the database's precision. It may be virtual.
func now(ctx workflow.Context) time.Time { return workflow.Now(ctx).UTC().Truncate(time.Microsecond) }

// waitUntil waits for the condition, at most until the deadline (zero: for ever), and reports whether the condition came
// true. Timers are armed anew from absolute deadlines, so they survive continue-as-new; one that is not needed any more is cancelled, or
// it would wake the run for nothing, perhaps years later.
func waitUntil(ctx workflow.Context, deadline time.Time, condition func() bool) (bool, error) {
	if deadline.IsZero() {
		return true, workflow.Await(ctx, condition)
	}
	timed, cancel := workflow.WithCancel(ctx)
	met, err := workflow.AwaitWithTimeout(timed, max(deadline.Sub(workflow.Now(ctx)), 0), condition)
	if met && timerIsCancelled.passed(ctx) {
		cancel()
	}
	return met, err
}
