package e2e

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"tokendesk/activities/gateway/proofing/wire"
	"tokendesk/activities/gateway/webhook"
	"tokendesk/deploy/dev/e2e/journey"
	"tokendesk/deploy/dev/stack"
	"tokendesk/deploy/dev/stack/stacktest"
	"tokendesk/internal/app"
	"tokendesk/models"
)

// provider plays the identity provider as far as it pushes webhooks.
type provider struct {
	*ground
	secret models.Secret
}

// push sends a webhook about a session, signed under a secret at a moment, and returns how it was answered.
func (p *provider) push(t *testing.T, eventID, ref string, secret models.Secret, at time.Time) int {
	t.Helper()
	body := fmt.Appendf(nil, `{"id":%q,"type":%q,"session":%q}`, eventID, wire.SessionEnded, ref)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.record.APIURL+"/v1/webhooks/proofing", bytes.NewReader(body))
	must(t, err)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set(wire.SignatureHeader, webhook.Sign([]models.Secret{secret}, body, at))
	response, err := http.DefaultClient.Do(request)
	must(t, err)
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	must(t, err)
	return response.StatusCode
}

// signalled is how often a proofing's lifecycle was told that something has changed.
func (p *provider) signalled(t *testing.T, j *journey.Journey) int {
	return one[int](t, p.db, "select count(*) from outbox where kind = 'signal' and workflow_id = $1", models.ProofingLifecycle.WorkflowID(j.Proofing.ID))
}

// webhooks are forged, replayed and repeated: what is not signed now is refused, what comes again nudges nobody, and nothing is believed (PRF-3).
func (p *provider) webhooks(t *testing.T, j *journey.Journey) {
	t.Helper()
	now, err := p.world.Now(t.Context())
	must(t, err)
	ref, err := j.SessionAtProvider(t.Context())
	must(t, err)
	before, event := p.signalled(t, j), "ev_"+rand.Text()
	for _, c := range []struct {
		name   string
		secret models.Secret
		signed time.Time
		want   int
		nudges int
	}{
		{"forged", "another secret", now, http.StatusUnauthorized, 0},
		{"replayed later", p.secret, now.Add(-6 * time.Minute), http.StatusUnauthorized, 0},
		{"from the future", p.secret, now.Add(6 * time.Minute), http.StatusUnauthorized, 0},
		{"genuine", p.secret, now, http.StatusNoContent, 1},
		{"repeated", p.secret, now, http.StatusNoContent, 1},
	} {
		if got := p.push(t, event, ref, c.secret, c.signed); got != c.want {
			t.Errorf("a webhook that is %s is answered with %d, want %d", c.name, got, c.want)
		}
		if n := p.signalled(t, j) - before; n != c.nudges {
			t.Errorf("after a webhook that is %s the lifecycle was nudged %d times, want %d", c.name, n, c.nudges)
		}
	}
	must(t, j.Proof(t.Context()))
	if j.Proofing.Status != models.ProofingSelfService {
		t.Errorf("a webhook was believed: the proofing is %s", j.Proofing.Status)
	}
}

// TestSelfService proofs people of the United States by themselves: one whom the provider only locates, who types the code of the letter,
// and one who gives all nine digits of the Social Security number and is verified. What they give is found nowhere (PRF-1 to PRF-4, PRF-9, SEC-5).
func TestSelfService(t *testing.T) {
	cfg := stacktest.Config(t)
	secret := models.Secret(rand.Text())
	cfg.Product = stack.ProductOptions{Configure: func(c *app.Config) { c.Proofing.WebhookSecrets = []models.Secret{secret} }}
	s := stacktest.Run(t, cfg)
	g := groundOf(t, s)
	p := &provider{g, secret}
	ctx := t.Context()

	t.Run("located", func(t *testing.T) {
		j := g.proof(t, "US", "Located")
		must(t, j.Consent(ctx))
		must(t, j.GiveIdentity(ctx))
		p.webhooks(t, j)
		must(t, j.Answer(ctx))
		letter, err := j.ReceiveLetter(ctx)
		must(t, err)
		eventually(t, 15*time.Second, "the mail about the letter", func() bool {
			mails, err := g.world.Mails(ctx, j.Person.Email, "A letter with your activation code is on its way")
			must(t, err)
			return len(mails) == 1 && mails[0].Deliveries == 1
		})
		if err := j.EnterCode(ctx, "7KQ2M-WQ4PX-2XRT9"); !errors.Is(err, models.ActivationCodeWrong) {
			t.Errorf("a wrong code is answered with %v", err)
		}
		must(t, j.EnterCode(ctx, letter.Code))
		g.completed(t, j)
		g.forgotten(t, j)
	})
	t.Run("verified with nine digits", func(t *testing.T) {
		j := g.proof(t, "US", "Needsssn")
		must(t, j.Consent(ctx))
		must(t, j.GiveIdentity(ctx))
		must(t, j.GiveSSN(ctx))
		must(t, j.TakePictures(ctx))
		must(t, j.ProofedAs(ctx, models.ProofingDone))
		g.completed(t, j)
		g.forgotten(t, j)
	})
	t.Run("nothing leaks", func(t *testing.T) {
		g.settled(t)
		planted := g.world.Planted()
		if len(planted.Identity) < 15 || len(planted.ActivationCodes) == 0 {
			t.Fatalf("%d things were given, %d codes", len(planted.Identity), len(planted.ActivationCodes))
		}
		noLeaks(t, g.engine, g.record, planted, append(logsIn(t, cfg.StateDir), logs)...)
	})
}

// completed has a proofed person register the token, log in with it, and be known at level 3.
func (g *ground) completed(t *testing.T, j *journey.Journey) {
	t.Helper()
	must(t, j.Run(t.Context()))
	must(t, j.ProofedAs(t.Context(), models.ProofingCompleted))
	answer, err := j.Verify(t.Context(), j.Device().Press())
	must(t, err)
	if !answer.Accepted || answer.Level == nil || *answer.Level != 3 {
		t.Errorf("the relying application is told %+v", answer)
	}
}

// forgotten checks that the provider was told to forget what it was given.
func (g *ground) forgotten(t *testing.T, j *journey.Journey) {
	t.Helper()
	eventually(t, 15*time.Second, "the provider to forget", func() bool {
		return one[bool](t, g.db, "select bool_and(sealed is null) from sandbox.proofings where reference like $1 || '/%'", j.Proofing.ID)
	})
}
