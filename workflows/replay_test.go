package workflows_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.temporal.io/sdk/interceptor"
	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"tokendesk/models"
	"tokendesk/worker"
	"tokendesk/workflows"
)

// recorded lists the recorded histories: those of the present code, which go test ./histories -record in deploy/dev writes, and those that
// earlier code has left behind, which stay for as long as such runs may live.
func recorded(t *testing.T) []string {
	t.Helper()
	var files []string
	for _, pattern := range []string{"testdata/histories/*.json", "testdata/histories/earlier/*/*.json"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("no histories: %v", err)
		}
		files = append(files, found...)
	}
	return files
}

// replay has the present code go through a history, and returns the versions that it asked for.
func replay(t *testing.T, file string) map[string]workflow.Version {
	t.Helper()
	asked := &versionsAsked{by: map[string]workflow.Version{}}
	replayer, err := sdkworker.NewWorkflowReplayerWithOptions(sdkworker.WorkflowReplayerOptions{Interceptors: []interceptor.WorkerInterceptor{asked}})
	if err != nil {
		t.Fatal(err)
	}
	worker.Register(replayer)
	if err := replayer.ReplayWorkflowHistoryFromJSONFile(nil, file); err != nil {
		t.Error(err)
	}
	return asked.by
}

// versionsAsked notes which versions a run asks for, and what it is told.
type versionsAsked struct {
	interceptor.WorkerInterceptorBase
	by map[string]workflow.Version
}

func (v *versionsAsked) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	return &versionsInbound{interceptor.WorkflowInboundInterceptorBase{Next: next}, v}
}

type versionsInbound struct {
	interceptor.WorkflowInboundInterceptorBase
	asked *versionsAsked
}

func (v *versionsInbound) Init(out interceptor.WorkflowOutboundInterceptor) error {
	return v.Next.Init(&versionsOutbound{interceptor.WorkflowOutboundInterceptorBase{Next: out}, v.asked})
}

type versionsOutbound struct {
	interceptor.WorkflowOutboundInterceptorBase
	asked *versionsAsked
}

func (v *versionsOutbound) GetVersion(ctx workflow.Context, change string, oldest, newest workflow.Version) workflow.Version {
	version := v.Next.GetVersion(ctx, change, oldest, newest)
	v.asked.by[change] = version
	return version
}

// OPS-3: what was recorded of this code and of earlier code replays, and every side of every gate was taken by some of it.
func TestRecordedHistoriesReplay(t *testing.T) {
	t.Parallel()
	taken := map[string][]workflow.Version{}
	for _, file := range recorded(t) {
		t.Run(strings.TrimPrefix(file, "testdata/histories/"), func(t *testing.T) {
			for gate, side := range replay(t, file) {
				taken[gate] = append(taken[gate], side)
			}
		})
	}
	for _, g := range workflows.Gates() {
		for side := g.Oldest; side <= g.Newest; side++ {
			if side != 0 && !slices.Contains(taken[g.Name], side) { // there is no version 0
				t.Errorf("no recorded history passes the gate %q on side %d", g.Name, side)
			}
		}
		delete(taken, g.Name)
	}
	for name := range taken {
		t.Errorf("a run asks for a version of %q, which is no gate", name)
	}
}

// unseen are the edges that no lifecycle takes or is told of, and why.
var unseen = map[string]string{
	"credential pending_approval approve": "sponsored credentials are not sold yet (SPN-3)",
	"credential pending_approval revoke":  "sponsored credentials are not sold yet (SPN-3)",
	"appointment held release":            "it is between the person and the slots; no lifecycle waits for a hold",
	"license_key issued expire":           "the housekeeper does it; no lifecycle waits for a key",
	"license_key issued use":              "it begins the credential's lifecycle",
	"refund credited settle":              "the lifecycle has ended by then",
	"token allocated retire":              "the store refuses it while a token is packed",
	"token in_stock quarantine":           "stock keeping, before any lifecycle",
	"token quarantined restore":           "stock keeping; a shipment that waits is told that there is stock",
	"token in_stock retire":               "stock keeping, before any lifecycle",
	"token quarantined retire":            "stock keeping, before any lifecycle",
}

// OPS-3: every edge of every state machine was recorded in a run that took it or was told of it, so that no change of it goes unnoticed.
// testdata/edges.json says which; go test ./histories in deploy/dev proves it.
func TestEveryEdgeWasRecorded(t *testing.T) {
	t.Parallel()
	witnesses := map[string][]string{}
	content, err := os.ReadFile("testdata/edges.json")
	if err == nil {
		err = json.Unmarshal(content, &witnesses)
	}
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for history, edges := range witnesses {
		if _, err := os.Stat("testdata/histories/" + history + ".json"); err != nil {
			t.Error(err)
		}
		for _, edge := range edges {
			seen[edge] = true
		}
	}
	known := map[string]bool{}
	for _, edge := range models.Edges() {
		known[edge.String()] = true
		switch why := unseen[edge.String()]; {
		case !seen[edge.String()] && why == "":
			t.Errorf("no recorded history takes the edge %q: add a run to deploy/dev/histories that does, and record it", edge)
		case seen[edge.String()] && why != "":
			t.Errorf("%q was recorded, though %s", edge, why)
		}
	}
	for _, edges := range []iter.Seq[string]{maps.Keys(seen), maps.Keys(unseen)} {
		for edge := range edges {
			if !known[edge] {
				t.Errorf("there is no edge %q any more", edge)
			}
		}
	}
}

// SEC-5: a history names ids only, no person, and no machine either.
func TestRecordedHistoriesNameNobody(t *testing.T) {
	t.Parallel()
	telling := regexp.MustCompile(`(?i)@|lovelace|main street|springfield|example\.com|pm_card|"identity"|/tmp/|/home/`)
	for _, file := range recorded(t) {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var history any
		if err := json.Unmarshal(content, &history); err != nil {
			t.Fatal(err)
		}
		var readable bytes.Buffer
		readable.Write(content)
		payloads(history, &readable)
		if found := telling.FindString(readable.String()); found != "" {
			t.Errorf("%s tells %q", file, found)
		}
		if !bytes.Contains(readable.Bytes(), []byte(`"ID"`)) && !bytes.Contains(readable.Bytes(), []byte(`"Number"`)) {
			t.Errorf("%s: no payload was read", file)
		}
	}
}

// payloads writes every payload of a history in readable.
func payloads(value any, readable *bytes.Buffer) {
	switch v := value.(type) {
	case []any:
		for _, member := range v {
			payloads(member, readable)
		}
	case map[string]any:
		for name, member := range v {
			if text, ok := member.(string); ok && name == "data" {
				content, _ := base64.StdEncoding.DecodeString(text) // what is no payload shows above, as it is
				readable.Write(append(content, '\n'))
			}
			payloads(member, readable)
		}
	}
}
