// Package mailbox is the post office of development, demonstration and tests: an SMTP server that keeps every mail in
// PostgreSQL, so that it survives a killed process, and shows it at /sandbox/mailbox.
//
// A mail that comes again under its Message-ID is the same mail, delivered once more (OPS-2). The mailbox takes orders
// to refuse, to fail, to be slow, to cut the connection just when the sender waits to hear that it was accepted, and to
// report afterwards that a mail has come back, has arrived, or is complained of (LIF-3).
package mailbox

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/emersion/go-sasl"
	gosmtp "github.com/emersion/go-smtp"
	"github.com/jackc/pgx/v5"

	"tokendesk/activities/gateway/mail/events"
	"tokendesk/activities/gateway/sandbox"
	"tokendesk/models"
)

// MaxBytes is the largest mail that is taken.
const MaxBytes = 25 << 20

// Config of a Mailbox. The zero value works: anyone may send, without TLS.
type Config struct {
	TLS      *tls.Config      // offers STARTTLS; may be nil
	User     string           // demands a login; may be empty
	Password models.Secret    // of the user
	Now      func() time.Time // the sandbox's clock; time.Now where nil

	WebhookURL     string          // where reports are pushed to; a path alone where another process pushes them
	WebhookSecrets []models.Secret // each signs; without one, or without the URL, nothing is reported
}

// Mailbox receives mail. It is safe for concurrent use, by several processes on one database too.
type Mailbox struct {
	store      *sandbox.Store
	config     Config
	server     *gosmtp.Server
	webhooks   *sandbox.Dispatcher
	reports    bool
	operations sandbox.Operations
}

const schema = `
CREATE TABLE IF NOT EXISTS sandbox.mails (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_id text        NOT NULL UNIQUE,
    recipients text[]      NOT NULL, -- of the envelope, in lower case
    subject    text        NOT NULL,
    received   timestamptz NOT NULL,
    raw        bytea       NOT NULL, -- as it came first
    digest     bytea       NOT NULL, -- of what a reader sees
    deliveries int         NOT NULL DEFAULT 1,
    altered    boolean     NOT NULL DEFAULT false -- a later delivery read differently
);
CREATE INDEX IF NOT EXISTS mails_to ON sandbox.mails USING gin (recipients);
ALTER TABLE sandbox.mails ADD COLUMN IF NOT EXISTS reported text NOT NULL DEFAULT ''; -- what the sender was told last
`

// The operations, as orders name them: the answer to RCPT TO, and to the end of DATA; what becomes of a mail that was taken,
// and the webhook that tells of it. Orders match the recipient; those on webhooks match the kind of event too.
const (
	recipient = "rcpt"
	data      = "data"
	delivery  = "delivery"
	webhook   = "webhook"
)

// New makes the mailbox on the sandbox's store. Serve must run for mail to arrive, Run for reports to leave.
func New(ctx context.Context, store *sandbox.Store, config Config) (*Mailbox, error) {
	if err := store.Migrate(ctx, schema); err != nil {
		return nil, err
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	m := &Mailbox{store: store, config: config, reports: config.WebhookURL != "" && len(config.WebhookSecrets) > 0}
	m.webhooks = sandbox.NewDispatcher(store, sandbox.Mailbox, sandbox.WebhookConfig{URL: config.WebhookURL, Secrets: config.WebhookSecrets,
		Header: events.SignatureHeader, Now: config.Now})
	m.operations = sandbox.Operations{
		recipient: {sandbox.Refuse, sandbox.Fail, sandbox.Slow},
		data:      {sandbox.Refuse, sandbox.Fail, sandbox.Slow, sandbox.Drop},
	}
	if m.reports {
		m.operations[delivery] = []sandbox.Effect{Bounce, Deliver, Complain}
		m.operations[webhook] = sandbox.WebhookEffects
	}
	m.server = gosmtp.NewServer(gosmtp.BackendFunc(m.session))
	m.server.Domain = "mailbox.sandbox"
	m.server.TLSConfig = config.TLS
	m.server.MaxMessageBytes = MaxBytes
	m.server.MaxRecipients = 50
	m.server.ReadTimeout = 5 * time.Minute // an idle client is welcome
	m.server.WriteTimeout = 10 * time.Second
	m.server.EnableSMTPUTF8 = true
	m.server.ErrorLog = slog.NewLogLogger(slog.Default().Handler(), slog.LevelDebug)
	return m, nil
}

// Serve receives mail on the listener until the context ends.
func (m *Mailbox) Serve(ctx context.Context, listener net.Listener) error {
	stop := context.AfterFunc(ctx, func() { _ = m.server.Close() })
	defer stop()
	err := m.server.Serve(listener)
	if ctx.Err() != nil || errors.Is(err, gosmtp.ErrServerClosed) {
		return nil
	}
	return err
}

// session is one client's conversation.
type session struct {
	mailbox    *Mailbox
	conn       *gosmtp.Conn
	known      bool
	recipients []string
}

func (m *Mailbox) session(conn *gosmtp.Conn) (gosmtp.Session, error) {
	return &session{mailbox: m, conn: conn, known: m.config.User == ""}, nil
}

// AuthMechanisms lists what a client may log in with; go-smtp offers it under TLS only.
func (s *session) AuthMechanisms() []string {
	if s.mailbox.config.User == "" {
		return nil
	}
	return []string{sasl.Plain}
}

// Auth checks the user's password.
func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		want := s.mailbox.config
		same := subtle.ConstantTimeCompare([]byte(user), []byte(want.User)) & subtle.ConstantTimeCompare([]byte(password), []byte(want.Password.Reveal()))
		if same != 1 {
			return gosmtp.ErrAuthFailed
		}
		s.known = true
		return nil
	}), nil
}

