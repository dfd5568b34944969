package store

import (
	"context"
	"fmt"
	"time"

	"tokendesk/models"
)

// Start asks the engine, through the outbox, to start a lifecycle. It takes part in the surrounding transaction.
func (s *Store) Start(ctx context.Context, l models.Lifecycle, id string, at time.Time) error {
	return s.enqueue(ctx, models.OutboxRow{Kind: models.OutboxStart, WorkflowID: l.WorkflowID(id), Name: string(l), Ref: id, CreatedAt: at, NextAt: at})
}

// Signal tells a lifecycle, through the outbox, that a fact is in the database; ref is an id. The lifecycle that acts itself is not told (see Of).
func (s *Store) Signal(ctx context.Context, l models.Lifecycle, id string, name models.Signal, ref string, at time.Time) error {
	if s.own == l.WorkflowID(id) {
		return nil
	}
	return s.enqueue(ctx, models.OutboxRow{Kind: models.OutboxSignal, WorkflowID: l.WorkflowID(id), Name: string(name), Ref: ref, CreatedAt: at, NextAt: at})
}

func (s *Store) enqueue(ctx context.Context, row models.OutboxRow) error {
	if err := s.with(ctx).Create(&row).Error; err != nil {
		return fault(fmt.Errorf("tell the engine: %w", err))
	}
	return nil
}

// ClaimOutbox takes up to n rows that are due, in order, and holds them back until the lease ends, so that several
// dispatchers share the work. Whoever dies leaves its rows to the next after the lease, which is counted in real time.
func (s *Store) ClaimOutbox(ctx context.Context, n int, at time.Time, lease time.Duration) ([]models.OutboxRow, error) {
	var rows []models.OutboxRow
	err := s.with(ctx).Raw(`
		with due as (select id from outbox where dispatched_at is null and next_at <= ? and (leased_until is null or leased_until <= clock_timestamp())
			order by next_at, id limit ? for update skip locked)
		update outbox o set attempts = attempts + 1, leased_until = clock_timestamp() + make_interval(secs => ?) from due where o.id = due.id
		returning o.id, o.kind, o.workflow_id, o.name, o.ref, o.created_at, o.attempts, o.next_at`, at, n, lease.Seconds()).Scan(&rows).Error
	if err != nil {
		return nil, fault(fmt.Errorf("claim the outbox: %w", err))
	}
	return rows, nil
}

// OutboxDispatched removes rows that the engine has taken.
func (s *Store) OutboxDispatched(ctx context.Context, ids []int64, at time.Time) error {
	if len(ids) == 0 {
		return nil
	}
	return fault(s.with(ctx).Exec("update outbox set dispatched_at = ? where id in ?", at, ids).Error)
}

// OutboxFailed lets a row be tried again at a later moment.
func (s *Store) OutboxFailed(ctx context.Context, id int64, again time.Time) error {
	return fault(s.with(ctx).Exec("update outbox set next_at = ?, leased_until = null where id = ? and dispatched_at is null", again, id).Error)
}
