// Package worker runs lifecycles: it registers workflows and steps, and drives what the database owes the engine and the
// mail server.
package worker

import (
	"errors"
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

const (
	concurrentTasks = 32
	concurrentSteps = 16 // of the 24 connections that a process has
)

// New makes a worker of one build for every lifecycle; nothing is sent to it before the build is promoted ([Deployment]). It refuses
// while any declared step has no implementation: an unbound local step would fail its workflow for good.
func New(engine client.Client, build string, steps ...Steps) (worker.Worker, error) {
	if build == "" {
		return nil, errors.New("a worker needs a build id")
	}
	w := worker.New(engine, workflows.TaskQueue, worker.Options{
		DeploymentOptions:                Versioned(build),
		StickyScheduleToStartTimeout:     time.Second, // after a kill the work goes on at once elsewhere
		MaxConcurrentWorkflowTaskPollers: 8,
		MaxConcurrentActivityTaskPollers: 4,
		// When thousands come due at one moment they queue up at the engine, not for the database's connections: a task that waits for
		// those runs out of time, and is done again.
		MaxConcurrentWorkflowTaskExecutionSize:  concurrentTasks,
		MaxConcurrentLocalActivityExecutionSize: concurrentSteps,
		MaxConcurrentActivityExecutionSize:      concurrentTasks,
		WorkerStopTimeout:                       5 * time.Second,
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

// Register registers every lifecycle, one a line, under the name that running executions know. What may outlive many releases moves on:
// credentials for years, shipments for as long as stock is out, orders for as long as an invoice may wait. A refund ends within weeks, by
// itself, and moves money: it stays on the code that began it.
func Register(r Registry) {
	r.RegisterWorkflowWithOptions(workflows.Order, named(models.OrderLifecycle, movesOn))
	r.RegisterWorkflowWithOptions(workflows.Shipment, named(models.ShipmentLifecycle, movesOn))
	r.RegisterWorkflowWithOptions(workflows.Credential, named(models.CredentialLifecycle, movesOn))
	r.RegisterWorkflowWithOptions(workflows.Proofing, named(models.ProofingLifecycle, movesOn))
	r.RegisterWorkflowWithOptions(workflows.Refund, named(models.RefundLifecycle, stays))
}
