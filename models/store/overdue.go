package store

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"tokendesk/models"
)

// MarkOverdue records that a parcel under way is late, and tells buyer and staff; and later that it is missing, which support decides about
// (SHP-2). It returns where the shipment stands; one that is neither, or known to be, stays as it is.
func (s *Store) MarkOverdue(ctx context.Context, id string, at time.Time) (sh models.Shipment, err error) {
	err = s.InTx(ctx, func(tx *Store) error {
		if sh, err = tx.lockShipment(ctx, id); err != nil {
			return err
		}
		o, err := tx.OrderOfLine(ctx, sh.OrderLineID)
		if err != nil {
			return err
		}
		policy, err := tx.Policy(ctx, o.PolicyVersion)
		if err != nil {
			return err
		}
		for _, m := range models.ShipmentTimeline(sh, policy).Due(at) {
			if m.Name == models.ShipmentLate {
				err = tx.markLate(ctx, &sh, at)
			} else {
				err = tx.markMissing(ctx, &sh, at)
			}
			if err != nil {
				return fmt.Errorf("perform %s: %w", m.Name, err)
			}
		}
		return nil
	})
	return sh, err
}

func (s *Store) markLate(ctx context.Context, sh *models.Shipment, at time.Time) error {
	sh.LateSince = &at
	if err := s.noteShipment(ctx, *sh, "late", lifecycleActor, map[string]any{"late_since": at}, at); err != nil {
		return err
	}
	p, err := s.parcel(ctx, sh.ID, sh.Parcel)
	if err != nil {
		return err
	}
	if err := s.tellBuyer(ctx, *sh, p, models.NoticeLate, at); err != nil {
		return err
	}
	return s.OpenCase(ctx, "late/"+sh.ID+"/"+strconv.Itoa(p.Number), sh.ID, "a parcel is late: ask the carrier", at)
}

func (s *Store) markMissing(ctx context.Context, sh *models.Shipment, at time.Time) error {
	sh.MissingSince = &at
	if err := s.noteShipment(ctx, *sh, "missing", lifecycleActor, map[string]any{"missing_since": at}, at); err != nil {
		return err
	}
	return s.remindOfMissing(ctx, *sh, at)
}

// noteShipment changes what is known of a locked shipment whose status stays, with its evidence.
func (s *Store) noteShipment(ctx context.Context, sh models.Shipment, what, actor string, set map[string]any, at time.Time) error {
	set["updated_at"] = at
	if err := s.with(ctx).Table("shipments").Where("id = ?", sh.ID).Updates(set).Error; err != nil {
		return fmt.Errorf("mark the shipment %s: %w", what, err)
	}
	return s.auditShipment(ctx, sh, actor, what, at)
}

// RemindOfMissing opens the case of a missing parcel again where somebody has closed it and the parcel is missing still.
func (s *Store) RemindOfMissing(ctx context.Context, id string, at time.Time) error {
	return s.InTx(ctx, func(tx *Store) error {
		sh, err := tx.lockShipment(ctx, id)
		if err != nil || !sh.UnderWay() || sh.MissingSince == nil {
			return err
		}
		return tx.remindOfMissing(ctx, sh, at)
	})
}

func (s *Store) remindOfMissing(ctx context.Context, sh models.Shipment, at time.Time) error {
	return s.ReopenCase(ctx, "missing/"+sh.ID+"/"+strconv.Itoa(sh.Parcel), sh.ID,
		"a parcel is missing: ask for a refund of its line first if the buyer wants no other, then declare it lost", at)
}

// DeclareLost is a person's word that a late parcel will not arrive. What follows is what follows from the carrier's: another token is
// sent, unless the line is being refunded or the credential is revoked (SHP-2, ORD-5).
//
// Faults: NoSuchThing, StateForbids.
func (s *Store) DeclareLost(ctx context.Context, id, reason string, by models.Actor, at time.Time) error {
	err := s.InTx(ctx, func(tx *Store) error {
		sh, err := tx.lockDelivery(ctx, id)
		switch {
		case err != nil:
			return err
		case !sh.UnderWay():
			return models.StateForbids.New("the shipment is %s: no parcel is under way", sh.Status).Allowing(sh.Actions()...)
		case sh.LateSince == nil:
			return models.StateForbids.New("the parcel is not late").Allowing(sh.Actions()...)
		}
		p, err := tx.parcel(ctx, sh.ID, sh.Parcel)
		if err != nil {
			return err
		}
		err = tx.Audit(ctx, models.AuditEvent{At: at, Class: models.LifecycleEvents, Kind: "shipment.declared_lost", Actor: by.ID, SubjectRef: sh.ID,
			Outcome: models.Succeeded, Detail: map[string]string{"parcel": strconv.Itoa(p.Number), "reason": reason}})
		if err != nil {
			return err
		}
		if err := tx.giveUp(ctx, &sh, p, models.CarrierLost, by.ID, at); err != nil {
			return err
		}
		return tx.Signal(ctx, models.ShipmentLifecycle, sh.ID, models.SignalShipmentChanged, sh.ID, at)
	})
	if err != nil {
		return fmt.Errorf("declare a parcel lost: %w", err)
	}
	return nil
}
