package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"tokendesk/models"
)

// LabelDuty says what is owed to the carrier for a parcel.
type LabelDuty string

// The duties.
const (
	NoLabelDuty LabelDuty = ""
	BuyLabel    LabelDuty = "buy"
	VoidLabel   LabelDuty = "void" // bought for a shipment that was cancelled meanwhile
)

// LabelIntent is what the carrier is asked for, as recorded before the call.
type LabelIntent struct {
	Duty          LabelDuty
	Shipment      models.Shipment
	Parcel        models.Parcel
	OrderNumber   string
	PolicyVersion int // of the order
}

// Label is what the carrier answered.
type Label struct {
	Carrier        string
	TrackingNumber string
	Ref            string    // the carrier's id of the label
	PromisedBy     time.Time // models.Promise
	LateFrom       time.Time
}

// IntendLabel records that a label is about to be bought for the current parcel, and returns what to do. A repeat returns
// the same intent under the same key; where nothing is owed any more, there is no duty.
func (s *Store) IntendLabel(ctx context.Context, shipmentID string, at time.Time) (in LabelIntent, err error) {
	err = s.InTx(ctx, func(tx *Store) error {
		if in.Shipment, err = tx.lockShipment(ctx, shipmentID); err != nil {
			return err
		}
		switch in.Shipment.Status {
		case models.ShipmentPacked, models.ShipmentCancelled:
		default:
			return nil
		}
		parcels := tx.with(ctx).Where("shipment_id = ? and number = ?", shipmentID, in.Shipment.Parcel).Find(&in.Parcel)
		if parcels.Error != nil || parcels.RowsAffected == 0 { // cancelled before a token was taken
			return parcels.Error
		}
		in.Duty = labelDuty(in.Shipment.Status, in.Parcel)
		if in.Duty == BuyLabel && in.Parcel.LabelRequestedAt == nil {
			in.Parcel.LabelRequestedAt = &at
			if err := tx.changeParcel(ctx, in.Parcel, map[string]any{"label_requested_at": at}); err != nil {
				return err
			}
		}
		o, err := tx.OrderOfLine(ctx, in.Shipment.OrderLineID)
		in.OrderNumber, in.PolicyVersion = o.Number, o.PolicyVersion
		return err
	})
	return in, err
}

// labelDuty: a label that was asked for, and whose answer is not known, is asked for again under its key even when the
// shipment is cancelled, because only its reference can be voided.
func labelDuty(status models.ShipmentStatus, p models.Parcel) LabelDuty {
	asked, known, voided := p.LabelRequestedAt != nil, p.TrackingNumber != nil, p.LabelVoidedAt != nil
	switch {
	case status == models.ShipmentPacked && !known:
		return BuyLabel
	case status == models.ShipmentCancelled && asked && !known:
		return BuyLabel
	case status == models.ShipmentCancelled && known && !voided:
		return VoidLabel
	}
	return NoLabelDuty
}

// RecordLabel records the label that the carrier made: the parcel is shipped, the buyer gets the tracking number (SHP-1), and
// what the carrier has reported under that number already is taken up, all in one transaction. For a shipment that was
// cancelled meanwhile only the label is recorded, and VoidLabel is owed. A repeat changes nothing.
func (s *Store) RecordLabel(ctx context.Context, in LabelIntent, l Label, at time.Time) (sh models.Shipment, duty LabelDuty, err error) {
	err = s.InTx(ctx, func(tx *Store) error {
		if err := tx.lockTracking(ctx, l.TrackingNumber); err != nil {
			return err
		}
		if sh, err = tx.lockDelivery(ctx, in.Shipment.ID); err != nil {
			return err
		}
		p, err := tx.parcel(ctx, sh.ID, in.Parcel.Number)
		if err != nil {
			return err
		}
		if p.TrackingNumber != nil {
			duty = labelDuty(sh.Status, p)
			return nil
		}
		p.Carrier, p.TrackingNumber, p.CarrierRef = &l.Carrier, &l.TrackingNumber, &l.Ref
		if sh.Status == models.ShipmentPacked && sh.Parcel == p.Number {
			p.ShippedAt = &at
		}
		set := map[string]any{"carrier": l.Carrier, "tracking_number": l.TrackingNumber, "carrier_ref": l.Ref, "shipped_at": p.ShippedAt}
		if err := tx.changeParcel(ctx, p, set); err != nil {
			return err
		}
		if p.ShippedAt == nil {
			duty = labelDuty(sh.Status, p)
			return nil
		}
		return tx.ship(ctx, &sh, p, l, at)
	})
	return sh, duty, err
}

