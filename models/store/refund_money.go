package store

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"tokendesk/models"
)

// CardRefund is what the card processor is to be asked for, as recorded before the call.
type CardRefund struct {
	Duty        CardDuty
	Refund      models.Refund
	ProviderRef string // of the charge
	Before      int64  // minor units that went back to the charge through other refunds of ours
}

// CardDuty says what is owed to a card.
type CardDuty string

// The duties.
const (
	NoCardDuty CardDuty = ""
	AskCard    CardDuty = "ask"    // ask the processor; a repeat asks under the same key
	WatchCard  CardDuty = "watch"  // the processor has taken it up: look whether it is done
	QueueCard  CardDuty = "queued" // another refund to the same card is under way
)

// IntendCardRefund records that the card processor is about to be asked for the card part of a refund, and returns what to do. A repeat
// returns the same intent. Refunds to one charge go one after the other, so that what the processor has given back says which is done.
func (s *Store) IntendCardRefund(ctx context.Context, id string, at time.Time) (in CardRefund, err error) {
	err = s.InTx(ctx, func(tx *Store) error {
		if _, in.Refund, err = tx.lockRefund(ctx, id); err != nil || in.Refund.CardDue().Minor == 0 {
			return err
		}
		charge := *in.Refund.ChargeID
		var others int64
		err := tx.with(ctx).Raw(`select coalesce(sum(card_minor) filter (where card_refunded_at is not null), 0),
				count(*) filter (where card_asked_at is not null and card_refunded_at is null)
			from refunds where charge_id = ? and id <> ?`, charge, id).Row().Scan(&in.Before, &others)
		if err != nil {
			return err
		}
		if err := tx.with(ctx).Raw("select provider_ref from charges where id = ?", charge).Row().Scan(&in.ProviderRef); err != nil {
			return err
		}
		switch {
		case in.Refund.CardAcceptedAt != nil:
			in.Duty = WatchCard
		case in.Refund.CardAskedAt != nil:
			in.Duty = AskCard
		case others > 0:
			in.Duty = QueueCard
		default:
			in.Duty, in.Refund.CardAskedAt, in.Refund.CardRefusedAt = AskCard, &at, nil
			return tx.changeCard(ctx, id, map[string]any{"card_asked_at": at, "card_refused_at": nil}, at)
		}
		return nil
	})
	if err != nil {
		return CardRefund{}, fmt.Errorf("intend a card refund: %w", err)
	}
	return in, nil
}

func (s *Store) changeCard(ctx context.Context, id string, set map[string]any, at time.Time) error {
	values := map[string]any{"updated_at": at}
	maps.Copy(values, set)
	return s.with(ctx).Table("refunds").Where("id = ? and status = ?", id, models.RefundPaying).Updates(values).Error
}

// CardRefundAccepted records that the processor has taken a refund up, and has not given the money back yet. A repeat changes nothing.
func (s *Store) CardRefundAccepted(ctx context.Context, id string, at time.Time) error {
	return s.InTx(ctx, func(tx *Store) error {
		_, r, err := tx.lockRefund(ctx, id)
		if err != nil || r.CardDue().Minor == 0 || r.CardAskedAt == nil || r.CardAcceptedAt != nil {
			return err
		}
		return tx.changeCard(ctx, id, map[string]any{"card_accepted_at": at}, at)
	})
}

// CardRefunded records that the processor has given the card part back. A repeat changes nothing.
func (s *Store) CardRefunded(ctx context.Context, id string, at time.Time) error {
	return s.InTx(ctx, func(tx *Store) error {
		o, r, err := tx.lockRefund(ctx, id)
		if err != nil || r.CardDue().Minor == 0 || r.CardAskedAt == nil {
			return err
		}
		err = tx.post(ctx, entry{Kind: "card_refunded", Ref: r.ID, Currency: r.Currency, At: at},
			posting{"refunds_payable", r.CardMinor}, posting{"card_clearing", -r.CardMinor})
		if err != nil {
			return err
		}
		if err := tx.auditRefund(ctx, r, "card_refunded", refundActor, map[string]string{"amount": models.Money{Minor: r.CardMinor, Currency: r.Currency}.String()}, at); err != nil {
			return err
		}
		if err := tx.wakeQueued(ctx, r, at); err != nil {
			return err
		}
		set := map[string]any{"card_refunded_at": at}
		if r.BankMinor > 0 {
			return tx.changeCard(ctx, id, set, at)
		}
		r.CardRefundedAt = &at
		return tx.settleRefund(ctx, o, &r, set, refundActor, at)
	})
}

