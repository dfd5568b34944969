package histories

import (
	"tokendesk/activities/gateway/sandbox"
	"tokendesk/models"
	"tokendesk/models/store/storetest"
)

// retreat is one refund on the real engine.
type retreat struct {
	*purchase
	id     string
	device *storetest.Device // what has left, nil: nothing
}

var (
	clerk    = models.Actor{ID: "ak_clerk", Role: models.RoleBilling}
	decider  = models.Actor{ID: "ak_decider", Role: models.RoleBilling}
	receiver = models.Actor{ID: "ak_receiver", Role: models.RoleWarehouse}
)

// refundRuns are the ways of money back.
var refundRuns = []run{
	{name: "returned", floor: 9, live: retreats(func(r *retreat) {
		r.delivered()
		r.request()
		_, err := r.st.RecordReturn(r.Context(), r.device.Serial, models.ReturnedUnopened, receiver, now())
		storetest.Must(r, err)
		r.dispatch()
		r.payOut()
	})},
	{name: "to_card", floor: 6, live: retreats(func(r *retreat) {
		r.byCard()
		r.request()
	})},
	{name: "refused_then_paid_out", floor: 9, live: retreats(func(r *retreat) { // the processor refuses, so billing transfers the money
		r.byCard()
		r.misbehave(sandbox.Payments, "refund", sandbox.Refuse, 1)
		r.request()
		r.payOut()
	})},
	{name: "paid_out", floor: 6, live: retreats(func(r *retreat) {
		r.paid(storetest.TokenSKU)
		r.request()
		r.payOut()
	})},
	{name: "approved", floor: 9, live: retreats(func(r *retreat) {
		r.expensive()
		r.request()
		storetest.Must(r, r.st.ApproveRefund(r.Context(), r.id, decider, now()))
		r.dispatch()
		r.payOut()
	})},
	{name: "kept", floor: 6, live: retreats(func(r *retreat) {
		r.paid(storetest.TokenSKU)
		r.request()
		storetest.Must(r, r.st.KeepAsCredit(r.Context(), r.id, clerk, now()))
		r.dispatch()
	})},
	{name: "rejected", floor: 6, live: retreats(func(r *retreat) {
		r.expensive()
		r.request()
		storetest.Must(r, r.st.RejectRefund(r.Context(), r.id, "It was used.", decider, now()))
		r.dispatch()
	})},
	{name: "withdrawn", floor: 6, live: retreats(func(r *retreat) {
		r.expensive()
		r.request()
		r.withdraw()
	})},
	{name: "withdrawn_while_waiting", floor: 6, live: retreats(func(r *retreat) {
		r.delivered()
		r.request()
		r.withdraw()
	})},
	{name: "lapsed", floor: 9, live: retreats(func(r *retreat) { // a reminder, and then nothing came back
		r.delivered()
		r.request()
		for range 2 {
			before := timers(r.T, r.engine, r.workflowID())
			skip(r.T, r.engine, r.workflowID())
			until(r.T, "the next milestone", func() bool { return r.over() || timers(r.T, r.engine, r.workflowID()) > before })
			settle(r.T, r.engine, r.workflowID())
		}
	})},
}

func retreats(live func(*retreat)) func(*ground) string {
	return func(g *ground) string {
		r := &retreat{purchase: &purchase{ground: g}}
		live(r)
		return r.id
	}
}

func (r *retreat) workflowID() string { return models.RefundLifecycle.WorkflowID(r.id) }
func (r *retreat) dispatch()          { r.Helper(); r.ground.dispatch(r.workflowID()) }

// byCard is an order that was paid by card and fulfilled, which is not of this run.
func (r *retreat) byCard() {
	r.Helper()
	r.place("pm_card_visa")
	r.becomes(models.OrderFulfilled)
	settle(r.T, r.engine, r.purchase.workflowID())
	r.forget()
}

// paid is an order that is paid and not fulfilled.
func (r *retreat) paid(skus ...string) {
	r.Helper()
	n := storetest.NewOrder(r.buyer.ID, models.PayByInvoice, skus...)
	o := storetest.PlacedAt(r, r.st, n, now())
	storetest.PayAt(r, r.st, o, now())
	r.number = o.Number
}

// expensive is an order whose refund a second person decides (SEC-1).
func (r *retreat) expensive() {
	r.Helper()
	p, err := r.st.Product(r.Context(), storetest.TokenSKU)
	storetest.Must(r, err)
	p.PriceMinor = models.DefaultPolicy().Refund.SecondPersonAbove + 1
	storetest.Must(r, r.st.PutProduct(r.Context(), p))
	r.paid(storetest.TokenSKU)
}

// delivered is an order whose token the buyer has.
func (r *retreat) delivered() {
	r.Helper()
	r.paid(storetest.TokenSKU)
	storetest.Must(r, r.st.FulfilOrder(r.Context(), r.number, r.ring, now()))
	storetest.Stock(r, r.st, r.ring, storetest.TokenModel, storetest.EventDevice, 1)
	r.device = storetest.Shipped(r, r.st, r.order(), 1)
}

// request asks for the whole order to be undone, which begins the lifecycle.
func (r *retreat) request() {
	r.Helper()
	asked, err := r.st.RequestRefund(r.Context(), models.RefundRequest{OrderNumber: r.number, Reason: models.RefundNotNeeded}, clerk, now())
	storetest.Must(r, err)
	r.id = asked.ID
	r.dispatch()
}

func (r *retreat) withdraw() {
	r.Helper()
	storetest.Must(r, r.st.WithdrawRefund(r.Context(), r.id, clerk, now()))
	r.dispatch()
}

// payOut records that billing has transferred the money.
func (r *retreat) payOut() {
	r.Helper()
	asked, err := r.st.Refund(r.Context(), r.id)
	storetest.Must(r, err)
	_, err = r.st.RecordPayout(r.Context(), r.id, models.NewPayout{SourceAccount: "DE99", BankReference: "out", Amount: asked.Total(), PaidAt: now()}, clerk, now())
	storetest.Must(r, err)
	r.dispatch()
}

func (r *retreat) over() bool {
	r.Helper()
	asked, err := r.st.Refund(r.Context(), r.id)
	storetest.Must(r, err)
	return asked.Status.Over()
}
