package store_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"tokendesk/internal/documents"
	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
)

// stocked is a database with shipments that have nothing yet, and tokens for them.
func stocked(t *testing.T, shipments, tokens int) (*store.Store, []string) {
	t.Helper()
	st := storetest.New(t)
	ids := storetest.Shipments(t, st, shipments)
	storetest.Stock(t, st, storetest.Keyring(t), storetest.TokenModel, storetest.EventDevice, tokens)
	return st, ids
}

func report(t *testing.T, st *store.Store, tracking string, kind models.CarrierEventKind, hours int) bool {
	t.Helper()
	at := storetest.At.Add(time.Duration(hours) * time.Hour)
	moved, err := st.RecordCarrierEvent(t.Context(), storetest.CarrierEvent(tracking, kind, at), at)
	storetest.Must(t, err)
	return moved
}

// SHP-1: a line has one shipment, however often it is asked for, and its lifecycle is started once.
func TestRequestShipmentOnce(t *testing.T) {
	t.Parallel()
	st, ids := stocked(t, 1, 0)
	sh, _, err := st.Shipment(t.Context(), ids[0])
	storetest.Must(t, err)
	again, err := st.RequestShipment(t.Context(), sh.OrderLineID, sh.TokenModel, sh.Address, storetest.At.Add(time.Hour))
	storetest.Must(t, err)
	if again != ids[0] {
		t.Errorf("a second shipment %s", again)
	}
	if n := one[int](t, st, "select count(*) from outbox where kind = 'start' and workflow_id = $1", "shipment/"+ids[0]); n != 1 {
		t.Errorf("%d starts, want 1", n)
	}
}

// SHP-1: shipping tells the buyer the tracking number, once, however often the answer is recorded.
func TestShippedOnce(t *testing.T) {
	t.Parallel()
	st, ids := stocked(t, 1, 2)
	tracking := storetest.Sent(t, st, ids[0], storetest.At)
	sh, parcels, err := st.Shipment(t.Context(), ids[0])
	storetest.Must(t, err)
	in := store.LabelIntent{Shipment: sh, Parcel: parcels[0]}
	if _, duty, err := st.RecordLabel(t.Context(), in, store.Label{Carrier: storetest.Carrier, TrackingNumber: "other", Ref: "other"}, storetest.At); err != nil || duty != store.NoLabelDuty {
		t.Errorf("a second answer: %q, %v", duty, err)
	}
	if sh.Status != models.ShipmentShipped || len(parcels) != 1 || *parcels[0].TrackingNumber != tracking || parcels[0].ShippedAt == nil {
		t.Errorf("shipment %+v, parcels %+v", sh, parcels)
	}
	if s := one[string](t, st, "select status from tokens where serial = $1", parcels[0].Serial); s != "shipped" {
		t.Errorf("the token is %s", s)
	}
	if told := rows[string](t, st, "select params->>'tracking_number' from notices where kind = 'shipped'"); !slices.Equal(told, []string{tracking}) {
		t.Errorf("the buyer was told %v", told)
	}
}

