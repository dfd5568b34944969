package models

import (
	"fmt"
	"time"
)

// ShipmentStatus is where a shipment stands.
type ShipmentStatus string

// The statuses of a shipment.
const (
	ShipmentRequested   ShipmentStatus = "requested"
	ShipmentBackordered ShipmentStatus = "backordered"
	ShipmentPacked      ShipmentStatus = "packed"     // a token is allocated
	ShipmentShipped     ShipmentStatus = "shipped"    // a label is bought, the carrier has or will fetch it
	ShipmentInTransit   ShipmentStatus = "in_transit" // the carrier has it
	ShipmentException   ShipmentStatus = "exception"
	ShipmentDelivered   ShipmentStatus = "delivered"
	ShipmentReshipping  ShipmentStatus = "reshipping" // lost or returned; another token is to be sent
	ShipmentCancelled   ShipmentStatus = "cancelled"
	ShipmentGivenUp     ShipmentStatus = "given_up" // lost or returned, and not sent again
)

// ShipmentEvent moves a shipment.
type ShipmentEvent string

// The events of a shipment.
const (
	BackorderShipment ShipmentEvent = "backorder"
	PackShipment      ShipmentEvent = "pack"
	ShipShipment      ShipmentEvent = "ship"
	CarryShipment     ShipmentEvent = "carry"
	TroubleShipment   ShipmentEvent = "trouble"
	DeliverShipment   ShipmentEvent = "deliver"
	ReshipShipment    ShipmentEvent = "reship"
	CancelShipment    ShipmentEvent = "cancel"
	GiveUpShipment    ShipmentEvent = "give_up"
)

// ShipmentMachine is the transition table of a shipment (SHP-1, SHP-2).
var ShipmentMachine = Machine[ShipmentStatus, ShipmentEvent]{Name: "shipment", Initial: ShipmentRequested, Transitions: []Transition[ShipmentStatus, ShipmentEvent]{
	{[]ShipmentStatus{ShipmentRequested, ShipmentReshipping}, BackorderShipment, ShipmentBackordered, ByWorkflow, "no token of the model is in stock"},
	{[]ShipmentStatus{ShipmentRequested, ShipmentBackordered, ShipmentReshipping}, PackShipment, ShipmentPacked, ByWorkflow, "a token is allocated"},
	{[]ShipmentStatus{ShipmentPacked}, ShipShipment, ShipmentShipped, ByWorkflow, "the label is bought; the buyer gets the tracking number"},
	{[]ShipmentStatus{ShipmentShipped, ShipmentException}, CarryShipment, ShipmentInTransit, ByWorld, "the carrier has it"},
	{[]ShipmentStatus{ShipmentShipped, ShipmentInTransit}, TroubleShipment, ShipmentException, ByWorld, "the carrier reports trouble"},
	{[]ShipmentStatus{ShipmentShipped, ShipmentInTransit, ShipmentException}, DeliverShipment, ShipmentDelivered, ByWorld, "delivered"},
	{[]ShipmentStatus{ShipmentShipped, ShipmentInTransit, ShipmentException}, ReshipShipment, ShipmentReshipping, ByWorld, "lost or returned; the old serial is retired"},
	{[]ShipmentStatus{ShipmentRequested, ShipmentBackordered, ShipmentPacked, ShipmentReshipping}, CancelShipment, ShipmentCancelled, ByPerson, "its order was undone before it left"},
	{[]ShipmentStatus{ShipmentShipped, ShipmentInTransit, ShipmentException}, GiveUpShipment, ShipmentGivenUp, ByWorld, "lost or returned, and nothing is sent again: its line is refunded, or its credential revoked (ORD-5, MGT-4)"},
}}

// Shipment brings one token to one beneficiary. Each try is a parcel; a reshipment is the next parcel.
type Shipment struct {
	ID          string // sh_…
	OrderLineID string
	TokenModel  string
	Address     Address `gorm:"serializer:json"`
	Status      ShipmentStatus
	Parcel      int        // number of the current parcel: 1, 2, …
	PromisedBy  *time.Time // end of the last promised business day
	LateFrom    *time.Time // start of the business day after it
	LateSince   *time.Time
	// MissingSince is set while a parcel is so late that a person has to decide about it.
	MissingSince *time.Time
	CreatedAt    time.Time `gorm:"autoCreateTime:false"`
	UpdatedAt    time.Time `gorm:"autoUpdateTime:false"`
	DeliveredAt  *time.Time
}

// Parcel is one try to deliver a shipment: one serial under one tracking number.
type Parcel struct {
	ShipmentID     string
	Number         int
	Serial         string
	Carrier        *string
	TrackingNumber *string
	CarrierRef     *string
	ShippedAt      *time.Time
	Outcome        *ParcelOutcome // nil while under way

	LabelTry         int        // 1, 2, …: a label that was refused is asked for anew
	LabelRequestedAt *time.Time // the intent: recorded before the carrier is called
	LabelVoidedAt    *time.Time
}

// LabelKey is the carrier's idempotency key for the parcel's label: asked twice under it, the carrier makes one label.
func (p Parcel) LabelKey() string {
	return fmt.Sprintf("shipment/%s/label/%d/%d", p.ShipmentID, p.Number, p.LabelTry)
}

// ParcelOutcome says how a parcel ended.
type ParcelOutcome string

// The outcomes of a parcel.
const (
	ParcelDelivered ParcelOutcome = "delivered"
	ParcelLost      ParcelOutcome = "lost"
	ParcelReturned  ParcelOutcome = "returned"
	ParcelCancelled ParcelOutcome = "cancelled" // it never left
)

// Promise dates a parcel that leaves now: by is the end of the last promised business day, late the start of the business
// day after it (SHP-1: promised within 3 to 5 business days, late from business day 6).
func Promise(shipped time.Time, p Policy, c BusinessDays) (by, late time.Time) {
	zone := p.Location()
	by = AfterBusinessDays(shipped, p.Shipping.PromiseTo, c, zone)
	return by, StartOfDay(AfterBusinessDays(shipped, p.Shipping.PromiseTo+1, c, zone), -1, zone)
}

// UnderWay reports whether the current parcel has left and has not ended.
func (s Shipment) UnderWay() bool { return ShipmentMachine.Allows(s.Status, ReshipShipment) }

// Actions are what people may do with a shipment, for allowed_actions.
func (s Shipment) Actions() []string {
	actions := Events(ShipmentMachine.Allowed(s.Status, ByPerson))
	if s.UnderWay() && s.LateSince != nil {
		actions = append(actions, "declare_lost")
	}
	return actions
}

// firstLook is how long after a parcel became late the carrier is asked about it again.
const firstLook = 7 * 24 * time.Hour

// LookAgain is the moment after at when the carrier is asked again about a late parcel of which nothing is heard: each time it takes twice as
// long, so that one that never comes costs little. Zero: the parcel is not late.
func (s Shipment) LookAgain(at time.Time) time.Time {
	if !s.UnderWay() || s.LateSince == nil {
		return time.Time{}
	}
	next := *s.LateSince
	for wait := firstLook; !next.After(at); wait *= 2 {
		next = next.Add(wait)
	}
	return next
}
