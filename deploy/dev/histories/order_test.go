package histories

import (
	"cmp"

	"tokendesk/activities/gateway/sandbox"
	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
)

// purchase is one order on the real engine.
type purchase struct {
	*ground
	sku    string // of what is bought; empty: a token without proofing
	number string
}

// orders are the ways to buy.
var orderRuns = []run{
	{name: "paid_by_invoice", floor: 6, live: buy(func(p *purchase) {
		p.place("")
		p.pay(p.order().TotalMinor, "all")
	})},
	{name: "paid_in_parts", floor: 6, live: buy(func(p *purchase) {
		p.place("")
		p.pay(1000, "some")
		p.pay(p.order().TotalMinor-1000, "rest")
	})},
	{name: "paid_by_card", floor: 9, live: buy(func(p *purchase) {
		p.place("pm_card_visa")
		p.becomes(models.OrderFulfilled)
	})},
	{name: "declined_then_paid", floor: 15, live: buy(func(p *purchase) {
		p.place("pm_card_chargeDeclined")
		p.becomes(models.OrderDeclined)
		_, err := p.st.NewCharge(p.Context(), p.number, "pm_card_visa", models.Actor{ID: p.buyer.ID}, now())
		storetest.Must(p, err)
		p.dispatch()
		p.becomes(models.OrderFulfilled)
	})},
	{name: "declined_then_transferred", floor: 9, live: buy(func(p *purchase) {
		p.place("pm_card_chargeDeclined")
		p.becomes(models.OrderDeclined)
		p.settle()
		p.pay(p.order().TotalMinor, "all")
	})},
	{name: "declined_then_cancelled", floor: 7, live: buy(func(p *purchase) {
		p.place("pm_card_chargeDeclined")
		p.becomes(models.OrderDeclined)
		p.cancel()
	})},
	{name: "hold_dropped", floor: 12, live: buy(func(p *purchase) { // before the money was taken
		p.misbehave(sandbox.Payments, "capture", sandbox.Fail, 2)
		p.place("pm_card_visa")
		until(p.T, "the amount to be held", p.dropped)
		p.becomes(models.OrderDeclined)
		p.settle()
		p.pay(p.order().TotalMinor, "all")
	})},
	{name: "transferred_before_the_card", floor: 9, live: buy(func(p *purchase) { // the processor is down, and other money is quicker
		p.misbehave(sandbox.Payments, "authorize", sandbox.Fail, 2)
		p.place("pm_card_visa")
		p.pay(p.order().TotalMinor, "all")
		p.becomes(models.OrderFulfilled)
	})},
	{name: "transferred_before_the_capture", floor: 12, live: buy(func(p *purchase) {
		p.misbehave(sandbox.Payments, "capture", sandbox.Fail, 2)
		p.place("pm_card_visa")
		p.pay(p.order().TotalMinor, "all")
		p.becomes(models.OrderFulfilled)
	})},
	{name: "refunded_at_once", floor: 6, live: buy(func(p *purchase) { // paid, and undone before it is fulfilled
		p.place("")
		storetest.Pay(p, p.st, p.order(), p.order().TotalMinor, "all")
		_, err := p.st.RequestRefund(p.Context(), models.RefundRequest{OrderNumber: p.number, Reason: models.RefundMistake}, clerk, now())
		storetest.Must(p, err)
		p.dispatch()
	})},
	{name: "cancelled", floor: 4, live: buy(func(p *purchase) {
		p.place("")
		p.cancel()
	})},
	{name: "lapsed", floor: 15, live: buy(func(p *purchase) {
		p.place("")
		p.lapse()
	})},
	{name: "declined_then_lapsed", floor: 18, live: buy(func(p *purchase) {
		p.place("pm_card_chargeDeclined")
		p.becomes(models.OrderDeclined)
		p.settle()
		p.lapse()
	})},
	{name: "refused", floor: 3, live: buy(func(p *purchase) {
		p.draft("")
		product, err := p.st.Product(p.Context(), storetest.TokenSKU)
		storetest.Must(p, err)
		product.Status = models.ProductRetired
		storetest.Must(p, p.st.PutProduct(p.Context(), product))
		if _, err := p.lifecycles().PlaceOrder(p.Context(), p.number); models.KindOf(err) != models.Refused {
			p.Fatalf("placing it ended with %v", err)
		}
	})},
}

func buy(live func(*purchase)) func(*ground) string {
	return func(g *ground) string {
		p := &purchase{ground: g}
		live(p)
		return p.number
	}
}

func (p *purchase) workflowID() string { return models.OrderLifecycle.WorkflowID(p.number) }
func (p *purchase) dispatch()          { p.Helper(); p.ground.dispatch(p.workflowID()) }
func (p *purchase) settle()            { p.Helper(); settle(p.T, p.engine, p.workflowID()) }
func (p *purchase) order() models.Order {
	return storetest.Order(p, p.st, p.number)
}

// draft records an order; the card is the processor's token, empty for payment by invoice. Runs start now, so orders do too.
func (p *purchase) draft(card models.Secret) {
	p.Helper()
	method := models.PayByInvoice
	if card != "" {
		method = models.PayByCard
	}
	n := storetest.NewOrder(p.buyer.ID, method, cmp.Or(p.sku, storetest.TokenSKU))
	n.CardPaymentMethod = card
	o, err := p.st.DraftOrder(p.Context(), n, now())
	storetest.Must(p, err)
	p.number = o.Number
}

// place starts the order; one that is paid by card may still be charging it.
func (p *purchase) place(card models.Secret) {
	p.Helper()
	p.draft(card)
	_, err := p.lifecycles().PlaceOrder(p.Context(), p.number)
	storetest.Must(p, err)
	if card == "" {
		p.settle()
	}
}

func (p *purchase) cancel() {
	p.Helper()
	storetest.Must(p, p.lifecycles().CancelOrder(p.Context(), p.number, models.Actor{ID: p.buyer.ID}, models.CancelNotNeeded, "cancel"))
}

// pay records a bank transfer and tells the engine.
func (p *purchase) pay(minor int64, reference string) {
	p.Helper()
	storetest.Pay(p, p.st, p.order(), minor, reference)
	p.dispatch()
}

// becomes waits for a status of the order.
func (p *purchase) becomes(status models.OrderStatus) {
	p.Helper()
	until(p.T, "the order to be "+string(status), func() bool { return p.order().Status == status })
}

// lapse lets the invoice's term pass, milestone by milestone; each is told by mail.
func (p *purchase) lapse() {
	p.Helper()
	for p.order().Status != models.OrderCancelled {
		told := len(p.mails())
		skip(p.T, p.engine, p.workflowID())
		until(p.T, "the next milestone", func() bool { return len(p.mails()) > told })
		p.settle()
	}
}

// dropped reports whether the processor holds an amount, and has dropped it.
func (p *purchase) dropped() bool {
	p.Helper()
	c, err := p.st.LiveCharge(p.Context(), p.number)
	storetest.Must(p, err)
	if c.Status != models.ChargeAuthorized {
		return false
	}
	_, err = p.cards.Cancel(p.Context(), "drop", *c.ProviderRef)
	storetest.Must(p, err)
	return true
}

func (p *purchase) mails() []models.Notice {
	p.Helper()
	mails, err := p.st.NoticesAbout(p.Context(), p.number, store.Page{Limit: 200})
	storetest.Must(p, err)
	return mails
}
