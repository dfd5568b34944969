package workflows_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"go.temporal.io/sdk/testsuite"
	"tokendesk/models"
	"tokendesk/workflows"
)

// books stands in for the database: the facts that the order's steps read and change.
type books struct {
	status   models.OrderStatus
	charge   models.ChargeStatus // what the next authorization answers; empty: no card
	refusals int                 // how often capturing is refused
	timeline models.Timeline
	log      []string
}

func (b *books) bind(env *testsuite.TestWorkflowEnvironment) {
	binder := workflows.NewBinder(env)
	workflows.Bind(binder, workflows.PlaceOrder, func(_ context.Context, in workflows.OrderAt) (models.OrderStatus, error) {
		b.status = models.OrderPlaced
		b.log = append(b.log, "placed")
		return b.status, nil
	})
	workflows.Bind(binder, workflows.LoadOrder, func(_ context.Context, in workflows.OrderLoad) (f workflows.OrderFacts, _ error) {
		f.Status, f.ChargeIsDue = b.status, b.charge != "" && b.status != models.OrderDeclined
		if m, ok := b.timeline.Next(in.Done); ok && b.status == models.OrderPlaced {
			f.Next, f.NextAt = m.Name, m.At
		}
		return f, nil
	})
	workflows.Bind(binder, workflows.RemindOfInvoice, func(_ context.Context, in workflows.OrderReminder) (struct{}, error) {
		b.log = append(b.log, fmt.Sprintf("%s %s", in.Milestone, in.At.Format(time.DateOnly)))
		return struct{}{}, nil
	})
	workflows.Bind(binder, workflows.CancelOrder, func(_ context.Context, in workflows.OrderCancellation) (struct{}, error) {
		if !models.OrderMachine.Allows(b.status, models.CancelOrder) {
			return struct{}{}, models.StateForbids.New("the order is %s", b.status)
		}
		b.status = models.OrderCancelled
		b.log = append(b.log, "cancelled "+string(in.Reason))
		return struct{}{}, nil
	})
	workflows.Bind(binder, workflows.FulfilOrder, func(_ context.Context, in workflows.OrderAt) (struct{}, error) {
		b.status = models.OrderFulfilled
		b.log = append(b.log, "fulfilled")
		return struct{}{}, nil
	})
	workflows.Bind(binder, workflows.AuthorizeCharge, func(_ context.Context, in workflows.OrderAt) (models.ChargeStatus, error) {
		b.log = append(b.log, string(b.charge))
		if b.charge == models.ChargeDeclined {
			b.status = models.OrderDeclined
		}
		return b.charge, nil
	})
	workflows.Bind(binder, workflows.CaptureCharge, func(_ context.Context, in workflows.OrderAt) (models.ChargeStatus, error) {
		switch {
		case b.status != models.OrderPlaced: // the order needs no money any more
			b.log, b.charge = append(b.log, "released"), ""
			return models.ChargeCancelled, nil
		case b.refusals > 0:
			b.refusals--
			return "", models.StateForbids.New("the charge cannot be captured")
		}
		b.status = models.OrderPaid
		b.log, b.charge = append(b.log, "captured"), ""
		return models.ChargeCaptured, nil
	})
	workflows.Bind(binder, workflows.ReportStuck, func(_ context.Context, in workflows.OrderStuck) (struct{}, error) {
		b.log = append(b.log, "stuck "+in.Fault)
		return struct{}{}, nil
	})
}

type call struct {
	after time.Duration
	do    func(env *testsuite.TestWorkflowEnvironment)
}

func signal(after time.Duration, change func()) call {
	return call{after, func(env *testsuite.TestWorkflowEnvironment) {
		change()
		env.SignalWorkflow(string(models.SignalPaymentReceived), "py_1")
	}}
}

// outcome records what became of an Update.
type outcome struct{ rejected, err error }

func (o *outcome) Accept()        {}
func (o *outcome) Reject(e error) { o.rejected = e }
func (o *outcome) Complete(_ any, e error) {
	o.err = e
}

func cancel(after time.Duration, o *outcome) call {
	return call{after, func(env *testsuite.TestWorkflowEnvironment) {
		env.UpdateWorkflow(workflows.CancelUpdate, "cancel-1", o, workflows.OrderCancellation{By: "ac_1", Reason: models.CancelMistake})
	}}
}

var orderStart = time.Date(2026, 11, 2, 15, 0, 0, 0, time.UTC)

func runOrder(t *testing.T, b *books, calls ...call) {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestWorkflowEnvironment()
	env.SetStartTime(orderStart)
	env.SetTestTimeout(time.Minute)
	b.bind(env)
	placed := &outcome{}
	env.RegisterDelayedCallback(func() { env.UpdateWorkflow(workflows.PlaceUpdate, workflows.PlaceUpdate, placed) }, 0)
	for _, c := range calls {
		env.RegisterDelayedCallback(func() { c.do(env) }, c.after)
	}
	env.ExecuteWorkflow(workflows.Order, workflows.OrderInput{Number: "SO-1"})
	if !env.IsWorkflowCompleted() || env.GetWorkflowError() != nil {
		t.Fatalf("completed %v, error %v, log %v", env.IsWorkflowCompleted(), env.GetWorkflowError(), b.log)
	}
	if placed.err != nil || placed.rejected != nil {
		t.Fatalf("placing: %+v", placed)
	}
}

