package engine

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"tokendesk/internal/testpg"
)

const queue = "engine-test"

var (
	statusAttribute   = temporal.NewSearchAttributeKeyKeyword("TestStatus")
	deadlineAttribute = temporal.NewSearchAttributeKeyTime("TestDeadline")
	personAttribute   = temporal.NewSearchAttributeKeyBool("TestNeedsPerson")
)

// testConfig is an engine whose databases belong to the test.
func testConfig(t *testing.T) Config {
	t.Helper()
	name := fmt.Sprintf("test_engine_%d_%d", os.Getpid(), time.Now().UnixNano())
	cfg := Config{
		PostgresURL: testpg.Server(t), Database: name, Namespace: "engine-test", Log: testWriter{t},
		SearchAttributes: []temporal.SearchAttributeKey{statusAttribute, deadlineAttribute, personAttribute},
	}
	t.Cleanup(func() {
		conn, err := pgx.Connect(context.Background(), cfg.PostgresURL)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close(context.Background())
		for _, database := range []string{name, name + "_visibility"} {
			if _, err := conn.Exec(context.Background(), "DROP DATABASE IF EXISTS "+database+" WITH (FORCE)"); err != nil {
				t.Error(err)
			}
		}
	})
	return cfg
}

// testWriter passes the server's complaints to the test's log.
type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	if testing.Verbose() {
		_, _ = os.Stderr.Write(p)
	}
	return len(p), nil
}

func startEngine(t *testing.T, cfg Config) (*Engine, client.Client) {
	t.Helper()
	began := time.Now()
	e, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("started in %v", time.Since(began).Round(time.Millisecond))
	c, err := e.Dial(client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return e, c
}

func stopEngine(t *testing.T, e *Engine) {
	t.Helper()
	began := time.Now()
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	t.Logf("stopped in %v", time.Since(began).Round(time.Millisecond))
}

// greet upserts a search attribute, waits for a signal if asked to, and answers with its now.
func greet(ctx workflow.Context, wait bool) (time.Time, error) {
	if err := workflow.UpsertTypedSearchAttributes(ctx, statusAttribute.ValueSet("greeting")); err != nil {
		return time.Time{}, err
	}
	if err := workflow.SetUpdateHandler(ctx, "now", func(ctx workflow.Context) (time.Time, error) { return workflow.Now(ctx), nil }); err != nil {
		return time.Time{}, err
	}
	if wait {
		workflow.GetSignalChannel(ctx, "go").Receive(ctx, nil)
	}
	return workflow.Now(ctx), nil
}

func startWorker(t *testing.T, c client.Client) worker.Worker {
	t.Helper()
	w := worker.New(c, queue, worker.Options{})
	w.RegisterWorkflowWithOptions(greet, workflow.RegisterOptions{Name: "greet"})
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	return w
}

// TestWorkflowsSurviveARestart also shows that search attributes can be started with, upserted and searched right after the
// very first start.
func TestWorkflowsSurviveARestart(t *testing.T) {
	cfg := testConfig(t)
	e, c := startEngine(t, cfg)
	w := startWorker(t, c)
	options := client.StartWorkflowOptions{ID: "greeting/1", TaskQueue: queue, TypedSearchAttributes: temporal.NewSearchAttributes(
		statusAttribute.ValueSet("new"), deadlineAttribute.ValueSet(time.Now()), personAttribute.ValueSet(true))}
	run, err := c.ExecuteWorkflow(t.Context(), options, "greet", true)
	if err != nil {
		t.Fatalf("a start with search attributes right after the engine's: %v", err)
	}
	found(t, c, "TestStatus = 'greeting' AND TestNeedsPerson = true")
	w.Stop()
	c.Close()
	stopEngine(t, e)

	e, c = startEngine(t, cfg)
	defer stopEngine(t, e)
	defer c.Close()
	w = startWorker(t, c)
	defer w.Stop()
	if err := c.SignalWorkflow(t.Context(), run.GetID(), run.GetRunID(), "go", nil); err != nil {
		t.Fatal(err)
	}
	var now time.Time
	if err := c.GetWorkflow(t.Context(), run.GetID(), run.GetRunID()).Get(t.Context(), &now); err != nil {
		t.Fatal(err)
	}
	if since := time.Since(now); since < 0 || since > time.Minute {
		t.Errorf("an engine without a sandbox is %v off real time", since)
	}
}

// found waits until a visibility query finds one workflow, and none of the engine's own.
func found(t *testing.T, c client.Client, query string) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		count, err := c.CountWorkflow(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{Query: query})
		if err != nil {
			t.Fatal(err)
		}
		if count.Count == 1 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s finds %d workflows", query, count.Count)
		}
		pause(t.Context(), 20*time.Millisecond)
	}
}