// SHP-2: events may repeat and arrive in any order; where the shipment stands in the end depends on what happened alone, and each
// mail is recorded once.
func TestCarrierEventsInAnyOrder(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		events []models.CarrierEventKind // as they happened, an hour apart
		want   models.ShipmentStatus
	}{
		{"delivered", []models.CarrierEventKind{models.CarrierLabel, models.CarrierInTransit, models.CarrierDelivered}, models.ShipmentDelivered},
		{"delivered at once", []models.CarrierEventKind{models.CarrierDelivered}, models.ShipmentDelivered},
		{"trouble, then delivered", []models.CarrierEventKind{models.CarrierInTransit, models.CarrierException, models.CarrierInTransit, models.CarrierDelivered}, models.ShipmentDelivered},
		{"on its way", []models.CarrierEventKind{models.CarrierLabel, models.CarrierInTransit}, models.ShipmentInTransit},
		{"on its way again", []models.CarrierEventKind{models.CarrierInTransit, models.CarrierException, models.CarrierInTransit}, models.ShipmentInTransit},
		{"trouble", []models.CarrierEventKind{models.CarrierInTransit, models.CarrierException}, models.ShipmentException},
		{"lost", []models.CarrierEventKind{models.CarrierInTransit, models.CarrierLost}, models.ShipmentReshipping},
		{"returned", []models.CarrierEventKind{models.CarrierInTransit, models.CarrierException, models.CarrierReturned}, models.ShipmentReshipping},
	}
	const orders = 4
	st, ids := stocked(t, len(cases)*orders, len(cases)*orders)
	random := rand.New(rand.NewPCG(1, 2))
	for i, c := range cases {
		for n := range orders {
			id := ids[i*orders+n]
			t.Run(fmt.Sprintf("%s/%d", c.name, n), func(t *testing.T) {
				tracking := storetest.Sent(t, st, id, storetest.At)
				arrive := random.Perm(len(c.events))
				arrive = append(arrive, random.Perm(len(c.events))...) // each comes twice
				for _, e := range arrive {
					report(t, st, tracking, c.events[e], e)
				}
				if s := status(t, st, id); s != c.want {
					t.Errorf("arrived as %v: the shipment is %s, want %s", arrive, s, c.want)
				}
			})
		}
	}
	if n := one[int](t, st, "select count(*) from notices where kind = 'delivered'"); n != 3*orders {
		t.Errorf("%d mails of deliveries, want %d", n, 3*orders)
	}
	if n := one[int](t, st, "select count(*) from tokens where status = 'retired'"); n != 2*orders {
		t.Errorf("%d tokens retired, want %d", n, 2*orders)
	}
}

// SHP-2: a repeat changes nothing, and tells the lifecycle nothing.
func TestRepeatedEventChangesNothing(t *testing.T) {
	t.Parallel()
	st, ids := stocked(t, 1, 1)
	tracking := storetest.Sent(t, st, ids[0], storetest.At)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			at := storetest.At
			if _, err := st.RecordCarrierEvent(t.Context(), storetest.CarrierEvent(tracking, models.CarrierDelivered, at), at); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if told := signalled(t, st, models.SignalParcelMoved); !slices.Equal(told, ids) {
		t.Errorf("the lifecycle was told %d times, want once", len(told))
	}
	if n := one[int](t, st, "select count(*) from audit_events where kind = 'shipment.delivered'"); n != 1 {
		t.Errorf("%d audit events, want 1", n)
	}
}

// SHP-2: the carrier may report before its answer with the tracking number has been recorded; nothing is lost, also when both
// come at the same moment.
func TestEventBeforeTrackingNumber(t *testing.T) {
	t.Parallel()
	const n = 10
	st, ids := stocked(t, n, n)
	for _, id := range ids {
		tracking := fmt.Sprintf("TRK-%s-1", id)
		var group sync.WaitGroup
		group.Go(func() {
			if _, err := st.RecordCarrierEvent(t.Context(), storetest.CarrierEvent(tracking, models.CarrierInTransit, storetest.At), storetest.At); err != nil {
				t.Error(err)
			}
		})
		storetest.Sent(t, st, id, storetest.At)
		group.Wait()
		if s := status(t, st, id); s != models.ShipmentInTransit {
			t.Errorf("the shipment is %s, want in_transit", s)
		}
	}
}

// SHP-2: lost: the old serial is retired, another is sent under another tracking number, and late news of the old parcel
// changes nothing.
func TestReship(t *testing.T) {
	t.Parallel()
	st, ids := stocked(t, 1, 2)
	first := storetest.Sent(t, st, ids[0], storetest.At)
	report(t, st, first, models.CarrierLost, 1)
	second := storetest.Sent(t, st, ids[0], storetest.At.Add(2*time.Hour))
	for i, kind := range []models.CarrierEventKind{models.CarrierDelivered, models.CarrierInTransit, models.CarrierReturned} {
		if report(t, st, first, kind, 3+i) {
			t.Errorf("news of the old parcel (%s) moved the shipment", kind)
		}
	}
	sh, parcels, err := st.Shipment(t.Context(), ids[0])
	storetest.Must(t, err)
	if sh.Status != models.ShipmentShipped || sh.Parcel != 2 || len(parcels) != 2 || *parcels[0].Outcome != models.ParcelLost || parcels[1].Outcome != nil {
		t.Fatalf("shipment %+v, parcels %+v", sh, parcels)
	}
	if parcels[0].Serial == parcels[1].Serial {
		t.Error("the same serial was sent twice")
	}
	old, err := st.Token(t.Context(), parcels[0].Serial)
	storetest.Must(t, err)
	if old.Status != models.TokenRetired || old.StatusReason == nil {
		t.Errorf("the old token is %s", old.Status)
	}
	if n := one[int](t, st, "select count(*) from support_cases where dedupe_key like 'carrier/%'"); n != 1 {
		t.Errorf("%d cases about contradictions, want 1: a lost parcel was delivered (that it was returned only confirms)", n)
	}
	if !report(t, st, second, models.CarrierDelivered, 6) {
		t.Error("the second parcel's delivery moved nothing")
	}
	if told := rows[string](t, st, "select kind from notices where subject_ref = $1 order by created_at, id", ids[0]); !slices.Equal(told, []string{"shipped", "reshipped", "shipped", "delivered"}) {
		t.Errorf("the buyer was told %v", told)
	}
}

