// Package mailtest is the contract of mail senders, as a test that every sender passes.
package mailtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"tokendesk/activities/gateway/mail"
	"tokendesk/activities/gateway/mail/mailbox"
	"tokendesk/activities/gateway/sandbox"
	"tokendesk/models"
)

// Sender is what the contract is about.
type Sender interface {
	Send(ctx context.Context, m mail.Message) error
}

// Subject is a sender under test, and the mailbox that it sends to.
type Subject struct {
	Sender  Sender
	Mailbox *mailbox.Mailbox
	Disturb func(t *testing.T, order sandbox.Order) // tells the mailbox to misbehave
}

// Example is a mail as the contract sends it.
func Example(id string) mail.Message {
	return mail.Message{
		MessageID: id + "@tokendesk.example", From: "Tokendesk <shop@tokendesk.example>", To: "Zoë Müller <Zoe@example.com>",
		Subject: "Your order SO-10042 – thank you", Text: "Grüezi Zoë\n\nThank you.\n.\nA line with a dot above.\n",
		HTML: "<p>Grüezi <b>Zoë</b></p>", Date: time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC),
		Alternatives: []mail.Alternative{{ContentType: "text/calendar; method=REQUEST", Content: "BEGIN:VCALENDAR\r\nSUMMARY:Grüezi Zoë\r\nEND:VCALENDAR\r\n"}},
		Attachments: []mail.Attachment{
			{Name: "order SO-10042.pdf", ContentType: "application/pdf", Content: []byte("%PDF-1.7\r\n\x00\xff")},
			{Name: "Quittung für Zoë.txt", ContentType: "text/plain; charset=utf-8", Content: []byte("bezahlt\n")},
		},
	}
}

