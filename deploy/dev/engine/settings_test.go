package engine

import (
	"testing"

	"go.temporal.io/server/common/dynamicconfig"
)

// The server's time skipping is experimental: its switch may have another name in the next version, and an engine that is told by
// the old name would be a sandbox in which time stands still. Whoever raises the server's version looks here, at the settings of
// real servers that name it, and at docs/adr/0007.
func TestNameOfTheTimeSkippingSwitch(t *testing.T) {
	const name = "frontend.WorkflowTimeSkippingEnabled"
	if got := dynamicconfig.WorkflowTimeSkippingEnabled.Key(); got != dynamicconfig.MakeKey(name) {
		t.Fatalf("the switch is called %s, not %s", got, name)
	}
	for _, sandbox := range []bool{true, false} {
		values := settings(Config{Sandbox: sandbox}).GetValue(dynamicconfig.MakeKey(name))
		if len(values) != 1 || values[0].Value != sandbox {
			t.Errorf("sandbox %t: the switch is set to %v", sandbox, values)
		}
	}
}