func TestSandboxStartsWorkflowsAtItsNow(t *testing.T) {
	cfg := testConfig(t)
	const ahead = 100 * 24 * time.Hour
	cfg.Sandbox = true
	cfg.Offset = func(context.Context) (time.Duration, error) { return ahead, nil }
	e, c := startEngine(t, cfg)
	defer stopEngine(t, e)
	defer c.Close()
	w := startWorker(t, c)
	defer w.Stop()

	near := func(name string, now time.Time) {
		t.Helper()
		if off := time.Until(now) - ahead; off.Abs() > time.Minute {
			t.Errorf("%s: now is %v, %v off the sandbox's", name, now, off)
		}
	}
	var now time.Time
	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: "plain", TaskQueue: queue}, "greet", false)
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Get(t.Context(), &now); err != nil {
		t.Fatal(err)
	}
	near("plain start", now)

	start := c.NewWithStartWorkflowOperation(client.StartWorkflowOptions{
		ID: "with-update", TaskQueue: queue, WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL}, "greet", true)
	update, err := c.UpdateWithStartWorkflow(t.Context(), client.UpdateWithStartWorkflowOptions{StartWorkflowOperation: start,
		UpdateOptions: client.UpdateWorkflowOptions{UpdateName: "now", WaitForStage: client.WorkflowUpdateStageCompleted}})
	if err != nil {
		t.Fatal(err)
	}
	if err := update.Get(t.Context(), &now); err != nil {
		t.Fatal(err)
	}
	near("update with start", now)
}

func TestSearchAttributeOfAnotherTypeIsRefused(t *testing.T) {
	cfg := testConfig(t)
	e, c := startEngine(t, cfg)
	c.Close()
	stopEngine(t, e)
	cfg.SearchAttributes = []temporal.SearchAttributeKey{temporal.NewSearchAttributeKeyInt64(statusAttribute.GetName())}
	e, err := Start(t.Context(), cfg)
	if err == nil {
		stopEngine(t, e)
		t.Fatal("a search attribute changed its type unnoticed")
	}
	if !strings.Contains(err.Error(), statusAttribute.GetName()) {
		t.Errorf("the error does not name the attribute: %v", err)
	}
}

func TestUI(t *testing.T) {
	cfg := testConfig(t)
	e, c := startEngine(t, cfg)
	defer stopEngine(t, e)
	defer c.Close()
	ui, err := StartUI(t.Context(), e.Address(), cfg.Namespace, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer ui.Close()
	response, err := http.Get(ui.URL() + "/api/v1/namespaces/" + cfg.Namespace)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(response.Body); err != nil || response.StatusCode != http.StatusOK || !strings.Contains(body.String(), cfg.Namespace) {
		t.Errorf("status %d, %v: %.200s", response.StatusCode, err, body.String())
	}
}

func TestUIPortInUse(t *testing.T) {
	l, err := net.Listen("tcp", address(0))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	if _, err := StartUI(t.Context(), address(1), "none", port); err == nil || !strings.Contains(err.Error(), fmt.Sprint(port)) {
		t.Errorf("got %v", err)
	}
}
