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
	for name, f := range map[string]any{"sleeper": sleeper, "chain": chain, "stuck": stuck, "caller": caller} {
		g.worker.RegisterWorkflowWithOptions(f, workflow.RegisterOptions{Name: name})
	}
	g.worker.RegisterActivity(broken)
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

// now asks a lifecycle for its own now.
func (g *ground) now(id string) (now time.Time) {
	g.Helper()
	h, err := g.engine.UpdateWorkflow(g.Context(), client.UpdateWorkflowOptions{WorkflowID: id, UpdateName: "now", WaitForStage: client.WorkflowUpdateStageCompleted})
	must(g.T, err)
	must(g.T, h.Get(g.Context(), &now))
	return now
}

// about reports whether two moments are a few seconds apart at most.
func about(a, b time.Time) bool { return a.Sub(b).Abs() < 5*time.Second }
