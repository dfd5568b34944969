package pgcluster

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// WithDatabase returns a connection URL with another database in it.
func WithDatabase(serverURL, database string) (string, error) {
	u, err := url.Parse(serverURL)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return "", errors.New("a PostgreSQL address must be a URL that begins with postgres://") // the URL may hold a password
	}
	u.Path = "/" + database
	return u.String(), nil
}

// CreateDatabase creates a database on a server unless it exists already, and reports whether it did. Two that create
// the same one at once both succeed.
func CreateDatabase(ctx context.Context, serverURL, database string) (created bool, err error) {
	admin, err := WithDatabase(serverURL, "postgres")
	if err != nil {
		return false, err
	}
	conn, err := pgx.Connect(ctx, admin)
	if err != nil {
		return false, fmt.Errorf("connecting to PostgreSQL: %w", err)
	}
	defer conn.Close(ctx)
	var exists bool
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", database).Scan(&exists); err != nil {
		return false, fmt.Errorf("looking for the database %s: %w", database, err)
	}
	if exists {
		return false, nil
	}
	_, err = conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{database}.Sanitize())
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) && (pgErr.Code == "42P04" || pgErr.Code == "23505") { // duplicate_database, lost race
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("creating the database %s: %w", database, err)
	}
	return true, nil
}