const day = 24 * time.Hour

// ORD-2, ORD-3, ORD-5: the ways of an order, in virtual time.
func TestOrderLifecycle(t *testing.T) {
	invoice := func() *books {
		p := models.DefaultPolicy()
		return &books{timeline: models.OrderTimeline(models.Order{Status: models.OrderPlaced},
			models.Invoice{Status: models.InvoiceOpen, DueAt: models.InvoiceDue(orderStart, p)}, p)}
	}
	late := &outcome{}
	cases := []struct {
		name  string
		books func() *books
		calls func(b *books) []call
		want  []string
	}{
		{"paid by invoice", invoice, func(b *books) []call {
			return []call{signal(3*day, func() {}), signal(5*day, func() { b.status = models.OrderPaid })}
		}, []string{"placed", "fulfilled"}},
		{"nobody pays", invoice, func(*books) []call { return nil },
			[]string{"placed", "invoice_reminder_before_due 2026-11-25", "invoice_reminder_due 2026-12-02", "invoice_reminder_after_due 2026-12-09", "cancelled unpaid"}},
		{"paid after the first reminder", invoice, func(b *books) []call {
			return []call{signal(28*day, func() { b.status = models.OrderPaid })}
		}, []string{"placed", "invoice_reminder_before_due 2026-11-25", "fulfilled"}},
		{"cancelled while unpaid", invoice, func(*books) []call { return []call{cancel(2*day, &outcome{})} },
			[]string{"placed", "cancelled ordered_by_mistake"}},
		{"card", func() *books { return &books{charge: models.ChargeAuthorized} }, func(*books) []call { return nil },
			[]string{"placed", "authorized", "captured", "fulfilled"}},
		{"card declined, paid again", func() *books { return &books{charge: models.ChargeDeclined} }, func(b *books) []call {
			return []call{signal(time.Hour, func() { b.status, b.charge = models.OrderPlaced, models.ChargeAuthorized })}
		}, []string{"placed", "declined", "authorized", "captured", "fulfilled"}},
		{"capture refused once: a person is asked, and the next day it works", func() *books { return &books{charge: models.ChargeAuthorized, refusals: 1} },
			func(*books) []call { return nil }, []string{"placed", "authorized", "stuck state-forbids", "authorized", "captured", "fulfilled"}},
		{"capture refused for good, then paid by bank", func() *books { return &books{charge: models.ChargeAuthorized, refusals: 1000} }, func(b *books) []call {
			return []call{signal(time.Hour, func() { b.status = models.OrderPaid })}
		}, []string{"placed", "authorized", "stuck state-forbids", "fulfilled", "authorized", "released"}},
		{"capture refused for good, then cancelled", func() *books { return &books{charge: models.ChargeAuthorized, refusals: 1000} },
			func(*books) []call { return []call{cancel(time.Hour, &outcome{})} },
			[]string{"placed", "authorized", "stuck state-forbids", "cancelled ordered_by_mistake", "authorized", "released"}},
		{"cancelled at the same moment as paid", invoice, func(b *books) []call {
			return []call{{day, func(env *testsuite.TestWorkflowEnvironment) {
				b.status = models.OrderPaid
				env.UpdateWorkflow(workflows.CancelUpdate, "late", late, workflows.OrderCancellation{})
				env.SignalWorkflow(string(models.SignalPaymentReceived), "py_1")
			}}}
		}, []string{"placed", "fulfilled"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b := c.books()
			runOrder(t, b, c.calls(b)...)
			if !slices.Equal(b.log, c.want) {
				t.Fatalf("got  %q\nwant %q", b.log, c.want)
			}
		})
	}
	if late.err == nil || workflows.RefusalOf(late.err) != models.StateForbids.Slug {
		t.Errorf("the late cancellation was answered with %v", late.err)
	}
}

// A refused first Update ends its workflow, so that no empty run stays.
func TestRefusedOrderEnds(t *testing.T) {
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestWorkflowEnvironment()
	binder := workflows.NewBinder(env)
	workflows.Bind(binder, workflows.PlaceOrder, func(context.Context, workflows.OrderAt) (models.OrderStatus, error) {
		return "", models.ProductUnavailable.New("the product of line 1 is retired")
	})
	placed := &outcome{}
	env.RegisterDelayedCallback(func() { env.UpdateWorkflow(workflows.PlaceUpdate, workflows.PlaceUpdate, placed) }, 0)
	env.ExecuteWorkflow(workflows.Order, workflows.OrderInput{Number: "SO-1"})
	if !env.IsWorkflowCompleted() || env.GetWorkflowError() != nil {
		t.Fatalf("completed %v: %v", env.IsWorkflowCompleted(), env.GetWorkflowError())
	}
	if workflows.RefusalOf(placed.err) != models.ProductUnavailable.Slug {
		t.Fatalf("answered with %v", placed.err)
	}
}
