// Package histories runs lifecycles on the real engine: they cost what their budget says, they take the edges of the state machines
// that they are known to take, and what the engine has recorded of them replays. With -record their histories, and which edges each
// of them witnesses, are written to workflows/testdata, where they must replay for as long as such runs may live (OPS-3).
package histories

import (
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	sdkworker "go.temporal.io/sdk/worker"

	"tokendesk/models"
	"tokendesk/models/store/storetest"
	"tokendesk/worker"
)

var record = flag.Bool("record", false, "write histories and the edges that they witness to workflows/testdata")

const (
	testdata = "../../../workflows/testdata"
	manifest = testdata + "/edges.json" // which edges each recorded history witnesses
)

// run is one way to live a lifecycle.
type run struct {
	name  string
	floor int64 // state transitions of what it must do: 3 for the run, 3 for each call outside, signal and timer, 1 for a further update
	open  bool  // it lives on
	live  func(g *ground) (id string)
}

// runs are all that is recorded; a history is called by its lifecycle and its name here.
var runs = map[models.Lifecycle][]run{
	models.OrderLifecycle:      orderRuns,
	models.ShipmentLifecycle:   shipmentRuns,
	models.CredentialLifecycle: credentialRuns,
	models.RefundLifecycle:     refundRuns,
	models.ProofingLifecycle:   proofingRuns,
}

// OPS-3, ORD-1 to ORD-5, SHP-1, SHP-2, LIC-2, REG-1, LOG-4, LIF-1, MGT-3, MGT-4: a lifecycle costs the engine what it must do, its history
// replays, and it takes the edges that stand in the manifest.
func TestRuns(t *testing.T) {
	engine, known := startEngine(t), readManifest(t)
	for _, l := range slices.Sorted(maps.Keys(runs)) {
		for _, r := range runs[l] {
			name := string(l) + "_" + r.name
			t.Run(name, func(t *testing.T) {
				g := newGround(t, engine)
				id := l.WorkflowID(r.live(g))
				ended(t, engine, id, !r.open)
				keep(t, engine, id, name)
				edges := g.took(id)
				t.Logf("%s", strings.Join(edges, ", "))
				if *record {
					known[name] = edges
				} else if !slices.Equal(known[name], edges) {
					t.Errorf("%s says %v: record it again", manifest, known[name])
				}
				got := describe(t, engine, id).WorkflowExecutionInfo.StateTransitionCount
				t.Logf("%d state transitions, floor %d", got, r.floor)
				if got > r.floor+r.floor/2 {
					t.Errorf("%d state transitions, more than 1.5 times the floor of %d", got, r.floor)
				}
			})
		}
	}
	if *record {
		writeManifest(t, known)
	}
}

// Every history that stands there is lived here, so that none is recorded by code that nobody has any more.
func TestEveryHistoryIsLived(t *testing.T) {
	var lived []string
	for l, all := range runs {
		for _, r := range all {
			lived = append(lived, string(l)+"_"+r.name)
		}
	}
	slices.Sort(lived)
	files, err := filepath.Glob(testdata + "/histories/*.json")
	storetest.Must(t, err)
	for i, file := range files {
		files[i] = strings.TrimSuffix(filepath.Base(file), ".json")
	}
	if !slices.Equal(files, lived) {
		t.Errorf("recorded are %v\nlived are %v", files, lived)
	}
}

// ended waits until a run has nothing under way, and sees that it has ended if it should have.
func ended(t *testing.T, c client.Client, workflowID string, want bool) {
	t.Helper()
	settle(t, c, workflowID)
	status := describe(t, c, workflowID).WorkflowExecutionInfo.Status
	if want && status != enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED || !want && status != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		t.Errorf("%s is %s", workflowID, status)
	}
}

// keep replays what was recorded of a run, and keeps it if asked to.
func keep(t *testing.T, c client.Client, workflowID, name string) {
	t.Helper()
	h := history(t, c, workflowID)
	replayer := sdkworker.NewWorkflowReplayer()
	worker.Register(replayer)
	storetest.Must(t, replayer.ReplayWorkflowHistory(nil, h))
	if *record {
		storetest.Must(t, os.MkdirAll(testdata+"/histories", 0o755))
		storetest.Must(t, os.WriteFile(filepath.Join(testdata, "histories", name+".json"), withoutMachines(t, h), 0o644))
	}
}

func readManifest(t *testing.T) map[string][]string {
	t.Helper()
	known := map[string][]string{}
	content, err := os.ReadFile(manifest)
	if err == nil {
		err = json.Unmarshal(content, &known)
	}
	if err != nil && !*record {
		t.Fatal(err)
	}
	return known
}

// writeManifest leaves out what is lived no more.
func writeManifest(t *testing.T, known map[string][]string) {
	t.Helper()
	for name := range known {
		l, way, _ := strings.Cut(name, "_")
		if !slices.ContainsFunc(runs[models.Lifecycle(l)], func(r run) bool { return r.name == way }) {
			delete(known, name)
		}
	}
	content, err := json.MarshalIndent(known, "", " ")
	storetest.Must(t, err)
	storetest.Must(t, os.WriteFile(manifest, append(content, '\n'), 0o644))
}
