package events_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"tokendesk/activities/gateway/mail/events"
	"tokendesk/activities/gateway/webhook"
	"tokendesk/models"
)

var (
	moment  = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	secrets = []models.Secret{"current"}
)

func read(t *testing.T, body string) ([]models.MailEvent, error) {
	t.Helper()
	header := http.Header{events.SignatureHeader: {webhook.Sign(secrets, []byte(body), moment)}}
	return events.New(secrets).VerifyWebhook(header, []byte(body), moment)
}

// LIF-3: the form of docs/mail-events.md; what is no evidence is left out, and the rest is not lost with it.
func TestRead(t *testing.T) {
	const good = `{"id":"e1","type":"bounced","message_id":"no_1@tokendesk","status":"5.1.1","occurred_at":"2026-05-04T12:00:07Z"}`
	event := func(change ...string) string { return strings.NewReplacer(change...).Replace(good) }
	for _, c := range []struct {
		name, body string
		want       string
	}{
		{"none", `[]`, ""},
		{"bounced", `[` + good + `]`, "e1 bounced no_1@tokendesk 5.1.1 12:00:07"},
		{"several", `[` + good + `,` + event("e1", "e2", "bounced", "delivered", `"status":"5.1.1",`, "") + `]`, "e1 bounced no_1@tokendesk 5.1.1 12:00:07|e2 delivered no_1@tokendesk  12:00:07"},
		{"angle brackets", `[` + event("no_1@tokendesk", "<no_1@tokendesk>") + `]`, "e1 bounced no_1@tokendesk 5.1.1 12:00:07"},
		{"members that we do not know", `[` + event(`"id"`, `"recipient":"ann@example.com","id"`) + `]`, "e1 bounced no_1@tokendesk 5.1.1 12:00:07"},
		{"words for a status", `[` + event("5.1.1", "550 5.1.1 <ann@example.com> unknown") + `]`, "e1 bounced no_1@tokendesk  12:00:07"},
		{"another type beside it", `[` + event("bounced", "opened") + `,` + event("e1", "e2") + `]`, "e2 bounced no_1@tokendesk 5.1.1 12:00:07"},
		{"no id", `[` + event(`"id":"e1",`, "") + `,` + event("e1", "e2") + `]`, "e2 bounced no_1@tokendesk 5.1.1 12:00:07"},
		{"no mail", `[` + event("no_1@tokendesk", "<>") + `]`, ""},
		{"no date", `[` + event(`,"occurred_at":"2026-05-04T12:00:07Z"`, "") + `]`, ""},
		{"an id without end", `[` + event("e1", strings.Repeat("e", 451)) + `]`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := read(t, c.body)
			var lines []string
			for _, e := range got {
				lines = append(lines, fmt.Sprintf("%s %s %s %s %s", e.ID, e.Kind, e.MessageID, e.Code, e.OccurredAt.Format(time.TimeOnly)))
			}
			if text := strings.Join(lines, "|"); err != nil || text != c.want {
				t.Fatalf("%s, %v\nwant %s", text, err, c.want)
			}
		})
	}
}

func TestUnreadable(t *testing.T) {
	for name, body := range map[string]string{
		"nothing":   ``,
		"no JSON":   `Subject: Undelivered Mail Returned to Sender`,
		"null":      `null`,
		"an object": `{"id":"e1"}`,
		"no date":   `[{"id":"e1","occurred_at":"yesterday"}]`,
		"trailing":  `[] []`,
		"too many":  `[` + strings.Repeat(`{},`, events.MaxEvents) + `{}]`,
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := read(t, body); !errors.Is(err, models.InvalidRequest) || len(got) > 0 {
				t.Fatalf("%v, %v", got, err)
			}
		})
	}
}

// The signature comes first: nothing of a body is looked at that nobody answers for.
func TestUnsigned(t *testing.T) {
	if _, err := events.New(secrets).VerifyWebhook(http.Header{}, []byte(`no JSON`), moment); !errors.Is(err, models.SignatureWrong) {
		t.Fatal(err)
	}
}

func TestEncodeIsRead(t *testing.T) {
	want := models.MailEvent{ID: "e1", MessageID: "no_1@tokendesk", Kind: models.MailBounced, Code: "5.1.1", OccurredAt: moment}
	body, err := events.Encode(want, want)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := read(t, string(body)); err != nil || len(got) != 2 || got[0] != want {
		t.Fatalf("%+v, %v", got, err)
	}
}
