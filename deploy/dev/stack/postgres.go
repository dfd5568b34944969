package stack

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	_ "github.com/jackc/pgx/v5/stdlib" // migrations want database/sql

	"tokendesk/internal/pgcluster"
	"tokendesk/models/migrations"
)

// productDatabase is the product's database on a private cluster.
const productDatabase = "tokendesk"

func (s *Stack) startPostgres(ctx context.Context) error {
	s.database = s.cfg.DatabaseURL
	if s.database == "" {
		s.cfg.Say("starting PostgreSQL")
		cluster, err := pgcluster.Start(ctx, pgcluster.Config{
			Dir: s.cfg.StateDir, Port: s.cfg.Ports.Postgres, Durable: true, Install: true, Download: download, Say: s.cfg.Say,
		})
		var busy *pgcluster.PortBusyError
		if errors.As(err, &busy) {
			return &PortBusyError{Port: busy.Port, What: "PostgreSQL", Variable: "TOKENDESK_POSTGRES_PORT"}
		}
		if err != nil {
			return err
		}
		s.cluster = cluster
		s.database = cluster.URL(productDatabase)
		linkLog(cluster.LogFile(), filepath.Join(s.cfg.StateDir, "log", "postgres.log"))
	}
	name, err := databaseName(s.database)
	if err != nil {
		return err
	}
	if _, err := pgcluster.CreateDatabase(ctx, s.database, name); err != nil {
		return err
	}
	return migrate(ctx, s.database)
}

func migrate(ctx context.Context, database string) error {
	db, err := sql.Open("pgx", database)
	if err != nil {
		return fmt.Errorf("opening the database: %w", err)
	}
	return errors.Join(migrations.Up(ctx, db), db.Close())
}

// databaseName returns the name in a database URL.
func databaseName(database string) (string, error) {
	u, err := url.Parse(database)
	if err != nil {
		return "", errors.New("DATABASE_URL is not a URL") // the URL may hold a password, so it is not repeated
	}
	name := strings.TrimPrefix(u.Path, "/")
	if name == "" {
		return "", errors.New("DATABASE_URL names no database: it must end in one, as in postgres://user@host:5432/tokendesk")
	}
	return name, nil
}

// linkLog puts the server's log beside the others. It is a convenience, so a file system that knows no links is no error.
func linkLog(target, link string) {
	_ = os.Remove(link)
	_ = os.Symlink(target, link)
}

// OpenLog opens a log for appending, making its directory when missing; one that has grown large makes room first.
func OpenLog(path string) (*os.File, error) {
	const large = 20 << 20
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("making the directory of the log: %w", err)
	}
	if info, err := os.Stat(path); err == nil && info.Size() > large {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, fmt.Errorf("making room for the log: %w", err)
		}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the log: %w", err)
	}
	return f, nil
}
