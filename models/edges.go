package models

import "slices"

// Edge is one way from a state to another: one source of one transition.
type Edge struct {
	Machine, From, Event, To string
	By                       Driver
}

// String names an edge: "order placed lapse".
func (e Edge) String() string { return e.Machine + " " + e.From + " " + e.Event }

// Edges lists the edges of every machine.
func Edges() []Edge {
	return slices.Concat(OrderMachine.edges(), InvoiceMachine.edges(), ChargeMachine.edges(), RefundMachine.edges(), LicenseKeyMachine.edges(),
		TokenMachine.edges(), ShipmentMachine.edges(), CredentialMachine.edges(), AuthenticatorMachine.edges(),
		ProofingMachine.edges(), AppointmentMachine.edges(), ActivationCodeMachine.edges())
}

func (m Machine[S, E]) edges() (edges []Edge) {
	for _, t := range m.Transitions {
		for _, from := range t.From {
			edges = append(edges, Edge{m.Name, string(from), string(t.Event), string(t.To), t.By})
		}
	}
	return edges
}
