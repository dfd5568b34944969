// Package testpg gives each test a PostgreSQL database of its own, real and already migrated.
//
// All tests of a checkout share one private server, whatever package they are in; the first one starts it. Databases are
// cloned from a template that was migrated once, and dropped when their test ends. The server is left running
// for the next run (make test stops it at the end); it listens on loopback only and has no durability to lose time with.
//
// TEST_DATABASE_URL, when set, names a server to use instead; its user must be allowed to create databases.
package testpg

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"tokendesk/internal/pgcluster"
	"tokendesk/models/migrations"
)

// Open returns the URL of a fresh database with every migration applied. It is dropped when the test ends.
func Open(t testing.TB) string {
	t.Helper()
	return open(t, product)
}

// Empty returns the URL of a fresh database with nothing in it. It is dropped when the test ends.
func Empty(t testing.TB) string {
	t.Helper()
	s := theServer(t)
	return s.create(t, "")
}

// Server returns the URL of the server's maintenance database, for what needs databases beyond a test's own. Whoever
// creates one with it drops it.
func Server(t testing.TB) string {
	t.Helper()
	return theServer(t).url
}

// schema is what a template is made from: files that say whether it is still the same, and what applies them.
type schema struct {
	files fs.FS
	up    func(context.Context, *sql.DB) error
}

var product = schema{migrations.FS, migrations.Up}

func open(t testing.TB, s schema) string {
	t.Helper()
	srv := theServer(t)
	template, err := srv.template(context.Background(), s)
	if err != nil {
		t.Fatalf("testpg: %v", err)
	}
	return srv.create(t, template)
}

// name identifies the state of a schema by its content.
func (s schema) name() (string, error) {
	sum := sha256.New()
	err := fs.WalkDir(s.files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := fs.ReadFile(s.files, path)
		fmt.Fprintf(sum, "%s %d\n%s", path, len(content), content)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("reading the migrations: %w", err)
	}
	return templatePrefix + hex.EncodeToString(sum.Sum(nil)[:8]), nil
}

var databases atomic.Int64

// create makes a database for one test, as a copy of the template if there is one, and returns its URL.
func (s *server) create(t testing.TB, template string) string {
	t.Helper()
	name := fmt.Sprintf("%s%d_%d", testPrefix, os.Getpid(), databases.Add(1))
	statement := "CREATE DATABASE " + pgx.Identifier{name}.Sanitize()
	if template != "" {
		statement += " TEMPLATE " + pgx.Identifier{template}.Sanitize() + s.strategy
	}
	if _, err := s.pool.Exec(context.Background(), statement); err != nil {
		t.Fatalf("testpg: creating a database: %v", err)
	}
	t.Cleanup(func() {
		if err := s.drop(context.Background(), name); err != nil {
			t.Errorf("testpg: %v", err)
		}
	})
	url, err := pgcluster.WithDatabase(s.url, name)
	if err != nil {
		t.Fatalf("testpg: %v", err)
	}
	return url
}
