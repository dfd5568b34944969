package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tokendesk/models"
	"tokendesk/models/store"
)

// chargesAtOnce is how many charges are compared in one go.
const chargesAtOnce = 20

// Reconcile holds charges of which the card processor had news against our books, and asks a person to look where money went back, or
// came again, without us. It returns how many were compared.
func (r *Refunds) Reconcile(ctx context.Context, at time.Time) (int, error) {
	charges, err := r.Store.ChangedCharges(ctx, chargesAtOnce)
	if err != nil {
		return 0, err
	}
	compared := 0
	for _, c := range charges {
		if e := r.compare(ctx, c, at); e != nil {
			err = errors.Join(err, fmt.Errorf("compare charge %s: %w", c.ID, e))
			continue
		}
		compared++
	}
	return compared, err
}

func (r *Refunds) compare(ctx context.Context, c store.ChangedCharge, at time.Time) error {
	charge, err := r.Payments.Fetch(ctx, c.ProviderRef)
	if err != nil && !errors.Is(err, models.NoSuchThing) {
		return err
	}
	title := ""
	switch back := charge.Refunded.Minor; {
	case err != nil:
		title = "the card processor does not know a charge that it speaks of"
	case back > c.Back:
		title = "money went back to a card without a refund in our books"
	case back < c.Back:
		title = "money that went back to a card has come again: look at its refund"
	}
	if title != "" {
		if err := r.Store.ReopenCase(ctx, "card-differs/"+c.ID, c.OrderNumber, title, at); err != nil {
			return err
		}
	}
	return r.Store.ChargeCompared(ctx, c)
}
