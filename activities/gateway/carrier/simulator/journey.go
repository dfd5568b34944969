package simulator

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"tokendesk/activities/gateway/carrier"
	"tokendesk/activities/gateway/carrier/wire"
	"tokendesk/activities/gateway/sandbox"
	"tokendesk/models"
)

// step is an event of a journey, at a distance from the label on the sandbox's clock.
type step struct {
	kind  carrier.Kind
	after time.Duration
}

// start begins a parcel's journey: the label exists, which nobody is told, and the rest follows by itself if it does.
func (s *Simulator) start(ctx context.Context, tx pgx.Tx, writes *pgx.Batch, tracking, reference string) error {
	now := s.config.Now()
	s.record(writes, newEvent(tracking, carrier.LabelCreated, now), 0)
	if !s.config.Automatic {
		return nil
	}
	order, err := sandbox.Take(ctx, tx, sandbox.Carrier, parcel, journeyEffects, reference)
	if err != nil {
		return err
	}
	for _, next := range s.journey(order.Effect) {
		if err := s.happen(ctx, tx, writes, newEvent(tracking, next.kind, now.Add(next.after)), reference, next.after); err != nil {
			return err
		}
	}
	return nil
}

func (s *Simulator) journey(effect sandbox.Effect) []step {
	end := carrier.Delivered
	switch effect {
	case sandbox.Hold:
		return nil
	case sandbox.Lose:
		end = carrier.Lost
	case sandbox.Return:
		end = carrier.Returned
	}
	return []step{{carrier.InTransit, s.config.InTransitAfter}, {end, s.config.DeliveredAfter}}
}

func newEvent(tracking string, kind carrier.Kind, at time.Time) carrier.Event {
	return carrier.Event{ID: "te_" + random(), TrackingNumber: tracking, Kind: kind, OccurredAt: at.UTC().Truncate(time.Microsecond)}
}

// record makes an event visible after the delay.
func (s *Simulator) record(writes *pgx.Batch, e carrier.Event, delay time.Duration) {
	writes.Queue(`INSERT INTO sandbox.parcel_events (id, tracking, kind, occurred_at, due)
		VALUES ($1, $2, $3, $4, $5)`, e.ID, e.TrackingNumber, e.Kind, e.OccurredAt, s.config.Now().Add(delay))
}

// happen records an event and pushes it, as far as an order does not disturb that.
func (s *Simulator) happen(ctx context.Context, tx pgx.Tx, writes *pgx.Batch, e carrier.Event, reference string, delay time.Duration) error {
	s.record(writes, e, delay)
	plan, err := s.push.Plan(ctx, tx, announce, reference, e.TrackingNumber, string(e.Kind))
	if err != nil {
		return err
	}
	body, err := json.Marshal(wire.Webhook{ID: "evt_" + random(), Type: wire.TrackerUpdated,
		Data: wire.Tracker{TrackingCode: e.TrackingNumber, Events: []wire.Event{wireEvent(e)}}})
	if err != nil {
		return err
	}
	s.push.Enqueue(writes, plan, e.TrackingNumber, body, delay)
	return nil
}

// interrupt takes back what has not happened yet.
func (s *Simulator) interrupt(ctx context.Context, tx pgx.Tx, tracking string) error {
	if err := s.push.Withdraw(ctx, tx, tracking); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `DELETE FROM sandbox.parcel_events WHERE tracking = $1 AND due > $2`, tracking, s.config.Now())
	return err
}

// Happen lets something happen to a parcel, at a moment of the sandbox's clock. What was to happen by itself no longer
// does.
func (s *Simulator) Happen(ctx context.Context, tracking string, kind carrier.Kind, at time.Time) (carrier.Event, error) {
	if wire.StatusOf(kind) == "" {
		return carrier.Event{}, models.InvalidRequest.New("there is no such kind of event")
	}
	if at.IsZero() {
		at = s.config.Now()
	}
	e := newEvent(tracking, kind, at)
	err := pgx.BeginFunc(ctx, s.store.Pool, func(tx pgx.Tx) error {
		var reference string
		var voided bool
		err := tx.QueryRow(ctx, `SELECT reference, voided FROM sandbox.parcels WHERE tracking = $1 FOR UPDATE`, tracking).
			Scan(&reference, &voided)
		if errors.Is(err, pgx.ErrNoRows) {
			return models.NoSuchThing.New("there is no such parcel")
		}
		if err != nil {
			return err
		}
		if voided {
			return models.StateForbids.New("the label is voided")
		}
		if err := s.interrupt(ctx, tx, tracking); err != nil {
			return err
		}
		var writes pgx.Batch
		if err := s.happen(ctx, tx, &writes, e, reference, 0); err != nil {
			return err
		}
		return tx.SendBatch(ctx, &writes).Close()
	})
	if err != nil {
		return carrier.Event{}, technical(err)
	}
	s.push.Wake()
	return e, nil
}

func (s *Simulator) events(ctx context.Context, tracking string) ([]carrier.Event, error) {
	rows, err := s.store.Pool.Query(ctx, `SELECT id, tracking, kind, occurred_at FROM sandbox.parcel_events
		WHERE tracking = $1 AND due <= $2 ORDER BY occurred_at, due`, tracking, s.config.Now())
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (e carrier.Event, err error) {
		err = row.Scan(&e.ID, &e.TrackingNumber, &e.Kind, &e.OccurredAt)
		e.OccurredAt = e.OccurredAt.UTC()
		return e, err
	})
}

func wireEvent(e carrier.Event) wire.Event {
	return wire.Event{ID: e.ID, Status: wire.StatusOf(e.Kind), OccurredAt: e.OccurredAt}
}
