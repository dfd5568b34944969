package api

import (
	"context"
	"time"

	"tokendesk/api/gen"
	"tokendesk/models"
)

func viewOrderSummary(o models.Order) gen.OrderSummary {
	return gen.OrderSummary{Number: o.Number, BuyerID: o.BuyerID, Status: o.Status, PaymentMethod: o.PaymentMethod, PoNumber: o.PONumber,
		Total: o.Total(), CreatedAt: o.CreatedAt, PlacedAt: o.PlacedAt}
}

// viewOrderNumbered reads an order and renders it with everything that belongs to it.
func (s *server) viewOrderNumbered(ctx context.Context, number string) (gen.Order, error) {
	o, err := s.Store.OrderByNumber(ctx, number)
	if err != nil {
		return gen.Order{}, err
	}
	view := gen.Order{Number: o.Number, BuyerID: o.BuyerID, Status: o.Status, PaymentMethod: o.PaymentMethod, PoNumber: o.PONumber,
		Total: o.Total(), BillingAddress: o.BillingAddress, ShippingAddress: o.ShippingAddress, DisclaimerVersion: int32(o.DisclaimerVersion),
		DisclaimerAcceptedAt: o.DisclaimerAcceptedAt, CreatedAt: o.CreatedAt, PlacedAt: o.PlacedAt, PaidAt: o.PaidAt, FulfilledAt: o.FulfilledAt,
		RefundedAt: o.RefundedAt, CancelledAt: o.CancelledAt, CancelReason: o.CancelReason}
	if view.AllowedActions, err = s.orderActions(ctx, o, s.Clock()); err != nil {
		return view, err
	}
	if view.Lines, err = s.viewLines(ctx, o); err != nil {
		return view, err
	}
	i, err := s.Store.InvoiceOfOrder(ctx, o.ID)
	switch {
	case err == nil:
		invoice := viewInvoice(i, o.Number)
		view.Invoice = &invoice
	case models.KindOf(err) != models.NotFound: // a draft has none
		return view, err
	}
	return view, nil
}

func (s *server) viewLines(ctx context.Context, o models.Order) ([]gen.OrderLine, error) {
	keys, err := s.Store.LicenseKeys(ctx, o.ID)
	if err != nil {
		return nil, err
	}
	shipments, err := s.Store.ShipmentsOfOrder(ctx, o.ID)
	if err != nil {
		return nil, err
	}
	newest := map[string]gen.LicenseKey{} // keys come oldest first
	for _, k := range keys {
		newest[k.OrderLineID] = gen.LicenseKey{Status: k.Status, LastFour: k.LastFour, IssuedAt: k.IssuedAt, ExpiresAt: k.ExpiresAt, UsedAt: k.UsedAt}
	}
	lines := make([]gen.OrderLine, 0, len(o.Lines))
	for _, l := range o.Lines {
		line := gen.OrderLine{Position: int32(l.Position), ProductSKU: l.ProductSKU, BeneficiaryID: l.BeneficiaryID,
			CredentialID: l.CredentialID, ReplacementReason: l.ReplacementReason, Proofing: l.Proofing, ProofingCountry: l.ProofingCountry, Price: models.Money{Minor: l.PriceMinor, Currency: o.Currency}}
		if key, ok := newest[l.ID]; ok {
			line.LicenseKey = &key
		}
		for _, sh := range shipments {
			if sh.OrderLineID == l.ID {
				if line.Shipment, err = s.viewShipmentOf(ctx, sh.ID); err != nil {
					return nil, err
				}
			}
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// orderActions are what the caller may do with an order at a moment.
func (s *server) orderActions(ctx context.Context, o models.Order, at time.Time) ([]string, error) {
	allowed, err := s.Store.OrderActions(ctx, o, at)
	return offered(ctx, s, models.OrderMachine.Name, allowed), err
}

// actionsOf are the events that a person may cause in a state, as far as an operation offers them to the caller.
func actionsOf[S, E ~string](ctx context.Context, s *server, m models.Machine[S, E], state S) []string {
	return offered(ctx, s, m.Name, m.Allowed(state, models.ByPerson))
}

// offered are those of a machine's events that an operation offers to the caller.
func offered[E ~string](ctx context.Context, s *server, machine string, events []E) []string {
	roles := callOf(ctx).caller.roles
	actions := []string{}
	for _, event := range events {
		if s.operations.performs(machine+"."+string(event), roles) {
			actions = append(actions, string(event))
		}
	}
	return actions
}
