package histories

import (
	"testing"

	"tokendesk/activities/gateway/sandbox"
	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
)

// orderOf is the number of the only order.
func orderOf(t *testing.T, st *store.Store) string {
	t.Helper()
	all, err := st.Orders(t.Context(), store.OrderFilter{}, store.Page{})
	storetest.Must(t, err)
	if len(all) != 1 {
		t.Fatalf("%d orders", len(all))
	}
	return all[0].Number
}

// undo asks for a refund of the purchase, and lets its lifecycle begin.
func (p *purchase) undo(by string) models.Refund {
	p.Helper()
	r, err := p.st.RequestRefund(p.Context(), models.RefundRequest{OrderNumber: p.number, Reason: models.RefundMistake}, models.Actor{ID: by}, now())
	storetest.Must(p, err)
	p.tell(r)
	return r
}

func (p *purchase) tell(r models.Refund) {
	dispatch(p.T, p.engine, p.st, models.RefundLifecycle.WorkflowID(r.ID))
}

// bought is an order that is paid and fulfilled; it was not recorded how.
func (p *purchase) bought(card models.Secret) {
	p.Helper()
	p.place(card)
	if card == "" {
		p.pay(p.order().TotalMinor, "all")
	}
	p.becomes(models.OrderFulfilled)
	p.settle()
}

// sent lets the token of the purchase leave.
func (p *purchase) sent() *storetest.Device {
	p.Helper()
	storetest.Stock(p, p.st, p.ring, storetest.TokenModel, storetest.EventDevice, 1)
	return storetest.Shipped(p, p.st, p.order(), 1)
}

func (p *purchase) payOut(r models.Refund) {
	p.Helper()
	_, err := p.st.RecordPayout(p.Context(), models.NewPayout{RefundID: r.ID, SourceAccount: "DE99", BankReference: r.ID,
		Amount: models.Money{Minor: 4900, Currency: models.USD}, PaidAt: now()}, models.Actor{ID: "ak_1"}, now())
	storetest.Must(p, err)
	p.tell(r)
}

// ORD-5, SEC-1, OPS-3: a refund costs the engine what it must do, and its history replays. The floor: 3 for the run, 3 for each call to
// the card processor, 3 for each signal or timer.
func TestRefunds(t *testing.T) {
	engine := startEngine(t)
	cases := []struct {
		name        string
		transitions int64
		undo        func(p *purchase) models.Refund
	}{
		{"to_card", 6, func(p *purchase) models.Refund {
			p.bought("pm_card_visa")
			return p.undo("ak_1")
		}},
		{"refused_then_paid_out", 9, func(p *purchase) models.Refund {
			p.bought("pm_card_visa")
			_, err := p.outside.Give(p.Context(), sandbox.Payments, sandbox.Order{Operation: "refund", Effect: sandbox.Refuse})
			storetest.Must(p, err)
			r := p.undo("ak_1")
			p.payOut(r)
			return r
		}},
		{"paid_out", 6, func(p *purchase) models.Refund {
			p.bought("")
			r := p.undo("ak_1")
			p.payOut(r)
			return r
		}},
		{"kept", 6, func(p *purchase) models.Refund {
			p.bought("")
			r := p.undo("ak_1")
			storetest.Must(p, p.st.KeepAsCredit(p.Context(), r.ID, models.Actor{ID: "ak_1"}, now()))
			p.tell(r)
			return r
		}},
		{"returned", 9, func(p *purchase) models.Refund {
			p.bought("")
			device := p.sent()
			r := p.undo("ak_1")
			_, err := p.st.RecordReturn(p.Context(), device.Serial, models.ReturnedOpened, models.Actor{ID: "ak_2"}, now())
			storetest.Must(p, err)
			p.tell(r)
			p.payOut(r)
			return r
		}},
		{"lapsed", 9, func(p *purchase) models.Refund {
			p.bought("")
			p.sent()
			r := p.undo("ak_1")
			for _, told := range []int{2, 3} { // the reminder, the end
				skip(p.T, p.engine, models.RefundLifecycle.WorkflowID(r.ID))
				until(p.T, "the next milestone", func() bool { return len(p.about(r.ID)) == told })
				if told == 2 {
					settle(p.T, p.engine, models.RefundLifecycle.WorkflowID(r.ID))
				}
			}
			return r
		}},
		{"rejected", 6, func(p *purchase) models.Refund {
			product, err := p.st.Product(p.Context(), storetest.TokenSKU)
			storetest.Must(p, err)
			product.PriceMinor = 60000 // above the limit: a second person is needed
			storetest.Must(p, p.st.PutProduct(p.Context(), product))
			p.bought("")
			r := p.undo("ak_1")
			storetest.Must(p, p.st.RejectRefund(p.Context(), r.ID, "no", models.Actor{ID: "ak_2"}, now()))
			p.tell(r)
			return r
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p := shop(t, engine)
			r := c.undo(p)
			got := finish(t, engine, models.RefundLifecycle, r.ID, c.name)
			t.Logf("%d state transitions, floor %d", got, c.transitions)
			if got > c.transitions+c.transitions/2 {
				t.Errorf("%d state transitions, more than 1.5 times the floor of %d", got, c.transitions)
			}
		})
	}
}

func (p *purchase) about(ref string) []models.Notice {
	p.Helper()
	mails, err := p.st.NoticesAbout(p.Context(), ref, store.Page{Limit: 200})
	storetest.Must(p, err)
	return mails
}
