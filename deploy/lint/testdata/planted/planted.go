// Package planted holds a workflow that may not be: it asks the real clock, one package away. If workflowcheck does
// not say so, it checks nothing, and make lint fails.
package planted

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"tokendesk/deploy/lint/testdata/planted/clock"
)

// Impatient is not deterministic.
func Impatient(ctx workflow.Context) error {
	return workflow.Sleep(ctx, clock.UntilNoon())
}

// Patient is: it must not be objected to.
func Patient(ctx workflow.Context) error {
	return workflow.Sleep(ctx, workflow.Now(ctx).Truncate(24*time.Hour).Sub(workflow.Now(ctx)))
}
