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

// lineOrder is what a shipment needs to know of the order that it belongs to.
type lineOrder struct {
	Number        string
	BuyerID       string
	PolicyVersion int
	ProductSKU    string
}

func (s *Store) orderOfLine(ctx context.Context, lineID string) (o lineOrder, err error) {
	err = s.with(ctx).Raw("select o.number, o.buyer_id, o.policy_version, l.product_sku from order_lines l join orders o on o.id = l.order_id where l.id = ?", lineID).Scan(&o).Error
	if err != nil {
		err = fmt.Errorf("find the order of a line: %w", err)
	}
	return o, err
}

// tellBuyer records a mail about a parcel, one of each kind. Its parameters: order, product, carrier, tracking_number, and
// promised_by, the last promised day in the vendor's zone.
func (s *Store) tellBuyer(ctx context.Context, sh models.Shipment, p models.Parcel, kind models.NoticeKind, at time.Time) error {
	o, err := s.orderOfLine(ctx, sh.OrderLineID)
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
