// Package rest is the carrier gateway on a multi-carrier HTTP API, see package wire.
package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"tokendesk/activities/gateway/carrier"
	"tokendesk/activities/gateway/carrier/wire"
	"tokendesk/activities/gateway/webhook"
	"tokendesk/models"
)

// Config of a Gateway.
type Config struct {
	URL            string // of the API, without /v1
	APIKey         models.Secret
	From           models.Address    // where parcels start, and come back to
	WebhookSecrets []models.Secret   // every secret that is valid now; two during a rotation
	Timeout        time.Duration     // of one call; 8 seconds where zero, so that it ends before its activity
	Transport      http.RoundTripper // one of its own where nil
}

// Gateway calls the API. It is safe for concurrent use, and never repeats a call by itself: who called knows when to.
type Gateway struct {
	config Config
	client *http.Client
}

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 1 << 20

// New makes the gateway. It does not call the API.
func New(config Config) *Gateway {
	if config.Timeout == 0 {
		config.Timeout = 8 * time.Second
	}
	if config.Transport == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.MaxIdleConnsPerHost = 16 // it talks to one host only
		config.Transport = transport
	}
	config.URL = strings.TrimSuffix(config.URL, "/")
	return &Gateway{config: config, client: &http.Client{Timeout: config.Timeout, Transport: config.Transport}}
}

// BuyLabel buys a label.
func (g *Gateway) BuyLabel(ctx context.Context, r carrier.LabelRequest) (carrier.Label, error) {
	if err := r.Check(); err != nil {
		return carrier.Label{}, err
	}
	if r.Service == "" {
		r.Service = carrier.Standard
	}
	body := wire.LabelRequest{Reference: r.Reference, Service: string(r.Service),
		From: wire.AddressOf(g.config.From), To: wire.AddressOf(r.To)}
	var label wire.Label
	if err := g.call(ctx, http.MethodPost, "labels", r.IdempotencyKey, body, &label); err != nil {
		return carrier.Label{}, err
	}
	if label.ID == "" || label.TrackingCode == "" {
		return carrier.Label{}, models.ServiceDown.Because(errors.New("carrier: a label without id or tracking number"))
	}
	return carrier.Label{Ref: label.ID, TrackingNumber: label.TrackingCode, Carrier: label.Carrier, URL: label.LabelURL}, nil
}

// VoidLabel gives back a label that was not used.
func (g *Gateway) VoidLabel(ctx context.Context, key, ref string) error {
	if key == "" {
		return models.IdempotencyKeyMissing.New("the call needs an idempotency key")
	}
	return g.call(ctx, http.MethodPost, "labels/"+url.PathEscape(ref)+"/void", key, struct{}{}, &wire.Label{})
}

// Track reads what happened to a parcel, oldest first.
func (g *Gateway) Track(ctx context.Context, trackingNumber string) ([]carrier.Event, error) {
	var tracker wire.Tracker
	if err := g.call(ctx, http.MethodGet, "trackers/"+url.PathEscape(trackingNumber), "", nil, &tracker); err != nil {
		return nil, err
	}
	return wire.EventsOf(tracker), nil
}

// VerifyWebhook reads the events of a webhook, signed within five minutes of at. A webhook about something else holds
// none.
func (g *Gateway) VerifyWebhook(header http.Header, body []byte, at time.Time) ([]carrier.Event, error) {
	err := webhook.Verify(g.config.WebhookSecrets, header.Get(wire.SignatureHeader), body, at, webhook.Tolerance)
	if err != nil {
		return nil, err
	}
	var hook wire.Webhook
	if err := json.Unmarshal(body, &hook); err != nil || hook.Type == "" {
		return nil, models.InvalidRequest.New("the event cannot be read")
	}
	if hook.Type != wire.TrackerUpdated {
		return nil, nil
	}
	return wire.EventsOf(hook.Data), nil
}

func (g *Gateway) call(ctx context.Context, method, path, key string, in, out any) error {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return models.InternalFault.Because(fmt.Errorf("carrier: write the request: %w", err))
		}
		body = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, g.config.URL+"/v1/"+path, body)
	if err != nil {
		return models.InternalFault.Because(errors.New("carrier: the URL cannot be used"))
	}
	request.Header.Set("Authorization", "Bearer "+g.config.APIKey.Reveal())
	request.Header.Set("Accept", "application/json")
	if in != nil {
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Idempotency-Key", key)
	}
	response, err := g.client.Do(request)
	if err != nil { // its text holds the URL
		return models.ServiceDown.Because(fmt.Errorf("carrier: no answer: %w", bare(err)))
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return models.ServiceDown.Because(errors.New("carrier: the answer broke off"))
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		return fault(response, text)
	}
	if err := json.Unmarshal(text, out); err != nil {
		return models.ServiceDown.Because(errors.New("carrier: the answer cannot be read"))
	}
	return nil
}

func bare(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// fault gives a failure its meaning, by its code and else by its status.
func fault(response *http.Response, text []byte) error {
	var failure wire.Failure
	_ = json.Unmarshal(text, &failure) // a proxy's page has no code
	status := response.StatusCode
	cause := fmt.Errorf("carrier: status %d", status)
	switch failure.Error.Code {
	case wire.AddressInvalid:
		return carrier.AddressRefused.Because(cause)
	case wire.KeyReused:
		return models.IdempotencyKeyReused.Because(cause)
	case wire.KeyMissing:
		return models.IdempotencyKeyMissing.Because(cause)
	case wire.StateForbidden:
		return models.StateForbids.Because(cause)
	case wire.CallInFlight:
		return models.ServiceDown.Because(cause)
	}
	switch status {
	case http.StatusNotFound:
		return models.NoSuchThing.Because(cause)
	case http.StatusConflict:
		return models.StateForbids.Because(cause)
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return models.InvalidRequest.Because(cause)
	default: // 401 and 403 too: a person puts the API key right, and the call goes on
		seconds, _ := strconv.Atoi(response.Header.Get("Retry-After")) // zero where it is a date
		return models.ServiceDown.Because(cause).After(time.Duration(max(seconds, 0)) * time.Second)
	}
}