// Mail begins a mail.
func (s *session) Mail(string, *gosmtp.MailOptions) error {
	if !s.known {
		return gosmtp.ErrAuthRequired
	}
	return nil
}

// Rcpt names one of its recipients.
func (s *session) Rcpt(to string, _ *gosmtp.RcptOptions) error {
	to = strings.ToLower(to)
	order, err := s.take(recipient, to)
	if err == nil {
		err = obey(order)
	}
	if err == nil {
		s.recipients = append(s.recipients, to)
	}
	return err
}

// Data receives its text, and keeps it before the client hears that it was accepted.
func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	order, err := s.take(data, s.recipients...)
	if err == nil {
		err = obey(order)
	}
	if err == nil {
		err = s.mailbox.keep(context.Background(), s.recipients, raw)
	}
	if err == nil && order.Effect == sandbox.Drop {
		_ = s.conn.Conn().Close()
	}
	return err
}

// Reset forgets the mail that was begun.
func (s *session) Reset() { s.recipients = nil }

// Logout ends the conversation.
func (s *session) Logout() error { return nil }

func (s *session) take(operation string, recipients ...string) (sandbox.Order, error) {
	order, err := sandbox.Take(context.Background(), s.mailbox.store.Pool, sandbox.Mailbox, operation, s.mailbox.operations[operation], recipients...)
	if err != nil {
		return order, temporary("the mailbox is not available")
	}
	return order, nil
}

func obey(order sandbox.Order) error {
	switch order.Effect {
	case sandbox.Refuse:
		return &gosmtp.SMTPError{Code: 550, EnhancedCode: gosmtp.EnhancedCode{5, 1, 1}, Message: "no such mailbox here, as ordered"}
	case sandbox.Fail:
		return temporary("try again later, as ordered")
	case sandbox.Slow:
		return sandbox.Wait(context.Background(), time.Duration(order.Delay))
	default:
		return nil
	}
}

func temporary(text string) error {
	return &gosmtp.SMTPError{Code: 451, EnhancedCode: gosmtp.EnhancedCode{4, 3, 0}, Message: text}
}

// keep stores a mail with what is to become of it, or counts one more delivery of it.
func (m *Mailbox) keep(ctx context.Context, recipients []string, raw []byte) error {
	mail, err := parse(raw)
	if err != nil {
		return &gosmtp.SMTPError{Code: 554, EnhancedCode: gosmtp.EnhancedCode{5, 6, 0}, Message: "the mail cannot be read"}
	}
	if mail.MessageID == "" { // RFC 6409 §8.3 lets a server add one
		mail.MessageID = fmt.Sprintf("%x@mailbox.sandbox", sha256.Sum256(raw))
	}
	mail.Recipients = recipients
	err = pgx.BeginFunc(ctx, m.store.Pool, func(tx pgx.Tx) error {
		var id int64
		var deliveries int
		err := tx.QueryRow(ctx, `INSERT INTO sandbox.mails (message_id, recipients, subject, received, raw, digest)
			VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (message_id) DO UPDATE SET deliveries = mails.deliveries + 1,
				altered = mails.altered OR mails.digest <> excluded.digest OR mails.recipients <> excluded.recipients
			RETURNING id, deliveries`,
			mail.MessageID, recipients, mail.Subject, m.config.Now(), raw, mail.digest()).Scan(&id, &deliveries)
		if err != nil || deliveries > 1 {
			return err
		}
		return m.destine(ctx, tx, id, mail)
	})
	if err != nil {
		slog.Warn("sandbox: a mail cannot be kept", "error", err)
		return temporary("the mailbox is not available")
	}
	m.webhooks.Wake()
	return nil
}
