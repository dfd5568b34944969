package activities_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"tokendesk/activities"
	"tokendesk/activities/gateway/mail"
	"tokendesk/activities/gateway/mail/events"
	"tokendesk/activities/gateway/mail/mailbox"
	"tokendesk/activities/gateway/mail/smtp"
	"tokendesk/activities/gateway/sandbox"
	"tokendesk/internal/seal"
	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
)

// reportingPost is a mailer whose mail server reports what became of each mail.
type reportingPost struct {
	*postOffice
	st      *store.Store
	mu      sync.Mutex
	heard   []models.MailEvent
	refused int
	came    chan struct{}
}

var mailSecrets = []models.Secret{"mail-secret"}

func newReportingPost(t *testing.T, st *store.Store, ring *seal.Keyring) *reportingPost {
	t.Helper()
	p := &reportingPost{st: st, came: make(chan struct{}, 64)}
	hook := httptest.NewServer(http.HandlerFunc(p.hear))
	t.Cleanup(hook.Close)
	p.postOffice = newPost(t, st, ring)
	box, err := mailbox.New(t.Context(), p.orders, mailbox.Config{WebhookURL: hook.URL, WebhookSecrets: mailSecrets, Now: func() time.Time { return storetest.At }})
	storetest.Must(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	storetest.Must(t, err)
	for _, run := range []func(context.Context) error{box.Run, func(ctx context.Context) error { return box.Serve(ctx, l) }} {
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- run(ctx) }()
		t.Cleanup(func() { stop(); <-ended })
	}
	sender, err := smtp.New(smtp.Config{Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, TLS: smtp.Plain})
	storetest.Must(t, err)
	t.Cleanup(sender.Close)
	p.mailbox, p.mailer.Mail = box, sender
	return p
}

