package wire

import (
	"encoding/json"
	"net/http"
	"time"

	"tokendesk/activities/gateway/proofing"
	"tokendesk/activities/gateway/webhook"
	"tokendesk/models"
)

// ParseWebhook reads a webhook that is signed under any of the secrets, within five minutes of at. One that is about something
// else is news without a session: a provider repeats what is refused.
func ParseWebhook(secrets []models.Secret, header http.Header, body []byte, at time.Time) (proofing.News, error) {
	if err := webhook.Verify(secrets, header.Get(SignatureHeader), body, at, webhook.Tolerance); err != nil {
		return proofing.News{}, err
	}
	var hook Webhook
	if err := json.Unmarshal(body, &hook); err != nil || hook.ID == "" || hook.Type == "" {
		return proofing.News{}, models.InvalidRequest.New("the event cannot be read")
	}
	if hook.Type != SessionUpdated && hook.Type != SessionEnded {
		hook.Session = ""
	}
	return proofing.News{EventID: hook.ID, Ref: hook.Session}, nil
}
