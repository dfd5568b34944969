package mailbox

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"tokendesk/activities/gateway/mail/events"
	"tokendesk/activities/gateway/sandbox"
	"tokendesk/models"
)

// What becomes of a mail that was taken, as orders say it. Without an order nothing is reported: what a mailbox keeps has
// arrived, and the sandbox stays quiet.
const (
	Bounce   sandbox.Effect = "bounce"   // it comes back after the delay
	Deliver  sandbox.Effect = "deliver"  // it is reported delivered after the delay
	Complain sandbox.Effect = "complain" // its recipient complains after the delay
)

var reportOf = map[sandbox.Effect]models.MailEventKind{Bounce: models.MailBounced, Deliver: models.MailDelivered, Complain: models.MailComplained}

// noSuchUser is why a mail is refused, or comes back, where nothing else was said (RFC 3463 §3.2).
const noSuchUser models.MailCode = "5.1.1"

// destine reports what an order says of a mail that has just come for the first time.
func (m *Mailbox) destine(ctx context.Context, tx pgx.Tx, id int64, mail Mail) error {
	if !m.reports {
		return nil
	}
	order, err := sandbox.Take(ctx, tx, sandbox.Mailbox, delivery, m.operations[delivery], mail.Recipients...)
	if err != nil || order.Effect == "" {
		return err
	}
	delay := time.Duration(order.Delay)
	e := models.MailEvent{MessageID: mail.MessageID, Kind: reportOf[order.Effect], OccurredAt: m.config.Now().Add(delay)}
	if e.Kind == models.MailBounced {
		e.Code = noSuchUser
	}
	_, err = m.report(ctx, tx, id, mail.Recipients, e, delay)
	return err
}

// report records a webhook about a mail. It is signed when it leaves, in real time; when it happened is told on the sandbox's clock.
func (m *Mailbox) report(ctx context.Context, tx pgx.Tx, id int64, recipients []string, e models.MailEvent, delay time.Duration) (models.MailEvent, error) {
	e.ID = "me_" + rand.Text()
	body, err := events.Encode(e)
	if err != nil {
		return e, err
	}
	plan, err := m.webhooks.Plan(ctx, tx, webhook, slices.Concat(recipients, []string{string(e.Kind)})...)
	if err != nil {
		return e, err
	}
	var writes pgx.Batch
	m.webhooks.Enqueue(&writes, plan, e.MessageID, body, delay)
	writes.Queue(`UPDATE sandbox.mails SET reported = $2 WHERE id = $1`, id, e.Kind)
	if err := tx.SendBatch(ctx, &writes).Close(); err != nil {
		return e, fmt.Errorf("mailbox: record a report: %w", err)
	}
	return e, nil
}

// Happen reports an event of a mail that the mailbox has, now: a mail may come back long after it was taken, or be reported twice over.
// The event's MessageID is the mail's own; the sandbox's now stands for a missing date.
//
// Faults: NoSuchThing, InvalidRequest, StateForbids where no webhook is configured.
func (m *Mailbox) Happen(ctx context.Context, id int64, e models.MailEvent) (models.MailEvent, error) {
	if !m.reports {
		return e, models.StateForbids.New("no webhook is configured: nobody would hear of it")
	}
	mail, err := m.Get(ctx, id)
	if err != nil {
		return e, err
	}
	e.ID, e.MessageID = "new", mail.MessageID
	if e.OccurredAt.IsZero() {
		e.OccurredAt = m.config.Now()
	}
	if err := e.Check(); err != nil {
		return e, err
	}
	err = pgx.BeginFunc(ctx, m.store.Pool, func(tx pgx.Tx) error {
		e, err = m.report(ctx, tx, id, mail.Recipients, e, 0)
		return err
	})
	m.webhooks.Wake()
	return e, err
}

// Wake has reports that have become due pushed at once.
func (m *Mailbox) Wake() { m.webhooks.Wake() }

// Run pushes what there is to report, until the context ends.
func (m *Mailbox) Run(ctx context.Context) error {
	if !m.reports {
		<-ctx.Done()
		return nil
	}
	return m.webhooks.Run(ctx)
}

// happen is Happen over HTTP.
func (m *Mailbox) happen(w http.ResponseWriter, r *http.Request, mail Mail) {
	var asked struct {
		Type       models.MailEventKind `json:"type"`
		Status     models.MailCode      `json:"status"`
		OccurredAt time.Time            `json:"occurred_at"`
	}
	err := sandbox.Read(w, r, &asked)
	var e models.MailEvent
	if err == nil {
		e, err = m.Happen(r.Context(), mail.ID, models.MailEvent{Kind: asked.Type, Code: asked.Status, OccurredAt: asked.OccurredAt})
	}
	sandbox.Answer(w, http.StatusCreated, map[string]any{"id": e.ID, "type": e.Kind, "message_id": e.MessageID, "status": e.Code, "occurred_at": e.OccurredAt}, err)
}
