package worker

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/workflows"
)

// Dispatcher carries the outbox to the engine: facts survive an engine that is down, and reach it at least once.
type Dispatcher struct {
	Store  *store.Store
	Client *workflows.Client
	Clock  Clock
	Bell   *Bell // tells of something due; may be nil
}

const (
	outboxBatch    = 64
	outboxLease    = 8 * time.Second
	outboxParallel = 16
)

// Run carries until the context ends.
func (d *Dispatcher) Run(ctx context.Context) {
	loop(ctx, "outbox", 10*time.Millisecond, 100*time.Millisecond, d.Bell, d.once)
}

func (d *Dispatcher) once(ctx context.Context) (int, error) {
	at := d.Clock()
	rows, err := d.Store.ClaimOutbox(ctx, outboxBatch, at, outboxLease)
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	var (
		mu   sync.Mutex
		done []int64
		wg   sync.WaitGroup
		free = make(chan struct{}, outboxParallel)
	)
	for _, group := range byWorkflow(rows) {
		free <- struct{}{}
		wg.Go(func() {
			defer func() { <-free }()
			for _, row := range group {
				if !d.carry(ctx, row) {
					return // the rest of this workflow's rows wait for their lease, so that order is kept
				}
				mu.Lock()
				done = append(done, row.ID)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return len(done), d.Store.OutboxDispatched(context.WithoutCancel(ctx), done, at)
}

func (d *Dispatcher) carry(ctx context.Context, row models.OutboxRow) bool {
	callCtx, cancel := context.WithTimeout(ctx, outboxLease-2*time.Second)
	defer cancel()
	done, err := d.Client.Dispatch(callCtx, row)
	if done {
		return true
	}
	if err != nil && ctx.Err() == nil {
		slog.Warn("the engine did not take a message", "workflow", row.WorkflowID, "name", row.Name, "attempt", row.Attempts, "error", err)
	}
	again := d.Clock().Add(min(50*time.Millisecond<<min(row.Attempts, 8), 10*time.Second))
	if err := d.Store.OutboxFailed(context.WithoutCancel(ctx), row.ID, again); err != nil {
		slog.Warn("cannot hand a message back to the outbox", "error", err)
	}
	return false
}

// byWorkflow groups rows, in order, so that a lifecycle's start comes before its signals.
func byWorkflow(rows []models.OutboxRow) [][]models.OutboxRow {
	slices.SortFunc(rows, func(a, b models.OutboxRow) int { return int(a.ID - b.ID) })
	var groups [][]models.OutboxRow
	index := map[string]int{}
	for _, r := range rows {
		i, ok := index[r.WorkflowID]
		if !ok {
			i = len(groups)
			index[r.WorkflowID] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], r)
	}
	return groups
}
