// Package simulator is a stateful carrier for development, demonstration and tests.
//
// It keeps parcels, events and idempotency keys in PostgreSQL, so that they survive a killed process, pushes signed
// webhooks, lets parcels travel by themselves where told to, and takes orders to misbehave. It can be called in
// process, or over HTTP in the API of package wire.
package simulator

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"

	"tokendesk/activities/gateway/carrier"
	"tokendesk/activities/gateway/carrier/wire"
	"tokendesk/activities/gateway/sandbox"
	"tokendesk/activities/gateway/webhook"
	"tokendesk/models"
)

// Name is who carries the parcels.
const Name = "Sandbox Post"

// Config of a Simulator. The zero value works: parcels wait to be told, and nothing is pushed.
type Config struct {
	WebhookURL     string           // where events are pushed; without one, nowhere
	WebhookSecrets []models.Secret  // sign and verify webhooks
	APIKey         models.Secret    // what the HTTP side demands; without one, anything
	PublicURL      string           // where Handler is reached, for links to labels: "http://127.0.0.1:8080"
	Automatic      bool             // parcels travel by themselves
	InTransitAfter time.Duration    // on the sandbox's clock, from the label to in_transit, where Automatic
	DeliveredAfter time.Duration    // on the sandbox's clock, from the label to delivered, where Automatic
	Now            func() time.Time // the sandbox's clock; time.Now where nil
}

// Simulator is the carrier. It is safe for concurrent use, by several processes on one database too.
type Simulator struct {
	store  *sandbox.Store
	config Config
	push   *sandbox.Dispatcher
}

const schema = `
CREATE TABLE IF NOT EXISTS sandbox.parcels (
    tracking   text PRIMARY KEY,
    ref        text        NOT NULL UNIQUE,
    reference  text        NOT NULL,
    service    text        NOT NULL,
    recipient  jsonb       NOT NULL,
    voided     boolean     NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS parcels_by_reference ON sandbox.parcels (reference);
CREATE TABLE IF NOT EXISTS sandbox.parcel_events (
    id          text PRIMARY KEY,
    tracking    text        NOT NULL REFERENCES sandbox.parcels,
    kind        text        NOT NULL,
    occurred_at timestamptz NOT NULL, -- by the sandbox's clock
    due         timestamptz NOT NULL  -- by the sandbox's clock: nobody sees it before
);
CREATE INDEX IF NOT EXISTS parcel_events_by_parcel ON sandbox.parcel_events (tracking);
`

// The operations, as orders name them. parcel is the journey of a parcel, announce the delivery of a webhook. Orders
// match the reference, and where it exists the tracking number.
const (
	buy      = "buy_label"
	void     = "void_label"
	track    = "track"
	parcel   = "parcel"
	announce = "webhook"
)

var operations = sandbox.Operations{
	buy:      sandbox.CallEffects,
	void:     sandbox.CallEffects,
	track:    {sandbox.Fail, sandbox.TimeOut, sandbox.Slow},
	parcel:   journeyEffects,
	announce: sandbox.WebhookEffects,
}

var journeyEffects = []sandbox.Effect{sandbox.Hold, sandbox.Lose, sandbox.Return}

