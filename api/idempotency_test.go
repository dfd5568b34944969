package api

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tokendesk/api/gen"
	"tokendesk/models"
	"tokendesk/models/store/storetest"
)

func (h *house) orders() int {
	h.t.Helper()
	var n int
	storetest.Must(h.t, h.st.Pool().QueryRow(h.t.Context(), "select count(*) from orders").Scan(&n))
	return n
}

// The same key and request give the first answer again, to the byte, and make nothing again.
func TestReplay(t *testing.T) {
	h := newHouse(t)
	token := h.as(models.RoleSubscriber)
	first := h.post(token, "/v1/orders", newOrderBody(), idempotencyKey, "k").want(http.StatusCreated)
	again := h.post(token, "/v1/orders", newOrderBody(), idempotencyKey, "k").want(http.StatusCreated)
	if !bytes.Equal(first.body, again.body) || first.header.Get("Location") != again.header.Get("Location") || first.header.Get("Content-Type") != again.header.Get("Content-Type") {
		t.Errorf("the answers differ:\n%s\n%s", first.body, again.body)
	}
	if first.header.Get(replayed) != "" || again.header.Get(replayed) != "true" {
		t.Errorf("%s is %q, then %q", replayed, first.header.Get(replayed), again.header.Get(replayed))
	}
	if n := h.orders(); n != 1 {
		t.Errorf("%d orders, want 1", n)
	}
}

// A refusal is an answer as well: it stays the same though it would be decided otherwise by now.
func TestReplayOfRefusal(t *testing.T) {
	h := newHouse(t)
	token := h.as(models.RoleSubscriber)
	body := newOrderBody()
	body["disclaimer_version"] = 2
	h.post(token, "/v1/orders", body, idempotencyKey, "k").problem(models.DisclaimerOutdated)
	storetest.Must(t, h.st.AddDisclaimer(t.Context(), models.Disclaimer{Version: 2, Text: "New terms.", EffectiveAt: h.now()}))
	a := h.post(token, "/v1/orders", body, idempotencyKey, "k")
	a.problem(models.DisclaimerOutdated)
	if a.header.Get(replayed) != "true" {
		t.Error("the refusal was decided anew")
	}
	h.post(token, "/v1/orders", body, idempotencyKey, "another").want(http.StatusCreated)
}

func TestKeyReused(t *testing.T) {
	h := newHouse(t)
	token := h.as(models.RoleSubscriber)
	number := read[gen.Order](h.post(token, "/v1/orders", newOrderBody(), idempotencyKey, "k").want(http.StatusCreated)).Number
	changed := newOrderBody()
	changed["po_number"] = "other"
	for _, c := range []struct {
		name, path string
		body       any
	}{
		{"another body", "/v1/orders", changed},
		{"another operation", "/v1/orders/" + number + "/cancellation", map[string]any{"reason": "other"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h.post(token, c.path, c.body, idempotencyKey, "k").problem(models.IdempotencyKeyReused)
		})
	}
	t.Run("another caller has keys of their own", func(t *testing.T) {
		h.post(h.as(models.RoleSubscriber), "/v1/orders", newOrderBody(), idempotencyKey, "k").want(http.StatusCreated)
	})
}

// Twenty simultaneous calls under one key make one order; each is answered with it or told to wait (OPS-2).
func TestConcurrentCallsUnderOneKey(t *testing.T) {
	h := newHouse(t)
	token := h.as(models.RoleSubscriber)
	const n = 20
	answers := make([]answer, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { answers[i] = h.post(token, "/v1/orders", newOrderBody(), idempotencyKey, "k") })
	}
	wg.Wait()
	numbers := map[string]bool{}
	for _, a := range answers {
		if a.status == http.StatusCreated {
			numbers[read[gen.Order](a).Number] = true
		} else {
			a.problem(models.IdempotencyKeyInFlight)
		}
	}
	if len(numbers) != 1 || h.orders() != 1 {
		t.Errorf("answers name %v, and there are %d orders", numbers, h.orders())
	}
	h.post(token, "/v1/orders", newOrderBody(), idempotencyKey, "k").want(http.StatusCreated)
}

