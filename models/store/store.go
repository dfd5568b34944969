// Package store keeps what is true in PostgreSQL: guarded transitions, queries, the audit trail and the outbox.
//
// Every change of state goes through a transition table of package models: an UPDATE whose WHERE clause names the
// sources of the event. Facts and the outbox rows that tell the engine of them are written in one transaction.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	"tokendesk/models"
)

// Store is a connection to the database or, inside InTx, one transaction of it.
type Store struct {
	db   *gorm.DB
	pool *pgxpool.Pool
	inTx bool
	own  string // workflow id of the lifecycle that acts
}

// Of is the store as a lifecycle uses it that looks again after whatever it does: it is not told of its own doings.
func (s *Store) Of(l models.Lifecycle, id string) *Store {
	own := *s
	own.own = l.WorkflowID(id)
	return &own
}

// Open connects to the database at the URL. The pool is shared by GORM and by the verification path.
func Open(ctx context.Context, url string) (*Store, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("read the database URL: %w", err)
	}
	if cfg.MaxConns < 24 {
		cfg.MaxConns = 24
	}
	cfg.ConnConfig.RuntimeParams["timezone"] = "UTC"
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("connect to the database: %w", err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("connect to the database: %w", err)
	}
	db, err := gorm.Open(postgres.New(postgres.Config{Conn: stdlib.OpenDBFromPool(pool)}), &gorm.Config{
		QueryFields:              true,
		SkipDefaultTransaction:   true,
		DisableNestedTransaction: true,
		NowFunc:                  func() time.Time { return time.Time{} }, // no column takes the real clock by itself
		Logger:                   logger.Discard,                          // an error is logged once, by whoever handles it
	})
	if err != nil {
		pool.Close()
		return nil, fmt.Errorf("open the database: %w", err)
	}
	return &Store{db: db, pool: pool}, nil
}

// Close ends all connections.
func (s *Store) Close() { s.pool.Close() }

// Pool is the connection pool itself, for what GORM is too slow or too late for.
func (s *Store) Pool() *pgxpool.Pool { return s.pool }

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error { return s.pool.Ping(ctx) }

// SQL is the pool as database/sql sees it, for migrations.
func (s *Store) SQL() (*sql.DB, error) { return s.db.DB() }

// InTx runs f in one transaction; inside another InTx it joins that one. An error of f rolls back, except a refusal whose
// evidence must last (see kept): that one is returned after the commit.
func (s *Store) InTx(ctx context.Context, f func(tx *Store) error) error {
	if s.inTx {
		return f(s)
	}
	var refusal kept
	err := s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		err := f(&Store{db: tx, pool: s.pool, inTx: true, own: s.own})
		if errors.As(err, &refusal) {
			return nil
		}
		return err
	})
	if err == nil && refusal.error != nil {
		err = refusal.error
	}
	return fault(err)
}

func (s *Store) with(ctx context.Context) *gorm.DB { return s.db.WithContext(ctx) }