// wakeQueued tells the refunds that wait for their turn at the same charge. One that was refused waits for a person instead: two of them
// would wake each other for ever.
func (s *Store) wakeQueued(ctx context.Context, r models.Refund, at time.Time) error {
	return s.wakeRefunds(ctx, *r.ChargeID, "card_asked_at is null and card_refused_at is null", at)
}

// wakeRefunds tells the refunds of a charge that still have money to give back, under a condition of this package's own.
func (s *Store) wakeRefunds(ctx context.Context, chargeID, condition string, at time.Time) error {
	var ids []string
	err := s.with(ctx).Raw("select id from refunds where charge_id = ? and status = ? and card_refunded_at is null and "+condition+" order by id", chargeID, models.RefundPaying).Scan(&ids).Error
	if err != nil {
		return fmt.Errorf("look for other refunds: %w", err)
	}
	for _, id := range ids {
		if err := s.Signal(ctx, models.RefundLifecycle, id, models.SignalRefundChanged, chargeID, at); err != nil {
			return err
		}
	}
	return nil
}

// CardRefundRefused records that the processor will not give the money back as it was asked to: the intent is closed, and a person has to
// look. The next try asks under another key; or billing pays the money out. A repeat changes nothing.
func (s *Store) CardRefundRefused(ctx context.Context, in CardRefund, why string, at time.Time) error {
	return s.InTx(ctx, func(tx *Store) error {
		_, r, err := tx.lockRefund(ctx, in.Refund.ID)
		if err != nil || r.CardDue().Minor == 0 || r.CardAskedAt == nil || r.CardTry != in.Refund.CardTry {
			return err
		}
		set := map[string]any{"card_asked_at": nil, "card_accepted_at": nil, "card_refused_at": at, "card_try": r.CardTry + 1}
		if err := tx.changeCard(ctx, r.ID, set, at); err != nil {
			return err
		}
		if err := tx.wakeQueued(ctx, r, at); err != nil {
			return err
		}
		if err := tx.auditRefund(ctx, r, "card_refused", refundActor, nil, at); err != nil {
			return err
		}
		return tx.ReopenCase(ctx, "card-refund/"+r.ID, r.ID, "the card processor does not give the money back: "+why, at)
	})
}

// RecordPayout records that billing has transferred what cannot go back to a card. It ends the refund.
//
// Faults: NoSuchThing, InvalidRequest, StateForbids (nothing is to be paid out now), PayoutDiffers, PayoutRecorded.
func (s *Store) RecordPayout(ctx context.Context, refundID string, n models.NewPayout, actor models.Actor, at time.Time) (p models.Payout, err error) {
	if n, err = checkPayout(n, at); err != nil {
		return p, err
	}
	err = s.changeRefund(ctx, "pay out", refundID, at, func(tx *Store, o models.Order, r *models.Refund) error {
		switch due := r.BankDue(); {
		case due.Minor == 0:
			return models.StateForbids.New("nothing of the refund is to be paid out").Allowing(RefundActions(*r)...)
		case n.Amount.Currency != due.Currency:
			return models.CurrencyMismatch.New("the refund is in %s", due.Currency).At("/amount/currency")
		case n.Amount != due:
			return models.PayoutDiffers.New("%s is owed", due).At("/amount")
		}
		p = models.Payout{RefundID: r.ID, SourceAccount: n.SourceAccount, BankReference: n.BankReference, AmountMinor: n.Amount.Minor,
			Currency: n.Amount.Currency, PaidAt: n.PaidAt, RecordedBy: actor.ID, RecordedAt: at}
		if err := tx.with(ctx).Create(&p).Error; err != nil {
			return err
		}
		owed := "refunds_payable"
		if r.Status == models.RefundKept {
			owed = "customer_credit"
		}
		err := tx.post(ctx, entry{Kind: "refund_paid_out", Ref: r.ID, Currency: p.Currency, At: at}, posting{owed, p.AmountMinor}, posting{"bank", -p.AmountMinor})
		if err != nil {
			return err
		}
		return tx.settleRefund(ctx, o, r, bankTakesOver(r), actor, at)
	})
	return p, err
}

