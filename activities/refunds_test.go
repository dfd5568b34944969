package activities_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"
	"tokendesk/activities"
	"tokendesk/activities/gateway/payment"
	"tokendesk/activities/gateway/payment/simulator"
	"tokendesk/activities/gateway/sandbox"
	"tokendesk/internal/seal"
	"tokendesk/internal/testpg"
	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
	"tokendesk/workflows"
)

// till is a shop with a simulated card processor, and one order that its card has paid.
type till struct {
	*testing.T
	st        *store.Store
	ring      *seal.Keyring
	outside   *sandbox.Store
	processor *simulator.Simulator
	order     models.Order
	charge    models.Charge
	env       *testsuite.TestWorkflowEnvironment
}

func newTill(t *testing.T, skus ...string) *till {
	t.Helper()
	c := &till{T: t, st: storetest.New(t), ring: storetest.Keyring(t)}
	var err error
	c.outside, err = sandbox.Open(t.Context(), testpg.Empty(t))
	storetest.Must(t, err)
	t.Cleanup(c.outside.Close)
	c.processor, err = simulator.New(t.Context(), c.outside, simulator.Config{})
	storetest.Must(t, err)
	o, err := c.st.DraftOrder(t.Context(), storetest.NewOrder(storetest.Account(t, c.st).ID, models.PayByCard, skus...), storetest.At)
	storetest.Must(t, err)
	live(t, &activities.Orders{Store: c.st, Payments: c.processor, Sealer: c.ring}, o.Number)
	c.order = storetest.Order(t, c.st, o.Number)
	charges, err := c.st.Charges(t.Context(), o.ID)
	storetest.Must(t, err)
	c.charge = charges[0]
	return c
}

func (c *till) request(positions ...int) models.Refund {
	c.Helper()
	r, err := c.st.RequestRefund(c.Context(), models.RefundRequest{OrderNumber: c.order.Number, Positions: positions, Reason: models.RefundNotNeeded},
		models.Actor{ID: "billing"}, storetest.At)
	storetest.Must(c, err)
	return r
}

// refund runs the lifecycle of a refund in virtual time, with a gateway, until it ends.
func (c *till) refund(r models.Refund, gateway activities.RefundPayments) {
	c.Helper()
	c.start(gateway)
	c.run(r)
}

func (c *till) start(gateway activities.RefundPayments) {
	var suite testsuite.WorkflowTestSuite
	c.env = suite.NewTestWorkflowEnvironment()
	c.env.SetStartTime(storetest.At)
	c.env.SetTestTimeout(time.Minute)
	c.env.RegisterWorkflowWithOptions(workflows.Refund, workflow.RegisterOptions{Name: string(models.RefundLifecycle)})
	(&activities.Refunds{Store: c.st, Payments: gateway}).Bind(workflows.NewBinder(c.env))
}

func (c *till) run(r models.Refund) {
	c.Helper()
	c.env.ExecuteWorkflow(string(models.RefundLifecycle), workflows.RefundInput{ID: r.ID})
	if err := c.env.GetWorkflowError(); err != nil || !c.env.IsWorkflowCompleted() {
		c.Fatalf("ended %v with %v", c.env.IsWorkflowCompleted(), err)
	}
}

// on lets something happen at a moment after the start; the lifecycle hears of it.
func (c *till) on(after time.Duration, r models.Refund, do func()) {
	c.env.RegisterDelayedCallback(func() {
		do()
		c.env.SignalWorkflow(string(models.SignalRefundChanged), r.ID)
	}, after)
}

func (c *till) wantBack(status models.RefundStatus, r models.Refund, back int64) {
	c.Helper()
	r, err := c.st.Refund(context.Background(), r.ID)
	storetest.Must(c, err)
	if r.Status != status {
		c.Errorf("the refund is %s, want %s", r.Status, status)
	}
	charge, err := c.processor.Fetch(context.Background(), *c.charge.ProviderRef)
	storetest.Must(c, err)
	if charge.Refunded.Minor != back {
		c.Errorf("the processor gave %d back, want %d", charge.Refunded.Minor, back)
	}
	clearing, err := c.st.Balance(context.Background(), "card_clearing", models.USD)
	storetest.Must(c, err)
	if status == models.RefundDone && clearing != charge.Captured.Minor-charge.Refunded.Minor {
		c.Errorf("the books say %d, the processor has %d", clearing, charge.Captured.Minor-charge.Refunded.Minor)
	}
}

func (c *till) cases() (titles []string) {
	c.Helper()
	all, err := c.st.Cases(context.Background(), store.Page{})
	storetest.Must(c, err)
	for _, one := range all {
		titles = append(titles, one.Title)
	}
	return titles
}