// While the engine is down an order is answered with 503 and Retry-After; the same key goes on with the same draft (OPS-2).
func TestResumeAfterEngineFailure(t *testing.T) {
	h := newHouse(t)
	token := h.as(models.RoleSubscriber)
	h.engine.setDown(models.ServiceDown.New("").After(3 * time.Second))
	for range 2 {
		a := h.post(token, "/v1/orders", newOrderBody(), idempotencyKey, "k")
		a.problem(models.ServiceDown)
		if a.header.Get("Retry-After") != "3" {
			t.Errorf("Retry-After is %q", a.header.Get("Retry-After"))
		}
	}
	h.engine.setDown(nil)
	o := read[gen.Order](h.post(token, "/v1/orders", newOrderBody(), idempotencyKey, "k").want(http.StatusCreated))
	if o.Status != models.OrderPlaced || h.orders() != 1 {
		t.Errorf("the order is %s, and there are %d orders", o.Status, h.orders())
	}
}

// A process that dies with a key leaves it to the next call after its lease; what it had made is not made again.
func TestResumeAfterDeath(t *testing.T) {
	h := newHouse(t)
	_, token := h.person()
	h.engine.setDown(models.ServiceDown.New(""))
	h.post(token, "/v1/orders", newOrderBody(), idempotencyKey, "k").problem(models.ServiceDown)
	h.engine.setDown(nil)
	_, err := h.st.Pool().Exec(t.Context(), "update idempotency_keys set locked_until = $1", h.now().Add(timeout)) // as if it had not come back
	storetest.Must(t, err)
	h.post(token, "/v1/orders", newOrderBody(), idempotencyKey, "k").problem(models.IdempotencyKeyInFlight)
	h.setClock(h.now().Add(timeout))
	h.post(token, "/v1/orders", newOrderBody(), idempotencyKey, "k").want(http.StatusCreated)
	if n := h.orders(); n != 1 {
		t.Errorf("%d orders, want 1", n)
	}
}

// OPS-2: a key that was forgotten is a new one: what is asked for under it takes effect, the same operation as before or another one.
func TestKeyUsedAnew(t *testing.T) {
	h := newHouse(t)
	p := h.holder()
	support, admin := h.as(models.RoleSupport), h.as(models.RoleSupport)
	key := []string{idempotencyKey, "case-1"}
	forget := func() {
		h.setClock(h.now().Add(49 * time.Hour))
		if n, err := h.st.PurgeKeys(t.Context(), h.now().Add(-48*time.Hour)); err != nil || n == 0 {
			t.Fatalf("%d keys forgotten, %v", n, err)
		}
	}
	suspend := func() gen.Credential {
		t.Helper()
		return read[gen.Credential](h.post(support, p.path("/suspension"), map[string]any{"reason": "lost"}, key...).want(http.StatusOK))
	}
	reset := func() {
		t.Helper()
		h.post(admin, "/v1/accounts/"+p.account.ID+"/password-reset", map[string]any{"reason": "asked by telephone"}, key...).want(http.StatusNoContent)
	}
	for n := 1; n <= 2; n++ { // the same operation
		reset()
		if c := suspend(); c.Status != models.ShownSuspended || suspend().Status != models.ShownSuspended {
			t.Fatalf("round %d: %s", n, c.Status)
		}
		var mails int
		storetest.Must(t, h.st.Pool().QueryRow(t.Context(), "select count(*) from notices where kind = $1", models.NoticeTemporaryPassword).Scan(&mails))
		if mails != n {
			t.Errorf("round %d: %d mails with a password", n, mails)
		}
		h.post(support, p.path("/re-enabling"), map[string]any{"reason": "found"}).want(http.StatusOK)
		forget()
	}
	if c := read[gen.Credential](h.post(support, p.path("/revocation"), confirmed, key...).want(http.StatusOK)); c.Status != models.ShownRevoked {
		t.Errorf("another operation: %s", c.Status)
	}
}

