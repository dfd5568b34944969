package sandboxclock

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"tokendesk/internal/testpg"
	"tokendesk/models"
)

const day = 24 * time.Hour

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, database string) *Clock {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), database)
	must(t, err)
	t.Cleanup(pool.Close)
	c, err := Open(t.Context(), pool)
	must(t, err)
	return c
}

// aheadBy reports whether a clock shows about so much more than real time, in the database's precision.
func aheadBy(c *Clock, d time.Duration) bool {
	now := c.Now()
	return time.Until(now.Add(-d)).Abs() < 10*time.Second && now.Equal(now.Truncate(time.Microsecond)) && now.Location() == time.UTC
}

func TestClock(t *testing.T) {
	t.Parallel()
	database := testpg.Open(t)
	c := open(t, database)
	if c.Ahead() != 0 || !aheadBy(c, 0) {
		t.Fatalf("a clock that nobody has moved is %v ahead", c.Ahead())
	}
	must(t, c.raise(t.Context(), time.Now().Add(30*day)))
	if !aheadBy(c, 30*day) {
		t.Errorf("it shows %v", c.Now())
	}
	before := c.Ahead()
	must(t, c.raise(t.Context(), time.Now().Add(20*day)))
	must(t, c.raise(t.Context(), time.Now().Add(-20*day)))
	if c.Ahead() != before {
		t.Errorf("it went back by %v", before-c.Ahead())
	}
	if again := open(t, database); again.Ahead() != before {
		t.Errorf("opened again, it is %v ahead, not %v", again.Ahead(), before)
	}
}

// Another process that moves the clock is noticed, in about a second at most.
func TestClockFollowsOthers(t *testing.T) {
	t.Parallel()
	database := testpg.Open(t)
	ours, theirs := open(t, database), open(t, database)
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { ours.Run(ctx) })
	must(t, theirs.raise(t.Context(), time.Now().Add(7*day)))
	tick, deadline := time.NewTicker(10*time.Millisecond), time.After(10*time.Second)
	defer tick.Stop()
	for ours.Ahead() != theirs.Ahead() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("it is %v ahead, and theirs %v", ours.Ahead(), theirs.Ahead())
		}
	}
	stop()
	running.Wait()
}

// The database itself lets time go forward only.
func TestClockInTheDatabase(t *testing.T) {
	t.Parallel()
	c := open(t, testpg.Open(t))
	must(t, c.raise(t.Context(), time.Now().Add(day)))
	for _, statement := range []string{
		"update sandbox_clock set ahead_us = ahead_us - 1", "delete from sandbox_clock", "insert into sandbox_clock (single, ahead_us) values (false, 1)",
	} {
		if _, err := c.pool.Exec(t.Context(), statement); err == nil {
			t.Errorf("allowed: %s", statement)
		}
	}
}

func TestTarget(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 1000, time.UTC)
	cases := []struct {
		name    string
		advance Advance
		want    time.Time // zero: refused
	}{
		{"by", Advance{By: 30 * day}, now.Add(30 * day)},
		{"to", Advance{To: now.Add(time.Hour)}, now.Add(time.Hour)},
		{"to_now", Advance{To: now}, now},
		{"to_in_another_zone", Advance{To: now.Add(time.Hour).In(time.FixedZone("", 3600))}, now.Add(time.Hour)},
		{"precision", Advance{By: day + 1}, now.Add(day)},
		{"ten_years", Advance{By: 10 * 365 * day}, now.Add(10 * 365 * day)},
		{"nothing", Advance{}, time.Time{}},
		{"backwards", Advance{By: -day}, time.Time{}},
		{"into_the_past", Advance{To: now.Add(-time.Microsecond)}, time.Time{}},
		{"both", Advance{By: day, To: now.Add(day)}, time.Time{}},
		{"too_far_by", Advance{By: Longest + day}, time.Time{}},
		{"too_far_to", Advance{To: now.AddDate(11, 0, 0)}, time.Time{}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.advance.target(now)
			if c.want.IsZero() {
				if !errors.Is(err, models.InvalidRequest) {
					t.Fatalf("got %v, %v", got, err)
				}
				return
			}
			if err != nil || !got.Equal(c.want) || got.Location() != time.UTC {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

func TestUntil(t *testing.T) {
	at := time.Date(2029, 2, 28, 23, 59, 59, 123456789, time.FixedZone("", -5*3600))
	if got, ok := ParseUntil(Until(at)); !ok || !got.Equal(at) {
		t.Errorf("got %v, %t", got, ok)
	}
	for _, name := range []string{"", "until", "until tomorrow", "2029-02-28T00:00:00Z"} {
		if _, ok := ParseUntil(name); ok {
			t.Errorf("%q was read", name)
		}
	}
}
