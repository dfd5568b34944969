package api

import (
	"net/http"
	"slices"
	"testing"

	"tokendesk/models"
)

// Every operation with every role and with no credentials: who may call is exactly what the specification says (SEC-1).
func TestRoles(t *testing.T) {
	h := newHouse(t)
	h.machine.stand()
	for _, op := range h.specimens() {
		t.Run(op.OperationID, func(t *testing.T) {
			if a := h.send(h.specimenRequest(op, "")); !op.open() {
				a.problem(models.NotAuthenticated)
			}
			for _, role := range models.Roles() {
				a := h.send(h.specimenRequest(op, h.as(role)))
				switch {
				case slices.Contains(op.roles, gateway):
					a.problem(models.SignatureWrong) // no role replaces the signature
				case slices.Contains(op.roles, anyone) || slices.Contains(op.roles, string(role)):
					wantServed(t, op, role, a)
				default:
					a.problem(models.NotPermitted)
				}
			}
		})
	}
}

// wantServed checks that a call was let through and understood, whatever it then met.
func wantServed(t *testing.T, op specimen, role models.Role, a answer) {
	t.Helper()
	refusals := []int{http.StatusBadRequest, http.StatusForbidden, http.StatusMethodNotAllowed, http.StatusUnsupportedMediaType}
	unauthenticated := a.status == http.StatusUnauthorized && op.OperationID != "createSession"
	if a.status >= 500 || unauthenticated || slices.Contains(refusals, a.status) {
		t.Errorf("%s may call, but got %d: %s", role, a.status, a.body)
	}
}

// What the specification leaves open is known, so that nothing is opened by mistake (SEC-1).
func TestOpenOperations(t *testing.T) {
	h := readSpecification(t)
	want := []string{"cancelByLink", "createSession", "getCurrentDisclaimer", "getHealth", "getProduct", "getProofingDocuments", "getReadiness", "listProducts",
		"listSlotsByLink", "lookUpAppointmentLink", "receiveCarrierEvent", "receiveMailEvent", "receivePaymentEvent", "receiveProofingEvent", "recoverPassword",
		"recoverUserID", "requestPasswordRecovery", "rescheduleByLink"}
	var got []string
	for _, op := range h.everySpecimen() {
		if op.open() {
			got = append(got, op.OperationID)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("open operations are %v, want %v", got, want)
	}
}

// A key that was revoked opens nothing any more (SEC-1); on the verification path, a moment later.
func TestRevokedKey(t *testing.T) {
	h := newHouse(t)
	token, key, err := h.st.CreateAPIKey(t.Context(), "billing", models.RoleBilling, "", h.now())
	if err != nil {
		t.Fatal(err)
	}
	h.get(token, "/v1/payments").want(http.StatusOK)
	if err := h.st.RevokeAPIKey(t.Context(), key.ID, models.Actor{ID: "test"}, h.now()); err != nil {
		t.Fatal(err)
	}
	h.get(token, "/v1/payments").problem(models.NotAuthenticated)
}

func TestVerificationKeyCache(t *testing.T) {
	h := newHouse(t)
	partner, err := h.st.CreatePartner(t.Context(), models.Partner{Name: "Relying", AcceptsKinds: []models.AuthenticatorKind{models.HardwareToken}, MinimumLevel: 2}, h.now())
	if err != nil {
		t.Fatal(err)
	}
	token, key, err := h.st.CreateAPIKey(t.Context(), "app", models.RoleRelyingApp, partner.ID, h.now())
	if err != nil {
		t.Fatal(err)
	}
	body := map[string]any{"serial": "nobody", "code": "123456"}
	h.post(token, verificationPath, body).want(http.StatusOK)
	if err := h.st.RevokeAPIKey(t.Context(), key.ID, models.Actor{ID: "test"}, h.now()); err != nil {
		t.Fatal(err)
	}
	h.setClock(h.now().Add(keyAge))
	h.post(token, verificationPath, body).problem(models.NotAuthenticated)
}
