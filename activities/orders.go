// Package activities does what the lifecycles ask for: each file binds one lifecycle's steps to the store and the gateways.
package activities

import (
	"context"
	"errors"
	"fmt"

	"tokendesk/activities/gateway/payment"
	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/workflows"
)

// Payments is what orders need of a payment gateway (ORD-2).
type Payments interface {
	Authorize(ctx context.Context, r payment.AuthorizeRequest) (payment.Charge, error)
	Capture(ctx context.Context, key, ref string, amount models.Money) (payment.Charge, error)
	Cancel(ctx context.Context, key, ref string) (payment.Charge, error)
	Fetch(ctx context.Context, ref string) (payment.Charge, error)
}

// Orders performs the steps of the order lifecycle.
type Orders struct {
	Store    *store.Store
	Payments Payments
	Sealer   store.Sealer
}

// Bind registers the steps.
func (o *Orders) Bind(b *workflows.Binder) {
	workflows.Bind(b, workflows.PlaceOrder, o.place)
	workflows.Bind(b, workflows.LoadOrder, o.load)
	workflows.Bind(b, workflows.RemindOfInvoice, o.remind)
	workflows.Bind(b, workflows.CancelOrder, o.cancel)
	workflows.Bind(b, workflows.FulfilOrder, o.fulfil)
	workflows.Bind(b, workflows.AuthorizeCharge, o.authorize)
	workflows.Bind(b, workflows.CaptureCharge, o.capture)
	workflows.Bind(b, workflows.ReportStuck, o.reportStuck)
}

type none = struct{}

func (o *Orders) place(ctx context.Context, in workflows.OrderAt) (models.OrderStatus, error) {
	if err := o.Store.PlaceOrder(ctx, in.Number, in.At); err != nil {
		return "", err
	}
	order, err := o.Store.OrderByNumber(ctx, in.Number)
	return order.Status, err
}

func (o *Orders) load(ctx context.Context, in workflows.OrderLoad) (f workflows.OrderFacts, err error) {
	order, err := o.Store.OrderByNumber(ctx, in.Number)
	if err != nil {
		return f, err
	}
	f.Status = order.Status
	if f.ProductKind, f.Organization, err = o.describe(ctx, order); err != nil {
		return f, err
	}
	if order.PaymentMethod == models.PayByCard {
		charge, err := o.Store.LiveCharge(ctx, in.Number)
		if err != nil && !errors.Is(err, models.NoSuchThing) {
			return f, err
		}
		f.ChargeIsDue = err == nil && charge.Status != models.ChargeCaptured
	}
	timeline, err := o.Store.OrderMilestones(ctx, order)
	if err != nil {
		return f, err
	}
	if next, ok := timeline.Next(in.Done); ok {
		f.Next, f.NextAt = next.Name, next.At
	}
	return f, nil
}

func (o *Orders) describe(ctx context.Context, order models.Order) (kind models.ProductKind, organization string, err error) {
	product, err := o.Store.Product(ctx, order.Lines[0].ProductSKU)
	if err != nil {
		return "", "", err
	}
	buyer, err := o.Store.Account(ctx, order.BuyerID)
	if err != nil {
		return "", "", err
	}
	if buyer.OrganizationID != nil {
		organization = *buyer.OrganizationID
	}
	return product.Kind, organization, nil
}

func (o *Orders) remind(ctx context.Context, in workflows.OrderReminder) (none, error) {
	return none{}, o.Store.RemindInvoice(ctx, in.Number, in.Milestone, in.At)
}

func (o *Orders) cancel(ctx context.Context, in workflows.OrderCancellation) (none, error) {
	return none{}, o.Store.CancelOrder(ctx, in.Number, in.By, in.Reason, in.At)
}

func (o *Orders) fulfil(ctx context.Context, in workflows.OrderAt) (none, error) {
	return none{}, o.Store.FulfilOrder(ctx, in.Number, o.Sealer, in.At)
}

// authorize holds the amount on the card. The charge is in the database since the buyer asked for it, and its id is in the
// provider's idempotency key: however often this runs, the provider is asked for one hold (OPS-2).
func (o *Orders) authorize(ctx context.Context, in workflows.OrderAt) (models.ChargeStatus, error) {
	c, err := o.Store.LiveCharge(ctx, in.Number)
	if err != nil || c.Status != models.ChargeIntended {
		return c.Status, err
	}
	invoice, err := o.Store.InvoiceOfOrder(ctx, c.OrderID)
	if err != nil {
		return "", err
	}
	if invoice.Status != models.InvoiceOpen { // other money was quicker
		return models.ChargeCancelled, o.Store.ChargeCancelled(ctx, c, in.At)
	}
	held, err := o.hold(ctx, c, in.Number)
	if errors.Is(err, models.CardDeclined) {
		return models.ChargeDeclined, o.Store.ChargeDeclined(ctx, c, in.Number, models.FaultOf(err).Detail, in.At)
	}
	if err != nil {
		return "", fmt.Errorf("authorize a charge: %w", err)
	}
	switch held.Status {
	case payment.Authorized, payment.Captured:
		return models.ChargeAuthorized, o.Store.ChargeAuthorized(ctx, c, held.Ref, in.At)
	case payment.ActionRequired: // the buyer's bank wants the buyer, who is not here: give it up and let the buyer pay again
		c.ProviderRef = &held.Ref
		if _, err := o.release(ctx, c); errors.Is(err, models.StateForbids) {
			if err := o.Store.OpenCase(ctx, "charge-left/"+c.ID, in.Number, "a card charge that waits for its holder could not be cancelled: cancel it at the processor", in.At); err != nil {
				return "", err
			}
		} else if err != nil {
			return "", err
		}
		return models.ChargeDeclined, o.Store.ChargeDeclined(ctx, c, in.Number, string(payment.AuthenticationRequired), in.At)
	case payment.Declined, payment.Cancelled:
		return models.ChargeDeclined, o.Store.ChargeDeclined(ctx, c, in.Number, string(held.Decline), in.At)
	}
	return "", models.ServiceDown.New("the charge is still being processed")
}

