package api

import (
	"context"
	"fmt"

	"tokendesk/api/gen"
	"tokendesk/models"
	"tokendesk/models/store"
)

// CreateOrder records a draft and its number in one transaction with the idempotency record, then lets the engine place it. If
// the engine does not answer, the draft stays and a repeated call goes on with it (ORD-1, OPS-2).
func (s *server) CreateOrder(ctx context.Context, r gen.CreateOrderRequestObject) (gen.CreateOrderResponseObject, error) {
	number, err := making(ctx, s, func(tx *store.Store) (string, string, error) {
		o, err := tx.DraftOrder(ctx, newOrder(callOf(ctx).caller, r.Body), s.Clock())
		return o.Number, o.Number, err
	}, func(number string) (string, error) { return number, nil })
	if err != nil {
		return nil, err
	}
	status, err := s.Lifecycles.PlaceOrder(ctx, number)
	if err != nil {
		return nil, fmt.Errorf("place order %s: %w", number, err)
	}
	if status == models.OrderRefused {
		return nil, models.ProductUnavailable.New("what was ordered cannot be bought any more")
	}
	o, err := s.viewOrderNumbered(ctx, number)
	if err != nil {
		return nil, err
	}
	if o.Warnings, err = s.warningsOf(ctx, number); err != nil {
		return nil, err
	}
	return gen.CreateOrder201JSONResponse{Headers: gen.CreateOrder201ResponseHeaders{Location: "/v1/orders/" + number}, Body: o}, nil
}

func newOrder(buyer caller, b *gen.NewOrder) models.NewOrder {
	return models.NewOrder{BuyerID: buyer.AccountID, LoggedInWith: buyer.loggedInWith(), PaymentMethod: b.PaymentMethod, PONumber: deref(b.PoNumber), BillingAddress: b.BillingAddress,
		ShippingAddress: b.ShippingAddress, DisclaimerVersion: int(deref(b.DisclaimerVersion)), CardPaymentMethod: deref(b.CardToken), Lines: newLines(b.Lines)}
}

func newLines(lines []gen.NewOrderLine) []models.NewOrderLine {
	return each(lines, func(l gen.NewOrderLine) models.NewOrderLine {
		return models.NewOrderLine{ProductSKU: l.ProductSKU, BeneficiaryID: deref(l.BeneficiaryID), CredentialID: deref(l.CredentialID),
			ReplacementReason: deref(l.ReplacementReason), ProofingCountry: deref(l.ProofingCountry), RequirementsAcknowledged: deref(l.RequirementsAcknowledged)}
	})
}

// warningsOf are what the buyer of an order may not have meant (REN-2, MGT-6).
func (s *server) warningsOf(ctx context.Context, number string) ([]gen.OrderWarning, error) {
	o, err := s.Store.OrderByNumber(ctx, number)
	if err != nil {
		return nil, err
	}
	q, err := s.Store.QuoteOfOrder(ctx, o, s.Clock())
	return viewWarnings(q), err
}

