package timemachine

import (
	"fmt"
	"testing"
	"time"

	"go.temporal.io/sdk/workflow"

	"tokendesk/internal/sandboxclock"
)

// alarm wakes at a moment, and then waits for ever.
func alarm(ctx workflow.Context, at time.Time) error {
	if err := woke.sleep(ctx, at); err != nil {
		return err
	}
	return workflow.Await(ctx, func() bool { return false })
}

// What is due at the very moment that time is advanced to has happened when the advance is over. A timer is set a moment after its
// lifecycle has looked at the clock, and so fires a moment after what is due.
func TestToTheVeryMoment(t *testing.T) {
	g := start(t, 5*time.Second, nil)
	const lifecycles, lag = 20, 200 * time.Millisecond
	to := g.clock.Now().Add(3 * day)
	for i := range lifecycles {
		g.begin(fmt.Sprintf("alarm/%d", i), "alarm", to.Add(lag))
	}
	g.listed(lifecycles)
	r := g.advance(sandboxclock.Advance{To: to})
	if n := len(woke.of("alarm/")); n != lifecycles || len(r.Wakes) != lifecycles {
		t.Errorf("%d of %d had woken when the advance was over, %d says the report", n, lifecycles, len(r.Wakes))
	}
	if !r.To.Equal(to) || !about(g.clock.Now(), to) {
		t.Errorf("it was to end at %v, and ended at %v; the sandbox says %v", to, r.To, g.clock.Now())
	}
}
