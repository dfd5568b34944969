package api

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"tokendesk/api/gen"
	"tokendesk/models"
	"tokendesk/models/store"
)

// ListShipments lists shipments.
func (s *server) ListShipments(ctx context.Context, r gen.ListShipmentsRequestObject) (gen.ListShipmentsResponseObject, error) {
	f := store.ShipmentFilter{Status: deref(r.Params.Status)}
	l := s.list(r.Params.Limit, fmt.Sprintf("shipments/%s", f.Status))
	page, err := l.page(r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	rows, err := s.Store.Shipments(ctx, f, page)
	if err != nil {
		return nil, err
	}
	rows, next, err := cut(l, rows, func(sh models.Shipment) string { return sh.ID })
	if err != nil {
		return nil, err
	}
	items := make([]gen.Shipment, 0, len(rows))
	for _, row := range rows {
		view, err := s.viewShipmentOf(ctx, row.ID)
		if err != nil {
			return nil, err
		}
		items = append(items, *view)
	}
	return gen.ListShipments200JSONResponse{Items: items, NextCursor: next}, nil
}

// GetShipment shows one shipment and its parcels.
func (s *server) GetShipment(ctx context.Context, r gen.GetShipmentRequestObject) (gen.GetShipmentResponseObject, error) {
	sh, parcels, err := s.shipment(ctx, r.ShipmentID)
	return gen.GetShipment200JSONResponse{Headers: gen.GetShipment200ResponseHeaders{ETag: version(sh.UpdatedAt)}, Body: viewShipment(sh, parcels)}, err
}

// CorrectShipmentAddress changes where a shipment goes, if nobody has changed the shipment since it was loaded.
func (s *server) CorrectShipmentAddress(ctx context.Context, r gen.CorrectShipmentAddressRequestObject) (gen.CorrectShipmentAddressResponseObject, error) {
	if _, _, err := s.shipment(ctx, r.ShipmentID); err != nil {
		return nil, err
	}
	_, err := making(ctx, s, func(tx *store.Store) (string, string, error) {
		seen, err := tx.LockShipment(ctx, r.ShipmentID)
		switch {
		case err != nil:
			return "", "", err
		case version(seen.UpdatedAt) != r.Params.IfMatch:
			return "", "", models.PreconditionFailed.New("the shipment is %s now", seen.Status)
		}
		return seen.ID, seen.ID, tx.CorrectAddress(ctx, seen.ID, *r.Body, callOf(ctx).caller.Actor, s.Clock())
	}, func(id string) (string, error) { return id, nil })
	if err != nil {
		return nil, err
	}
	sh, parcels, err := s.Store.Shipment(ctx, r.ShipmentID)
	return gen.CorrectShipmentAddress200JSONResponse{
		Headers: gen.CorrectShipmentAddress200ResponseHeaders{ETag: version(sh.UpdatedAt)}, Body: viewShipment(sh, parcels),
	}, err
}

// DeclareParcelLost takes a person's word that a late parcel will not arrive.
func (s *server) DeclareParcelLost(ctx context.Context, r gen.DeclareParcelLostRequestObject) (gen.DeclareParcelLostResponseObject, error) {
	if _, _, err := s.shipment(ctx, r.ShipmentID); err != nil {
		return nil, err
	}
	reason, err := givenReason(models.ByAdministrator, &r.Body.Reason)
	if err != nil {
		return nil, err
	}
	_, err = making(ctx, s, func(tx *store.Store) (string, string, error) {
		return r.ShipmentID, r.ShipmentID, tx.DeclareLost(ctx, r.ShipmentID, reason, callOf(ctx).caller.Actor, s.Clock())
	}, func(id string) (string, error) { return id, nil })
	if err != nil {
		return nil, err
	}
	sh, parcels, err := s.Store.Shipment(ctx, r.ShipmentID)
	return gen.DeclareParcelLost200JSONResponse{Body: viewShipment(sh, parcels)}, err
}

// shipmentActions lists what the caller may do with a shipment.
func (s *server) shipmentActions(ctx context.Context, sh models.Shipment) []string {
	return slices.DeleteFunc(sh.Actions(), func(action string) bool {
		return !s.operations.performs(models.ShipmentMachine.Name+"."+action, callOf(ctx).caller.roles)
	})
}

// version is the entity tag (RFC 9110 section 8.8.3) of a thing that was last changed at a moment.
func version(changed time.Time) string {
	return `"` + strconv.FormatInt(changed.UnixMicro(), 36) + `"`
}

// shipment finds a shipment that exists for the caller: staff, or whoever bought what it carries.
func (s *server) shipment(ctx context.Context, id string) (models.Shipment, []models.Parcel, error) {
	sh, parcels, err := s.Store.Shipment(ctx, id)
	if err != nil {
		return sh, nil, err
	}
	line, err := s.Store.OrderOfLine(ctx, sh.OrderLineID)
	if err == nil && !callOf(ctx).caller.sees(line.BuyerID) {
		err = models.NoSuchThing.New("no such shipment")
	}
	return sh, parcels, err
}

func (s *server) viewShipmentOf(ctx context.Context, id string) (*gen.Shipment, error) {
	sh, parcels, err := s.Store.Shipment(ctx, id)
	view := viewShipment(sh, parcels)
	return &view, err
}

func viewShipment(sh models.Shipment, parcels []models.Parcel) gen.Shipment {
	return gen.Shipment{ID: sh.ID, OrderLineID: sh.OrderLineID, TokenModel: sh.TokenModel, Status: sh.Status, Address: &sh.Address,
		PromisedBy: sh.PromisedBy, LateFrom: sh.LateFrom, LateSince: sh.LateSince, MissingSince: sh.MissingSince, CreatedAt: sh.CreatedAt, DeliveredAt: sh.DeliveredAt,
		Parcels: each(parcels, viewParcel)}
}

func viewParcel(p models.Parcel) gen.Parcel {
	v := gen.Parcel{Number: int32(p.Number), Serial: p.Serial, Carrier: p.Carrier, TrackingNumber: p.TrackingNumber, ShippedAt: p.ShippedAt}
	if p.Outcome != nil {
		outcome := gen.ParcelOutcome(*p.Outcome)
		v.Outcome = &outcome
	}
	return v
}
