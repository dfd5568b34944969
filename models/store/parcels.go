package store

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"tokendesk/models"
)

func (s *Store) parcel(ctx context.Context, shipmentID string, number int) (p models.Parcel, err error) {
	if err = s.with(ctx).Where("shipment_id = ? and number = ?", shipmentID, number).Take(&p).Error; err != nil {
		err = fmt.Errorf("find the parcel: %w", err)
	}
	return p, err
}

func (s *Store) changeParcel(ctx context.Context, p models.Parcel, set map[string]any) error {
	if err := s.with(ctx).Table("parcels").Where("shipment_id = ? and number = ?", p.ShipmentID, p.Number).Updates(set).Error; err != nil {
		return fmt.Errorf("change the parcel: %w", err)
	}
	return nil
}

// LineOrder is what a shipment needs to know of the order that it belongs to.
type LineOrder struct {
	Number         string
	BuyerID        string
	OrganizationID string // of the buyer; empty: none
	PolicyVersion  int
	ProductSKU     string
	ProductKind    models.ProductKind
}

// OrderOfLine finds the order of an order line. Faults: NoSuchThing.
func (s *Store) OrderOfLine(ctx context.Context, lineID string) (o LineOrder, err error) {
	r := s.with(ctx).Raw(`
		select o.number, o.buyer_id, coalesce(a.organization_id, '') as organization_id, o.policy_version, p.sku as product_sku, p.kind as product_kind
		from order_lines l join orders o on o.id = l.order_id join accounts a on a.id = o.buyer_id join products p on p.sku = l.product_sku
		where l.id = ?`, lineID).Scan(&o)
	switch {
	case r.Error != nil:
		return o, fault(fmt.Errorf("find the order of a line: %w", r.Error))
	case r.RowsAffected == 0:
		return o, models.NoSuchThing.New("no such order line")
	}
	return o, nil
}

// tellBuyer records a mail about a parcel, one of each kind. Its parameters: order, product, carrier, tracking_number, and
// promised_by, the last promised day in the vendor's zone.
func (s *Store) tellBuyer(ctx context.Context, sh models.Shipment, p models.Parcel, kind models.NoticeKind, at time.Time) error {
	o, err := s.OrderOfLine(ctx, sh.OrderLineID)
	if err != nil {
		return err
	}
	params := map[string]string{"order": o.Number, "product": o.ProductSKU, "carrier": deref(p.Carrier), "tracking_number": deref(p.TrackingNumber)}
	if sh.PromisedBy != nil {
		policy, err := s.Policy(ctx, o.PolicyVersion)
		if err != nil {
			return err
		}
		params["promised_by"] = sh.PromisedBy.Add(-time.Nanosecond).In(policy.Location()).Format(time.DateOnly)
	}
	return s.AddNotice(ctx, NewNotice{Kind: kind, DedupeKey: "shipment/" + sh.ID + "/" + strconv.Itoa(p.Number) + "/" + string(kind),
		AccountID: o.BuyerID, SubjectRef: sh.ID, Params: params}, at)
}
