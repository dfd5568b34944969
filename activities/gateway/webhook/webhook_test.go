package webhook_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	stripehook "github.com/stripe/stripe-go/v84/webhook"

	"tokendesk/activities/gateway/webhook"
	"tokendesk/models"
)

var (
	moment  = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	body    = []byte(`{"id":"evt_1"}`)
	current = models.Secret("whsec_current")
	former  = models.Secret("whsec_former")
)

// SHP-2: only signed, fresh messages are believed, and secrets rotate without a gap.
func TestVerify(t *testing.T) {
	signed := webhook.Sign([]models.Secret{current}, body, moment)
	cases := []struct {
		name    string
		secrets []models.Secret
		header  string
		body    []byte
		at      time.Time
		ok      bool
	}{
		{"fits", []models.Secret{current}, signed, body, moment, true},
		{"fits at the edge of the window", []models.Secret{current}, signed, body, moment.Add(webhook.Tolerance), true},
		{"receiver rotates first", []models.Secret{former, current}, signed, body, moment, true},
		{"sender rotates first", []models.Secret{former}, webhook.Sign([]models.Secret{current, former}, body, moment), body, moment, true},
		{"unknown schemes are skipped", []models.Secret{current}, signed + ",v0=00", body, moment, true},
		{"other secret", []models.Secret{former}, signed, body, moment, false},
		{"other body", []models.Secret{current}, signed, []byte(`{"id":"evt_2"}`), moment, false},
		{"too old", []models.Secret{current}, signed, body, moment.Add(webhook.Tolerance + time.Second), false},
		{"from the future", []models.Secret{current}, signed, body, moment.Add(-webhook.Tolerance - time.Second), false},
		{"timestamp moved", []models.Secret{current}, strings.Replace(signed, "t=", "t=1", 1), body, moment, false},
		{"second timestamp", []models.Secret{current}, signed + ",t=1", body, moment, false},
		{"timestamp is no number", []models.Secret{current}, "t=now,v1=" + strings.Repeat("00", 32), body, moment, false},
		{"no header", []models.Secret{current}, "", body, moment, false},
		{"no signature", []models.Secret{current}, "t=1777896000", body, moment, false},
		{"signature is not hex", []models.Secret{current}, "t=1777896000,v1=zz", body, moment, false},
		{"signature is short", []models.Secret{current}, "t=1777896000,v1=00", body, moment, false},
		{"too many signatures", []models.Secret{current}, signed + strings.Repeat(",v1="+strings.Repeat("00", 32), 8), body, moment, false},
		{"no secret set", nil, signed, body, moment, false},
		{"an empty secret verifies nothing", []models.Secret{""}, webhook.Sign([]models.Secret{""}, body, moment), body, moment, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			err := webhook.Verify(c.secrets, c.header, c.body, c.at, webhook.Tolerance)
			if c.ok && err != nil {
				t.Fatalf("want accepted, got %v", err)
			}
			if !c.ok && !errors.Is(err, models.SignatureWrong) {
				t.Fatalf("want signature-wrong, got %v", err)
			}
		})
	}
}

// The scheme is Stripe's own: what either side signs, the other accepts.
func TestAgreesWithStripe(t *testing.T) {
	header := webhook.Sign([]models.Secret{current}, body, moment)
	if err := stripehook.ValidatePayloadIgnoringTolerance(body, header, current.Reveal()); err != nil {
		t.Fatalf("stripe-go refuses our signature: %v", err)
	}
	theirs := stripehook.GenerateTestSignedPayload(&stripehook.UnsignedPayload{Payload: body, Secret: current.Reveal(), Timestamp: moment})
	h := http.Header{"Stripe-Signature": {theirs.Header}}
	if err := webhook.Verify([]models.Secret{current}, h.Get("Stripe-Signature"), body, moment, webhook.Tolerance); err != nil {
		t.Fatalf("we refuse stripe-go's signature: %v", err)
	}
}
