package activities_test

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"tokendesk/activities"
	"tokendesk/activities/gateway/mail"
	"tokendesk/activities/gateway/mail/mailbox"
	"tokendesk/activities/gateway/mail/smtp"
	"tokendesk/activities/gateway/sandbox"
	"tokendesk/internal/documents"
	"tokendesk/internal/seal"
	"tokendesk/internal/testpg"
	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
)

// postOffice is a mailer with a real mail server behind it.
type postOffice struct {
	mailer  *activities.Mailer
	mailbox *mailbox.Mailbox
	orders  *sandbox.Store
}

func newPost(t *testing.T, st *store.Store, ring *seal.Keyring) *postOffice {
	t.Helper()
	outside, err := sandbox.Open(t.Context(), testpg.Empty(t))
	storetest.Must(t, err)
	t.Cleanup(outside.Close)
	box, err := mailbox.New(t.Context(), outside, mailbox.Config{})
	storetest.Must(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	storetest.Must(t, err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- box.Serve(ctx, l) }()
	t.Cleanup(func() { stop(); <-ended })
	_, port, err := net.SplitHostPort(l.Addr().String())
	storetest.Must(t, err)
	number, err := strconv.Atoi(port)
	storetest.Must(t, err)
	sender, err := smtp.New(smtp.Config{Host: "127.0.0.1", Port: number, TLS: smtp.Plain})
	storetest.Must(t, err)
	t.Cleanup(sender.Close)
	seller := documents.Seller{Name: "Tokendesk Inc.", Email: "billing@tokendesk.example", Address: storetest.Address()}
	composer := &activities.Composer{Store: st, Opener: ring, From: "Tokendesk <no-reply@tokendesk.example>", Seller: seller}
	return &postOffice{&activities.Mailer{Store: st, Composer: composer, Mail: sender}, box, outside}
}

func (p *postOffice) deliver(t *testing.T, at time.Time) int {
	t.Helper()
	n, err := p.mailer.Deliver(t.Context(), at)
	storetest.Must(t, err)
	return n
}

func (p *postOffice) received(t *testing.T) []mailbox.Mail {
	t.Helper()
	mails, err := p.mailbox.List(t.Context(), mailbox.Filter{})
	storetest.Must(t, err)
	return mails
}

// ORD-6, LIC-1: the confirmation goes with its papers, the key in a mail of its own, and once the mail server has the key it is
// erased here.
func TestMailsOfAnOrder(t *testing.T) {
	t.Parallel()
	st, ring := storetest.New(t), storetest.Keyring(t)
	p := newPost(t, st, ring)
	o := storetest.FulfilledOrder(t, st, ring, storetest.Account(t, st).ID)
	key := storetest.KeyOf(t, st, ring, o, 1).Reveal()
	if n := p.deliver(t, storetest.At); n != 2 {
		t.Fatalf("took on %d mails", n)
	}
	if n := p.deliver(t, storetest.At.Add(time.Hour)); n != 0 {
		t.Fatalf("%d mails were taken on again", n)
	}
	var confirmation, license mailbox.Mail
	for _, m := range p.received(t) {
		if strings.Contains(m.Subject, "license key") {
			license = m
		} else {
			confirmation = m
		}
	}
	if len(confirmation.Attachments) != 2 || strings.Contains(confirmation.Text, key) || !strings.Contains(confirmation.Text, "USD 49.00") {
		t.Errorf("confirmation with %d papers: %s", len(confirmation.Attachments), confirmation.Text)
	}
	if !strings.Contains(license.Text, key) || !strings.Contains(license.Text, "Do not begin before") {
		t.Errorf("license mail: %s", license.Text)
	}
	var sealed int
	storetest.Must(t, st.Pool().QueryRow(t.Context(), "select count(*) from notices where sealed is not null").Scan(&sealed))
	if sealed != 0 {
		t.Error("the key is still sealed in the database")
	}
}

// OPS-2: a mail whose acceptance was not recorded, because the connection broke, is sent again under the same Message-ID and
// counts as one.
func TestMailAfterLostAnswerCountsOnce(t *testing.T) {
	t.Parallel()
	st, ring := storetest.New(t), storetest.Keyring(t)
	p := newPost(t, st, ring)
	storetest.PlacedOrder(t, st, storetest.Account(t, st).ID)
	_, err := p.orders.Give(t.Context(), sandbox.Mailbox, sandbox.Order{Operation: "data", Effect: sandbox.Drop, Times: 1})
	storetest.Must(t, err)
	p.deliver(t, storetest.At)
	p.deliver(t, storetest.At.Add(time.Hour))
	mails := p.received(t)
	if len(mails) != 1 || mails[0].Deliveries != 2 || mails[0].Altered {
		t.Fatalf("%d mails, %+v", len(mails), mails)
	}
}

// ORD-6: a mail that cannot be delivered is given up visibly, and no key stays behind in it.
func TestUndeliverableMailBecomesCase(t *testing.T) {
	t.Parallel()
	st, ring := storetest.New(t), storetest.Keyring(t)
	p := newPost(t, st, ring)
	o := storetest.FulfilledOrder(t, st, ring, storetest.Account(t, st).ID)
	_, err := p.orders.Give(t.Context(), sandbox.Mailbox, sandbox.Order{Operation: "rcpt", Effect: sandbox.Refuse, Times: 2})
	storetest.Must(t, err)
	p.deliver(t, storetest.At)
	notices, err := st.NoticesAbout(t.Context(), o.Number, store.Page{Limit: 200})
	storetest.Must(t, err)
	for _, n := range notices {
		if n.Status != models.NoticeFailed || n.Sealed != nil {
			t.Errorf("%s is %s, sealed %v", n.Kind, n.Status, n.Sealed != nil)
		}
	}
	if cases, err := st.Cases(t.Context(), store.Page{}); err != nil || len(cases) < 2 {
		t.Errorf("cases %v, %v", cases, err)
	}
}

// broken is a mail server that is never there.
type broken struct{ tries int }

func (b *broken) Send(context.Context, mail.Message) error {
	b.tries++
	return models.ServiceDown.Because(errors.New("no route to host"))
}

// OPS-2: a mail server that is down delays mail with growing pauses; nothing is lost.
func TestMailWaitsForItsServer(t *testing.T) {
	t.Parallel()
	st, ring := storetest.New(t), storetest.Keyring(t)
	p := newPost(t, st, ring)
	storetest.PlacedOrder(t, st, storetest.Account(t, st).ID)
	down := &broken{}
	p.mailer.Mail = down
	at := storetest.At
	for range 5 {
		p.deliver(t, at)
		p.deliver(t, at.Add(time.Second)) // too early: the pause is longer
		at = at.Add(time.Hour)
	}
	if down.tries != 5 {
		t.Fatalf("%d tries", down.tries)
	}
}

// Every kind of notice has a template, and each renders for the thing that it is about.
func TestEveryNoticeComposes(t *testing.T) {
	t.Parallel()
	st, ring := storetest.New(t), storetest.Keyring(t)
	p := newPost(t, st, ring)
	buyer := storetest.Account(t, st)
	c, _ := storetest.Registered(t, st, ring, buyer, storetest.ClockDevice, storetest.At)
	o := storetest.FulfilledOrder(t, st, ring, buyer.ID)
	all, err := st.ShipmentsOfOrder(t.Context(), o.ID)
	storetest.Must(t, err)
	about := map[string][]models.NoticeKind{
		o.Number:  {models.NoticeOrderConfirmation, models.NoticeCardDeclined, models.NoticeInvoiceReminder, models.NoticePaymentPartial, models.NoticePaymentUnapplied, models.NoticeOrderCancelled, models.NoticeLicenseKey},
		all[0].ID: {models.NoticeShipped, models.NoticeDelivered, models.NoticeLate, models.NoticeReshipped},
		c.ID:      {models.NoticeActivated, models.NoticeRegistered, models.NoticeLocked, models.NoticeExpired},
	}
	for ref, kinds := range about {
		for _, kind := range kinds {
			m, err := p.mailer.Composer.Compose(t.Context(), models.Notice{ID: "no_1", Kind: kind, AccountID: &buyer.ID, ToAddress: buyer.Email, SubjectRef: ref,
				MessageID: "no_1@tokendesk", CreatedAt: storetest.At, Params: map[string]string{"line": "1", "milestone": string(models.InvoiceReminderDue)}})
			if err != nil {
				t.Errorf("%s: %v", kind, err)
				continue
			}
			if err := m.Check(); err != nil || strings.Contains(m.Text, "<no value>") || strings.Contains(m.Text, "{{") || strings.Contains(m.Subject, "<no value>") {
				t.Errorf("%s: %v\n%s\n%s", kind, err, m.Subject, m.Text)
			}
		}
	}
}
