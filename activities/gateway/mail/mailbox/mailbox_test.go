package mailbox_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	gosmtp "net/smtp"
	"net/url"
	"strings"
	"testing"
	"time"

	"tokendesk/activities/gateway/mail/mailbox"
	"tokendesk/activities/gateway/sandbox"
	"tokendesk/internal/testpg"
)

var moment = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

type office struct {
	box     *mailbox.Mailbox
	address string
	now     time.Time
}

func open(t *testing.T) *office {
	t.Helper()
	store, err := sandbox.Open(t.Context(), testpg.Empty(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	o := &office{now: moment}
	o.box, err = mailbox.New(t.Context(), store, mailbox.Config{Now: func() time.Time { return o.now }})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o.address = listener.Addr().String()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- o.box.Serve(ctx, listener) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return o
}

func (o *office) send(t *testing.T, to, raw string) {
	t.Helper()
	if err := gosmtp.SendMail(o.address, nil, "shop@example.com", []string{to}, []byte(strings.ReplaceAll(raw, "\n", "\r\n"))); err != nil {
		t.Fatal(err)
	}
}

func (o *office) get(t *testing.T, method, path, accept string) *httptest.ResponseRecorder {
	t.Helper()
	request := httptest.NewRequest(method, path, nil)
	request.Header.Set("Accept", accept)
	answer := httptest.NewRecorder()
	o.box.Handler().ServeHTTP(answer, request)
	return answer
}

const evil = `Message-ID: <m2@example.com>
From: shop@example.com
To: ben@example.com
Subject: <script>alert(1)</script> key
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/html; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

<script>alert(2)</script>Gr=FCezi
--b
Content-Type: text/html
Content-Disposition: attachment; filename="x.html"

<script>alert(3)</script>
--b--
`

func (o *office) fill(t *testing.T) {
	t.Helper()
	o.send(t, "Ann@Example.com", "Message-ID: <m1@example.com>\nFrom: shop@example.com\nTo: ann@example.com\nSubject: Your order\n\nHello\n")
	o.now = moment.Add(time.Hour)
	o.send(t, "ben@example.com", evil)
}

// ORD-6: a test finds the mail that it waits for.
func TestListAsJSON(t *testing.T) {
	o := open(t)
	o.fill(t)
	cases := []struct{ name, query, want string }{
		{"all, newest first", "", "[m2@example.com m1@example.com]"},
		{"to, in any case", "to=ann@EXAMPLE.com", "[m1@example.com]"},
		{"to nobody", "to=ann", "[]"},
		{"subject, in any case", "subject=ORDER", "[m1@example.com]"},
		{"a percent sign is no wildcard", "subject=%25", "[]"},
		{"since", "since=" + url.QueryEscape(moment.Add(time.Minute).Format(time.RFC3339)), "[m2@example.com]"},
		{"limit", "limit=1", "[m2@example.com]"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			answer := o.get(t, http.MethodGet, mailbox.Path+"?"+c.query, "application/json")
			var list struct{ Messages []mailbox.Mail }
			if err := json.Unmarshal(answer.Body.Bytes(), &list); err != nil || answer.Code != http.StatusOK {
				t.Fatalf("%d %s", answer.Code, answer.Body)
			}
			ids := []string{}
			for _, m := range list.Messages {
				ids = append(ids, m.MessageID)
			}
			if got := fmt.Sprint(ids); got != c.want {
				t.Fatalf("want %s, got %s", c.want, got)
			}
		})
	}
	for _, query := range []string{"since=yesterday", "limit=0", "limit=many"} {
		if answer := o.get(t, http.MethodGet, mailbox.Path+"?"+query, "application/json"); answer.Code != http.StatusBadRequest {
			t.Fatalf("%s: %d", query, answer.Code)
		}
	}
}

// What a stranger wrote is shown, and neither runs nor loads anything.
func TestPages(t *testing.T) {
	o := open(t)
	o.fill(t)
	var list struct{ Messages []mailbox.Mail }
	if err := json.Unmarshal(o.get(t, http.MethodGet, mailbox.Path+"?to=ben@example.com", "application/json").Body.Bytes(), &list); err != nil {
		t.Fatal(err)
	}
	mail := list.Messages[0]
	if !strings.Contains(mail.HTML, "Grüezi") || len(mail.Attachments) != 1 || mail.Deliveries != 1 {
		t.Fatalf("mail: %+v", mail)
	}
	one := fmt.Sprintf("%s/messages/%d", mailbox.Path, mail.ID)
	cases := []struct {
		name, path      string
		code            int
		holds, lacks    string
		header, content string
	}{
		{"list", mailbox.Path, 200, "Your order", "<script>", "Content-Type", "text/html; charset=utf-8"},
		{"list with a slash", mailbox.Path + "/", 200, "Your order", "<script>", "Content-Type", "text/html; charset=utf-8"},
		{"filtered list", mailbox.Path + "?to=" + url.QueryEscape(`"><script>`), 200, "No mail yet", "<script>", "Content-Type", "text/html; charset=utf-8"},
		{"mail", one, 200, "ben@example.com", "<script>", "Content-Type", "text/html; charset=utf-8"},
		{"its HTML", one + "/html", 200, "Grüezi", "", "Content-Security-Policy", "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"},
		{"attachment", mail.Attachments[0].URL, 200, "alert(3)", "", "Content-Disposition", "attachment; filename=x.html"},
		{"source", one + "/raw", 200, "Message-ID: <m2@example.com>", "", "Content-Type", "message/rfc822"},
		{"no such attachment", one + "/attachments/1", 404, "not-found", "", "Content-Type", "application/json"},
		{"no such mail", mailbox.Path + "/messages/999", 404, "not-found", "", "Content-Type", "application/json"},
		{"no number", mailbox.Path + "/messages/x", 404, "not-found", "", "Content-Type", "application/json"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			answer := o.get(t, http.MethodGet, c.path, "text/html")
			body := answer.Body.String()
			if answer.Code != c.code || !strings.Contains(body, c.holds) || (c.lacks != "" && strings.Contains(body, c.lacks)) {
				t.Fatalf("%d %s", answer.Code, body)
			}
			if got := answer.Header().Get(c.header); got != c.content {
				t.Fatalf("%s: %q", c.header, got)
			}
		})
	}
}

