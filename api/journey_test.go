package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"tokendesk/activities/gateway/carrier"
	"tokendesk/activities/gateway/carrier/wire"
	"tokendesk/activities/gateway/webhook"
	"tokendesk/api/gen"
	"tokendesk/models"
	"tokendesk/models/store/storetest"
)

// figure 2 of RFC 6030 in spirit: one HOTP token in the clear.
const seedFile = `<?xml version="1.0" encoding="UTF-8"?>
<KeyContainer Version="1.0" xmlns="urn:ietf:params:xml:ns:keyprov:pskc">
  <KeyPackage>
    <DeviceInfo><Manufacturer>Example</Manufacturer><SerialNo>987654321</SerialNo><Model>TD-100</Model></DeviceInfo>
    <Key Id="12345678" Algorithm="urn:ietf:params:xml:ns:keyprov:pskc:hotp">
      <Issuer>Example</Issuer>
      <AlgorithmParameters><ResponseFormat Length="6" Encoding="DECIMAL"/></AlgorithmParameters>
      <Data><Secret><PlainValue>MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=</PlainValue></Secret><Counter><PlainValue>0</PlainValue></Counter></Data>
    </Key>
  </KeyPackage>
</KeyContainer>`

// codes of RFC 4226 appendix D, whose seed the file holds.
var codes = []string{"755224", "287082", "359152", "969429", "338314"}

// The first journey: buy by invoice, pay, ship, activate, register, verify (ORD-1, ORD-3, LIC-2, SHP-2, REG-1, LOG-5).
func TestJourney(t *testing.T) {
	h := newHouse(t)
	warehouse, billing := h.as(models.RoleWarehouse), h.as(models.RoleBilling)
	account, _ := h.person(storetest.WithLogin("ada", "ada@example.com"))

	imported := read[gen.ImportReport](h.importFile(warehouse, "application/pskc+xml", seedFile).want(http.StatusCreated))
	if imported.Imported != 1 || len(imported.Tokens) != 1 {
		t.Fatalf("imported %+v", imported)
	}
	if again := read[gen.ImportReport](h.importFile(warehouse, "application/pskc+xml", seedFile).want(http.StatusCreated)); again.Imported != 0 || again.Known != 1 {
		t.Errorf("imported again: %+v", again) // SHP-4
	}

	started := read[gen.StartedSession](h.post("", "/v1/sessions", map[string]any{"user_id": "ada", "password": storetest.Password}).want(http.StatusCreated))
	token := models.Secret(started.Token)
	if session := read[gen.Session](h.get(token, "/v1/sessions/current").want(http.StatusOK)); session.AccountID != account.ID || session.Strength != models.StrengthPassword {
		t.Errorf("session %+v", session)
	}

	products := read[gen.ProductList](h.get("", "/v1/products?market=US").want(http.StatusOK))
	disclaimer := read[gen.Disclaimer](h.get("", "/v1/disclaimers/current").want(http.StatusOK))
	body := newOrderBody(products.Items[0].SKU)
	body["disclaimer_version"] = disclaimer.Version
	placed := h.post(token, "/v1/orders", body).want(http.StatusCreated)
	o := read[gen.Order](placed)
	if placed.header.Get("Location") != "/v1/orders/"+o.Number || o.Status != models.OrderPlaced || o.Invoice.Due != products.Items[0].Price {
		t.Errorf("placed %+v", o)
	}
	h.seesTimeline(token, "/v1/orders/"+o.Number+"/timeline", gen.WaitingOnBuyer, []string{"cancel"})
	h.seesPDF(token, "/v1/orders/"+o.Number+"/confirmation.pdf")
	h.seesPDF(billing, "/v1/invoices/"+o.Invoice.Number+"/pdf")

	h.pay(billing, o, o.Total.Minor-1, "ref-1").want(http.StatusCreated)
	if due := read[gen.Invoice](h.get(token, "/v1/invoices/"+o.Invoice.Number)).Due.Minor; due != 1 { // ORD-4
		t.Errorf("due %d after a partial payment", due)
	}
	paid := read[gen.Payment](h.pay(billing, o, 11, "ref-2").want(http.StatusCreated))
	if paid.Unapplied.Minor != 10 {
		t.Errorf("unapplied %d after an overpayment", paid.Unapplied.Minor)
	}
	repeated := read[gen.Payment](h.pay(billing, o, 11, "ref-2").want(http.StatusOK)) // another key, the same notice
	if repeated.Duplicate == nil || repeated.ID != paid.ID {
		t.Errorf("the duplicate is answered with %+v", repeated)
	}
	storetest.Must(t, h.st.FulfilOrder(t.Context(), o.Number, h.ring, h.now())) // what the lifecycle does next

	o = read[gen.Order](h.get(token, "/v1/orders/"+o.Number).want(http.StatusOK))
	shipment := o.Lines[0].Shipment
	if o.Status != models.OrderFulfilled || o.Lines[0].LicenseKey.Status != models.KeyIssued || shipment == nil {
		t.Fatalf("fulfilled %+v", o)
	}
	h.seesTimeline(token, "/v1/orders/"+o.Number+"/timeline", gen.WaitingOnTokendesk, []string{"refund"})
	tracking := storetest.Sent(t, h.st, shipment.ID, h.now())
	h.seesTimeline(token, "/v1/shipments/"+shipment.ID+"/timeline", gen.WaitingOnCarrier, []string{})
	h.carrierSays(tracking, "e1", carrier.InTransit).want(http.StatusNoContent)
	h.carrierSays(tracking, "e2", carrier.Delivered).want(http.StatusNoContent)
	h.carrierSays(tracking, "e2", carrier.Delivered).want(http.StatusNoContent) // SHP-2: repeated
	if sh := read[gen.Shipment](h.get(token, "/v1/shipments/"+shipment.ID).want(http.StatusOK)); sh.Status != models.ShipmentDelivered || len(sh.Parcels) != 1 {
		t.Errorf("shipment %+v", sh)
	}

	key := storetest.KeyOf(t, h.st, h.ring, storetest.Order(t, h.st, o.Number), 1)
	activated := h.post(token, "/v1/license-keys/activations", activation(account, key)).want(http.StatusCreated)
	c := read[gen.Credential](activated)
	if activated.header.Get("Location") != "/v1/credentials/"+c.ID || c.Status != models.ShownPendingActivation {
		t.Errorf("activated %+v", c)
	}
	h.seesTimeline(token, "/v1/credentials/"+c.ID+"/timeline", gen.WaitingOnHolder, []string{"register_token", "suspend", "revoke"})
	path := "/v1/credentials/" + c.ID + "/hardware-tokens"
	h.post(token, path, registration("000000000", codes[0], codes[1])).problem(models.SerialIncorrect)
	h.post(token, path, registration("987654321", codes[1], codes[0])).problem(models.OTPIncorrect)
	bound := read[gen.Authenticator](h.post(token, path, registration("987654321", codes[0], codes[1])).want(http.StatusCreated))
	if bound.Status != models.AuthenticatorActive {
		t.Errorf("bound %+v", bound)
	}
	inUse := []string{"resync", "suspend", "replace", "revoke"}
	c = read[gen.Credential](h.get(token, "/v1/credentials/"+c.ID).want(http.StatusOK))
	if c.Status != models.ShownActive || len(c.Authenticators) != 1 || !slices.Equal(c.AllowedActions, inUse) {
		t.Errorf("credential %+v", c)
	}
	h.seesTimeline(token, "/v1/credentials/"+c.ID+"/timeline", gen.WaitingOnTime, inUse)

	app := h.as(models.RoleRelyingApp)
	v := read[gen.Verification](h.post(app, verificationPath, map[string]any{"user_id": "ADA", "code": codes[2]}).want(http.StatusOK))
	if !v.Accepted || v.Result != models.Accepted || *v.CredentialID != c.ID || *v.Strength != models.StrengthHardware || *v.Level != 2 {
		t.Errorf("verified %+v", v)
	}
	v = read[gen.Verification](h.post(app, verificationPath, map[string]any{"serial": "987654321", "code": codes[2]}).want(http.StatusOK))
	if v.Accepted || v.Result != models.ResultWrongCode || v.CredentialID != nil {
		t.Errorf("a used code is answered with %+v", v) // LOG-3
	}
	events := read[gen.AuditEventPage](h.get(h.as(models.RoleAuditor), "/v1/credentials/"+c.ID+"/audit-events?limit=2").want(http.StatusOK))
	if len(events.Items) != 2 || events.NextCursor == nil || events.Items[0].Outcome != models.Failed || events.Items[1].Outcome != models.Succeeded {
		t.Errorf("audit %+v", events)
	}
	h.get(h.as(models.RoleAuditor), "/v1/audit/verification").want(http.StatusOK)

	h.send(h.request(http.MethodDelete, "/v1/sessions/current", token, nil)).want(http.StatusNoContent)
	h.get(token, "/v1/orders").problem(models.NotAuthenticated)
}

