package testpg

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5"
)

func query[T any](t testing.TB, url, statement string, args ...any) (value T) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if err := conn.QueryRow(t.Context(), statement, args...).Scan(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

const countTables = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'"

func TestOpenIsMigratedAndAlone(t *testing.T) {
	first, second := Open(t), Open(t)
	if n := query[int](t, first, countTables); n < 2 {
		t.Errorf("a migrated database has %d tables", n)
	}
	query[int](t, first, "WITH made AS (SELECT 1) SELECT * FROM made")
	conn, err := pgx.Connect(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), "CREATE TABLE mine (n int)"); err != nil {
		t.Fatal(err)
	}
	if seen := query[bool](t, second, "SELECT to_regclass('mine') IS NOT NULL"); seen {
		t.Error("one test's table is in another test's database")
	}
}

func TestEmptyHasNothing(t *testing.T) {
	if n := query[int](t, Empty(t), countTables); n != 0 {
		t.Errorf("an empty database has %d tables", n)
	}
}

func TestDatabaseEndsWithItsTest(t *testing.T) {
	var name string
	t.Run("a test", func(t *testing.T) {
		url := Open(t)
		name = query[string](t, url, "SELECT current_database()")
		conn, err := pgx.Connect(t.Context(), url) // left open, as a careless test would
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close(context.Background()) })
	})
	if left := query[bool](t, Server(t), "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name); left {
		t.Errorf("%s is still there", name)
	}
}

// fixture is a schema of its own whose migration counts its runs.
func fixture(content string, runs *atomic.Int64) schema {
	return schema{
		files: fstest.MapFS{"0001.sql": {Data: []byte(content)}},
		up: func(ctx context.Context, db *sql.DB) error {
			runs.Add(1)
			_, err := db.ExecContext(ctx, content)
			return err
		},
	}
}

func TestTemplateIsMadeOncePerStateOfTheMigrations(t *testing.T) {
	unique := fmt.Sprintf("-- %s %d\n", t.Name(), os.Getpid())
	var runs atomic.Int64
	one := fixture(unique+"CREATE TABLE one (n int)", &runs)
	two := fixture(unique+"CREATE TABLE two (n int)", &runs)
	t.Cleanup(func() {
		for _, s := range []schema{one, two} {
			name, _ := s.name()
			srv := theServer(t)
			if _, err := srv.pool.Exec(context.Background(), "ALTER DATABASE "+pgx.Identifier{name}.Sanitize()+" WITH IS_TEMPLATE false"); err != nil {
				t.Error(err)
			}
			if err := srv.drop(context.Background(), name); err != nil {
				t.Error(err)
			}
		}
	})
	var wg sync.WaitGroup
	urls := make([]string, 6)
	for i := range urls {
		wg.Go(func() { urls[i] = open(t, one) })
	}
	wg.Wait()
	if runs.Load() != 1 {
		t.Errorf("%d databases of one state took %d migrations", len(urls), runs.Load())
	}
	if ok := query[bool](t, urls[5], "SELECT to_regclass('one') IS NOT NULL"); !ok {
		t.Error("the clone lacks the table of its template")
	}
	if ok := query[bool](t, open(t, two), "SELECT to_regclass('two') IS NOT NULL AND to_regclass('one') IS NULL"); !ok {
		t.Error("changed migrations did not make another template")
	}
}

func TestFailedMigrationIsToldAndLeavesNoTemplate(t *testing.T) {
	bad := schema{
		files: fstest.MapFS{"0001.sql": {Data: []byte(t.Name())}},
		up:    func(context.Context, *sql.DB) error { return errors.New("syntax error at or near") },
	}
	srv := theServer(t)
	if _, err := srv.template(t.Context(), bad); err == nil || !strings.Contains(err.Error(), "syntax error") {
		t.Fatalf("got %v", err)
	}
	name, err := bad.name()
	if err != nil {
		t.Fatal(err)
	}
	if made := query[bool](t, srv.url, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1 AND datistemplate)", name); made {
		t.Error("a half-migrated database became a template")
	}
	if err := srv.drop(t.Context(), name); err != nil {
		t.Error(err)
	}
}

// BenchmarkOpen is the cost of a database for one test, clone and drop.
func BenchmarkOpen(b *testing.B) {
	url := Open(b)
	b.Logf("template of %s", query[string](b, url, "SELECT pg_size_pretty(pg_database_size(current_database()))"))
	srv := theServer(b)
	name, err := product.name()
	if err != nil {
		b.Fatal(err)
	}
	for _, strategy := range []string{" STRATEGY FILE_COPY", " STRATEGY WAL_LOG"} {
		b.Run(strings.TrimSpace(strategy), func(b *testing.B) {
			before := srv.strategy
			srv.strategy = strategy
			defer func() { srv.strategy = before }()
			for i := 0; b.Loop(); i++ {
				database := fmt.Sprintf("%sbench_%d_%d", testPrefix, os.Getpid(), i)
				if _, err := srv.pool.Exec(b.Context(), "CREATE DATABASE "+database+" TEMPLATE "+name+strategy); err != nil {
					b.Fatal(err)
				}
				if err := srv.drop(b.Context(), database); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
