package e2e

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"tokendesk/deploy/dev/e2e/journey"
	"tokendesk/models"
)

// crowded is many journeys at once, which nobody may run ahead of.
type crowded struct {
	*ground
	journeys []*journey.Journey

	mu      sync.Mutex
	changed *sync.Cond
	allowed int // steps
	steps   []int
	first   []time.Time // when each journey did its first step since the look
	did     []string    // and which
	failed  []error
	running sync.WaitGroup
}

// depart sends all on their way, for a few steps at first.
func (c *crowded) depart(t *testing.T, allowed int) {
	c.changed = sync.NewCond(&c.mu)
	n := len(c.journeys)
	c.allowed, c.steps, c.first, c.did, c.failed = allowed, make([]int, n), make([]time.Time, n), make([]string, n), make([]error, n)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	t.Cleanup(func() {
		cancel()
		c.allow(journey.Steps) // nobody waits any more
		c.running.Wait()
	})
	for i, j := range c.journeys {
		j.Before = func(step int) {
			c.mu.Lock()
			defer c.mu.Unlock()
			for step >= c.allowed {
				c.changed.Wait()
			}
		}
		j.After = func(step int, name string) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.steps[i] = step
			if c.first[i].IsZero() {
				c.first[i], c.did[i] = time.Now(), name
			}
		}
		c.running.Go(func() {
			err := j.Run(ctx)
			c.mu.Lock()
			defer c.mu.Unlock()
			c.failed[i] = err
		})
	}
}

// allow lets every journey go so many steps further.
func (c *crowded) allow(steps int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.allowed += steps
	c.changed.Broadcast()
}

func (c *crowded) count() (n int) {
	for _, s := range c.steps {
		n += s
	}
	return n
}

func (c *crowded) done() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.count()
}

// await waits until so many steps were done, by all together.
func (c *crowded) await(t *testing.T, steps int) {
	t.Helper()
	eventually(t, time.Minute, fmt.Sprintf("%d steps", steps), func() bool { return c.done() >= steps || c.err(t) })
}

// everyoneGoesOn waits until each journey has done a step since the restart, and returns what the last one did, and when.
func (c *crowded) everyoneGoesOn(t *testing.T, ready time.Time) (last string, after time.Duration) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		c.err(t)
		behind, last, after := c.behind(ready)
		if len(behind) == 0 {
			return last, after
		}
		if time.Since(ready) > goesOnWithin {
			for _, j := range behind {
				t.Errorf("%s has not gone on within %v, after %d steps%s", j.Order.Number, goesOnWithin, j.Step, c.trail(models.OrderLifecycle.WorkflowID(j.Order.Number)))
			}
			return last, after
		}
		<-tick.C
	}
}

// behind lists the journeys that have not gone on since a moment, and tells what the last of the others did, and when.
func (c *crowded) behind(since time.Time) (behind []*journey.Journey, last string, after time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, j := range c.journeys {
		if !c.first[i].IsZero() {
			if d := c.first[i].Sub(since); d > after {
				last, after = j.Order.Number+" "+c.did[i], d
			}
		} else if c.steps[i] < journey.Steps {
			behind = append(behind, j)
		}
	}
	return behind, last, after
}

// look begins to note what each journey does next.
func (c *crowded) look() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.first)
}

// trail tells what the engine did for a lifecycle, and when.
func (c *crowded) trail(workflowID string) string {
	var b strings.Builder
	events := c.engine.GetWorkflowHistory(context.Background(), workflowID, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		e, err := events.Next()
		if err != nil {
			return b.String() + "\n\t" + err.Error()
		}
		fmt.Fprintf(&b, "\n\t%s %s", e.EventTime.AsTime().Format("15:04:05.000"), e.EventType)
	}
	return b.String()
}

// err fails the test when a journey has ended badly.
func (c *crowded) err(t *testing.T) bool {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, err := range c.failed {
		if err != nil {
			t.Fatal(err)
		}
	}
	return false
}

// arrive waits for the end of all journeys.
func (c *crowded) arrive(t *testing.T) {
	t.Helper()
	eventually(t, time.Minute, "all to arrive", func() bool { return c.done() == len(c.journeys)*journey.Steps || c.err(t) })
}
