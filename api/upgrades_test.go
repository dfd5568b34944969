package api

import (
	"net/http"
	"slices"
	"testing"

	"tokendesk/api/gen"
	"tokendesk/models"
	"tokendesk/models/store/storetest"
)

// elevate raises the session of the holder.
func (p *holder) elevate(code models.Secret, headers ...string) answer {
	p.t.Helper()
	return p.post(p.token, "/v1/session/elevate", map[string]any{"code": code}, headers...)
}

// LOG-2: the running session is raised by a code, once; the same call again gets the same answer, another one is told what helps.
func TestElevateSession(t *testing.T) {
	p := newHouse(t).holder()
	code := p.device.Press(p.now())
	key := []string{idempotencyKey, "raise"}
	raised := read[gen.Session](p.elevate(code, key...).want(http.StatusOK))
	if raised.Strength != models.StrengthHardware || raised.Level != 2 || *raised.CredentialID != p.credential.ID {
		t.Errorf("raised to %+v", raised)
	}
	if again := p.elevate(code, key...).want(http.StatusOK); again.header.Get(replayed) != "true" {
		t.Error("the same call was answered anew")
	}
	if now := read[gen.Session](p.get(p.token, "/v1/sessions/current").want(http.StatusOK)); now.Strength != models.StrengthHardware || now.ID != raised.ID {
		t.Errorf("the session is %+v", now)
	}
	p.elevate(code).problem(models.CodeWrong)
	p.elevate("12345").problem(models.InvalidRequest)
	p.post(p.token, "/v1/session/elevate", map[string]any{"code": p.device.Press(p.now()), "credential_id": p.credential.ID}).want(http.StatusOK)

	_, stranger := p.person()
	p.post(stranger, "/v1/session/elevate", map[string]any{"code": "123456"}).problem(models.NoCredential)
	p.post(stranger, "/v1/session/elevate", map[string]any{"code": "123456", "credential_id": p.credential.ID}).problem(models.NoSuchThing)
	p.post("", "/v1/session/elevate", map[string]any{"code": "123456"}).problem(models.NotAuthenticated)
	p.post(p.as(models.RoleSupport), "/v1/session/elevate", map[string]any{"code": "123456"}).problem(models.NotPermitted)

	for range models.DefaultPolicy().OTP.LockAfter {
		p.elevate("000000").problem(models.CodeWrong)
	}
	if refused := p.elevate(p.device.Press(p.now())).problem(models.TokenLocked); !slices.Contains(refused.AllowedActions, "resync") {
		t.Errorf("locked, allowed are %v", refused.AllowedActions)
	}
	p.post(p.token, p.path("/suspension"), map[string]any{}).want(http.StatusOK)
	if refused := p.elevate(p.device.Press(p.now())).problem(models.SuspendedByHolder); !slices.Contains(refused.AllowedActions, "re_enable") {
		t.Errorf("suspended, allowed are %v", refused.AllowedActions)
	}
}

// LOG-2: a call that was interrupted after it had raised the session is answered with the session, though its code is spent.
func TestElevationIsResumed(t *testing.T) {
	p := newHouse(t).holder()
	code := p.device.Press(p.now())
	key := []string{idempotencyKey, "raise"}
	p.elevate(code, key...).want(http.StatusOK)
	_, err := p.st.Pool().Exec(t.Context(), "update idempotency_keys set response_status = null, response_header = null, response_body = null, locked_until = $1 where key = 'raise'", p.now())
	storetest.Must(t, err)
	if raised := read[gen.Session](p.elevate(code, key...).want(http.StatusOK)); raised.Strength != models.StrengthHardware || raised.Level != 2 {
		t.Errorf("resumed with %+v", raised)
	}
}

// upgrade is an order that has the holder proofed.
func (p *holder) upgrade() map[string]any {
	body := newOrderBody()
	body["lines"] = []any{map[string]any{"product_sku": storetest.UpgradeSKU, "credential_id": p.credential.ID, "proofing_country": "US", "requirements_acknowledged": true}}
	delete(body, "shipping_address")
	return body
}

// fulfilled is an order that is placed, paid and fulfilled.
func (p *holder) fulfilled(body map[string]any) gen.Order {
	p.t.Helper()
	o := read[gen.Order](p.post(p.token, "/v1/orders", body).want(http.StatusCreated))
	p.pay(p.as(models.RoleBilling), o, o.Total.Minor, "paid "+o.Number).want(http.StatusCreated)
	storetest.Must(p.t, p.st.FulfilOrder(p.t.Context(), o.Number, p.ring, p.now()))
	return read[gen.Order](p.get(p.token, "/v1/orders/"+o.Number).want(http.StatusOK))
}