// ListOrders lists a buyer's own orders, or all of them to staff (ORD-7).
func (s *server) ListOrders(ctx context.Context, r gen.ListOrdersRequestObject) (gen.ListOrdersResponseObject, error) {
	f := store.OrderFilter{BuyerID: callOf(ctx).caller.own(), Status: deref(r.Params.Status), Search: deref(r.Params.Search)}
	l := s.list(r.Params.Limit, fmt.Sprintf("orders/%s/%s/%s", f.BuyerID, f.Status, f.Search))
	page, err := l.page(r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	rows, err := s.Store.Orders(ctx, f, page)
	if err != nil {
		return nil, err
	}
	rows, next, err := cut(l, rows, func(o models.Order) string { return o.ID })
	return gen.ListOrders200JSONResponse{Items: each(rows, viewOrderSummary), NextCursor: next}, err
}

// GetOrder shows one order.
func (s *server) GetOrder(ctx context.Context, r gen.GetOrderRequestObject) (gen.GetOrderResponseObject, error) {
	if _, err := s.order(ctx, r.OrderNumber); err != nil {
		return nil, err
	}
	o, err := s.viewOrderNumbered(ctx, r.OrderNumber)
	return gen.GetOrder200JSONResponse(o), err
}

// order finds an order that exists for the caller.
func (s *server) order(ctx context.Context, number string) (models.Order, error) {
	o, err := s.Store.OrderByNumber(ctx, number)
	if err == nil && !callOf(ctx).caller.sees(o.BuyerID) {
		err = models.NoSuchThing.New("no such order")
	}
	return o, err
}

// CancelOrder cancels an unpaid order (ORD-5).
func (s *server) CancelOrder(ctx context.Context, r gen.CancelOrderRequestObject) (gen.CancelOrderResponseObject, error) {
	o, err := s.order(ctx, r.OrderNumber)
	if err != nil {
		return nil, err
	}
	c := callOf(ctx)
	if !models.OrderMachine.Allows(o.Status, models.CancelOrder) && o.Status != models.OrderCancelled {
		return nil, models.StateForbids.New("the order is %s", o.Status).Allowing(actionsOf(ctx, s, models.OrderMachine, o.Status)...)
	}
	if err := s.Lifecycles.CancelOrder(ctx, o.Number, c.caller.Actor, r.Body.Reason, c.commandID()); err != nil {
		return nil, fmt.Errorf("cancel order %s: %w", o.Number, err)
	}
	view, err := s.viewOrderNumbered(ctx, o.Number)
	return gen.CancelOrder200JSONResponse{Body: view}, err
}

// CreateCharge lets the buyer of a declined order pay with another card (ORD-2).
func (s *server) CreateCharge(ctx context.Context, r gen.CreateChargeRequestObject) (gen.CreateChargeResponseObject, error) {
	o, err := s.order(ctx, r.OrderNumber)
	if err != nil {
		return nil, err
	}
	charge, err := making(ctx, s, func(tx *store.Store) (models.Charge, string, error) {
		charge, err := tx.NewCharge(ctx, o.Number, r.Body.CardToken, callOf(ctx).caller.Actor, s.Clock())
		return charge, charge.ID, err
	}, func(id string) (models.Charge, error) { return s.chargeOf(ctx, o, id) })
	if err != nil {
		return nil, err
	}
	return gen.CreateCharge202JSONResponse{
		Headers: gen.CreateCharge202ResponseHeaders{Location: "/v1/orders/" + o.Number},
		Body: gen.Charge{ID: charge.ID, OrderNumber: o.Number, Attempt: int32(charge.Attempt), Status: charge.Status,
			Amount: models.Money{Minor: charge.AmountMinor, Currency: charge.Currency}, CreatedAt: charge.CreatedAt},
	}, nil
}

func (s *server) chargeOf(ctx context.Context, o models.Order, id string) (models.Charge, error) {
	charges, err := s.Store.Charges(ctx, o.ID)
	for _, c := range charges {
		if c.ID == id {
			return c, nil
		}
	}
	if err == nil {
		err = models.NoSuchThing.New("no such charge")
	}
	return models.Charge{}, err
}

// ResendLicenseKey mails a new key for a line, to the address on file (ORD-6).
func (s *server) ResendLicenseKey(ctx context.Context, r gen.ResendLicenseKeyRequestObject) (gen.ResendLicenseKeyResponseObject, error) {
	o, err := s.order(ctx, r.OrderNumber)
	if err != nil {
		return nil, err
	}
	_, err = making(ctx, s, func(tx *store.Store) (string, string, error) {
		return o.Number, o.Number, tx.ResendLicenseKey(ctx, o.Number, int(r.Position), s.Keyring, callOf(ctx).caller.Actor, s.Clock())
	}, func(number string) (string, error) { return number, nil })
	if err != nil {
		return nil, err
	}
	view, err := s.viewOrderNumbered(ctx, o.Number)
	return gen.ResendLicenseKey202JSONResponse{Headers: gen.ResendLicenseKey202ResponseHeaders{Location: "/v1/orders/" + o.Number}, Body: view}, err
}