// SHP-2: a token that its owner has registered has arrived, whatever the carrier says, also when it was revoked since.
func TestLostButRegistered(t *testing.T) {
	t.Parallel()
	for name, revoked := range map[string]bool{"live": false, "revoked since": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newRenewing(t)
			if revoked {
				w.revoke(t, storetest.At)
			}
			id := one[string](t, w.Store, "select id from shipments")
			report(t, w.Store, one[string](t, w.Store, "select tracking_number from parcels"), models.CarrierLost, 1)
			if s := status(t, w.Store, id); s != models.ShipmentDelivered {
				t.Errorf("the shipment is %s", s)
			}
			if n := one[int](t, w.Store, "select count(*) from support_cases where dedupe_key like 'carrier/%'"); n != 1 {
				t.Errorf("%d cases, want 1", n)
			}
		})
	}
}

// SHP-2: what is reported under an unknown number is kept; what cannot be an event is refused.
func TestCarrierEventIsKeptOrRefused(t *testing.T) {
	t.Parallel()
	st := storetest.New(t)
	good := storetest.CarrierEvent("unknown", models.CarrierInTransit, storetest.At)
	with := func(change func(*models.CarrierEvent)) models.CarrierEvent {
		e := good
		change(&e)
		return e
	}
	cases := []struct {
		name  string
		event models.CarrierEvent
		want  error
	}{
		{"unknown number", good, nil},
		{"no id", with(func(e *models.CarrierEvent) { e.ID = "" }), models.InvalidRequest},
		{"no number", with(func(e *models.CarrierEvent) { e.TrackingNumber = "" }), models.InvalidRequest},
		{"unknown kind", with(func(e *models.CarrierEvent) { e.Kind = "eaten" }), models.InvalidRequest},
		{"no time", with(func(e *models.CarrierEvent) { e.OccurredAt = time.Time{} }), models.InvalidRequest},
		{"a character that no database holds", with(func(e *models.CarrierEvent) { e.ID = "a\x00b" }), models.InvalidRequest},
	}
	for _, c := range cases {
		if moved, err := st.RecordCarrierEvent(t.Context(), c.event, storetest.At); moved || !errors.Is(err, c.want) {
			t.Errorf("%s: %v, %v, want %v", c.name, moved, err, c.want)
		}
	}
	if n := one[int](t, st, "select count(*) from carrier_events"); n != 1 {
		t.Errorf("%d events are kept, want 1", n)
	}
}

