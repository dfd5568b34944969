package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"
	"tokendesk/models"
)

// OrderInput starts or continues the lifecycle of an order.
type OrderInput struct {
	Number string    // SO-10042
	Done   time.Time // milestones up to here have been performed
}

// OrderAt asks for something about an order at a moment of its lifecycle.
type OrderAt struct {
	Number string
	At     time.Time
}

// OrderFacts is what the lifecycle needs to know of an order to go on.
type OrderFacts struct {
	Status       models.OrderStatus
	ProductKind  models.ProductKind
	Organization string
	ChargeIsDue  bool // a card charge is intended or authorized: to be captured, or released
	Next         models.MilestoneName
	NextAt       time.Time // zero: nothing is due if nobody acts
}

// OrderLoad asks for the facts, with the first milestone after Done.
type OrderLoad struct {
	Number string
	Done   time.Time
}

// OrderReminder asks for one reminder.
type OrderReminder struct {
	OrderAt
	Milestone models.MilestoneName
}

// OrderCancellation asks to cancel an unpaid order.
type OrderCancellation struct {
	OrderAt
	By     string // id of who cancels
	Reason models.CancelReason
}

// OrderStuck asks to report an order that cannot go on.
type OrderStuck struct {
	OrderAt
	Fault string // slug of the fault with which a step was refused
}

// Steps of an order.
var (
	PlaceOrder      = localStep[OrderAt, models.OrderStatus]("order.place")
	LoadOrder       = localStep[OrderLoad, OrderFacts]("order.load")
	RemindOfInvoice = localStep[OrderReminder, struct{}]("order.remind")
	CancelOrder     = localStep[OrderCancellation, struct{}]("order.cancel")
	FulfilOrder     = localStep[OrderAt, struct{}]("order.fulfil")
	AuthorizeCharge = outsideStep[OrderAt, models.ChargeStatus]("order.charge.authorize")
	CaptureCharge   = outsideStep[OrderAt, models.ChargeStatus]("order.charge.capture")
	ReportStuck     = localStep[OrderStuck, struct{}]("order.report_stuck")
)

// Updates of an order.
const (
	PlaceUpdate  = "place"
	CancelUpdate = "cancel"
)

type order struct {
	OrderInput
	facts    OrderFacts
	changed  nudge
	placed   bool
	refused  bool
	charging bool
}

// Order is the lifecycle of an order: placed by an Update that starts it, it waits for the money, issues keys and
// hands shipments over. It ends fulfilled or cancelled (ORD-1 to ORD-6).
func Order(ctx workflow.Context, in OrderInput) error {
	o := &order{OrderInput: in, changed: listen(ctx, models.SignalPaymentReceived, models.SignalOrderChanged)}
	if err := o.answer(ctx); err != nil {
		return err
	}
	if err := workflow.Await(ctx, func() bool { return o.placed || o.refused }); err != nil {
		return err
	}
	if !o.refused {
		if err := o.live(ctx); err != nil {
			return err
		}
	}
	return workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) })
}

func (o *order) answer(ctx workflow.Context) error {
	if err := workflow.SetUpdateHandler(ctx, PlaceUpdate, o.place); err != nil {
		return err
	}
	return workflow.SetUpdateHandlerWithOptions(ctx, CancelUpdate, o.cancel, workflow.UpdateHandlerOptions{Validator: o.mayCancel})
}

// place answers whoever starts the lifecycle. A refusal ends it, so that no empty run stays behind.
func (o *order) place(ctx workflow.Context) (models.OrderStatus, error) {
	status, err := PlaceOrder.Run(ctx, OrderAt{o.Number, now(ctx)})
	if err != nil {
		o.refused = true
		return "", err
	}
	o.placed = true
	return status, nil
}

func (o *order) mayCancel(_ workflow.Context, _ OrderCancellation) error {
	if s := o.facts.Status; s != "" && !models.OrderMachine.Allows(s, models.CancelOrder) {
		return refusal(models.StateForbids.New("the order is %s", s).Allowing(models.Events(models.OrderMachine.Allowed(s, models.ByPerson))...))
	}
	return nil
}

// cancel waits for a charge under way: either the money is taken and the order cannot be cancelled here any more, or it is not.
func (o *order) cancel(ctx workflow.Context, c OrderCancellation) error {
	if err := workflow.Await(ctx, func() bool { return o.placed && !o.charging }); err != nil {
		return err
	}
	c.OrderAt = OrderAt{o.Number, now(ctx)}
	if _, err := CancelOrder.Run(ctx, c); err != nil {
		return err
	}
	o.changed.now()
	return nil
}

