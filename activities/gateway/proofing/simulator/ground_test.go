package simulator_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"tokendesk/activities/gateway/proofing"
	"tokendesk/activities/gateway/proofing/proofingtest"
	"tokendesk/activities/gateway/proofing/rest"
	"tokendesk/activities/gateway/proofing/simulator"
	"tokendesk/activities/gateway/proofing/wire"
	"tokendesk/activities/gateway/sandbox"
	"tokendesk/internal/testpg"
	"tokendesk/models"
)

// clock is the sandbox's, which only goes on when told.
type clock struct {
	mutex sync.Mutex
	now   time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.now = c.now.Add(d)
}

func open(t *testing.T, url string, config simulator.Config) (*sandbox.Store, *simulator.Simulator) {
	t.Helper()
	store, err := sandbox.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	office, err := simulator.New(t.Context(), store, config)
	if err != nil {
		t.Fatal(err)
	}
	return store, office
}

// overHTTP is the adapter on the simulator's API.
func overHTTP(t *testing.T, office *simulator.Simulator, key models.Secret) *rest.Gateway {
	t.Helper()
	server := httptest.NewServer(office.Handler())
	t.Cleanup(server.Close)
	return rest.New(rest.Config{URL: server.URL + "/sandbox/proofing", APIKey: key, WebhookSecrets: proofingtest.Secrets})
}

func give(t *testing.T, store *sandbox.Store, order sandbox.Order) {
	t.Helper()
	if _, err := store.Give(t.Context(), sandbox.Proofing, order); err != nil {
		t.Fatal(err)
	}
}

func pictures(t *testing.T, office *simulator.Simulator, ref string) {
	t.Helper()
	if _, err := office.TakePictures(t.Context(), ref); err != nil {
		t.Fatal(err)
	}
}

// right chooses by the rule that the simulator documents.
func right(q proofing.Question) string {
	for _, o := range q.Options {
		if strings.Contains(o.Text.Reveal(), "yes") {
			return o.ID
		}
	}
	return ""
}

func subject(store *sandbox.Store, office *simulator.Simulator, provider proofing.Provider, c *clock) proofingtest.Subject {
	return proofingtest.Subject{Provider: provider, Pass: c.pass, Now: c.Now, Right: right,
		Disturb:  func(t *testing.T, order sandbox.Order) { t.Helper(); give(t, store, order) },
		Pictures: func(t *testing.T, ref string) { t.Helper(); pictures(t, office, ref) },
		End: func(t *testing.T, ref string, outcome models.ProofingOutcome) {
			t.Helper()
			if _, err := office.End(t.Context(), ref, outcome); err != nil {
				t.Fatal(err)
			}
		}}
}

// PRF-2, PRF-3, PRF-4, OPS-2: the simulator, called in process.
func TestContractInProcess(t *testing.T) {
	proofingtest.Run(t, func(t *testing.T) proofingtest.Subject {
		c := newClock()
		store, office := open(t, testpg.Empty(t), simulator.Config{WebhookSecrets: proofingtest.Secrets, Now: c.Now})
		return subject(store, office, office, c)
	})
}

// PRF-2, PRF-3, PRF-4, OPS-2: the HTTP adapter, against the simulator's API.
func TestContractOfRESTAdapter(t *testing.T) {
	proofingtest.Run(t, func(t *testing.T) proofingtest.Subject {
		c := newClock()
		store, office := open(t, testpg.Empty(t), simulator.Config{APIKey: "key", Now: c.Now})
		return subject(store, office, overHTTP(t, office, "key"), c)
	})
}

// message is a webhook as it came.
type message struct {
	header http.Header
	body   []byte
	news   proofing.News
	kind   string
}

// receiver collects verified webhooks.
type receiver struct {
	messages chan message
	server   *httptest.Server
}

func receive(t *testing.T, secrets []models.Secret) receiver {
	t.Helper()
	provider := rest.New(rest.Config{WebhookSecrets: secrets})
	r := receiver{messages: make(chan message, 256)}
	r.server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, request *http.Request) {
		body, _ := io.ReadAll(request.Body)
		news, err := provider.ParseWebhook(request.Header, body, time.Now())
		if err != nil {
			t.Errorf("webhook: %v", err)
		}
		kind := ""
		for _, k := range []string{wire.SessionUpdated, wire.SessionEnded} {
			if strings.Contains(string(body), k) {
				kind = k
			}
		}
		r.messages <- message{request.Header.Clone(), body, news, kind}
	}))
	t.Cleanup(r.server.Close)
	return r
}

func (r receiver) next(t *testing.T) message {
	t.Helper()
	select {
	case m := <-r.messages:
		return m
	case <-time.After(10 * time.Second):
		t.Fatal("no webhook came")
		return message{}
	}
}

func run(t *testing.T, office *simulator.Simulator) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- office.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
}

func begin(t *testing.T, provider proofing.Provider, key, lastName string) proofing.Session {
	t.Helper()
	session, err := provider.Start(t.Context(), proofingtest.Applicant(key, lastName))
	if err != nil {
		t.Fatal(err)
	}
	return session
}

// waiting counts the webhooks that wait for a later time, and were not tried yet.
func waiting(t *testing.T, store *sandbox.Store) (n int) {
	t.Helper()
	err := store.Pool.QueryRow(t.Context(), `SELECT count(*) FROM sandbox.webhooks WHERE NOT delivered AND attempts = 0`).Scan(&n)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