func (h *house) importFile(token models.Secret, media, file string) answer {
	h.t.Helper()
	return h.post(token, "/v1/token-imports?warehouse=main", []byte(file), "Content-Type", media)
}

func (h *house) pay(token models.Secret, o gen.Order, minor int64, reference string) answer {
	h.t.Helper()
	return h.post(token, "/v1/payments", map[string]any{"source": "bank_transfer", "source_account": "DE02", "bank_reference": reference,
		"amount": models.Money{Minor: minor, Currency: o.Total.Currency}, "received_at": h.now(), "invoice_number": o.Invoice.Number})
}

func (h *house) carrierSays(tracking, id string, kind carrier.Kind) answer {
	h.t.Helper()
	body, err := json.Marshal(wire.Webhook{ID: "hook-" + id, Type: wire.TrackerUpdated, Data: wire.Tracker{TrackingCode: tracking,
		Events: []wire.Event{{ID: id, Status: wire.StatusOf(kind), OccurredAt: h.now()}}}})
	storetest.Must(h.t, err)
	return h.post("", "/v1/webhooks/carrier", body, wire.SignatureHeader, webhook.Sign([]models.Secret{webhookSecret}, body, h.now()))
}

func (h *house) seesPDF(token models.Secret, path string) {
	h.t.Helper()
	a := h.get(token, path).want(http.StatusOK)
	if !bytes.HasPrefix(a.body, []byte("%PDF-")) || a.header.Get("Content-Type") != "application/pdf" {
		h.t.Errorf("%s is no PDF: %s %.20q", path, a.header.Get("Content-Type"), a.body)
	}
}

func (h *house) seesTimeline(token models.Secret, path string, on gen.WaitingOn, actions []string) { // LIF-4
	h.t.Helper()
	line := read[gen.Timeline](h.get(token, path).want(http.StatusOK))
	if line.WaitingOn != on || line.WaitingFor == "" || fmt.Sprint(line.AllowedActions) != fmt.Sprint(actions) {
		h.t.Errorf("%s: %+v", path, line)
	}
	if (line.Next == nil) != (len(line.Milestones) == 0) || (line.Next == nil) != (line.IfNobodyActs == nil) {
		h.t.Errorf("%s: the next step and the milestones do not agree: %+v", path, line)
	}
}

func registration(serial, first, second string) map[string]any {
	return map[string]any{"serial": serial, "first_code": first, "second_code": second}
}
