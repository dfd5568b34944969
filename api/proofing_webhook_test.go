package api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"tokendesk/activities/gateway/proofing/wire"
	"tokendesk/activities/gateway/webhook"
	"tokendesk/models"
	"tokendesk/models/store/storetest"
)

// news sends a message as the identity provider would, signed at a moment.
func (b *bureau) news(eventID, ref string, secret models.Secret, signed time.Time) answer {
	b.t.Helper()
	body := fmt.Appendf(nil, `{"id":%q,"type":%q,"session":%q}`, eventID, wire.SessionEnded, ref)
	return b.send(b.request(http.MethodPost, "/v1/webhooks/proofing", "", body, idempotencyKey, "", wire.SignatureHeader, webhook.Sign([]models.Secret{secret}, body, signed)))
}

func (b *bureau) signals() (n int) {
	b.t.Helper()
	err := b.st.Pool().QueryRow(b.t.Context(), "select count(*) from outbox where workflow_id = $1 and kind = 'signal'", models.ProofingLifecycle.WorkflowID(b.c.ID)).Scan(&n)
	storetest.Must(b.t, err)
	return n
}

// PRF-3: a webhook is believed when it is signed now, nudges once, and tells nothing: what is true is fetched.
func TestProofingWebhook(t *testing.T) {
	b := newBureau(t)
	b.started()
	ref, before := b.ref(), b.signals()
	for name, a := range map[string]answer{
		"forged":    b.news("ev_1", ref, "another secret", b.now()),
		"stale":     b.news("ev_1", ref, webhookSecret, b.now().Add(-6*time.Minute)),
		"to come":   b.news("ev_1", ref, webhookSecret, b.now().Add(6*time.Minute)),
		"no secret": b.news("ev_1", ref, "", b.now()),
	} {
		p := a.problem(models.SignatureWrong)
		if old := strings.Contains(deref(p.Detail), "too old or from the future"); old != (name == "stale" || name == "to come") {
			t.Errorf("%s is answered with %q", name, deref(p.Detail))
		}
	}
	if n := b.signals(); n != before {
		t.Fatalf("refused ones signalled %d times", n-before)
	}
	for range 3 {
		b.news("ev_1", ref, webhookSecret, b.now()).want(http.StatusNoContent)
	}
	if n := b.signals(); n != before+1 {
		t.Errorf("one event signalled %d times", n-before)
	}
	if c := b.read(); c.Status != models.ProofingSelfService {
		t.Errorf("it was believed: %s", c.Status)
	}
	b.news("ev_2", "idv_unknown", webhookSecret, b.now()).want(http.StatusNoContent)
	b.photograph()
	ended := b.check()
	b.news("ev_3", ref, webhookSecret, b.now()).want(http.StatusNoContent)
	if n := b.read(); ended.Status != models.ProofingDone || n.Status != models.ProofingDone {
		t.Errorf("after the end it is %s", n.Status)
	}
}
