package api

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"tokendesk/api/gen"
	"tokendesk/models"
	"tokendesk/models/store/storetest"
)

// REN-1, REN-2: a quote says the price and the new expiry, from the old one, and records nothing; the order says the same, is effective once
// paid, and the credential shows it.
func TestRenewal(t *testing.T) {
	p := newHouse(t).holder()
	quote := func(lines ...any) answer { return p.post(p.token, "/v1/order-quotes", map[string]any{"lines": lines}) }
	line := map[string]any{"product_sku": storetest.RenewalSKU, "credential_id": p.credential.ID}
	quote(line).problem(models.RenewalNotOpen)
	p.at(p.credential.ExpiresAt.AddDate(0, 0, -10))
	q := read[gen.OrderQuote](quote(line).want(http.StatusOK))
	expiry := models.TermEnd(p.credential.ExpiresAt, 12, models.DefaultPolicy().Location())
	if len(q.Lines) != 1 || !q.Lines[0].NewExpiry.Equal(expiry) || q.Total.Minor != 3900 || len(q.Warnings) != 0 {
		t.Errorf("quoted %+v", q)
	}
	anew := read[gen.OrderQuote](quote(map[string]any{"product_sku": storetest.TokenSKU}).want(http.StatusOK))
	if len(anew.Warnings) != 1 || anew.Warnings[0].Code != models.WarnRenewalAvailable || *anew.Warnings[0].CredentialID != p.credential.ID || anew.Warnings[0].Position != 1 {
		t.Errorf("buying anew is warned of with %+v", anew.Warnings)
	}
	if bought := read[gen.Order](p.post(p.token, "/v1/orders", newOrderBody()).want(http.StatusCreated)); len(bought.Warnings) != 1 {
		t.Errorf("the order warns of %+v", bought.Warnings)
	}
	if list := read[gen.OrderPage](p.get(p.token, "/v1/orders").want(http.StatusOK)); len(list.Items) != 2 { // the purchase, and the new one
		t.Errorf("a quote was recorded: %+v", list.Items)
	}

	o := read[gen.Order](p.post(p.token, "/v1/orders", p.renewal("invoice")).want(http.StatusCreated))
	if *o.Lines[0].CredentialID != p.credential.ID || o.Lines[0].LicenseKey != nil || len(o.Warnings) != 0 {
		t.Errorf("ordered %+v", o)
	}
	p.post(p.token, "/v1/orders", p.renewal("invoice")).problem(models.RenewalPending)
	if c := p.shows(p.token, models.ShownActive, "resync", "suspend", "replace", "revoke"); !c.ExpiresAt.Equal(p.credential.ExpiresAt) || !c.Renewal.Open || !c.Renewal.NewExpiry.Equal(expiry) {
		t.Errorf("before the payment %+v", c)
	}
	p.setClock(p.credential.ExpiresAt.AddDate(0, 0, 20))
	p.pay(p.as(models.RoleBilling), o, o.Total.Minor, "renewal").want(http.StatusCreated)
	storetest.Must(t, p.st.FulfilOrder(t.Context(), o.Number, p.ring, p.now()))
	p.token = p.login(p.account)
	if c := p.shows(p.token, models.ShownActive, "resync", "suspend", "replace", "revoke"); !c.ExpiresAt.Equal(expiry) || c.Renewal.Open {
		t.Errorf("after the payment %+v", c)
	}
}

