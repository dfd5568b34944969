package store

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"gorm.io/gorm/clause"
	"tokendesk/models"
)

// RequestShipment asks for a token of the model to be sent for an order line, and starts its lifecycle. A line has one
// shipment: asked again, the same one is returned and nothing changes.
func (s *Store) RequestShipment(ctx context.Context, orderLineID, tokenModel string, to models.Address, at time.Time) (string, error) {
	sh := models.Shipment{ID: NewID("sh", at), OrderLineID: orderLineID, TokenModel: tokenModel, Address: to,
		Status: models.ShipmentRequested, Parcel: 1, CreatedAt: at, UpdatedAt: at}
	err := s.InTx(ctx, func(tx *Store) error {
		r := tx.with(ctx).Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "order_line_id"}}, DoNothing: true}).Create(&sh)
		if r.Error != nil {
			return fmt.Errorf("request a shipment: %w", r.Error)
		}
		if r.RowsAffected == 0 {
			return tx.with(ctx).Raw("select id from shipments where order_line_id = ?", orderLineID).Row().Scan(&sh.ID)
		}
		if err := tx.auditShipment(ctx, sh, models.SystemActor(models.OrderLifecycle).ID, "requested", at); err != nil {
			return err
		}
		return tx.Start(ctx, models.ShipmentLifecycle, sh.ID, at)
	})
	return sh.ID, err
}

// Shipment returns a shipment and its parcels, first to last. Faults: NoSuchThing.
func (s *Store) Shipment(ctx context.Context, id string) (models.Shipment, []models.Parcel, error) {
	var sh models.Shipment
	if err := s.with(ctx).Where("id = ?", id).Take(&sh).Error; err != nil {
		return sh, nil, fault(fmt.Errorf("find the shipment: %w", err))
	}
	var parcels []models.Parcel
	err := s.with(ctx).Where("shipment_id = ?", id).Order("number").Find(&parcels).Error
	return sh, parcels, fault(err)
}

// ShipmentsOfOrder lists the shipments of an order, in the order of its lines.
func (s *Store) ShipmentsOfOrder(ctx context.Context, orderID string) ([]models.Shipment, error) {
	var rows []models.Shipment
	err := s.with(ctx).Joins("join order_lines l on l.id = shipments.order_line_id").Where("l.order_id = ?", orderID).Order("l.position").Find(&rows).Error
	return rows, fault(err)
}

// ShipmentFilter narrows a list of shipments; empty members do not narrow.
type ShipmentFilter struct {
	Status     models.ShipmentStatus
	TokenModel string
}

// Shipments lists shipments, newest first.
func (s *Store) Shipments(ctx context.Context, f ShipmentFilter, p Page) ([]models.Shipment, error) {
	q := s.with(ctx).Where(where("status", string(f.Status))).Where(where("token_model", f.TokenModel))
	if p.After != "" {
		q = q.Where("id < ?", p.After)
	}
	var rows []models.Shipment
	return rows, fault(q.Order("id desc").Limit(p.limit()).Find(&rows).Error)
}

// PackShipment takes a token from stock for a shipment that has none, or puts the shipment into the backorder queue (SHP-1,
// SHP-2). It returns where the shipment then stands; one that needs no token stays as it is, so a repeat takes no second one.
func (s *Store) PackShipment(ctx context.Context, id string, at time.Time) (sh models.Shipment, err error) {
	err = s.InTx(ctx, func(tx *Store) error {
		if sh, err = tx.lockShipment(ctx, id); err != nil || !models.ShipmentMachine.Allows(sh.Status, models.PackShipment) {
			return err
		}
		serial, err := tx.takeToken(ctx, sh)
		switch {
		case err != nil:
			return err
		case serial != "":
			return tx.pack(ctx, &sh, serial, at)
		case sh.Status == models.ShipmentBackordered:
			return nil
		}
		return tx.backorder(ctx, &sh, at)
	})
	return sh, err
}

