package workflows_test

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"
	"tokendesk/activities"
	"tokendesk/internal/seal"
	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
	"tokendesk/workflows"
)

// undoing is one refund in virtual time, on a real database. Its order was paid through the bank.
type undoing struct {
	*testing.T
	st    *store.Store
	ring  *seal.Keyring
	env   *testsuite.TestWorkflowEnvironment
	order models.Order
	id    string
	log   bytes.Buffer // of the engine's own library
}

func newUndoing(t *testing.T, skus ...string) *undoing {
	t.Helper()
	u := &undoing{T: t, st: storetest.New(t), ring: storetest.Keyring(t)}
	storetest.Stock(t, u.st, u.ring, storetest.TokenModel, storetest.EventDevice, 2)
	u.order = storetest.FulfilledOrder(t, u.st, u.ring, storetest.Account(t, u.st).ID, skus...)
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.NewTextHandler(&u.log, nil))))
	u.env = suite.NewTestWorkflowEnvironment()
	u.env.SetStartTime(storetest.At)
	u.env.SetTestTimeout(time.Minute)
	(&activities.Refunds{Store: u.st}).Bind(workflows.NewBinder(u.env))
	return u
}

// request asks for everything of the order.
func (u *undoing) request(by models.Actor) {
	u.Helper()
	r, err := u.st.RequestRefund(u.Context(), models.RefundRequest{OrderNumber: u.order.Number, Reason: models.RefundNotNeeded}, by, storetest.At)
	storetest.Must(u, err)
	u.id = r.ID
	u.deliver()
}

func (u *undoing) on(after time.Duration, do func(at time.Time) error) {
	u.env.RegisterDelayedCallback(func() {
		storetest.Must(u, do(u.env.Now()))
		u.deliver()
	}, after)
}

func (u *undoing) deliver() {
	ctx := context.Background()
	messages, err := u.st.ClaimOutbox(ctx, 100, u.env.Now(), time.Hour)
	storetest.Must(u, err)
	for _, m := range messages {
		if m.Kind == models.OutboxSignal && m.WorkflowID == models.RefundLifecycle.WorkflowID(u.id) {
			u.env.SignalWorkflow(m.Name, m.Ref)
		}
		storetest.Must(u, u.st.OutboxDispatched(ctx, []int64{m.ID}, u.env.Now()))
	}
}

// run performs the lifecycle and checks where it ends, and what the buyer and staff were told.
func (u *undoing) run(want models.RefundStatus, cases int, notices ...models.NoticeKind) models.Refund {
	u.Helper()
	u.env.ExecuteWorkflow(workflows.Refund, workflows.RefundInput{ID: u.id})
	if !u.env.IsWorkflowCompleted() || u.env.GetWorkflowError() != nil {
		u.Fatalf("completed %v: %v", u.env.IsWorkflowCompleted(), u.env.GetWorkflowError())
	}
	r, err := u.st.Refund(context.Background(), u.id)
	storetest.Must(u, err)
	if r.Status != want {
		u.Errorf("the refund is %s, want %s", r.Status, want)
	}
	var told []models.NoticeKind
	rows, err := u.st.Pool().Query(context.Background(), "select kind from notices where subject_ref = $1", u.id)
	storetest.Must(u, err)
	defer rows.Close()
	for rows.Next() {
		var k models.NoticeKind
		storetest.Must(u, rows.Scan(&k))
		told = append(told, k)
	}
	slices.Sort(told)
	slices.Sort(notices)
	if !slices.Equal(told, notices) {
		u.Errorf("the buyer was told %v, want %v", told, notices)
	}
	open, err := u.st.Cases(context.Background(), store.Page{})
	storetest.Must(u, err)
	if len(open) != cases {
		u.Errorf("%d cases, want %d: %v", len(open), cases, open)
	}
	return r
}

var (
	clerk      = models.Actor{ID: "ak_clerk"}
	supervisor = models.Actor{ID: "ak_supervisor"}
)

// SEC-1: six lines at 99.00 are above the limit of 500.00.
var manyLines = []string{storetest.ProofedTokenSKU, storetest.ProofedTokenSKU, storetest.ProofedTokenSKU, storetest.ProofedTokenSKU, storetest.ProofedTokenSKU, storetest.ProofedTokenSKU}

func (u *undoing) payOut(minor int64) func(time.Time) error {
	return func(at time.Time) error {
		_, err := u.st.RecordPayout(context.Background(), u.id, models.NewPayout{SourceAccount: "DE99", BankReference: "b1",
			Amount: models.Money{Minor: minor, Currency: models.USD}, PaidAt: at}, clerk, at)
		return err
	}
}

// ORD-5, SEC-1: a refund waits for its second person, who is asked for after three days, then for billing, who is asked for after
// fourteen.
func TestRefundWaitsForPeople(t *testing.T) {
	t.Parallel()
	u := newUndoing(t, manyLines...)
	u.request(clerk)
	u.on(5*day, func(at time.Time) error { return u.st.ApproveRefund(context.Background(), u.id, supervisor, at) })
	u.on(30*day, u.payOut(59400))
	r := u.run(models.RefundDone, 2, models.NoticeCreditNote, models.NoticeRefunded)
	if waited := r.CreditedAt.Sub(storetest.At); waited != 5*day {
		t.Errorf("credited after %s", waited)
	}
}

