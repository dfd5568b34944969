// Package migrations holds the versioned SQL of the database, embedded in the binary.
package migrations

import (
	"context"
	"database/sql"
	"embed"
	"fmt"

	"github.com/pressly/goose/v3"
)

// FS has the migrations, one file each, in order of their names.
//
//go:embed *.sql
var FS embed.FS

// Up brings the database to the newest version. Several processes may call it at once: the second waits for the
// first under an advisory lock.
func Up(ctx context.Context, db *sql.DB) error {
	p, err := goose.NewProvider(goose.DialectPostgres, db, FS)
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("connect to migrate: %w", err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, "select pg_advisory_lock(7263001)"); err != nil {
		return fmt.Errorf("wait for other migrations: %w", err)
	}
	defer func() { // the lock ends with the connection at the latest
		_, _ = conn.ExecContext(context.WithoutCancel(ctx), "select pg_advisory_unlock(7263001)")
	}()
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}
