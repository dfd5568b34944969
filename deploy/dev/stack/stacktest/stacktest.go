// Package stacktest gives a test a whole development stack of its own: fresh databases on the test server, free ports.
package stacktest

import (
	"context"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"tokendesk/deploy/dev/stack"
	"tokendesk/internal/testpg"
)

// Config is the configuration of a stack that belongs to a test. Its databases are dropped when the test ends.
func Config(t testing.TB) stack.Config {
	t.Helper()
	database := testpg.Open(t)
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	server := testpg.Server(t)
	t.Cleanup(func() { dropEngine(t, server, strings.TrimPrefix(u.Path, "/")) })
	return stack.Config{StateDir: t.TempDir(), DatabaseURL: database, NoUI: true}
}

// Start starts a stack for a test and closes it when the test ends. The change, which may be nil, is made to the
// configuration first.
func Start(t testing.TB, change func(*stack.Config)) *stack.Stack {
	t.Helper()
	cfg := Config(t)
	if change != nil {
		change(&cfg)
	}
	return Run(t, cfg)
}

// Run starts a stack with a configuration from [Config]; called again after [stack.Stack.Close], it restarts it.
func Run(t testing.TB, cfg stack.Config) *stack.Stack {
	t.Helper()
	s, err := stack.Start(context.Background(), cfg)
	if err != nil {
		t.Fatalf("starting the stack: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("closing the stack: %v", err)
		}
	})
	return s
}

// dropEngine drops the databases of the Temporal server beside the product's.
func dropEngine(t testing.TB, server, product string) {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close(ctx)
	for _, name := range []string{product + "_temporal", product + "_temporal_visibility"} {
		if _, err := conn.Exec(ctx, "DROP DATABASE IF EXISTS "+pgx.Identifier{name}.Sanitize()+" WITH (FORCE)"); err != nil {
			t.Error(err)
		}
	}
}
