package sandboxclock

import (
	"context"
	"time"

	"tokendesk/models"
)

// Looks at something under way grow rarer from the shortest pause to the longest: a look costs the engine about a millisecond.
const (
	shortest = 2 * time.Millisecond
	longest  = 100 * time.Millisecond
)

// wait is one wait for something, at most for the machine's patience.
type wait struct {
	until time.Time // in real time
	pause time.Duration
}

func (m *Machine) wait() wait { return wait{until: realNow().Add(m.Patience), pause: shortest} }

// longer lets a moment pass before the next look. When patience or the caller's time is at an end, it says what is waited for.
func (w *wait) longer(ctx context.Context, what string) error {
	if ctx.Err() != nil || realNow().After(w.until) {
		return models.SandboxClockBlocked.New("%s", what)
	}
	select {
	case <-ctx.Done():
	case <-time.After(w.pause):
	}
	w.pause = min(w.pause*3/2, longest)
	return nil
}
