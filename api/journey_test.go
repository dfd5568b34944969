package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
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
	h.seesTimeline(token, "/v1/orders/"+o.Number+"/timeline", gen.TimelineWaitingOnBuyer, []string{"cancel"})
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
	h.seesTimeline(token, "/v1/orders/"+o.Number+"/timeline", gen.TimelineWaitingOnTokendesk, []string{})
	tracking := storetest.Sent(t, h.st, shipment.ID, h.now())
	h.seesTimeline(token, "/v1/shipments/"+shipment.ID+"/timeline", gen.TimelineWaitingOnCarrier, []string{})
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
	h.seesTimeline(token, "/v1/credentials/"+c.ID+"/timeline", gen.TimelineWaitingOnHolder, []string{"register"})
	path := "/v1/credentials/" + c.ID + "/hardware-tokens"
	h.post(token, path, registration("000000000", codes[0], codes[1])).problem(models.SerialIncorrect)
	h.post(token, path, registration("987654321", codes[1], codes[0])).problem(models.OTPIncorrect)
	bound := read[gen.Authenticator](h.post(token, path, registration("987654321", codes[0], codes[1])).want(http.StatusCreated))
	if bound.Status != models.AuthenticatorActive {
		t.Errorf("bound %+v", bound)
	}
	c = read[gen.Credential](h.get(token, "/v1/credentials/"+c.ID).want(http.StatusOK))
	if c.Status != models.ShownActive || len(c.Authenticators) != 1 || len(c.AllowedActions) != 0 {
		t.Errorf("credential %+v", c)
	}
	h.seesTimeline(token, "/v1/credentials/"+c.ID+"/timeline", gen.TimelineWaitingOnTime, []string{})

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

