package timemachine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// diary is in which order the test's lifecycles woke.
type diary struct {
	mu      sync.Mutex
	entries []entry
}

type entry struct {
	id      string
	due, at time.Time // on the lifecycle's own clock
}

var woke diary

// sleep sleeps until a moment and writes it down, once.
func (d *diary) sleep(ctx workflow.Context, due time.Time) error {
	if err := workflow.Sleep(ctx, due.Sub(workflow.Now(ctx))); err != nil || workflow.IsReplaying(ctx) {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	e := entry{workflow.GetInfo(ctx).WorkflowExecution.ID, due, workflow.Now(ctx)}
	again := func(o entry) bool { return o.id == e.id && o.due.Equal(e.due) } // a task may be done twice
	if !slices.ContainsFunc(d.entries, again) {
		d.entries = append(d.entries, e)
	}
	return nil
}

// of returns what those whose ids begin so have written.
func (d *diary) of(prefix string) (entries []entry) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, e := range d.entries {
		if strings.HasPrefix(e.id, prefix) {
			entries = append(entries, e)
		}
	}
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
	due := workflow.Now(ctx)
	for _, pause := range pauses {
		due = due.Add(pause)
		if err := woke.sleep(ctx, due); err != nil {
			return err
		}
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
	if err := woke.sleep(ctx, workflow.Now(ctx).Add(10*day)); err != nil {
		return err
	}
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

// starter wakes after a pause and has another lifecycle started.
func starter(ctx workflow.Context, pause time.Duration, id string, other time.Duration) error {
	if err := woke.sleep(ctx, workflow.Now(ctx).Add(pause)); err != nil {
		return err
	}
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: 10 * time.Second})
	return workflow.ExecuteActivity(ctx, "begin", id, []time.Duration{other}).Get(ctx, nil)
}
