// Package events reads what a mail provider reports about mails that it has taken (LIF-3). docs/mail-events.md describes the
// format for whoever connects a provider; the sandbox's mailbox speaks it.
package events

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"tokendesk/activities/gateway/webhook"
	"tokendesk/models"
)

// SignatureHeader carries the signature of a webhook, see package webhook.
const SignatureHeader = "X-Mail-Signature"

// MaxEvents is how many events one webhook may hold.
const MaxEvents = 1000

// event is the JSON of one report; a webhook is an array of them.
type event struct {
	ID         string    `json:"id"`
	Type       string    `json:"type"` // delivered, bounced, complained; others are ignored
	MessageID  string    `json:"message_id"`
	Status     string    `json:"status,omitempty"`
	OccurredAt time.Time `json:"occurred_at"`
}

// Encode writes the body of a webhook.
func Encode(reports ...models.MailEvent) ([]byte, error) {
	list := make([]event, len(reports))
	for i, e := range reports {
		list[i] = event{ID: e.ID, Type: string(e.Kind), MessageID: e.MessageID, Status: string(e.Code), OccurredAt: e.OccurredAt}
	}
	body, err := json.Marshal(list)
	if err != nil {
		return nil, fmt.Errorf("write mail events: %w", err)
	}
	return body, nil
}

// Webhook verifies and reads webhooks.
type Webhook struct {
	secrets []models.Secret
}

// New makes a webhook that believes what is signed under any of the secrets; two during a rotation. Without one it believes
// nothing.
func New(secrets []models.Secret) *Webhook { return &Webhook{secrets} }

// VerifyWebhook reads the events of a webhook, signed within five minutes of at, which is real time.
//
// What is of another type, or lacks what makes it evidence, is left out: a provider repeats a webhook that is refused, with all
// that is beside it. A status that is no code is taken away: it may be a mail server's words, which like to quote the address (SEC-5).
//
// Faults: SignatureWrong, InvalidRequest.
func (w *Webhook) VerifyWebhook(header http.Header, body []byte, at time.Time) ([]models.MailEvent, error) {
	if err := webhook.Verify(w.secrets, header.Get(SignatureHeader), body, at, webhook.Tolerance); err != nil {
		return nil, err
	}
	var list []event
	if err := json.Unmarshal(body, &list); err != nil || list == nil {
		return nil, models.InvalidRequest.New("the body is no array of events")
	}
	if len(list) > MaxEvents {
		return nil, models.InvalidRequest.New("at most %d events may come at once", MaxEvents)
	}
	reports := make([]models.MailEvent, 0, len(list))
	for _, e := range list {
		report := models.MailEvent{ID: e.ID, MessageID: strings.TrimSuffix(strings.TrimPrefix(e.MessageID, "<"), ">"),
			Kind: models.MailEventKind(e.Type), Code: models.MailCode(e.Status), OccurredAt: e.OccurredAt}
		if !report.Code.Valid() {
			report.Code = ""
		}
		if report.Check() == nil {
			reports = append(reports, report)
		}
	}
	return reports, nil
}
