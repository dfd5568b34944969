// Package simulator is a stateful place for live video sessions, for development, demonstration and tests.
//
// It keeps rooms and idempotency keys in PostgreSQL, so that they survive a killed process, and takes orders to misbehave. It can be
// called in process, or over HTTP in the API of package wire. A room is a page: nobody is filmed.
package simulator

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"tokendesk/activities/gateway/meeting"
	"tokendesk/activities/gateway/sandbox"
	"tokendesk/models"
)

// Config of a Simulator. The zero value works.
type Config struct {
	APIKey    models.Secret    // what the HTTP side demands; without one, anything
	PublicURL string           // where Handler is reached, for links to rooms: "http://127.0.0.1:8080"
	Now       func() time.Time // the sandbox's clock; time.Now where nil
}

// Simulator makes rooms. It is safe for concurrent use, by several processes on one database too.
type Simulator struct {
	store  *sandbox.Store
	config Config
}

var _ meeting.Provider = (*Simulator)(nil)

const schema = `
CREATE TABLE IF NOT EXISTS sandbox.meetings (
    ref        text PRIMARY KEY,
    key        text        NOT NULL,
    agent      text        NOT NULL,
    title      text        NOT NULL,
    starts_at  timestamptz NOT NULL,
    ends_at    timestamptz NOT NULL,
    cancelled  boolean     NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS meetings_by_key ON sandbox.meetings (key);
`

// The operations, as orders name them. Orders match the idempotency key of create, the room of cancel.
const (
	create = "create"
	cancel = "cancel"
)

var operations = sandbox.Operations{
	create: sandbox.CallEffects,
	cancel: {sandbox.Fail, sandbox.TimeOut, sandbox.Slow},
}

// New makes the provider on the sandbox's store.
func New(ctx context.Context, store *sandbox.Store, config Config) (*Simulator, error) {
	if err := store.Migrate(ctx, schema); err != nil {
		return nil, err
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	return &Simulator{store: store, config: config}, nil
}

// Create makes a room.
func (s *Simulator) Create(ctx context.Context, r meeting.Request) (meeting.Room, error) {
	if err := r.Check(); err != nil {
		return meeting.Room{}, err
	}
	order, err := s.obey(ctx, create, r.IdempotencyKey)
	if err != nil {
		return meeting.Room{}, err
	}
	if order.Effect == sandbox.Refuse {
		return meeting.Room{}, models.InvalidRequest.New("told to refuse")
	}
	r.Starts, r.Ends = r.Starts.UTC(), r.Ends.UTC()
	var room meeting.Room
	err = s.store.Once(ctx, sandbox.Meetings, r.IdempotencyKey, r, &room, func(_ pgx.Tx, writes *pgx.Batch) error {
		ref := "mt_" + random()
		room = meeting.Room{Ref: ref, URL: s.config.PublicURL + Path + "rooms/" + ref}
		writes.Queue(`INSERT INTO sandbox.meetings (ref, key, agent, title, starts_at, ends_at, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			ref, r.IdempotencyKey, r.AgentID, r.Title, r.Starts, r.Ends, s.config.Now())
		return nil
	})
	if err != nil {
		return meeting.Room{}, technical(err)
	}
	return room, order.After(ctx)
}

// Cancel closes a room; one that is not known is closed.
func (s *Simulator) Cancel(ctx context.Context, ref string) error {
	_, err := s.cancel(ctx, ref)
	return err
}

// cancel closes a room and reports whether it is known.
func (s *Simulator) cancel(ctx context.Context, ref string) (known bool, err error) {
	order, err := s.obey(ctx, cancel, ref)
	if err != nil {
		return false, err
	}
	tag, err := s.store.Pool.Exec(ctx, `UPDATE sandbox.meetings SET cancelled = true WHERE ref = $1`, ref)
	if err != nil {
		return false, technical(err)
	}
	return tag.RowsAffected() > 0, order.After(ctx)
}

// obey finds the order that fits a call, and fails or waits where it says so.
func (s *Simulator) obey(ctx context.Context, operation, subject string) (sandbox.Order, error) {
	order, err := sandbox.Take(ctx, s.store.Pool, sandbox.Meetings, operation, operations[operation], subject)
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
	return models.ServiceDown.Because(fmt.Errorf("meeting simulator: %w", err))
}

func random() string {
	b := make([]byte, 12)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