// New makes the carrier on the sandbox's store. Run must run for webhooks to be delivered.
func New(ctx context.Context, store *sandbox.Store, config Config) (*Simulator, error) {
	if err := store.Migrate(ctx, schema); err != nil {
		return nil, err
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	push := sandbox.NewDispatcher(store, sandbox.Carrier, sandbox.WebhookConfig{
		URL: config.WebhookURL, Secrets: config.WebhookSecrets, Header: wire.SignatureHeader, Now: config.Now})
	return &Simulator{store: store, config: config, push: push}, nil
}

// Run delivers webhooks until the context ends.
func (s *Simulator) Run(ctx context.Context) error { return s.push.Run(ctx) }

// Wake has webhooks that have become due delivered at once.
func (s *Simulator) Wake() { s.push.Wake() }

// BuyLabel takes a parcel on.
func (s *Simulator) BuyLabel(ctx context.Context, r carrier.LabelRequest) (carrier.Label, error) {
	if err := r.Check(); err != nil {
		return carrier.Label{}, err
	}
	if r.Service == "" {
		r.Service = carrier.Standard
	}
	order, err := s.obey(ctx, buy, r.Reference)
	if err != nil {
		return carrier.Label{}, err
	}
	if order.Effect == sandbox.Refuse {
		return carrier.Label{}, carrier.AddressRefused.New("told to refuse")
	}
	var label carrier.Label
	err = s.store.Once(ctx, sandbox.Carrier, r.IdempotencyKey, []any{buy, r.Reference, r.Service, r.To}, &label, func(tx pgx.Tx, writes *pgx.Batch) error {
		label = s.newLabel()
		writes.Queue(`INSERT INTO sandbox.parcels (tracking, ref, reference, service, recipient, created_at)
			VALUES ($1, $2, $3, $4, $5, $6)`, label.TrackingNumber, label.Ref, r.Reference, r.Service, r.To, s.config.Now())
		return s.start(ctx, tx, writes, label.TrackingNumber, r.Reference)
	})
	if err != nil {
		return carrier.Label{}, technical(err)
	}
	s.push.Wake()
	return label, order.After(ctx)
}

func (s *Simulator) newLabel() carrier.Label {
	n, _ := rand.Int(rand.Reader, big.NewInt(1_000_000_000_000)) // never fails
	tracking := fmt.Sprintf("SP%012dCH", n)
	return carrier.Label{Ref: "lbl_" + random(), TrackingNumber: tracking, Carrier: Name,
		URL: s.config.PublicURL + "/sandbox/carrier/labels/" + tracking + ".pdf"}
}

// VoidLabel gives back a label whose parcel has not moved.
func (s *Simulator) VoidLabel(ctx context.Context, key, ref string) error {
	order, err := s.obey(ctx, void, ref)
	if err != nil {
		return err
	}
	if order.Effect == sandbox.Refuse {
		return models.StateForbids.New("told to refuse")
	}
	var done bool
	err = s.store.Once(ctx, sandbox.Carrier, key, []any{void, ref}, &done, func(tx pgx.Tx, _ *pgx.Batch) error {
		done = true
		return s.void(ctx, tx, ref)
	})
	if err != nil {
		return technical(err)
	}
	return order.After(ctx)
}

func (s *Simulator) void(ctx context.Context, tx pgx.Tx, ref string) error {
	var tracking string
	var voided, moved bool
	err := tx.QueryRow(ctx, `SELECT tracking, voided, EXISTS (SELECT FROM sandbox.parcel_events e
			WHERE e.tracking = p.tracking AND e.kind <> $2 AND e.due <= $3)
		FROM sandbox.parcels p WHERE ref = $1 FOR UPDATE`, ref, carrier.LabelCreated, s.config.Now()).Scan(&tracking, &voided, &moved)
	if errors.Is(err, pgx.ErrNoRows) {
		return models.NoSuchThing.New("there is no such label")
	}
	if err != nil {
		return err
	}
	if voided || moved {
		return models.StateForbids.New("the label is voided, or its parcel has moved")
	}
	if err := s.interrupt(ctx, tx, tracking); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `UPDATE sandbox.parcels SET voided = true WHERE ref = $1`, ref)
	return err
}

// Track reads what happened to a parcel, oldest first.
func (s *Simulator) Track(ctx context.Context, trackingNumber string) ([]carrier.Event, error) {
	order, err := s.obey(ctx, track, trackingNumber)
	if err != nil {
		return nil, err
	}
	events, err := s.events(ctx, trackingNumber)
	if err != nil {
		return nil, technical(err)
	}
	if len(events) == 0 { // each parcel has its label_created
		return nil, models.NoSuchThing.New("there is no such parcel")
	}
	return events, order.After(ctx)
}

// VerifyWebhook reads the events of a webhook of this carrier, signed within five minutes of at.
func (s *Simulator) VerifyWebhook(header http.Header, body []byte, at time.Time) ([]carrier.Event, error) {
	err := webhook.Verify(s.config.WebhookSecrets, header.Get(wire.SignatureHeader), body, at, webhook.Tolerance)
	if err != nil {
		return nil, err
	}
	var hook wire.Webhook
	if err := json.Unmarshal(body, &hook); err != nil {
		return nil, models.InvalidRequest.New("the event cannot be read")
	}
	return wire.EventsOf(hook.Data), nil
}

// obey finds the order that fits a call, and fails or waits where it says so.
func (s *Simulator) obey(ctx context.Context, operation string, subjects ...string) (sandbox.Order, error) {
	order, err := sandbox.Take(ctx, s.store.Pool, sandbox.Carrier, operation, operations[operation], subjects...)
	if err != nil {
		return sandbox.Order{}, technical(err)
	}
	return order, order.Before(ctx)
}

// technical makes what is no fault yet a fault to retry.
func technical(err error) error {
	var fault *models.Fault
	if err == nil || errors.As(err, &fault) {
		return err
	}
	return models.ServiceDown.Because(fmt.Errorf("carrier simulator: %w", err))
}

func random() string {
	b := make([]byte, 12)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