func (h *house) seesTimeline(token models.Secret, path string, on gen.TimelineWaitingOn, actions []string) { // LIF-4
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

// A declined card can be replaced; while the charge runs there is nothing to pay again (ORD-2).
func TestPayAgain(t *testing.T) {
	h := newHouse(t)
	_, token := h.person()
	body := newOrderBody()
	body["payment_method"] = "card"
	h.post(token, "/v1/orders", body).problem(models.PaymentMethodMissing)
	body["card_token"] = "pm_card_visa"
	o := read[gen.Order](h.post(token, "/v1/orders", body).want(http.StatusCreated))
	path := "/v1/orders/" + o.Number + "/charges"
	p := h.post(token, path, map[string]any{"card_token": "pm_other"}).problem(models.StateForbids)
	if fmt.Sprint(p.AllowedActions) != "[cancel]" {
		t.Errorf("allowed are %v", p.AllowedActions)
	}
	charge, err := h.st.LiveCharge(t.Context(), o.Number)
	storetest.Must(t, err)
	storetest.Must(t, h.st.ChargeDeclined(t.Context(), charge, o.Number, "declined_by_bank", h.now()))
	h.seesTimeline(token, "/v1/orders/"+o.Number+"/timeline", gen.TimelineWaitingOnBuyer, []string{"pay_again", "cancel"})
	a := h.post(token, path, map[string]any{"card_token": "pm_other"}, idempotencyKey, "k").want(http.StatusAccepted)
	if c := read[gen.Charge](a); c.Attempt != 2 || c.Status != models.ChargeIntended || a.header.Get("Location") != "/v1/orders/"+o.Number {
		t.Errorf("charge %+v", c)
	}
	h.post(token, path, map[string]any{"card_token": "pm_other"}, idempotencyKey, "k").want(http.StatusAccepted)
}

// An unpaid order can be cancelled by its buyer and by billing, once; a paid one cannot (ORD-5).
func TestCancel(t *testing.T) {
	h := newHouse(t)
	account, token := h.person()
	reason := map[string]any{"reason": "not_needed"}
	o := storetest.PlacedOrder(t, h.st, account.ID)
	path := "/v1/orders/" + o.Number + "/cancellation"
	cancelled := read[gen.Order](h.post(token, path, reason, idempotencyKey, "k").want(http.StatusOK))
	if cancelled.Status != models.OrderCancelled || cancelled.Invoice.Status != models.InvoiceVoid || cancelled.Invoice.Due.Minor != 0 {
		t.Errorf("cancelled %+v", cancelled)
	}
	h.post(token, path, reason, idempotencyKey, "k").want(http.StatusOK)
	h.post(token, path, reason).problem(models.StateForbids)
	other := storetest.PlacedOrder(t, h.st, account.ID)
	h.post(h.as(models.RoleBilling), "/v1/orders/"+other.Number+"/cancellation", reason).want(http.StatusOK)
	paid := storetest.PaidOrder(t, h.st, account.ID)
	h.post(token, "/v1/orders/"+paid.Number+"/cancellation", reason).problem(models.StateForbids)
}

// A resend voids the unused key and mails a new one (ORD-6).
func TestResendLicenseKey(t *testing.T) {
	h := newHouse(t)
	account, token := h.person()
	path := func(o models.Order) string { return "/v1/orders/" + o.Number + "/lines/1/license-key/resend" }
	h.post(token, path(storetest.PlacedOrder(t, h.st, account.ID)), nil).problem(models.StateForbids)
	o := storetest.FulfilledOrder(t, h.st, h.ring, account.ID)
	old := storetest.KeyOf(t, h.st, h.ring, o, 1)
	h.setClock(h.now().Add(time.Minute))
	h.post(token, path(o), nil, idempotencyKey, "k").want(http.StatusAccepted)
	h.post(token, path(o), nil, idempotencyKey, "k").want(http.StatusAccepted)
	h.post(token, "/v1/license-keys/activations", activation(account, old)).problem(models.LicenseKeyVoid)
	keys, err := h.st.LicenseKeys(t.Context(), o.ID)
	storetest.Must(t, err)
	if len(keys) != 2 {
		t.Errorf("%d keys after one resend", len(keys))
	}
	h.post(token, "/v1/license-keys/activations", activation(account, storetest.KeyOf(t, h.st, h.ring, o, 1))).want(http.StatusCreated)
	h.post(token, path(o), nil).problem(models.LicenseKeyUsed)
	h.post(token, "/v1/orders/"+o.Number+"/lines/2/license-key/resend", nil).problem(models.NoSuchThing)
}

// Stock: quarantine and back, and what the state forbids (SHP-4).
func TestStock(t *testing.T) {
	h := newHouse(t)
	token := h.as(models.RoleWarehouse)
	h.importFile(token, "application/pskc+xml", seedFile).want(http.StatusCreated)
	act := func(what string) answer {
		return h.post(token, "/v1/tokens/987654321/"+what, map[string]any{"reason": "examination"})
	}
	if p := act("restore").problem(models.StateForbids); fmt.Sprint(p.AllowedActions) != "[quarantine retire]" {
		t.Errorf("allowed are %v", p.AllowedActions)
	}
	if got := read[gen.Token](act("quarantine").want(http.StatusOK)); got.Status != models.TokenQuarantined || fmt.Sprint(got.AllowedActions) != "[restore retire]" {
		t.Errorf("token %+v", got)
	}
	act("restore").want(http.StatusOK)
	act("retire").want(http.StatusOK)
	act("retire").problem(models.StateForbids)
	stock := read[gen.Stock](h.get(token, "/v1/stock").want(http.StatusOK))
	if len(stock.Items) != 1 || stock.Items[0].Retired != 1 || stock.Items[0].InStock != 0 {
		t.Errorf("stock %+v", stock)
	}
	a := h.get(token, "/v1/tokens/987654321").want(http.StatusOK)
	if strings.Contains(string(a.body), "seed") { // SEC-2
		t.Errorf("the token is shown as %s", a.body)
	}
}

// A file that is spoiled imports nothing and says why; the keys that open it are never said (SHP-4, SEC-2).
func TestImportRefusals(t *testing.T) {
	h := newHouse(t)
	token := h.as(models.RoleWarehouse)
	for _, c := range []struct {
		name, media, file string
		headers           []string
		want              *models.FaultType
	}{
		{"no PSKC", "application/pskc+xml", "<KeyContainer/>", nil, models.SeedFileInvalid},
		{"PSKC under a key that it has not", "application/pskc+xml", seedFile, []string{importKeyHeader, "00112233445566778899aabbccddeeff"}, models.SeedFileInvalid},
		{"key and passphrase", "application/pskc+xml", seedFile, []string{importKeyHeader, "00112233445566778899aabbccddeeff", importPassphraseHeader, "secret"}, models.InvalidRequest},
		{"odd key", "application/pskc+xml", seedFile, []string{importKeyHeader, "00112233445566778899aabbccddeeff0"}, models.InvalidRequest},
		{"no CSV", "text/csv", "\x00\x01", nil, models.SeedFileInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := h.post(token, "/v1/token-imports?warehouse=main", []byte(c.file), append([]string{"Content-Type", c.media}, c.headers...)...)
			a.problem(c.want)
			if strings.Contains(string(a.body), "00112233") {
				t.Errorf("the answer says the key: %s", a.body)
			}
		})
	}
	h.get(token, "/v1/tokens/987654321").problem(models.NoSuchThing)
}

