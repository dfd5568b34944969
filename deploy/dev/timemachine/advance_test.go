package timemachine

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"tokendesk/deploy/dev/engine"
	"tokendesk/internal/sandboxclock"
	"tokendesk/models"
)

func TestAdvance(t *testing.T) {
	g := start(t, 5*time.Second, nil)

	t.Run("in_order_of_due_dates", func(t *testing.T) {
		const lifecycles, span = 200, 30 * day
		random := rand.New(rand.NewPCG(1, 2))
		for i := range lifecycles {
			pause := time.Duration(random.Int64N(int64(span-time.Hour))) + time.Minute
			g.begin(fmt.Sprintf("many/%d", i), "sleeper", []time.Duration{pause, 20 * 365 * day}, false)
		}
		g.listed(lifecycles)
		began := time.Now()
		r := g.advance(sandboxclock.Advance{By: span})
		t.Logf("%d lifecycles, %d wakes over %v in %v", r.Lifecycles, len(r.Wakes), r.To.Sub(r.From), time.Since(began).Round(time.Millisecond))
		entries := woke.of("many/")
		if len(entries) != lifecycles || r.Lifecycles != lifecycles {
			t.Fatalf("%d woke, of %d", len(entries), r.Lifecycles)
		}
		for i := 1; i < len(entries); i++ {
			if before, after := entries[i-1], entries[i]; before.due.After(after.due.Add(time.Second)) {
				t.Errorf("%v was due at %v and woke before %v, due at %v", before.id, before.due, after.id, after.due)
			}
		}
		compare(t, r, entries)
		if now := g.now("many/7"); !about(now, g.clock.Now()) || !r.To.Equal(r.From.Add(span)) {
			t.Errorf("after the advance from %v to %v a lifecycle says %v, the sandbox %v", r.From, r.To, now, g.clock.Now())
		}
	})

	t.Run("an_end_on_the_way_is_success", func(t *testing.T) {
		run := g.begin("ends/1", "sleeper", []time.Duration{2 * day}, true)
		r := g.advance(sandboxclock.Advance{By: 5 * day})
		must(t, run.Get(t.Context(), nil))
		if r.Ended != 1 {
			t.Errorf("%d ended", r.Ended)
		}
		compare(t, r, woke.of("ends/"))
	})

	t.Run("continue_as_new_on_the_way", func(t *testing.T) {
		g.begin("chain/1", "chain", 5)
		r := g.advance(sandboxclock.Advance{By: 45 * day})
		entries := woke.of("chain/")
		if len(entries) != 4 {
			t.Fatalf("woke %v", entries)
		}
		compare(t, r, entries)
		if now := g.now("chain/1"); !about(now, g.clock.Now()) {
			t.Errorf("its last run says %v, the sandbox %v", now, g.clock.Now())
		}
	})

	t.Run("what_starts_on_the_way_comes_along", func(t *testing.T) {
		g.begin("starter/1", "starter", 10*day, "started/1", 5*day)
		g.advance(sandboxclock.Advance{By: 30 * day})
		first, second := woke.of("starter/"), woke.of("started/")
		if len(first) != 1 || len(second) != 1 || !about(second[0].at, first[0].due.Add(5*day)) {
			t.Errorf("what began with %v and slept for 5 days woke %v", first, second)
		}
	})

	t.Run("one_alone_and_then_the_others", func(t *testing.T) {
		g.begin("one/1", "sleeper", []time.Duration{3 * day}, false)
		g.begin("other/1", "sleeper", []time.Duration{6 * day, 60 * day}, false)
		g.begin("idle/1", "sleeper", []time.Duration{}, false)
		one := g.advance(sandboxclock.Advance{WorkflowID: "one/1", By: 10 * day})
		if entries := woke.of("other/"); len(entries) != 0 || one.Lifecycles != 1 {
			t.Errorf("others woke: %v, says the report %+v", entries, one)
		}
		compare(t, one, woke.of("one/"))
		if now := g.now("idle/1"); !about(now, g.clock.Now()) {
			t.Errorf("a message reached one that lay behind at %v, in the sandbox it was %v", now, g.clock.Now())
		}
		all := g.advance(sandboxclock.Advance{By: day})
		if entries := woke.of("other/"); len(entries) != 1 || !about(entries[0].at, entries[0].due) {
			t.Errorf("what was missed was done %v", entries)
		}
		compare(t, all, woke.of("other/"))
	})

	t.Run("to_a_moment", func(t *testing.T) {
		to := g.clock.Now().Add(day)
		if r := g.advance(sandboxclock.Advance{To: to}); !r.To.Equal(to) || !about(g.clock.Now(), to) {
			t.Errorf("arrived at %v, not %v", r.To, to)
		}
	})

	t.Run("refusals", func(t *testing.T) {
		before := g.clock.Ahead()
		for name, c := range map[string]struct {
			advance sandboxclock.Advance
			fault   *models.FaultType
		}{
			"unknown":   {sandboxclock.Advance{WorkflowID: "order/none", By: day}, models.NoSuchThing},
			"has_ended": {sandboxclock.Advance{WorkflowID: "ends/1", By: day}, models.StateForbids},
			"backwards": {sandboxclock.Advance{To: g.clock.Now().Add(-time.Hour)}, models.InvalidRequest},
		} {
			if _, err := g.machine.Advance(t.Context(), c.advance); !errors.Is(err, c.fault) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if g.clock.Ahead() != before {
			t.Error("a refused advance moved the clock")
		}
	})

	t.Run("whoever_blocks_is_named", func(t *testing.T) {
		run := g.begin("stuck/1", "stuck", 2*day)
		from := g.clock.Now()
		blocked := make(chan error)
		go func() {
			_, err := g.machine.Advance(t.Context(), sandboxclock.Advance{By: 30 * day})
			blocked <- err
		}()
		until(t, "the first advance to be under way", func() bool { return g.clock.Now().Sub(from) > day })
		if _, err := g.machine.Advance(t.Context(), sandboxclock.Advance{By: day}); !errors.Is(err, models.SandboxClockBusy) {
			t.Errorf("a second advance beside the first: %v", err)
		}
		err := <-blocked
		if detail := models.FaultOf(err).Detail; !errors.Is(err, models.SandboxClockBlocked) || !strings.Contains(detail, "stuck/1: the step broken is on attempt ") {
			t.Errorf("it ended with %v", err)
		}
		if now := g.clock.Now(); !about(now, from.Add(2*day)) && now.Sub(from) > 3*day {
			t.Errorf("the clock went on to %v without it", now)
		}
		must(t, g.engine.TerminateWorkflow(t.Context(), run.GetID(), "", "the test is over"))
		if r := g.advance(sandboxclock.Advance{By: day}); !r.To.Equal(r.From.Add(day)) {
			t.Errorf("afterwards: %+v", r)
		}
	})
}

// compare checks that a report tells of lifecycles what they tell of themselves, and that it is in order.
func compare(t *testing.T, r sandboxclock.Report, entries []entry) {
	t.Helper()
	for i, w := range r.Wakes {
		if i > 0 && w.At.Before(r.Wakes[i-1].At) {
			t.Errorf("%s is in the report after one that woke later", w.WorkflowID)
		}
	}
	for _, e := range entries {
		told := slices.ContainsFunc(r.Wakes, func(w sandboxclock.Wake) bool { return w.WorkflowID == e.id && about(w.At, e.due) })
		if !told || !about(e.at, e.due) {
			t.Errorf("%s was due at %v and woke at %v; in the report: %t", e.id, e.due, e.at, told)
		}
	}
}

// The engine of a production server does not skip time.
func TestRefusedOutsideASandbox(t *testing.T) {
	g := start(t, time.Second, func(cfg *engine.Config) { cfg.Sandbox, cfg.Offset = false, nil })
	g.begin("sleeper/1", "sleeper", []time.Duration{day}, false)
	_, err := g.machine.Advance(t.Context(), sandboxclock.Advance{By: 30 * day})
	if !errors.Is(err, models.SandboxClockUnavailable) {
		t.Errorf("got %v", err)
	}
	ahead, err := g.clock.Reload(t.Context())
	must(t, err)
	if now := g.now("sleeper/1"); ahead != 0 || !about(now, time.Now()) {
		t.Errorf("the clock is %v ahead, the lifecycle says %v", ahead, now)
	}
}
