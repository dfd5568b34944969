package sandboxclock

import (
	"context"
	"time"

	"tokendesk/models"
)

// Looks at something under way grow rarer from the shortest pause to the longest. While few are looked at, they may be frequent.
const (
	shortest = 2 * time.Millisecond
	each     = 4 * time.Millisecond // the longest pause, for each of those that are looked at side by side
)

// wait is one wait for something, at most for the machine's patience.
type wait struct {
	until time.Time // in real time
	pause time.Duration
	most  time.Duration
}

func (j *journey) wait() wait {
	return wait{until: realNow().Add(j.Patience), pause: shortest, most: each * time.Duration(max(j.looking.Load(), 1))}
}

// longer lets a moment pass before the next look. When patience or the caller's time is at an end, it says what is waited for.
func (w *wait) longer(ctx context.Context, what string) error {
	if ctx.Err() != nil || realNow().After(w.until) {
		return models.SandboxClockBlocked.New("%s", what)
	}
	select {
	case <-ctx.Done():
	case <-time.After(w.pause):
	}
	w.pause = min(w.pause*3/2, w.most)
	return nil
}
