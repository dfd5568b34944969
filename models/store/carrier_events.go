package store

import (
	"context"
	"database/sql"
	"errors"
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
	sh, err := s.lockDelivery(ctx, p.ShipmentID)
	if err != nil {
		return false, err
	}
	if moved, err = s.followCarrier(ctx, &sh, p, at); err != nil || !moved {
		return false, err
	}
	return true, s.Signal(ctx, models.ShipmentLifecycle, sh.ID, models.SignalParcelMoved, e.ID, at)
}

// lockDelivery locks a shipment whose parcel may be given up. What that may credit is locked before it: the line's credential and its order.
func (s *Store) lockDelivery(ctx context.Context, shipmentID string) (models.Shipment, error) {
	var orderID, lineID string
	err := s.with(ctx).Raw("select l.order_id, l.id from shipments h join order_lines l on l.id = h.order_line_id where h.id = ?", shipmentID).Row().Scan(&orderID, &lineID)
	if errors.Is(err, sql.ErrNoRows) {
		return models.Shipment{}, models.NoSuchThing.New("no such shipment")
	}
	if err != nil {
		return models.Shipment{}, fmt.Errorf("find the order of a shipment: %w", err)
	}
	if _, err := s.lockLine(ctx, orderID, lineID); err != nil {
		return models.Shipment{}, err
	}
	return s.lockShipment(ctx, shipmentID)
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
// line is being refunded (ORD-5) or the credential that it is for is revoked (MGT-4). A token that its owner has registered has arrived, whatever the carrier says.
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
	refund, err := s.refundWaitingFor(ctx, sh.OrderLineID)
	switch {
	case err != nil:
		return err
	case refund != "":
		return s.giveUpRefunded(ctx, sh, refund, actor, at)
	}
	revoked, err := s.revokedBehind(ctx, sh.OrderLineID)
	switch {
	case err != nil:
		return err
	case revoked != "":
		return s.giveUpRevoked(ctx, sh, revoked, actor, at)
	}
	next := map[string]any{"parcel": p.Number + 1, "promised_by": nil, "late_from": nil, "late_since": nil, "missing_since": nil}
	if err := s.moveShipment(ctx, sh, models.ReshipShipment, actor, at, next); err != nil {
		return err
	}
	sh.Parcel, sh.PromisedBy, sh.LateFrom, sh.LateSince, sh.MissingSince = p.Number+1, nil, nil, nil, nil
	return s.tellBuyer(ctx, *sh, p, models.NoticeReshipped, at)
}

// revokedBehind is the revoked credential that a line's token is for: it was bought for, or replaces the token of; empty: it lives, or is to come.
func (s *Store) revokedBehind(ctx context.Context, lineID string) (credentialID string, err error) {
	var ids []string
	err = s.with(ctx).Raw(`select id from credentials where phase = @revoked and (order_line_id = @line
		or id = (select credential_id from order_lines where id = @line and replacement_reason is not null))`,
		map[string]any{"line": lineID, "revoked": models.CredentialRevoked}).Scan(&ids).Error
	if err != nil || len(ids) == 0 {
		return "", err
	}
	return ids[0], nil
}

// giveUpRevoked ends a shipment whose parcel was lost or returned after its credential was revoked: nothing is sent again, since nobody could
// register it. A replacement is credited as one that had not left when the credential ended; about a first token a person decides.
func (s *Store) giveUpRevoked(ctx context.Context, sh *models.Shipment, credentialID, actor string, at time.Time) error {
	if err := s.endDelivery(ctx, sh, actor, at); err != nil {
		return err
	}
	var replaces bool
	if err := s.with(ctx).Raw("select replacement_reason is not null from order_lines where id = ?", sh.OrderLineID).Row().Scan(&replaces); err != nil {
		return fmt.Errorf("look what a shipment is for: %w", err)
	}
	if replaces {
		return s.undoReplacements(ctx, credentialID, at)
	}
	return s.OpenCase(ctx, "given-up/"+sh.ID, sh.ID, "a parcel did not arrive, and its credential is revoked: nothing is sent again", at)
}

// endDelivery gives a shipment up.
func (s *Store) endDelivery(ctx context.Context, sh *models.Shipment, actor string, at time.Time) error {
	if err := s.moveShipment(ctx, sh, models.GiveUpShipment, actor, at, map[string]any{"late_from": nil, "late_since": nil, "missing_since": nil}); err != nil {
		return err
	}
	sh.LateFrom, sh.LateSince, sh.MissingSince = nil, nil, nil
	return nil
}

// CarrierEvents lists what the carrier has reported about a shipment's parcels, as the carrier dated it.
func (s *Store) CarrierEvents(ctx context.Context, shipmentID string) ([]models.CarrierEvent, error) {
	var rows []models.CarrierEvent
	err := s.with(ctx).Where("tracking_number in (select tracking_number from parcels where shipment_id = ?)", shipmentID).
		Order("occurred_at, id").Find(&rows).Error
	return rows, fault(err)
}
