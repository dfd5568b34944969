package worker

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Clock tells the vendor's now, in the database's precision. In the sandbox it may be virtual.
type Clock func() time.Time

// loop calls once again and again until the context ends: at once while there is work, otherwise after a pause that grows
// from shortest to longest. Failures are logged and tried again.
func loop(ctx context.Context, name string, shortest, longest time.Duration, once func(context.Context) (worked int, err error)) {
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
