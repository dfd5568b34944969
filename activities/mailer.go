package activities

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"
	"tokendesk/activities/gateway/mail"
	"tokendesk/models"
	"tokendesk/models/store"
)

// Mail carries one message. Trouble that may pass is a ServiceDown fault (mail.Message says the rest).
type Mail interface {
	Send(ctx context.Context, m mail.Message) error
}

// Mailer delivers recorded notices. A mail that was accepted but not recorded as sent, because the process died in
// between, is sent again under the same Message-ID and counts as one (OPS-2).
type Mailer struct {
	Store    *store.Store
	Composer *Composer
	Mail     Mail
}

const (
	mailLease  = 12 * time.Second // longer than one send may take: nobody sends a mail that another is sending
	mailBatch  = 8                // all at once, so that no lease runs out in a queue
	mailGiveUp = 20               // tries, with growing pauses: about a day
)

// Deliver sends what is due, once, and returns how many mails it took on.
func (m *Mailer) Deliver(ctx context.Context, at time.Time) (int, error) {
	due, err := m.Store.ClaimNotices(ctx, mailBatch, at, mailLease)
	if err != nil {
		return 0, err
	}
	var g errgroup.Group
	for _, n := range due {
		g.Go(func() error { return m.deliver(ctx, n, at) })
	}
	return len(due), g.Wait()
}

func (m *Mailer) deliver(ctx context.Context, n models.Notice, at time.Time) error {
	sendCtx, cancel := context.WithTimeout(ctx, mailLease-2*time.Second)
	defer cancel()
	message, err := m.Composer.Compose(sendCtx, n)
	if err == nil {
		err = m.Mail.Send(sendCtx, message)
	}
	if err == nil {
		return m.Store.NoticeSent(ctx, n.ID, at)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	why := store.Mishap{Why: fmt.Sprintf("try %d: %s", n.Attempts, models.FaultOf(err).Type.Title), Code: mail.CodeOf(err)}
	slog.Warn("a mail was not sent", "notice", n.ID, "kind", n.Kind, "attempt", n.Attempts, "code", why.Code, "error", err)
	if errors.Is(err, mail.Undeliverable) || models.KindOf(err) == models.Invalid || n.Attempts >= mailGiveUp {
		return m.Store.NoticeFailed(ctx, n, why, at)
	}
	pause := min(time.Second<<min(n.Attempts, 12), time.Hour)
	return m.Store.NoticeDelayed(ctx, n.ID, why, at.Add(pause))
}
