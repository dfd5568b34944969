package simulator_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tokendesk/activities/gateway/payment"
	"tokendesk/activities/gateway/payment/paymenttest"
	"tokendesk/activities/gateway/payment/simulator"
	"tokendesk/activities/gateway/payment/stripe"
	"tokendesk/activities/gateway/sandbox"
	"tokendesk/internal/testpg"
	"tokendesk/models"
)

var secrets = []models.Secret{"whsec_test"}

func open(t *testing.T, url string, config simulator.Config) (*sandbox.Store, *simulator.Simulator) {
	t.Helper()
	store, err := sandbox.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	processor, err := simulator.New(t.Context(), store, config)
	if err != nil {
		t.Fatal(err)
	}
	return store, processor
}

func disturber(store *sandbox.Store) func(*testing.T, sandbox.Order) {
	return func(t *testing.T, order sandbox.Order) {
		t.Helper()
		if _, err := store.Give(t.Context(), sandbox.Payments, order); err != nil {
			t.Fatal(err)
		}
	}
}

// ORD-2, OPS-2: the simulator, called in process.
func TestContractInProcess(t *testing.T) {
	paymenttest.Run(t, func(t *testing.T) paymenttest.Subject {
		store, processor := open(t, testpg.Empty(t), simulator.Config{})
		return paymenttest.Subject{Gateway: processor, Disturb: disturber(store)}
	})
}

// ORD-2, OPS-2: the stripe adapter, against the simulator's part of Stripe's API.
func TestContractOfStripeAdapter(t *testing.T) {
	paymenttest.Run(t, func(t *testing.T) paymenttest.Subject {
		store, processor := open(t, testpg.Empty(t), simulator.Config{APIKey: "sk_test_sandbox"})
		server := httptest.NewServer(processor.StripeAPI())
		t.Cleanup(server.Close)
		gateway := stripe.New(stripe.Config{APIKey: "sk_test_sandbox", URL: server.URL})
		return paymenttest.Subject{Gateway: gateway, Disturb: disturber(store)}
	})
}

// receiver collects verified webhooks, and refuses the first few where told to.
type receiver struct {
	events chan payment.Event
	server *httptest.Server
}

func receive(t *testing.T, gateway func() *simulator.Simulator, refuse int) receiver {
	t.Helper()
	r := receiver{events: make(chan payment.Event, 64)}
	refusals := make(chan struct{}, refuse)
	for range refuse {
		refusals <- struct{}{}
	}
	r.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		select {
		case <-refusals:
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		default:
		}
		body, _ := io.ReadAll(request.Body)
		event, err := gateway().VerifyWebhook(request.Header, body, time.Now())
		if err != nil {
			t.Errorf("webhook: %v", err)
		}
		r.events <- event
	}))
	t.Cleanup(r.server.Close)
	return r
}

func (r receiver) next(t *testing.T) payment.Event {
	t.Helper()
	select {
	case e := <-r.events:
		return e
	case <-time.After(10 * time.Second):
		t.Fatal("no webhook came")
		return payment.Event{}
	}
}

func run(t *testing.T, processor *simulator.Simulator) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- processor.Run(ctx) }()
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			cancel()
			if err := <-done; err != nil {
				t.Errorf("run: %v", err)
			}
		}
	}
	t.Cleanup(stop)
	return stop
}

func authorize(t *testing.T, processor *simulator.Simulator, key string) payment.Charge {
	t.Helper()
	charge, err := processor.Authorize(t.Context(), payment.AuthorizeRequest{IdempotencyKey: key,
		Amount: models.Money{Minor: 100, Currency: models.USD}, PaymentMethod: "pm_card_visa", OrderNumber: "SO-" + key})
	if err != nil {
		t.Fatal(err)
	}
	return charge
}

// Webhooks may repeat, come late, overtake each other or never come, as told.
func TestWebhooksAsTold(t *testing.T) {
	cases := []struct {
		name  string
		order sandbox.Order
		early int   // how many events come before the second charge is made
		want  []int // the charges, in the sequence of their events
	}{
		{"as they happen", sandbox.Order{}, 1, []int{0, 1}},
		{"repeat", sandbox.Order{Effect: sandbox.Repeat, Match: "SO-0"}, 2, []int{0, 0, 1}},
		{"reorder", sandbox.Order{Effect: sandbox.Reorder, Match: "SO-0"}, 0, []int{1, 0}},
		{"late", sandbox.Order{Effect: sandbox.Late, Match: "SO-0", Delay: sandbox.Duration(time.Hour)}, 0, []int{1}},
		{"swallow", sandbox.Order{Effect: sandbox.Swallow, Match: "SO-0"}, 0, []int{1}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var processor *simulator.Simulator
			r := receive(t, func() *simulator.Simulator { return processor }, 0)
			store, processor := open(t, testpg.Empty(t), simulator.Config{WebhookURL: r.server.URL, WebhookSecrets: secrets})
			run(t, processor)
			if c.order.Effect != "" {
				c.order.Operation = "webhook"
				disturber(store)(t, c.order)
			}
			var got []string
			charges := []string{authorize(t, processor, "0").Ref}
			for len(got) < c.early {
				got = append(got, r.next(t).Ref)
			}
			charges = append(charges, authorize(t, processor, "1").Ref)
			for len(got) < len(c.want) {
				got = append(got, r.next(t).Ref)
			}
			for i, n := range c.want {
				if got[i] != charges[n] {
					t.Fatalf("want %v of %v, got %v", c.want, charges, got)
				}
			}
		})
	}
}

