package store

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"tokendesk/models"
)

// maxCarrierText bounds what a carrier calls its things, in bytes.
const maxCarrierText = 200

// RecordCarrierEvent keeps what a carrier reports about a parcel, and moves the shipment accordingly: the event, the
// transition, its evidence, its mails and the signal to the lifecycle stand or fall together (SHP-2). It reports whether the
// shipment moved. A repeat changes nothing; events may arrive in any order, also before the label's tracking number is
// known; what is reported about a parcel that was given up, or under an unknown number, is kept and changes nothing else.
//
// Faults: InvalidRequest.
func (s *Store) RecordCarrierEvent(ctx context.Context, e models.CarrierEvent, at time.Time) (changed bool, err error) {
	if err := checkCarrierEvent(e); err != nil {
		return false, err
	}
	err = s.InTx(ctx, func(tx *Store) error {
		if err := tx.lockTracking(ctx, e.TrackingNumber); err != nil {
			return err
		}
		r := tx.with(ctx).Exec(`
			insert into carrier_events (carrier, id, tracking_number, kind, occurred_at, received_at) values (?, ?, ?, ?, ?, ?) on conflict do nothing`,
			e.Carrier, e.ID, e.TrackingNumber, e.Kind, e.OccurredAt.UTC(), at)
		if r.Error != nil || r.RowsAffected == 0 {
			return r.Error
		}
		changed, err = tx.moveParcel(ctx, e, at)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("record a carrier's event: %w", err)
	}
	return changed, nil
}

func checkCarrierEvent(e models.CarrierEvent) error {
	for pointer, text := range map[string]string{"/id": e.ID, "/carrier": e.Carrier, "/tracking_number": e.TrackingNumber} {
		if text == "" || len(text) > maxCarrierText {
			return models.InvalidRequest.New("1 to %d characters are needed", maxCarrierText).At(pointer)
		}
	}
	if !e.Kind.Valid() {
		return models.InvalidRequest.New("no such kind of carrier event").At("/kind")
	}
	if e.OccurredAt.IsZero() {
		return models.InvalidRequest.New("the carrier's own time is needed").At("/occurred_at")
	}
	return nil
}

// lockTracking orders an event and the answer that makes its tracking number known: whichever comes second sees the first.
func (s *Store) lockTracking(ctx context.Context, trackingNumber string) error {
	err := s.with(ctx).Exec("select pg_advisory_xact_lock(hashtextextended(?, 0))", "parcel/"+trackingNumber).Error
	if err != nil {
		return fmt.Errorf("wait for other news of the parcel: %w", err)
	}
	return nil
}

func (s *Store) moveParcel(ctx context.Context, e models.CarrierEvent, at time.Time) (moved bool, err error) {
	var p models.Parcel
	found := s.with(ctx).Where("tracking_number = ?", e.TrackingNumber).Find(&p)
	if found.Error != nil || found.RowsAffected == 0 {
		return false, found.Error
	}
	sh, err := s.lockShipment(ctx, p.ShipmentID)
	if err != nil {
		return false, err
	}
	if moved, err = s.followCarrier(ctx, &sh, p, at); err != nil || !moved {
		return false, err
	}
	return true, s.Signal(ctx, models.ShipmentLifecycle, sh.ID, models.SignalParcelMoved, e.ID, at)
}

// reported is what a carrier's report does to a shipment.
var reported = map[models.CarrierEventKind]models.ShipmentEvent{
	models.CarrierInTransit: models.CarryShipment,
	models.CarrierException: models.TroubleShipment,
	models.CarrierDelivered: models.DeliverShipment,
	models.CarrierLost:      models.ReshipShipment,
	models.CarrierReturned:  models.ReshipShipment,
}

// followCarrier brings a locked shipment to where all events of its current parcel say that it is.
func (s *Store) followCarrier(ctx context.Context, sh *models.Shipment, p models.Parcel, at time.Time) (moved bool, err error) {
	var events []models.CarrierEvent
	err = s.with(ctx).Where("tracking_number = ?", *p.TrackingNumber).Find(&events).Error
	if err != nil {
		return false, err
	}
	kind := models.FoldCarrierEvents(events)
	event, says := reported[kind]
	if !says {
		return false, nil
	}
	current := p.Number == sh.Parcel && p.ShippedAt != nil
	if !current || !models.ShipmentMachine.Allows(sh.Status, event) {
		return false, s.noteContradiction(ctx, *sh, p, kind, at)
	}
	actor := "carrier:" + *p.Carrier
	switch event {
	case models.DeliverShipment:
		return true, s.deliver(ctx, sh, p, actor, at)
	case models.ReshipShipment:
		return true, s.giveUp(ctx, sh, p, kind, actor, at)
	}
	return true, s.moveShipment(ctx, sh, event, actor, at, nil)
}

// noteContradiction asks a person to look when a carrier's final report does not agree with how the parcel ended here: it
// arrived after all, or did not.
func (s *Store) noteContradiction(ctx context.Context, sh models.Shipment, p models.Parcel, kind models.CarrierEventKind, at time.Time) error {
	arrived := kind == models.CarrierDelivered
	if !kind.Ends() || p.Outcome != nil && (*p.Outcome == models.ParcelDelivered) == arrived {
		return nil
	}
	return s.OpenCase(ctx, "carrier/"+p.ShipmentID+"/"+strconv.Itoa(p.Number)+"/"+string(kind), sh.ID,
		"the carrier reports a parcel "+string(kind)+" that had ended otherwise", at)
}

func (s *Store) deliver(ctx context.Context, sh *models.Shipment, p models.Parcel, actor string, at time.Time) error {
	if err := s.changeParcel(ctx, p, map[string]any{"outcome": models.ParcelDelivered}); err != nil {
		return err
	}
	if err := s.moveShipment(ctx, sh, models.DeliverShipment, actor, at, map[string]any{"delivered_at": at}); err != nil {
		return err
	}
	sh.DeliveredAt = &at
	return s.tellBuyer(ctx, *sh, p, models.NoticeDelivered, at)
}

// giveUp ends a parcel that was lost or returned: its serial is retired, and the shipment waits for the next one (SHP-2), unless its
// line is being refunded (ORD-5). A token that its owner has registered has arrived, whatever the carrier says.
func (s *Store) giveUp(ctx context.Context, sh *models.Shipment, p models.Parcel, kind models.CarrierEventKind, actor string, at time.Time) error {
	state, err := tokens.lock(ctx, s, p.Serial)
	if err != nil {
		return err
	}
	var registered bool // and maybe revoked since
	if err := s.with(ctx).Raw("select exists (select from authenticators where serial = ?)", p.Serial).Row().Scan(&registered); err != nil {
		return fmt.Errorf("look whether a token was registered: %w", err)
	}
	if registered {
		if err := s.noteContradiction(ctx, *sh, p, kind, at); err != nil {
			return err
		}
		return s.deliver(ctx, sh, p, actor, at)
	}
	if state != models.TokenRetired {
		reason := map[string]any{"status_reason": string(kind) + " on the way: " + sh.ID}
		if err := tokens.move(s.with(ctx), p.Serial, models.RetireToken, at, reason); err != nil {
			return err
		}
	}
	if err := s.changeParcel(ctx, p, map[string]any{"outcome": string(kind)}); err != nil {
		return err
	}
	if refund, err := s.refundWaitingFor(ctx, sh.OrderLineID); err != nil || refund != "" {
		if err != nil {
			return err
		}
		return s.giveUpRefunded(ctx, sh, refund, actor, at)
	}
	next := map[string]any{"parcel": p.Number + 1, "promised_by": nil, "late_from": nil, "late_since": nil}
	if err := s.moveShipment(ctx, sh, models.ReshipShipment, actor, at, next); err != nil {
		return err
	}
	sh.Parcel, sh.PromisedBy, sh.LateFrom, sh.LateSince = p.Number+1, nil, nil, nil
	return s.tellBuyer(ctx, *sh, p, models.NoticeReshipped, at)
}

// CarrierEvents lists what the carrier has reported about a shipment's parcels, as the carrier dated it.
func (s *Store) CarrierEvents(ctx context.Context, shipmentID string) ([]models.CarrierEvent, error) {
	var rows []models.CarrierEvent
	err := s.with(ctx).Where("tracking_number in (select tracking_number from parcels where shipment_id = ?)", shipmentID).
		Order("occurred_at, id").Find(&rows).Error
	return rows, fault(err)
}
