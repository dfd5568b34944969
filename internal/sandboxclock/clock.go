// Package sandboxclock is the time machine: in a sandbox, the vendor's now is real time plus an offset, and an advance moves
// lifecycles and the vendor's now together, in order of due dates.
//
// The offset is one row in PostgreSQL. The engine starts new lifecycles at the sandbox's now by the same row, and the API's dates
// follow it; one-time passwords, signatures and leases alone stay in real time.
package sandboxclock

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// reload is how soon a process notices that another one has moved the clock.
const reload = 200 * time.Millisecond

// Clock is the vendor's now in a sandbox. Now is cheap enough for every request: the offset is kept in the process.
type Clock struct {
	pool  *pgxpool.Pool
	ahead atomic.Int64 // microseconds; never smaller than it was
}

// Open reads the clock from the database, whose migrations have run. Where nobody has ever moved it, it shows real time.
func Open(ctx context.Context, pool *pgxpool.Pool) (*Clock, error) {
	c := &Clock{pool: pool}
	_, err := c.Reload(ctx)
	return c, err
}

// Now is the sandbox's now, in the database's precision.
func (c *Clock) Now() time.Time { return realNow().Add(c.Ahead()) }

// Ahead is how far Now is ahead of real time, in whole microseconds.
func (c *Clock) Ahead() time.Duration { return time.Duration(c.ahead.Load()) * time.Microsecond }

// Reload reads the offset from the database at once, and returns it.
func (c *Clock) Reload(ctx context.Context) (time.Duration, error) {
	var us int64
	err := c.pool.QueryRow(ctx, "select ahead_us from sandbox_clock").Scan(&us)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return 0, fmt.Errorf("read the sandbox clock: %w", err)
	}
	c.keep(us)
	return c.Ahead(), nil
}

// Run keeps up with other processes that move the clock, until the context ends.
func (c *Clock) Run(ctx context.Context) {
	tick := time.NewTicker(reload)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if _, err := c.Reload(ctx); err != nil && ctx.Err() == nil {
				slog.Warn("the sandbox clock cannot be read", "error", err)
			}
		}
	}
}

// raise moves the sandbox's now to a moment. A moment that has passed changes nothing: time never goes back.
func (c *Clock) raise(ctx context.Context, to time.Time) error {
	var us int64
	err := c.pool.QueryRow(ctx, `insert into sandbox_clock as c (ahead_us) values (greatest($1::bigint, 0))
		on conflict (single) do update set ahead_us = greatest(c.ahead_us, excluded.ahead_us) returning ahead_us`,
		to.Sub(realNow()).Microseconds()).Scan(&us)
	if err != nil {
		return fmt.Errorf("raise the sandbox clock: %w", err)
	}
	c.keep(us)
	return nil
}

// keep takes an offset that was read. Reads may overtake each other, so a smaller one is an older one.
func (c *Clock) keep(us int64) {
	for {
		known := c.ahead.Load()
		if us <= known || c.ahead.CompareAndSwap(known, us) {
			return
		}
	}
}

func realNow() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }
