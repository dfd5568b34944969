package sandboxclock

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// together is how far apart two due moments may be to count as one.
	together = time.Second
	// parallel is how many lifecycles are moved side by side.
	parallel = 8
	// refresh is how often, in real time, an advance asks the engine what is running.
	refresh = 500 * time.Millisecond
)

// journey is one advance under way.
type journey struct {
	*Machine
	only  string // the one lifecycle that is moved; empty: all
	to    time.Time
	fleet map[string]*lifecycle // by workflow id; those that have ended too
	told  messages
	asked time.Time // when the engine was asked last, in real time
	month time.Time // up to where is prepared
}

func newJourney(m *Machine, only string, to time.Time) *journey {
	return &journey{Machine: m, only: only, to: to, fleet: map[string]*lifecycle{}}
}

func (j *journey) report(from time.Time, arrived bool) Report {
	r := Report{From: from, To: j.to}
	if !arrived {
		r.To = j.Clock.Now()
	}
	for _, l := range j.fleet {
		if !l.joined {
			continue
		}
		r.Lifecycles++
		if l.ended {
			r.Ended++
		}
		r.woke(l.id, l.woken...)
	}
	r.sort()
	return r
}

// travel goes from due moment to due moment until nothing is due any more before the target, and then there.
func (j *journey) travel(ctx context.Context) error {
	if err := j.told.begin(ctx, j.Clock.pool); err != nil {
		return err
	}
	if err := j.board(ctx); err != nil {
		return err
	}
	for {
		next, err := j.quiet(ctx)
		if err != nil {
			return err
		}
		stop := j.earliest(next)
		last := stop.IsZero() || stop.After(j.end())
		if last || realNow().Sub(j.asked) > refresh {
			joined, err := j.join(ctx)
			if err != nil {
				return err
			}
			if joined > 0 {
				continue
			}
		}
		if last {
			return j.arrive(ctx)
		}
		if err := j.stop(ctx, stop); err != nil {
			return err
		}
	}
}

// earliest is the first moment at which a lifecycle, or one of the sources, has something due; zero: there is none.
func (j *journey) earliest(first time.Time) time.Time {
	for _, l := range j.fleet {
		if at, pending := l.next(); pending && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first
}

// stop raises the sandbox's now to a moment and moves whoever has something due there. The clock is raised first: what they
// write is then due at once, is mailed with the right date, and what they start begins at the right now.
func (j *journey) stop(ctx context.Context, at time.Time) error {
	var due []*lifecycle
	last, end := at, at.Add(together)
	for _, l := range j.fleet {
		if next, pending := l.next(); pending && !next.After(end) && !next.After(j.end()) {
			due = append(due, l)
			if next.After(last) {
				last = next
			}
		}
	}
	if err := j.raise(ctx, last); err != nil {
		return err
	}
	return side(ctx, due, func(ctx context.Context, l *lifecycle) error { return j.bring(ctx, l, last) })
}

// end is the last moment that an advance takes along. A timer is set a moment after its lifecycle has looked at the clock, so what is due at
// the target fires a little after it.
func (j *journey) end() time.Time { return j.to.Add(near) }

// arrive raises the clock to the target and brings the lifecycles that have nothing due there too.
func (j *journey) arrive(ctx context.Context) error {
	if err := j.raise(ctx, j.to); err != nil {
		return err
	}
	var behind []*lifecycle
	for _, l := range j.fleet {
		if !l.ended && j.Clock.Ahead()-l.ahead >= near {
			behind = append(behind, l)
		}
	}
	if err := side(ctx, behind, func(ctx context.Context, l *lifecycle) error { return j.bring(ctx, l, j.Clock.Now()) }); err != nil {
		return err
	}
	_, err := j.quiet(ctx)
	return err
}

// raise moves the clock, having prepared for the month that it reaches.
func (j *journey) raise(ctx context.Context, to time.Time) error {
	if !to.Before(j.month) {
		if err := j.Prepare(ctx, to); err != nil {
			return err
		}
		j.month = time.Date(to.Year(), to.Month()+1, 1, 0, 0, 0, 0, time.UTC)
	}
	return j.Clock.raise(ctx, to)
}

// quiet waits until everything that is due by now is done, and everybody who was told of it has settled. It returns when one of the
// sources has something due next.
func (j *journey) quiet(ctx context.Context) (next time.Time, err error) {
	for {
		if next, err = j.drain(ctx); err != nil {
			return next, err
		}
		told, err := j.told.since(ctx, j.Clock.pool)
		if err != nil {
			return next, err
		}
		if len(told) == 0 {
			return next, nil
		}
		if err := j.hear(ctx, told); err != nil {
			return next, err
		}
	}
}

// side does the same with several lifecycles side by side, each on its own.
func side(ctx context.Context, all []*lifecycle, do func(context.Context, *lifecycle) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for _, l := range all {
		g.Go(func() error { return do(ctx, l) })
	}
	return g.Wait()
}