// SEC-1: a second person may refuse.
func TestRefundRejected(t *testing.T) {
	t.Parallel()
	u := newUndoing(t, manyLines...)
	u.request(clerk)
	u.on(day, func(at time.Time) error {
		return u.st.RejectRefund(context.Background(), u.id, "they keep them", supervisor, at)
	})
	u.run(models.RefundRejected, 0, models.NoticeRefundRejected)
}

// ORD-5: the token comes back on the last day, after the reminder; then billing keeps the money as credit.
func TestRefundWaitsForToken(t *testing.T) {
	t.Parallel()
	u := newUndoing(t, storetest.TokenSKU)
	d := storetest.Shipped(t, u.st, u.order, 1)
	u.request(clerk)
	u.on(30*day, func(at time.Time) error {
		_, err := u.st.RecordReturn(context.Background(), d.Serial, models.ReturnedOpened, models.Actor{ID: "warehouse"}, at)
		return err
	})
	u.on(31*day, func(at time.Time) error { return u.st.KeepAsCredit(context.Background(), u.id, clerk, at) })
	u.run(models.RefundKept, 0, models.NoticeReturnToken, models.NoticeReturnReminder, models.NoticeCreditNote, models.NoticeRefundKept)
}

// ORD-5: what does not come back is not refunded, a moment after the last day.
func TestRefundLapsesByItself(t *testing.T) {
	t.Parallel()
	u := newUndoing(t, storetest.TokenSKU)
	storetest.Shipped(t, u.st, u.order, 1)
	u.request(clerk)
	r := u.run(models.RefundLapsed, 0, models.NoticeReturnToken, models.NoticeReturnReminder, models.NoticeRefundWithdrawn)
	if want := time.Date(2026, 12, 3, 5, 0, 0, 0, time.UTC); !r.EndedAt.Equal(want) {
		t.Errorf("ended %s, want %s: the end of the thirtieth day in New York", r.EndedAt, want)
	}
}

// ORD-5: withdrawn while the token is out.
func TestRefundWithdrawn(t *testing.T) {
	t.Parallel()
	u := newUndoing(t, storetest.TokenSKU)
	storetest.Shipped(t, u.st, u.order, 1)
	u.request(clerk)
	u.on(day, func(at time.Time) error { return u.st.WithdrawRefund(context.Background(), u.id, clerk, at) })
	u.run(models.RefundWithdrawn, 0, models.NoticeReturnToken, models.NoticeRefundWithdrawn)
}

// stuck seals nothing: the order is paid, and its keys cannot be issued.
type stuck struct{}

func (stuck) Seal(models.SecretBytes, string) ([]byte, error) {
	return nil, models.ServiceDown.New("no key to seal with")
}

// accepts is the answer to an update that must not be refused.
type accepts struct{ *testing.T }

func (accepts) Accept()                   {}
func (a accepts) Reject(err error)        { a.Error(err) }
func (a accepts) Complete(_ any, e error) { storetest.Must(a, e) }

// ORD-5: an order that is refunded while it is paid and waits to be fulfilled is not fulfilled any more, and its lifecycle ends.
func TestOrderRefundedBeforeFulfilment(t *testing.T) {
	t.Parallel()
	st := storetest.New(t)
	o, err := st.DraftOrder(t.Context(), storetest.NewOrder(storetest.Account(t, st).ID, models.PayByInvoice, storetest.TokenSKU), storetest.At)
	storetest.Must(t, err)
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestWorkflowEnvironment()
	env.SetStartTime(storetest.At)
	env.SetTestTimeout(2 * time.Minute)
	(&activities.Orders{Store: st, Sealer: stuck{}}).Bind(workflows.NewBinder(env))
	env.RegisterDelayedCallback(func() { env.UpdateWorkflow(workflows.PlaceUpdate, "place", accepts{t}) }, 0)
	env.RegisterDelayedCallback(func() {
		storetest.Pay(t, st, o, o.TotalMinor, "all")
		env.SignalWorkflow(string(models.SignalPaymentReceived), o.ID)
	}, time.Hour)
	env.RegisterDelayedCallback(func() {
		_, err := st.RequestRefund(context.Background(), models.RefundRequest{OrderNumber: o.Number, Reason: models.RefundMistake}, clerk, env.Now())
		storetest.Must(t, err)
		env.SignalWorkflow(string(models.SignalOrderChanged), o.ID)
	}, time.Hour+30*time.Second)
	env.ExecuteWorkflow(workflows.Order, workflows.OrderInput{Number: o.Number})
	if !env.IsWorkflowCompleted() || env.GetWorkflowError() != nil {
		t.Fatalf("completed %v: %v", env.IsWorkflowCompleted(), env.GetWorkflowError())
	}
	if got := storetest.Order(t, st, o.Number); got.Status != models.OrderRefunded || got.FulfilledAt != nil {
		t.Errorf("the order is %s, fulfilled %v", got.Status, got.FulfilledAt)
	}
}

// OPS-1: what arrives while a refund does its last step is taken before it ends: the library has nothing to warn of.
func TestRefundEndsWithNothingUnread(t *testing.T) {
	t.Parallel()
	u := newUndoing(t)
	u.request(clerk)
	storetest.Must(t, u.payOut(u.order.TotalMinor)(storetest.At))
	u.env.SetOnLocalActivityStartedListener(func(*activity.Info, context.Context, []any) {
		u.env.SignalWorkflow(string(models.SignalRefundChanged), u.id)
	})
	u.run(models.RefundDone, 0, models.NoticeCreditNote, models.NoticeRefunded)
	if strings.Contains(u.log.String(), "unhandled signals") {
		t.Errorf("the log says: %s", &u.log)
	}
}
