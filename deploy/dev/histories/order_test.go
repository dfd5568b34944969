package histories

import (
	"sync/atomic"
	"testing"
	"time"

	"go.temporal.io/sdk/client"

	"tokendesk/activities"
	paymentsim "tokendesk/activities/gateway/payment/simulator"
	"tokendesk/activities/gateway/sandbox"
	"tokendesk/internal/seal"
	"tokendesk/internal/testpg"
	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
	"tokendesk/worker"
	"tokendesk/workflows"
)

// purchase is one order on the real engine.
type purchase struct {
	*testing.T
	engine  client.Client
	st      *store.Store
	ring    *seal.Keyring
	outside *sandbox.Store
	buyer   models.Account
	number  string
}

var shops atomic.Int64

// shop opens a shop with a customer, and a worker that serves it.
func shop(t *testing.T, engine client.Client) *purchase {
	t.Helper()
	p := &purchase{T: t, engine: engine, st: storetest.New(t), ring: storetest.Keyring(t)}
	var err error
	p.outside, err = sandbox.Open(t.Context(), testpg.Empty(t))
	storetest.Must(t, err)
	t.Cleanup(p.outside.Close)
	cards, err := paymentsim.New(t.Context(), p.outside, paymentsim.Config{})
	storetest.Must(t, err)
	p.buyer = storetest.Account(t, p.st)
	_, err = p.st.Pool().Exec(t.Context(), "select setval('order_numbers', $1)", 10000*shops.Add(1)) // all shops share an engine
	storetest.Must(t, err)
	w, err := worker.New(engine, worker.DevelopmentBuild, &activities.Orders{Store: p.st, Payments: cards, Sealer: p.ring}, &activities.Shipping{Store: p.st},
		&activities.Credentials{Store: p.st}, &activities.Refunds{Store: p.st, Payments: cards})
	storetest.Must(t, err)
	storetest.Must(t, w.Start())
	_, err = worker.NewDeployment(engine).Join(t.Context(), worker.DevelopmentBuild, true)
	storetest.Must(t, err)
	t.Cleanup(w.Stop)
	return p
}

func (p *purchase) lifecycles() *workflows.Client { return workflows.NewClient(p.engine) }

// draft records an order; the card is the processor's token, empty for payment by invoice. Runs start now, so orders do too.
func (p *purchase) draft(card models.Secret) {
	p.Helper()
	method := models.PayByInvoice
	if card != "" {
		method = models.PayByCard
	}
	n := storetest.NewOrder(p.buyer.ID, method, storetest.TokenSKU)
	n.CardPaymentMethod = card
	o, err := p.st.DraftOrder(p.Context(), n, now())
	storetest.Must(p, err)
	p.number = o.Number
}

func (p *purchase) place(card models.Secret) {
	p.Helper()
	p.draft(card)
	_, err := p.lifecycles().PlaceOrder(p.Context(), p.number)
	storetest.Must(p, err)
	p.settle()
}

func (p *purchase) settle() { settle(p.T, p.engine, models.OrderLifecycle.WorkflowID(p.number)) }

func (p *purchase) order() models.Order { return storetest.Order(p, p.st, p.number) }

// pay records a bank transfer and tells the engine.
func (p *purchase) pay(minor int64, reference string) {
	p.Helper()
	storetest.Pay(p, p.st, p.order(), minor, reference)
	dispatch(p.T, p.engine, p.st, models.OrderLifecycle.WorkflowID(p.number))
}

// becomes waits for a status of the order.
func (p *purchase) becomes(status models.OrderStatus) {
	p.Helper()
	until(p.T, "the order to be "+string(status), func() bool { return p.order().Status == status })
}

func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// ORD-1 to ORD-5, OPS-3: an order costs the engine what it must do, and its history replays. The floor: 3 for the run, 3 for each
// call to the card processor, 3 for each signal or timer, 1 for a further update.
func TestOrders(t *testing.T) {
	engine := startEngine(t)
	cases := []struct {
		name        string
		transitions int64
		buy         func(p *purchase)
	}{
		{"paid_by_invoice", 6, func(p *purchase) {
			p.place("")
			p.pay(p.order().TotalMinor, "all")
		}},
		{"paid_in_parts", 6, func(p *purchase) {
			p.place("")
			p.pay(1000, "some")
			p.pay(p.order().TotalMinor-1000, "rest")
		}},
		{"paid_by_card", 9, func(p *purchase) { p.place("pm_card_visa") }},
		{"declined_then_paid", 15, func(p *purchase) {
			p.place("pm_card_chargeDeclined")
			p.becomes(models.OrderDeclined)
			_, err := p.st.NewCharge(p.Context(), p.number, "pm_card_visa", models.Actor{ID: p.buyer.ID}, now())
			storetest.Must(p, err)
			dispatch(p.T, p.engine, p.st, models.OrderLifecycle.WorkflowID(p.number))
		}},
		{"cancelled", 4, func(p *purchase) {
			p.place("")
			storetest.Must(p, p.lifecycles().CancelOrder(p.Context(), p.number, models.Actor{ID: p.buyer.ID}, models.CancelNotNeeded, "cancel"))
		}},
		{"lapsed", 15, func(p *purchase) {
			p.place("")
			p.lapse()
		}},
		{"declined_then_lapsed", 18, func(p *purchase) {
			p.place("pm_card_chargeDeclined")
			p.becomes(models.OrderDeclined)
			p.settle()
			p.lapse()
		}},
		{"refused", 3, func(p *purchase) {
			p.draft("")
			product, err := p.st.Product(p.Context(), storetest.TokenSKU)
			storetest.Must(p, err)
			product.Status = models.ProductRetired
			storetest.Must(p, p.st.PutProduct(p.Context(), product))
			if _, err := p.lifecycles().PlaceOrder(p.Context(), p.number); models.KindOf(err) != models.Refused {
				p.Fatalf("placing it ended with %v", err)
			}
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p := shop(t, engine)
			c.buy(p)
			got := finish(t, engine, models.OrderLifecycle, p.number, c.name)
			t.Logf("%d state transitions, floor %d", got, c.transitions)
			if got > c.transitions+c.transitions/2 {
				t.Errorf("%d state transitions, more than 1.5 times the floor of %d", got, c.transitions)
			}
		})
	}
}

// lapse lets the invoice's term pass, milestone by milestone; each is told by mail.
func (p *purchase) lapse() {
	p.Helper()
	for p.order().Status != models.OrderCancelled {
		told := len(p.mails())
		skip(p.T, p.engine, models.OrderLifecycle.WorkflowID(p.number))
		until(p.T, "the next milestone", func() bool { return len(p.mails()) > told })
		if p.order().Status != models.OrderCancelled {
			p.settle()
		}
	}
}

func (p *purchase) mails() []models.Notice {
	p.Helper()
	mails, err := p.st.NoticesAbout(p.Context(), p.number, store.Page{Limit: 200})
	storetest.Must(p, err)
	return mails
}
