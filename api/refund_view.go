package api

import (
	"context"

	"tokendesk/api/gen"
	"tokendesk/models"
	"tokendesk/models/store"
)

func (s *server) viewRefundNumbered(ctx context.Context, id string) (gen.Refund, error) {
	refund, err := s.Store.Refund(ctx, id)
	if err != nil {
		return gen.Refund{}, err
	}
	return s.viewRefund(ctx, refund)
}

func (s *server) viewRefund(ctx context.Context, r models.Refund) (gen.Refund, error) {
	money := func(minor int64) models.Money { return models.Money{Minor: minor, Currency: r.Currency} }
	v := gen.Refund{ID: r.ID, Status: r.Status, Reason: r.Reason, Note: optional(r.Note), Total: r.Total(), SecondPerson: r.SecondPerson,
		RequestedBy: r.RequestedBy, RequestedAt: r.RequestedAt, DecidedBy: r.DecidedBy, DecidedAt: r.DecidedAt, Rejection: r.Rejection,
		ReturnBy: r.ReturnBy, CreditedAt: r.CreditedAt, CardDue: r.CardDue(), CardRefundedAt: r.CardRefundedAt, BankDue: r.BankDue(),
		CreditUsed: money(r.UsedMinor), EndedAt: r.EndedAt, AllowedActions: s.refundActions(ctx, r),
		Lines: each(r.Lines, func(l models.RefundLine) gen.RefundLine {
			return gen.RefundLine{Position: int32(l.Position), Amount: money(l.AmountMinor), UndoneAt: l.UndoneAt, DroppedAt: l.DroppedAt}
		})}
	var err error
	if v.OrderNumber, err = s.orderNumber(ctx, r.OrderID); err != nil {
		return v, err
	}
	expected, err := s.Store.ExpectedReturns(ctx, r)
	if err != nil {
		return v, err
	}
	v.Returns = each(expected, func(e models.ExpectedReturn) gen.ExpectedReturn {
		return gen.ExpectedReturn{Position: int32(e.Position), ShipmentID: e.ShipmentID, Serial: e.Serial, Back: e.Back, Condition: e.Condition, ReceivedAt: e.ReceivedAt}
	})
	endings, err := s.Store.RefundEndings(ctx, r)
	if err != nil {
		return v, err
	}
	v.Endings = each(endings, func(e models.RefundEnding) gen.RefundEnding {
		return gen.RefundEnding{Position: int32(e.Position), CredentialID: e.CredentialID, AuthenticatorID: optional(e.AuthenticatorID), EndedAt: e.EndedAt}
	})
	if r.CreditedAt != nil {
		note, err := s.Store.CreditNoteOfRefund(ctx, r.ID)
		if err != nil {
			return v, err
		}
		v.CreditNote = &note.Number
	}
	return v, nil
}

// refundActions are what a person can do with a refund, as far as an operation offers it to the caller; what only a second person may
// decide is left to them (SEC-1).
func (s *server) refundActions(ctx context.Context, r models.Refund) []string {
	c, actions := callOf(ctx).caller, []string{}
	for _, action := range store.RefundActions(r) {
		decision := action == string(models.ApproveRefund) || action == string(models.RejectRefund)
		if s.operations.performs(models.RefundMachine.Name+"."+action, c.roles) && (!decision || c.ID != r.RequestedBy) {
			actions = append(actions, action)
		}
	}
	return actions
}