func (s *Store) ship(ctx context.Context, sh *models.Shipment, p models.Parcel, l Label, at time.Time) error {
	sh.PromisedBy, sh.LateFrom, sh.LateSince = &l.PromisedBy, &l.LateFrom, nil
	err := s.moveShipment(ctx, sh, models.ShipShipment, lifecycleActor, at, map[string]any{"promised_by": l.PromisedBy, "late_from": l.LateFrom, "late_since": nil})
	if err != nil {
		return err
	}
	if err := tokens.move(s.with(ctx), p.Serial, models.ShipToken, at, nil); err != nil {
		return err
	}
	if err := s.tellBuyer(ctx, *sh, p, models.NoticeShipped, at); err != nil {
		return err
	}
	_, err = s.followCarrier(ctx, sh, p, at)
	return err
}

// LabelRefused records that the carrier will not make this label, whoever asks again: the intent is closed, and a person
// has to look. The next try asks under another key. A repeat changes nothing.
func (s *Store) LabelRefused(ctx context.Context, in LabelIntent, at time.Time) (sh models.Shipment, err error) {
	err = s.InTx(ctx, func(tx *Store) error {
		if sh, err = tx.lockShipment(ctx, in.Shipment.ID); err != nil {
			return err
		}
		p, err := tx.parcel(ctx, sh.ID, in.Parcel.Number)
		if err != nil || p.TrackingNumber != nil || p.LabelTry != in.Parcel.LabelTry {
			return err
		}
		if err := tx.changeParcel(ctx, p, map[string]any{"label_requested_at": nil, "label_try": p.LabelTry + 1}); err != nil {
			return err
		}
		if sh.Status != models.ShipmentPacked {
			return nil
		}
		if err := tx.OpenCase(ctx, "label/"+sh.ID+"/"+strconv.Itoa(p.Number), sh.ID, "the carrier refuses the label: check the address", at); err != nil {
			return err
		}
		return tx.auditShipment(ctx, sh, lifecycleActor, "label_refused", at)
	})
	return sh, err
}

// LabelVoided records that the carrier has taken a label back.
func (s *Store) LabelVoided(ctx context.Context, shipmentID string, parcel int, at time.Time) error {
	return s.InTx(ctx, func(tx *Store) error {
		p, err := tx.parcel(ctx, shipmentID, parcel)
		if err != nil || p.LabelVoidedAt != nil {
			return err
		}
		if err := tx.changeParcel(ctx, p, map[string]any{"label_voided_at": at}); err != nil {
			return err
		}
		return tx.auditShipment(ctx, models.Shipment{ID: shipmentID, Parcel: parcel}, lifecycleActor, "label_voided", at)
	})
}

// CorrectAddress changes where a shipment goes, as long as no label has been asked for.
// Faults: NoSuchThing, AddressMissing, StateForbids.
func (s *Store) CorrectAddress(ctx context.Context, shipmentID string, to models.Address, by models.Actor, at time.Time) error {
	if !to.Complete() {
		return models.AddressMissing.New("the address is not complete").At("/address")
	}
	return s.InTx(ctx, func(tx *Store) error {
		sh, err := tx.lockShipment(ctx, shipmentID)
		if err != nil {
			return err
		}
		if !models.ShipmentMachine.Allows(sh.Status, models.PackShipment) {
			p, err := tx.parcel(ctx, sh.ID, sh.Parcel)
			if err != nil || sh.Status != models.ShipmentPacked || p.LabelRequestedAt != nil {
				return models.StateForbids.New("the shipment is %s: its label has been asked for", sh.Status)
			}
		}
		address, err := json.Marshal(to)
		if err != nil {
			return fmt.Errorf("write the address: %w", err)
		}
		err = tx.with(ctx).Table("shipments").Where("id = ?", sh.ID).Updates(map[string]any{"address": string(address), "updated_at": at}).Error
		if err != nil {
			return fmt.Errorf("correct the address: %w", err)
		}
		if err := tx.auditShipment(ctx, sh, by.ID, "address_corrected", at); err != nil {
			return err
		}
		return tx.Signal(ctx, models.ShipmentLifecycle, sh.ID, models.SignalShipmentChanged, sh.ID, at)
	})
}
