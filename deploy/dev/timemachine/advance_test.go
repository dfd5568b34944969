package timemachine

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"tokendesk/internal/sandboxclock"
	"tokendesk/models"
)

func TestAdvance(t *testing.T) {
	g := start(t, 5*time.Second, nil)

	t.Run("in_order_of_due_dates", func(t *testing.T) {
		const lifecycles, span = 200, 30 * day
		woke.take()
		random := rand.New(rand.NewPCG(1, 2))
		due := map[string]time.Duration{}
		for i := range lifecycles {
			id := fmt.Sprintf("sleeper/%d", i)
			due[id] = time.Duration(random.Int64N(int64(span-time.Hour))) + time.Minute
			g.begin(id, "sleeper", []time.Duration{due[id], 20 * 365 * day}, false)
		}
		began := time.Now()
		r := g.advance(sandboxclock.Advance{By: span})
		t.Logf("%d lifecycles, %d wakes over %v in %v", r.Lifecycles, len(r.Wakes), r.To.Sub(r.From), time.Since(began).Round(time.Millisecond))
		entries := woke.take()
		if len(entries) != lifecycles || len(r.Wakes) != lifecycles || r.Lifecycles != lifecycles {
			t.Fatalf("%d woke, %d are in the report of %d", len(entries), len(r.Wakes), r.Lifecycles)
		}
		for i := 1; i < len(entries); i++ {
			if early, late := due[entries[i-1].id], due[entries[i].id]; early > late+time.Second {
				t.Errorf("%v woke before %v", early, late)
			}
		}
		for i, w := range r.Wakes {
			if !about(w.At, r.From.Add(due[w.WorkflowID])) || i > 0 && w.At.Before(r.Wakes[i-1].At) {
				t.Errorf("%s is said to have woken at %v", w.WorkflowID, w.At)
			}
		}
		if now := g.now("sleeper/7"); !about(now, g.clock.Now()) || !about(now, r.From.Add(span)) || !r.To.Equal(r.From.Add(span)) {
			t.Errorf("after the advance from %v to %v a lifecycle says %v, the sandbox %v", r.From, r.To, now, g.clock.Now())
		}
	})
	_ = errors.Is
	_ = strings.Contains
	_ = models.StateForbids
}
