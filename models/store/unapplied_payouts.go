package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"tokendesk/models"
)

// PaymentActions lists what billing may do with what is left of a payment. A second person is needed where one alone may not pay it out:
// limit is the policy's, in minor units (SEC-1).
func PaymentActions(r PaymentResult, limit int64) []string {
	if r.Unapplied() == 0 {
		return nil
	}
	actions := []models.PaymentAction{models.ApplyPayment, models.PayOutPayment}
	if r.alone()+r.Unapplied() > limit {
		actions = append(actions, models.ApprovePayout)
	}
	return models.Events(actions)
}

// alone is what was paid out without a second person, so that the limit is not got round in parts.
func (r PaymentResult) alone() (minor int64) {
	for _, p := range r.Payouts {
		if p.ApprovalID == nil {
			minor += p.AmountMinor
		}
	}
	return minor
}

// consent is an approval that covers a payout: somebody else's, of enough, for which nothing was paid out yet. The smallest one is used.
func (r PaymentResult) consent(minor int64, actor models.Actor) *string {
	var best *models.PayoutApproval
	for i, a := range r.Approvals {
		used := slices.ContainsFunc(r.Payouts, func(p models.UnappliedPayout) bool { return p.ApprovalID != nil && *p.ApprovalID == a.ID })
		if !used && a.ApprovedBy != actor.ID && a.AmountMinor >= minor && (best == nil || a.AmountMinor < best.AmountMinor) {
			best = &r.Approvals[i]
		}
	}
	if best == nil {
		return nil
	}
	return &best.ID
}

// covers refuses an amount that is not left of the payment. Faults: InvalidRequest, CurrencyMismatch, PayoutDiffers.
func (r PaymentResult) covers(amount models.Money) error {
	left := models.Money{Minor: r.Unapplied(), Currency: r.Payment.Currency}
	switch {
	case amount.Minor <= 0:
		return models.InvalidRequest.New("the amount must be positive").At("/amount")
	case amount.Currency != left.Currency:
		return models.CurrencyMismatch.New("the payment is in %s", left.Currency).At("/amount/currency")
	case amount.Minor > left.Minor:
		return models.PayoutDiffers.New("%s is left of the payment", left).At("/amount")
	}
	return nil
}

// ApprovePayout is a second person's consent to pay out money that no invoice took, up to an amount; somebody else pays it out. Nobody approves
// what goes to themselves (SEC-1).
//
// Faults: NoSuchThing, InvalidRequest, CurrencyMismatch, PayoutDiffers (more than is left), SecondPerson.
func (s *Store) ApprovePayout(ctx context.Context, paymentID string, amount models.Money, reason string, actor models.Actor, at time.Time) (a models.PayoutApproval, err error) {
	if reason, err = checkReason(reason); err != nil {
		return a, err
	}
	err = s.InTx(ctx, func(tx *Store) error {
		r, err := tx.lockUnapplied(ctx, paymentID)
		if err != nil {
			return err
		}
		if err := r.covers(amount); err != nil {
			return err
		}
		buyers, err := tx.buyersOf(ctx, r.Payment)
		if err != nil {
			return err
		}
		if slices.Contains(buyers, actor.ID) {
			return models.SecondPerson.New("it would go back to you").Allowing()
		}
		a = models.PayoutApproval{ID: NewID("ua", at), PaymentID: paymentID, AmountMinor: amount.Minor, Currency: amount.Currency, Reason: reason, ApprovedBy: actor.ID, ApprovedAt: at}
		if err := tx.with(ctx).Create(&a).Error; err != nil {
			return err
		}
		return tx.auditPayout(ctx, "payout_approved", paymentID, amount, reason, actor, at)
	})
	if err != nil {
		return models.PayoutApproval{}, fmt.Errorf("approve a payout: %w", err)
	}
	return a, nil
}

// PayOutUnapplied records that billing has transferred money back that no invoice took, up to what is left of the payment (ORD-4). Above the
// limit of the policy in force, for all that one person alone pays out of a payment, somebody else has approved it before (SEC-1).
//
// Faults: NoSuchThing, InvalidRequest, CurrencyMismatch, PayoutDiffers (more than is left), PayoutRecorded, SecondPerson.
func (s *Store) PayOutUnapplied(ctx context.Context, paymentID string, n models.NewPayout, reason string, actor models.Actor, at time.Time) (p models.UnappliedPayout, err error) {
	if n, err = checkPayout(n, at); err != nil {
		return p, err
	}
	if reason, err = checkReason(reason); err != nil {
		return p, err
	}
	policy, err := s.CurrentPolicy(ctx, at)
	if err != nil {
		return p, err
	}
	err = s.InTx(ctx, func(tx *Store) error {
		r, err := tx.lockUnapplied(ctx, paymentID)
		if err != nil {
			return err
		}
		if err := r.covers(n.Amount); err != nil {
			return err
		}
		p = models.UnappliedPayout{ID: NewID("up", at), PaymentID: paymentID, SourceAccount: n.SourceAccount, BankReference: n.BankReference,
			AmountMinor: n.Amount.Minor, Currency: n.Amount.Currency, PaidAt: n.PaidAt, Reason: reason, RecordedBy: actor.ID, RecordedAt: at}
		if limit := policy.Refund.SecondPersonAbove; r.alone()+n.Amount.Minor > limit {
			if p.ApprovalID = r.consent(n.Amount.Minor, actor); p.ApprovalID == nil {
				return models.SecondPerson.New("above %s another member of the billing staff approves a payout before it is made", models.Money{Minor: limit, Currency: p.Currency}).
					Allowing(string(models.ApplyPayment))
			}
		}
		if err := tx.with(ctx).Create(&p).Error; err != nil {
			return err
		}
		err = tx.post(ctx, entry{Kind: "unapplied_paid_out", Ref: p.ID, Currency: p.Currency, At: at},
			posting{"unapplied_cash", p.AmountMinor}, posting{"bank", -p.AmountMinor})
		if err != nil {
			return err
		}
		return tx.auditPayout(ctx, "paid_out", paymentID, n.Amount, reason, actor, at)
	})
	if err != nil {
		return models.UnappliedPayout{}, fmt.Errorf("pay out what no invoice took: %w", err)
	}
	return p, nil
}

func (s *Store) auditPayout(ctx context.Context, what, paymentID string, amount models.Money, reason string, actor models.Actor, at time.Time) error {
	return s.Audit(ctx, models.AuditEvent{At: at, Class: models.AdministrationEvents, Kind: "payment." + what, Actor: actor.ID, SubjectRef: paymentID,
		Outcome: models.Succeeded, Detail: map[string]string{"amount": amount.String(), "reason": reason}})
}
