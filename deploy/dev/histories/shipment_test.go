package histories

import (
	"tokendesk/activities"
	"tokendesk/activities/gateway/carrier"
	"tokendesk/activities/gateway/sandbox"
	"tokendesk/models"
	"tokendesk/models/store/storetest"
)

// voyage is one shipment on the real engine.
type voyage struct {
	*ground
	id string
}

// shipmentRuns are the ways of a parcel.
var shipmentRuns = []run{
	{name: "delivered", floor: 12, live: ship(func(v *voyage) {
		v.stock(1)
		v.dispatch()
		v.happens(carrier.InTransit)
		v.happens(carrier.Delivered)
	})},
	{name: "troubled", floor: 21, live: ship(func(v *voyage) {
		v.stock(1)
		v.dispatch()
		v.happens(carrier.InTransit)
		v.happens(carrier.Exception)
		v.happens(carrier.InTransit)
		v.happens(carrier.Exception)
		v.happens(carrier.Delivered)
	})},
	{name: "reshipped", floor: 18, live: ship(func(v *voyage) {
		v.stock(2)
		v.dispatch()
		v.happens(carrier.Exception)
		v.happens(carrier.Lost)
		v.happens(carrier.Delivered)
	})},
	{name: "lost_on_the_way", floor: 18, live: ship(func(v *voyage) {
		v.stock(2)
		v.dispatch()
		v.happens(carrier.InTransit)
		v.happens(carrier.Lost)
		v.happens(carrier.Delivered)
	})},
	{name: "backordered", floor: 12, live: ship(func(v *voyage) {
		v.dispatch()
		v.stock(1)
		v.dispatch()
		v.happens(carrier.Delivered)
	})},
	{name: "reship_backordered", floor: 18, live: ship(func(v *voyage) {
		v.stock(1)
		v.dispatch()
		v.happens(carrier.Returned)
		v.stock(1)
		v.dispatch()
		v.happens(carrier.Delivered)
	})},
	{name: "late", floor: 15, live: ship(func(v *voyage) {
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
	})},
	{name: "missing", floor: 45, live: ship(func(v *voyage) { // it never comes: a person is needed, declares it lost, and another token arrives
		v.stock(2)
		v.dispatch()
		v.flagged(false)
		v.wakes(4) // it is late; a week and three weeks after that; it is missing
		v.flagged(true)
		v.wakes(1)
		storetest.Must(v, v.st.DeclareLost(v.Context(), v.id, "no trace", models.Actor{ID: "ak_1"}, now()))
		v.dispatch()
		v.flagged(false)
		v.happens(carrier.Delivered)
	})},
	{name: "refused", floor: 15, live: ship(func(v *voyage) {
		v.refused()
		storetest.Must(v, v.st.CorrectAddress(v.Context(), v.id, storetest.Address(), models.Actor{ID: "ak_1"}, now()))
		v.dispatch()
		v.happens(carrier.Delivered)
	})},
	{name: "refused_and_stuck", floor: 24, live: ship(func(v *voyage) { // the flag for the label stays up when the database comes back
		v.refused()
		v.misbehave(sandbox.Carrier, "buy_label", sandbox.Refuse, 1)
		v.stuck()
		v.flagged(true)
		storetest.Must(v, v.st.CorrectAddress(v.Context(), v.id, storetest.Address(), models.Actor{ID: "ak_1"}, now()))
		v.dispatch()
		v.flagged(false)
		v.happens(carrier.Delivered)
	})},
	{name: "given_up", floor: 9, live: ship(func(v *voyage) { v.givenUp() })},
	{name: "given_up_in_transit", floor: 12, live: ship(func(v *voyage) { v.givenUp(carrier.InTransit) })},
	{name: "given_up_in_trouble", floor: 12, live: ship(func(v *voyage) { v.givenUp(carrier.Exception) })},
	{name: "cancelled_between_parcels", floor: 12, live: ship(func(v *voyage) { // lost, and undone before the next token is taken
		v.stock(1)
		v.dispatch()
		v.reports(carrier.Lost)
		v.cancel()
	})},
	{name: "cancelled", floor: 6, live: ship(func(v *voyage) {
		v.dispatch()
		v.cancel()
	})},
	{name: "cancelled_at_once", floor: 3, live: ship((*voyage).cancel)},
	{name: "cancelled_packed", floor: 9, live: ship(func(v *voyage) {
		v.refused()
		v.cancel()
	})},
}

