package activities_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.temporal.io/sdk/testsuite"
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

// post is a simulated carrier; meanwhile, when set, happens once after a label was made and before its answer is recorded.
type post struct {
	*simulator.Simulator
	meanwhile func() error
}

func (p *post) BuyLabel(ctx context.Context, r carrier.LabelRequest) (carrier.Label, error) {
	label, err := p.Simulator.BuyLabel(ctx, r)
	if do := p.meanwhile; do != nil {
		p.meanwhile = nil
		err = errors.Join(err, do())
	}
	return label, err
}

// dock is where the steps of one packed shipment are performed.
type dock struct {
	*testing.T
	st      *store.Store
	outside *sandbox.Store
	post    *post
	env     *testsuite.TestActivityEnvironment
	id      string
}

func newDock(t *testing.T) *dock {
	t.Helper()
	d := &dock{T: t, st: storetest.New(t)}
	var err error
	d.outside, err = sandbox.Open(t.Context(), testpg.Empty(t))
	storetest.Must(t, err)
	t.Cleanup(d.outside.Close)
	sim, err := simulator.New(t.Context(), d.outside, simulator.Config{Now: func() time.Time { return storetest.At }})
	storetest.Must(t, err)
	d.post = &post{Simulator: sim}
	d.id = storetest.Shipments(t, d.st, 1)[0]
	storetest.Stock(t, d.st, storetest.Keyring(t), storetest.TokenModel, storetest.EventDevice, 1)
	var suite testsuite.WorkflowTestSuite
	d.env = suite.NewTestActivityEnvironment()
	shipping := &activities.Shipping{Store: d.st, Carrier: d.post, Calendar: calendar.Carrier(time.UTC)}
	shipping.Bind(workflows.NewBinder(d.env))
	if f := d.step("shipment.advance"); f.Status != models.ShipmentPacked {
		t.Fatalf("the shipment is %s", f.Status)
	}
	return d
}

// step performs a step and repeats it while it fails, as the engine does.
func (d *dock) step(name string) (f workflows.ShipmentFacts) {
	d.Helper()
	for range 10 {
		answer, err := d.env.ExecuteActivity(name, workflows.ShipmentAt{ID: d.id, At: storetest.At})
		if err == nil {
			storetest.Must(d, answer.Get(&f))
			return f
		}
		if slug := workflows.RefusalOf(err); slug != "" {
			d.Fatalf("refused: %s", slug)
		}
	}
	d.Fatal("ten failures in a row")
	return f
}

func (d *dock) disturb(operation string, effect sandbox.Effect) {
	d.Helper()
	_, err := d.outside.Give(d.Context(), sandbox.Carrier, sandbox.Order{Operation: operation, Effect: effect, Delay: sandbox.Duration(time.Millisecond)})
	storetest.Must(d, err)
}

func (d *dock) cancel() error {
	return d.st.CancelShipment(context.Background(), d.id, models.Actor{ID: "ak_1"}, storetest.At)
}

// labels counts the labels that were bought, and those of them that were taken back.
func (d *dock) labels() (bought, voided int) {
	d.Helper()
	storetest.Must(d, d.outside.Pool.QueryRow(d.Context(), "select count(*), count(*) filter (where voided) from sandbox.parcels").Scan(&bought, &voided))
	return bought, voided
}

// OPS-2, SHP-1: a shipment that is cancelled while its label is being bought leaves no label behind, and its token in stock,
// wherever the step breaks off and is repeated.
func TestCancelledWhileLabelIsBought(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name    string
		disturb func(d *dock)
		bought  int
	}{
		{"after the answer", func(d *dock) { d.post.meanwhile = d.cancel }, 1},
		{"after an answer that was lost", func(d *dock) {
			d.post.meanwhile = func() error { return errors.Join(d.cancel(), models.ServiceDown.New("lost")) }
		}, 1},
		{"voiding fails first", func(d *dock) {
			d.post.meanwhile = d.cancel
			d.disturb("void_label", sandbox.Fail)
		}, 1},
		{"voiding is not answered first", func(d *dock) {
			d.post.meanwhile = d.cancel
			d.disturb("void_label", sandbox.TimeOut)
		}, 1},
		{"before it was asked for", func(d *dock) { storetest.Must(d, d.cancel()) }, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			d := newDock(t)
			c.disturb(d)
			if f := d.step("shipment.label"); f.Status != models.ShipmentCancelled {
				t.Errorf("the shipment is %s", f.Status)
			}
			d.step("shipment.label") // once more, as after a crash
			if bought, voided := d.labels(); bought != c.bought || voided != c.bought {
				t.Errorf("%d labels bought and %d voided, want %d", bought, voided, c.bought)
			}
			if free, err := d.st.Tokens(t.Context(), store.TokenFilter{Status: models.TokenInStock}, store.Page{}); err != nil || len(free) != 1 {
				t.Errorf("%d tokens in stock, want 1: %v", len(free), err)
			}
		})
	}
}

// SHP-1: a cancelled shipment that has left all the same is a case for a person, not for ever a failing step.
func TestLabelThatCannotBeVoided(t *testing.T) {
	t.Parallel()
	d := newDock(t)
	d.post.meanwhile = d.cancel
	d.disturb("void_label", sandbox.Refuse)
	d.step("shipment.label")
	cases, err := d.st.Cases(t.Context(), store.Page{})
	if err != nil || len(cases) != 1 || cases[0].SubjectRef != d.id {
		t.Errorf("cases %+v: %v", cases, err)
	}
}

// OPS-2: however often the step is repeated, one label is bought and one mail recorded.
func TestLabelOnce(t *testing.T) {
	t.Parallel()
	d := newDock(t)
	d.disturb("buy_label", sandbox.TimeOut)
	for range 3 {
		if f := d.step("shipment.label"); f.Status != models.ShipmentShipped || f.NextAt.IsZero() || f.LabelRefused {
			t.Errorf("facts %+v", f)
		}
	}
	about, err := d.st.NoticesAbout(t.Context(), d.id, store.Page{Limit: 200})
	storetest.Must(t, err)
	if bought, _ := d.labels(); bought != 1 || len(about) != 1 {
		t.Errorf("%d labels and %d mails, want one each", bought, len(about))
	}
}

// SHP-2: asking the carrier records what it never told, once; a carrier that does not answer is no failure.
func TestTrackParcel(t *testing.T) {
	t.Parallel()
	d := newDock(t)
	d.step("shipment.label")
	_, parcels, err := d.st.Shipment(t.Context(), d.id)
	storetest.Must(t, err)
	_, err = d.post.Happen(t.Context(), *parcels[0].TrackingNumber, carrier.Delivered, storetest.At)
	storetest.Must(t, err)
	d.disturb("track", sandbox.Fail)
	for i, want := range []models.ShipmentStatus{models.ShipmentShipped, models.ShipmentDelivered, models.ShipmentDelivered} {
		d.step("shipment.track")
		if f := d.step("shipment.advance"); f.Status != want {
			t.Errorf("asked %d times: the shipment is %s, want %s", i+1, f.Status, want)
		}
	}
	events, err := d.st.CarrierEvents(t.Context(), d.id)
	if err != nil || len(events) != 2 {
		t.Errorf("%d events are kept, want the label and the delivery: %v", len(events), err)
	}
}
