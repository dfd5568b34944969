package api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"tokendesk/api/gen"
	"tokendesk/models"
	"tokendesk/models/store/storetest"
)

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
