package workflows_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"
	"tokendesk/activities"
	"tokendesk/activities/gateway/carrier"
	"tokendesk/activities/gateway/carrier/simulator"
	"tokendesk/activities/gateway/sandbox"
	"tokendesk/internal/calendar"
	"tokendesk/internal/testpg"
	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
	"tokendesk/workflows"
)

// journey is one shipment in virtual time, on a real database and a simulated carrier.
type journey struct {
	*testing.T
	st      *store.Store
	outside *sandbox.Store
	post    *simulator.Simulator
	env     *testsuite.TestWorkflowEnvironment
	id      string
}

// newJourney prepares a shipment that starts at the moment, with tokens in stock.
func newJourney(t *testing.T, start time.Time, tokens int) *journey {
	t.Helper()
	j := &journey{T: t, st: storetest.New(t)}
	var err error
	j.outside, err = sandbox.Open(t.Context(), testpg.Empty(t))
	storetest.Must(t, err)
	t.Cleanup(j.outside.Close)
	j.post, err = simulator.New(t.Context(), j.outside, simulator.Config{Now: func() time.Time { return j.env.Now() }})
	storetest.Must(t, err)
	j.id = storetest.Shipments(t, j.st, 1)[0]
	if tokens > 0 {
		j.stock(tokens)
	}
	var suite testsuite.WorkflowTestSuite
	j.env = suite.NewTestWorkflowEnvironment()
	j.env.SetStartTime(start)
	j.env.SetTestTimeout(time.Minute)
	shipping := &activities.Shipping{Store: j.st, Carrier: j.post, Calendar: calendar.Carrier(models.DefaultPolicy().Location())}
	shipping.Bind(workflows.NewBinder(j.env))
	return j
}

func (j *journey) stock(n int) {
	storetest.Stock(j, j.st, storetest.Keyring(j), storetest.TokenModel, storetest.EventDevice, n)
}

// on lets something happen at a moment after the start; then the outbox is delivered.
func (j *journey) on(after time.Duration, do func()) {
	j.env.RegisterDelayedCallback(func() {
		do()
		j.deliver()
	}, after)
}

// deliver hands the outbox to the engine.
func (j *journey) deliver() {
	ctx := context.Background()
	messages, err := j.st.ClaimOutbox(ctx, 100, j.env.Now(), time.Hour)
	storetest.Must(j, err)
	for _, m := range messages {
		if m.Kind == models.OutboxSignal && m.WorkflowID == models.ShipmentLifecycle.WorkflowID(j.id) {
			j.env.SignalWorkflow(m.Name, m.Ref)
		}
		storetest.Must(j, j.st.OutboxDispatched(ctx, []int64{m.ID}, j.env.Now()))
	}
}

// happens lets the carrier do something with the n-th parcel, and tells us as often as given.
func (j *journey) happens(parcel int, kind carrier.Kind, told int) {
	e, err := j.post.Happen(context.Background(), j.tracking(parcel), kind, j.env.Now())
	storetest.Must(j, err)
	for range told {
		j.told(e)
	}
}

func (j *journey) told(e carrier.Event) {
	_, err := j.st.RecordCarrierEvent(context.Background(), models.CarrierEvent{ID: e.ID, Carrier: activities.CarrierSource, TrackingNumber: e.TrackingNumber,
		Kind: models.CarrierEventKind(e.Kind), OccurredAt: e.OccurredAt}, j.env.Now())
	storetest.Must(j, err)
}

func (j *journey) tracking(parcel int) string {
	_, parcels := j.look()
	if len(parcels) < parcel || parcels[parcel-1].TrackingNumber == nil {
		j.Fatalf("parcel %d has no label at %s", parcel, j.env.Now())
	}
	return *parcels[parcel-1].TrackingNumber
}

func (j *journey) look() (models.Shipment, []models.Parcel) {
	sh, parcels, err := j.st.Shipment(context.Background(), j.id)
	storetest.Must(j, err)
	return sh, parcels
}

