// Package simulator is a stateful card processor for development, demonstration and tests.
//
// It decides by the payment method's name, as Stripe's test mode does, keeps its charges and idempotency keys in
// PostgreSQL, so that they survive a killed process, pushes signed webhooks, and takes orders to misbehave. It can be
// called in process, or over HTTP as the stripe adapter calls Stripe.
package simulator

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"

	"tokendesk/activities/gateway/payment"
	"tokendesk/activities/gateway/sandbox"
	"tokendesk/activities/gateway/webhook"
	"tokendesk/models"
)

// SignatureHeader carries the webhook signature; it is Stripe's.
const SignatureHeader = "Stripe-Signature"

// Config of a Simulator. The zero value works, without webhooks.
type Config struct {
	WebhookURL     string           // where events are pushed; without one, nowhere
	WebhookSecrets []models.Secret  // sign and verify events
	APIKey         models.Secret    // what the HTTP side demands; without one, anything
	Now            func() time.Time // the sandbox's clock; time.Now without one
}

// Simulator is the processor. It is safe for concurrent use, by several processes on one database too.
type Simulator struct {
	store  *sandbox.Store
	config Config
	push   *sandbox.Dispatcher
}

const schema = `
CREATE TABLE IF NOT EXISTS sandbox.charges (
    ref          text PRIMARY KEY,
    order_number text        NOT NULL,
    method       text        NOT NULL,
    status       text        NOT NULL,
    currency     text        NOT NULL,
    amount       bigint      NOT NULL CHECK (amount > 0),
    captured     bigint      NOT NULL DEFAULT 0 CHECK (captured BETWEEN 0 AND amount),
    refunded     bigint      NOT NULL DEFAULT 0 CHECK (refunded BETWEEN 0 AND captured),
    decline      text        NOT NULL DEFAULT '',
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS charges_by_order ON sandbox.charges (order_number);
`

