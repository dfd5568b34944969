package api

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"tokendesk/activities/gateway/carrier/wire"
	"tokendesk/activities/gateway/webhook"
	"tokendesk/api/gen"
	"tokendesk/models"
	"tokendesk/models/store/storetest"
)

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
	if v.Result != models.ResultNotAccepted || v.CredentialID != nil || deref(v.Next) != "contact support" {
		t.Errorf("verified %+v", v)
	}
}

// LOG-8: a refusal names the next step, except that of a wrong code, which tells nothing, and an accepted code has none.
func TestVerificationNamesTheNextStep(t *testing.T) {
	h := newHouse(t)
	account, _ := h.person()
	c, device := storetest.Registered(t, h.st, h.ring, account, storetest.EventDevice, h.now())
	token := h.as(models.RoleRelyingApp)
	verify := func(code models.Secret) gen.Verification {
		return read[gen.Verification](h.post(token, verificationPath, map[string]any{"serial": device.Serial, "code": code}).want(http.StatusOK))
	}
	if v := verify(device.Press(h.now())); !v.Accepted || v.Next != nil {
		t.Errorf("accepted: %+v", v)
	}
	if v := verify("000000"); v.Result != models.ResultWrongCode || v.Next != nil {
		t.Errorf("wrong code: %+v", v)
	}
	h.setClock(c.ExpiresAt.Add(time.Second))
	if v := verify(device.Press(h.now())); v.Result != models.ResultExpired || deref(v.Next) != "renew the credential" {
		t.Errorf("expired: %+v", v)
	}
	for result, next := range map[models.VerificationResult]bool{models.Accepted: false, models.ResultWrongCode: false, models.ResultLocked: true,
		models.ResultSuspended: true, models.ResultPendingApproval: true, models.ResultPending: true, models.ResultRevoked: true} {
		if (result.Next() != "") != next {
			t.Errorf("%s: %q", result, result.Next())
		}
	}
}
