package activities

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"tokendesk/activities/gateway/carrier"
	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/workflows"
)

// Carrier is what shipments need of a carrier's gateway (SHP-1, SHP-2).
type Carrier interface {
	BuyLabel(ctx context.Context, r carrier.LabelRequest) (carrier.Label, error)
	VoidLabel(ctx context.Context, key, ref string) error
	Track(ctx context.Context, trackingNumber string) ([]carrier.Event, error)
}

// CarrierSource is who tells of carrier events here: the events that the gateway pushes and those that it is asked for have the
// same ids, so whoever records them names the same source.
const CarrierSource = "carrier"

// Shipping performs the steps of the shipment lifecycle.
type Shipping struct {
	Store    *store.Store
	Carrier  Carrier
	Calendar models.BusinessDays // the carrier's
}

// Bind registers the steps.
func (s *Shipping) Bind(b *workflows.Binder) {
	workflows.Bind(b, workflows.AdvanceShipment, s.advance)
	workflows.Bind(b, workflows.BuyLabel, s.label)
	workflows.Bind(b, workflows.TrackParcel, s.track)
}

func (s *Shipping) advance(ctx context.Context, in workflows.ShipmentAt) (workflows.ShipmentFacts, error) {
	sh, _, err := s.Store.Shipment(ctx, in.ID)
	switch {
	case err != nil:
	case models.ShipmentMachine.Allows(sh.Status, models.PackShipment):
		sh, err = s.Store.PackShipment(ctx, in.ID, in.At)
	case sh.UnderWay():
		sh, err = s.Store.MarkOverdue(ctx, in.ID, in.At)
	}
	if err != nil {
		return workflows.ShipmentFacts{}, err
	}
	return s.facts(ctx, sh, in)
}

func (s *Shipping) facts(ctx context.Context, sh models.Shipment, in workflows.ShipmentAt) (f workflows.ShipmentFacts, err error) {
	line, err := s.Store.OrderOfLine(ctx, sh.OrderLineID)
	if err != nil {
		return f, err
	}
	policy, err := s.Store.Policy(ctx, line.PolicyVersion)
	if err != nil {
		return f, err
	}
	f = workflows.ShipmentFacts{Status: sh.Status, Parcel: sh.Parcel, ProductKind: line.ProductKind, Organization: line.OrganizationID,
		LookAt: sh.LookAgain(in.At), Missing: sh.UnderWay() && sh.MissingSince != nil}
	if next, ok := models.ShipmentTimeline(sh, policy).Next(in.At); ok {
		f.Next, f.NextAt = next.What, next.At.In(policy.Location()) // its day is shown to people
	}
	return f, nil
}

// label pays what is owed to the carrier: a label, or taking one back. The intent is recorded before the carrier is called, and the
// key is the same until it has answered: however often this runs, one label is bought (OPS-2).
func (s *Shipping) label(ctx context.Context, in workflows.ShipmentAt) (f workflows.ShipmentFacts, err error) {
	intent, err := s.Store.IntendLabel(ctx, in.ID, in.At)
	if err != nil {
		return f, err
	}
	sh, duty, refused := intent.Shipment, intent.Duty, false
	if duty == store.BuyLabel {
		if sh, duty, refused, err = s.buy(ctx, &intent, in); err != nil {
			return f, fmt.Errorf("buy a label: %w", err)
		}
	}
	if duty == store.VoidLabel {
		if err := s.void(ctx, intent.Parcel, in); err != nil {
			return f, fmt.Errorf("void a label: %w", err)
		}
	}
	f, err = s.facts(ctx, sh, in)
	f.LabelRefused = refused
	return f, err
}

func (s *Shipping) buy(ctx context.Context, intent *store.LabelIntent, in workflows.ShipmentAt) (sh models.Shipment, duty store.LabelDuty, refused bool, err error) {
	policy, err := s.Store.Policy(ctx, intent.PolicyVersion)
	if err != nil {
		return sh, duty, false, err
	}
	bought, err := s.Carrier.BuyLabel(ctx, carrier.LabelRequest{IdempotencyKey: intent.Parcel.LabelKey(), Reference: in.ID, To: intent.Shipment.Address})
	if errors.Is(err, carrier.AddressRefused) {
		sh, err = s.Store.LabelRefused(ctx, *intent, in.At)
		return sh, store.NoLabelDuty, sh.Status == models.ShipmentPacked, err
	}
	if err != nil {
		return sh, duty, false, err
	}
	label := store.Label{Carrier: bought.Carrier, TrackingNumber: bought.TrackingNumber, Ref: bought.Ref}
	label.PromisedBy, label.LateFrom = models.Promise(in.At, policy, s.Calendar)
	intent.Parcel.CarrierRef = &label.Ref
	sh, duty, err = s.Store.RecordLabel(ctx, *intent, label, in.At)
	return sh, duty, false, err
}

// void takes a label back. One whose parcel has moved cannot be: then a person has to look for the parcel.
func (s *Shipping) void(ctx context.Context, p models.Parcel, in workflows.ShipmentAt) error {
	err := s.Carrier.VoidLabel(ctx, p.LabelKey()+"/void", *p.CarrierRef)
	if errors.Is(err, models.StateForbids) {
		err = s.Store.OpenCase(ctx, "void/"+p.LabelKey(), in.ID, "a cancelled shipment has left: its label cannot be taken back", in.At)
	}
	if err != nil {
		return err
	}
	return s.Store.LabelVoided(ctx, in.ID, p.Number, in.At)
}

// track asks the carrier about a parcel, and reminds people of one that is missing still.
func (s *Shipping) track(ctx context.Context, in workflows.ShipmentAt) (none, error) {
	sh, parcels, err := s.Store.Shipment(ctx, in.ID)
	if err != nil || len(parcels) < sh.Parcel || parcels[sh.Parcel-1].TrackingNumber == nil {
		return none{}, err
	}
	if err := s.ask(ctx, *parcels[sh.Parcel-1].TrackingNumber, in); err != nil {
		return none{}, err
	}
	return none{}, s.Store.RemindOfMissing(ctx, in.ID, in.At)
}

func (s *Shipping) ask(ctx context.Context, number string, in workflows.ShipmentAt) error {
	events, err := s.Carrier.Track(ctx, number)
	if err != nil {
		slog.WarnContext(ctx, "the carrier does not say where a parcel is", "shipment", in.ID, "error", err)
		return nil
	}
	for _, e := range events {
		_, err := s.Store.RecordCarrierEvent(ctx, models.CarrierEvent{ID: e.ID, Carrier: CarrierSource, TrackingNumber: number,
			Kind: models.CarrierEventKind(e.Kind), OccurredAt: e.OccurredAt}, in.At)
		if err != nil && !errors.Is(err, models.InvalidRequest) {
			return err
		}
	}
	return nil
}
