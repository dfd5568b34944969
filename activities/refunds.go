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

// RefundPayments is what refunds need of a payment gateway (ORD-5).
type RefundPayments interface {
	Refund(ctx context.Context, key, ref string, amount models.Money) (payment.Charge, error)
	Fetch(ctx context.Context, ref string) (payment.Charge, error)
}

// Refunds performs the steps of the refund lifecycle.
type Refunds struct {
	Store    *store.Store
	Payments RefundPayments
}

// Bind registers the steps.
func (r *Refunds) Bind(b *workflows.Binder) {
	workflows.Bind(b, workflows.AdvanceRefund, r.advance)
	workflows.Bind(b, workflows.RefundCard, r.card)
}

func (r *Refunds) advance(ctx context.Context, in workflows.RefundAt) (f workflows.RefundFacts, err error) {
	st, err := r.Store.AdvanceRefund(ctx, in.ID, in.At)
	if err != nil {
		return f, err
	}
	f = workflows.RefundFacts{Status: st.Refund.Status, ProductKind: st.ProductKind, Organization: st.OrganizationID, CardIsDue: st.Refund.CardDue().Minor > 0}
	if next, ok := st.Timeline.Next(in.At); ok {
		f.Next, f.NextAt = next.What, next.At
	}
	return f, nil
}

// card has the card's part given back once (OPS-2). The intent is recorded before the processor is called, under a key that stays the same
// until it has answered. What the processor has given back is looked at first: a key is forgotten after a day, and somebody may have
// refunded the charge at the processor's own desk.
func (r *Refunds) card(ctx context.Context, in workflows.RefundAt) (workflows.CardAnswer, error) {
	intent, err := r.Store.IntendCardRefund(ctx, in.ID, in.At)
	switch {
	case err != nil:
		return "", err
	case intent.Duty == store.NoCardDuty:
		return workflows.CardDone, nil
	case intent.Duty == store.QueueCard:
		return workflows.CardPending, nil
	}
	charge, err := r.Payments.Fetch(ctx, intent.ProviderRef)
	if err != nil {
		return r.refused(ctx, intent, err, in)
	}
	switch back, due := charge.Refunded.Minor-intent.Before, intent.Refund.CardMinor; {
	case back >= due:
		return r.done(ctx, back-due, in)
	case back > 0:
		return workflows.CardRefused, r.Store.CardRefundRefused(ctx, intent, "a part of it went back without our asking", in.At)
	case intent.Duty == store.WatchCard:
		return workflows.CardPending, nil
	}
	return r.ask(ctx, intent, in)
}

func (r *Refunds) ask(ctx context.Context, intent store.CardRefund, in workflows.RefundAt) (workflows.CardAnswer, error) {
	charge, err := r.Payments.Refund(ctx, intent.Refund.CardKey(), intent.ProviderRef, intent.Refund.CardDue())
	if err != nil {
		return r.refused(ctx, intent, err, in)
	}
	if back := charge.Refunded.Minor - intent.Before; back >= intent.Refund.CardMinor {
		return r.done(ctx, back-intent.Refund.CardMinor, in)
	}
	return workflows.CardPending, r.Store.CardRefundAccepted(ctx, in.ID, in.At)
}

// done books the money. More than our refunds come to went back without us: that is for a person.
func (r *Refunds) done(ctx context.Context, surplus int64, in workflows.RefundAt) (workflows.CardAnswer, error) {
	if surplus > 0 {
		if err := r.Store.OpenCase(ctx, "card-refund-surplus/"+in.ID, in.ID, "the card processor has given back more than our books know of", in.At); err != nil {
			return "", err
		}
	}
	return workflows.CardDone, r.Store.CardRefunded(ctx, in.ID, in.At)
}

// refused closes the intent where no repetition would change the answer; technical trouble is retried under the same key.
func (r *Refunds) refused(ctx context.Context, intent store.CardRefund, err error, in workflows.RefundAt) (workflows.CardAnswer, error) {
	switch models.KindOf(err) {
	case models.Conflict, models.Refused, models.Invalid, models.NotFound:
		f := models.FaultOf(err)
		if errors.Is(err, models.EditConflict) {
			break
		}
		return workflows.CardRefused, r.Store.CardRefundRefused(ctx, intent, f.Type.Title, in.At)
	}
	return "", fmt.Errorf("refund a card: %w", err)
}