// run performs the lifecycle and checks where it ends, what the buyer was told, and how many labels were bought.
func (j *journey) run(want models.ShipmentStatus, labels int, notices ...models.NoticeKind) models.Shipment {
	j.Helper()
	j.env.ExecuteWorkflow(workflows.Shipment, workflows.ShipmentInput{ID: j.id})
	if !j.env.IsWorkflowCompleted() || j.env.GetWorkflowError() != nil {
		j.Fatalf("completed %v: %v", j.env.IsWorkflowCompleted(), j.env.GetWorkflowError())
	}
	sh, _ := j.look()
	if sh.Status != want {
		j.Errorf("the shipment is %s, want %s", sh.Status, want)
	}
	about, err := j.st.NoticesAbout(context.Background(), j.id, store.Page{Limit: 200})
	storetest.Must(j, err)
	var told []models.NoticeKind
	for _, n := range about {
		told = append(told, n.Kind)
	}
	slices.Sort(told) // several stand at the same moment
	slices.Sort(notices)
	if !slices.Equal(told, notices) {
		j.Errorf("the buyer was told %v, want %v", told, notices)
	}
	bought, err := j.post.Parcels(context.Background(), j.id)
	storetest.Must(j, err)
	if len(bought) != labels {
		j.Errorf("%d labels were bought, want %d", len(bought), labels)
	}
	return sh
}

var thursday = time.Date(2026, 11, 5, 15, 0, 0, 0, time.UTC) // before a weekend and Veterans Day

// SHP-1: packed, shipped, delivered.
func TestShipmentDelivered(t *testing.T) {
	t.Parallel()
	j := newJourney(t, thursday, 1)
	j.on(6*time.Hour, func() { j.happens(1, carrier.InTransit, 1) })
	j.on(2*day, func() { j.happens(1, carrier.Delivered, 1) })
	sh := j.run(models.ShipmentDelivered, 1, models.NoticeShipped, models.NoticeDelivered)
	if late := time.Date(2026, 11, 16, 5, 0, 0, 0, time.UTC); !sh.LateFrom.Equal(late) {
		t.Errorf("late from %s, want %s: the sixth business day after Thursday, with Veterans Day and two weekends between", sh.LateFrom, late)
	}
	if by := time.Date(2026, 11, 14, 5, 0, 0, 0, time.UTC); !sh.PromisedBy.Equal(by) {
		t.Errorf("promised by %s, want %s: the end of the fifth", sh.PromisedBy, by)
	}
}

// SHP-2: what the carrier tells may repeat and come in any order.
func TestShipmentRepeatedAndOutOfOrder(t *testing.T) {
	t.Parallel()
	j := newJourney(t, thursday, 1)
	var first carrier.Event
	j.on(time.Hour, func() {
		e, err := j.post.Happen(context.Background(), j.tracking(1), carrier.InTransit, j.env.Now())
		storetest.Must(j, err)
		first = e
	})
	j.on(2*time.Hour, func() { j.happens(1, carrier.Exception, 2) })
	j.on(3*time.Hour, func() { j.told(first) })
	j.on(day, func() {
		if sh, _ := j.look(); sh.Status != models.ShipmentException {
			t.Errorf("older news that came later moved it to %s", sh.Status)
		}
		j.happens(1, carrier.Delivered, 3)
	})
	j.run(models.ShipmentDelivered, 1, models.NoticeShipped, models.NoticeDelivered)
}

// SHP-1, SHP-2: late from business day 6; buyer and staff are told; it may still arrive.
func TestShipmentLate(t *testing.T) {
	t.Parallel()
	j := newJourney(t, thursday, 1)
	j.on(day, func() { j.happens(1, carrier.InTransit, 1) })
	j.on(20*day, func() { j.happens(1, carrier.Delivered, 1) })
	sh := j.run(models.ShipmentDelivered, 1, models.NoticeShipped, models.NoticeLate, models.NoticeDelivered)
	if sh.LateSince == nil || sh.LateSince.Sub(*sh.LateFrom) > time.Minute || sh.LateSince.Before(*sh.LateFrom) {
		t.Errorf("late since %v, want %v", sh.LateSince, sh.LateFrom)
	}
	cases, err := j.st.Cases(t.Context(), store.Page{})
	storetest.Must(t, err)
	if len(cases) != 1 || cases[0].SubjectRef != j.id {
		t.Errorf("staff were told %+v", cases)
	}
}