// hold asks for the amount. An answer that was still open the first time is fetched, because the provider repeats its first
// answer under an idempotency key.
func (o *Orders) hold(ctx context.Context, c models.Charge, number string) (payment.Charge, error) {
	held, err := o.Payments.Authorize(ctx, payment.AuthorizeRequest{IdempotencyKey: c.ID + "/authorize",
		Amount: models.Money{Minor: c.AmountMinor, Currency: c.Currency}, PaymentMethod: c.PaymentMethod, OrderNumber: number})
	if err != nil || held.Status != payment.Processing {
		return held, err
	}
	return o.Payments.Fetch(ctx, held.Ref)
}

// capture takes the amount that is held, unless the invoice needs no money any more; then the hold is released.
func (o *Orders) capture(ctx context.Context, in workflows.OrderAt) (models.ChargeStatus, error) {
	c, err := o.Store.LiveCharge(ctx, in.Number)
	if err != nil || c.Status != models.ChargeAuthorized {
		return c.Status, err
	}
	invoice, err := o.Store.InvoiceOfOrder(ctx, c.OrderID)
	if err != nil {
		return "", err
	}
	if invoice.Status != models.InvoiceOpen {
		became, err := o.release(ctx, c)
		switch {
		case err != nil:
			return "", err
		case became == payment.Captured: // an earlier capture had worked, and its answer was lost
			return models.ChargeCaptured, o.Store.ChargeCaptured(ctx, c, invoice.Number, in.At)
		}
		return models.ChargeCancelled, o.Store.ChargeCancelled(ctx, c, in.At)
	}
	_, err = o.Payments.Capture(ctx, c.ID+"/capture", *c.ProviderRef, models.Money{Minor: c.AmountMinor, Currency: c.Currency})
	if errors.Is(err, models.CardDeclined) {
		return models.ChargeDeclined, o.Store.ChargeDeclined(ctx, c, in.Number, models.FaultOf(err).Detail, in.At)
	}
	if errors.Is(err, models.StateForbids) {
		became, e := o.becameOf(ctx, c)
		if e != nil {
			return "", e
		}
		if over(became) { // the hold has lapsed, or was cancelled at the processor
			return models.ChargeDeclined, o.Store.ChargeDeclined(ctx, c, in.Number, string(payment.DeclinedByBank), in.At)
		}
	}
	if err != nil {
		return "", fmt.Errorf("capture a charge: %w", err)
	}
	return models.ChargeCaptured, o.Store.ChargeCaptured(ctx, c, invoice.Number, in.At)
}

// release gives a charge up and tells what has become of it: it is over, or its money was taken already. A charge that the
// processor keeps alive against our will is for a person: then the refusal stands.
func (o *Orders) release(ctx context.Context, c models.Charge) (payment.Status, error) {
	_, err := o.Payments.Cancel(ctx, c.ID+"/cancel", *c.ProviderRef)
	if err == nil {
		return payment.Cancelled, nil
	}
	err = fmt.Errorf("release a charge: %w", err)
	if !errors.Is(err, models.StateForbids) {
		return "", err
	}
	became, e := o.becameOf(ctx, c)
	switch {
	case e != nil:
		return "", e
	case over(became), became == payment.Captured:
		return became, nil
	}
	return "", err
}

func (o *Orders) becameOf(ctx context.Context, c models.Charge) (payment.Status, error) {
	now, err := o.Payments.Fetch(ctx, *c.ProviderRef)
	if err != nil {
		return "", fmt.Errorf("look at a charge: %w", err)
	}
	return now.Status, nil
}

// over reports whether a charge can take no money any more.
func over(s payment.Status) bool {
	return s == payment.Cancelled || s == payment.Declined || s == payment.Refunded
}

func (o *Orders) reportStuck(ctx context.Context, in workflows.OrderStuck) (none, error) {
	return none{}, o.Store.ReopenCase(ctx, "stuck/"+in.Number, in.Number, "the order cannot go on, look at its card charge: "+in.Fault, in.At)
}
