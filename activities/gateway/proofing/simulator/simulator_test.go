package simulator_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"tokendesk/activities/gateway/proofing"
	"tokendesk/activities/gateway/proofing/proofingtest"
	"tokendesk/activities/gateway/proofing/rest"
	"tokendesk/activities/gateway/proofing/simulator"
	"tokendesk/activities/gateway/proofing/wire"
	"tokendesk/activities/gateway/sandbox"
	"tokendesk/internal/seal"
	"tokendesk/internal/testpg"
	"tokendesk/models"
)

const updated, ended = wire.SessionUpdated, wire.SessionEnded

// PRF-3: webhooks may repeat, overtake each other, come late or never; what is fetched is right each time.
func TestWebhooksAsTold(t *testing.T) {
	cases := []struct {
		name    string
		person  string
		order   sandbox.Order
		want    []string // in this order
		waiting int      // webhooks that are not to come soon
	}{
		{"by itself", "Passes", sandbox.Order{}, []string{ended}, 0},
		{"twice, by name", "Repeats", sandbox.Order{}, []string{ended, ended}, 0},
		{"out of order, by name", "Disorder", sandbox.Order{}, []string{ended, updated}, 0},
		{"unreadable", "Unreadable", sandbox.Order{}, []string{updated, ended}, 0},
		{"slow", "Slow", sandbox.Order{}, []string{updated}, 1},
		{"timed out", "Timeout", sandbox.Order{}, []string{updated}, 1},
		{"repeated", "Passes", sandbox.Order{Operation: "webhook", Match: "pc_k", Effect: sandbox.Repeat}, []string{ended, ended}, 0},
		{"overtaken", "Unreadable", sandbox.Order{Operation: "webhook", Match: updated, Effect: sandbox.Reorder}, []string{ended, updated}, 0},
		{"late", "Unreadable", sandbox.Order{Operation: "webhook", Match: ended, Effect: sandbox.Late, Delay: sandbox.Duration(time.Hour)}, []string{updated}, 1},
		{"never told", "Passes", sandbox.Order{Operation: "webhook", Effect: sandbox.Swallow}, nil, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := receive(t, proofingtest.Secrets[1:]) // has forgotten the former secret
			store, office := open(t, testpg.Empty(t), simulator.Config{WebhookURL: r.server.URL, WebhookSecrets: proofingtest.Secrets})
			if c.order.Effect != "" {
				give(t, store, c.order)
			}
			run(t, office)
			session := begin(t, office, "k", c.person)
			pictures(t, office, session.Ref)
			var got []string
			if c.person == "Unreadable" {
				if c.order.Effect != sandbox.Reorder { // or the first would not come before the second
					got = append(got, r.next(t).kind)
				}
				pictures(t, office, session.Ref)
			}
			events := map[string]bool{}
			for len(got) < len(c.want) {
				m := r.next(t)
				if m.news.Ref != session.Ref || m.news.EventID == "" {
					t.Fatalf("news: %+v", m.news)
				}
				got = append(got, m.kind)
				events[m.news.EventID] = true
			}
			if !slices.Equal(got, c.want) {
				t.Fatalf("want %v, got %v", c.want, got)
			}
			if repeated := len(got) == 2 && got[0] == got[1]; repeated && len(events) != 1 {
				t.Fatalf("a repeated webhook has ids %v", events)
			}
			if n := waiting(t, store); n != c.waiting {
				t.Fatalf("want %d webhooks waiting, got %d", c.waiting, n)
			}
		})
	}
}

// PRF-3: secrets rotate without a gap, whoever goes first; what was taken once is not believed again later.
func TestWebhooksWhileSecretsRotate(t *testing.T) {
	former, current, next := proofingtest.Secrets[0], proofingtest.Secrets[1], models.Secret("whsec_next")
	for name, c := range map[string]struct{ sender, receiver []models.Secret }{
		"before":             {[]models.Secret{former}, []models.Secret{former}},
		"the receiver first": {[]models.Secret{former}, []models.Secret{former, current}},
		"the sender first":   {[]models.Secret{former, current}, []models.Secret{former}},
		"both":               {[]models.Secret{former, current}, []models.Secret{current, next}},
		"after":              {[]models.Secret{current}, []models.Secret{current}},
	} {
		t.Run(name, func(t *testing.T) {
			r := receive(t, c.receiver)
			_, office := open(t, testpg.Empty(t), simulator.Config{WebhookURL: r.server.URL, WebhookSecrets: c.sender})
			run(t, office)
			session := begin(t, office, "k", "Unlocated")
			m := r.next(t)
			if m.news.Ref != session.Ref {
				t.Fatalf("news: %+v", m.news)
			}
			receiver := rest.New(rest.Config{WebhookSecrets: c.receiver})
			if again, err := receiver.ParseWebhook(m.header, m.body, time.Now()); err != nil || again != m.news {
				t.Fatalf("replayed at once it is known by its id: %+v, %v", again, err)
			}
			stranger := rest.New(rest.Config{WebhookSecrets: []models.Secret{"whsec_other"}})
			for _, no := range []func() (proofing.News, error){
				func() (proofing.News, error) {
					return receiver.ParseWebhook(m.header, m.body, time.Now().Add(6*time.Minute))
				},
				func() (proofing.News, error) { return stranger.ParseWebhook(m.header, m.body, time.Now()) },
				func() (proofing.News, error) {
					return rest.New(rest.Config{}).ParseWebhook(m.header, m.body, time.Now())
				},
			} {
				if news, err := no(); !errors.Is(err, models.SignatureWrong) || news != (proofing.News{}) {
					t.Fatalf("%+v, %v", news, err)
				}
			}
		})
	}
}