// SHP-2: of a parcel that never comes the carrier is asked more and more rarely; it counts as missing after the policy's term, and waits for a
// person, who is reminded as rarely. What the person says is done.
func TestShipmentMissing(t *testing.T) {
	t.Parallel()
	j := newJourney(t, thursday, 2)
	const years = 3 * 365 * day
	asked := 0
	j.env.SetOnActivityStartedListener(func(info *activity.Info, _ context.Context, _ converter.EncodedValues) {
		if info.ActivityType.Name == "shipment.track" {
			asked++
		}
	})
	j.on(80*day, func() {
		if sh, _ := j.look(); sh.MissingSince == nil {
			t.Errorf("shipment %+v", sh)
		}
		cases, err := j.st.Cases(context.Background(), store.Page{})
		storetest.Must(t, err)
		for _, c := range cases {
			storetest.Must(t, j.st.CloseCase(context.Background(), c.ID, models.Actor{ID: "ak_1"}, j.env.Now()))
		}
	})
	j.on(years, func() {
		if asked != 9 { // late, missing, and in the weeks 1, 3, 7, 15, 31, 63 and 127 after it was late
			t.Errorf("the carrier was asked %d times", asked)
		}
		if cases, err := j.st.Cases(context.Background(), store.Page{}); err != nil || len(cases) != 1 || cases[0].SubjectRef != j.id {
			t.Errorf("open cases %+v, %v", cases, err)
		}
		storetest.Must(t, j.st.DeclareLost(context.Background(), j.id, "no trace", models.Actor{ID: "ak_1"}, j.env.Now()))
	})
	j.on(years+day, func() { j.happens(2, carrier.Delivered, 1) })
	j.run(models.ShipmentDelivered, 2, models.NoticeShipped, models.NoticeLate, models.NoticeReshipped, models.NoticeShipped, models.NoticeDelivered)
}

// SHP-2: webhooks that never come do not make a delivered parcel late.
func TestShipmentAsksTheCarrier(t *testing.T) {
	t.Parallel()
	j := newJourney(t, thursday, 1)
	j.on(day, func() { j.happens(1, carrier.InTransit, 0) })
	j.on(2*day, func() { j.happens(1, carrier.Delivered, 0) })
	j.env.SetOnTimerFiredListener(func(string) { j.env.RegisterDelayedCallback(j.deliver, time.Second) })
	j.run(models.ShipmentDelivered, 1, models.NoticeShipped, models.NoticeDelivered)
}

// SHP-2: lost, then returned, then delivered: three parcels, three serials, two of them retired.
func TestShipmentReship(t *testing.T) {
	t.Parallel()
	j := newJourney(t, thursday, 3)
	j.on(day, func() { j.happens(1, carrier.Lost, 1) })
	j.on(2*day, func() { j.happens(2, carrier.Returned, 2) })
	j.on(3*day, func() { j.happens(1, carrier.Delivered, 1) }) // the first parcel turns up: its serial is retired
	j.on(4*day, func() { j.happens(3, carrier.Delivered, 1) })
	j.run(models.ShipmentDelivered, 3, models.NoticeShipped, models.NoticeReshipped, models.NoticeShipped, models.NoticeReshipped, models.NoticeShipped, models.NoticeDelivered)
	_, parcels := j.look()
	var statuses []models.TokenStatus
	for _, p := range parcels {
		token, err := j.st.Token(t.Context(), p.Serial)
		storetest.Must(t, err)
		statuses = append(statuses, token.Status)
	}
	if want := []models.TokenStatus{models.TokenRetired, models.TokenRetired, models.TokenShipped}; !slices.Equal(statuses, want) {
		t.Errorf("the tokens are %v, want %v", statuses, want)
	}
}

