// Package timemachine runs the time machine against the real engine: lifecycles of its own making, and real ones.
package timemachine

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"tokendesk/deploy/dev/engine"
	"tokendesk/internal/sandboxclock"
	"tokendesk/internal/testpg"
	"tokendesk/workflows"
)

const (
	namespace = "timemachine"
	queue     = "timemachine"
	day       = 24 * time.Hour
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// ground is an engine with a worker for the test's own lifecycles, and a time machine.
type ground struct {
	*testing.T
	engine  client.Client
	worker  worker.Worker
	pool    *pgxpool.Pool
	clock   *sandboxclock.Clock
	machine *sandboxclock.Machine
}

var grounds atomic.Int64

// start starts an engine; its databases end with the test. The change, which may be nil, is made to the engine's configuration.
func start(t *testing.T, patience time.Duration, change func(*engine.Config)) *ground {
	t.Helper()
	g := &ground{T: t}
	database := testpg.Open(t)
	var err error
	g.pool, err = pgxpool.New(t.Context(), database)
	must(t, err)
	t.Cleanup(g.pool.Close)
	g.clock, err = sandboxclock.Open(t.Context(), g.pool)
	must(t, err)
	server, name := testpg.Server(t), fmt.Sprintf("test_timemachine_%d_%d", os.Getpid(), grounds.Add(1))
	cfg := engine.Config{PostgresURL: server, Database: name, Namespace: namespace, SearchAttributes: workflows.SearchAttributeKeys(),
		Sandbox: true, Offset: g.clock.Reload}
	if change != nil {
		change(&cfg)
	}
	e, err := engine.Start(t.Context(), cfg)
	must(t, err)
	t.Cleanup(func() {
		must(t, e.Close())
		conn, err := pgx.Connect(context.Background(), server)
		must(t, err)
		defer conn.Close(context.Background())
		for _, name := range []string{name, name + "_visibility"} {
			_, err := conn.Exec(context.Background(), "drop database if exists "+name+" with (force)")
			must(t, err)
		}
	})
	g.engine, err = e.Dial(client.Options{})
	must(t, err)
	t.Cleanup(g.engine.Close)
	g.machine = sandboxclock.New(sandboxclock.Config{Clock: g.clock, Engine: g.engine.WorkflowService(), Namespace: namespace, Patience: patience})
	g.worker = worker.New(g.engine, queue, worker.Options{StickyScheduleToStartTimeout: time.Second, MaxConcurrentWorkflowTaskPollers: 8})
	for name, f := range map[string]any{"sleeper": sleeper, "chain": chain, "stuck": stuck, "starter": starter, "alarm": alarm} {
		g.worker.RegisterWorkflowWithOptions(f, workflow.RegisterOptions{Name: name})
	}
	g.worker.RegisterActivity(broken)
	g.worker.RegisterActivityWithOptions(func(ctx context.Context, id string, pauses []time.Duration) error {
		_, err := g.engine.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: id, TaskQueue: queue}, "sleeper", pauses, false)
		return err
	}, activity.RegisterOptions{Name: "begin"})
	must(t, g.worker.Start())
	t.Cleanup(g.worker.Stop)
	return g
}

func (g *ground) begin(id, name string, args ...any) client.WorkflowRun {
	g.Helper()
	run, err := g.engine.ExecuteWorkflow(g.Context(), client.StartWorkflowOptions{ID: id, TaskQueue: queue}, name, args...)
	must(g.T, err)
	return run
}

func (g *ground) advance(a sandboxclock.Advance) sandboxclock.Report {
	g.Helper()
	r, err := g.machine.Advance(g.Context(), a)
	must(g.T, err)
	return r
}

// listed waits until the engine lists so many running workflows: it does so a moment after they have begun, and nothing in the
// database tells of these.
func (g *ground) listed(n int64) {
	g.Helper()
	until(g.T, "the engine to list what is running", func() bool {
		c, err := g.engine.CountWorkflow(g.Context(), &workflowservice.CountWorkflowExecutionsRequest{Query: "ExecutionStatus = 'Running'"})
		must(g.T, err)
		return c.Count >= n
	})
}

// now asks a lifecycle for its own now.
func (g *ground) now(id string) (now time.Time) {
	g.Helper()
	h, err := g.engine.UpdateWorkflow(g.Context(), client.UpdateWorkflowOptions{WorkflowID: id, UpdateName: "now", WaitForStage: client.WorkflowUpdateStageCompleted})
	must(g.T, err)
	must(g.T, h.Get(g.Context(), &now))
	return now
}

// about reports whether two moments are as close as a busy machine allows; what is told apart here is days apart.
func about(a, b time.Time) bool { return a.Sub(b).Abs() < 30*time.Second }

// until waits for a condition; what says what for.
func until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	tick, deadline := time.NewTicker(10*time.Millisecond), time.After(30*time.Second)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