// OPS-2: mails outlive the process, and may be thrown away.
func TestKeepsAndClears(t *testing.T) {
	o := open(t)
	o.fill(t)
	o.send(t, "ben@example.com", evil)
	mails, err := o.box.List(t.Context(), mailbox.Filter{To: "ben@example.com"})
	if err != nil || len(mails) != 1 || mails[0].Deliveries != 2 || mails[0].Altered {
		t.Fatalf("%+v, %v", mails, err)
	}
	if answer := o.get(t, http.MethodDelete, mailbox.Path+"/messages", ""); answer.Code != http.StatusOK {
		t.Fatal(answer.Code)
	}
	if mails, err := o.box.List(t.Context(), mailbox.Filter{}); err != nil || len(mails) != 0 {
		t.Fatalf("%+v, %v", mails, err)
	}
}

// A mail without a Message-ID is kept, and a mail that is none is refused for good.
func TestOddMails(t *testing.T) {
	o := open(t)
	o.send(t, "ann@example.com", "Subject: bare\n\nno id\n")
	mails, err := o.box.List(t.Context(), mailbox.Filter{})
	if err != nil || len(mails) != 1 || mails[0].Subject != "bare" {
		t.Fatalf("%+v, %v", mails, err)
	}
	err = gosmtp.SendMail(o.address, nil, "shop@example.com", []string{"ann@example.com"}, []byte("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nbroken"))
	if err == nil || !strings.HasPrefix(err.Error(), "554") {
		t.Fatalf("want 554, got %v", err)
	}
}