// ORD-5, OPS-2: the card gets its money back once, whatever answers get lost.
func TestCardIsRefundedOnce(t *testing.T) {
	lost := sandbox.Order{Operation: "refund", Effect: sandbox.TimeOut, Times: 2, Delay: sandbox.Duration(time.Millisecond)}
	for _, c := range []struct {
		name   string
		orders []sandbox.Order
		cases  int
	}{
		{"at once", nil, 0},
		{"the answer is lost twice", []sandbox.Order{lost}, 0},
		{"the processor is down for a while", []sandbox.Order{{Operation: "fetch", Effect: sandbox.Fail, Times: 30}}, 0},
		{"refused twice, for a person to look", []sandbox.Order{{Operation: "refund", Effect: sandbox.Refuse, Times: 2}}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			till := newTill(t, storetest.TokenSKU)
			for _, o := range c.orders {
				_, err := till.outside.Give(t.Context(), sandbox.Payments, o)
				storetest.Must(t, err)
			}
			r := till.request()
			till.refund(r, till.processor)
			till.wantBack(models.RefundDone, r, 4900)
			if got := till.cases(); len(got) != c.cases {
				t.Errorf("cases: %q", got)
			}
		})
	}
}

// dies calls the processor, and then the process is gone: at every place where it may be.
type dies struct {
	*simulator.Simulator
	deaths int
}

func (d *dies) Refund(ctx context.Context, key, ref string, amount models.Money) (payment.Charge, error) {
	c, err := d.Simulator.Refund(ctx, key, ref, amount)
	if d.deaths--; d.deaths >= 0 {
		return payment.Charge{}, models.ServiceDown.New("killed")
	}
	return c, err
}

// ORD-5, OPS-2: killed between the call and its record, and asked again after the processor has forgotten the key: still one refund.
func TestKilledBetweenCallAndRecord(t *testing.T) {
	t.Parallel()
	c := newTill(t, storetest.TokenSKU, storetest.TokenSKU)
	first, second := c.request(1), c.request(2)
	c.refund(first, &dies{c.processor, 3})
	c.wantBack(models.RefundDone, first, 4900)

	in, err := c.st.IntendCardRefund(t.Context(), second.ID, storetest.At)
	storetest.Must(t, err)
	_, err = c.processor.Refund(t.Context(), "a key that was forgotten", in.ProviderRef, in.Refund.CardDue())
	storetest.Must(t, err)
	c.refund(second, c.processor)
	c.wantBack(models.RefundDone, second, 9800)
}

// slow takes a refund up, and gives the money back when it is told to.
type slow struct {
	*simulator.Simulator
	asked int
	give  func() error
}

func (s *slow) Refund(ctx context.Context, key, ref string, amount models.Money) (payment.Charge, error) {
	s.asked++
	s.give = func() error {
		_, err := s.Simulator.Refund(context.Background(), key, ref, amount)
		return err
	}
	return s.Fetch(ctx, ref)
}

// ORD-5: a processor that takes days is asked once, and looked after until the money is back.
func TestProcessorTakesItsTime(t *testing.T) {
	t.Parallel()
	c := newTill(t, storetest.TokenSKU)
	r, gateway := c.request(), &slow{Simulator: c.processor}
	c.start(gateway)
	c.env.RegisterDelayedCallback(func() { storetest.Must(t, gateway.give()) }, 50*time.Hour) // no webhook tells of it
	c.run(r)
	c.wantBack(models.RefundDone, r, 4900)
	if gateway.asked != 1 {
		t.Errorf("asked %d times", gateway.asked)
	}
	r, err := c.st.Refund(t.Context(), r.ID)
	storetest.Must(t, err)
	if took := r.CardRefundedAt.Sub(storetest.At); took < 50*time.Hour || took > 51*time.Hour {
		t.Errorf("seen after %s", took)
	}
}

