package simulator_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"tokendesk/activities/gateway/carrier"
	"tokendesk/activities/gateway/carrier/carriertest"
	"tokendesk/activities/gateway/carrier/rest"
	"tokendesk/activities/gateway/carrier/simulator"
	"tokendesk/activities/gateway/sandbox"
	"tokendesk/internal/testpg"
	"tokendesk/models"
)

func open(t *testing.T, url string, config simulator.Config) (*sandbox.Store, *simulator.Simulator) {
	t.Helper()
	store, err := sandbox.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	post, err := simulator.New(t.Context(), store, config)
	if err != nil {
		t.Fatal(err)
	}
	return store, post
}

func subject(store *sandbox.Store, post *simulator.Simulator, gateway carriertest.Gateway) carriertest.Subject {
	return carriertest.Subject{Gateway: gateway,
		Disturb: func(t *testing.T, order sandbox.Order) {
			t.Helper()
			if _, err := store.Give(t.Context(), sandbox.Carrier, order); err != nil {
				t.Fatal(err)
			}
		},
		Happen: func(t *testing.T, tracking string, kind carrier.Kind, at time.Time) carrier.Event {
			t.Helper()
			e, err := post.Happen(t.Context(), tracking, kind, at)
			if err != nil {
				t.Fatal(err)
			}
			return e
		}}
}

// SHP-1, SHP-2, OPS-2: the simulator, called in process.
func TestContractInProcess(t *testing.T) {
	carriertest.Run(t, func(t *testing.T) carriertest.Subject {
		store, post := open(t, testpg.Empty(t), simulator.Config{WebhookSecrets: carriertest.Secrets})
		return subject(store, post, post)
	})
}

// SHP-1, SHP-2, OPS-2: the HTTP adapter, against the simulator's API.
func TestContractOfRESTAdapter(t *testing.T) {
	carriertest.Run(t, func(t *testing.T) carriertest.Subject {
		store, post := open(t, testpg.Empty(t), simulator.Config{APIKey: "key"})
		server := httptest.NewServer(post.Handler())
		t.Cleanup(server.Close)
		gateway := rest.New(rest.Config{URL: server.URL + "/sandbox/carrier", APIKey: "key", WebhookSecrets: carriertest.Secrets})
		return subject(store, post, gateway)
	})
}

// receiver collects the events of verified webhooks.
type receiver struct {
	events chan carrier.Event
	server *httptest.Server
}

func receive(t *testing.T) receiver {
	t.Helper()
	gateway := rest.New(rest.Config{WebhookSecrets: carriertest.Secrets[1:]}) // has forgotten the former secret
	r := receiver{events: make(chan carrier.Event, 256)}
	r.server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, request *http.Request) {
		body, _ := io.ReadAll(request.Body)
		events, err := gateway.VerifyWebhook(request.Header, body, time.Now())
		if err != nil {
			t.Errorf("webhook: %v", err)
		}
		for _, e := range events {
			r.events <- e
		}
	}))
	t.Cleanup(r.server.Close)
	return r
}

func (r receiver) next(t *testing.T) carrier.Event {
	t.Helper()
	select {
	case e := <-r.events:
		return e
	case <-time.After(10 * time.Second):
		t.Fatal("no webhook came")
		return carrier.Event{}
	}
}

func run(t *testing.T, post *simulator.Simulator) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- post.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
}

func buy(t *testing.T, post *simulator.Simulator, reference string) carrier.Label {
	t.Helper()
	label, err := post.BuyLabel(t.Context(), carrier.LabelRequest{IdempotencyKey: reference, Reference: reference,
		To: models.Address{Name: "Ann", Line1: "Main Street 1", City: "Springfield", PostalCode: "12345", Country: "US"}})
	if err != nil {
		t.Fatal(err)
	}
	return label
}

