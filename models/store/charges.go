package store

import (
	"context"
	"fmt"
	"time"

	"tokendesk/models"
)

func (s *Store) intendCharge(ctx context.Context, o models.Order, attempt int, method models.Secret, at time.Time) (models.Charge, error) {
	c := models.Charge{ID: NewID("ch", at), OrderID: o.ID, Attempt: attempt, Status: models.ChargeIntended, PaymentMethod: method,
		AmountMinor: o.TotalMinor, Currency: o.Currency, CreatedAt: at, UpdatedAt: at}
	return c, s.with(ctx).Create(&c).Error
}

// checkCard refuses a card's own number: what comes here is the processor's token for it.
func checkCard(method models.Secret) error {
	digits := 0
	for _, r := range method.Reveal() {
		switch {
		case '0' <= r && r <= '9':
			digits++
		case r != ' ' && r != '-':
			return nil
		}
	}
	if digits >= 12 && digits <= 19 {
		return models.InvalidRequest.New("this is a card number; send the processor's token for the card").At("/card_token")
	}
	return nil
}

// NewCharge records the intent to pay a declined order with another card (ORD-2). The order's lifecycle is asked for it
// by an Update that carries the charge's id.
//
// Faults: NoSuchThing, InvalidRequest, StateForbids, RenewalTooLate (REN-4), with what is allowed.
func (s *Store) NewCharge(ctx context.Context, number string, method models.Secret, by models.Actor, at time.Time) (models.Charge, error) {
	var c models.Charge
	if err := checkCard(method); err != nil {
		return c, err
	}
	err := s.InTx(ctx, func(tx *Store) error {
		o, err := tx.OrderByNumber(ctx, number)
		if err != nil {
			return err
		}
		if err := orders.move(tx.with(ctx), o.ID, models.RetryOrder, at, nil); err != nil {
			return err
		}
		if err := tx.refuseLateCharge(ctx, o, at); err != nil {
			return err
		}
		attempt, err := tx.chargesOf(ctx, o.ID)
		if err != nil {
			return err
		}
		if c, err = tx.intendCharge(ctx, o, attempt+1, method, at); err != nil {
			return err
		}
		if err := tx.Signal(ctx, models.OrderLifecycle, number, models.SignalOrderChanged, c.ID, at); err != nil {
			return err
		}
		return tx.Audit(ctx, models.AuditEvent{At: at, Class: models.AdministrationEvents, Kind: "order.paid_again", Actor: by.ID, SubjectRef: number, Outcome: models.Succeeded})
	})
	if err != nil {
		return c, fmt.Errorf("pay again: %w", err)
	}
	return c, nil
}

func (s *Store) chargesOf(ctx context.Context, orderID string) (int, error) {
	var n int64
	err := s.with(ctx).Table("charges").Where("order_id = ?", orderID).Count(&n).Error
	return int(n), err
}

// LiveCharge returns the charge of an order that is under way or taken.
func (s *Store) LiveCharge(ctx context.Context, number string) (models.Charge, error) {
	var c models.Charge
	err := s.with(ctx).Where("order_id = (select id from orders where number = ?) and status in ?", number,
		[]models.ChargeStatus{models.ChargeIntended, models.ChargeAuthorized, models.ChargeCaptured}).Take(&c).Error
	return c, fault(err)
}

// Charges lists the attempts to pay an order by card, in order.
func (s *Store) Charges(ctx context.Context, orderID string) ([]models.Charge, error) {
	var rows []models.Charge
	return rows, fault(s.with(ctx).Where("order_id = ?", orderID).Order("attempt").Find(&rows).Error)
}

// ChargeAuthorized records that the provider holds the amount. Repeating it changes nothing.
func (s *Store) ChargeAuthorized(ctx context.Context, c models.Charge, providerRef string, at time.Time) error {
	if c.Status != models.ChargeIntended {
		return nil
	}
	return charges.move(s.with(ctx), c.ID, models.AuthorizeCharge, at, map[string]any{"provider_ref": providerRef})
}

// ChargeCaptured records that the provider has taken the amount: the charge becomes a payment, which settles the invoice and
// pays the order, in one transaction.
func (s *Store) ChargeCaptured(ctx context.Context, c models.Charge, invoiceNumber string, at time.Time) error {
	return s.InTx(ctx, func(tx *Store) error {
		if _, err := orders.lock(ctx, tx, c.OrderID); err != nil {
			return err
		}
		state, err := charges.lock(ctx, tx, c.ID)
		if err != nil || state == models.ChargeCaptured {
			return err
		}
		if err := charges.move(tx.with(ctx), c.ID, models.CaptureCharge, at, nil); err != nil {
			return err
		}
		taken, err := tx.RecordPayment(ctx, models.NewPayment{Source: models.SourceCard, SourceAccount: "card", BankReference: c.ID,
			Amount: models.Money{Minor: c.AmountMinor, Currency: c.Currency}, ReceivedAt: at, InvoiceNumber: invoiceNumber},
			models.SystemActor(models.OrderLifecycle), at)
		if err != nil || taken.Unapplied() == 0 {
			return err
		}
		// Other money was quicker: what was taken from the card is owed to the buyer.
		return tx.OpenCase(ctx, "card-surplus/"+c.ID, invoiceNumber, "a card was charged for an invoice that other money has paid: refund it", at)
	})
}

// ChargeDeclined records that the provider declined: the buyer is told, and the order can be paid again (ORD-2).
func (s *Store) ChargeDeclined(ctx context.Context, c models.Charge, number, reason string, at time.Time) error {
	return s.InTx(ctx, func(tx *Store) error {
		o, err := tx.OrderByNumber(ctx, number)
		if err != nil {
			return err
		}
		if err := tx.lockCredentialsOf(ctx, o.Lines); err != nil {
			return err
		}
		if _, err := orders.lock(ctx, tx, o.ID); err != nil {
			return err
		}
		state, err := charges.lock(ctx, tx, c.ID)
		if err != nil || state == models.ChargeDeclined {
			return err
		}
		if err := charges.move(tx.with(ctx), c.ID, models.DeclineCharge, at, map[string]any{"decline_reason": reason, "provider_ref": c.ProviderRef}); err != nil {
			return err
		}
		if err := orders.move(tx.with(ctx), o.ID, models.DeclineOrder, at, nil); err != nil {
			return err
		}
		closing, err := tx.closing(ctx, o, at)
		if err != nil {
			return err
		}
		err = tx.AddNotice(ctx, NewNotice{Kind: models.NoticeCardDeclined, DedupeKey: number + "/declined/" + c.ID, AccountID: o.BuyerID, SubjectRef: number, Params: closing}, at)
		if err != nil {
			return err
		}
		if err := tx.auditOrder(ctx, o, "order.payment_declined", at, map[string]string{"reason": reason}); err != nil {
			return err
		}
		return tx.lapseIfPointless(ctx, number, at)
	})
}

// ChargeCancelled records that a charge was given up before the amount was taken.
func (s *Store) ChargeCancelled(ctx context.Context, c models.Charge, at time.Time) error {
	return charges.move(s.with(ctx), c.ID, models.CancelCharge, at, nil)
}
