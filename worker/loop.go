package worker

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Clock tells the vendor's now, in the database's precision. In the sandbox it may be virtual.
type Clock func() time.Time

// Bell wakes those who deliver what is due out of their pauses. They find work without it too, only later. The zero value and nil
// are bells that nobody has rung.
type Bell struct {
	mu   sync.Mutex
	next chan struct{} // closed by the next ring
}

// Ring wakes everybody who pauses now.
func (b *Bell) Ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next != nil {
		close(b.next)
		b.next = nil
	}
}

// rung ends with the next ring.
func (b *Bell) rung() <-chan struct{} {
	if b == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next == nil {
		b.next = make(chan struct{})
	}
	return b.next
}

// loop calls once again and again until the context ends: at once while there is work, otherwise after a pause that grows
// from shortest to longest, or ends with the bell. Failures are logged and tried again.
func loop(ctx context.Context, name string, shortest, longest time.Duration, bell *Bell, once func(context.Context) (worked int, err error)) {
	pause := shortest
	for ctx.Err() == nil {
		n, err := once(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			slog.Warn("housekeeping failed", "job", name, "error", err)
			pause = longest
		case n > 0:
			pause = shortest
			continue
		default:
			pause = min(pause*3/2, longest)
		}
		select {
		case <-ctx.Done():
		case <-bell.rung():
		case <-time.After(pause):
		}
	}
}

// together runs loops side by side and returns when the last has ended.
func together(ctx context.Context, loops ...func(context.Context)) {
	var g sync.WaitGroup
	for _, l := range loops {
		g.Go(func() { l(ctx) })
	}
	g.Wait()
}
