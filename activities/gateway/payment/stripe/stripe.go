// Package stripe is the card gateway on Stripe: payment intents with manual capture, confirmed at once.
//
// Idempotency keys are passed on as they are. Stripe forgets a key after it is at least 24 hours old
// (https://docs.stripe.com/api/idempotent_requests); whoever repeats a call later than that must Fetch first.
package stripe

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	api "github.com/stripe/stripe-go/v84"

	"tokendesk/activities/gateway/payment"
	"tokendesk/activities/gateway/webhook"
	"tokendesk/models"
)

// DefaultURL is Stripe's own API.
const DefaultURL = "https://api.stripe.com"

// Config of a Gateway.
type Config struct {
	APIKey         models.Secret
	URL            string            // DefaultURL where empty
	WebhookSecrets []models.Secret   // every secret that is valid now; two during a rotation
	Tolerance      time.Duration     // of webhook timestamps; webhook.Tolerance where zero
	Timeout        time.Duration     // of one call; 8 seconds where zero, so that it ends before its activity
	Transport      http.RoundTripper // one of its own where nil
}

// Gateway calls Stripe. It is safe for concurrent use, and never repeats a call by itself: who called knows when to.
type Gateway struct {
	client  *api.Client
	secrets []models.Secret
	window  time.Duration
}

// New makes the gateway. It does not call Stripe.
func New(config Config) *Gateway {
	if config.URL == "" {
		config.URL = DefaultURL
	}
	if config.Timeout == 0 {
		config.Timeout = 8 * time.Second
	}
	if config.Tolerance == 0 {
		config.Tolerance = webhook.Tolerance
	}
	if config.Transport == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.MaxIdleConnsPerHost = 16 // it talks to one host only
		config.Transport = transport
	}
	backends := api.NewBackendsWithConfig(&api.BackendConfig{
		URL:               api.String(strings.TrimSuffix(config.URL, "/")),
		HTTPClient:        &http.Client{Timeout: config.Timeout, Transport: config.Transport},
		MaxNetworkRetries: api.Int64(0),
		EnableTelemetry:   api.Bool(false),
		LeveledLogger:     &api.LeveledLogger{Level: api.LevelNull}, // it would log what buyers typed
	})
	return &Gateway{
		client:  api.NewClient(config.APIKey.Reveal(), api.WithBackends(backends)),
		secrets: config.WebhookSecrets, window: config.Tolerance,
	}
}

// Authorize holds an amount on a card. The buyer is taken to be present, so the bank may ask for a confirmation:
// the charge is then payment.ActionRequired.
func (g *Gateway) Authorize(ctx context.Context, r payment.AuthorizeRequest) (payment.Charge, error) {
	if err := r.Check(); err != nil {
		return payment.Charge{}, err
	}
	params := &api.PaymentIntentCreateParams{
		Amount:        api.Int64(r.Amount.Minor),
		Currency:      api.String(strings.ToLower(string(r.Amount.Currency))),
		PaymentMethod: api.String(r.PaymentMethod.Reveal()),
		CaptureMethod: api.String(string(api.PaymentIntentCaptureMethodManual)),
		Confirm:       api.Bool(true),
		Description:   api.String("Order " + r.OrderNumber),
		AutomaticPaymentMethods: &api.PaymentIntentCreateAutomaticPaymentMethodsParams{
			Enabled:        api.Bool(true),
			AllowRedirects: api.String(string(api.PaymentIntentAutomaticPaymentMethodsAllowRedirectsNever)),
		},
	}
	params.AddMetadata("order_number", r.OrderNumber)
	params.AddExpand("latest_charge")
	params.SetIdempotencyKey(r.IdempotencyKey)
	intent, err := g.client.V1PaymentIntents.Create(ctx, params)
	if err != nil {
		return g.declined(err), fault("authorize", err)
	}
	return g.settled(intent)
}