// A throttled call may be repeated under its key when the time has come.
func TestThrottledCallIsNotKept(t *testing.T) {
	h := newHouse(t)
	account, token := h.person()
	o := storetest.FulfilledOrder(t, h.st, h.ring, account.ID)
	right := activation(account, storetest.KeyOf(t, h.st, h.ring, o, 1))
	for range models.DefaultPolicy().LicenseKey.TriesPerAccount {
		h.post(token, "/v1/license-keys/activations", activation(account, "WRONG-WRONG")).problem(models.LicenseKeyWrong)
	}
	h.post(token, "/v1/license-keys/activations", right, idempotencyKey, "k").problem(models.TooManyTries)
	h.setClock(h.now().Add(61 * time.Minute))
	token, _, err := h.st.StartSession(t.Context(), account.ID, models.StrengthPassword, 0, h.now()) // the old one idled out
	storetest.Must(t, err)
	h.post(token, "/v1/license-keys/activations", right, idempotencyKey, "k").want(http.StatusCreated)
}

func activation(a models.Account, key models.Secret) map[string]any {
	return map[string]any{"license_key": key, "legal_name": a.LegalName(), "proofing_country": "US", "token_in_hand": true}
}

// What rests in the database tells nothing of the request: its hash is sealed.
func TestStoredHashIsSealed(t *testing.T) {
	h := newHouse(t)
	h.post(h.as(models.RoleSubscriber), "/v1/orders", newOrderBody(), idempotencyKey, "k").want(http.StatusCreated)
	var principal string
	var stored []byte
	storetest.Must(t, h.st.Pool().QueryRow(t.Context(), "select principal, request_hash from idempotency_keys").Scan(&principal, &stored))
	if _, err := h.ring.Open(stored, "idempotency/"+principal+"/k"); err != nil || len(stored) <= 32 {
		t.Errorf("%d bytes, opened with %v", len(stored), err)
	}
}

// Every unsafe operation takes a key, or says why it needs none.
func TestEveryUnsafeOperationIsIdempotent(t *testing.T) {
	h := readSpecification(t)
	for _, op := range h.everySpecimen() {
		why, explained := op.Extensions["x-idempotent"].(string)
		switch {
		case op.method == http.MethodGet && (op.keyed() || explained):
			t.Errorf("%s is safe and needs no key", op.OperationID)
		case op.method != http.MethodGet && op.keyed() == explained:
			t.Errorf("%s: takes a key: %t; x-idempotent: %q", op.OperationID, op.keyed(), why)
		}
	}
}

// Secrets that are shown once are not kept (SEC-5).
func TestRedact(t *testing.T) {
	got := string(redact([]byte(`{"token":"tds_x","list":[{"token":"y","id":"1"}],"n":{"id":2}}`), []string{"token"}))
	want := `{"list":[{"id":"1","token":"[redacted]"}],"n":{"id":2},"token":"[redacted]"}`
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	ops, err := loadOperations()
	storetest.Must(t, err)
	if op := ops.find(http.MethodPost, "/v1/sessions"); !slices.Equal(op.secrets, []string{"token"}) {
		t.Errorf("the secrets of a new session are %v", op.secrets)
	}
}

// A list is read page by page without gaps or repetitions while it grows; a cursor that was altered, or belongs to another list,
// filter or caller, is refused.
func TestCursors(t *testing.T) {
	h := newHouse(t)
	account, token := h.person()
	var want []string
	for i := range 5 {
		h.setClock(storetest.At.Add(time.Duration(i) * time.Minute))
		o, err := h.st.DraftOrder(t.Context(), storetest.NewOrder(account.ID, models.PayByInvoice, storetest.TokenSKU), h.now())
		storetest.Must(t, err)
		want = slices.Insert(want, 0, o.Number)
	}
	var got []string
	next := ""
	for pages := 0; pages == 0 || next != ""; pages++ {
		page := read[gen.OrderPage](h.get(token, "/v1/orders?limit=2"+next).want(http.StatusOK))
		for _, o := range page.Items {
			got = append(got, o.Number)
		}
		if next = ""; page.NextCursor != nil {
			next = "&cursor=" + *page.NextCursor
		}
		_, err := h.st.DraftOrder(t.Context(), storetest.NewOrder(account.ID, models.PayByInvoice, storetest.TokenSKU), h.now()) // newer ones do not disturb
		storetest.Must(t, err)
	}
	if !slices.Equal(got, want) {
		t.Errorf("read %v, want %v", got, want)
	}
	cursor := *read[gen.OrderPage](h.get(token, "/v1/orders?limit=2").want(http.StatusOK)).NextCursor
	altered := cursor[:10] + flip(cursor[10]) + cursor[11:]
	for name, path := range map[string]string{
		"altered":        "/v1/orders?limit=2&cursor=" + altered,
		"shortened":      "/v1/orders?cursor=" + cursor[:20],
		"another filter": "/v1/orders?status=placed&cursor=" + cursor,
		"another list":   "/v1/invoices?cursor=" + cursor,
		"no cursor":      "/v1/orders?cursor=b3JfMDEyMzQ1Njc4OQ",
	} {
		t.Run(name, func(t *testing.T) { h.get(token, path).problem(models.InvalidRequest) })
	}
	h.get(h.as(models.RoleSubscriber), "/v1/orders?limit=2&cursor="+cursor).problem(models.InvalidRequest)
}

