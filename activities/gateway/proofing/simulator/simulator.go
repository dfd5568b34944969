// Package simulator is a stateful identity provider for development, demonstration and tests.
//
// It keeps sessions and idempotency keys in PostgreSQL, so that they survive a killed process, pushes signed webhooks, knows test
// people by their last names (see people), and takes orders to misbehave. It can be called in process, or over HTTP in the API of
// package wire.
//
// Of what a person gave it keeps a digest and the address that a letter would go to, both sealed, until the session is redacted
// (PRF-2). Questions are invented, phones get no message: the page of a session stands for the person's phone.
package simulator

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"

	"tokendesk/activities/gateway/proofing"
	"tokendesk/activities/gateway/proofing/wire"
	"tokendesk/activities/gateway/sandbox"
	"tokendesk/internal/seal"
	"tokendesk/models"
)

// Config of a Simulator. The zero value works: nothing is pushed.
type Config struct {
	WebhookURL     string           // where webhooks are pushed; without one, nowhere
	WebhookSecrets []models.Secret  // sign and verify webhooks
	APIKey         models.Secret    // what the HTTP side demands; without one, anything
	Keyring        *seal.Keyring    // the same in every process on one database; one that dies with this one where nil
	Now            func() time.Time // the sandbox's clock; time.Now where nil
}

// Simulator is the provider. It is safe for concurrent use, by several processes on one database too.
type Simulator struct {
	store  *sandbox.Store
	config Config
	push   *sandbox.Dispatcher
}

var _ proofing.Provider = (*Simulator)(nil)

const schema = `
CREATE TABLE IF NOT EXISTS sandbox.proofings (
    ref           text PRIMARY KEY,
    reference     text        NOT NULL,
    person        text        NOT NULL,              -- which of the test people
    limits        jsonb       NOT NULL,
    phase         text        NOT NULL,
    outcome       text,
    later_outcome text        NOT NULL,              -- how it ends by itself
    later_at      timestamptz NOT NULL,              -- by the sandbox's clock
    ssn_given     boolean     NOT NULL DEFAULT false,
    passed        boolean     NOT NULL DEFAULT false, -- questions were answered rightly
    pictures      int         NOT NULL DEFAULT 0,    -- how often they were taken
    sealed        bytea,                             -- until redacted
    created_at    timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS proofings_by_reference ON sandbox.proofings (reference);
CREATE TABLE IF NOT EXISTS sandbox.proofing_sets (
    ref       text        NOT NULL REFERENCES sandbox.proofings,
    number    int         NOT NULL,
    answer_by timestamptz NOT NULL, -- by the sandbox's clock
    answered  boolean     NOT NULL DEFAULT false,
    PRIMARY KEY (ref, number)
);
`

// The operations, as orders name them. announce is the delivery of a webhook. Orders match the reference, the session, and the type
// of a webhook.
const (
	start     = "start"
	giveSSN   = "give_ssn"
	questions = "questions"
	answer    = "answer"
	capture   = "send_capture"
	fetch     = "fetch"
	located   = "located"
	cancel    = "cancel"
	redact    = "redact"
	announce  = "webhook"
)

var operations = sandbox.Operations{
	start: sandbox.CallEffects, giveSSN: sandbox.CallEffects, questions: sandbox.CallEffects, answer: sandbox.CallEffects, capture: sandbox.CallEffects,
	fetch: sandbox.CallEffects, located: sandbox.CallEffects, cancel: sandbox.CallEffects, redact: sandbox.CallEffects, announce: sandbox.WebhookEffects,
}

