package api

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"tokendesk/api/gen"
	"tokendesk/models"
	"tokendesk/models/store/storetest"
)

// PRF-4, REG-1: a credential that waits for its proofing takes no token, and the refusal lists no action that no operation performs.
func TestRegisteringBeforeProofing(t *testing.T) {
	h := newHouse(t)
	account, token := h.person()
	o := storetest.FulfilledOrder(t, h.st, h.ring, account.ID, storetest.ProofedTokenSKU)
	c := read[gen.Credential](h.post(token, "/v1/license-keys/activations", activation(account, storetest.KeyOf(t, h.st, h.ring, o, 1))).want(http.StatusCreated))
	p := h.post(token, "/v1/credentials/"+c.ID+"/hardware-tokens", registration("987654321", codes[0], codes[1])).problem(models.ActionNotPossible)
	if !slices.Equal(p.AllowedActions, []string{"proof", "suspend", "revoke"}) {
		t.Errorf("allowed are %v", p.AllowedActions)
	}
}

// SHP-4, REG-1: a reason of blanks is none.
func TestReasonOfBlanks(t *testing.T) {
	h := newHouse(t)
	token, support := h.as(models.RoleWarehouse), h.as(models.RoleSupport)
	h.importFile(token, "application/pskc+xml", seedFile).want(http.StatusCreated)
	for _, what := range []string{"quarantine", "restore", "retire", "registration-reset"} {
		by := token
		if what == "registration-reset" {
			by = support
		}
		p := h.post(by, "/v1/tokens/987654321/"+what, map[string]any{"reason": strings.Repeat(" ", 12)}).problem(models.InvalidRequest)
		if len(p.Errors) != 1 || deref(p.Errors[0].Pointer) != "/reason" {
			t.Errorf("%s: %+v", what, p)
		}
	}
}
