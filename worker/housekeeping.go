package worker

import (
	"context"
	"errors"
	"time"

	"tokendesk/activities"
	"tokendesk/models/store"
	"tokendesk/workflows"
)

// Housekeeper does what no single lifecycle can do: it takes up drafts whose lifecycle was never started, ends unused
// license keys, opens cases for late ones, mails what was asked to be recovered, holds charges against the books,
// and delivers mail.
type Housekeeper struct {
	Store   *store.Store
	Client  *workflows.Client
	Mailer  *activities.Mailer
	Refunds *activities.Refunds
	Clock   Clock
	// CodeClock is real time, also in a sandbox: what is kept for a repeated call is kept that long really.
	CodeClock Clock
	Bell      *Bell // tells of a mail that is due; may be nil
}

// draftAge is how old a draft is before somebody else takes it up; its own handler waits at most this long.
const draftAge = 12 * time.Second

// Run keeps house until the context ends.
func (h *Housekeeper) Run(ctx context.Context) {
	together(ctx,
		func(ctx context.Context) {
			loop(ctx, "mail", 20*time.Millisecond, 250*time.Millisecond, h.Bell, h.mail)
		},
		func(ctx context.Context) {
			loop(ctx, "recoveries", 20*time.Millisecond, 250*time.Millisecond, h.Bell, h.recoveries)
		},
		func(ctx context.Context) { loop(ctx, "drafts", time.Second, 2*time.Second, nil, h.drafts) },
		func(ctx context.Context) { loop(ctx, "charges", time.Second, 5*time.Second, nil, h.charges) },
		func(ctx context.Context) { loop(ctx, "license keys", time.Minute, time.Minute, nil, h.keys) },
		func(ctx context.Context) { loop(ctx, "purge", time.Hour, time.Hour, nil, h.purge) },
	)
}

func (h *Housekeeper) mail(ctx context.Context) (int, error) { return h.Mailer.Deliver(ctx, h.Clock()) }

func (h *Housekeeper) charges(ctx context.Context) (int, error) {
	return h.Refunds.Reconcile(ctx, h.Clock())
}

// recoveriesAtOnce is how many requests for recovery are settled in one go.
const recoveriesAtOnce = 20

func (h *Housekeeper) recoveries(ctx context.Context) (int, error) {
	return h.Store.MailRecoveries(ctx, recoveriesAtOnce, h.Clock())
}

func (h *Housekeeper) drafts(ctx context.Context) (int, error) {
	numbers, err := h.Store.StaleDrafts(ctx, h.Clock().Add(-draftAge), 50)
	for _, number := range numbers {
		if _, e := h.Client.PlaceOrder(ctx, number); e != nil {
			err = errors.Join(err, e)
		}
	}
	return 0, err
}

func (h *Housekeeper) keys(ctx context.Context) (int, error) {
	_, err := h.Store.ExpireLicenseKeys(ctx, h.Clock())
	return 0, errors.Join(err, h.Store.OpenLateKeyCases(ctx, h.Clock()))
}

// How long what serves a short purpose is kept: an answer for a repeated call, a try that counts against a limit, a request
// for recovery.
const (
	keepAnswers = 48 * time.Hour
	keepTries   = 24 * time.Hour
)

func (h *Housekeeper) purge(ctx context.Context) (int, error) {
	_, answers := h.Store.PurgeKeys(ctx, h.CodeClock().Add(-keepAnswers))
	_, tries := h.Store.PurgeAttempts(ctx, h.Clock().Add(-keepTries))
	_, recoveries := h.Store.PurgeRecoveries(ctx, h.Clock().Add(-keepTries))
	return 0, errors.Join(answers, tries, recoveries)
}
