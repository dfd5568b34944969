// Package workflows breaks the rules for workflows.
package workflows

import (
	"net/http" // want: depguard
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/workflow"

	"tokendesk/internal/seal" // want: depguard
	"tokendesk/models/store"  // want: depguard
)

// Parts are what a workflow may not touch.
type Parts struct {
	Store   *store.Store
	Keyring *seal.Keyring
	Web     *http.Client
}

// Started is the real clock's.
func Started(ctx workflow.Context) time.Time {
	return workflow.GetInfo(ctx).WorkflowStartTime // want: forbidigo
}

// Child cannot live with time that skips.
func Child(ctx workflow.Context) workflow.Future {
	return workflow.ExecuteChildWorkflow(ctx, Started) // want: forbidigo
}

// Send writes in two places.
func Send(c client.Client) error {
	_, err := c.SignalWithStartWorkflow(nil, "order/1", "paid", nil, client.StartWorkflowOptions{}, Started) //nolint:staticcheck // no context is at hand here // want: forbidigo
	return err
}
