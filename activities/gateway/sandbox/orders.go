package sandbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"tokendesk/models"
)

// Effect is how a simulator misbehaves when told to.
type Effect string

// The effects. Which of them an operation knows is its simulator's table of operations.
const (
	Fail    Effect = "fail"     // a technical failure; nothing was done
	Refuse  Effect = "refuse"   // a refusal as the real service would word it; nothing was done
	TimeOut Effect = "time_out" // the work is done, and never answered
	Slow    Effect = "slow"     // the work is done after the delay
	Drop    Effect = "drop"     // the work is done, and the connection cut instead of an answer

	Repeat  Effect = "repeat"  // a webhook is delivered twice
	Late    Effect = "late"    // a webhook is delivered after the delay
	Reorder Effect = "reorder" // a webhook is overtaken by the one after it
	Swallow Effect = "swallow" // a webhook is never delivered

	Hold   Effect = "hold"   // a parcel does not move by itself
	Lose   Effect = "lose"   // a parcel is lost on its way
	Return Effect = "return" // a parcel comes back
)

// Order tells a simulator to misbehave.
type Order struct {
	ID        int64    `json:"id"`
	Operation string   `json:"operation"`       // which call, for example "authorize"; "" means any
	Match     string   `json:"match,omitempty"` // what the call is about, for example an order number; "" means anything
	Effect    Effect   `json:"effect"`
	Times     int      `json:"times"`           // how many calls it still holds for; given as 0 it means once
	Delay     Duration `json:"delay,omitempty"` // for slow and late, and the longest wait of time_out
}

// Duration is a time.Duration that reads and writes as "1.5s".
type Duration time.Duration

// MarshalText writes the duration as Go does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads what time.ParseDuration reads.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = Duration(parsed)
	return err
}

// Give records an order. Orders are obeyed in the sequence in which they were given.
func (s *Store) Give(ctx context.Context, gateway Gateway, o Order) (Order, error) {
	o.Times = max(o.Times, 1)
	err := s.Pool.QueryRow(ctx, `INSERT INTO sandbox.orders (gateway, operation, match, effect, remaining, delay)
		VALUES ($1, $2, $3, $4, $5, $6) RETURNING id`,
		gateway, o.Operation, o.Match, o.Effect, o.Times, int64(o.Delay)).Scan(&o.ID)
	if err != nil {
		return Order{}, fmt.Errorf("sandbox: record an order: %w", err)
	}
	return o, nil
}

// Querier is the Pool, or a transaction.
type Querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// Take finds the oldest open order for an operation on any of the subjects, and uses it up by one. Without one it
// returns the zero Order, whose Effect is "". Asked on the Pool, the order is used up even where the work that it
// disturbs is rolled back; asked on a transaction, only with it.
func Take(ctx context.Context, on Querier, gateway Gateway, operation string, effects []Effect, subjects ...string) (Order, error) {
	var o Order
	err := on.QueryRow(ctx, `UPDATE sandbox.orders SET remaining = remaining - 1
		WHERE id = (SELECT id FROM sandbox.orders
			WHERE gateway = $1 AND operation IN ($2, '') AND remaining > 0 AND effect = ANY ($3)
			  AND (match = '' OR match = ANY ($4))
			ORDER BY id LIMIT 1 FOR UPDATE)
		RETURNING id, operation, match, effect, remaining, delay`,
		gateway, operation, effects, subjects).
		Scan(&o.ID, &o.Operation, &o.Match, &o.Effect, &o.Times, (*int64)(&o.Delay))
	if errors.Is(err, pgx.ErrNoRows) {
		return Order{}, nil
	}
	if err != nil {
		return Order{}, fmt.Errorf("sandbox: look for orders: %w", err)
	}
	return o, nil
}

// Orders lists what is still to be obeyed.
func (s *Store) Orders(ctx context.Context, gateway Gateway) ([]Order, error) {
	rows, err := s.Pool.Query(ctx, `SELECT id, operation, match, effect, remaining, delay FROM sandbox.orders
		WHERE gateway = $1 AND remaining > 0 ORDER BY id`, gateway)
	if err != nil {
		return nil, fmt.Errorf("sandbox: list orders: %w", err)
	}
	orders, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (o Order, err error) {
		return o, row.Scan(&o.ID, &o.Operation, &o.Match, &o.Effect, &o.Times, (*int64)(&o.Delay))
	})
	if err != nil {
		return nil, fmt.Errorf("sandbox: list orders: %w", err)
	}
	return orders, nil
}

// Forget withdraws every order that was given to a gateway.
func (s *Store) Forget(ctx context.Context, gateway Gateway) error {
	if _, err := s.Pool.Exec(ctx, `DELETE FROM sandbox.orders WHERE gateway = $1`, gateway); err != nil {
		return fmt.Errorf("sandbox: forget orders: %w", err)
	}
	return nil
}

// CallEffects are the effects of a call's own outcome.
var CallEffects = []Effect{Fail, Refuse, TimeOut, Slow}

// WebhookEffects are the effects on a webhook's delivery.
var WebhookEffects = []Effect{Repeat, Late, Reorder, Swallow}

// longestWait bounds a time-out that was ordered without a delay, for callers without a deadline.
const longestWait = 30 * time.Second

// Before obeys an order ahead of the work: it fails, or is slow.
func (o Order) Before(ctx context.Context) error {
	switch o.Effect {
	case Fail:
		return models.ServiceDown.Because(errors.New("sandbox: told to fail"))
	case Slow:
		return Wait(ctx, time.Duration(o.Delay))
	default:
		return nil
	}
}

// After obeys an order once the work is done: the answer gets lost. The caller waits until its own deadline, or for
// the order's delay.
func (o Order) After(ctx context.Context) error {
	if o.Effect != TimeOut {
		return nil
	}
	delay := time.Duration(o.Delay)
	if delay <= 0 {
		delay = longestWait
	}
	if err := Wait(ctx, delay); err != nil {
		return err
	}
	return models.ServiceDown.Because(errors.New("sandbox: told to lose the answer"))
}

// Wait sleeps for d, or until the context ends, which is a models.ServiceDown fault.
func Wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return models.ServiceDown.Because(ctx.Err())
	}
}
