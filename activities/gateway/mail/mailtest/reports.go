package mailtest

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"tokendesk/activities/gateway/mail/events"
	"tokendesk/activities/gateway/sandbox"
	"tokendesk/models"
)

// Secrets are what the contract signs under; the second is the newer one, as in the middle of a rotation.
var Secrets = []models.Secret{"mail-secret-former", "mail-secret-current"}

// Verifier reads webhooks.
type Verifier interface {
	VerifyWebhook(header http.Header, body []byte, at time.Time) ([]models.MailEvent, error)
}

// Reporter is a provider under test: it takes mails, and pushes what became of them, signed under Secrets.
type Reporter struct {
	Subject
	Pushed   *Letterbox
	Verifier func(secrets []models.Secret) Verifier
}

// Letterbox keeps the webhooks that came to its URL, unread.
type Letterbox struct {
	URL  string
	came chan Push
}

// Push is one webhook as it came.
type Push struct {
	Header http.Header
	Body   []byte
}

// NewLetterbox opens a letterbox until the test ends.
func NewLetterbox(t *testing.T) *Letterbox {
	t.Helper()
	l := &Letterbox{came: make(chan Push, 64)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("webhook: %v, %s", err, r.Header.Get("Content-Type"))
		}
		l.came <- Push{r.Header.Clone(), body}
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(server.Close)
	l.URL = server.URL
	return l
}

// Next waits for a webhook.
func (l *Letterbox) Next(t *testing.T) Push {
	t.Helper()
	select {
	case p := <-l.came:
		return p
	case <-time.After(10 * time.Second):
		t.Fatal("no webhook came")
		return Push{}
	}
}

