package testpg

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	_ "github.com/jackc/pgx/v5/stdlib" // goose, which applies the migrations, wants database/sql

	"tokendesk/internal/pgcluster"
)

const (
	testPrefix     = "test_"
	templatePrefix = "template_"
	patience       = 2 * time.Minute // for the start of the server and for another process that migrates a template
)

// server is the PostgreSQL server that the tests of this process use.
type server struct {
	url      string
	pool     *pgxpool.Pool
	strategy string          // how a template is copied; empty where the server is too old to be told
	inUse    *pgcluster.Lock // shared by all test processes while they live

	mu    sync.Mutex
	ready map[string]bool // templates known to exist
}

var connectOnce = sync.OnceValues(func() (*server, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if url := os.Getenv("TEST_DATABASE_URL"); url != "" {
		return connect(ctx, url)
	}
	return startShared(ctx)
})

func theServer(t testing.TB) *server {
	t.Helper()
	s, err := connectOnce()
	if err != nil {
		t.Fatalf("testpg: %v", err)
	}
	return s
}

// startShared starts or joins the private server of this checkout. A process that finds itself alone there first clears
// away what killed test runs left behind.
func startShared(ctx context.Context) (*server, error) {
	dir, err := makeStateDir()
	if err != nil {
		return nil, err
	}
	inUse, err := pgcluster.TryLock(usersLock(dir))
	alone := err == nil
	if !alone {
		if inUse, err = pgcluster.Share(usersLock(dir)); err != nil {
			return nil, err
		}
	}
	cluster, err := pgcluster.Start(ctx, pgcluster.Config{Dir: dir, Install: true, Settings: map[string]string{"shared_buffers": "128MB"}})
	if err != nil {
		inUse.Release()
		return nil, err
	}
	s, err := connect(ctx, cluster.URL("postgres"))
	if err != nil {
		inUse.Release()
		return nil, err
	}
	s.inUse = inUse
	if alone {
		if err := s.clear(ctx); err != nil {
			return nil, err
		}
		return s, inUse.Downgrade()
	}
	return s, nil
}

func connect(ctx context.Context, url string) (*server, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, errors.New("the address of the test server is not a PostgreSQL URL") // it may hold a password
	}
	config.MaxConns = 4
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connecting to the test server: %w", err)
	}
	s := &server{url: url, pool: pool, ready: map[string]bool{}}
	var version int
	if err := pool.QueryRow(ctx, "SELECT current_setting('server_version_num')::int").Scan(&version); err != nil {
		return nil, fmt.Errorf("asking the test server for its version: %w", err)
	}
	if version >= 150000 {
		s.strategy = " STRATEGY FILE_COPY"
	}
	return s, nil
}

// template returns the database that holds a migrated schema, making it the first time. Processes take turns.
func (s *server) template(ctx context.Context, what schema) (string, error) {
	name, err := what.name()
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ready[name] {
		return name, nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return "", fmt.Errorf("connecting to the test server: %w", err)
	}
	defer conn.Release()
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock(hashtext('testpg template'))"); err != nil {
		return "", fmt.Errorf("waiting for another template: %w", err)
	}
	defer conn.Exec(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock(hashtext('testpg template'))") //nolint:errcheck // ends with the session anyway

	var exists bool
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1 AND datistemplate)", name).Scan(&exists); err != nil {
		return "", fmt.Errorf("looking for the template: %w", err)
	}
	if !exists {
		if err := s.build(ctx, name, what); err != nil {
			return "", err
		}
	}
	s.ready[name] = true
	return name, nil
}

// build makes a template. Only a whole one is marked as such; half a one is made anew.
func (s *server) build(ctx context.Context, name string, what schema) error {
	if err := s.drop(ctx, name); err != nil {
		return err
	}
	quoted := pgx.Identifier{name}.Sanitize()
	if _, err := s.pool.Exec(ctx, "CREATE DATABASE "+quoted); err != nil {
		return fmt.Errorf("creating the template: %w", err)
	}
	url, err := pgcluster.WithDatabase(s.url, name)
	if err != nil {
		return err
	}
	db, err := sql.Open("pgx", url)
	if err != nil {
		return fmt.Errorf("opening the template: %w", err)
	}
	if err := errors.Join(what.up(ctx, db), db.Close()); err != nil {
		return fmt.Errorf("migrating the template: %w", err)
	}
	if _, err := s.pool.Exec(ctx, "ALTER DATABASE "+quoted+" WITH IS_TEMPLATE true ALLOW_CONNECTIONS false"); err != nil {
		return fmt.Errorf("closing the template: %w", err)
	}
	return nil
}

// drop drops a database if it exists, throwing out whoever is still connected.
func (s *server) drop(ctx context.Context, name string) error {
	if _, err := s.pool.Exec(ctx, "DROP DATABASE IF EXISTS "+pgx.Identifier{name}.Sanitize()+" WITH (FORCE)"); err != nil {
		return fmt.Errorf("dropping the database %s: %w", name, err)
	}
	return nil
}

// clear drops the databases of tests that were killed, and templates of migrations that have changed since.
func (s *server) clear(ctx context.Context) error {
	current, err := product.name()
	if err != nil {
		return err
	}
	rows, err := s.pool.Query(ctx, "SELECT datname FROM pg_database")
	if err != nil {
		return fmt.Errorf("listing databases: %w", err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("listing databases: %w", err)
	}
	for _, name := range names {
		old := strings.HasPrefix(name, templatePrefix) && name != current
		if old {
			if _, err := s.pool.Exec(ctx, "ALTER DATABASE "+pgx.Identifier{name}.Sanitize()+" WITH IS_TEMPLATE false"); err != nil {
				return fmt.Errorf("opening the old template %s: %w", name, err)
			}
		}
		if old || strings.HasPrefix(name, testPrefix) {
			if err := s.drop(ctx, name); err != nil {
				return err
			}
		}
	}
	return nil
}

// Teardown stops the private server of this checkout and deletes its data, unless a test process is using it right now;
// it reports whether it did. The lock files stay: removing them under a process that waits for one would let it go on alone.
func Teardown(ctx context.Context) (bool, error) {
	dir := stateDir()
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return true, nil
	}
	inUse, err := pgcluster.TryLock(usersLock(dir))
	var held *pgcluster.HeldError
	if errors.As(err, &held) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer inUse.Release()
	return true, pgcluster.Remove(ctx, dir)
}

func usersLock(dir string) string { return filepath.Join(dir, "users.lock") }

// stateDir is where the server of this checkout and this user lives.
func stateDir() string {
	return filepath.Join(os.TempDir(), fmt.Sprintf("tokendesk-test-%d-%s", os.Geteuid(), pgcluster.Digest(checkout())))
}

// makeStateDir makes the state directory and refuses one that somebody else has put there: it is in a public place.
func makeStateDir() (string, error) {
	dir := stateDir()
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return "", fmt.Errorf("making the directory of the test server: %w", err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return "", fmt.Errorf("looking at the directory of the test server: %w", err)
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); !info.IsDir() || ok && int(stat.Uid) != os.Geteuid() {
		return "", fmt.Errorf("%s belongs to somebody else: remove it, the test server is to live there", dir)
	}
	return dir, nil
}

// checkout returns the root of the source tree: the directory of the product's go.mod, above the working directory.
func checkout() string {
	start, err := os.Getwd()
	if err != nil {
		return "."
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		content, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if first, _, _ := strings.Cut(string(content), "\n"); err == nil && strings.TrimSpace(first) == "module tokendesk" {
			return dir
		}
		if dir == filepath.Dir(dir) {
			return start
		}
	}
}
