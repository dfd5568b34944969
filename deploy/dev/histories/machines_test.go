package histories

import (
	"encoding/json"
	"testing"

	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/temporalproto"

	"tokendesk/models/store/storetest"
)

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