// RunReports proves that a provider's reports and the adapter that reads them agree, and that nobody else is believed (LIF-3).
func RunReports(t *testing.T, open func(t *testing.T) Reporter) {
	cases := []struct {
		name string
		test func(t *testing.T, r Reporter)
	}{
		{"LIF-3 a mail that comes back is reported", comesBack},
		{"LIF-3 what becomes of a mail is reported as ordered", ordered},
		{"OPS-2 a resent mail comes back once", resentComesBack},
		{"OPS-2 a mail whose acceptance was lost comes back", lostComesBack},
		{"reports repeat under one id", repeated},
		{"reports overtake each other", overtaken},
		{"SEC-5 no report holds an address", discreet},
		{"forged, stale and foreign reports are refused", forged},
		{"secrets rotate without a gap", rotation},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

func comesBack(t *testing.T, r Reporter) {
	r.Disturb(t, sandbox.Order{Operation: "delivery", Match: "zoe@example.com", Effect: "bounce"})
	m := Example("m1")
	send(t, r.Subject, m)
	e := r.next(t)
	if e.Kind != models.MailBounced || e.MessageID != m.MessageID || e.Code != "5.1.1" || e.ID == "" || e.OccurredAt.IsZero() {
		t.Fatalf("event: %+v", e)
	}
}

func ordered(t *testing.T, r Reporter) {
	send(t, r.Subject, Example("quiet")) // nothing was ordered: nothing is reported
	for _, want := range []struct {
		effect sandbox.Effect
		kind   models.MailEventKind
	}{{"deliver", models.MailDelivered}, {"complain", models.MailComplained}, {"bounce", models.MailBounced}} {
		r.Disturb(t, sandbox.Order{Operation: "delivery", Effect: want.effect})
		send(t, r.Subject, Example(string(want.effect)))
		if e := r.next(t); e.Kind != want.kind || e.MessageID != Example(string(want.effect)).MessageID {
			t.Fatalf("%s: %+v", want.effect, e)
		}
	}
}

func resentComesBack(t *testing.T, r Reporter) {
	r.Disturb(t, sandbox.Order{Operation: "delivery", Effect: "bounce", Times: 2})
	send(t, r.Subject, Example("m1"))
	send(t, r.Subject, Example("m1"))
	send(t, r.Subject, Example("m2"))
	ids := []string{r.next(t).MessageID, r.next(t).MessageID}
	slices.Sort(ids)
	if !slices.Equal(ids, []string{Example("m1").MessageID, Example("m2").MessageID}) {
		t.Fatalf("reported: %v", ids)
	}
}

func lostComesBack(t *testing.T, r Reporter) {
	r.Disturb(t, sandbox.Order{Operation: "data", Effect: sandbox.Drop})
	r.Disturb(t, sandbox.Order{Operation: "delivery", Effect: "bounce"})
	wantFault(t, r.Sender.Send(t.Context(), Example("m1")), models.ServiceDown)
	if e := r.next(t); e.Kind != models.MailBounced || e.MessageID != Example("m1").MessageID {
		t.Fatalf("event: %+v", e)
	}
	if mails := list(t, r.Subject); len(mails) != 1 || mails[0].Reported != models.MailBounced {
		t.Fatalf("mails: %+v", mails)
	}
}

func repeated(t *testing.T, r Reporter) {
	r.Disturb(t, sandbox.Order{Operation: "delivery", Effect: "bounce"})
	r.Disturb(t, sandbox.Order{Operation: "webhook", Match: "bounced", Effect: sandbox.Repeat})
	send(t, r.Subject, Example("m1"))
	if first, second := r.next(t), r.next(t); first != second {
		t.Fatalf("one event under two ids: %+v, %+v", first, second)
	}
}

func overtaken(t *testing.T, r Reporter) {
	r.Disturb(t, sandbox.Order{Operation: "webhook", Match: "delivered", Effect: sandbox.Reorder})
	r.Disturb(t, sandbox.Order{Operation: "delivery", Effect: "deliver"})
	r.Disturb(t, sandbox.Order{Operation: "delivery", Effect: "bounce"})
	send(t, r.Subject, Example("m1"))
	send(t, r.Subject, Example("m2"))
	if kinds := []models.MailEventKind{r.next(t).Kind, r.next(t).Kind}; !slices.Equal(kinds, []models.MailEventKind{models.MailBounced, models.MailDelivered}) {
		t.Fatalf("reported: %v", kinds)
	}
}

func discreet(t *testing.T, r Reporter) {
	r.Disturb(t, sandbox.Order{Operation: "delivery", Effect: "bounce"})
	send(t, r.Subject, Example("m1"))
	if p := r.Pushed.Next(t); bytes.Contains(bytes.ToLower(p.Body), []byte("zoe")) || bytes.Contains(p.Body, []byte("SO-10042")) {
		t.Fatalf("body: %s", p.Body)
	}
}

func forged(t *testing.T, r Reporter) {
	r.Disturb(t, sandbox.Order{Operation: "delivery", Effect: "bounce"})
	send(t, r.Subject, Example("m1"))
	p, now := r.Pushed.Next(t), time.Now()
	verifier := r.Verifier(Secrets)
	if _, err := verifier.VerifyWebhook(p.Header, p.Body, now); err != nil {
		t.Fatalf("the true one: %v", err)
	}
	other := bytes.Replace(p.Body, []byte("m1@"), []byte("m2@"), 1)
	unsigned := p.Header.Clone()
	unsigned.Del(events.SignatureHeader)
	for name, err := range map[string]error{
		"another mail":        second(verifier.VerifyWebhook(p.Header, other, now)),
		"more events":         second(verifier.VerifyWebhook(p.Header, append(p.Body[:len(p.Body):len(p.Body)], ' '), now)),
		"no signature":        second(verifier.VerifyWebhook(unsigned, p.Body, now)),
		"replayed much later": second(verifier.VerifyWebhook(p.Header, p.Body, now.Add(6*time.Minute))),
		"from the future":     second(verifier.VerifyWebhook(p.Header, p.Body, now.Add(-6*time.Minute))),
		"another secret":      second(r.Verifier([]models.Secret{"guess"}).VerifyWebhook(p.Header, p.Body, now)),
		"no secret":           second(r.Verifier(nil).VerifyWebhook(p.Header, p.Body, now)),
	} {
		if !errors.Is(err, models.SignatureWrong) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func rotation(t *testing.T, r Reporter) {
	r.Disturb(t, sandbox.Order{Operation: "delivery", Effect: "bounce"})
	send(t, r.Subject, Example("m1"))
	p := r.Pushed.Next(t)
	for _, secret := range Secrets {
		if got, err := r.Verifier([]models.Secret{secret}).VerifyWebhook(p.Header, p.Body, time.Now()); err != nil || len(got) != 1 {
			t.Errorf("%v, %v", got, err)
		}
	}
}

func second(_ []models.MailEvent, err error) error { return err }

// next waits for a webhook and reads the one event that it holds.
func (r Reporter) next(t *testing.T) models.MailEvent {
	t.Helper()
	p := r.Pushed.Next(t)
	got, err := r.Verifier(Secrets[1:]).VerifyWebhook(p.Header, p.Body, time.Now())
	if err != nil || len(got) != 1 {
		t.Fatalf("%v, %v in %s", got, err, p.Body)
	}
	return got[0]
}
