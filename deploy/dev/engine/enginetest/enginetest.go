// Package enginetest gives a test an engine of its own.
package enginetest

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"go.temporal.io/sdk/client"

	"tokendesk/deploy/dev/engine"
	"tokendesk/internal/testpg"
	"tokendesk/workflows"
)

// Namespace is the only one of the engine.
const Namespace = "test"

var engines atomic.Int64

// Start starts an engine that can skip time, with further settings by key, and connects to it. Both end with the test, and the engine's
// databases are dropped.
func Start(t testing.TB, options client.Options, settings map[string]any) client.Client {
	t.Helper()
	server, database := testpg.Server(t), fmt.Sprintf("test_engine_%d_%d", os.Getpid(), engines.Add(1))
	e, err := engine.Start(t.Context(), engine.Config{PostgresURL: server, Database: database, Namespace: Namespace,
		SearchAttributes: workflows.SearchAttributeKeys(), Sandbox: true, Settings: settings})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		drop(t, server, database)
	})
	c, err := e.Dial(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func drop(t testing.TB, server, database string) {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), server)
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close(context.Background())
	for _, name := range []string{database, database + "_visibility"} {
		if _, err := conn.Exec(context.Background(), "DROP DATABASE IF EXISTS "+pgx.Identifier{name}.Sanitize()+" WITH (FORCE)"); err != nil {
			t.Error(err)
		}
	}
}