func (o *order) live(ctx workflow.Context) error {
	for {
		ended, err := o.goOn(ctx)
		if RefusalOf(err) != "" {
			err = o.askPerson(ctx, RefusalOf(err))
		}
		if ended || err != nil {
			return err
		}
	}
}

// goOn looks where the order stands and does the one thing that is due.
func (o *order) goOn(ctx workflow.Context) (ended bool, err error) {
	o.changed.clear()
	if o.facts, err = LoadOrder.Run(ctx, OrderLoad{o.Number, o.Done}); err != nil {
		return false, err
	}
	if err := o.show(ctx); err != nil {
		return false, err
	}
	switch {
	case o.facts.ChargeIsDue && o.facts.Status != models.OrderPaid:
		return false, o.charge(ctx)
	case o.facts.Status == models.OrderFulfilled, models.OrderMachine.Ends(o.facts.Status): // what is refunded later has a lifecycle of its own
		return true, nil
	case o.facts.Status == models.OrderPaid:
		_, err = FulfilOrder.Run(ctx, OrderAt{o.Number, now(ctx)})
		return false, err
	}
	return false, o.wait(ctx)
}

// askPerson is for a step that was refused though the facts call for it, such as a hold that its bank has dropped. An order with
// money on it must not die of that: a person gets a case, and the order tries again when something changes, or after a day.
func (o *order) askPerson(ctx workflow.Context, fault string) error {
	if _, err := ReportStuck.Run(ctx, OrderStuck{OrderAt{o.Number, now(ctx)}, fault}); err != nil {
		return err
	}
	needsPerson(ctx, true)
	if _, err := waitUntil(ctx, now(ctx).Add(secondLook), o.changed.pending); err != nil {
		return err
	}
	needsPerson(ctx, false)
	return nil
}

// charge authorizes, then captures; where the order needs no money any more, capturing releases the hold instead. Both steps read
// from the database how far an earlier try came.
func (o *order) charge(ctx workflow.Context) error {
	o.charging = true
	defer func() { o.charging = false }()
	status, err := AuthorizeCharge.Run(ctx, OrderAt{o.Number, now(ctx)})
	if err != nil || status != models.ChargeAuthorized {
		return err
	}
	_, err = CaptureCharge.Run(ctx, OrderAt{o.Number, now(ctx)})
	return err
}

// wait sleeps until the money, a command, or the next milestone, which it performs.
func (o *order) wait(ctx workflow.Context) error {
	changed, err := waitUntil(ctx, o.facts.NextAt, o.changed.pending)
	if err != nil || changed {
		return err
	}
	due, at := o.facts.Next, OrderAt{o.Number, now(ctx)}
	if due == models.InvoiceVoided {
		_, err = CancelOrder.Run(ctx, OrderCancellation{at, models.SystemActor(models.OrderLifecycle).ID, models.CancelUnpaid})
	} else {
		_, err = RemindOfInvoice.Run(ctx, OrderReminder{at, due})
	}
	if Refused(err, models.StateForbids) { // paid or cancelled meanwhile: the next look says which
		err = nil
	}
	o.Done = o.facts.NextAt
	return err
}

var orderDetails = map[models.OrderStatus]string{
	models.OrderPlaced:    "Waiting for the money. No license key exists before the invoice is paid in full.",
	models.OrderDeclined:  "The card was declined. The buyer can pay again with another card, or by bank transfer.",
	models.OrderPaid:      "Paid in full. License keys are being issued and shipments handed over.",
	models.OrderFulfilled: "Done: license keys are mailed, shipments have a lifecycle of their own.",
	models.OrderRefunded:  "Undone after payment: every line is credited.",
	models.OrderCancelled: "Cancelled. Money that still arrives is kept as unapplied cash.",
}

func (o *order) show(ctx workflow.Context) error {
	details := orderDetails[o.facts.Status]
	if !o.facts.NextAt.IsZero() {
		details += "\n\nIf nobody acts: " + string(o.facts.Next) + " on " + o.facts.NextAt.Format("2 January 2006") + "."
	}
	return show(ctx, standing{Status: string(o.facts.Status), ProductKind: string(o.facts.ProductKind), Organization: o.facts.Organization,
		Next: o.facts.NextAt, Details: details})
}
