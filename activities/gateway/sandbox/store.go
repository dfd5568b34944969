// Package sandbox is the ground that the simulators of the gateways stand on: a PostgreSQL schema of their own, so
// that what "the outside world" did survives a killed process; the orders that tests and demonstrations give it;
// answers under idempotency keys; and the delivery of signed webhooks.
//
// It belongs to development, demonstration and tests. Production wiring never opens it.
package sandbox

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Gateway names a simulated outside service.
type Gateway string

// The simulated services.
const (
	Payments Gateway = "payments"
	Carrier  Gateway = "carrier"
	Mailbox  Gateway = "mailbox"
	Proofing Gateway = "proofing"
	Meetings Gateway = "meetings"
	Post     Gateway = "post"
)

// Store is the simulators' schema "sandbox" in a PostgreSQL database. It is safe for concurrent use, by several
// processes too.
type Store struct {
	Pool *pgxpool.Pool
}

const schema = `
CREATE SCHEMA IF NOT EXISTS sandbox;

CREATE TABLE IF NOT EXISTS sandbox.orders (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    gateway   text   NOT NULL,
    operation text   NOT NULL,
    match     text   NOT NULL,
    effect    text   NOT NULL,
    remaining int    NOT NULL CHECK (remaining >= 0),
    delay     bigint NOT NULL
);
CREATE INDEX IF NOT EXISTS orders_open ON sandbox.orders (gateway, id) WHERE remaining > 0;

CREATE TABLE IF NOT EXISTS sandbox.calls (
    gateway     text  NOT NULL,
    key         text  NOT NULL,
    fingerprint bytea NOT NULL,
    answer      jsonb,
    PRIMARY KEY (gateway, key)
);

CREATE TABLE IF NOT EXISTS sandbox.webhooks (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    gateway   text        NOT NULL,
    subject   text        NOT NULL,
    body      bytea       NOT NULL,
    due       timestamptz NOT NULL,               -- on the sandbox's clock
    held      boolean     NOT NULL DEFAULT false, -- waits to be overtaken by the next one
    overtaker bigint,                             -- goes out only after this one
    attempts  int         NOT NULL DEFAULT 0,
    delivered boolean     NOT NULL DEFAULT false
);
ALTER TABLE sandbox.webhooks ADD COLUMN IF NOT EXISTS leased_until timestamptz; -- in real time: being delivered, or tried again then
CREATE INDEX IF NOT EXISTS webhooks_open ON sandbox.webhooks (gateway, due) WHERE NOT delivered;
CREATE INDEX IF NOT EXISTS webhooks_subject ON sandbox.webhooks (subject) WHERE NOT delivered;
`

// Open connects to the database at the URL and makes the schema where it is missing. The pool is small and its own.
//
// Its commits do not wait for the disk: what a client of a simulator records about an answer is committed after
// the answer, to the same log, so no crash can keep the record and lose what it tells of.
func Open(ctx context.Context, databaseURL string) (*Store, error) {
	config, err := pgxpool.ParseConfig(databaseURL)
	if err != nil {
		return nil, fmt.Errorf("sandbox: the database URL cannot be read") // the cause may show a password
	}
	config.MaxConns = 8
	config.ConnConfig.RuntimeParams["synchronous_commit"] = "off"
	config.ConnConfig.RuntimeParams["application_name"] = "tokendesk-sandbox"
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("sandbox: connect: %w", err)
	}
	s := &Store{Pool: pool}
	if err := s.Migrate(ctx, schema); err != nil {
		pool.Close()
		return nil, err
	}
	return s, nil
}

// Close waits for running statements and gives the connections back.
func (s *Store) Close() { s.Pool.Close() }

// Migrate runs idempotent DDL. One process at a time does so: CREATE … IF NOT EXISTS races otherwise.
func (s *Store) Migrate(ctx context.Context, ddl string) error {
	err := pgx.BeginFunc(ctx, s.Pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtext('tokendesk.sandbox'))`); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, ddl)
		return err
	})
	if err != nil {
		return fmt.Errorf("sandbox: create the schema: %w", err)
	}
	return nil
}
