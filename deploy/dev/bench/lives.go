package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"go.temporal.io/sdk/client"

	"tokendesk/deploy/dev/crowd"
	"tokendesk/deploy/dev/e2e/journey"
	"tokendesk/deploy/dev/stack"
	"tokendesk/internal/app"
	"tokendesk/models"
)

const (
	expiring     = 2000
	leastExpired = 40.0 // a second
	mostGrowth   = 1.25 // of the worker's memory, from the first expiry to the last
	advanced     = 200
	mostAdvance  = 15.0 // seconds
	quietTimers  = 7    // milestones of a quiet life
	patience     = 3 * time.Minute
)

// lives measures what time does to many credentials: how many a second expire and are told of it, what memory the worker takes meanwhile, and
// how long the sandbox takes to move 200 lifecycles on by 30 days in order of due dates.
func lives(ctx context.Context, r *report) error {
	if err := expiry(ctx, r); err != nil {
		return err
	}
	return withStack(ctx, nil, func(s *stack.Stack) error { return advance(ctx, r, s) })
}

// expiry has everybody expire at one moment, in real time, with the worker in a process of its own.
func expiry(ctx context.Context, r *report) error {
	mail, err := stack.FreePort()
	if err != nil {
		return err
	}
	noWorker := func(c *stack.Config) {
		c.Ports.SMTP, c.Product.Configure = mail, func(c *app.Config) { c.Worker = false }
	}
	return withConfig(ctx, noWorker, func(s *stack.Stack, dir string) error {
		db, err := pgxpool.New(ctx, s.DatabaseURL())
		if err != nil {
			return err
		}
		defer db.Close()
		w, err := crowd.StartWorker(s, dir, mail)
		if err != nil {
			return err
		}
		defer w.Stop()
		return measureExpiry(ctx, r, db, w)
	})
}

func measureExpiry(ctx context.Context, r *report, db *pgxpool.Pool, w *crowd.Worker) error {
	now := app.RealClock()
	moment := now.Add(100 * time.Second) // by then every lifecycle has begun, and mailed the expiry notice
	expires := make([]time.Time, expiring)
	for i := range expires {
		expires[i] = moment
	}
	if _, err := crowd.Seed(ctx, db, now, expires); err != nil {
		return err
	}
	sent := func(kind models.NoticeKind) func(context.Context) (int, error) {
		return func(ctx context.Context) (n int, err error) {
			err = db.QueryRow(ctx, "select count(*) from notices where kind = $1 and status = 'sent'", kind).Scan(&n)
			return n, err
		}
	}
	if err := crowd.Until(ctx, patience, expiring, sent(models.NoticeExpiryAhead)); err != nil {
		return fmt.Errorf("notices: %w", err)
	}
	if late := time.Since(moment); late > 0 {
		return fmt.Errorf("the lifecycles were not ready before the moment of expiry, but %v after it", late)
	}
	before, err := w.Memory()
	if err != nil {
		return err
	}
	if err := crowd.Until(ctx, patience, expiring, sent(models.NoticeExpired)); err != nil {
		return fmt.Errorf("expired: %w", err)
	}
	took := time.Since(moment)
	after, err := w.Memory()
	if err != nil {
		return err
	}
	var twice int
	if err := db.QueryRow(ctx, "select count(*) from notices n where kind = 'expired' and (select sum(deliveries) from sandbox.mails m where m.message_id = n.message_id) > 1").Scan(&twice); err != nil {
		return err
	}
	r.atMost(0, "expiry mails that came twice", float64(twice), "count", expiring)
	r.atLeast(leastExpired, "credentials expired and mailed", expiring/took.Seconds(), "1/s", expiring)
	r.atMost(mostGrowth, "worker memory after, to before", float64(after)/float64(before), "ratio", float64(before>>20))
	return nil
}

// advance moves lifecycles whose dates are spread over 30 days.
func advance(ctx context.Context, r *report, s *stack.Stack) error {
	db, err := pgxpool.New(ctx, s.DatabaseURL())
	if err != nil {
		return err
	}
	defer db.Close()
	now := app.RealClock()
	expires := make([]time.Time, advanced)
	for i := range expires {
		expires[i] = now.Add(time.Hour + time.Duration(i)*(30*24-2)*time.Hour/advanced)
	}
	if _, err := crowd.Seed(ctx, db, now, expires); err != nil {
		return err
	}
	ready := func(ctx context.Context) (n int, err error) {
		err = db.QueryRow(ctx, "select count(*) from notices where kind = 'expiry_ahead' and status = 'sent'").Scan(&n)
		return n, err
	}
	if err := crowd.Until(ctx, patience, advanced, ready); err != nil {
		return fmt.Errorf("notices: %w", err)
	}
	began := time.Now()
	if _, err := journey.NewWorld(s.APIURL(), s.Secrets()).Advance(ctx, now.AddDate(0, 0, 30)); err != nil {
		return err
	}
	took := time.Since(began).Seconds()
	var inOrder int
	err = db.QueryRow(ctx, `select count(*) from (select expired_at, lag(expired_at) over (order by m.xmin::text::bigint) before
		from credentials c join credential_milestones m on m.credential_id = c.id and m.key like 'credential_expires/%') x where before is null or before <= expired_at`).Scan(&inOrder)
	if err != nil {
		return err
	}
	r.atLeast(advanced, "lifecycles that came due in order", float64(inOrder), "count", advanced)
	r.atMost(mostAdvance, "200 lifecycles advanced by 30 days", took, "s", advanced)
	return nil
}

// quietLife counts the state transitions that time alone costs a credential from its first look to its revocation.
func quietLife(ctx context.Context, r *report, s *stack.Stack, engine client.Client, w *journey.World) error {
	person, err := w.Person(ctx)
	if err != nil {
		return err
	}
	j := &journey.Journey{World: w, Person: person}
	if err := j.Run(ctx); err != nil {
		return err
	}
	before, err := atRest(ctx, engine, credentialID(j))
	if err != nil {
		return err
	}
	if _, err := w.Advance(ctx, j.Credential.ExpiresAt.AddDate(1, 0, 7)); err != nil {
		return err
	}
	after, err := atRest(ctx, engine, credentialID(j))
	if err != nil {
		return err
	}
	const floor = aRun + quietTimers*aTimer
	life := aRun + after - before
	r.add("transitions: credential, a quiet life", life, "count", floor)
	r.atMost(overFloor, "ratio to floor: credential, a quiet life", life/floor, "ratio", floor)
	return nil
}