// Wrong passwords and unknown people are answered alike, and throttled (ACC-1).
func TestLoginRefusals(t *testing.T) {
	h := newHouse(t)
	h.person(storetest.WithLogin("ada", "ada@example.com"))
	strip := func(a answer) string {
		p := a.problem(models.LoginFailed)
		return p.Title + deref(p.Detail) + deref(p.Next)
	}
	wrong := strip(h.post("", "/v1/sessions", map[string]any{"user_id": "ada", "password": "wrong"}))
	unknown := strip(h.post("", "/v1/sessions", map[string]any{"user_id": "nobody", "password": "wrong"}))
	if wrong != unknown {
		t.Errorf("%q tells who exists: %q", wrong, unknown)
	}
	for range models.DefaultPolicy().Session.TriesPerUser - 1 {
		strip(h.post("", "/v1/sessions", map[string]any{"user_id": "ada", "password": "wrong"}))
	}
	a := h.post("", "/v1/sessions", map[string]any{"user_id": "ada", "password": storetest.Password})
	a.problem(models.TooManyTries)
	if a.header.Get("Retry-After") == "" {
		t.Error("nobody says when to try again")
	}
}

func TestCreateAccount(t *testing.T) {
	h := newHouse(t)
	token := h.as(models.RoleSupport)
	body := map[string]any{"user_id": "grace", "email": "grace@example.com", "first_name": "Grace", "last_name": "Hopper", "country": "US", "password": "nanoseconds are long"}
	a := h.post(token, "/v1/accounts", body).want(http.StatusCreated)
	made := read[gen.Account](a)
	if shown := read[gen.Account](h.get(token, a.header.Get("Location")).want(http.StatusOK)); shown.UserID != made.UserID || fmt.Sprint(shown.Roles) != "[subscriber]" {
		t.Errorf("account %+v", shown)
	}
	h.post(token, "/v1/accounts", body).problem(models.AccountExists)
	body["user_id"], body["password"] = "hopper", "short"
	h.post(token, "/v1/accounts", body).problem(models.PasswordWeak)
	body["password"], body["organization_id"] = "nanoseconds are long", "og_unknown"
	h.post(token, "/v1/accounts", body).problem(models.ReferenceUnknown)
}

// Cases are listed while they are open (SUP-1).
func TestSupportCases(t *testing.T) {
	h := newHouse(t)
	token := h.as(models.RoleSupport)
	storetest.Must(t, h.st.OpenCase(t.Context(), "k", "SO-10001", "look at it", h.now()))
	page := read[gen.SupportCasePage](h.get(token, "/v1/support-cases").want(http.StatusOK))
	path := "/v1/support-cases/" + page.Items[0].ID + "/closure"
	h.post(token, path, nil, idempotencyKey, "k").want(http.StatusNoContent)
	h.post(token, path, nil, idempotencyKey, "k").want(http.StatusNoContent)
	h.post(token, path, nil).problem(models.NoSuchThing)
	if page = read[gen.SupportCasePage](h.get(token, "/v1/support-cases").want(http.StatusOK)); len(page.Items) != 0 {
		t.Errorf("still open: %+v", page)
	}
}

