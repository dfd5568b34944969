package models

import (
	"fmt"
	"strings"
)

//go:generate go run tokendesk/internal/statesdoc ../docs/states.md

// StatesDocument renders every transition table as a diagram and a table, for docs/states.md.
func StatesDocument() string {
	var b strings.Builder
	b.WriteString("# States\n\nGenerated from the transition tables in `models` by `go generate ./models`; do not edit. An event has one destination;\n" +
		"the store performs it with an `UPDATE … WHERE status IN (sources)`, and the API lists what a person may do as `allowed_actions`.\n")
	document(&b, OrderMachine)
	document(&b, InvoiceMachine)
	document(&b, ChargeMachine)
	document(&b, RefundMachine)
	document(&b, LicenseKeyMachine)
	document(&b, TokenMachine)
	document(&b, ShipmentMachine)
	document(&b, CredentialMachine)
	document(&b, AuthenticatorMachine)
	document(&b, ProofingMachine)
	document(&b, AppointmentMachine)
	document(&b, ActivationCodeMachine)
	return b.String()
}

func document[S, E ~string](b *strings.Builder, m Machine[S, E]) {
	fmt.Fprintf(b, "\n## %s\n\n```mermaid\nstateDiagram-v2\n    [*] --> %s\n", strings.ReplaceAll(m.Name, "_", " "), m.Initial)
	for _, t := range m.Transitions {
		for _, from := range t.From {
			fmt.Fprintf(b, "    %s --> %s: %s\n", from, t.To, t.Event)
		}
	}
	for _, s := range m.States() {
		if m.Ends(s) {
			fmt.Fprintf(b, "    %s --> [*]\n", s)
		}
	}
	b.WriteString("```\n\n| event | from | to | driven by | meaning |\n|---|---|---|---|---|\n")
	for _, t := range m.Transitions {
		from := make([]string, len(t.From))
		for i, s := range t.From {
			from[i] = string(s)
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s |\n", t.Event, strings.Join(from, ", "), t.To, t.By, t.Why)
	}
}
