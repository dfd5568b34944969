package e2e

import (
	"context"
	"log/slog"
	"net/url"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.temporal.io/sdk/client"
	temporallog "go.temporal.io/sdk/log"

	"tokendesk/deploy/dev/await"
	"tokendesk/deploy/dev/e2e/journey"
	"tokendesk/deploy/dev/stack"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually waits for a condition; what says what for.
func eventually(t testing.TB, patience time.Duration, what string, holds func() bool) {
	t.Helper()
	if !within(patience, holds) {
		t.Fatalf("waited %v in vain for %s", patience, what)
	}
}

// within looks again and again whether the condition holds, and gives up after the patience.
func within(patience time.Duration, holds func() bool) bool {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return await.Until(ctx, 20*time.Millisecond, func() (bool, error) { return holds(), nil }) == nil
}

// ground is a running stack and what a test sees of it.
type ground struct {
	record stack.Record
	world  *journey.World
	engine client.Client
	db     *pgxpool.Pool
}

func groundOf(t testing.TB, s *stack.Stack) *ground {
	t.Helper()
	return &ground{s.Record(), journey.NewWorld(s.APIURL(), s.Secrets()), dial(t, s.TemporalAddress()), pool(t, s.DatabaseURL())}
}

func dial(t testing.TB, address string) client.Client {
	t.Helper()
	c, err := client.NewLazyClient(client.Options{HostPort: address, Namespace: stack.Namespace, Logger: temporallog.NewStructuredLogger(slog.Default())})
	must(t, err)
	t.Cleanup(c.Close)
	return c
}

func pool(t testing.TB, database string) *pgxpool.Pool {
	t.Helper()
	p, err := pgxpool.New(context.Background(), database)
	must(t, err)
	t.Cleanup(p.Close)
	return p
}

// one reads a single value from the database.
func one[T any](t testing.TB, db *pgxpool.Pool, query string, args ...any) (value T) {
	t.Helper()
	if err := db.QueryRow(context.Background(), query, args...).Scan(&value); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return value
}

// all reads a column from the database.
func all[T any](t testing.TB, db *pgxpool.Pool, query string, args ...any) []T {
	t.Helper()
	rows, err := db.Query(context.Background(), query, args...)
	must(t, err)
	values, err := pgx.CollectRows(rows, pgx.RowTo[T])
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return values
}

// people readies the journeys of new people, one for each list of cards; an empty one means by bank transfer.
func (g *ground) people(t testing.TB, cards ...[]string) []*journey.Journey {
	t.Helper()
	const spare = 20 // above the level at which the warehouse is told to order
	must(t, g.world.Stock(t.Context(), len(cards)+spare))
	journeys := make([]*journey.Journey, len(cards))
	for i, c := range cards {
		person, err := g.world.Person(t.Context())
		must(t, err)
		journeys[i] = &journey.Journey{World: g.world, Person: person, Cards: c}
	}
	return journeys
}

// play plays a journey to its end.
func play(t testing.TB, j *journey.Journey) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	must(t, j.Run(ctx))
}

// engineDatabase is the URL of a database of the Temporal server beside the product's.
func engineDatabase(t testing.TB, product, suffix string) string {
	t.Helper()
	u, err := url.Parse(product)
	must(t, err)
	u.Path += suffix
	return u.String()
}