// Capture takes up to the amount that is held; the rest is released. The currency is the charge's.
func (g *Gateway) Capture(ctx context.Context, key, ref string, amount models.Money) (payment.Charge, error) {
	if err := check(key, amount); err != nil {
		return payment.Charge{}, err
	}
	params := &api.PaymentIntentCaptureParams{AmountToCapture: api.Int64(amount.Minor)}
	params.AddExpand("latest_charge")
	params.SetIdempotencyKey(key)
	intent, err := g.client.V1PaymentIntents.Capture(ctx, ref, params)
	if err != nil {
		return g.declined(err), fault("capture", err)
	}
	return g.settled(intent)
}

// Cancel releases what is held.
func (g *Gateway) Cancel(ctx context.Context, key, ref string) (payment.Charge, error) {
	if key == "" {
		return payment.Charge{}, models.IdempotencyKeyMissing.New("the call needs an idempotency key")
	}
	params := &api.PaymentIntentCancelParams{}
	params.AddExpand("latest_charge")
	params.SetIdempotencyKey(key)
	intent, err := g.client.V1PaymentIntents.Cancel(ctx, ref, params)
	if err != nil {
		return payment.Charge{}, fault("cancel", err)
	}
	return chargeOf(intent), nil
}

// Refund gives back up to what was captured and not yet refunded.
func (g *Gateway) Refund(ctx context.Context, key, ref string, amount models.Money) (payment.Charge, error) {
	if err := check(key, amount); err != nil {
		return payment.Charge{}, err
	}
	params := &api.RefundCreateParams{PaymentIntent: api.String(ref), Amount: api.Int64(amount.Minor)}
	params.SetIdempotencyKey(key)
	if _, err := g.client.V1Refunds.Create(ctx, params); err != nil {
		return payment.Charge{}, fault("refund", err)
	}
	return g.Fetch(ctx, ref)
}

// Fetch reads the state of a charge.
func (g *Gateway) Fetch(ctx context.Context, ref string) (payment.Charge, error) {
	if ref == "" {
		return payment.Charge{}, models.NoSuchThing.New("there is no such charge")
	}
	params := &api.PaymentIntentRetrieveParams{}
	params.AddExpand("latest_charge")
	intent, err := g.client.V1PaymentIntents.Retrieve(ctx, ref, params)
	if err != nil {
		return payment.Charge{}, fault("fetch", err)
	}
	return chargeOf(intent), nil
}

// VerifyWebhook reads an event that Stripe signed. Only ids are read from it, so the API version that the endpoint
// is registered with does not matter.
func (g *Gateway) VerifyWebhook(header http.Header, body []byte, at time.Time) (payment.Event, error) {
	if err := webhook.Verify(g.secrets, header.Get("Stripe-Signature"), body, at, g.window); err != nil {
		return payment.Event{}, err
	}
	var e struct {
		ID   string `json:"id"`
		Type string `json:"type"`
		Data struct {
			Object struct {
				ID            string          `json:"id"`
				PaymentIntent json.RawMessage `json:"payment_intent"` // an id, or the object where it is expanded
			} `json:"object"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &e); err != nil || e.ID == "" {
		return payment.Event{}, models.InvalidRequest.New("the event cannot be read")
	}
	event := payment.Event{ID: e.ID, Kind: payment.Irrelevant}
	switch {
	case strings.HasPrefix(e.Type, "payment_intent."):
		event.Kind, event.Ref = payment.ChargeChanged, e.Data.Object.ID
	case strings.HasPrefix(e.Type, "charge.dispute."):
		event.Kind, event.Ref = payment.ChargeDisputed, idOf(e.Data.Object.PaymentIntent)
	case strings.HasPrefix(e.Type, "charge."), strings.HasPrefix(e.Type, "refund."):
		event.Kind, event.Ref = payment.ChargeChanged, idOf(e.Data.Object.PaymentIntent)
	}
	if event.Ref == "" { // a charge of another integration on the same account
		event.Kind = payment.Irrelevant
	}
	return event, nil
}

func idOf(field json.RawMessage) string {
	var id string
	if json.Unmarshal(field, &id) == nil {
		return id
	}
	var object struct {
		ID string `json:"id"`
	}
	_ = json.Unmarshal(field, &object) // absent or null: no id
	return object.ID
}

func check(key string, amount models.Money) error {
	if key == "" {
		return models.IdempotencyKeyMissing.New("the call needs an idempotency key")
	}
	return payment.CheckAmount(amount)
}