// Webhooks are taken under a signature of now only; what they repeat or nobody knows changes nothing (SHP-2, ORD-2).
func TestWebhooks(t *testing.T) {
	h := newHouse(t)
	account, token := h.person()
	n := storetest.NewOrder(account.ID, models.PayByCard, storetest.TokenSKU)
	o, err := h.st.DraftOrder(t.Context(), n, h.now())
	storetest.Must(t, err)
	charge, err := h.st.LiveCharge(t.Context(), o.Number)
	storetest.Must(t, err)
	storetest.Must(t, h.st.ChargeAuthorized(t.Context(), charge, "pi_1", h.now()))
	say := func(kind, ref string, at time.Time) answer {
		body := fmt.Appendf(nil, `{"id":"evt_%s","type":%q,"data":{"object":{"id":%q,"object":"payment_intent","payment_intent":%q}}}`, kind, kind, ref, ref)
		return h.post("", "/v1/webhooks/payments", body, "Stripe-Signature", webhook.Sign([]models.Secret{webhookSecret}, body, at))
	}
	say("payment_intent.succeeded", "pi_1", h.now()).want(http.StatusNoContent)
	say("payment_intent.succeeded", "pi_unknown", h.now()).want(http.StatusNoContent)
	say("customer.created", "cus_1", h.now()).want(http.StatusNoContent)
	say("charge.dispute.created", "pi_1", h.now()).want(http.StatusNoContent)
	say("payment_intent.succeeded", "pi_1", h.now().Add(-time.Hour)).problem(models.SignatureWrong)
	h.post(token, "/v1/webhooks/payments", []byte(`{}`)).problem(models.SignatureWrong)
	h.post(token, "/v1/webhooks/carrier", []byte(`{}`)).problem(models.SignatureWrong)
	var nudges, cases int
	storetest.Must(t, h.st.Pool().QueryRow(t.Context(), "select count(*) from outbox where workflow_id = $1 and name = $2", "order/"+o.Number, models.SignalOrderChanged).Scan(&nudges))
	storetest.Must(t, h.st.Pool().QueryRow(t.Context(), "select count(*) from support_cases where subject_ref = $1", o.Number).Scan(&cases))
	if nudges != 0 || cases != 1 {
		t.Errorf("%d nudges and %d cases, want none and 1", nudges, cases)
	}
	for _, body := range []string{`{`, `[]`, `{"type":5}`, "\xff", "null", `{"type":"tracker.updated","data":{"tracking_code":"T","events":[{"id":"e","status":"delivered"}]}}`} {
		h.post("", "/v1/webhooks/carrier", []byte(body), wire.SignatureHeader, webhook.Sign([]models.Secret{webhookSecret}, []byte(body), h.now())).problem(models.InvalidRequest)
	}
}

// One code sent at once over HTTP is accepted exactly once (LOG-3).
func TestConcurrentVerification(t *testing.T) {
	h := newHouse(t)
	account, _ := h.person()
	_, device := storetest.Registered(t, h.st, h.ring, account, storetest.EventDevice, h.now())
	token, code := h.as(models.RoleRelyingApp), device.Press(h.now())
	var accepted, wrong int
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			v := read[gen.Verification](h.post(token, verificationPath, map[string]any{"serial": device.Serial, "code": code}).want(http.StatusOK))
			mu.Lock()
			defer mu.Unlock()
			if v.Accepted {
				accepted++
			} else if v.Result == models.ResultWrongCode {
				wrong++
			}
		})
	}
	wg.Wait()
	if accepted != 1 || wrong != 7 {
		t.Errorf("accepted %d times, wrong %d times", accepted, wrong)
	}
}

// A partner that does not accept hardware tokens learns just that (CAT-2, LOG-8).
func TestVerificationForAnotherPartner(t *testing.T) {
	h := newHouse(t)
	account, _ := h.person()
	_, device := storetest.Registered(t, h.st, h.ring, account, storetest.EventDevice, h.now())
	partner := storetest.Partner(t, h.st, 3, models.HardwareToken)
	token, _, err := h.st.CreateAPIKey(t.Context(), "app", models.RoleRelyingApp, partner.ID, h.now())
	storetest.Must(t, err)
	v := read[gen.Verification](h.post(token, verificationPath, map[string]any{"serial": device.Serial, "code": device.Press(h.now())}).want(http.StatusOK))
	if v.Result != models.ResultNotAccepted || v.CredentialID != nil {
		t.Errorf("verified %+v", v)
	}
}

