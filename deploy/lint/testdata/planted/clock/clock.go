// Package clock hides the real clock from whoever looks at the workflow alone.
package clock

import "time"

// UntilNoon is the time left until noon by the real clock.
func UntilNoon() time.Duration {
	now := time.Now()
	return now.Truncate(24 * time.Hour).Add(12 * time.Hour).Sub(now)
}