// SHP-2: without stock the shipment waits, and goes on when stock is imported; also when nobody tells it so.
func TestShipmentBackorder(t *testing.T) {
	t.Parallel()
	t.Run("told", func(t *testing.T) {
		j := newJourney(t, thursday, 0)
		j.on(40*time.Hour, func() { j.stock(1) })
		j.on(41*time.Hour, func() { j.happens(1, carrier.Delivered, 1) })
		j.run(models.ShipmentDelivered, 1, models.NoticeShipped, models.NoticeDelivered)
	})
	t.Run("not told", func(t *testing.T) {
		j := newJourney(t, thursday, 0)
		j.env.RegisterDelayedCallback(func() { j.stock(1) }, 40*time.Hour)
		j.on(49*time.Hour, func() { j.happens(1, carrier.Delivered, 1) })
		j.run(models.ShipmentDelivered, 1, models.NoticeShipped, models.NoticeDelivered)
	})
}

// SHP-1: a shipment that has not left can be cancelled.
func TestShipmentCancelled(t *testing.T) {
	t.Parallel()
	for name, tokens := range map[string]int{"waiting for stock": 0, "label refused": 1} {
		t.Run(name, func(t *testing.T) {
			j := newJourney(t, thursday, tokens)
			j.disturb(sandbox.Order{Operation: "buy_label", Effect: sandbox.Refuse, Times: 100})
			j.on(30*time.Hour, func() {
				storetest.Must(t, j.st.CancelShipment(context.Background(), j.id, models.Actor{ID: "ak_1"}, j.env.Now()))
			})
			j.run(models.ShipmentCancelled, 0)
			if free, err := j.st.Tokens(t.Context(), store.TokenFilter{Status: models.TokenInStock}, store.Page{}); err != nil || len(free) != tokens {
				t.Errorf("%d tokens in stock, want %d: %v", len(free), tokens, err)
			}
		})
	}
}

func (j *journey) disturb(o sandbox.Order) {
	_, err := j.outside.Give(context.Background(), sandbox.Carrier, o)
	storetest.Must(j, err)
}

// SHP-1: an address that the carrier refuses waits for a person, and goes on when it is corrected.
func TestShipmentAddressCorrected(t *testing.T) {
	t.Parallel()
	j := newJourney(t, thursday, 1)
	j.disturb(sandbox.Order{Operation: "buy_label", Effect: sandbox.Refuse})
	j.on(time.Hour, func() {
		to := storetest.Address()
		to.Line1 = "2 Other Street"
		storetest.Must(t, j.st.CorrectAddress(context.Background(), j.id, to, models.Actor{ID: "ak_1"}, j.env.Now()))
	})
	j.on(2*time.Hour, func() { j.happens(1, carrier.Delivered, 1) })
	j.run(models.ShipmentDelivered, 1, models.NoticeShipped, models.NoticeDelivered)
}

// OPS-2: a carrier that fails, or does the work and never answers, sells one label.
func TestShipmentOneLabel(t *testing.T) {
	t.Parallel()
	for _, effect := range []sandbox.Effect{sandbox.Fail, sandbox.TimeOut, sandbox.Drop} {
		t.Run(string(effect), func(t *testing.T) {
			j := newJourney(t, thursday, 1)
			j.disturb(sandbox.Order{Operation: "buy_label", Effect: effect, Times: 3, Delay: sandbox.Duration(time.Millisecond)})
			j.on(day, func() { j.happens(1, carrier.Delivered, 1) })
			j.run(models.ShipmentDelivered, 1, models.NoticeShipped, models.NoticeDelivered)
		})
	}
}

// A long life goes on in a new run with nothing but its id.
func TestShipmentContinuesAsNew(t *testing.T) {
	t.Parallel()
	j := newJourney(t, thursday, 1)
	j.env.SetContinueAsNewSuggested(true)
	j.env.ExecuteWorkflow(workflows.Shipment, workflows.ShipmentInput{ID: j.id})
	if err := j.env.GetWorkflowError(); !workflow.IsContinueAsNewError(err) {
		t.Fatalf("the run ended with %v", err)
	}
	if sh, _ := j.look(); sh.Status != models.ShipmentShipped {
		t.Errorf("the shipment is %s", sh.Status)
	}
}
