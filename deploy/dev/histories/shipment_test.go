package histories

import (
	"testing"
	"time"

	"go.temporal.io/sdk/client"

	"tokendesk/activities"
	"tokendesk/activities/gateway/carrier"
	"tokendesk/activities/gateway/carrier/simulator"
	"tokendesk/activities/gateway/sandbox"
	"tokendesk/internal/calendar"
	"tokendesk/internal/testpg"
	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
	"tokendesk/worker"
)

// voyage is one shipment on the real engine.
type voyage struct {
	*testing.T
	engine  client.Client
	st      *store.Store
	outside *sandbox.Store
	post    *simulator.Simulator
	id      string
}

func (v *voyage) workflowID() string { return models.ShipmentLifecycle.WorkflowID(v.id) }

func (v *voyage) stock(n int) {
	storetest.Stock(v, v.st, storetest.Keyring(v), storetest.TokenModel, storetest.EventDevice, n)
}

// dispatch tells the engine what has happened.
func (v *voyage) dispatch() { dispatch(v.T, v.engine, v.st, v.workflowID()) }

// happens lets the carrier do something with the current parcel and tells us.
func (v *voyage) happens(kind carrier.Kind) {
	v.Helper()
	sh, parcels, err := v.st.Shipment(v.Context(), v.id)
	storetest.Must(v, err)
	e, err := v.post.Happen(v.Context(), *parcels[sh.Parcel-1].TrackingNumber, kind, time.Now())
	storetest.Must(v, err)
	_, err = v.st.RecordCarrierEvent(v.Context(), models.CarrierEvent{ID: e.ID, Carrier: activities.CarrierSource, TrackingNumber: e.TrackingNumber,
		Kind: models.CarrierEventKind(e.Kind), OccurredAt: e.OccurredAt}, time.Now())
	storetest.Must(v, err)
	v.dispatch()
}

// SHP-1, SHP-2, OPS-3: a shipment costs the engine what it must do, and its history replays. The floor: 3 for the run, 3 for the
// label, 3 for each signal, timer or other call outside.
func TestShipments(t *testing.T) {
	engine := startEngine(t)
	cases := []struct {
		name        string
		transitions int64
		sail        func(v *voyage)
	}{
		{"delivered", 12, func(v *voyage) {
			v.stock(1)
			v.dispatch()
			v.happens(carrier.InTransit)
			v.happens(carrier.Delivered)
		}},
		{"reshipped", 18, func(v *voyage) {
			v.stock(2)
			v.dispatch()
			v.happens(carrier.Exception)
			v.happens(carrier.Lost)
			v.happens(carrier.Delivered)
		}},
		{"backordered", 12, func(v *voyage) {
			v.dispatch()
			v.stock(1)
			v.dispatch()
			v.happens(carrier.Delivered)
		}},
		{"reship_backordered", 18, func(v *voyage) {
			v.stock(1)
			v.dispatch()
			v.happens(carrier.Returned)
			v.stock(1)
			v.dispatch()
			v.happens(carrier.Delivered)
		}},
		{"late", 15, func(v *voyage) {
			v.stock(1)
			v.dispatch()
			skip(v.T, v.engine, v.workflowID())
			until(v.T, "the parcel to be late", func() bool {
				sh, _, err := v.st.Shipment(v.Context(), v.id)
				storetest.Must(v, err)
				return sh.LateSince != nil
			})
			settle(v.T, v.engine, v.workflowID())
			v.happens(carrier.Delivered)
		}},
		{"refused", 15, func(v *voyage) {
			v.stock(1)
			_, err := v.outside.Give(v.Context(), sandbox.Carrier, sandbox.Order{Operation: "buy_label", Effect: sandbox.Refuse})
			storetest.Must(v, err)
			v.dispatch()
			storetest.Must(v, v.st.CorrectAddress(v.Context(), v.id, storetest.Address(), models.Actor{ID: "ak_1"}, time.Now()))
			v.dispatch()
			v.happens(carrier.Delivered)
		}},
		{"cancelled", 6, func(v *voyage) {
			v.dispatch()
			storetest.Must(v, v.st.CancelShipment(v.Context(), v.id, models.Actor{ID: "ak_1"}, time.Now()))
			v.dispatch()
		}},
		{"given_up", 9, func(v *voyage) { // its line is refunded meanwhile, so what comes back is not sent again
			v.stock(1)
			v.dispatch()
			number := orderOf(v.T, v.st)
			_, err := v.st.RequestRefund(v.Context(), models.RefundRequest{OrderNumber: number, Reason: models.RefundMistake}, models.Actor{ID: "ak_1"}, time.Now())
			storetest.Must(v, err)
			v.happens(carrier.Returned)
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			v := launch(t, engine)
			c.sail(v)
			got := finish(t, engine, models.ShipmentLifecycle, v.id, c.name)
			t.Logf("%d state transitions, floor %d", got, c.transitions)
			if got > c.transitions+c.transitions/2 {
				t.Errorf("%d state transitions, more than 1.5 times the floor of %d", got, c.transitions)
			}
		})
	}
}

func launch(t *testing.T, engine client.Client) *voyage {
	t.Helper()
	v := &voyage{T: t, engine: engine, st: storetest.New(t)}
	var err error
	v.outside, err = sandbox.Open(t.Context(), testpg.Empty(t))
	storetest.Must(t, err)
	t.Cleanup(v.outside.Close)
	v.post, err = simulator.New(t.Context(), v.outside, simulator.Config{})
	storetest.Must(t, err)
	v.id = storetest.Shipments(t, v.st, 1)[0]
	w, err := worker.New(engine, worker.DevelopmentBuild, &activities.Orders{Store: v.st}, &activities.Credentials{Store: v.st},
		&activities.Shipping{Store: v.st, Carrier: v.post, Calendar: calendar.Carrier(time.UTC)}, &activities.Refunds{Store: v.st})
	storetest.Must(t, err)
	storetest.Must(t, w.Start())
	_, err = worker.NewDeployment(engine).Join(t.Context(), worker.DevelopmentBuild, true)
	storetest.Must(t, err)
	t.Cleanup(w.Stop)
	return v
}