// hear does with a webhook what the API does.
func (p *reportingPost) hear(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var heard []models.MailEvent
	if err == nil {
		heard, err = events.New(mailSecrets).VerifyWebhook(r.Header, body, time.Now())
	}
	for _, e := range heard {
		if err == nil {
			err = p.st.RecordMailEvent(r.Context(), e, storetest.At)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		p.refused++
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	p.heard = append(p.heard, heard...)
	w.WriteHeader(http.StatusNoContent)
	p.came <- struct{}{}
}

func (p *reportingPost) tell(t *testing.T, orders ...sandbox.Order) {
	t.Helper()
	for _, o := range orders {
		_, err := p.orders.Give(t.Context(), sandbox.Mailbox, o)
		storetest.Must(t, err)
	}
}

// wait waits for so many webhooks.
func (p *reportingPost) wait(t *testing.T, webhooks int) {
	t.Helper()
	for range webhooks {
		select {
		case <-p.came:
		case <-time.After(10 * time.Second):
			t.Fatal("no webhook came")
		}
	}
}

// remind records a reminder about a credential of the account.
func (p *reportingPost) remind(t *testing.T, account models.Account, credentialID, key string) {
	t.Helper()
	storetest.Must(t, p.st.AddNotice(t.Context(), store.NewNotice{Kind: models.NoticeExpired, DedupeKey: reminders + key, AccountID: account.ID, SubjectRef: credentialID}, storetest.At))
}

const reminders = "revocation-reminder/cr/2031-05-04/"

func (p *reportingPost) fate(t *testing.T, credentialID, key string) models.Notice {
	t.Helper()
	all, err := p.st.NoticesAbout(t.Context(), credentialID, store.Page{Limit: 200})
	storetest.Must(t, err)
	for _, n := range all {
		if n.DedupeKey == reminders+key {
			return n
		}
	}
	t.Fatalf("no reminder %s", key)
	return models.Notice{}
}

// holder is a person with a credential whose own mails have left.
func (p *reportingPost) holder(t *testing.T, ring *seal.Keyring) (models.Account, models.Credential) {
	t.Helper()
	account := storetest.Account(t, p.st)
	c, _ := storetest.Registered(t, p.st, ring, account, storetest.ClockDevice, storetest.At)
	for p.deliver(t, storetest.At) > 0 {
		continue
	}
	return account, c
}

// LIF-3: over a real SMTP conversation and signed webhooks, what became of each reminder is known, with the code and no word more.
func TestFateOfMails(t *testing.T) {
	t.Parallel()
	st, ring := storetest.New(t), storetest.Keyring(t)
	p := newReportingPost(t, st, ring)
	account, c := p.holder(t, ring)
	later := storetest.At.Add(time.Hour)
	for _, f := range []struct {
		name     string
		orders   []sandbox.Order
		webhooks int
		at       []time.Time
		want     models.NoticeStatus
		code     models.MailCode
	}{
		{"taken", nil, 0, []time.Time{storetest.At}, models.NoticeSent, ""},
		{"refused at RCPT", []sandbox.Order{{Operation: "rcpt", Match: account.Email, Effect: sandbox.Refuse}}, 0, []time.Time{storetest.At}, models.NoticeFailed, "5.1.1"},
		{"refused after DATA", []sandbox.Order{{Operation: "data", Match: account.Email, Effect: sandbox.Refuse}}, 0, []time.Time{storetest.At}, models.NoticeFailed, "5.1.1"},
		{"deferred", []sandbox.Order{{Operation: "rcpt", Match: account.Email, Effect: sandbox.Fail}}, 0, []time.Time{storetest.At}, models.NoticePending, "4.3.0"},
		{"deferred twice, then taken", []sandbox.Order{{Operation: "data", Match: account.Email, Effect: sandbox.Fail, Times: 2}}, 0,
			[]time.Time{storetest.At, storetest.At.Add(time.Minute), later}, models.NoticeSent, ""},
		{"taken, and comes back", []sandbox.Order{{Operation: "delivery", Match: account.Email, Effect: mailbox.Bounce}}, 1, []time.Time{storetest.At}, models.NoticeBounced, "5.1.1"},
		{"comes back, told twice", []sandbox.Order{{Operation: "delivery", Match: account.Email, Effect: mailbox.Bounce}, {Operation: "webhook", Match: "bounced", Effect: sandbox.Repeat}}, 2,
			[]time.Time{storetest.At}, models.NoticeBounced, "5.1.1"},
		{"taken and delivered", []sandbox.Order{{Operation: "delivery", Match: account.Email, Effect: mailbox.Deliver}}, 1, []time.Time{storetest.At}, models.NoticeSent, ""},
		{"complained of", []sandbox.Order{{Operation: "delivery", Match: account.Email, Effect: mailbox.Complain}}, 1, []time.Time{storetest.At}, models.NoticeSent, ""},
		{"never told that it came back", []sandbox.Order{{Operation: "delivery", Match: account.Email, Effect: mailbox.Bounce}, {Operation: "webhook", Match: "bounced", Effect: sandbox.Swallow}}, 0,
			[]time.Time{storetest.At}, models.NoticeSent, ""},
	} {
		t.Run(f.name, func(t *testing.T) {
			p.tell(t, f.orders...)
			p.remind(t, account, c.ID, f.name)
			for _, at := range f.at {
				p.deliver(t, at)
			}
			p.wait(t, f.webhooks)
			n := p.fate(t, c.ID, f.name)
			if n.Status != f.want || n.Code != f.code {
				t.Fatalf("%s %q %+v", n.Status, n.Code, n)
			}
			if n.Status == models.NoticePending { // out of the way of the next
				p.deliver(t, later)
			}
		})
	}
	if p.refused != 0 {
		t.Errorf("%d webhooks were refused", p.refused)
	}
}

// dying is a sender whose process is killed as soon as the mail server has taken a mail.
type dying struct {
	activities.Mail
	kill context.CancelFunc
}

func (d dying) Send(ctx context.Context, m mail.Message) error {
	err := d.Mail.Send(ctx, m)
	d.kill()
	return err
}

// OPS-2, LIF-3: a process that dies between the mail server's acceptance and its own record sends the mail once more under its
// Message-ID, unless the provider has reported meanwhile what became of it.
func TestKillBetweenAcceptanceAndRecord(t *testing.T) {
	t.Parallel()
	st, ring := storetest.New(t), storetest.Keyring(t)
	p := newReportingPost(t, st, ring)
	account, c := p.holder(t, ring)
	for _, f := range []struct {
		name       string
		orders     []sandbox.Order
		webhooks   int
		want       models.NoticeStatus
		deliveries int
	}{
		{"nothing is reported", nil, 0, models.NoticeSent, 2},
		{"it was delivered", []sandbox.Order{{Operation: "delivery", Effect: mailbox.Deliver}}, 1, models.NoticeSent, 1},
		{"it came back", []sandbox.Order{{Operation: "delivery", Effect: mailbox.Bounce}}, 1, models.NoticeBounced, 1},
	} {
		t.Run(f.name, func(t *testing.T) {
			p.tell(t, f.orders...)
			p.remind(t, account, c.ID, f.name)
			ctx, kill := context.WithCancel(t.Context())
			killed := *p.mailer
			killed.Mail = dying{p.mailer.Mail, kill}
			if _, err := killed.Deliver(ctx, storetest.At); !errors.Is(err, context.Canceled) {
				t.Fatalf("it was recorded: %v", err)
			}
			p.wait(t, f.webhooks)
			_, err := st.Pool().Exec(t.Context(), "update notices set leased_until = clock_timestamp() where leased_until is not null") // it has run out
			storetest.Must(t, err)
			p.deliver(t, storetest.At)
			n := p.fate(t, c.ID, f.name)
			if n.Status != f.want || n.SentAt == nil {
				t.Errorf("%s %+v", n.Status, n)
			}
			for _, m := range p.received(t) {
				if m.MessageID == n.MessageID && (m.Deliveries != f.deliveries || m.Altered) {
					t.Errorf("%d deliveries, altered %t", m.Deliveries, m.Altered)
				}
			}
		})
	}
}

// hasty is a mail server whose report of the bounce overtakes its acceptance.
type hasty struct {
	activities.Mail
	report func(messageID string) error
}

func (h hasty) Send(ctx context.Context, m mail.Message) error {
	return errors.Join(h.Mail.Send(ctx, m), h.report(m.MessageID))
}

// LIF-3: a bounce that is told before the acceptance is recorded stands, and the reminders have failed.
func TestBounceOvertakesAcceptance(t *testing.T) {
	t.Parallel()
	st, ring := storetest.New(t), storetest.Keyring(t)
	p := newReportingPost(t, st, ring)
	account, c := p.holder(t, ring)
	p.remind(t, account, c.ID, "30")
	p.mailer.Mail = hasty{p.mailer.Mail, func(id string) error {
		return st.RecordMailEvent(t.Context(), models.MailEvent{ID: "e1", MessageID: id, Kind: models.MailBounced, Code: "5.1.1", OccurredAt: storetest.At}, storetest.At)
	}}
	p.deliver(t, storetest.At)
	if n := p.fate(t, c.ID, "30"); n.Status != models.NoticeBounced || n.Code != "5.1.1" {
		t.Errorf("%s %q", n.Status, n.Code)
	}
	if failed, err := st.RemindersFailed(t.Context(), c.ID, reminders); err != nil || !failed {
		t.Errorf("%t, %v", failed, err)
	}
}
