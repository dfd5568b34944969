package workflows_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	sdkworker "go.temporal.io/sdk/worker"
	"tokendesk/models"
	"tokendesk/worker"
)

// recorded lists the recorded histories. They are written by go test ./histories -record in deploy/dev.
func recorded(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/histories/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no histories: %v", err)
	}
	return files
}

// OPS-3: what was recorded of earlier runs still replays.
func TestRecordedHistoriesReplay(t *testing.T) {
	t.Parallel()
	for _, file := range recorded(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			replayer := sdkworker.NewWorkflowReplayer()
			worker.Register(replayer)
			if err := replayer.ReplayWorkflowHistoryFromJSONFile(nil, file); err != nil {
				t.Error(err)
			}
		})
	}
}

// witnesses names, for each edge of a lifecycle's state machine that the lifecycle itself drives, a recorded run that took it.
var witnesses = map[string]string{
	"order draft place":             "order_paid_by_invoice",
	"order draft refuse":            "order_refused",
	"order placed decline":          "order_declined_then_paid",
	"order paid fulfil":             "order_paid_by_card",
	"order placed lapse":            "order_lapsed",
	"order payment_declined lapse":  "order_declined_then_lapsed",
	"shipment requested backorder":  "shipment_backordered",
	"shipment reshipping backorder": "shipment_reship_backordered",
	"shipment requested pack":       "shipment_delivered",
	"shipment backordered pack":     "shipment_backordered",
	"shipment reshipping pack":      "shipment_reshipped",
	"shipment packed ship":          "shipment_delivered",
	"refund returning lapse":        "refund_lapsed",
	"refund returning credit":       "refund_returned",
}

// OPS-3: every edge that a lifecycle drives was recorded once, so that no change of it goes unnoticed.
func TestEveryEdgeWasRecorded(t *testing.T) {
	t.Parallel()
	driven := append(edges(models.OrderMachine), edges(models.ShipmentMachine)...)
	driven = append(driven, edges(models.CredentialMachine)...)
	driven = append(driven, edges(models.RefundMachine)...)
	for _, edge := range driven {
		name, ok := witnesses[edge]
		if !ok {
			t.Errorf("no recorded history takes the edge %q", edge)
			continue
		}
		if _, err := os.Stat("testdata/histories/" + name + ".json"); err != nil {
			t.Errorf("%q: %v", edge, err)
		}
	}
	if len(driven) != len(witnesses) {
		t.Errorf("%d edges have witnesses, but there are %d", len(witnesses), len(driven))
	}
}

func edges[S, E ~string](m models.Machine[S, E]) (edges []string) {
	for _, row := range m.Transitions {
		if row.By != models.ByWorkflow {
			continue
		}
		for _, from := range row.From {
			edges = append(edges, fmt.Sprintf("%s %s %s", m.Name, from, row.Event))
		}
	}
	return edges
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