// LIF-4, REN-4: the order of a renewal lapses with its credential, and its timeline says so; the day is the vendor's.
func TestTimelineOfRenewal(t *testing.T) {
	h := newHouse(t)
	_, err := h.st.Pool().Exec(t.Context(), `update policies set body = jsonb_set(body, '{zone}', '"Europe/Berlin"')`) // where days begin before those of UTC
	storetest.Must(t, err)
	p := h.holder()
	p.at(p.credential.ExpiresAt.AddDate(1, 0, -7))
	o := read[gen.Order](p.post(p.token, "/v1/orders", p.renewal("invoice")).want(http.StatusCreated))
	line := read[gen.Timeline](p.get(p.token, "/v1/orders/"+o.Number+"/timeline").want(http.StatusOK))
	end := read[gen.Timeline](p.get(p.token, p.path("/timeline")).want(http.StatusOK))
	if len(line.Milestones) == 0 || len(end.Milestones) == 0 {
		t.Fatalf("timelines %+v, %+v", line, end)
	}
	last, revoked := line.Milestones[len(line.Milestones)-1], end.Milestones[len(end.Milestones)-1]
	if last.Name != models.OrderLapses || revoked.Name != models.CredentialRevokes || !last.At.Equal(revoked.At) {
		t.Errorf("the order ends with %+v, the credential with %+v", last, revoked)
	}
	zone, err := time.LoadLocation("Europe/Berlin")
	storetest.Must(t, err)
	day := revoked.At.Add(-time.Nanosecond).In(zone).Format(time.DateOnly) // whose end it is
	if revoked.At.In(zone).Format(time.DateOnly) == revoked.At.UTC().Format(time.DateOnly) {
		t.Fatalf("%v is one day everywhere", revoked.At)
	}
	for _, said := range []*string{line.IfNobodyActs, end.IfNobodyActs} {
		if said == nil || !strings.HasPrefix(*said, "on "+day+" ") {
			t.Errorf("says %q, want %s", deref(said), day)
		}
	}
}

// REN-3: an administrator renews for oneself and others of the organization in one order, and for nobody else.
func TestRenewalForOthers(t *testing.T) {
	h := newHouse(t)
	o := storetest.Organization(t, h.st)
	admin := h.holder(storetest.In(o), storetest.WithRoles(models.RoleOrgAdmin))
	other, stranger := h.holder(storetest.In(o)), h.holder()
	admin.at(admin.credential.ExpiresAt.AddDate(0, 0, -10))
	order := func(token models.Secret, credentials ...*holder) answer {
		body, lines := newOrderBody(), []any{}
		for _, c := range credentials {
			lines = append(lines, map[string]any{"product_sku": storetest.RenewalSKU, "credential_id": c.credential.ID})
		}
		body["lines"] = lines
		return h.post(token, "/v1/orders", body)
	}
	order(admin.token, admin, stranger).problem(models.CredentialUnknown)
	order(h.login(other.account), admin).problem(models.CredentialUnknown)
	made := read[gen.Order](order(admin.token, admin, other).want(http.StatusCreated))
	if len(made.Lines) != 2 || made.Lines[1].BeneficiaryID != other.account.ID || made.Total.Minor != 2*3900 {
		t.Errorf("ordered %+v", made)
	}
}

// MGT-6: a token is replaced free within the warranty, for a reason that it covers; otherwise at its price.
func TestReplacement(t *testing.T) {
	p := newHouse(t).holder()
	quote := func(reason string) gen.OrderQuote {
		line := map[string]any{"product_sku": storetest.ReplacementSKU, "credential_id": p.credential.ID, "replacement_reason": reason}
		return read[gen.OrderQuote](p.post(p.token, "/v1/order-quotes", map[string]any{"lines": []any{line}}).want(http.StatusOK))
	}
	if q := quote("err_display"); q.Total.Minor != 0 || !deref(q.Lines[0].Warranty) {
		t.Errorf("under warranty %+v", q)
	}
	if q := quote("lost"); q.Total.Minor != 2500 || q.Lines[0].Warranty != nil {
		t.Errorf("a lost one %+v", q)
	}
	p.at(p.now().AddDate(0, 0, 60))
	if q := quote("err_display"); q.Total.Minor != 2500 {
		t.Errorf("after the warranty %+v", q)
	}
	p.post(p.token, "/v1/order-quotes", map[string]any{"lines": []any{map[string]any{"product_sku": storetest.ReplacementSKU, "credential_id": p.credential.ID, "replacement_reason": "bored"}}}).problem(models.InvalidRequest)
}