func flip(b byte) string {
	if b == 'A' {
		return "B"
	}
	return "A"
}

// A person sees what is their own and nothing else: what is another's does not exist (SEC-1).
func TestForeignThings(t *testing.T) {
	h := newHouse(t)
	owner, own := h.person()
	c, device := storetest.Registered(t, h.st, h.ring, owner, storetest.EventDevice, h.now())
	numbers := read[gen.OrderPage](h.get(own, "/v1/orders").want(http.StatusOK))
	number := numbers.Items[0].Number
	o := read[gen.Order](h.get(own, "/v1/orders/"+number).want(http.StatusOK))
	h.send(h.request(http.MethodPut, "/v1/shipments/"+o.Lines[0].Shipment.ID+"/address", h.as(models.RoleSubscriber), storetest.Address(), ifMatch, `"0"`)).problem(models.NoSuchThing)
	paths := []string{"/v1/orders/" + number, "/v1/orders/" + number + "/timeline", "/v1/orders/" + number + "/confirmation.pdf",
		"/v1/invoices/" + o.Invoice.Number, "/v1/invoices/" + o.Invoice.Number + "/pdf", "/v1/credentials/" + c.ID, "/v1/credentials/" + c.ID + "/timeline",
		"/v1/shipments/" + o.Lines[0].Shipment.ID, "/v1/shipments/" + o.Lines[0].Shipment.ID + "/timeline"}
	posts := map[string]any{
		"/v1/orders/" + number + "/cancellation":               map[string]any{"reason": "other"},
		"/v1/orders/" + number + "/charges":                    map[string]any{"card_token": "pm_card_visa"},
		"/v1/orders/" + number + "/lines/1/license-key/resend": nil,
		"/v1/credentials/" + c.ID + "/hardware-tokens":         map[string]any{"serial": device.Serial, "first_code": "123456", "second_code": "123456"},
	}
	stranger := h.as(models.RoleSubscriber)
	colleague := h.as(models.RoleOrgAdmin)
	for _, path := range paths {
		h.get(own, path).want(http.StatusOK)
		h.get(stranger, path).problem(models.NoSuchThing)
		h.get(colleague, path).problem(models.NoSuchThing)
	}
	for path, body := range posts {
		h.post(stranger, path, body).problem(models.NoSuchThing)
	}
	for _, list := range []string{"/v1/orders", "/v1/invoices", "/v1/credentials"} {
		a := h.get(stranger, list).want(http.StatusOK)
		if !strings.Contains(string(a.body), `"items":[]`) {
			t.Errorf("%s shows a stranger %s", list, a.body)
		}
	}
}

// A search is for staff; a buyer's search stays within their own orders (ORD-7).
func TestSearch(t *testing.T) {
	h := newHouse(t)
	account, own := h.person(storetest.Named("Grace", "", "Hopper"))
	o := storetest.PlacedOrder(t, h.st, account.ID)
	for _, c := range []struct {
		name  string
		token models.Secret
		query string
		found int
	}{
		{"support by name", h.as(models.RoleSupport), "hopp", 1},
		{"billing by number", h.as(models.RoleBilling), o.Number, 1},
		{"billing by nothing", h.as(models.RoleBilling), "nobody", 0},
		{"the buyer", own, o.Number, 1},
		{"a stranger", h.as(models.RoleSubscriber), o.Number, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			page := read[gen.OrderPage](h.get(c.token, fmt.Sprintf("/v1/orders?search=%s", c.query)).want(http.StatusOK))
			if len(page.Items) != c.found {
				t.Errorf("found %d, want %d", len(page.Items), c.found)
			}
		})
	}
}
