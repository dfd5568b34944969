package models_test

import (
	"os"
	"testing"

	"tokendesk/models"
)

// docs/states.md says what the code does.
func TestStatesDocumentIsFresh(t *testing.T) {
	written, err := os.ReadFile("../docs/states.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(written) != models.StatesDocument() {
		t.Fatal("docs/states.md is stale: run go generate ./models")
	}
}

// Every table is sound: an event stands once, so that it has one destination, and every state can be reached.
func TestMachinesAreSound(t *testing.T) {
	sound(t, models.OrderMachine)
	sound(t, models.InvoiceMachine)
	sound(t, models.ChargeMachine)
	sound(t, models.LicenseKeyMachine)
	sound(t, models.TokenMachine)
	sound(t, models.ShipmentMachine)
	sound(t, models.CredentialMachine)
	sound(t, models.AuthenticatorMachine)
}

func sound[S, E ~string](t *testing.T, m models.Machine[S, E]) {
	t.Helper()
	events := map[E]bool{}
	for _, tr := range m.Transitions {
		if events[tr.Event] {
			t.Errorf("%s: event %s stands twice", m.Name, tr.Event)
		}
		events[tr.Event] = true
	}
	reached := map[S]bool{m.Initial: true}
	for range m.Transitions {
		for _, tr := range m.Transitions {
			for _, from := range tr.From {
				if reached[from] {
					reached[tr.To] = true
				}
			}
		}
	}
	for _, s := range m.States() {
		if !reached[s] && s != S(models.PendingApproval) { // a sponsored credential starts there (SPN-3)
			t.Errorf("%s: %s cannot be reached", m.Name, s)
		}
	}
}
