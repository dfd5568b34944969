package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	temporalworker "go.temporal.io/sdk/worker"
	"tokendesk/worker"
)

// keepStarting starts the worker as soon as the engine answers, and brings its build into use.
func (a *App) keepStarting(ctx context.Context, w temporalworker.Worker) {
	for {
		err := w.Start()
		if err == nil || ctx.Err() != nil {
			break
		}
		slog.Warn("the engine does not answer yet", "error", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second):
		}
	}
	if b, err := worker.NewDeployment(a.engine, a.cfg.Namespace).Join(ctx, a.cfg.BuildID, a.cfg.Promote); err == nil {
		slog.Info("the worker is ready", "build", b.ID, "routing", b.Routing)
		close(a.joined)
	}
}

// Joined waits until the engine sends work to this build, or would if an operator promoted it. Before, nobody takes up what is started.
func (a *App) Joined(ctx context.Context) error {
	select {
	case <-a.joined:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the worker is not ready: %w", context.Cause(ctx))
	}
}

// workerReady reports where the build stands. It is no error that an operator has superseded it or has not promoted it yet: it does what
// it was started for.
func (a *App) workerReady(ctx context.Context) (worker.Build, error) {
	b, err := worker.NewDeployment(a.engine, a.cfg.Namespace).Standing(ctx, a.cfg.BuildID)
	if err != nil {
		return b, err
	}
	select {
	case <-a.joined:
		return b, nil
	default:
		return b, errors.New("the build is not in use yet")
	}
}

// showWorker answers GET /readyz where no API does: 200 with where the build stands, or 503. Why it is not ready is in the log only.
func (a *App) showWorker(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	b, err := a.workerReady(ctx)
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		slog.Warn("not ready", "check", "worker", "error", err)
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(b) // who asked has gone
}
