package mailbox_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tokendesk/activities/gateway/mail/events"
	"tokendesk/activities/gateway/mail/mailbox"
	"tokendesk/activities/gateway/mail/mailtest"
	"tokendesk/activities/gateway/mail/smtp"
	"tokendesk/activities/gateway/sandbox"
	"tokendesk/internal/testpg"
	"tokendesk/models"
)

// LIF-3: the mailbox reports as a provider does, and the adapter reads it, over SMTP and HTTP.
func TestReports(t *testing.T) {
	mailtest.RunReports(t, func(t *testing.T) mailtest.Reporter {
		pushed := mailtest.NewLetterbox(t)
		p := newProvider(t, testpg.Empty(t), mailbox.Config{WebhookURL: pushed.URL, WebhookSecrets: mailtest.Secrets})
		p.push(t)
		return mailtest.Reporter{Subject: p.Subject, Pushed: pushed, Verifier: func(s []models.Secret) mailtest.Verifier { return events.New(s) }}
	})
}

// provider is a mailbox that listens, and a sender that knows it.
type provider struct {
	mailtest.Subject
	store *sandbox.Store
}

func newProvider(t *testing.T, url string, config mailbox.Config) provider {
	t.Helper()
	store, err := sandbox.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	box, err := mailbox.New(t.Context(), store, config)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	during(t, func(ctx context.Context) error { return box.Serve(ctx, listener) })
	sender, err := smtp.New(smtp.Config{Host: "127.0.0.1", Port: listener.Addr().(*net.TCPAddr).Port, TLS: smtp.Plain})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sender.Close)
	return provider{mailtest.Subject{Sender: sender, Mailbox: box, Disturb: func(t *testing.T, order sandbox.Order) {
		t.Helper()
		if _, err := store.Give(t.Context(), sandbox.Mailbox, order); err != nil {
			t.Fatal(err)
		}
	}}, store}
}

// push lets the mailbox push its reports until the test ends.
func (p provider) push(t *testing.T) { during(t, p.Mailbox.Run) }

func during(t *testing.T, run func(context.Context) error) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func (p provider) send(t *testing.T, id string) {
	t.Helper()
	if err := p.Sender.Send(t.Context(), mailtest.Example(id)); err != nil {
		t.Fatal(err)
	}
}