func ship(sail func(*voyage)) func(*ground) string {
	return func(g *ground) string {
		v := &voyage{ground: g, id: storetest.Shipments(g, g.st, 1)[0]}
		sail(v)
		return v.id
	}
}

func (v *voyage) workflowID() string { return models.ShipmentLifecycle.WorkflowID(v.id) }
func (v *voyage) dispatch()          { v.Helper(); v.ground.dispatch(v.workflowID()) }

func (v *voyage) stock(n int) {
	v.Helper()
	storetest.Stock(v, v.st, v.ring, storetest.TokenModel, storetest.EventDevice, n)
}

// refused is a shipment that is packed, and whose label the carrier will not sell.
func (v *voyage) refused() {
	v.Helper()
	v.stock(1)
	v.misbehave(sandbox.Carrier, "buy_label", sandbox.Refuse, 1)
	v.dispatch()
}

// wakes lets the shipment sleep until it looks again by itself, so many times.
func (v *voyage) wakes(times int) {
	v.Helper()
	for range times {
		before := timers(v.T, v.engine, v.workflowID())
		skip(v.T, v.engine, v.workflowID())
		until(v.T, "the shipment to look again", func() bool { return timers(v.T, v.engine, v.workflowID()) > before })
		settle(v.T, v.engine, v.workflowID())
	}
}

// stuck has a look of the shipment fail, until the step has given up a round of tries, and then succeed.
func (v *voyage) stuck() {
	v.Helper()
	v.exec("alter table parcels rename to parcels_away")
	skip(v.T, v.engine, v.workflowID())
	until(v.T, "the step to be stuck", func() bool { return timers(v.T, v.engine, v.workflowID()) == 2 })
	v.exec("alter table parcels_away rename to parcels")
	settle(v.T, v.engine, v.workflowID())
	skip(v.T, v.engine, v.workflowID())
	until(v.T, "the next look", func() bool { return timers(v.T, v.engine, v.workflowID()) == 3 })
	settle(v.T, v.engine, v.workflowID())
}

func (v *voyage) flagged(want bool) {
	v.Helper()
	if got := flagged(v.T, v.engine, v.workflowID()); got != want {
		v.Errorf("that a person is needed is %t, want %t", got, want)
	}
}

func (v *voyage) cancel() {
	v.Helper()
	storetest.Must(v, v.st.CancelShipment(v.Context(), v.id, models.Actor{ID: "ak_1"}, now()))
	v.dispatch()
}

// happens lets the carrier do something with the current parcel and tells us.
func (v *voyage) happens(kind carrier.Kind) {
	v.Helper()
	v.reports(kind)
	v.dispatch()
}

func (v *voyage) reports(kind carrier.Kind) {
	v.Helper()
	sh, parcels, err := v.st.Shipment(v.Context(), v.id)
	storetest.Must(v, err)
	e, err := v.post.Happen(v.Context(), *parcels[sh.Parcel-1].TrackingNumber, kind, now())
	storetest.Must(v, err)
	_, err = v.st.RecordCarrierEvent(v.Context(), models.CarrierEvent{ID: e.ID, Carrier: activities.CarrierSource, TrackingNumber: e.TrackingNumber,
		Kind: models.CarrierEventKind(e.Kind), OccurredAt: e.OccurredAt}, now())
	storetest.Must(v, err)
}

// givenUp is a parcel that is lost while its order is being undone.
func (v *voyage) givenUp(before ...carrier.Kind) {
	v.Helper()
	v.stock(1)
	v.dispatch()
	for _, kind := range before {
		v.happens(kind)
	}
	sh, _, err := v.st.Shipment(v.Context(), v.id)
	storetest.Must(v, err)
	_, err = v.st.RequestRefund(v.Context(), models.RefundRequest{OrderNumber: v.numberOf(sh), Reason: models.RefundNotNeeded}, clerk, now())
	storetest.Must(v, err)
	v.happens(carrier.Lost)
}

func (v *voyage) numberOf(sh models.Shipment) (number string) {
	v.Helper()
	storetest.Must(v, v.st.Pool().QueryRow(v.Context(), `select o.number from orders o join order_lines l on l.order_id = o.id
		where l.id = $1`, sh.OrderLineID).Scan(&number))
	return number
}
