// Package await waits for what others do: it looks again and again.
package await

import (
	"context"
	"time"
)

// shortest is the first pause between two looks.
const shortest = 20 * time.Millisecond

// Until looks until something holds. Pauses grow to the longest one, so that many who wait do not keep busy what they wait for; who must not
// miss a moment gives a short one. The error is that of the look, or of the context when it ends before.
func Until(ctx context.Context, longest time.Duration, look func() (bool, error)) error {
	for pause := min(shortest, longest); ; pause = min(pause*3/2, longest) {
		if holds, err := look(); err != nil || holds {
			return err
		}
		if err := Sleep(ctx, pause); err != nil {
			return err
		}
	}
}

// Sleep lets time pass unless the context ends.
func Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
