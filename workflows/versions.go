package workflows

import "go.temporal.io/sdk/workflow"

// gate is a change in the code of a lifecycle that moves on to new builds while it runs: a run that came past the place before the change
// goes on there as it began, and every other one goes the new way. It is asked only where the two ways part, so that it costs nothing
// elsewhere. A run keeps the side on which it first was; only its next run, after continue-as-new, chooses again.
//
// A gate stands here as long as one of its sides may be needed. To let the old side go, raise oldest, drop its code, and then, once no run
// lives that passed with it either, the gate.
type gate struct {
	name    string           // stands in histories: never changed, and never given again
	oldest  workflow.Version // workflow.DefaultVersion while runs from before the gate live
	newest  workflow.Version // 1; one more for each further change at the same place
	changed string           // what is different on the newest side, and why
	until   string           // when the oldest side can go
}

// The gates. Each is used where its name stands; a history on either side of it is recorded (OPS-3).
var (
	timerIsCancelled = declareGate(gate{
		name: "wait: timer is cancelled", oldest: workflow.DefaultVersion, newest: 1,
		changed: "a wait that ends before its deadline cancels its timer, which until then fired years later, for nothing",
		until:   "no credential lives whose run began before the gate: three years after it",
	})
	flagIsKept = declareGate(gate{
		name: "shipment: flag is kept", oldest: workflow.DefaultVersion, newest: 1,
		changed: "a shipment whose label was refused raises the needs-person flag again after a stuck step has lowered it",
		until:   "no shipment lives that was requested before the gate",
	})
)

var gates []gate

func declareGate(g gate) gate {
	gates = append(gates, g)
	return g
}

// passed reports whether a run is on the newest side.
func (g gate) passed(ctx workflow.Context) bool {
	return workflow.GetVersion(ctx, g.name, g.oldest, g.newest) == g.newest
}
