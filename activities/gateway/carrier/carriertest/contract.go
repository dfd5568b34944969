// Package carriertest is the contract of carrier gateways, as a test that every gateway passes.
package carriertest

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"tokendesk/activities/gateway/carrier"
	"tokendesk/activities/gateway/carrier/wire"
	"tokendesk/activities/gateway/sandbox"
	"tokendesk/activities/gateway/webhook"
	"tokendesk/models"
)

// Gateway is what the contract is about.
type Gateway interface {
	BuyLabel(ctx context.Context, r carrier.LabelRequest) (carrier.Label, error)
	VoidLabel(ctx context.Context, key, ref string) error
	Track(ctx context.Context, trackingNumber string) ([]carrier.Event, error)
	VerifyWebhook(header http.Header, body []byte, at time.Time) ([]carrier.Event, error)
}

// Secrets are the webhook secrets that a gateway under test must accept.
var Secrets = []models.Secret{"whsec_former", "whsec_current"}

// Subject is a gateway under test, on a carrier of its own whose parcels move only when told.
type Subject struct {
	Gateway Gateway
	Disturb func(t *testing.T, order sandbox.Order) // tells the carrier to misbehave
	Happen  func(t *testing.T, trackingNumber string, kind carrier.Kind, at time.Time) carrier.Event
}

var moment = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func request(key string) carrier.LabelRequest {
	return carrier.LabelRequest{IdempotencyKey: key, Reference: "sh_1/1", Service: carrier.Standard,
		To: models.Address{Name: "Zoë Müller", Line1: "Bahnhofstrasse 1", City: "Zürich", PostalCode: "8001", Country: "CH"}}
}

// Run proves the promises of package carrier on the gateways that open makes (SHP-1, SHP-2, OPS-2).
func Run(t *testing.T, open func(t *testing.T) Subject) {
	cases := []struct {
		name string
		test func(t *testing.T, s Subject)
	}{
		{"SHP-1 a label has a tracking number", buys},
		{"SHP-2 events are read, oldest first", tracks},
		{"SHP-2 webhooks are believed when signed", webhooks},
		{"a label is voided until its parcel moves", voids},
		{"bad requests", refuses},
		{"an address that cannot be reached", refusedAddress},
		{"OPS-2 a key works once", once},
		{"OPS-2 one key at the same time", atOnce},
		{"OPS-2 a lost answer is found again", lostAnswer},
		{"OPS-2 a failure leaves nothing behind", failure},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

func buys(t *testing.T, s Subject) {
	label := bought(t, s, "l/1")
	if label.Ref == "" || label.TrackingNumber == "" || label.Carrier == "" || !strings.HasSuffix(label.URL, ".pdf") {
		t.Fatalf("label: %+v", label)
	}
	expect(t, s, label, carrier.LabelCreated)
	plain := request("l/2")
	plain.Service = ""
	if _, err := s.Gateway.BuyLabel(t.Context(), plain); err != nil {
		t.Fatalf("without a service: %v", err)
	}
}

func tracks(t *testing.T, s Subject) {
	label := bought(t, s, "l/1")
	later := time.Now().UTC().Truncate(time.Microsecond).Add(time.Hour)
	delivered := s.Happen(t, label.TrackingNumber, carrier.Delivered, later.Add(3*time.Hour)) // told first
	s.Happen(t, label.TrackingNumber, carrier.InTransit, later.Add(time.Hour))
	s.Happen(t, label.TrackingNumber, carrier.Exception, later.Add(2*time.Hour))
	events := expect(t, s, label, carrier.LabelCreated, carrier.InTransit, carrier.Exception, carrier.Delivered)
	last := events[3]
	if last != delivered || !last.OccurredAt.Equal(later.Add(3*time.Hour)) {
		t.Fatalf("want %+v, got %+v", delivered, last)
	}
	other := bought(t, s, "l/2")
	for _, kind := range []carrier.Kind{carrier.Lost, carrier.Returned} {
		later = later.Add(time.Hour)
		s.Happen(t, other.TrackingNumber, kind, later)
	}
	expect(t, s, other, carrier.LabelCreated, carrier.Lost, carrier.Returned)
}

func webhooks(t *testing.T, s Subject) {
	body := []byte(`{"id":"evt_1","type":"tracker.updated","data":{"tracking_code":"SP1","events":[
		{"id":"te_1","status":"in_transit","occurred_at":"2026-05-04T10:00:00Z"},
		{"id":"te_2","status":"abducted","occurred_at":"2026-05-04T11:00:00Z"},
		{"id":"te_3","status":"return_to_sender","occurred_at":"2026-05-04T12:00:00Z"}]}}`)
	want := []carrier.Event{
		{ID: "te_1", TrackingNumber: "SP1", Kind: carrier.InTransit, OccurredAt: moment.Add(-2 * time.Hour)},
		{ID: "te_3", TrackingNumber: "SP1", Kind: carrier.Returned, OccurredAt: moment},
	}
	for _, secret := range Secrets {
		header := http.Header{}
		header.Set(wire.SignatureHeader, webhook.Sign([]models.Secret{secret}, body, moment))
		got, err := s.Gateway.VerifyWebhook(header, body, moment)
		if err != nil || len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
			t.Fatalf("want %+v, got %+v, %v", want, got, err)
		}
		_, err = s.Gateway.VerifyWebhook(header, body, moment.Add(6*time.Minute))
		wantFault(t, err, models.SignatureWrong)
		_, err = s.Gateway.VerifyWebhook(header, append(body, ' '), moment)
		wantFault(t, err, models.SignatureWrong)
	}
	_, err := s.Gateway.VerifyWebhook(http.Header{}, body, moment)
	wantFault(t, err, models.SignatureWrong)
	header := http.Header{}
	header.Set(wire.SignatureHeader, webhook.Sign(Secrets, []byte("[]"), moment))
	_, err = s.Gateway.VerifyWebhook(header, []byte("[]"), moment)
	wantFault(t, err, models.InvalidRequest)
}

func voids(t *testing.T, s Subject) {
	ctx := t.Context()
	label := bought(t, s, "l/1")
	for range 2 { // the second time by its key
		if err := s.Gateway.VoidLabel(ctx, "v/1", label.Ref); err != nil {
			t.Fatalf("void: %v", err)
		}
	}
	wantFault(t, s.Gateway.VoidLabel(ctx, "v/2", label.Ref), models.StateForbids)

	moving := bought(t, s, "l/2")
	s.Happen(t, moving.TrackingNumber, carrier.InTransit, time.Time{})
	wantFault(t, s.Gateway.VoidLabel(ctx, "v/3", moving.Ref), models.StateForbids)
	wantFault(t, s.Gateway.VoidLabel(ctx, "v/4", "lbl_unknown"), models.NoSuchThing)
	wantFault(t, s.Gateway.VoidLabel(ctx, "", moving.Ref), models.IdempotencyKeyMissing)
}

func refuses(t *testing.T, s Subject) {
	keyless, nameless, hasty := request(""), request("l/1"), request("l/2")
	nameless.Reference = ""
	hasty.Service = "teleport"
	for _, c := range []struct {
		request carrier.LabelRequest
		want    *models.FaultType
	}{{keyless, models.IdempotencyKeyMissing}, {nameless, models.InvalidRequest}, {hasty, models.InvalidRequest}} {
		_, err := s.Gateway.BuyLabel(t.Context(), c.request)
		wantFault(t, err, c.want)
	}
	for _, tracking := range []string{"SP999999999999CH", "a/b?c#d"} {
		_, err := s.Gateway.Track(t.Context(), tracking)
		wantFault(t, err, models.NoSuchThing)
	}
}

func refusedAddress(t *testing.T, s Subject) {
	incomplete := request("l/1")
	incomplete.To.City = ""
	_, err := s.Gateway.BuyLabel(t.Context(), incomplete)
	wantFault(t, err, carrier.AddressRefused)

	s.Disturb(t, sandbox.Order{Operation: "buy_label", Match: "sh_1/1", Effect: sandbox.Refuse})
	_, err = s.Gateway.BuyLabel(t.Context(), request("l/2"))
	wantFault(t, err, carrier.AddressRefused)
	if strings.Contains(err.Error(), "Bahnhof") {
		t.Fatalf("the error holds the address: %v", err)
	}
}

func once(t *testing.T, s Subject) {
	first, second := bought(t, s, "l/1"), bought(t, s, "l/1")
	if first != second {
		t.Fatalf("one key bought two labels: %+v, %+v", first, second)
	}
	elsewhere := request("l/1")
	elsewhere.To.Line1 = "Bahnhofstrasse 2"
	_, err := s.Gateway.BuyLabel(t.Context(), elsewhere)
	wantFault(t, err, models.IdempotencyKeyReused)
	if other := bought(t, s, "l/2"); other.TrackingNumber == first.TrackingNumber {
		t.Fatal("another key gave the first label")
	}
}

func atOnce(t *testing.T, s Subject) {
	const callers = 24 // more than there are connections
	numbers := make([]string, callers)
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			label, err := s.Gateway.BuyLabel(t.Context(), request("l/1"))
			if err != nil {
				t.Errorf("buy: %v", err)
			}
			numbers[i] = label.TrackingNumber
		})
	}
	all.Wait()
	for _, number := range numbers {
		if number != numbers[0] {
			t.Fatalf("one key bought several labels: %v", numbers)
		}
	}
}

