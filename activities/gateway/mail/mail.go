// Package mail holds what a mail is, whoever carries it, and what its delivery can lead to. Sub-package smtp sends;
// sub-package events reads what a provider reports afterwards; sub-package mailbox receives and reports, in development and tests.
//
// A sender keeps these promises, and package mailtest proves them:
//   - A sent mail carries the Message-ID that it was given, so that a resend after a crash counts as one mail (OPS-2).
//   - Trouble that may pass is a models.ServiceDown fault. Whether the mail was accepted is then not known: send it
//     again under its Message-ID.
//   - A mail that the receiving side refuses for good is an Undeliverable fault.
//   - CodeOf finds the mail server's code in either (LIF-3).
//   - A mail that cannot be right, such as one with a line break in its subject, is a models.InvalidRequest fault and
//     nothing is sent.
//   - No error carries an address or a text of the mail (SEC-5).
package mail

import (
	"mime"
	"net/mail"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"tokendesk/models"
)

// Undeliverable is the fault of a mail that the receiving side refuses for good. It asks for a person.
var Undeliverable = &models.FaultType{Slug: "mail-undeliverable", Kind: models.Refused,
	Title: "The mail cannot be delivered", Next: "correct the address, then send it again"}

// Message is one mail to one person.
type Message struct {
	MessageID string // left and right part of the Message-ID, without angle brackets (RFC 5322 §3.6.4)
	From      string // an address as in RFC 5322: "shop@example.com" or "Tokendesk <shop@example.com>"
	To        string // likewise
	Subject   string
	Text      string // plain text; required
	HTML      string // the same for readers that prefer it; may be empty

	Alternatives []Alternative
	Attachments  []Attachment
	Date         time.Time
}

// Alternative is the mail in yet another form, such as a calendar invitation (RFC 2046 §5.1.4, RFC 6047 §2.4). Readers take the last form that they understand.
type Alternative struct {
	ContentType string // without a charset: it is UTF-8
	Content     string
}

// Attachment is a file that goes with a mail.
type Attachment struct {
	Name        string // the file name, without a folder
	ContentType string // for example "application/pdf"
	Content     []byte
}

// messageID is dot-atom-text "@" dot-atom-text of RFC 5322 §3.6.4.
var messageID = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,200}@[A-Za-z0-9.-]{1,200}$")

// maxSubject keeps the subject within one header line of RFC 5322 §2.1.1, encoded.
const maxSubject = 250

// Check refuses a mail that cannot be right. Above all, nothing that goes into a header may hold a line break or
// another control character, or whoever chose the text could write headers and recipients of their own.
func (m Message) Check() error {
	if !messageID.MatchString(m.MessageID) {
		return wrong("message_id", "the message id is malformed")
	}
	if _, err := ParseAddress(m.From); err != nil {
		return wrong("from", "the sender's address is malformed")
	}
	if _, err := ParseAddress(m.To); err != nil {
		return wrong("to", "the recipient's address is malformed")
	}
	if m.Subject == "" || len(m.Subject) > maxSubject || !oneLine(m.Subject) {
		return wrong("subject", "the subject must be one line")
	}
	if m.Text == "" {
		return wrong("text", "the text is missing")
	}
	if !utf8.ValidString(m.Text) || !utf8.ValidString(m.HTML) {
		return wrong("text", "the text is not UTF-8")
	}
	if m.Date.IsZero() {
		return wrong("date", "the date is missing")
	}
	for _, a := range m.Alternatives {
		kind, params, err := mime.ParseMediaType(a.ContentType)
		if err != nil || !oneLine(a.ContentType) || !strings.HasPrefix(kind, "text/") || params["charset"] != "" {
			return wrong("alternatives", "an alternative's content type is malformed")
		}
		if a.Content == "" || !utf8.ValidString(a.Content) {
			return wrong("alternatives", "an alternative is not UTF-8")
		}
	}
	for _, a := range m.Attachments {
		if a.Name == "" || len(a.Name) > 200 || !oneLine(a.Name) || strings.ContainsAny(a.Name, `/\"`) {
			return wrong("attachments", "an attachment's name is malformed")
		}
		if _, _, err := mime.ParseMediaType(a.ContentType); err != nil || !oneLine(a.ContentType) {
			return wrong("attachments", "an attachment's content type is malformed")
		}
	}
	return nil
}

// ParseAddress reads one address that is safe to put into a header and an SMTP command. Quoted local parts, which
// nobody uses but who tries tricks, are refused.
func ParseAddress(text string) (*mail.Address, error) {
	if !oneLine(text) || len(text) > 320 {
		return nil, wrong("", "the address is malformed")
	}
	a, err := mail.ParseAddress(text)
	if err != nil || !oneLine(a.Name) || strings.ContainsAny(a.Address, "\"<>()[],;: \t") {
		return nil, wrong("", "the address is malformed")
	}
	return a, nil
}

func wrong(field, detail string) *models.Fault {
	fault := models.InvalidRequest.New("%s", detail)
	if field != "" {
		fault.Field = "/" + field
	}
	return fault
}

// oneLine reports whether a text is valid UTF-8 without control characters or line separators.
func oneLine(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) || r == '\u2028' || r == '\u2029'
	})
}