// Run proves the promises of package mail on the senders that open makes (ORD-6, OPS-2).
func Run(t *testing.T, open func(t *testing.T) Subject) {
	cases := []struct {
		name string
		test func(t *testing.T, s Subject)
	}{
		{"ORD-6 arrives whole", arrives},
		{"OPS-2 a resend counts as one mail", resend},
		{"OPS-2 a lost acceptance is found again", lostAcceptance},
		{"for a while refused", temporary},
		{"refused for good", permanent},
		{"nothing writes headers", injection},
		{"many at the same time", many},
		{"the caller gives up", givesUp},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

func arrives(t *testing.T, s Subject) {
	want := Example("m1")
	send(t, s, want)
	got := one(t, s)
	if got.MessageID != want.MessageID || got.Subject != want.Subject || got.Text != want.Text || got.HTML != want.HTML || !got.Date.Equal(want.Date) {
		t.Fatalf("want %+v\n got %+v", want, got)
	}
	if !strings.Contains(got.From, "shop@tokendesk.example") || fmt.Sprint(got.Recipients) != "[zoe@example.com]" {
		t.Fatalf("from %s to %v", got.From, got.Recipients)
	}
	if len(got.Attachments) != len(want.Attachments) {
		t.Fatalf("attachments: %+v", got.Attachments)
	}
	if a := got.Alternatives; len(a) != 1 || a[0].Params["method"] != "REQUEST" || !strings.EqualFold(a[0].Params["charset"], "utf-8") || a[0].Content != want.Alternatives[0].Content {
		t.Fatalf("PRF-5 alternatives: %+v", a)
	}
	for i, a := range got.Attachments {
		kind, _, _ := strings.Cut(want.Attachments[i].ContentType, ";")
		if a.Name != want.Attachments[i].Name || a.ContentType != kind || !bytes.Equal(a.Content(), want.Attachments[i].Content) {
			t.Fatalf("attachment %d: %+v", i, a)
		}
	}
}

func resend(t *testing.T, s Subject) {
	m := Example("m1")
	for range 3 {
		send(t, s, m)
	}
	if got := one(t, s); got.Deliveries != 3 || got.Altered {
		t.Fatalf("deliveries %d, altered %t", got.Deliveries, got.Altered)
	}
	m.Text += "PS"
	send(t, s, m)
	if got := one(t, s); got.Deliveries != 4 || !got.Altered {
		t.Fatalf("a resend that reads differently: deliveries %d, altered %t", got.Deliveries, got.Altered)
	}
}

func lostAcceptance(t *testing.T, s Subject) {
	s.Disturb(t, sandbox.Order{Operation: "data", Effect: sandbox.Drop})
	wantFault(t, s.Sender.Send(t.Context(), Example("m1")), models.ServiceDown)
	send(t, s, Example("m1"))
	if got := one(t, s); got.Deliveries != 2 || got.Altered {
		t.Fatalf("deliveries %d, altered %t", got.Deliveries, got.Altered)
	}
}

func temporary(t *testing.T, s Subject) {
	for _, operation := range []string{"rcpt", "data"} {
		s.Disturb(t, sandbox.Order{Operation: operation, Effect: sandbox.Fail, Times: 2})
		for range 2 {
			err := s.Sender.Send(t.Context(), Example(operation))
			wantFault(t, err, models.ServiceDown)
			if code := mail.CodeOf(err); code != "4.3.0" {
				t.Fatalf("deferred with %q: %v", code, err)
			}
		}
		send(t, s, Example(operation))
	}
	if mails := list(t, s); len(mails) != 2 || mails[0].Deliveries+mails[1].Deliveries != 2 {
		t.Fatalf("want two mails, delivered once: %+v", mails)
	}
}

func permanent(t *testing.T, s Subject) {
	for _, operation := range []string{"rcpt", "data"} {
		s.Disturb(t, sandbox.Order{Operation: operation, Match: "zoe@example.com", Effect: sandbox.Refuse})
		err := s.Sender.Send(t.Context(), Example(operation))
		wantFault(t, err, mail.Undeliverable)
		if strings.Contains(strings.ToLower(err.Error()), "zoe") {
			t.Fatalf("the error names the recipient: %v", err)
		}
		if code := mail.CodeOf(err); code != "5.1.1" {
			t.Fatalf("refused with %q: %v", code, err)
		}
	}
	if mails := list(t, s); len(mails) != 0 {
		t.Fatalf("a refused mail arrived: %+v", mails)
	}
	send(t, s, Example("after")) // the connection is in order again
}

// SEC: whoever chooses a name or a subject must not write headers or recipients.
func injection(t *testing.T, s Subject) {
	const evil = "x\r\nBcc: thief@example.com"
	cases := map[string]func(m *mail.Message){
		"subject":             func(m *mail.Message) { m.Subject = evil },
		"subject, bare LF":    func(m *mail.Message) { m.Subject = "x\nBcc: thief@example.com" },
		"subject, NUL":        func(m *mail.Message) { m.Subject = "x\x00" },
		"subject, separator":  func(m *mail.Message) { m.Subject = "x\u2028Bcc: thief@example.com" },
		"to":                  func(m *mail.Message) { m.To = "zoe@example.com\r\nBcc: thief@example.com" },
		"to, two":             func(m *mail.Message) { m.To = "zoe@example.com, thief@example.com" },
		"to, name":            func(m *mail.Message) { m.To = "\"Zoe" + evil + "\" <zoe@example.com>" },
		"to, SMTP command":    func(m *mail.Message) { m.To = "<zoe@example.com>\r\nRCPT TO:<thief@example.com>" },
		"to, quoted":          func(m *mail.Message) { m.To = "\"zoe> RCPT TO:<thief\"@example.com" },
		"from":                func(m *mail.Message) { m.From = "shop@example.com\r\nReply-To: thief@example.com" },
		"message id":          func(m *mail.Message) { m.MessageID = "a@b>\r\nBcc: thief@example.com\r\nX: <a@b" },
		"attachment name":     func(m *mail.Message) { m.Attachments[0].Name = "a.pdf\"\r\nBcc: thief@example.com" },
		"attachment path":     func(m *mail.Message) { m.Attachments[0].Name = "../../etc/passwd" },
		"attachment type":     func(m *mail.Message) { m.Attachments[0].ContentType = "application/pdf\r\nBcc: thief@example.com" },
		"no recipient at all": func(m *mail.Message) { m.To = "" },
		"a line in an alternative's type": func(m *mail.Message) {
			m.Alternatives[0].ContentType = "text/calendar;\r\nBcc: eve@example.com"
		},
		"an alternative that is no text": func(m *mail.Message) { m.Alternatives[0].ContentType = "application/octet-stream" },
		"no date":                        func(m *mail.Message) { m.Date = time.Time{} },
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			m := Example("evil")
			change(&m)
			wantFault(t, s.Sender.Send(t.Context(), m), models.InvalidRequest)
		})
	}
	if mails := list(t, s); len(mails) != 0 {
		t.Fatalf("a mail got through: %+v", mails)
	}
}

func many(t *testing.T, s Subject) {
	const mails = 24
	var all sync.WaitGroup
	for i := range mails {
		all.Go(func() {
			if err := s.Sender.Send(t.Context(), Example(fmt.Sprintf("m%d", i))); err != nil {
				t.Errorf("send: %v", err)
			}
		})
	}
	all.Wait()
	if got := list(t, s); len(got) != mails {
		t.Fatalf("want %d mails, got %d", mails, len(got))
	}
}

func givesUp(t *testing.T, s Subject) {
	s.Disturb(t, sandbox.Order{Operation: "rcpt", Effect: sandbox.Slow, Delay: sandbox.Duration(time.Second)})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	start := time.Now()
	wantFault(t, s.Sender.Send(ctx, Example("m1")), models.ServiceDown)
	if took := time.Since(start); took > 900*time.Millisecond {
		t.Fatalf("it held on for %s", took)
	}
}

func send(t *testing.T, s Subject, m mail.Message) {
	t.Helper()
	if err := s.Sender.Send(t.Context(), m); err != nil {
		t.Fatalf("send: %v", err)
	}
}

func list(t *testing.T, s Subject) []mailbox.Mail {
	t.Helper()
	mails, err := s.Mailbox.List(t.Context(), mailbox.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	return mails
}

func one(t *testing.T, s Subject) mailbox.Mail {
	t.Helper()
	mails := list(t, s)
	if len(mails) != 1 {
		t.Fatalf("want one mail, got %d", len(mails))
	}
	return mails[0]
}

func wantFault(t *testing.T, err error, want *models.FaultType) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("want fault %s, got %v", want.Slug, err)
	}
}