// PRF-10: logged in with the credential its holder orders an upgrade, is proofed, and has level 3 from then on.
func TestOrderUpgrade(t *testing.T) {
	p := newHouse(t).holder()
	offered := []string{"resync", "suspend", "replace", "revoke"}
	p.shows(p.token, models.ShownActive, offered...)
	p.post(p.token, "/v1/orders", p.upgrade()).problem(models.LoginWithCredential)
	p.elevate(p.device.Press(p.now())).want(http.StatusOK)
	p.shows(p.token, models.ShownActive, "resync", "suspend", "replace", "upgrade_proofing", "revoke")

	unread := p.upgrade()
	delete(unread["lines"].([]any)[0].(map[string]any), "requirements_acknowledged")
	p.post(p.token, "/v1/orders", unread).problem(models.RequirementsNotAcknowledged)
	q := read[gen.OrderQuote](p.post(p.token, "/v1/order-quotes", map[string]any{"lines": unread["lines"]}).want(http.StatusOK))
	if q.Total.Minor != 4500 || *q.Lines[0].Proofing != models.OrderedUpgrade {
		t.Errorf("quoted %+v", q)
	}
	o := p.fulfilled(p.upgrade())
	if l := o.Lines[0]; *l.Proofing != models.OrderedUpgrade || *l.ProofingCountry != "US" || l.LicenseKey != nil || l.Shipment != nil || o.Status != models.OrderFulfilled {
		t.Errorf("ordered %+v", o)
	}
	c := p.shows(p.token, models.ShownActive, "proof", "resync", "suspend", "replace", "revoke")
	open := read[gen.Proofing](p.get(p.token, "/v1/proofing/cases/"+*c.ProofingID).want(http.StatusOK))
	if open.Purpose != models.ProofingForUpgrade || !slices.Contains(open.AllowedActions, "choose_video") {
		t.Errorf("opened %+v", open)
	}
	if refused := p.post(p.token, "/v1/orders", p.upgrade()).problem(models.ActionNotPossible); !slices.Contains(refused.AllowedActions, "proof") {
		t.Errorf("allowed are %v", refused.AllowedActions)
	}

	_, err := p.st.ConsentToSelfService(t.Context(), open.ID, p.account.ID, models.DefaultPolicy().Proofing.TermsVersion, true, p.now())
	storetest.Must(t, err)
	session, err := p.st.IntendProofingSession(t.Context(), open.ID, p.account.ID, p.now())
	storetest.Must(t, err)
	verified := models.OutcomeVerified
	_, err = p.st.ProofingSessionStarted(t.Context(), session.ID, "idv_1", models.ProofingResult{Phase: models.SessionCapture}, p.now())
	storetest.Must(t, err)
	_, err = p.st.RecordProofingResult(t.Context(), "idv_1", models.ProofingResult{Phase: models.SessionEnded, Outcome: &verified}, p.now())
	storetest.Must(t, err)
	if c := p.shows(p.token, models.ShownActive, offered...); c.Level != 3 || !c.ExpiresAt.Equal(p.credential.ExpiresAt) || c.Authenticators[0].Status != models.AuthenticatorActive {
		t.Errorf("proofed, it is %+v", c)
	}
	if raised := read[gen.Session](p.elevate(p.device.Press(p.now())).want(http.StatusOK)); raised.Level != 3 {
		t.Errorf("the session has level %d", raised.Level)
	}
	p.post(p.token, "/v1/orders", p.upgrade()).problem(models.AlreadyProofed)
	p.post(p.token, "/v1/orders/"+o.Number+"/refunds", map[string]any{"reason": "not_needed"}).problem(models.ProofingNotRefundable)
}

// PRF-9: a proofing whose attempts are used up offers to buy another one, and a session of password strength does.
func TestOrderAttempt(t *testing.T) {
	b := newBureau(t)
	for range models.DefaultPolicy().Proofing.FreeAttempts {
		_, err := b.st.Pool().Exec(t.Context(), "update proofing_cases set attempt = attempt + 1 where id = $1", b.c.ID)
		storetest.Must(t, err)
	}
	if c := b.read(); !c.FeeDue || !slices.Equal(c.AllowedActions, []string{"buy_attempt"}) {
		t.Errorf("exhausted, it is %+v", c)
	}
	b.post(b.token, b.path("/video"), nil).problem(models.ProofingFeeDue)
	p := &holder{house: b.house, account: b.person, credential: models.Credential{ID: b.c.CredentialID}, token: b.token}
	body := p.upgrade()
	body["lines"] = []any{map[string]any{"product_sku": storetest.UpgradeSKU, "credential_id": b.c.CredentialID}}
	if o := p.fulfilled(body); *o.Lines[0].Proofing != models.OrderedAttempt {
		t.Errorf("ordered %+v", o)
	}
	if c := b.read(); c.FeeDue || !slices.Contains(c.AllowedActions, "choose_video") {
		t.Errorf("with another attempt, it is %+v", c)
	}
}
