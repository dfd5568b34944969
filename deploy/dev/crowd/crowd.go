// Package crowd fills a development stack with people who already have credentials, and runs workers in processes of their own that can be
// killed. The end-to-end tests and the benchmarks share it.
package crowd

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"tokendesk/internal/demodata"
	"tokendesk/models"
	"tokendesk/models/store"
)

// PolicyVersion is the version that the demo data brings.
const PolicyVersion = 2

// Credential is one that was seeded.
type Credential struct {
	ID, AccountID, Email string
	ExpiresAt            time.Time
}

// Seed writes people with an active credential each, whose term ends at the moments given, and lets their lifecycles begin. Orders
// and keys, which no lifecycle of a credential reads, are left out.
func Seed(ctx context.Context, db *pgxpool.Pool, at time.Time, expires []time.Time) ([]Credential, error) {
	tag := rand.Text()[:8]
	seeded := make([]Credential, len(expires))
	for i, e := range expires {
		seeded[i] = Credential{ID: store.NewID("cr", at), AccountID: store.NewID("ac", at), Email: fmt.Sprintf("crowd.%s.%d@persons.example", tag, i), ExpiresAt: e}
	}
	tx, err := db.Begin(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback(ctx) }()
	if _, err := tx.Exec(ctx, "set local session_replication_role = replica"); err != nil { // no orders to refer to
		return nil, err
	}
	for _, t := range []struct {
		table   string
		columns []string
		row     func(c Credential) []any
	}{
		{"accounts", []string{"id", "user_id", "email", "first_name", "last_name", "country", "password_hash", "created_at"}, func(c Credential) []any {
			return []any{c.AccountID, c.Email, c.Email, "Crowd", "Member", "US", "", at}
		}},
		{"credentials", []string{"id", "account_id", "order_line_id", "license_key_id", "product_sku", "kind", "level", "phase", "policy_version", "purchased_at", "expires_at", "created_at", "updated_at"},
			func(c Credential) []any {
				return []any{c.ID, c.AccountID, "ol_" + c.ID, "lk_" + c.ID, demodata.HardwareSKU, models.HardwareOTP, 2, models.CredentialActive, PolicyVersion,
					c.ExpiresAt.AddDate(-1, 0, 0), c.ExpiresAt, at, at}
			}},
		{"outbox", []string{"kind", "workflow_id", "name", "ref", "created_at", "next_at"}, func(c Credential) []any {
			return []any{models.OutboxStart, models.CredentialLifecycle.WorkflowID(c.ID), models.CredentialLifecycle, c.ID, at, at}
		}},
	} {
		rows := pgx.CopyFromSlice(len(seeded), func(i int) ([]any, error) { return t.row(seeded[i]), nil })
		if _, err := tx.CopyFrom(ctx, pgx.Identifier{t.table}, t.columns, rows); err != nil {
			return nil, fmt.Errorf("fill %s: %w", t.table, err)
		}
	}
	return seeded, tx.Commit(ctx)
}
