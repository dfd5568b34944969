package workflows

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
	"tokendesk/models"
)

// Step is the typed contract of one activity: its registered name, its input and output, and how it is tried. Package
// activities binds an implementation to it, so that a wrong signature does not compile and renaming a method breaks no
// running execution.
type Step[In, Out any] struct {
	name  string
	local bool
}

// How long one round of tries lasts. A step that is still failing then raises the needs-person flag and
// goes on with the next round: nothing retries for ever without showing itself.
const (
	localRound    = 30 * time.Second
	ordinaryRound = 15 * time.Minute
)

var declared []string

// localStep declares a short step in the database. It costs no state transition.
func localStep[In, Out any](name string) Step[In, Out] {
	declared = append(declared, name)
	return Step[In, Out]{name: name, local: true}
}

// outsideStep declares a step that calls the world outside.
func outsideStep[In, Out any](name string) Step[In, Out] {
	declared = append(declared, name)
	return Step[In, Out]{name: name}
}

// Run performs the step until it succeeds or is refused. A refusal is a fault that no repetition would change;
// RefusalOf recognizes it.
func (s Step[In, Out]) Run(ctx workflow.Context, in In) (out Out, err error) {
	raised := false
	for {
		err = s.once(ctx, in).Get(ctx, &out)
		if err == nil || RefusalOf(err) != "" || temporal.IsCanceledError(err) || ctx.Err() != nil {
			break
		}
		workflow.GetLogger(ctx).Warn("a step is stuck", "step", s.name)
		raised = true
		needsPerson(ctx, true)
		if err := workflow.Sleep(ctx, time.Minute); err != nil {
			return out, err
		}
	}
	if raised {
		needsPerson(ctx, false)
	}
	return out, err
}

// Try performs the step in one round of tries, for a lifecycle that has other things to do meanwhile, and reports whether it is stuck: the caller shows that and
// tries again later. A refusal is an error, as with Run.
func (s Step[In, Out]) Try(ctx workflow.Context, in In) (stuck bool, err error) {
	err = s.once(ctx, in).Get(ctx, nil)
	if err == nil || RefusalOf(err) != "" || temporal.IsCanceledError(err) || ctx.Err() != nil {
		return false, err
	}
	workflow.GetLogger(ctx).Warn("a step is stuck", "step", s.name)
	return true, nil
}

// once starts one round of tries. A step sets its own options, because handler contexts inherit none.
func (s Step[In, Out]) once(ctx workflow.Context, in In) workflow.Future {
	if s.local {
		return workflow.ExecuteLocalActivity(workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
			StartToCloseTimeout: 5 * time.Second, ScheduleToCloseTimeout: localRound,
			RetryPolicy: &temporal.RetryPolicy{InitialInterval: 50 * time.Millisecond, BackoffCoefficient: 2, MaximumInterval: 2 * time.Second},
		}), s.name, in)
	}
	return workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 10 * time.Second, ScheduleToCloseTimeout: ordinaryRound,
		RetryPolicy: &temporal.RetryPolicy{InitialInterval: 200 * time.Millisecond, BackoffCoefficient: 2, MaximumInterval: 10 * time.Second},
	}), s.name, in)
}

// RefusalOf returns the slug of the fault with which a step was refused, or "" when the error is no refusal.
func RefusalOf(err error) string {
	if app, ok := errors.AsType[*temporal.ApplicationError](err); ok && app.NonRetryable() {
		return app.Type()
	}
	return ""
}

// Refused reports whether a step was refused with this type of fault.
func Refused(err error, t *models.FaultType) bool { return RefusalOf(err) == t.Slug }

// Binder registers implementations of steps and knows which are still missing.
type Binder struct {
	registry interface {
		RegisterActivityWithOptions(a any, options activity.RegisterOptions)
	}
	bound []string
}

// NewBinder binds to a worker's (or a test environment's) registry.
func NewBinder(registry interface {
	RegisterActivityWithOptions(a any, options activity.RegisterOptions)
}) *Binder {
	return &Binder{registry: registry}
}

// Bind registers f as the implementation of the step. Faults are classified here, once: what no repetition would change
// becomes a non-retryable error, and only the fault's own words enter the history, never its cause (SEC-5).
func Bind[In, Out any](b *Binder, s Step[In, Out], f func(context.Context, In) (Out, error)) {
	b.bound = append(b.bound, s.name)
	b.registry.RegisterActivityWithOptions(func(ctx context.Context, in In) (Out, error) {
		out, err := f(ctx, in)
		return out, inHistory(s.name, err)
	}, activity.RegisterOptions{Name: s.name})
}

// Unbound lists declared steps without an implementation; a worker must not start with any.
func (b *Binder) Unbound() []string {
	var missing []string
	for _, name := range declared {
		if !slices.Contains(b.bound, name) {
			missing = append(missing, name)
		}
	}
	return missing
}

func inHistory(step string, err error) error {
	if err == nil {
		return nil
	}
	f := models.FaultOf(err)
	switch f.Type.Kind {
	case models.Internal, models.Unavailable, models.Throttled:
		slog.Warn("step failed", "step", step, "fault", f.Type.Slug, "error", err)
		return temporal.NewApplicationErrorWithOptions(f.Type.Title, f.Type.Slug, temporal.ApplicationErrorOptions{NextRetryDelay: f.RetryAfter})
	}
	return refusal(f)
}

// refusal carries a fault through the engine: its words and what the state allows, never its cause.
func refusal(f *models.Fault) error {
	return temporal.NewNonRetryableApplicationError(f.Type.Title, f.Type.Slug, nil, f.Detail, f.Allowed)
}

// faultOf brings a refusal back from the engine as the fault that it was.
func faultOf(err error) error {
	app, ok := errors.AsType[*temporal.ApplicationError](err)
	if !ok {
		return err
	}
	for _, t := range models.FaultTypes() {
		if t.Slug == app.Type() {
			f := t.Because(err)
			_ = app.Details(&f.Detail, &f.Allowed) // a fault without details has none
			return f
		}
	}
	return err
}