// SHP-1: before it has left a shipment can be cancelled, and its token serves another; a label that is being bought is taken back.
func TestCancelShipment(t *testing.T) {
	t.Parallel()
	st, ids := stocked(t, 4, 1)
	ctx, at := t.Context(), storetest.At
	packed, queued, requested, gone := ids[0], ids[1], ids[2], ids[3]
	for _, id := range []string{packed, queued} {
		_, err := st.PackShipment(ctx, id, at)
		storetest.Must(t, err)
	}
	in, err := st.IntendLabel(ctx, packed, at)
	storetest.Must(t, err)
	storetest.Must(t, st.CancelShipment(ctx, requested, warehouse, at))
	storetest.Must(t, st.CancelShipment(ctx, packed, warehouse, at))
	if told := signalled(t, st, models.SignalStockArrived); !slices.Equal(told, []string{queued}) {
		t.Errorf("told %v that a token came back, want %s", told, queued)
	}
	if _, duty, err := st.RecordLabel(ctx, in, store.Label{Carrier: storetest.Carrier, TrackingNumber: "T1", Ref: "r1"}, at); err != nil || duty != store.VoidLabel {
		t.Errorf("the label that arrives too late: %q, %v, want void", duty, err)
	}
	storetest.Must(t, st.LabelVoided(ctx, packed, 1, at))
	if again, err := st.IntendLabel(ctx, packed, at); err != nil || again.Duty != store.NoLabelDuty {
		t.Errorf("after voiding: %q, %v", again.Duty, err)
	}
	storetest.Sent(t, st, queued, at)
	if n := one[int](t, st, "select count(distinct serial) from parcels"); n != 1 {
		t.Errorf("%d serials, want the released one alone", n)
	}
	if err := st.CancelShipment(ctx, queued, warehouse, at); !errors.Is(err, models.StateForbids) {
		t.Errorf("cancel what has left: %v", err)
	}
	if s := status(t, st, gone); s != models.ShipmentRequested {
		t.Errorf("another shipment is %s", s)
	}
}

// OPS-2: a label is asked for under one key until the carrier answers; after a refusal, and only then, under another.
func TestLabelIntent(t *testing.T) {
	t.Parallel()
	st, ids := stocked(t, 1, 1)
	ctx, at, id := t.Context(), storetest.At, ids[0]
	_, err := st.PackShipment(ctx, id, at)
	storetest.Must(t, err)
	first, err := st.IntendLabel(ctx, id, at)
	storetest.Must(t, err)
	again, err := st.IntendLabel(ctx, id, at.Add(time.Minute))
	storetest.Must(t, err)
	if first.Parcel.LabelKey() != again.Parcel.LabelKey() || first.Duty != store.BuyLabel || again.Duty != store.BuyLabel {
		t.Errorf("intents %+v and %+v", first, again)
	}
	to := storetest.Address()
	to.Line1 = "2 Other Street"
	if err := st.CorrectAddress(ctx, id, to, warehouse, at); !errors.Is(err, models.StateForbids) {
		t.Errorf("the address changes under the carrier's hands: %v", err)
	}
	for range 2 {
		_, err = st.LabelRefused(ctx, first, at)
		storetest.Must(t, err)
	}
	storetest.Must(t, st.CorrectAddress(ctx, id, to, warehouse, at))
	next, err := st.IntendLabel(ctx, id, at)
	storetest.Must(t, err)
	if next.Parcel.LabelTry != 2 || next.Parcel.LabelKey() == first.Parcel.LabelKey() || next.Shipment.Address != to {
		t.Errorf("the next intent: %+v", next)
	}
	if n := one[int](t, st, "select count(*) from support_cases where dedupe_key like 'label/%'"); n != 1 {
		t.Errorf("%d cases, want 1", n)
	}
}

// SHP-1: the printed instructions belong to the parcel that is sent now.
func TestParcelPaper(t *testing.T) {
	t.Parallel()
	st, ids := stocked(t, 1, 2)
	seller := documents.Seller{Name: "Tokendesk"}
	if _, err := st.ParcelPaper(t.Context(), ids[0], seller); !errors.Is(err, models.StateForbids) {
		t.Errorf("before a token is packed: %v", err)
	}
	for parcel := 1; parcel <= 2; parcel++ {
		tracking := storetest.Sent(t, st, ids[0], storetest.At)
		paper, err := st.ParcelPaper(t.Context(), ids[0], seller)
		storetest.Must(t, err)
		_, parcels, err := st.Shipment(t.Context(), ids[0])
		storetest.Must(t, err)
		if paper.Number != parcel || paper.Serial != parcels[parcel-1].Serial {
			t.Errorf("paper %+v of parcel %+v", paper, parcels[parcel-1])
		}
		if pdf, err := documents.Instructions(paper); err != nil || len(pdf) == 0 {
			t.Errorf("no paper: %v", err)
		}
		report(t, st, tracking, models.CarrierLost, parcel)
	}
}
