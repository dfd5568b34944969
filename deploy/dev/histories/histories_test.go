// Package histories runs lifecycles on the real engine: they cost what their budget says, and what the engine has recorded of
// them replays. With -record their histories are written to workflows/testdata/histories, where they must replay for as long
// as such runs may live (OPS-3).
package histories

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/temporalproto"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	sdkworker "go.temporal.io/sdk/worker"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	commonpb "go.temporal.io/api/common/v1"
	workflowpb "go.temporal.io/api/workflow/v1"

	"tokendesk/deploy/dev/engine"
	"tokendesk/internal/testpg"
	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
	"tokendesk/worker"
	"tokendesk/workflows"
)

var record = flag.Bool("record", false, "write histories to workflows/testdata/histories")

const (
	namespace = "histories"
	recorded  = "../../../workflows/testdata/histories"
)

// startEngine starts an engine that can skip time; it ends with the test.
func startEngine(t *testing.T) client.Client {
	t.Helper()
	server, database := testpg.Server(t), fmt.Sprintf("test_histories_%d", os.Getpid())
	e, err := engine.Start(t.Context(), engine.Config{PostgresURL: server, Database: database, Namespace: namespace,
		SearchAttributes: workflows.SearchAttributeKeys(), Sandbox: true})
	storetest.Must(t, err)
	t.Cleanup(func() {
		storetest.Must(t, e.Close())
		conn, err := pgx.Connect(context.Background(), server)
		storetest.Must(t, err)
		defer conn.Close(context.Background())
		for _, name := range []string{database, database + "_visibility"} {
			_, err := conn.Exec(context.Background(), "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
			storetest.Must(t, err)
		}
	})
	c, err := e.Dial(client.Options{})
	storetest.Must(t, err)
	t.Cleanup(c.Close)
	return c
}

// until waits for a condition; what says what for.
func until(t *testing.T, what string, holds func() bool) {
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

// dispatch hands the outbox to the engine and waits until the lifecycle has taken it.
func dispatch(t *testing.T, c client.Client, st *store.Store, workflowID string) {
	t.Helper()
	engine := workflows.NewClient(c)
	at := time.Now()
	rows, err := st.ClaimOutbox(t.Context(), 100, at, time.Hour)
	storetest.Must(t, err)
	for _, row := range rows {
		if row.WorkflowID != workflowID {
			continue
		}
		until(t, "the engine to take "+row.Name, func() bool {
			done, err := engine.Dispatch(t.Context(), row)
			storetest.Must(t, err)
			return done
		})
		settle(t, c, workflowID)
	}
}

func describe(t *testing.T, c client.Client, workflowID string) *workflowservice.DescribeWorkflowExecutionResponse {
	t.Helper()
	d, err := c.DescribeWorkflowExecution(t.Context(), workflowID, "")
	storetest.Must(t, err)
	return d
}

// settle waits until nothing of a run is under way.
func settle(t *testing.T, c client.Client, workflowID string) {
	t.Helper()
	until(t, workflowID+" to settle", func() bool {
		d := describe(t, c, workflowID)
		return d.PendingWorkflowTask == nil && len(d.PendingActivities) == 0
	})
}

// skip moves a run's time to its next timer.
func skip(t *testing.T, c client.Client, workflowID string) {
	t.Helper()
	_, err := c.WorkflowService().UpdateWorkflowExecutionOptions(t.Context(), &workflowservice.UpdateWorkflowExecutionOptionsRequest{
		Namespace: namespace, WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: workflowID},
		WorkflowExecutionOptions: &workflowpb.WorkflowExecutionOptions{
			TimeSkippingConfig: &commonpb.TimeSkippingConfig{Enabled: true, DisablePropagation: true, MaxSessionSkipCount: 1}},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"time_skipping_config"}}})
	storetest.Must(t, err)
}

// finish waits for the end of a run, and keeps it.
func finish(t *testing.T, c client.Client, l models.Lifecycle, id, name string) int64 {
	t.Helper()
	storetest.Must(t, c.GetWorkflow(t.Context(), l.WorkflowID(id), "").Get(t.Context(), nil))
	return keep(t, c, l, id, name)
}

// keep replays what was recorded of a run, ended or not, keeps it if asked to, and returns its state transitions.
func keep(t *testing.T, c client.Client, l models.Lifecycle, id, name string) int64 {
	t.Helper()
	workflowID := l.WorkflowID(id)
	h := &historypb.History{}
	events := c.GetWorkflowHistory(t.Context(), workflowID, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		e, err := events.Next()
		storetest.Must(t, err)
		h.Events = append(h.Events, e)
	}
	replayer := sdkworker.NewWorkflowReplayer()
	worker.Register(replayer)
	storetest.Must(t, replayer.ReplayWorkflowHistory(nil, h))
	if *record {
		storetest.Must(t, os.MkdirAll(recorded, 0o755))
		storetest.Must(t, os.WriteFile(filepath.Join(recorded, string(l)+"_"+name+".json"), withoutMachines(t, h), 0o644))
	}
	return describe(t, c, workflowID).WorkflowExecutionInfo.StateTransitionCount
}

// machines are what the engine records about the machines that took part; no replay looks at them.
var machines = []string{"identity", "binaryChecksum", "workerVersion"}

// withoutMachines writes a history without the names of hosts, and with that of a worker's own queue made neutral.
func withoutMachines(t *testing.T, h *historypb.History) []byte {
	t.Helper()
	content, err := temporalproto.CustomJSONMarshalOptions{}.Marshal(h)
	storetest.Must(t, err)
	var value any
	storetest.Must(t, json.Unmarshal(content, &value))
	neutral(value)
	content, err = json.MarshalIndent(value, "", " ")
	storetest.Must(t, err)
	return append(content, '\n')
}

func neutral(value any) {
	switch v := value.(type) {
	case []any:
		for _, member := range v {
			neutral(member)
		}
	case map[string]any:
		for _, name := range machines {
			delete(v, name)
		}
		if v["kind"] == "TASK_QUEUE_KIND_STICKY" {
			v["name"] = "sticky"
		}
		for _, member := range v {
			neutral(member)
		}
	}
}
