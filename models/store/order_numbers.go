package store

import (
	"context"
	"fmt"

	"tokendesk/models"
)

// OrderNumbers returns the numbers of orders by their ids.
func (s *Store) OrderNumbers(ctx context.Context, ids []string) (map[string]string, error) {
	if len(ids) == 0 {
		return map[string]string{}, nil
	}
	var rows []struct{ ID, Number string }
	if err := s.with(ctx).Table("orders").Select("id", "number").Where("id in ?", ids).Find(&rows).Error; err != nil {
		return nil, fault(fmt.Errorf("find order numbers: %w", err))
	}
	numbers := make(map[string]string, len(rows))
	for _, row := range rows {
		numbers[row.ID] = row.Number
	}
	return numbers, nil
}

// ChargeOfProvider finds a charge by the card processor's id, and the number of its order. Fault: NoSuchThing.
func (s *Store) ChargeOfProvider(ctx context.Context, ref string) (c models.Charge, number string, err error) {
	if err := s.with(ctx).Where("provider_ref = ?", ref).Take(&c).Error; err != nil {
		return c, "", fault(fmt.Errorf("find a charge: %w", err))
	}
	numbers, err := s.OrderNumbers(ctx, []string{c.OrderID})
	return c, numbers[c.OrderID], err
}

// LockShipment reads a shipment under a row lock that lasts to the end of the surrounding transaction. Fault: NoSuchThing.
func (s *Store) LockShipment(ctx context.Context, id string) (models.Shipment, error) {
	sh, err := s.lockShipment(ctx, id)
	return sh, fault(err)
}
