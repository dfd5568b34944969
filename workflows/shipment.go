package workflows

import (
	"strconv"
	"time"

	"go.temporal.io/sdk/workflow"
	"tokendesk/models"
)

// ShipmentInput starts or continues the lifecycle of a shipment.
type ShipmentInput struct {
	ID string // sh_…
}

// ShipmentAt asks for something about a shipment at a moment of its lifecycle.
type ShipmentAt struct {
	ID string
	At time.Time
}

// ShipmentFacts is what the lifecycle needs to know of a shipment to go on.
type ShipmentFacts struct {
	Status       models.ShipmentStatus
	Parcel       int
	ProductKind  models.ProductKind
	Organization string
	Next         string    // what happens at NextAt, in plain words
	NextAt       time.Time // of the next milestone; zero: time alone changes nothing
	LookAt       time.Time // when the carrier is asked about a late parcel again; zero: none is late
	Missing      bool      // the parcel is so late that a person decides about it
	LabelRefused bool      // the carrier will not make the label as it was asked for
}

// Steps of a shipment.
var (
	// AdvanceShipment takes a token from stock if the shipment needs one, or marks it late or missing if it is, and tells where it stands then.
	AdvanceShipment = localStep[ShipmentAt, ShipmentFacts]("shipment.advance")
	// BuyLabel buys the label of a packed shipment, or takes it back if the shipment was cancelled meanwhile.
	BuyLabel = outsideStep[ShipmentAt, ShipmentFacts]("shipment.label")
	// TrackParcel asks the carrier about a parcel under way, in case its webhooks were lost. A carrier that does not answer is
	// no failure: the parcel is asked after again.
	TrackParcel = outsideStep[ShipmentAt, struct{}]("shipment.track")
)

// How often a shipment looks again by itself: one that waits for stock or a person, and one that is late and was told so by a build that did
// not say when to look.
const (
	secondLook = 24 * time.Hour
	lateLook   = 7 * 24 * time.Hour
)

type shipment struct {
	ShipmentInput
	facts   ShipmentFacts
	changed nudge
	raised  bool // the needs-person flag
}

// Shipment is the lifecycle of a shipment: a token from stock, or a place in the backorder queue until stock arrives; a label;
// then what the carrier reports, and the moments from which the parcel is late, and missing. A parcel that is lost or returned is sent again
// with another token, unless nothing is to be sent. It ends delivered, cancelled or given up (SHP-1, SHP-2).
func Shipment(ctx workflow.Context, in ShipmentInput) error {
	s := &shipment{ShipmentInput: in, changed: listen(ctx, models.SignalParcelMoved, models.SignalStockArrived, models.SignalShipmentChanged)}
	for {
		s.changed.clear()
		if err := s.advance(ctx); err != nil {
			return err
		}
		if err := s.show(ctx); err != nil {
			return err
		}
		if models.ShipmentMachine.Ends(s.facts.Status) {
			return nil
		}
		// What has come was taken before the look above or is still pending, and the next run looks first of all.
		if workflow.GetInfo(ctx).GetContinueAsNewSuggested() && !s.changed.pending() {
			return workflow.NewContinueAsNewError(ctx, Shipment, in)
		}
		if err := s.wait(ctx); err != nil {
			return err
		}
	}
}

// advance goes as far as it can without waiting for the world.
func (s *shipment) advance(ctx workflow.Context) (err error) {
	if s.facts, err = AdvanceShipment.Run(ctx, ShipmentAt{s.ID, now(ctx)}); err != nil || s.facts.Status != models.ShipmentPacked {
		s.flag(ctx, s.facts.Missing)
		return err
	}
	facts, err := BuyLabel.Run(ctx, ShipmentAt{s.ID, now(ctx)})
	switch {
	case err == nil:
		s.facts = facts
	case RefusalOf(err) != "": // not the label, but we are refused: our account with the carrier, or the books
		s.facts.LabelRefused = true
	default:
		return err
	}
	s.flag(ctx, s.facts.LabelRefused)
	return nil
}

// flag shows whether a person is needed. A step that was stuck lowers the flag when it succeeds, whoever had raised it.
func (s *shipment) flag(ctx workflow.Context, yes bool) {
	if s.raised != yes || flagged(ctx) != yes && flagIsKept.passed(ctx) {
		s.raised = yes
		needsPerson(ctx, yes)
	}
}

// wait sleeps until something has changed or time has come to look again.
func (s *shipment) wait(ctx workflow.Context) error {
	until := s.facts.NextAt
	switch s.facts.Status {
	case models.ShipmentRequested, models.ShipmentReshipping: // the carrier knew before us that the parcel is lost
		return nil
	case models.ShipmentBackordered, models.ShipmentPacked:
		_, err := waitUntil(ctx, now(ctx).Add(secondLook), s.changed.pending)
		return err
	}
	if look := s.facts.LookAt; until.IsZero() || !look.IsZero() && look.Before(until) {
		until = look
	}
	if until.IsZero() {
		until = now(ctx).Add(lateLook)
	}
	changed, err := waitUntil(ctx, until, s.changed.pending)
	if err != nil || changed {
		return err
	}
	_, err = TrackParcel.Run(ctx, ShipmentAt{s.ID, now(ctx)})
	return err
}

var shipmentDetails = map[models.ShipmentStatus]string{
	models.ShipmentBackordered: "No token of the model is in stock. The shipment waits in the queue, first come, first served.",
	models.ShipmentPacked:      "A token is packed. The label is being bought.",
	models.ShipmentShipped:     "Shipped: the buyer has the tracking number.",
	models.ShipmentInTransit:   "The carrier has the parcel.",
	models.ShipmentException:   "The carrier reports trouble with the parcel.",
	models.ShipmentReshipping:  "The parcel was lost or returned: another token is being sent.",
	models.ShipmentDelivered:   "Delivered.",
	models.ShipmentGivenUp:     "Lost or returned. Nothing is sent again: its line is refunded, or its credential is revoked.",
	models.ShipmentCancelled:   "Cancelled before it left. The token is in stock again.",
}

func (s *shipment) show(ctx workflow.Context) error {
	details := shipmentDetails[s.facts.Status]
	if s.facts.LabelRefused {
		details = "The carrier refuses the label: a person has to look."
	}
	if s.facts.Missing {
		details = "The parcel is missing: a person has to decide about it."
	}
	if s.facts.Parcel > 1 {
		details += " This is parcel " + strconv.Itoa(s.facts.Parcel) + "."
	}
	if !s.facts.NextAt.IsZero() {
		details += "\n\nIf nothing is heard: " + s.facts.Next + " on " + s.facts.NextAt.Format("2 January 2006") + "."
	}
	return show(ctx, standing{Status: string(s.facts.Status), ProductKind: string(s.facts.ProductKind), Organization: s.facts.Organization,
		Next: s.facts.NextAt, Details: details})
}
