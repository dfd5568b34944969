package mailbox

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	_ "github.com/emersion/go-message/charset" // reads what is not UTF-8
	gomail "github.com/emersion/go-message/mail"
	"github.com/jackc/pgx/v5"

	"tokendesk/models"
)

// Mail is a mail as its recipient sees it.
type Mail struct {
	ID         int64     `json:"id"`
	MessageID  string    `json:"message_id"`
	From       string    `json:"from"`
	To         string    `json:"to"`
	Recipients []string  `json:"recipients"` // of the envelope
	Subject    string    `json:"subject"`
	Date       time.Time `json:"date"`     // that the sender wrote
	Received   time.Time `json:"received"` // first
	Text       string    `json:"text"`
	HTML       string    `json:"html,omitempty"`

	Alternatives []Alternative `json:"alternatives,omitempty"` // neither plain text nor HTML
	Attachments  []Attachment  `json:"attachments"`

	Deliveries int  `json:"deliveries"` // how often it came under its Message-ID
	Altered    bool `json:"altered"`    // it read differently on a later delivery

	Reported models.MailEventKind `json:"reported,omitempty"` // what its sender was told last became of it
	raw      []byte
}

// Alternative is the mail in another form, such as a calendar invitation.
type Alternative struct {
	ContentType string            `json:"content_type"`
	Params      map[string]string `json:"params"` // of the content type
	Content     string            `json:"content"`
}

// Attachment is a file that came with a mail.
type Attachment struct {
	Name        string `json:"name"`
	ContentType string `json:"content_type"`
	Size        int    `json:"size"`
	URL         string `json:"url"`
	content     []byte
}

// Content is the file itself.
func (a Attachment) Content() []byte { return a.content }

// Filter selects mails.
type Filter struct {
	To      string    // the recipient's address; any where empty
	Subject string    // is contained in the subject, in any case
	Since   time.Time // received then or later
	Limit   int       // the newest so many; 100 where zero
}

const selectMail = `SELECT id, recipients, received, raw, deliveries, altered, reported FROM sandbox.mails`

// List returns the mails that pass the filter, newest first.
func (m *Mailbox) List(ctx context.Context, f Filter) ([]Mail, error) {
	if f.Limit <= 0 || f.Limit > 1000 {
		f.Limit = 100
	}
	var to []string
	if f.To != "" {
		to = []string{strings.ToLower(f.To)}
	}
	rows, err := m.store.Pool.Query(ctx, selectMail+` WHERE ($1::text[] IS NULL OR recipients @> $1)
		AND position(lower($2) IN lower(subject)) > 0 AND received >= $3 ORDER BY id DESC LIMIT $4`, to, f.Subject, f.Since, f.Limit)
	if err != nil {
		return nil, fmt.Errorf("mailbox: list: %w", err)
	}
	mails, err := pgx.CollectRows(rows, scan)
	if err != nil {
		return nil, fmt.Errorf("mailbox: list: %w", err)
	}
	return mails, nil
}

// Get returns one mail, or a models.NoSuchThing fault.
func (m *Mailbox) Get(ctx context.Context, id int64) (Mail, error) {
	rows, err := m.store.Pool.Query(ctx, selectMail+` WHERE id = $1`, id)
	if err != nil {
		return Mail{}, fmt.Errorf("mailbox: get: %w", err)
	}
	mail, err := pgx.CollectExactlyOneRow(rows, scan)
	if errors.Is(err, pgx.ErrNoRows) {
		return Mail{}, models.NoSuchThing.New("there is no such mail")
	}
	if err != nil {
		return Mail{}, fmt.Errorf("mailbox: get: %w", err)
	}
	return mail, nil
}

// Clear throws every mail away.
func (m *Mailbox) Clear(ctx context.Context) error {
	if _, err := m.store.Pool.Exec(ctx, `DELETE FROM sandbox.mails`); err != nil {
		return fmt.Errorf("mailbox: clear: %w", err)
	}
	return nil
}

func scan(row pgx.CollectableRow) (Mail, error) {
	var kept Mail
	if err := row.Scan(&kept.ID, &kept.Recipients, &kept.Received, &kept.raw, &kept.Deliveries, &kept.Altered, &kept.Reported); err != nil {
		return Mail{}, err
	}
	mail, err := parse(kept.raw)
	if err != nil {
		return Mail{}, err
	}
	mail.ID, mail.Recipients, mail.Received, mail.raw = kept.ID, kept.Recipients, kept.Received, kept.raw
	mail.Deliveries, mail.Altered, mail.Reported = kept.Deliveries, kept.Altered, kept.Reported
	for i := range mail.Attachments {
		mail.Attachments[i].URL = fmt.Sprintf("%s/messages/%d/attachments/%d", Path, mail.ID, i)
	}
	return mail, nil
}

// parse reads a mail with its parts. Headers that are damaged are left empty: it is shown as it is.
func parse(raw []byte) (Mail, error) {
	reader, err := gomail.CreateReader(bytes.NewReader(raw))
	if err != nil {
		return Mail{}, err
	}
	defer func() { _ = reader.Close() }()
	mail := Mail{Attachments: []Attachment{}}
	mail.MessageID, _ = reader.Header.MessageID()
	mail.Subject, _ = reader.Header.Subject()
	mail.Date, _ = reader.Header.Date()
	mail.From = addresses(reader.Header, "From")
	mail.To = addresses(reader.Header, "To")
	for {
		part, err := reader.NextPart()
		if errors.Is(err, io.EOF) {
			return mail, nil
		}
		if err != nil {
			return Mail{}, err
		}
		content, err := io.ReadAll(part.Body)
		if err != nil {
			return Mail{}, err
		}
		mail.add(part.Header, content)
	}
}

func (m *Mail) add(header gomail.PartHeader, content []byte) {
	switch h := header.(type) {
	case *gomail.InlineHeader:
		text := strings.ReplaceAll(string(content), "\r\n", "\n")
		switch kind, params, _ := h.ContentType(); kind {
		case "text/html":
			m.HTML += text
		case "text/calendar":
			m.Alternatives = append(m.Alternatives, Alternative{kind, params, string(content)})
		default:
			m.Text += text
		}
	case *gomail.AttachmentHeader:
		name, _ := h.Filename()
		kind, _, _ := h.ContentType()
		m.Attachments = append(m.Attachments, Attachment{Name: name, ContentType: kind, Size: len(content), content: content})
	}
}

func addresses(header gomail.Header, field string) string {
	list, _ := header.AddressList(field)
	texts := make([]string, len(list))
	for i, a := range list {
		texts[i] = a.String()
		if a.Name == "" {
			texts[i] = a.Address
		}
	}
	return strings.Join(texts, ", ")
}

// digest is over what a reader sees: not over the boundaries between the parts, which differ each time.
func (m *Mail) digest() []byte {
	h := sha256.New()
	for _, text := range []string{m.From, m.To, m.Subject, m.Date.UTC().String(), m.Text, m.HTML} {
		_, _ = fmt.Fprintf(h, "%d:%s", len(text), text) // a hash never fails to write
	}
	for _, a := range m.Alternatives {
		_, _ = fmt.Fprintf(h, "%d:%s%d:%s", len(a.ContentType), a.ContentType, len(a.Content), a.Content)
	}
	for _, a := range m.Attachments {
		_, _ = fmt.Fprintf(h, "%d:%s%d:%s", len(a.Name), a.Name, len(a.content), a.content)
	}
	return h.Sum(nil)
}