// SHP-2: events may repeat and overtake each other; a parcel may be lost, come back, or not move at all.
func TestJourneysAsTold(t *testing.T) {
	cases := []struct {
		name    string
		order   sandbox.Order
		want    []carrier.Kind
		waiting int // webhooks that are not to come soon
	}{
		{"by itself", sandbox.Order{}, []carrier.Kind{carrier.Delivered, carrier.InTransit}, 0},
		{"lost", sandbox.Order{Operation: "parcel", Effect: sandbox.Lose}, []carrier.Kind{carrier.InTransit, carrier.Lost}, 0},
		{"returned", sandbox.Order{Operation: "parcel", Effect: sandbox.Return}, []carrier.Kind{carrier.InTransit, carrier.Returned}, 0},
		{"repeated", sandbox.Order{Operation: "webhook", Match: "in_transit", Effect: sandbox.Repeat}, []carrier.Kind{carrier.Delivered, carrier.InTransit, carrier.InTransit}, 0},
		{"overtaken", sandbox.Order{Operation: "webhook", Match: "in_transit", Effect: sandbox.Reorder}, []carrier.Kind{carrier.Delivered, carrier.InTransit}, 0},
		{"late", sandbox.Order{Operation: "webhook", Match: "in_transit", Effect: sandbox.Late, Delay: sandbox.Duration(time.Hour)}, []carrier.Kind{carrier.Delivered}, 1},
		{"never told", sandbox.Order{Operation: "webhook", Match: "in_transit", Effect: sandbox.Swallow}, []carrier.Kind{carrier.Delivered}, 0},
		{"held", sandbox.Order{Operation: "parcel", Effect: sandbox.Hold}, nil, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := receive(t)
			store, post := open(t, testpg.Empty(t), simulator.Config{WebhookURL: r.server.URL, WebhookSecrets: carriertest.Secrets, Automatic: true})
			run(t, post)
			if c.order.Effect != "" {
				if _, err := store.Give(t.Context(), sandbox.Carrier, c.order); err != nil {
					t.Fatal(err)
				}
			}
			label := buy(t, post, "sh_1/1")
			var got []carrier.Kind
			for range c.want {
				e := r.next(t)
				if e.TrackingNumber != label.TrackingNumber {
					t.Fatalf("event: %+v", e)
				}
				got = append(got, e.Kind)
			}
			if c.order.Effect != sandbox.Reorder { // the others may run side by side
				slices.Sort(got)
			}
			if !slices.Equal(got, c.want) {
				t.Fatalf("want %v, got %v", c.want, got)
			}
			if n := notDue(t, store); n != c.waiting {
				t.Fatalf("want %d webhooks waiting, got %d", c.waiting, n)
			}
		})
	}
}