// What is due by the sandbox's clock is told when it is due, and what will not happen is not told.
func TestWebhooksFollowTheClock(t *testing.T) {
	r := receive(t, proofingtest.Secrets)
	c := newClock()
	store, office := open(t, testpg.Empty(t), simulator.Config{WebhookURL: r.server.URL, WebhookSecrets: proofingtest.Secrets, Now: c.Now})
	run(t, office)
	waits, told, cancelled, quiz, lapsed := begin(t, office, "waits", "Timeout"), begin(t, office, "told", "Timeout"), begin(t, office, "cancelled", "Timeout"),
		begin(t, office, "quiz", "Asked"), begin(t, office, "lapsed", "Asked")
	if err := office.Cancel(t.Context(), cancelled.Ref); err != nil {
		t.Fatal(err)
	}
	if _, err := office.End(t.Context(), told.Ref, models.OutcomeLocated); err != nil {
		t.Fatal(err)
	}
	if m := r.next(t); m.news.Ref != told.Ref {
		t.Fatalf("news: %+v", m.news)
	}
	for range proofingtest.Identity.Limits.Attempts {
		for _, s := range []proofing.Session{quiz, lapsed} {
			if _, err := office.Questions(t.Context(), s.Ref); err != nil {
				t.Fatal(err)
			}
		}
		c.pass(5 * time.Minute) // past the time of the last set too
		office.Wake()
	}
	// Both have run out of sets. Fifteen minutes have passed: half the time of the session that is to time out.
	refs := []string{r.next(t).news.Ref, r.next(t).news.Ref}
	if !slices.Contains(refs, quiz.Ref) || !slices.Contains(refs, lapsed.Ref) {
		t.Fatalf("told of %v", refs)
	}
	if n := waiting(t, store); n != 1 {
		t.Fatalf("%d webhooks wait", n)
	}
	c.pass(15 * time.Minute)
	office.Wake()
	if m := r.next(t); m.news.Ref != waits.Ref || m.kind != ended {
		t.Fatalf("news: %+v", m.news)
	}
	session, err := office.Fetch(t.Context(), waits.Ref)
	if err != nil || session.Outcome == nil || *session.Outcome != models.OutcomeTimedOut {
		t.Fatalf("%+v, %v", session, err)
	}
}