// An address is corrected on the version that was looked at, and not after the label was asked for.
func TestCorrectAddress(t *testing.T) {
	h := newHouse(t)
	account, token := h.person()
	o := storetest.FulfilledOrder(t, h.st, h.ring, account.ID)
	shipments, err := h.st.ShipmentsOfOrder(t.Context(), o.ID)
	storetest.Must(t, err)
	path := "/v1/shipments/" + shipments[0].ID
	to := storetest.Address()
	to.Line1 = "2 Side Street"
	correct := func(tag, key string) answer {
		h.setClock(h.now().Add(time.Second))
		return h.send(h.request(http.MethodPut, path+"/address", token, to, ifMatch, tag, idempotencyKey, key))
	}
	tag := h.get(token, path).want(http.StatusOK).header.Get("Etag")
	correct("", "k0").problem(models.PreconditionMissing)
	correct(`"0"`, "k1").problem(models.PreconditionFailed)
	first := correct(tag, "k2").want(http.StatusOK)
	if sh := read[gen.Shipment](first); sh.Address.Line1 != to.Line1 || first.header.Get("Etag") == tag {
		t.Errorf("corrected %+v under %s", sh, first.header.Get("Etag"))
	}
	if again := correct(tag, "k2").want(http.StatusOK); again.header.Get("Etag") != first.header.Get("Etag") {
		t.Error("the repeated call has another version")
	}
	correct(tag, "k3").problem(models.PreconditionFailed)
	storetest.Stock(t, h.st, h.ring, storetest.TokenModel, storetest.EventDevice, 1)
	storetest.Sent(t, h.st, shipments[0].ID, h.now())
	correct(h.get(token, path).header.Get("Etag"), "k4").problem(models.StateForbids)
}

// A caller who hangs up, or a call that takes too long, is felt by the database; a panic is our mistake and nobody is told of it.
func TestTrouble(t *testing.T) {
	h := newHouse(t)
	account, token := h.person()
	o := storetest.PlacedOrder(t, h.st, account.ID)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	h.send(h.request(http.MethodGet, "/v1/orders/"+o.Number, token, nil).WithContext(gone)).problem(models.ServiceDown)
	h.engine.setDown(errors.New("pq: secret of the house"))
	a := h.post(token, "/v1/orders/"+o.Number+"/cancellation", map[string]any{"reason": "other"})
	a.problem(models.InternalFault)
	if strings.Contains(string(a.body), "secret") || !strings.Contains(h.log.String(), "secret of the house") {
		t.Errorf("answered %s, logged %s", a.body, h.log)
	}
	h.engine.setDown(errPanic)
	a = h.post(token, "/v1/orders/"+o.Number+"/cancellation", map[string]any{"reason": "other"})
	a.problem(models.InternalFault)
	if strings.Contains(string(a.body), "house") || !strings.Contains(h.log.String(), "goroutine") || strings.Contains(h.log.String(), "house on fire") {
		t.Errorf("answered %s, logged %s", a.body, h.log)
	}
}

// What a stranger says of their own address is believed from trusted proxies only (LIC-2).
func TestNetworkAddress(t *testing.T) {
	for _, c := range []struct {
		name    string
		trusted []string
		want    int
	}{
		{"no proxy is trusted", nil, 1},
		{"the proxy is trusted", []string{"192.0.2.0/24"}, 3}, // httptest sends from 192.0.2.1
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t, func(config *Config) { config.TrustedProxies = c.trusted })
			for i := range 3 {
				h.post("", "/v1/sessions", map[string]any{"user_id": "nobody", "password": "wrong"}, "X-Forwarded-For", fmt.Sprintf("203.0.113.%d", i)).problem(models.LoginFailed)
			}
			var addresses int
			storetest.Must(t, h.st.Pool().QueryRow(t.Context(), "select count(distinct subject) from attempts where scope = 'login/address'").Scan(&addresses))
			if addresses != c.want {
				t.Errorf("%d addresses, want %d", addresses, c.want)
			}
		})
	}
}

// Requests are counted by operation and status, unknown ones together.
func TestMetrics(t *testing.T) {
	registry := prometheus.NewRegistry()
	h := newHouse(t, func(c *Config) { c.Registry = registry })
	h.get("", "/v1/products").want(http.StatusOK)
	h.get("", "/v1/orders").problem(models.NotAuthenticated)
	h.post("", verificationPath, map[string]any{}).problem(models.NotAuthenticated)
	h.get("", "/v1/unknown/1").problem(models.NoSuchThing)
	families, err := registry.Gather()
	storetest.Must(t, err)
	var got []string
	for _, m := range families[0].Metric {
		got = append(got, m.Label[0].GetValue()+" "+m.Label[1].GetValue())
	}
	if want := "createVerification 401, listOrders 401, listProducts 200, none 404"; strings.Join(got, ", ") != want {
		t.Errorf("counted %v, want %s", got, want)
	}
}
