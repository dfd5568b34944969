package sandboxclock

import (
	"context"
	"time"
)

// Machine is the time machine of a sandbox.
type Machine struct{ clock *Clock }

// Now returns the sandbox's now, and how far it is ahead of real time.
func (m *Machine) Now(ctx context.Context) (time.Time, time.Duration, error) {
	ahead, err := m.clock.Reload(ctx)
	return realNow().Add(ahead), ahead, err
}

// Advance moves time on.
func (m *Machine) Advance(ctx context.Context, a Advance) (Report, error) { return Report{}, nil }