// checkPayout checks a transfer, and returns it without blanks at the ends. Fault: InvalidRequest.
func checkPayout(n models.NewPayout, at time.Time) (models.NewPayout, error) {
	n.SourceAccount, n.BankReference = strings.TrimSpace(n.SourceAccount), strings.TrimSpace(n.BankReference)
	switch {
	case n.SourceAccount == "" || len(n.SourceAccount) > maxReason:
		return n, models.InvalidRequest.New("the account is missing or too long").At("/source_account")
	case n.BankReference == "" || len(n.BankReference) > maxReason:
		return n, models.InvalidRequest.New("the bank reference is missing or too long").At("/bank_reference")
	case n.PaidAt.After(at.Add(24*time.Hour)) || n.PaidAt.Before(at.AddDate(-1, 0, 0)):
		return n, models.InvalidRequest.New("the money cannot have been paid out then").At("/paid_at")
	}
	return n, nil
}

// KeepAsCredit leaves what cannot go back to a card with us, as the buyer's credit. It can pay another order, or be paid out later.
// Faults: NoSuchThing, StateForbids.
func (s *Store) KeepAsCredit(ctx context.Context, id string, actor models.Actor, at time.Time) error {
	return s.changeRefund(ctx, "keep", id, at, func(tx *Store, o models.Order, r *models.Refund) error {
		due := r.BankDue()
		if r.Status != models.RefundPaying || due.Minor == 0 {
			return models.StateForbids.New("nothing of the refund can be kept as credit").Allowing(RefundActions(*r)...)
		}
		set := bankTakesOver(r)
		set["ended_at"] = at
		if err := refunds.move(tx.with(ctx), id, models.KeepRefund, at, set); err != nil {
			return err
		}
		r.Status = models.RefundKept
		err := tx.post(ctx, entry{Kind: "refund_kept", Ref: r.ID, Currency: r.Currency, At: at}, posting{"refunds_payable", due.Minor}, posting{"customer_credit", -due.Minor})
		if err != nil {
			return err
		}
		if err := tx.auditRefund(ctx, *r, "kept_as_credit", actor, nil, at); err != nil {
			return err
		}
		return tx.tellRefund(ctx, o, *r, models.NoticeRefundKept, map[string]string{"amount": due.String()}, at)
	})
}

// bankTakesOver moves what the card processor has refused to the bank part.
func bankTakesOver(r *models.Refund) map[string]any {
	if r.CardRefundedAt == nil && r.CardMinor > 0 {
		r.BankMinor, r.CardMinor = r.BankMinor+r.CardMinor, 0
	}
	return map[string]any{"card_minor": r.CardMinor, "bank_minor": r.BankMinor}
}

// settleRefund ends a refund: the money went back. The buyer is told.
func (s *Store) settleRefund(ctx context.Context, o models.Order, r *models.Refund, set map[string]any, actor models.Actor, at time.Time) error {
	values := map[string]any{"ended_at": at}
	maps.Copy(values, set)
	if err := refunds.move(s.with(ctx), r.ID, models.SettleRefund, at, values); err != nil {
		return err
	}
	r.Status, r.EndedAt = models.RefundDone, &at
	if err := s.auditRefund(ctx, *r, "refunded", actor, nil, at); err != nil || r.TotalMinor == 0 {
		return err
	}
	money := func(minor int64) string { return models.Money{Minor: minor, Currency: r.Currency}.String() }
	paidOut := r.BankMinor - r.UsedMinor
	params := map[string]string{"amount": money(r.CardMinor + paidOut), "card": money(r.CardMinor), "bank": money(paidOut)}
	if r.CardMinor == 0 {
		delete(params, "card")
	}
	if paidOut == 0 {
		delete(params, "bank")
	}
	return s.tellRefund(ctx, o, *r, models.NoticeRefunded, params, at)
}
