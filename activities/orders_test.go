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
	"tokendesk/internal/testpg"
	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
	"tokendesk/workflows"
)

type quiet struct{}

func (quiet) Accept()             {}
func (quiet) Reject(error)        {}
func (quiet) Complete(any, error) {}

// live runs the lifecycle of an order to its end, in virtual time.
func live(t *testing.T, steps *activities.Orders, number string) {
	t.Helper()
	liveFrom(t, steps, number, storetest.At)
}

func liveFrom(t *testing.T, steps *activities.Orders, number string, at time.Time) {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestWorkflowEnvironment()
	env.SetStartTime(at)
	env.SetTestTimeout(time.Minute)
	env.RegisterWorkflowWithOptions(workflows.Order, workflow.RegisterOptions{Name: string(models.OrderLifecycle)})
	steps.Bind(workflows.NewBinder(env))
	env.RegisterDelayedCallback(func() { env.UpdateWorkflow(workflows.PlaceUpdate, "place", quiet{}) }, 0)
	env.ExecuteWorkflow(string(models.OrderLifecycle), workflows.OrderInput{Number: number})
	if err := env.GetWorkflowError(); err != nil || !env.IsWorkflowCompleted() {
		t.Fatalf("ended with %v", err)
	}
}

// ORD-4: a capture worked, its answer was lost, and a bank transfer paid the invoice meanwhile: both moneys are in the books, and a
// person is told to refund the card.
func TestCardAndBankBothPaid(t *testing.T) {
	t.Parallel()
	st, ring := storetest.New(t), storetest.Keyring(t)
	outside, err := sandbox.Open(t.Context(), testpg.Empty(t))
	storetest.Must(t, err)
	t.Cleanup(outside.Close)
	processor, err := simulator.New(t.Context(), outside, simulator.Config{})
	storetest.Must(t, err)
	o, err := st.DraftOrder(t.Context(), storetest.NewOrder(storetest.Account(t, st).ID, models.PayByCard, storetest.TokenSKU), storetest.At)
	storetest.Must(t, err)
	storetest.Must(t, st.PlaceOrder(t.Context(), o.Number, storetest.At))
	c, err := st.LiveCharge(t.Context(), o.Number)
	storetest.Must(t, err)
	held, err := processor.Authorize(t.Context(), payment.AuthorizeRequest{IdempotencyKey: c.ID + "/authorize", Amount: o.Total(), PaymentMethod: c.PaymentMethod, OrderNumber: o.Number})
	storetest.Must(t, err)
	storetest.Must(t, st.ChargeAuthorized(t.Context(), c, held.Ref, storetest.At))
	_, err = processor.Capture(t.Context(), c.ID+"/capture", held.Ref, o.Total())
	storetest.Must(t, err)
	storetest.Pay(t, st, o, o.TotalMinor, "bank")

	live(t, &activities.Orders{Store: st, Payments: processor, Sealer: ring}, o.Number)
	for account, want := range map[string]int64{"card_clearing": 4900, "bank": 4900, "unapplied_cash": -4900} {
		if got, err := st.Balance(t.Context(), account, models.USD); err != nil || got != want {
			t.Errorf("%s: %d, want %d (%v)", account, got, want, err)
		}
	}
	cases, err := st.Cases(t.Context(), store.Page{})
	storetest.Must(t, err)
	if !slices.ContainsFunc(cases, func(c models.SupportCase) bool { return strings.Contains(c.Title, "refund") }) {
		t.Errorf("nobody is told to refund: %v", cases)
	}
}

// ORD-2, OPS-2: a card order on a real database and a stateful processor that misbehaves: it is charged once, whatever answers get
// lost, and never without becoming paid.
func TestCardOrder(t *testing.T) {
	lost := func(operation string) sandbox.Order {
		return sandbox.Order{Operation: operation, Effect: sandbox.TimeOut, Times: 2, Delay: sandbox.Duration(time.Millisecond)}
	}
	cases := []struct {
		name   string
		card   models.Secret
		orders []sandbox.Order
		want   models.OrderStatus
		taken  int64
	}{
		{"accepted", "pm_card_visa", nil, models.OrderFulfilled, 4900},
		{"the answer to the authorization is lost twice", "pm_card_visa", []sandbox.Order{lost("authorize")}, models.OrderFulfilled, 4900},
		{"the answer to the capture is lost twice", "pm_card_visa", []sandbox.Order{lost("capture")}, models.OrderFulfilled, 4900},
		{"the processor fails three times", "pm_card_visa", []sandbox.Order{{Operation: "authorize", Effect: sandbox.Fail, Times: 3}}, models.OrderFulfilled, 4900},
		{"the capture is refused once", "pm_card_visa", []sandbox.Order{{Operation: "capture", Effect: sandbox.Refuse, Times: 1}}, models.OrderFulfilled, 4900},
		{"the bank wants the buyer, and letting go is refused", "pm_card_authenticationRequired", []sandbox.Order{{Operation: "cancel", Effect: sandbox.Refuse, Times: 1}}, models.OrderCancelled, 0},
		{"declined", "pm_card_chargeDeclined", nil, models.OrderCancelled, 0}, // nobody pays again: it lapses
		{"the bank wants the buyer", "pm_card_authenticationRequired", nil, models.OrderCancelled, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			st, ring := storetest.New(t), storetest.Keyring(t)
			outside, err := sandbox.Open(t.Context(), testpg.Empty(t))
			storetest.Must(t, err)
			t.Cleanup(outside.Close)
			processor, err := simulator.New(t.Context(), outside, simulator.Config{})
			storetest.Must(t, err)
			for _, o := range c.orders {
				_, err := outside.Give(t.Context(), sandbox.Payments, o)
				storetest.Must(t, err)
			}
			n := storetest.NewOrder(storetest.Account(t, st).ID, models.PayByCard, storetest.TokenSKU)
			n.CardPaymentMethod = c.card
			draft, err := st.DraftOrder(t.Context(), n, storetest.At)
			storetest.Must(t, err)

			live(t, &activities.Orders{Store: st, Payments: processor, Sealer: ring}, draft.Number)

			if got := storetest.Order(t, st, draft.Number); got.Status != c.want {
				t.Errorf("the order is %s, want %s", got.Status, c.want)
			}
			charges, err := processor.Charges(context.Background(), draft.Number)
			storetest.Must(t, err)
			var taken int64
			for _, charge := range charges {
				taken += charge.Captured.Minor
				if charge.Status == "authorized" {
					t.Error("a hold was left on the card")
				}
			}
			if taken != c.taken || len(charges) > 1 {
				t.Errorf("%d charges, taken %d, want %d", len(charges), taken, c.taken)
			}
			if got, err := st.Balance(t.Context(), "card_clearing", models.USD); err != nil || got != c.taken {
				t.Errorf("card clearing %d, want %d (%v)", got, c.taken, err)
			}
		})
	}
}