// OPS-2: what was charged, answered and not yet pushed survives the process.
func TestSurvivesRestart(t *testing.T) {
	var processor *simulator.Simulator
	r := receive(t, func() *simulator.Simulator { return processor }, 2)
	url := testpg.Empty(t)
	config := simulator.Config{WebhookURL: r.server.URL, WebhookSecrets: secrets}
	_, before := open(t, url, config) // never runs: as if killed before it pushed
	first := authorize(t, before, "1")

	_, processor = open(t, url, config)
	if again := authorize(t, processor, "1"); again.Ref != first.Ref {
		t.Fatalf("charged twice: %s, %s", first.Ref, again.Ref)
	}
	charges, err := processor.Charges(t.Context(), "SO-1")
	if err != nil || len(charges) != 1 {
		t.Fatalf("want one charge, got %+v, %v", charges, err)
	}
	run(t, processor)
	if event := r.next(t); event.Ref != first.Ref || event.Kind != payment.ChargeChanged { // after two refusals
		t.Fatalf("event: %+v", event)
	}
}

// ORD-2: the buyer confirms with the bank, or fails to.
func TestAuthenticate(t *testing.T) {
	_, processor := open(t, testpg.Empty(t), simulator.Config{})
	for name, c := range map[string]struct {
		body string
		want payment.Status
	}{
		"confirms": {`{"succeeds":true}`, payment.Authorized},
		"fails":    {`{"succeeds":false}`, payment.Declined},
	} {
		t.Run(name, func(t *testing.T) {
			charge, err := processor.Authorize(t.Context(), payment.AuthorizeRequest{IdempotencyKey: name,
				Amount: models.Money{Minor: 100, Currency: models.USD}, PaymentMethod: "pm_card_authenticationRequired", OrderNumber: "SO-1"})
			if err != nil {
				t.Fatal(err)
			}
			path := "/sandbox/payments/charges/" + charge.Ref + "/authenticate"
			if got := call(t, processor, http.MethodPost, path, c.body); got.Code != http.StatusOK {
				t.Fatalf("authenticate: %d %s", got.Code, got.Body)
			}
			got, err := processor.Fetch(t.Context(), charge.Ref)
			if err != nil || got.Status != c.want {
				t.Fatalf("want %s, got %+v, %v", c.want, got, err)
			}
			if got := call(t, processor, http.MethodPost, path, c.body); got.Code != http.StatusConflict {
				t.Fatalf("twice: %d %s", got.Code, got.Body)
			}
		})
	}
}

// The sandbox's control answers what it cannot do with a 4xx.
func TestControl(t *testing.T) {
	_, processor := open(t, testpg.Empty(t), simulator.Config{})
	const orders = "/sandbox/payments/orders"
	for _, c := range []struct {
		name, method, path, body string
		want                     int
	}{
		{"give", http.MethodPost, orders, `{"operation":"capture","effect":"time_out","times":2,"delay":"5ms"}`, http.StatusCreated},
		{"give for any operation", http.MethodPost, orders, `{"effect":"slow"}`, http.StatusCreated},
		{"unknown operation", http.MethodPost, orders, `{"operation":"steal","effect":"fail"}`, http.StatusBadRequest},
		{"unknown effect", http.MethodPost, orders, `{"operation":"capture","effect":"explode"}`, http.StatusBadRequest},
		{"unknown field", http.MethodPost, orders, `{"effect":"fail","often":true}`, http.StatusBadRequest},
		{"bad delay", http.MethodPost, orders, `{"effect":"slow","delay":"soon"}`, http.StatusBadRequest},
		{"not JSON", http.MethodPost, orders, `fail`, http.StatusBadRequest},
		{"list", http.MethodGet, orders, "", http.StatusOK},
		{"forget", http.MethodDelete, orders, "", http.StatusOK},
		{"charges", http.MethodGet, "/sandbox/payments/charges?order=SO-1", "", http.StatusOK},
		{"no such charge", http.MethodGet, "/sandbox/payments/charges/pi_none", "", http.StatusNotFound},
		{"no such path", http.MethodGet, "/sandbox/payments/", "", http.StatusNotFound},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := call(t, processor, c.method, c.path, c.body)
			if got.Code != c.want {
				t.Fatalf("want %d, got %d %s", c.want, got.Code, got.Body)
			}
			if c.name == "list" {
				var listed struct{ Orders []sandbox.Order }
				if err := json.Unmarshal(got.Body.Bytes(), &listed); err != nil || len(listed.Orders) != 2 || listed.Orders[0].Times != 2 {
					t.Fatalf("listed: %s", got.Body)
				}
			}
		})
	}
}

func call(t *testing.T, processor *simulator.Simulator, method, path, body string) *httptest.ResponseRecorder {
	t.Helper()
	request := httptest.NewRequest(method, path, strings.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	answer := httptest.NewRecorder()
	processor.Handler().ServeHTTP(answer, request)
	return answer
}