func (s *Store) pack(ctx context.Context, sh *models.Shipment, serial string, at time.Time) error {
	if err := tokens.move(s.with(ctx), serial, models.AllocateToken, at, nil); err != nil {
		return err
	}
	if err := s.with(ctx).Create(&models.Parcel{ShipmentID: sh.ID, Number: sh.Parcel, Serial: serial, LabelTry: 1}).Error; err != nil {
		return fmt.Errorf("pack a parcel: %w", err)
	}
	if err := s.moveShipment(ctx, sh, models.PackShipment, lifecycleActor, at, nil); err != nil {
		return err
	}
	return s.watchStock(ctx, sh.TokenModel, at)
}

func (s *Store) backorder(ctx context.Context, sh *models.Shipment, at time.Time) error {
	if err := s.moveShipment(ctx, sh, models.BackorderShipment, lifecycleActor, at, nil); err != nil {
		return err
	}
	return s.OpenCase(ctx, "backorder/"+sh.TokenModel+"/"+at.UTC().Format(time.DateOnly), sh.TokenModel, "shipments wait for tokens of this model: none is in stock", at)
}

// CancelShipment undoes a shipment that has not left; its token returns to stock. A label that is being bought is voided
// by the step that buys it. Faults: NoSuchThing, StateForbids.
func (s *Store) CancelShipment(ctx context.Context, id string, by models.Actor, at time.Time) error {
	return s.InTx(ctx, func(tx *Store) error {
		sh, err := tx.lockShipment(ctx, id)
		if err != nil {
			return err
		}
		was := sh.Status
		if err := tx.moveShipment(ctx, &sh, models.CancelShipment, by.ID, at, nil); err != nil {
			return err
		}
		if was == models.ShipmentPacked {
			if err := tx.unpack(ctx, sh, at); err != nil {
				return err
			}
		}
		if was != models.ShipmentRequested { // a token came back, or a place in the queue is free
			if err := tx.wakeBackorders(ctx, sh.TokenModel, id, at); err != nil {
				return err
			}
		}
		return tx.Signal(ctx, models.ShipmentLifecycle, id, models.SignalShipmentChanged, id, at)
	})
}

func (s *Store) unpack(ctx context.Context, sh models.Shipment, at time.Time) error {
	p, err := s.parcel(ctx, sh.ID, sh.Parcel)
	if err != nil {
		return err
	}
	if err := s.changeParcel(ctx, p, map[string]any{"outcome": models.ParcelCancelled}); err != nil {
		return err
	}
	return tokens.move(s.with(ctx), p.Serial, models.ReleaseToken, at, nil)
}

var lifecycleActor = models.SystemActor(models.ShipmentLifecycle).ID

func (s *Store) lockShipment(ctx context.Context, id string) (sh models.Shipment, err error) {
	if err = s.with(ctx).Clauses(clause.Locking{Strength: "UPDATE"}).Where("id = ?", id).Take(&sh).Error; err != nil {
		err = fmt.Errorf("lock the shipment: %w", err)
	}
	return sh, err
}

// moveShipment performs an event on a locked shipment, with its evidence.
func (s *Store) moveShipment(ctx context.Context, sh *models.Shipment, event models.ShipmentEvent, actor string, at time.Time, set map[string]any) error {
	if err := shipments.move(s.with(ctx), sh.ID, event, at, set); err != nil {
		return err
	}
	_, sh.Status, _ = models.ShipmentMachine.Lookup(event)
	sh.UpdatedAt = at
	return s.auditShipment(ctx, *sh, actor, string(sh.Status), at)
}

func (s *Store) auditShipment(ctx context.Context, sh models.Shipment, actor, what string, at time.Time) error {
	return s.Audit(ctx, models.AuditEvent{At: at, Class: models.LifecycleEvents, Kind: "shipment." + what, Actor: actor, SubjectRef: sh.ID,
		Outcome: models.Succeeded, Detail: map[string]string{"parcel": strconv.Itoa(sh.Parcel)}})
}
