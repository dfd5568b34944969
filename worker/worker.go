// Package worker runs lifecycles: it registers workflows and steps, and drives what the database owes the engine and the
// mail server.
package worker

import (
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"tokendesk/models"
	"tokendesk/workflows"
)

// Steps implements some of the declared steps.
type Steps interface{ Bind(*workflows.Binder) }

// New makes a worker for every lifecycle. It refuses while any declared step has no implementation: an unbound local step
// would fail its workflow for good.
func New(engine client.Client, steps ...Steps) (worker.Worker, error) {
	w := worker.New(engine, workflows.TaskQueue, worker.Options{
		StickyScheduleToStartTimeout:     time.Second, // after a kill the work goes on at once elsewhere
		MaxConcurrentWorkflowTaskPollers: 8,
		MaxConcurrentActivityTaskPollers: 4,
		WorkerStopTimeout:                5 * time.Second,
	})
	Register(w)
	b := workflows.NewBinder(w)
	for _, s := range steps {
		s.Bind(b)
	}
	if missing := b.Unbound(); len(missing) > 0 {
		return nil, fmt.Errorf("these steps have no implementation: %s", strings.Join(missing, ", "))
	}
	return w, nil
}

// Registry is what workflows are registered with: a worker, a replayer, a test environment.
type Registry interface {
	RegisterWorkflowWithOptions(w any, options workflow.RegisterOptions)
}

// Register registers every lifecycle, one a line, under the name that running executions know.
func Register(r Registry) {
	r.RegisterWorkflowWithOptions(workflows.Order, workflow.RegisterOptions{Name: string(models.OrderLifecycle)})
	r.RegisterWorkflowWithOptions(workflows.Shipment, workflow.RegisterOptions{Name: string(models.ShipmentLifecycle)})
	r.RegisterWorkflowWithOptions(workflows.Credential, workflow.RegisterOptions{Name: string(models.CredentialLifecycle)})
}
