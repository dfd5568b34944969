package timemachine

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// diary is in which order the test's lifecycles woke, and at which moment of their own.
type diary struct {
	mu      sync.Mutex
	entries []entry
}

type entry struct {
	id string
	at time.Time
}

var woke diary

func (d *diary) write(ctx workflow.Context) {
	if workflow.IsReplaying(ctx) {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.entries = append(d.entries, entry{workflow.GetInfo(ctx).WorkflowExecution.ID, workflow.Now(ctx)})
}

// take returns what was written and begins anew.
func (d *diary) take() []entry {
	d.mu.Lock()
	defer d.mu.Unlock()
	entries := d.entries
	d.entries = nil
	return entries
}

func tellNow(ctx workflow.Context) error {
	return workflow.SetUpdateHandler(ctx, "now", func(ctx workflow.Context) (time.Time, error) { return workflow.Now(ctx), nil })
}

// sleeper wakes after each of the pauses, and then waits for ever, or ends.
func sleeper(ctx workflow.Context, pauses []time.Duration, end bool) error {
	if err := tellNow(ctx); err != nil {
		return err
	}
	for _, pause := range pauses {
		if err := workflow.Sleep(ctx, pause); err != nil {
			return err
		}
		woke.write(ctx)
	}
	if end {
		return nil
	}
	return workflow.Await(ctx, func() bool { return false })
}

// chain wakes every ten days, and continues as new each time.
func chain(ctx workflow.Context, left int) error {
	if err := tellNow(ctx); err != nil {
		return err
	}
	if left == 0 {
		return workflow.Await(ctx, func() bool { return false })
	}
	if err := workflow.Sleep(ctx, 10*day); err != nil {
		return err
	}
	woke.write(ctx)
	return workflow.NewContinueAsNewError(ctx, "chain", left-1)
}

// stuck wakes after a pause and then calls somebody who never answers.
func stuck(ctx workflow.Context, pause time.Duration) error {
	if err := workflow.Sleep(ctx, pause); err != nil {
		return err
	}
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Second,
		RetryPolicy: &temporal.RetryPolicy{InitialInterval: 20 * time.Millisecond, BackoffCoefficient: 1}})
	return workflow.ExecuteActivity(ctx, broken).Get(ctx, nil)
}

func broken(context.Context) error { return errors.New("nobody answers") }

// caller changes its mind: told to, it replaces its timer by one of another length.
func caller(ctx workflow.Context, pause time.Duration) error {
	if err := tellNow(ctx); err != nil {
		return err
	}
	changed := workflow.GetSignalChannel(ctx, "pause")
	deadline := workflow.Now(ctx).Add(pause)
	for {
		timer, stop := workflow.WithCancel(ctx)
		fired := false
		s := workflow.NewSelector(ctx).AddFuture(workflow.NewTimer(timer, deadline.Sub(workflow.Now(ctx))), func(workflow.Future) { fired = true }).
			AddReceive(changed, func(c workflow.ReceiveChannel, _ bool) {
				c.Receive(ctx, &pause)
				deadline = workflow.Now(ctx).Add(pause)
			})
		s.Select(ctx)
		stop()
		if fired {
			woke.write(ctx)
			return nil
		}
	}
}