// New makes the provider on the sandbox's store. Run must run for webhooks to be delivered.
func New(ctx context.Context, store *sandbox.Store, config Config) (_ *Simulator, err error) {
	if err := store.Migrate(ctx, schema); err != nil {
		return nil, err
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Keyring == nil {
		if config.Keyring, err = seal.Generate(); err != nil {
			return nil, err
		}
	}
	push := sandbox.NewDispatcher(store, sandbox.Proofing, sandbox.WebhookConfig{
		URL: config.WebhookURL, Secrets: config.WebhookSecrets, Header: wire.SignatureHeader, Now: config.Now})
	return &Simulator{store: store, config: config, push: push}, nil
}

// Run delivers webhooks until the context ends.
func (s *Simulator) Run(ctx context.Context) error { return s.push.Run(ctx) }

// Wake has webhooks that have become due delivered at once.
func (s *Simulator) Wake() { s.push.Wake() }

// Start begins a session.
func (s *Simulator) Start(ctx context.Context, a proofing.Applicant) (proofing.Session, error) {
	if err := a.Check(); err != nil {
		return proofing.Session{}, err
	}
	order, err := s.obey(ctx, start, a.Reference)
	switch {
	case err != nil:
		return proofing.Session{}, err
	case order.Effect == sandbox.Refuse:
		return proofing.Session{}, models.IdentityDataIncomplete.New("told to refuse")
	case personOf(a.Name.Last) == unreachable:
		return proofing.Session{}, models.ServiceDown.Because(errors.New("proofing simulator: told by a name to be out of reach"))
	}
	var ref string
	err = s.store.Once(ctx, sandbox.Proofing, a.IdempotencyKey, []any{start, a.Reference, a.Limits}, &ref, func(tx pgx.Tx, writes *pgx.Batch) error {
		ref = "idv_" + random()
		return s.begin(ctx, tx, writes, ref, a)
	})
	if err != nil {
		return proofing.Session{}, technical(err)
	}
	s.push.Wake()
	c, err := s.load(ctx, s.store.Pool, ref)
	if err == nil {
		err = s.sameApplicant(c, a)
	}
	if err != nil {
		return proofing.Session{}, technical(err)
	}
	return c.session(), order.After(ctx)
}

// GiveSSN takes nine digits, looks at them and forgets them.
func (s *Simulator) GiveSSN(ctx context.Context, ref string, ssn models.Secret) (proofing.Session, error) {
	if _, err := proofing.PlainSSN(ssn); err != nil {
		return proofing.Session{}, err
	}
	return s.change(ctx, giveSSN, ref, func(tx pgx.Tx, writes *pgx.Batch, c *record) error {
		switch {
		case c.ssnGiven:
			return nil
		case c.phase != models.SessionNeedsSSN:
			return models.StateForbids.New("the session does not wait for a Social Security number")
		}
		c.ssnGiven = true
		return s.proceed(ctx, tx, writes, c)
	})
}

// SendCapture sends the capture link again, which here goes nowhere.
func (s *Simulator) SendCapture(ctx context.Context, ref string, phone models.Secret) (proofing.Session, error) {
	if err := proofing.CheckPhone(phone); err != nil {
		return proofing.Session{}, err
	}
	return s.change(ctx, capture, ref, func(_ pgx.Tx, _ *pgx.Batch, c *record) error {
		if c.phase != models.SessionCapture {
			return models.StateForbids.New("the session does not wait for pictures")
		}
		return nil
	})
}

// Fetch tells where a session stands.
func (s *Simulator) Fetch(ctx context.Context, ref string) (proofing.Session, error) {
	c, order, err := s.look(ctx, fetch, ref)
	if err != nil {
		return proofing.Session{}, err
	}
	return c.session(), order.After(ctx)
}

// Located is where a located person gets a letter.
func (s *Simulator) Located(ctx context.Context, ref string) (models.Address, error) {
	c, order, err := s.look(ctx, located, ref)
	switch {
	case err != nil:
		return models.Address{}, err
	case c.outcome == nil || *c.outcome != models.OutcomeLocated:
		return models.Address{}, models.StateForbids.New("nobody is located by this session")
	case c.sealed == nil:
		return models.Address{}, models.NoSuchThing.New("the session is redacted")
	}
	kept, err := s.open(c)
	if err != nil {
		return models.Address{}, technical(err)
	}
	return kept.Address, order.After(ctx)
}

// Cancel ends a session that has not ended. It pushes nothing: who asked for it knows.
func (s *Simulator) Cancel(ctx context.Context, ref string) error {
	_, err := s.change(ctx, cancel, ref, func(tx pgx.Tx, _ *pgx.Batch, c *record) error { return s.abort(ctx, tx, c) })
	return err
}

// Redact forgets who it was.
func (s *Simulator) Redact(ctx context.Context, ref string) error {
	_, err := s.change(ctx, redact, ref, func(tx pgx.Tx, _ *pgx.Batch, c *record) error {
		c.sealed = nil
		return s.abort(ctx, tx, c)
	})
	return err
}

// ParseWebhook reads a webhook of this provider, signed within five minutes of at.
func (s *Simulator) ParseWebhook(header http.Header, body []byte, at time.Time) (proofing.News, error) {
	return wire.ParseWebhook(s.config.WebhookSecrets, header, body, at)
}

// obey finds the order that fits a call, and fails or waits where it says so.
func (s *Simulator) obey(ctx context.Context, operation string, subjects ...string) (sandbox.Order, error) {
	order, err := sandbox.Take(ctx, s.store.Pool, sandbox.Proofing, operation, operations[operation], subjects...)
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
	return models.ServiceDown.Because(fmt.Errorf("proofing simulator: %w", err))
}

func random() string {
	b := make([]byte, 12)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
