package demo

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"tokendesk/api/client"
	"tokendesk/models"
)

func orderAndAsk(ctx context.Context, p *play) (scene, error) {
	w := p.hedy
	if err := p.openLogin(ctx, w, models.RoleSubscriber); err != nil {
		return scene{}, err
	}
	wanted, err := newOrder(ctx, w, models.PayByInvoice, "")
	if err != nil {
		return scene{}, err
	}
	placed, err := client.Read[client.Order](w.api.CreateOrder(ctx, nil, wanted))
	if err != nil {
		return scene{}, err
	}
	w.order = placed.Number
	now, err := w.now(ctx)
	return scene{fmt.Sprintf("Her number is %s. She asks what happens next. %s", w.order, aloud(now)), aboutOrder(w)},
		all(err, same("whose turn it is", now.WaitingOn, client.WaitingOnBuyer), holds(len(now.Milestones) == 4, "three reminders and the end are ahead"))
}

func cancelUnpaid(ctx context.Context, p *play) (scene, error) {
	w := p.hedy
	order, err := client.Read[client.Order](w.api.CancelOrder(ctx, w.order, nil, client.Cancellation{Reason: models.CancelNotNeeded}))
	if err != nil {
		return scene{}, err
	}
	if _, err := p.sandbox.mailFor(ctx, w, "Your order "+w.order+" is cancelled"); err != nil {
		return scene{}, err
	}
	return scene{fmt.Sprintf("The order is cancelled and its invoice %s is void: nobody will be reminded.", order.Invoice.Number), aboutOrder(w)},
		all(same("the order's status", order.Status, models.OrderCancelled), same("the invoice's status", order.Invoice.Status, models.InvoiceVoid))
}

func buyAndWait(ctx context.Context, p *play) (scene, error) {
	w := p.hedy
	if err := w.buyByCard(ctx); err != nil {
		return scene{}, err
	}
	if _, err := readKey(ctx, p, w); err != nil {
		return scene{}, err
	}
	if _, err := handToCarrier(ctx, p, w); err != nil {
		return scene{}, err
	}
	t, err := client.Read[client.Timeline](w.api.GetShipmentTimeline(ctx, w.shipment))
	return scene{fmt.Sprintf("%s is paid by card, and token %s is on its way. What happens next with the parcel? %s", w.order, w.token.serial, aloud(t)), aboutShipment(w)},
		all(err, same("whose turn it is", t.WaitingOn, client.WaitingOnCarrier))
}

func askForMoney(ctx context.Context, p *play) (scene, error) {
	w := p.hedy
	if _, err := p.delivered(ctx, w); err != nil {
		return scene{}, err
	}
	asked, err := client.Read[client.Refund](w.api.RequestRefund(ctx, w.order, nil, client.NewRefund{Reason: models.RefundNotNeeded}))
	if err != nil {
		return scene{}, err
	}
	w.refund = asked.ID
	if _, err := p.sandbox.mailFor(ctx, w, "Please send the token of order "+w.order+" back"); err != nil {
		return scene{}, err
	}
	t, err := client.Read[client.Timeline](w.api.GetRefundTimeline(ctx, w.refund))
	return scene{fmt.Sprintf("Nobody else has to allow %s. But the token must come back first, and a mail says where to. %s", asked.Total, aloud(t)), aboutRefund(w)},
		all(err, same("the refund's status", asked.Status, models.RefundReturning), same("what goes back", asked.Total, w.total), same("whose turn it is", t.WaitingOn, client.WaitingOnBuyer))
}

func tokenReturns(ctx context.Context, p *play) (scene, error) {
	w := p.hedy
	if _, err := client.Read[client.Token](p.warehouse.RecordReturn(ctx, w.token.serial, nil, client.NewReturn{Condition: models.ReturnedUnopened})); err != nil {
		return scene{}, err
	}
	done, err := await(ctx, "refund "+w.refund+" to be done", func() (client.Refund, bool, error) {
		r, err := client.Read[client.Refund](w.api.GetRefund(ctx, w.refund))
		return r, r.Status == models.RefundDone, err
	})
	if err != nil {
		return scene{}, err
	}
	if done.CreditNote == nil {
		return scene{}, errors.New("the refund has no credit note")
	}
	if err := p.creditNote(ctx, w, *done.CreditNote); err != nil {
		return scene{}, err
	}
	charges, err := p.sandbox.charges(ctx, w.order)
	if err != nil {
		return scene{}, err
	}
	order, err := client.Read[client.Order](w.api.GetOrder(ctx, w.order))
	err = all(err, same("the order's status", order.Status, models.OrderRefunded), same("the number of charges", len(charges), 1),
		same("what the processor has given back", charges[0].Refunded, w.total))
	return scene{fmt.Sprintf("With the token the rest goes by itself: credit note %s is mailed as PDF, and %s are back on her card, once.", *done.CreditNote, charges[0].Refunded), aboutRefund(w)}, err
}

// creditNote sees that a credit note is in its mail, and that the money is announced.
func (p *play) creditNote(ctx context.Context, w *person, number string) error {
	m, err := p.sandbox.mailFor(ctx, w, "Credit note "+number)
	if err != nil {
		return err
	}
	if len(m.Attachments) != 1 || !strings.HasPrefix(m.Attachments[0].Name, number) {
		return fmt.Errorf("the credit note is not attached to its mail, but %d files", len(m.Attachments))
	}
	if err := p.sandbox.pdf(ctx, m.Attachments[0].URL); err != nil {
		return err
	}
	_, err = p.sandbox.mailFor(ctx, w, "of your order "+w.order+" went back to you")
	return err
}

func voidKey(ctx context.Context, p *play) (scene, error) {
	w := p.hedy
	_, err := client.Read[client.Credential](w.api.ActivateLicenseKey(ctx, nil, w.activation(w.key)))
	return told(models.LicenseKeyVoid, "What was paid back is good for nothing any more.", aboutOrder(w)), refusedAs(models.LicenseKeyVoid, err)
}

func aboutRefund(w *person) string { return models.RefundLifecycle.WorkflowID(w.refund) }
