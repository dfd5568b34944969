package store

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm/clause"
	"tokendesk/models"
)

// RecordReturn records that a shipped token is back in the warehouse, and how it came back (ORD-5). It is retired, or will be when its
// credential is revoked: a serial is never shipped again. The refund that waits for it goes on; where none does, a person has to look.
//
// Faults: NoSuchThing, InvalidRequest (condition), TokenNeverLeft, TokenIsBack.
func (s *Store) RecordReturn(ctx context.Context, serial string, condition models.TokenCondition, actor models.Actor, at time.Time) (b models.TokenReturn, err error) {
	if !condition.Valid() {
		return b, models.InvalidRequest.New("unknown condition").At("/condition")
	}
	err = s.InTx(ctx, func(tx *Store) error {
		sh, p, err := tx.lockParcelOf(ctx, serial)
		if err != nil {
			return err
		}
		b = models.TokenReturn{Serial: serial, ShipmentID: sh.ID, Condition: condition, RecordedBy: actor.ID, ReceivedAt: at}
		r := tx.with(ctx).Clauses(clause.OnConflict{DoNothing: true}).Create(&b)
		if r.Error != nil {
			return r.Error
		}
		if r.RowsAffected == 0 {
			return models.TokenIsBack.New("")
		}
		err = tx.Audit(ctx, models.AuditEvent{At: at, Class: models.LifecycleEvents, Kind: "token.returned", Actor: actor.ID, SubjectRef: serial,
			Outcome: models.Succeeded, Detail: map[string]string{"shipment": sh.ID, "condition": string(condition)}})
		if err != nil {
			return err
		}
		return tx.takeBack(ctx, sh, p, b, actor, at)
	})
	if err != nil {
		return models.TokenReturn{}, fmt.Errorf("record a return: %w", err)
	}
	return b, nil
}

// lockParcelOf finds the parcel in which a serial left, and locks its shipment.
func (s *Store) lockParcelOf(ctx context.Context, serial string) (sh models.Shipment, p models.Parcel, err error) {
	found := s.with(ctx).Where("serial = ? and shipped_at is not null and outcome is distinct from 'cancelled'", serial).Find(&p)
	switch {
	case found.Error != nil:
		return sh, p, found.Error
	case found.RowsAffected == 0:
		if _, err := s.Token(ctx, serial); err != nil {
			return sh, p, err
		}
		return sh, p, models.TokenNeverLeft.New("")
	}
	if sh, err = s.lockDelivery(ctx, p.ShipmentID); err != nil {
		return sh, p, err
	}
	p, err = s.parcel(ctx, p.ShipmentID, p.Number)
	return sh, p, err
}

// takeBack does what follows from a return: the parcel ends if it was under way, the token is retired if nobody has registered it, and
// the refund looks again.
func (s *Store) takeBack(ctx context.Context, sh models.Shipment, p models.Parcel, b models.TokenReturn, actor models.Actor, at time.Time) error {
	refund, err := s.refundWaitingFor(ctx, sh.OrderLineID)
	if err != nil {
		return err
	}
	current := p.Number == sh.Parcel
	underWay := current && models.ShipmentMachine.Allows(sh.Status, models.ReshipShipment)
	if underWay {
		err = s.endParcel(ctx, &sh, p, actor, at)
	} else {
		err = s.retireReturned(ctx, b, at)
	}
	switch {
	case err != nil:
		return err
	case refund == "" && current && sh.Status != models.ShipmentGivenUp && sh.Status != models.ShipmentReshipping:
		return s.OpenCase(ctx, "return/"+b.Serial, b.Serial, "a token came back that no refund waits for", at)
	case refund == "":
		return nil
	case b.Condition == models.ReturnedDamaged:
		if err := s.OpenCase(ctx, "return/"+b.Serial, refund, "a token came back damaged, its money goes back", at); err != nil {
			return err
		}
	}
	if underWay && sh.Status == models.ShipmentGivenUp { // the refund has heard of that
		return nil
	}
	return s.Signal(ctx, models.RefundLifecycle, refund, models.SignalRefundChanged, b.Serial, at)
}

// endParcel ends a parcel that came back before the carrier said so. One whose token is registered had arrived.
func (s *Store) endParcel(ctx context.Context, sh *models.Shipment, p models.Parcel, actor models.Actor, at time.Time) error {
	if _, err := tokens.lock(ctx, s, p.Serial); err != nil {
		return err
	}
	var registered bool // and maybe revoked since
	err := s.with(ctx).Raw("select exists (select from authenticators where serial = ?)", p.Serial).Row().Scan(&registered)
	if err != nil {
		return fmt.Errorf("look whether the token was registered: %w", err)
	}
	if registered {
		err = s.changeParcel(ctx, p, map[string]any{"outcome": models.ParcelDelivered})
		if err == nil {
			err = s.moveShipment(ctx, sh, models.DeliverShipment, actor.ID, at, map[string]any{"delivered_at": at})
		}
	} else {
		err = s.giveUp(ctx, sh, p, models.CarrierReturned, actor.ID, at)
	}
	if err != nil {
		return err
	}
	return s.Signal(ctx, models.ShipmentLifecycle, sh.ID, models.SignalShipmentChanged, sh.ID, at)
}

func (s *Store) retireReturned(ctx context.Context, b models.TokenReturn, at time.Time) error {
	state, err := tokens.lock(ctx, s, b.Serial)
	if err != nil || state != models.TokenShipped {
		return err
	}
	return tokens.move(s.with(ctx), b.Serial, models.RetireToken, at, map[string]any{"status_reason": "returned: " + string(b.Condition)})
}

// refundWaitingFor is the refund that waits for the token of a line: of the line itself, or of the one whose token it replaced.
func (s *Store) refundWaitingFor(ctx context.Context, lineID string) (refundID string, err error) {
	var ids []string
	err = s.with(ctx).Raw(`
		select r.id from refunds r join refund_lines f on f.refund_id = r.id
		where r.status = 'returning' and f.dropped_at is null and f.undone_at is null and f.order_line_id in (
			select @line union select c.order_line_id from credentials c join order_lines l on l.credential_id = c.id where l.id = @line and l.replacement_reason is not null)
		order by r.id limit 1`, map[string]any{"line": lineID}).Scan(&ids).Error
	if err != nil {
		return "", fmt.Errorf("look for a refund: %w", err)
	}
	if len(ids) == 0 {
		return "", nil
	}
	return ids[0], nil
}

// giveUpRefunded ends a shipment whose parcel was lost or returned while its line is refunded: nothing is sent again.
func (s *Store) giveUpRefunded(ctx context.Context, sh *models.Shipment, refundID, actor string, at time.Time) error {
	if err := s.endDelivery(ctx, sh, actor, at); err != nil {
		return err
	}
	return s.Signal(ctx, models.RefundLifecycle, refundID, models.SignalRefundChanged, sh.ID, at)
}

// ExpectedReturns lists the tokens that a refund waits for, or has waited for.
func (s *Store) ExpectedReturns(ctx context.Context, r models.Refund) (all []models.ExpectedReturn, err error) {
	for _, l := range r.Lines {
		behind, err := s.sentFor(ctx, l.OrderLineID)
		if err != nil {
			return nil, err
		}
		for _, x := range behind {
			if x.out() || x.ReceivedAt != nil || x.Status == models.ShipmentGivenUp {
				all = append(all, models.ExpectedReturn{Position: l.Position, ShipmentID: x.ID, Serial: x.Serial, Back: !x.out(), Condition: x.Condition, ReceivedAt: x.ReceivedAt})
			}
		}
	}
	return all, nil
}
