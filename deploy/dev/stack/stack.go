// Package stack starts everything that Tokendesk needs, in one process: PostgreSQL, the Temporal server with its UI, and
// the product. `make run` is this package with fixed ports and a lasting state directory; the end-to-end tests start it with
// free ports and databases of their own.
package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"tokendesk/deploy/dev/engine"
	"tokendesk/internal/pgcluster"
	"tokendesk/internal/sandboxclock"
	"tokendesk/workflows"
)

// Namespace is the Temporal namespace of the development stack.
const Namespace = "tokendesk"

// Config says where the stack keeps its state and where it listens.
type Config struct {
	StateDir string // created when missing; only one stack at a time lives in it
	Ports    Ports  // a zero port is any free one

	// DatabaseURL is the product's database on a PostgreSQL server of somebody else's; empty for a private cluster.
	DatabaseURL string
	// TemporalAddress is a Temporal server of somebody else's, with namespace and search attributes in place; empty for the
	// embedded one.
	TemporalAddress string

	Product ProductOptions

	NoUI bool                  // leave out the Temporal UI, which tests do not look at
	Say  func(sentence string) // progress for a person; nil for silence
}

// Stack is a running development stack.
type Stack struct {
	cfg      Config
	database string // URL of the product's database
	temporal string // address of the Temporal server
	cluster  *pgcluster.Cluster
	engine   *engine.Engine
	ui       *engine.UI
	product  *product
	lock     *pgcluster.Lock
	log      io.Closer
	closed   sync.Once
	clockDB  *pgxpool.Pool       // that the sandbox's clock is read from
	clock    *sandboxclock.Clock // as the engine reads it
}

// RunningError says that a stack already lives in a state directory.
type RunningError struct {
	StateDir string
	PID      int
}

func (e *RunningError) Error() string {
	return fmt.Sprintf("Tokendesk is already running in %s (process %d): stop that one first (Ctrl-C there, or make stop)", e.StateDir, e.PID)
}

// Start starts all parts in order and returns when requests are served. What a killed stack left behind is taken over
// or repaired. Errors are sentences for a person.
func Start(ctx context.Context, cfg Config) (*Stack, error) {
	if cfg.Say == nil {
		cfg.Say = func(string) {}
	}
	var err error
	if cfg.StateDir, err = filepath.Abs(cfg.StateDir); err != nil {
		return nil, fmt.Errorf("finding the state directory: %w", err)
	}
	if err := os.MkdirAll(cfg.StateDir, 0o755); err != nil {
		return nil, fmt.Errorf("making the state directory: %w", err)
	}
	s := &Stack{cfg: cfg}
	if s.lock, err = takeLock(cfg.StateDir); err != nil {
		return nil, err
	}
	for _, part := range []func(context.Context) error{
		s.checkPorts, s.startPostgres, s.openClock, s.startEngine, s.startUI, s.startProduct, s.record,
	} {
		if err := part(ctx); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	return s, nil
}

func takeLock(dir string) (*pgcluster.Lock, error) {
	lock, err := pgcluster.TryLock(filepath.Join(dir, "lock"))
	var held *pgcluster.HeldError
	if errors.As(err, &held) {
		return nil, &RunningError{StateDir: dir, PID: held.PID}
	}
	return lock, err
}

// openClock reads the sandbox's clock, which survives a restart. The engine reads it anew for whatever it starts.
func (s *Stack) openClock(ctx context.Context) (err error) {
	if s.clockDB, err = pgxpool.New(context.WithoutCancel(ctx), s.database); err != nil {
		return fmt.Errorf("connecting to the database: %w", err)
	}
	s.clock, err = sandboxclock.Open(ctx, s.clockDB)
	return err
}

func (s *Stack) startEngine(ctx context.Context) error {
	if s.cfg.TemporalAddress != "" {
		s.temporal = s.cfg.TemporalAddress
		return nil
	}
	s.cfg.Say("starting the Temporal server")
	log, err := OpenLog(filepath.Join(s.cfg.StateDir, "log", "temporal.log"))
	if err != nil {
		return err
	}
	s.log = log
	name, err := databaseName(s.database)
	if err != nil {
		return err
	}
	s.engine, err = engine.Start(ctx, engine.Config{
		PostgresURL: s.database, Database: name + "_temporal", Port: s.cfg.Ports.Temporal, Namespace: Namespace,
		SearchAttributes: workflows.SearchAttributeKeys(), Sandbox: true, Offset: s.clock.Reload, Log: log,
	})
	if err != nil {
		return err
	}
	s.temporal = s.engine.Address()
	return nil
}

func (s *Stack) startUI(ctx context.Context) (err error) {
	if s.cfg.NoUI {
		return nil
	}
	s.ui, err = engine.StartUI(ctx, s.temporal, Namespace, s.cfg.Ports.UI)
	return err
}

// DatabaseURL returns the URL of the product's database. It carries a password.
func (s *Stack) DatabaseURL() string { return s.database }

// TemporalAddress returns host and port of the Temporal frontend.
func (s *Stack) TemporalAddress() string { return s.temporal }

// UIURL returns where the Temporal UI is, or nothing when it was left out.
func (s *Stack) UIURL() string {
	if s.ui == nil {
		return ""
	}
	return s.ui.URL()
}

// Close stops all parts in the opposite order. State is kept. Only the first call does anything.
func (s *Stack) Close() (err error) {
	s.closed.Do(func() { err = s.close() })
	return err
}

func (s *Stack) close() error {
	var errs []error
	if s.product != nil {
		s.product.Close()
	}
	if s.ui != nil {
		s.ui.Close()
	}
	if s.engine != nil {
		errs = append(errs, s.engine.Close())
	}
	if s.log != nil {
		errs = append(errs, s.log.Close())
	}
	if s.clockDB != nil {
		s.clockDB.Close()
	}
	if s.cluster != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		errs = append(errs, s.cluster.Stop(ctx))
	}
	s.lock.Release()
	return errors.Join(errs...)
}
