package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tokendesk/models"
)

// ChargeChanged records that the card processor says of a charge that it has changed: its refunds look again, and it is held against
// our books. A charge that is not ours, or took no money, changes nothing.
func (s *Store) ChargeChanged(ctx context.Context, providerRef string, at time.Time) error {
	return s.InTx(ctx, func(tx *Store) error {
		c, _, err := tx.ChargeOfProvider(ctx, providerRef)
		if errors.Is(err, models.NoSuchThing) || err == nil && c.Status != models.ChargeCaptured {
			return nil
		}
		if err != nil {
			return err
		}
		err = tx.with(ctx).Exec("insert into charge_news (charge_id, at) values (?, ?) on conflict (charge_id) do update set at = greatest(charge_news.at, excluded.at)", c.ID, at).Error
		if err != nil {
			return fmt.Errorf("record news of a charge: %w", err)
		}
		return tx.wakeRefunds(ctx, c.ID, "true", at)
	})
}

// ChangedCharge is a charge to hold against our books.
type ChangedCharge struct {
	ID          string
	OrderNumber string
	ProviderRef string
	At          time.Time // when the newest news of it came
	Back        int64     // minor units that went back through our refunds
}

// ChangedCharges lists charges of which there is news, the oldest first. One that is being refunded just now is left until that is over.
func (s *Store) ChangedCharges(ctx context.Context, n int) ([]ChangedCharge, error) {
	var rows []ChangedCharge
	err := s.with(ctx).Raw(`
		select c.id, o.number as order_number, c.provider_ref, w.at,
			(select coalesce(sum(card_minor), 0) from refunds r where r.charge_id = c.id and r.card_refunded_at is not null) as back
		from charge_news w join charges c on c.id = w.charge_id join orders o on o.id = c.order_id
		where not exists (select from refunds r where r.charge_id = c.id and r.card_asked_at is not null and r.card_refunded_at is null)
		order by w.at limit ?`, n).Scan(&rows).Error
	return rows, fault(err)
}

// ChargeCompared forgets the news of a charge that was held against our books, unless newer ones have come.
func (s *Store) ChargeCompared(ctx context.Context, c ChangedCharge) error {
	return fault(s.with(ctx).Exec("delete from charge_news where charge_id = ? and at = ?", c.ID, c.At).Error)
}