// A last set that is answered rightly ends nothing when its time is over.
func TestRightAnswersToTheLastSetStop(t *testing.T) {
	c := newClock()
	r := receive(t, proofingtest.Secrets)
	store, office := open(t, testpg.Empty(t), simulator.Config{WebhookURL: r.server.URL, WebhookSecrets: proofingtest.Secrets, Now: c.Now})
	a := proofingtest.Applicant("k", "Asked")
	a.Limits.Attempts = 1
	session, err := office.Start(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	set, err := office.Questions(t.Context(), session.Ref)
	if err != nil {
		t.Fatal(err)
	}
	if n := waiting(t, store); n != 1 {
		t.Fatalf("%d webhooks wait", n)
	}
	answers := map[string]string{}
	for _, q := range set.Questions {
		answers[q.ID] = right(q)
	}
	if _, err := office.Answer(t.Context(), session.Ref, set.ID, answers); err != nil {
		t.Fatal(err)
	}
	if n := waiting(t, store); n != 0 {
		t.Fatalf("%d webhooks wait", n)
	}
}

// OPS-2: another process on the same keys goes on where a killed one was, and begins no second session.
func TestSurvivesRestart(t *testing.T) {
	keyring, err := seal.Generate()
	if err != nil {
		t.Fatal(err)
	}
	r := receive(t, proofingtest.Secrets)
	url := testpg.Empty(t)
	config := simulator.Config{WebhookURL: r.server.URL, WebhookSecrets: proofingtest.Secrets, Keyring: keyring}
	_, before := open(t, url, config) // never runs: as if killed before it pushed
	session := begin(t, before, "k", "Located")
	if _, err := before.End(t.Context(), session.Ref, ""); err != nil {
		t.Fatal(err)
	}
	_, after := open(t, url, config)
	if again := begin(t, after, "k", "Located"); again.Ref != session.Ref || again.Phase != models.SessionEnded {
		t.Fatalf("%+v", again)
	}
	other := proofingtest.Applicant("k", "Located")
	other.BirthDate = "1990-01-01"
	if _, err := after.Start(t.Context(), other); !errors.Is(err, models.IdempotencyKeyReused) {
		t.Fatalf("somebody else under the key: %v", err)
	}
	if address, err := after.Located(t.Context(), session.Ref); err != nil || address != other.Address {
		t.Fatalf("%v", err)
	}
	run(t, after)
	if m := r.next(t); m.news.Ref != session.Ref {
		t.Fatalf("news: %+v", m.news)
	}
}

// People and tests steer the provider over HTTP, and other sites do not.
func TestControl(t *testing.T) {
	_, office := open(t, testpg.Empty(t), simulator.Config{APIKey: "key"})
	ann, bob, eve := begin(t, office, "ann", "Passes"), begin(t, office, "bob", "Slow"), begin(t, office, "eve", "Passes")
	sessions := "/sandbox/proofing/sessions/"
	for _, c := range []struct {
		name, method, path, body, accept string
		code                             int
		holds                            string
	}{
		{"list", http.MethodGet, "/sandbox/proofing/sessions?reference=pc_ann", "", "application/json", 200, ann.Ref},
		{"list of another", http.MethodGet, "/sandbox/proofing/sessions?reference=pc_0", "", "application/json", 200, `"sessions":[]`},
		{"page of all", http.MethodGet, "/sandbox/proofing/", "", "text/html", 200, sessions + bob.Ref},
		{"page of one", http.MethodGet, sessions + ann.Ref, "", "text/html", 200, "Take the pictures"},
		{"no such session", http.MethodGet, sessions + "idv_0", "", "text/html", 404, "not-found"},
		{"pictures by a button", http.MethodPost, sessions + ann.Ref + "/pictures", "", "text/html", 303, ""},
		{"pictures again", http.MethodPost, sessions + ann.Ref + "/pictures", "", "text/html", 409, "state"},
		{"pictures by a program", http.MethodPost, sessions + bob.Ref + "/pictures", "", "application/json", 200, `"phase":"checking"`},
		{"page of a check", http.MethodGet, sessions + bob.Ref, "", "text/html", 200, "Finish the check now"},
		{"end", http.MethodPost, sessions + bob.Ref + "/end", "", "application/json", 200, `"outcome":"verified"`},
		{"end again", http.MethodPost, sessions + bob.Ref + "/end", "", "application/json", 409, "state"},
		{"unknown outcome", http.MethodPost, sessions + eve.Ref + "/outcome", `{"outcome":"abducted"}`, "", 400, "invalid-request"},
		{"no outcome", http.MethodPost, sessions + eve.Ref + "/outcome", `{}`, "", 400, "invalid-request"},
		{"an outcome", http.MethodPost, sessions + eve.Ref + "/outcome", `{"outcome":"not_located"}`, "", 200, `"outcome":"not_located"`},
		{"end of nobody", http.MethodPost, sessions + "idv_0/end", "", "application/json", 404, "not-found"},
		{"order", http.MethodPost, "/sandbox/proofing/orders", `{"operation":"start","effect":"fail","times":3}`, "", 201, `"times":3`},
		{"order that nobody obeys", http.MethodPost, "/sandbox/proofing/orders", `{"operation":"start","effect":"lose"}`, "", 400, "invalid-request"},
		{"API without its key", http.MethodGet, "/sandbox/proofing/v1/sessions/" + ann.Ref, "", "", 401, "unauthenticated"},
	} {
		t.Run(c.name, func(t *testing.T) {
			request := httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))
			if c.body != "" {
				request.Header.Set("Content-Type", "application/json")
			}
			request.Header.Set("Accept", c.accept)
			given := httptest.NewRecorder()
			office.Handler().ServeHTTP(given, request)
			if given.Code != c.code || !strings.Contains(given.Body.String(), c.holds) {
				t.Fatalf("want %d with %s, got %d %s", c.code, c.holds, given.Code, given.Body)
			}
		})
	}
	request := httptest.NewRequest(http.MethodPost, sessions+bob.Ref+"/end", nil)
	request.Header.Set("Sec-Fetch-Site", "cross-site")
	given := httptest.NewRecorder()
	office.Handler().ServeHTTP(given, request)
	if given.Code != http.StatusBadRequest {
		t.Fatalf("another site: %d %s", given.Code, given.Body)
	}
}
