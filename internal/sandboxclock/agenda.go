package sandboxclock

import (
	"context"
	"fmt"
	"time"
)

// Source is a place where things become due. It counts what was due by a moment and is not done, and says when the next thing
// will be (zero: never).
type Source struct {
	What string // is due there, in the plural: "webhooks of the simulators"
	Due  func(ctx context.Context, at time.Time) (undone int, next time.Time, err error)
}

// sources in the order in which one causes the next: a mail may come back as a webhook, a webhook becomes a message.
func (m *Machine) sources() []Source {
	return append(append([]Source{{"mails", m.mails}}, m.Sources...), Source{"messages to lifecycles", m.messages})
}

// mails that were delayed are tried again at their own dates, and so time stops there.
func (m *Machine) mails(ctx context.Context, at time.Time) (undone int, next time.Time, err error) {
	var later *time.Time
	err = m.Clock.pool.QueryRow(ctx, `select count(*) filter (where next_at <= $1), min(next_at) filter (where next_at > $1)
		from notices where status = 'pending'`, at).Scan(&undone, &later)
	if later != nil {
		next = *later
	}
	return undone, next, err
}

// messages have no date: they are due when they are written.
func (m *Machine) messages(ctx context.Context, _ time.Time) (undone int, _ time.Time, err error) {
	err = m.Clock.pool.QueryRow(ctx, "select count(*) from outbox where dispatched_at is null").Scan(&undone)
	return undone, time.Time{}, err
}

// drain waits until everything that is due by now is done, and returns when something is due next.
func (j *journey) drain(ctx context.Context) (next time.Time, err error) {
	w := j.wait()
	fewest := -1
	for {
		undone, what := 0, ""
		next = time.Time{}
		for _, s := range j.sources() {
			n, later, err := s.Due(ctx, j.Clock.Now())
			if err != nil {
				return next, fmt.Errorf("look for %s: %w", s.What, err)
			}
			if n > 0 {
				undone, what = undone+n, fmt.Sprintf("%d %s", n, s.What)
			}
			if !later.IsZero() && (next.IsZero() || later.Before(next)) {
				next = later
			}
		}
		if undone == 0 {
			return next, nil
		}
		if fewest < 0 || undone < fewest {
			fewest, w = undone, j.wait() // there is progress
		}
		j.Hurry()
		if err := w.longer(ctx, what+" wait to be delivered"); err != nil {
			return next, err
		}
	}
}