// notDue counts the webhooks that wait for a later time, and were not tried yet.
func notDue(t *testing.T, store *sandbox.Store) (n int) {
	t.Helper()
	err := store.Pool.QueryRow(t.Context(), `SELECT count(*) FROM sandbox.webhooks WHERE NOT delivered AND attempts = 0`).Scan(&n)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A parcel that is told what happens no longer travels by itself, and one that is held never does.
func TestToldParcelsDoNotTravelByThemselves(t *testing.T) {
	r := receive(t)
	store, post := open(t, testpg.Empty(t), simulator.Config{WebhookURL: r.server.URL, WebhookSecrets: carriertest.Secrets,
		Automatic: true, InTransitAfter: time.Hour, DeliveredAfter: 2 * time.Hour})
	run(t, post)
	told := buy(t, post, "sh_1/1")
	if _, err := post.Happen(t.Context(), told.TrackingNumber, carrier.Lost, time.Time{}); err != nil {
		t.Fatal(err)
	}
	if e := r.next(t); e.Kind != carrier.Lost {
		t.Fatalf("event: %+v", e)
	}
	voided := buy(t, post, "sh_2/1")
	if err := post.VoidLabel(t.Context(), "v/1", voided.Ref); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Give(t.Context(), sandbox.Carrier, sandbox.Order{Operation: "parcel", Effect: sandbox.Hold}); err != nil {
		t.Fatal(err)
	}
	buy(t, post, "sh_3/1")
	if n := notDue(t, store); n != 0 {
		t.Fatalf("%d webhooks would still come", n)
	}
	for _, label := range []carrier.Label{told, voided} {
		var waiting int
		err := store.Pool.QueryRow(t.Context(), `SELECT count(*) FROM sandbox.parcel_events WHERE tracking = $1 AND due > clock_timestamp()`,
			label.TrackingNumber).Scan(&waiting)
		if err != nil || waiting != 0 {
			t.Fatalf("%d things would still happen, %v", waiting, err)
		}
	}
}

// OPS-2: parcels travel on after the process was killed, and no label is bought twice.
func TestSurvivesRestart(t *testing.T) {
	r := receive(t)
	url := testpg.Empty(t)
	config := simulator.Config{WebhookURL: r.server.URL, WebhookSecrets: carriertest.Secrets, Automatic: true}
	_, before := open(t, url, config) // never runs: as if killed before it pushed
	label := buy(t, before, "sh_1/1")
	_, after := open(t, url, config)
	if again := buy(t, after, "sh_1/1"); again != label {
		t.Fatalf("bought twice: %+v, %+v", label, again)
	}
	run(t, after)
	kinds := map[carrier.Kind]bool{r.next(t).Kind: true, r.next(t).Kind: true}
	if !kinds[carrier.InTransit] || !kinds[carrier.Delivered] {
		t.Fatalf("told: %v", kinds)
	}
}

// Dates follow the sandbox's clock.
func TestFollowsTheClock(t *testing.T) {
	now := time.Date(2031, 1, 2, 3, 4, 5, 0, time.UTC)
	_, post := open(t, testpg.Empty(t), simulator.Config{Now: func() time.Time { return now }})
	label := buy(t, post, "sh_1/1")
	now = now.AddDate(0, 0, 4)
	if _, err := post.Happen(t.Context(), label.TrackingNumber, carrier.Delivered, time.Time{}); err != nil {
		t.Fatal(err)
	}
	events, err := post.Track(t.Context(), label.TrackingNumber)
	if err != nil || len(events) != 2 || !events[1].OccurredAt.Equal(now) || !events[0].OccurredAt.Equal(now.AddDate(0, 0, -4)) {
		t.Fatalf("%+v, %v", events, err)
	}
}

// People and tests steer the carrier over HTTP.
func TestControl(t *testing.T) {
	_, post := open(t, testpg.Empty(t), simulator.Config{PublicURL: "http://127.0.0.1:8080", APIKey: "key"})
	label := buy(t, post, "sh_1/1")
	parcels := "/sandbox/carrier/parcels/"
	for _, c := range []struct {
		name, method, path, body string
		code                     int
		holds                    string
	}{
		{"list", http.MethodGet, "/sandbox/carrier/parcels?reference=sh_1/1", "", 200, label.TrackingNumber},
		{"list of another", http.MethodGet, "/sandbox/carrier/parcels?reference=sh_2/1", "", 200, `"parcels":[]`},
		{"delivered", http.MethodPost, parcels + label.TrackingNumber + "/events", `{"kind":"delivered"}`, 201, `"kind":"delivered"`},
		{"returned, dated", http.MethodPost, parcels + label.TrackingNumber + "/events", `{"kind":"returned","occurred_at":"2099-01-01T00:00:00Z"}`, 201, "2099-01-01"},
		{"parcel", http.MethodGet, parcels + label.TrackingNumber, "", 200, `"status":"returned"`},
		{"unknown kind", http.MethodPost, parcels + label.TrackingNumber + "/events", `{"kind":"abducted"}`, 400, "invalid-request"},
		{"unknown field", http.MethodPost, parcels + label.TrackingNumber + "/events", `{"sort":"delivered"}`, 400, "invalid-request"},
		{"unknown parcel", http.MethodPost, parcels + "SP0/events", `{"kind":"delivered"}`, 404, "not-found"},
		{"no such parcel", http.MethodGet, parcels + "SP0", "", 404, "not-found"},
		{"label", http.MethodGet, strings.TrimPrefix(label.URL, "http://127.0.0.1:8080"), "", 200, "%PDF-"},
		{"no such label", http.MethodGet, "/sandbox/carrier/labels/SP0.pdf", "", 404, "not-found"},
		{"order", http.MethodPost, "/sandbox/carrier/orders", `{"operation":"parcel","effect":"lose","match":"sh_9/1"}`, 201, `"effect":"lose"`},
		{"order that nobody obeys", http.MethodPost, "/sandbox/carrier/orders", `{"operation":"parcel","effect":"fail"}`, 400, "invalid-request"},
		{"API without its key", http.MethodGet, "/sandbox/carrier/v1/trackers/" + label.TrackingNumber, "", 401, "unauthenticated"},
	} {
		t.Run(c.name, func(t *testing.T) {
			request := httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))
			request.Header.Set("Content-Type", "application/json")
			answer := httptest.NewRecorder()
			post.Handler().ServeHTTP(answer, request)
			if answer.Code != c.code || !strings.Contains(answer.Body.String(), c.holds) {
				t.Fatalf("want %d with %s, got %d %s", c.code, c.holds, answer.Code, answer.Body)
			}
		})
	}
	var list struct{ Parcels []simulator.Parcel }
	request := httptest.NewRequest(http.MethodGet, "/sandbox/carrier/parcels", nil)
	answer := httptest.NewRecorder()
	post.Handler().ServeHTTP(answer, request)
	if err := json.Unmarshal(answer.Body.Bytes(), &list); err != nil || len(list.Parcels) != 1 || list.Parcels[0].To.City != "Springfield" {
		t.Fatalf("%s", answer.Body)
	}
}