// New makes the processor on the sandbox's store. Run must run for webhooks to be delivered.
func New(ctx context.Context, store *sandbox.Store, config Config) (*Simulator, error) {
	if err := store.Migrate(ctx, schema); err != nil {
		return nil, err
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	push := sandbox.NewDispatcher(store, sandbox.Payments, sandbox.WebhookConfig{
		URL: config.WebhookURL, Secrets: config.WebhookSecrets, Header: SignatureHeader, Now: config.Now})
	return &Simulator{store: store, config: config, push: push}, nil
}

// Run delivers webhooks until the context ends.
func (s *Simulator) Run(ctx context.Context) error { return s.push.Run(ctx) }

// Wake has webhooks that have become due delivered at once.
func (s *Simulator) Wake() { s.push.Wake() }

// Authorize holds an amount on a card.
func (s *Simulator) Authorize(ctx context.Context, r payment.AuthorizeRequest) (payment.Charge, error) {
	if err := r.Check(); err != nil {
		return payment.Charge{}, err
	}
	outcome, known := methods[r.PaymentMethod.Reveal()]
	if !known {
		return payment.Charge{}, payment.MethodUnknown.Fault()
	}
	params := []any{"authorize", r.Amount, r.PaymentMethod.Reveal(), r.OrderNumber}
	return s.once(ctx, authorize, r.IdempotencyKey, params, []string{r.OrderNumber}, func(_ pgx.Tx, writes *pgx.Batch, order sandbox.Order) (row, error) {
		if order.Effect == sandbox.Refuse {
			outcome = outcomeOf{status: payment.Declined, code: "generic_decline"}
		}
		c := row{Ref: "pi_" + random(), OrderNumber: r.OrderNumber, Method: r.PaymentMethod.Reveal(),
			Status: outcome.status, Currency: r.Amount.Currency, Amount: r.Amount.Minor, DeclineCode: outcome.code}
		writes.Queue(`INSERT INTO sandbox.charges
			(ref, order_number, method, status, currency, amount, decline, created_at, updated_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)`,
			c.Ref, c.OrderNumber, c.Method, c.Status, c.Currency, c.Amount, c.DeclineCode, s.config.Now())
		return c, nil
	})
}

// Capture takes up to the amount that is held; the rest is released. The currency is the charge's.
func (s *Simulator) Capture(ctx context.Context, key, ref string, amount models.Money) (payment.Charge, error) {
	if err := payment.CheckAmount(amount); err != nil {
		return payment.Charge{}, err
	}
	return s.move(ctx, capture, key, ref, []any{amount.Minor}, func(c *row) error {
		if c.Status != payment.Authorized {
			return models.StateForbids.New("a charge that is %s cannot be captured", c.Status)
		}
		if amount.Minor > c.Amount {
			return models.InvalidRequest.New("more than the amount that is held")
		}
		c.Status, c.Captured = payment.Captured, amount.Minor
		return nil
	})
}

// Cancel releases what is held.
func (s *Simulator) Cancel(ctx context.Context, key, ref string) (payment.Charge, error) {
	return s.move(ctx, cancel, key, ref, nil, func(c *row) error {
		switch c.Status {
		case payment.Authorized, payment.ActionRequired, payment.Declined:
			c.Status = payment.Cancelled
			return nil
		default:
			return models.StateForbids.New("a charge that is %s cannot be cancelled", c.Status)
		}
	})
}

// Refund gives back up to what was captured and not yet refunded.
func (s *Simulator) Refund(ctx context.Context, key, ref string, amount models.Money) (payment.Charge, error) {
	if err := payment.CheckAmount(amount); err != nil {
		return payment.Charge{}, err
	}
	return s.move(ctx, refund, key, ref, []any{amount.Minor}, func(c *row) error {
		if c.Status != payment.Captured {
			return models.StateForbids.New("a charge that is %s cannot be refunded", c.Status)
		}
		if amount.Minor > c.Captured-c.Refunded {
			return models.InvalidRequest.New("more than was captured and not yet refunded")
		}
		c.Refunded += amount.Minor
		if c.Refunded == c.Captured {
			c.Status = payment.Refunded
		}
		return nil
	})
}

// Fetch reads the state of a charge.
func (s *Simulator) Fetch(ctx context.Context, ref string) (payment.Charge, error) {
	order, err := sandbox.Take(ctx, s.store.Pool, sandbox.Payments, fetch, sandbox.CallEffects, ref)
	if err == nil {
		err = order.Before(ctx)
	}
	if err != nil {
		return payment.Charge{}, err
	}
	c, err := s.find(ctx, ref)
	if err != nil {
		return payment.Charge{}, err
	}
	return c.charge(), order.After(ctx)
}

// VerifyWebhook reads an event of this processor, signed within five minutes of at.
func (s *Simulator) VerifyWebhook(header http.Header, body []byte, at time.Time) (payment.Event, error) {
	err := webhook.Verify(s.config.WebhookSecrets, header.Get(SignatureHeader), body, at, webhook.Tolerance)
	if err != nil {
		return payment.Event{}, err
	}
	var e event
	if err := json.Unmarshal(body, &e); err != nil {
		return payment.Event{}, models.InvalidRequest.New("the event cannot be read")
	}
	return payment.Event{ID: e.ID, Ref: e.ref(), Kind: payment.ChargeChanged}, nil
}

// once runs a call under its key, obeys the orders that fit it, and announces the charge that it made or moved.
// Subjects are what an order may name: the order number, the charge.
func (s *Simulator) once(ctx context.Context, operation, key string, params any, subjects []string,
	work func(pgx.Tx, *pgx.Batch, sandbox.Order) (row, error)) (payment.Charge, error) {
	if key == "" {
		return payment.Charge{}, models.IdempotencyKeyMissing.New("the call needs an idempotency key")
	}
	order, err := sandbox.Take(ctx, s.store.Pool, sandbox.Payments, operation, sandbox.CallEffects, subjects...)
	if err == nil {
		err = order.Before(ctx)
	}
	if err != nil {
		return payment.Charge{}, err
	}
	var c row
	err = s.store.Once(ctx, sandbox.Payments, key, params, &c, func(tx pgx.Tx, writes *pgx.Batch) error {
		var err error
		if c, err = work(tx, writes, order); err != nil {
			return err
		}
		plan, err := s.push.Plan(ctx, tx, announce, subjects...)
		if err != nil {
			return err
		}
		s.push.Enqueue(writes, plan, c.Ref, newEvent(c).json(), 0)
		return nil
	})
	if err != nil {
		return payment.Charge{}, technical(err)
	}
	s.push.Wake()
	if err := order.After(ctx); err != nil {
		return payment.Charge{}, err
	}
	if c.Status == payment.Declined {
		return c.charge(), payment.ByCode(c.DeclineCode).Fault()
	}
	return c.charge(), nil
}

// move changes a charge under lock.
func (s *Simulator) move(ctx context.Context, operation, key, ref string, params []any, change func(*row) error) (payment.Charge, error) {
	found, err := s.find(ctx, ref)
	if err != nil {
		return payment.Charge{}, err
	}
	params = append([]any{operation, ref}, params...)
	return s.once(ctx, operation, key, params, []string{ref, found.OrderNumber}, func(tx pgx.Tx, writes *pgx.Batch, order sandbox.Order) (row, error) {
		if order.Effect == sandbox.Refuse {
			return row{}, models.StateForbids.New("told to refuse")
		}
		c, err := scan(tx.QueryRow(ctx, selectCharge+` WHERE ref = $1 FOR UPDATE`, ref))
		if err != nil {
			return row{}, err
		}
		if err := change(&c); err != nil {
			return row{}, err
		}
		writes.Queue(`UPDATE sandbox.charges SET status = $2, captured = $3, refunded = $4, decline = $5, updated_at = $6
			WHERE ref = $1`, ref, c.Status, c.Captured, c.Refunded, c.DeclineCode, s.config.Now())
		return c, nil
	})
}

func (s *Simulator) find(ctx context.Context, ref string) (row, error) {
	c, err := scan(s.store.Pool.QueryRow(ctx, selectCharge+` WHERE ref = $1`, ref))
	if errors.Is(err, pgx.ErrNoRows) {
		return row{}, models.NoSuchThing.New("there is no such charge")
	}
	return c, technical(err)
}

// technical makes what is no fault yet a fault to retry.
func technical(err error) error {
	var fault *models.Fault
	if err == nil || errors.As(err, &fault) {
		return err
	}
	return models.ServiceDown.Because(fmt.Errorf("payment simulator: %w", err))
}

func random() string {
	b := make([]byte, 12)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