// waiting counts the reports that were not delivered yet.
func (p provider) waiting(t *testing.T) (n int) {
	t.Helper()
	if err := p.store.Pool.QueryRow(t.Context(), `SELECT count(*) FROM sandbox.webhooks WHERE NOT delivered`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// A report may be late, or never come, and a mail of which nothing was ordered is not reported.
func TestReportsThatDoNotCome(t *testing.T) {
	bounce := sandbox.Order{Operation: "delivery", Effect: mailbox.Bounce}
	late := sandbox.Order{Operation: "delivery", Effect: mailbox.Bounce, Delay: sandbox.Duration(time.Hour)}
	for _, c := range []struct {
		name    string
		orders  []sandbox.Order
		waiting int
	}{
		{"nothing ordered", nil, 0},
		{"ordered for another address", []sandbox.Order{{Operation: "delivery", Match: "ben@example.com", Effect: mailbox.Bounce}}, 0},
		{"ordered", []sandbox.Order{bounce}, 1},
		{"later", []sandbox.Order{late}, 1},
		{"never", []sandbox.Order{bounce, {Operation: "webhook", Match: "zoe@example.com", Effect: sandbox.Swallow}}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newProvider(t, testpg.Empty(t), mailbox.Config{WebhookURL: "/v1/webhooks/mail", WebhookSecrets: mailtest.Secrets})
			for _, o := range c.orders {
				p.Disturb(t, o)
			}
			p.send(t, "m1")
			if n := p.waiting(t); n != c.waiting {
				t.Fatalf("%d reports wait, want %d", n, c.waiting)
			}
		})
	}
}

// OPS-2: what one process recorded, as the mailbox of a sandbox of several processes does, another one pushes after a kill.
func TestReportsSurviveTheProcess(t *testing.T) {
	url, pushed := testpg.Empty(t), mailtest.NewLetterbox(t)
	killed := newProvider(t, url, mailbox.Config{WebhookURL: "/v1/webhooks/mail", WebhookSecrets: mailtest.Secrets})
	killed.Disturb(t, sandbox.Order{Operation: "delivery", Effect: mailbox.Bounce})
	killed.send(t, "m1")
	newProvider(t, url, mailbox.Config{WebhookURL: pushed.URL, WebhookSecrets: mailtest.Secrets}).push(t)
	p := pushed.Next(t)
	got, err := events.New(mailtest.Secrets).VerifyWebhook(p.Header, p.Body, time.Now())
	if err != nil || len(got) != 1 || got[0].MessageID != mailtest.Example("m1").MessageID {
		t.Fatalf("%+v, %v", got, err)
	}
}

// Reports are signed in real time and dated on the sandbox's clock, which may be years ahead.
func TestReportsFollowBothClocks(t *testing.T) {
	ahead := func() time.Time { return time.Now().AddDate(5, 0, 0) }
	pushed := mailtest.NewLetterbox(t)
	p := newProvider(t, testpg.Empty(t), mailbox.Config{WebhookURL: pushed.URL, WebhookSecrets: mailtest.Secrets, Now: ahead})
	p.push(t)
	p.Disturb(t, sandbox.Order{Operation: "delivery", Effect: mailbox.Bounce, Delay: sandbox.Duration(time.Millisecond)})
	p.send(t, "m1")
	push := pushed.Next(t)
	got, err := events.New(mailtest.Secrets).VerifyWebhook(push.Header, push.Body, time.Now())
	if err != nil || len(got) != 1 || ahead().Sub(got[0].OccurredAt).Abs() > time.Minute {
		t.Fatalf("%+v, %v", got, err)
	}
}

// People and tests let a mail come back at any later time, over HTTP.
func TestHappenOverHTTP(t *testing.T) {
	pushed := mailtest.NewLetterbox(t)
	p := newProvider(t, testpg.Empty(t), mailbox.Config{WebhookURL: pushed.URL, WebhookSecrets: mailtest.Secrets})
	p.push(t)
	p.send(t, "m1")
	mails, err := p.Mailbox.List(t.Context(), mailbox.Filter{})
	if err != nil || len(mails) != 1 {
		t.Fatal(mails, err)
	}
	one := fmt.Sprintf("%s/messages/%d", mailbox.Path, mails[0].ID)
	for _, c := range []struct {
		name, method, path, body string
		code                     int
		holds                    string
	}{
		{"bounced", http.MethodPost, one + "/events", `{"type":"bounced","status":"5.2.2"}`, 201, `"status":"5.2.2"`},
		{"shown", http.MethodGet, one, "", 200, `bounced`},
		{"delivered, dated", http.MethodPost, one + "/events", `{"type":"delivered","occurred_at":"2099-01-01T00:00:00Z"}`, 201, "2099-01-01"},
		{"no such type", http.MethodPost, one + "/events", `{"type":"eaten"}`, 400, "invalid-request"},
		{"no code", http.MethodPost, one + "/events", `{"type":"bounced","status":"gone away"}`, 400, "invalid-request"},
		{"unknown member", http.MethodPost, one + "/events", `{"kind":"bounced"}`, 400, "invalid-request"},
		{"no such mail", http.MethodPost, mailbox.Path + "/messages/999/events", `{"type":"bounced"}`, 404, "not-found"},
		{"order", http.MethodPost, mailbox.Path + "/orders", `{"operation":"delivery","effect":"bounce","match":"ann@example.com","delay":"2s"}`, 201, `"effect":"bounce"`},
		{"order that nobody obeys", http.MethodPost, mailbox.Path + "/orders", `{"operation":"rcpt","effect":"bounce"}`, 400, "invalid-request"},
	} {
		if answer := ask(p.Mailbox, c.method, c.path, c.body); answer.Code != c.code || !strings.Contains(answer.Body.String(), c.holds) {
			t.Fatalf("%s: want %d with %s, got %d %s", c.name, c.code, c.holds, answer.Code, answer.Body)
		}
	}
	codes := map[models.MailEventKind]models.MailCode{}
	for range 2 {
		push := pushed.Next(t)
		got, err := events.New(mailtest.Secrets).VerifyWebhook(push.Header, push.Body, time.Now())
		if err != nil || len(got) != 1 {
			t.Fatal(got, err)
		}
		codes[got[0].Kind] = got[0].Code
	}
	if len(codes) != 2 || codes[models.MailBounced] != "5.2.2" {
		t.Fatalf("reported: %v", codes)
	}
}

// Without a webhook nobody is told, and nobody can order that somebody be.
func TestWithoutWebhook(t *testing.T) {
	for name, config := range map[string]mailbox.Config{"no URL": {WebhookSecrets: mailtest.Secrets}, "no secret": {WebhookURL: "http://127.0.0.1:1"}} {
		t.Run(name, func(t *testing.T) {
			p := newProvider(t, testpg.Empty(t), config)
			p.push(t) // ends with the test, and does nothing meanwhile
			p.Disturb(t, sandbox.Order{Operation: "delivery", Effect: mailbox.Bounce})
			p.send(t, "m1")
			mails, err := p.Mailbox.List(t.Context(), mailbox.Filter{})
			if err != nil || len(mails) != 1 || p.waiting(t) != 0 {
				t.Fatalf("%+v, %v, %d reports wait", mails, err, p.waiting(t))
			}
			answer := ask(p.Mailbox, http.MethodPost, fmt.Sprintf("%s/messages/%d/events", mailbox.Path, mails[0].ID), `{"type":"bounced"}`)
			if answer.Code != http.StatusConflict {
				t.Errorf("%d %s", answer.Code, answer.Body)
			}
			if answer := ask(p.Mailbox, http.MethodPost, mailbox.Path+"/orders", `{"operation":"delivery","effect":"bounce"}`); answer.Code != http.StatusBadRequest {
				t.Errorf("%d %s", answer.Code, answer.Body)
			}
		})
	}
}

func ask(box *mailbox.Mailbox, method, path, body string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(method, path, strings.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json")
	answer := httptest.NewRecorder()
	box.Handler().ServeHTTP(answer, request)
	if !json.Valid(answer.Body.Bytes()) {
		answer.Code = 0
	}
	return answer
}
