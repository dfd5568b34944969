package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"tokendesk/internal/app"
	"tokendesk/internal/sandboxclock"
	"tokendesk/models"
	"tokendesk/models/migrations"
	"tokendesk/models/store"
)

func serve(ctx context.Context, api, work bool) error {
	e, err := readEnvironment()
	if err != nil {
		return err
	}
	if err := e.complete(); err != nil {
		return err
	}
	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stderr, nil)))
	cfg := e.config(api, work)
	if cfg.BuildID, err = e.buildID(); err != nil {
		return err
	}
	a, err := app.Start(ctx, cfg)
	if err != nil {
		return err
	}
	slog.Info("started", "api", a.APIURL(), "worker", work, "build", cfg.BuildID)
	<-ctx.Done()
	a.Close()
	return nil
}

func openStore(ctx context.Context) (*store.Store, environment, error) {
	e, err := readEnvironment()
	if err != nil {
		return nil, e, err
	}
	st, err := store.Open(ctx, e.DatabaseURL)
	return st, e, err
}

// vendorNow is the moment of what a command writes down: the sandbox's, which may be far ahead, or real time.
func vendorNow(ctx context.Context, st *store.Store, e environment) (time.Time, error) {
	if !e.Sandbox {
		return app.RealClock(), nil
	}
	clock, err := sandboxclock.Open(ctx, st.Pool())
	if err != nil {
		return time.Time{}, err
	}
	return clock.Now(), nil
}

// migrate brings the database and the engine's namespace to what this version needs. It is idempotent.
func migrate(ctx context.Context) error {
	st, e, err := openStore(ctx)
	if err != nil {
		return err
	}
	defer st.Close()
	db, err := st.SQL()
	if err != nil {
		return err
	}
	if err := migrations.Up(ctx, db); err != nil {
		return err
	}
	if _, err := st.EnsureAuditPartitions(ctx, app.RealClock(), 3); err != nil {
		return err
	}
	if err := st.AddPolicy(ctx, models.DefaultPolicy(), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)); err != nil {
		return err
	}
	return app.PrepareNamespace(ctx, e.TemporalAddress, e.TemporalNamespace)
}

func healthcheck(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("healthcheck", flag.ContinueOnError)
	worker := f.Bool("worker", false, "ask the worker, which answers where its metrics are")
	if err := parse(f, args); err != nil {
		return err
	}
	e, err := readEnvironment()
	if err != nil {
		return err
	}
	address, part := e.APIAddress, "API"
	if *worker {
		address, part = e.MetricsAddress, "worker"
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/readyz", nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return fmt.Errorf("the %s does not answer", part)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the %s is not ready: %s", part, answer.Status)
	}
	return nil
}