func lostAnswer(t *testing.T, s Subject) {
	s.Disturb(t, sandbox.Order{Operation: "buy_label", Effect: sandbox.TimeOut, Delay: sandbox.Duration(time.Millisecond)})
	_, err := s.Gateway.BuyLabel(t.Context(), request("l/1"))
	wantFault(t, err, models.ServiceDown)
	label := bought(t, s, "l/1")
	expect(t, s, label, carrier.LabelCreated)
}

func failure(t *testing.T, s Subject) {
	s.Disturb(t, sandbox.Order{Operation: "buy_label", Effect: sandbox.Fail, Times: 2})
	for range 2 {
		_, err := s.Gateway.BuyLabel(t.Context(), request("l/1"))
		wantFault(t, err, models.ServiceDown)
	}
	bought(t, s, "l/1")
}

func bought(t *testing.T, s Subject, key string) carrier.Label {
	t.Helper()
	label, err := s.Gateway.BuyLabel(t.Context(), request(key))
	if err != nil {
		t.Fatalf("buy: %v", err)
	}
	return label
}

func expect(t *testing.T, s Subject, label carrier.Label, kinds ...carrier.Kind) []carrier.Event {
	t.Helper()
	events, err := s.Gateway.Track(t.Context(), label.TrackingNumber)
	if err != nil || len(events) != len(kinds) {
		t.Fatalf("want %v, got %+v, %v", kinds, events, err)
	}
	for i, kind := range kinds {
		e := events[i]
		if e.Kind != kind || e.TrackingNumber != label.TrackingNumber || e.ID == "" || e.OccurredAt.IsZero() {
			t.Fatalf("want %v, got %+v", kinds, events)
		}
	}
	return events
}

func wantFault(t *testing.T, err error, want *models.FaultType) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("want fault %s, got %v", want.Slug, err)
	}
}