// ORD-5: money that somebody gave back at the processor's own desk is taken for what it is; a part of it is for a person.
func TestRefundedElsewhere(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		minor int64
		want  models.RefundStatus
		cases []string
	}{
		{"all of it", 4900, models.RefundDone, nil},
		{"more than was asked for", 6000, models.RefundDone, []string{"the card processor has given back more than our books know of"}},
		{"a part", 1000, models.RefundDone, []string{"the card processor does not give the money back: a part of it went back without our asking"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := newTill(t, storetest.TokenSKU, storetest.TokenSKU)
			_, err := c.processor.Refund(t.Context(), "desk", *c.charge.ProviderRef, models.Money{Minor: tt.minor, Currency: models.USD})
			storetest.Must(t, err)
			r := c.request(1)
			c.start(c.processor)
			c.on(time.Hour, r, func() { // a person looks, and billing pays it out
				_, err := c.st.RecordPayout(context.Background(), r.ID, models.NewPayout{SourceAccount: "DE99", BankReference: "b1",
					Amount: models.Money{Minor: 4900, Currency: models.USD}, PaidAt: storetest.At}, models.Actor{ID: "billing"}, storetest.At)
				storetest.Must(t, err)
			})
			c.run(r)
			if got := c.cases(); !slices.Equal(got, tt.cases) {
				t.Errorf("cases: %q", got)
			}
			charge, err := c.processor.Fetch(t.Context(), *c.charge.ProviderRef)
			storetest.Must(t, err)
			if charge.Refunded.Minor != tt.minor {
				t.Errorf("the processor gave %d back", charge.Refunded.Minor)
			}
			r, err = c.st.Refund(t.Context(), r.ID)
			storetest.Must(t, err)
			if r.Status != tt.want {
				t.Errorf("the refund is %s", r.Status)
			}
		})
	}
}

// ORD-5: two refunds to one card go one after the other, and the second is not taken for the first.
func TestTwoRefundsToOneCard(t *testing.T) {
	t.Parallel()
	c := newTill(t, storetest.TokenSKU, storetest.TokenSKU)
	first, second := c.request(1), c.request(2)
	gateway := &slow{Simulator: c.processor}
	steps := &activities.Refunds{Store: c.st, Payments: gateway}
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	steps.Bind(workflows.NewBinder(env))
	ask := func(r models.Refund) workflows.CardAnswer {
		t.Helper()
		v, err := env.ExecuteActivity("refund.card", workflows.RefundAt{ID: r.ID, At: storetest.At})
		storetest.Must(t, err)
		var answer workflows.CardAnswer
		storetest.Must(t, v.Get(&answer))
		return answer
	}
	for range 2 {
		if a, b := ask(first), ask(second); a != workflows.CardPending || b != workflows.CardPending {
			t.Fatalf("first %s, second %s", a, b)
		}
	}
	storetest.Must(t, gateway.give())
	if a := ask(first); a != workflows.CardDone {
		t.Fatalf("first %s", a)
	}
	if b := ask(second); b != workflows.CardPending || gateway.asked != 2 {
		t.Fatalf("second %s, asked %d times", b, gateway.asked)
	}
	storetest.Must(t, gateway.give())
	if b := ask(second); b != workflows.CardDone {
		t.Fatalf("second %s", b)
	}
	c.wantBack(models.RefundDone, second, 9800)
}

// ORD-5: the mails of a refund say what they should, and the credit note comes as a paper.
func TestMailsOfARefund(t *testing.T) {
	t.Parallel()
	c := newTill(t, storetest.TokenSKU)
	p := newPost(t, c.st, c.ring)
	r := c.request()
	c.refund(r, c.processor)
	buyer := c.order.BuyerID
	note, err := c.st.CreditNoteOfRefund(t.Context(), r.ID)
	storetest.Must(t, err)
	for kind, want := range map[models.NoticeKind]string{
		models.NoticeReturnToken: "1 Main Street", models.NoticeReturnReminder: "until 1 May", models.NoticeCreditNote: note.Number, models.NoticeRefunded: "USD 49.00 went to the card",
		models.NoticeRefundKept: "kept as your credit", models.NoticeRefundRejected: "was not granted", models.NoticeRefundWithdrawn: "did not come back to us in time",
	} {
		m, err := p.mailer.Composer.Compose(t.Context(), models.Notice{ID: "no_1", Kind: kind, AccountID: &buyer, ToAddress: "a@example.com", SubjectRef: r.ID, MessageID: "no_1@tokendesk",
			CreatedAt: storetest.At, Params: map[string]string{"by": "1 May 2027", "amount": "USD 49.00", "card": "USD 49.00", "cause": "lapsed", "credit_note": note.Number}})
		if err != nil {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		if err := m.Check(); err != nil || !strings.Contains(m.Subject+m.Text, want) || strings.Contains(m.Text, "no value") || strings.Contains(m.Text, "{{") {
			t.Errorf("%s: %v\n%s\n%s", kind, err, m.Subject, m.Text)
		}
		if papers := len(m.Attachments); (kind == models.NoticeCreditNote) != (papers == 1) {
			t.Errorf("%s has %d papers", kind, papers)
		}
	}
}
