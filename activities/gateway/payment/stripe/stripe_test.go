package stripe_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tokendesk/activities/gateway/payment"
	"tokendesk/activities/gateway/payment/stripe"
	"tokendesk/activities/gateway/webhook"
	"tokendesk/models"
)

var (
	moment = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	former = models.Secret("whsec_former")
	secret = models.Secret("whsec_current")
)

// Webhooks only nudge: each kind of event names its charge, whatever else it holds.
func TestVerifyWebhook(t *testing.T) {
	gateway := stripe.New(stripe.Config{WebhookSecrets: []models.Secret{former, secret}})
	cases := []struct {
		name, body string
		want       payment.Event
	}{
		{"intent", `{"id":"evt_1","type":"payment_intent.succeeded","data":{"object":{"id":"pi_1","object":"payment_intent"}}}`,
			payment.Event{ID: "evt_1", Ref: "pi_1", Kind: payment.ChargeChanged}},
		{"refund", `{"id":"evt_2","type":"charge.refunded","data":{"object":{"id":"ch_1","payment_intent":"pi_1"}}}`,
			payment.Event{ID: "evt_2", Ref: "pi_1", Kind: payment.ChargeChanged}},
		{"expanded intent", `{"id":"evt_3","type":"refund.updated","data":{"object":{"id":"re_1","payment_intent":{"id":"pi_1"}}}}`,
			payment.Event{ID: "evt_3", Ref: "pi_1", Kind: payment.ChargeChanged}},
		{"dispute", `{"id":"evt_4","type":"charge.dispute.created","data":{"object":{"id":"dp_1","payment_intent":"pi_1"}}}`,
			payment.Event{ID: "evt_4", Ref: "pi_1", Kind: payment.ChargeDisputed}},
		{"charge without intent", `{"id":"evt_5","type":"charge.succeeded","data":{"object":{"id":"ch_1","payment_intent":null}}}`,
			payment.Event{ID: "evt_5", Kind: payment.Irrelevant}},
		{"something else", `{"id":"evt_6","type":"customer.created","data":{"object":{"id":"cus_1"}}}`,
			payment.Event{ID: "evt_6", Kind: payment.Irrelevant}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			header := http.Header{"Stripe-Signature": {webhook.Sign([]models.Secret{secret}, []byte(c.body), moment)}}
			got, err := gateway.VerifyWebhook(header, []byte(c.body), moment)
			if err != nil || got != c.want {
				t.Fatalf("want %+v, got %+v, %v", c.want, got, err)
			}
			_, err = gateway.VerifyWebhook(header, []byte(c.body+" "), moment)
			if !errors.Is(err, models.SignatureWrong) {
				t.Fatalf("changed body: %v", err)
			}
			_, err = gateway.VerifyWebhook(header, []byte(c.body), moment.Add(6*time.Minute))
			if !errors.Is(err, models.SignatureWrong) {
				t.Fatalf("six minutes old: %v", err)
			}
		})
	}
	header := http.Header{"Stripe-Signature": {webhook.Sign([]models.Secret{secret}, []byte(`[]`), moment)}}
	if _, err := gateway.VerifyWebhook(header, []byte(`[]`), moment); !errors.Is(err, models.InvalidRequest) {
		t.Fatalf("no event: %v", err)
	}
}

// Every answer has one meaning, and what a buyer typed never gets into an error (SEC-5).
func TestAnswers(t *testing.T) {
	const private = "Jane Roe, 4000000000000002"
	cases := []struct {
		name   string
		status int
		body   string
		want   *models.FaultType
	}{
		{"declined", 402, `{"error":{"type":"card_error","code":"card_declined","decline_code":"insufficient_funds","message":"PRIVATE"}}`, models.CardDeclined},
		{"expired", 402, `{"error":{"type":"card_error","code":"expired_card","message":"PRIVATE"}}`, models.CardDeclined},
		{"unknown card", 400, `{"error":{"type":"invalid_request_error","code":"resource_missing","param":"payment_method","message":"PRIVATE"}}`, models.CardDeclined},
		{"unknown intent", 404, `{"error":{"type":"invalid_request_error","code":"resource_missing","param":"intent","message":"PRIVATE"}}`, models.NoSuchThing},
		{"state", 400, `{"error":{"type":"invalid_request_error","code":"payment_intent_unexpected_state","message":"PRIVATE"}}`, models.StateForbids},
		{"already refunded", 400, `{"error":{"type":"invalid_request_error","code":"charge_already_refunded","message":"PRIVATE"}}`, models.StateForbids},
		{"bad parameter", 400, `{"error":{"type":"invalid_request_error","code":"parameter_invalid_integer","message":"PRIVATE"}}`, models.InvalidRequest},
		{"key reused", 400, `{"error":{"type":"idempotency_error","message":"PRIVATE"}}`, models.IdempotencyKeyReused},
		{"key in flight", 409, `{"error":{"type":"idempotency_error","code":"idempotency_key_in_use","message":"PRIVATE"}}`, models.ServiceDown},
		{"object locked", 429, `{"error":{"type":"invalid_request_error","code":"lock_timeout","message":"PRIVATE"}}`, models.ServiceDown},
		{"rate limit", 429, `{"error":{"type":"invalid_request_error","code":"rate_limit","message":"PRIVATE"}}`, models.ServiceDown},
		{"wrong API key", 401, `{"error":{"type":"invalid_request_error","message":"PRIVATE"}}`, models.ServiceDown},
		{"not permitted", 403, `{"error":{"type":"invalid_request_error","message":"PRIVATE"}}`, models.ServiceDown},
		{"server error", 500, `{"error":{"type":"api_error","message":"PRIVATE"}}`, models.ServiceDown},
		{"a proxy's page", 502, `<html>PRIVATE</html>`, models.ServiceDown},
		{"not JSON", 200, `PRIVATE`, models.ServiceDown},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(strings.ReplaceAll(c.body, "PRIVATE", private)))
			}))
			defer server.Close()
			gateway := stripe.New(stripe.Config{APIKey: "sk_test_very_secret", URL: server.URL})
			_, err := gateway.Authorize(t.Context(), payment.AuthorizeRequest{IdempotencyKey: "k",
				Amount: models.Money{Minor: 100, Currency: models.USD}, PaymentMethod: "pm_private", OrderNumber: "SO-1"})
			if !errors.Is(err, c.want) {
				t.Fatalf("want %s, got %v", c.want.Slug, err)
			}
			for _, leak := range []string{private, "pm_private", "sk_test"} {
				if strings.Contains(err.Error(), leak) {
					t.Fatalf("the error holds %q: %v", leak, err)
				}
			}
		})
	}
}

// A processor that does not answer is given up before the activity is.
func TestTimeout(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer server.Close()
	defer close(release)
	gateway := stripe.New(stripe.Config{APIKey: "sk_test", URL: server.URL, Timeout: 20 * time.Millisecond})
	if _, err := gateway.Fetch(t.Context(), "pi_1"); !errors.Is(err, models.ServiceDown) {
		t.Fatalf("want unavailable, got %v", err)
	}
}

// A charge may be logged or answered by mistake; the client secret in it may not (SEC-5).
func TestChargeHidesClientSecret(t *testing.T) {
	text, err := json.Marshal(payment.Charge{Ref: "pi_1", ClientSecret: "pi_1_secret_x"})
	if err != nil || strings.Contains(string(text), "secret_x") {
		t.Fatalf("%s, %v", text, err)
	}
}
