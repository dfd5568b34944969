package sandbox

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// WebhooksDue counts the webhooks that were due by a moment of the sandbox's clock and have not been delivered, and says when the
// next one will be (zero: never). One that is held back until another overtakes it does not count.
func WebhooksDue(ctx context.Context, on interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}, at time.Time) (undelivered int, next time.Time, err error) {
	var later *time.Time
	err = on.QueryRow(ctx, `SELECT count(*) FILTER (WHERE due <= $1), min(due) FILTER (WHERE due > $1)
		FROM sandbox.webhooks WHERE NOT delivered AND NOT held`, at).Scan(&undelivered, &later)
	if err != nil {
		return 0, next, fmt.Errorf("sandbox: look for webhooks: %w", err)
	}
	if later != nil {
		next = *later
	}
	return undelivered, next, nil
}
