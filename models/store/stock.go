package store

import (
	"context"
	"fmt"
	"time"

	"tokendesk/models"
)

// StockLevel counts the tokens of one model in one warehouse (SHP-4). Reorder level, queue and low belong to the model and
// stand alike in each of its rows; a model without any token has one row with an empty warehouse.
type StockLevel struct {
	Model        string
	Warehouse    string
	InStock      int
	Allocated    int
	Shipped      int
	Bound        int
	Quarantined  int
	Retired      int
	ReorderLevel int
	Backordered  int  // shipments that wait for a token of the model
	Low          bool // fewer in stock, over all warehouses, than the reorder level, or shipments wait
}

// Stock returns the levels by model and warehouse.
func (s *Store) Stock(ctx context.Context) ([]StockLevel, error) {
	var rows []StockLevel
	err := s.with(ctx).Raw(`
		with level as (
			select model, warehouse,
				count(*) filter (where status = 'in_stock') as in_stock, count(*) filter (where status = 'allocated') as allocated,
				count(*) filter (where status = 'shipped') as shipped, count(*) filter (where status = 'bound') as bound,
				count(*) filter (where status = 'quarantined') as quarantined, count(*) filter (where status = 'retired') as retired
			from tokens group by model, warehouse
		), queue as (
			select token_model, count(*) as backordered from shipments where status = 'backordered' group by token_model
		)
		select m.model, m.reorder_level, coalesce(l.warehouse, '') as warehouse,
			coalesce(l.in_stock, 0) as in_stock, coalesce(l.allocated, 0) as allocated, coalesce(l.shipped, 0) as shipped,
			coalesce(l.bound, 0) as bound, coalesce(l.quarantined, 0) as quarantined, coalesce(l.retired, 0) as retired,
			coalesce(q.backordered, 0) as backordered,
			coalesce(sum(l.in_stock) over (partition by m.model), 0) < m.reorder_level or q.backordered is not null as low
		from token_models m left join level l on l.model = m.model left join queue q on q.token_model = m.model
		order by m.model, warehouse`).Scan(&rows).Error
	if err != nil {
		return nil, fault(fmt.Errorf("count the stock: %w", err))
	}
	return rows, nil
}

// takeToken finds and holds a token for a shipment, or returns "" when the shipment has to wait. First come, first served:
// while others wait, a token goes to the shipment only if there are more tokens than older shipments.
//
// Whoever gives up finding a token holds the lock on the model until it stands in the queue, and whoever brings tokens
// takes that lock before reading the queue: so no token lies in stock unannounced to a shipment that waits.
func (s *Store) takeToken(ctx context.Context, sh models.Shipment) (serial string, err error) {
	if sh.Status != models.ShipmentBackordered {
		err = s.scan(ctx, &serial, `
			select serial from tokens where model = @model and status = 'in_stock'
				and not exists (select 1 from shipments where token_model = @model and status = 'backordered')
			order by created_at, serial limit 1 for update of tokens skip locked`, map[string]any{"model": sh.TokenModel})
		if err != nil || serial != "" {
			return serial, err
		}
	}
	if err := s.lockModel(ctx, sh.TokenModel); err != nil {
		return "", err
	}
	var spare int
	err = s.scan(ctx, &spare, `
		select (select count(*) from tokens where model = @model and status = 'in_stock')
			- (select count(*) from shipments where token_model = @model and status = 'backordered' and (created_at, id) < (@created, @id))`,
		map[string]any{"model": sh.TokenModel, "created": sh.CreatedAt, "id": sh.ID})
	if err != nil || spare <= 0 {
		return "", err
	}
	// Not skipping: a token that another transaction holds may come free.
	err = s.scan(ctx, &serial, "select serial from tokens where model = ? and status = 'in_stock' order by created_at, serial limit 1 for update", sh.TokenModel)
	return serial, err
}

// lockModel serializes the backorder queue of a model. The lock allows rows that refer to the model.
func (s *Store) lockModel(ctx context.Context, model string) error {
	if err := s.with(ctx).Exec("select 1 from token_models where model = ? for no key update", model).Error; err != nil {
		return fmt.Errorf("lock the token model: %w", err)
	}
	return nil
}

// wakeBackorders tells the oldest shipments that wait, as many as there are tokens, that stock is there. ref says what
// brought it: an import, a serial, a shipment.
func (s *Store) wakeBackorders(ctx context.Context, model, ref string, at time.Time) error {
	if err := s.lockModel(ctx, model); err != nil {
		return err
	}
	var waiting []string
	err := s.with(ctx).Raw(`
		select id from shipments where token_model = @model and status = 'backordered' order by created_at, id
		limit (select count(*) from tokens where model = @model and status = 'in_stock')`, map[string]any{"model": model}).Scan(&waiting).Error
	if err != nil {
		return fmt.Errorf("read the backorder queue: %w", err)
	}
	for _, id := range waiting {
		if err := s.Signal(ctx, models.ShipmentLifecycle, id, models.SignalStockArrived, ref, at); err != nil {
			return err
		}
	}
	return nil
}

// watchStock opens a case, at most one a day, when a model has fallen below its reorder level (SHP-4).
func (s *Store) watchStock(ctx context.Context, model string, at time.Time) error {
	var low bool
	err := s.scan(ctx, &low, `
		select (select count(*) from (select 1 from tokens t where t.model = m.model and t.status = 'in_stock' limit m.reorder_level) n) < m.reorder_level
		from token_models m where m.model = ?`, model)
	if err != nil || !low {
		return err
	}
	return s.OpenCase(ctx, "reorder/"+model+"/"+at.UTC().Format(time.DateOnly), model, "stock is below the reorder level: order tokens of this model", at)
}

// scan reads one value; no row leaves it as it is.
func (s *Store) scan(ctx context.Context, value any, query string, args ...any) error {
	if err := s.with(ctx).Raw(query, args...).Scan(value).Error; err != nil {
		return fmt.Errorf("read the stock: %w", err)
	}
	return nil
}
