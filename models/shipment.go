package models

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// TokenStatus is where a physical token stands.
type TokenStatus string

// The statuses of a token.
const (
	TokenInStock     TokenStatus = "in_stock"
	TokenAllocated   TokenStatus = "allocated"
	TokenShipped     TokenStatus = "shipped"
	TokenBound       TokenStatus = "bound"
	TokenQuarantined TokenStatus = "quarantined"
	TokenRetired     TokenStatus = "retired"
)

// TokenEvent moves a token.
type TokenEvent string

// The events of a token.
const (
	AllocateToken   TokenEvent = "allocate"
	ReleaseToken    TokenEvent = "release"
	ShipToken       TokenEvent = "ship"
	BindToken       TokenEvent = "bind"
	QuarantineToken TokenEvent = "quarantine"
	RestoreToken    TokenEvent = "restore"
	RetireToken     TokenEvent = "retire"
)

// TokenMachine is the transition table of a physical token (SHP-1 to SHP-4).
var TokenMachine = Machine[TokenStatus, TokenEvent]{Name: "token", Initial: TokenInStock, Transitions: []Transition[TokenStatus, TokenEvent]{
	{[]TokenStatus{TokenInStock}, AllocateToken, TokenAllocated, ByWorkflow, "taken for a shipment, one serial to one shipment (SHP-1)"},
	{[]TokenStatus{TokenAllocated}, ReleaseToken, TokenInStock, ByWorkflow, "its shipment was cancelled before it left"},
	{[]TokenStatus{TokenAllocated}, ShipToken, TokenShipped, ByWorkflow, "handed to the carrier"},
	{[]TokenStatus{TokenShipped}, BindToken, TokenBound, ByPerson, "registered (SHP-3, REG-1)"},
	{[]TokenStatus{TokenInStock}, QuarantineToken, TokenQuarantined, ByPerson, "set aside for examination (SHP-4)"},
	{[]TokenStatus{TokenQuarantined}, RestoreToken, TokenInStock, ByPerson, "found good"},
	{[]TokenStatus{TokenInStock, TokenQuarantined, TokenAllocated, TokenShipped, TokenBound}, RetireToken, TokenRetired, ByPerson, "lost, returned, revoked or broken (SHP-2)"},
}}

// Token is a physical device in stock. Its seed is sealed with the serial as associated data (SEC-2).
type Token struct {
	Serial         string `gorm:"primaryKey"`
	Model          string
	Manufacturer   string
	Warehouse      string
	Kind           string // hotp or totp
	Algorithm      string // SHA1, SHA256 or SHA512
	Digits         int
	PeriodSeconds  int
	InitialCounter int64
	SealedSeed     []byte
	Status         TokenStatus
	StatusReason   *string
	ImportID       string
	CreatedAt      time.Time `gorm:"autoCreateTime:false"`
	UpdatedAt      time.Time `gorm:"autoUpdateTime:false"`
}

// TokenModel is one type of token that is stocked. A file's seeds are imported only under a model that stands here (SHP-4).
type TokenModel struct {
	Model        string `gorm:"primaryKey"`
	Kind         string // hotp or totp
	ReorderLevel int    // below it staff are told to order more; 0: never
}

// TokenImport is one file of seeds that was imported.
type TokenImport struct {
	ID         string // ti_…
	Format     string // pskc or csv
	FileSHA256 []byte `gorm:"column:file_sha256"`
	Rows       int
	Imported   int
	Known      int // serials that were there before; nothing of theirs changes (SHP-4)
	Refused    int
	ImportedBy string
	ImportedAt time.Time
}

// TokenSeedContext is the associated data under which a token's seed is sealed.
func TokenSeedContext(serial string) string { return "token/" + serial }

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
	{[]ShipmentStatus{ShipmentRequested, ShipmentBackordered, ShipmentPacked}, CancelShipment, ShipmentCancelled, ByPerson, "its order was undone before it left"},
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
	CreatedAt   time.Time `gorm:"autoCreateTime:false"`
	UpdatedAt   time.Time `gorm:"autoUpdateTime:false"`
	DeliveredAt *time.Time
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

// CarrierEventKind says what the carrier reports.
type CarrierEventKind string

// The kinds of carrier event.
const (
	CarrierLabel     CarrierEventKind = "label_created"
	CarrierInTransit CarrierEventKind = "in_transit"
	CarrierException CarrierEventKind = "exception"
	CarrierDelivered CarrierEventKind = "delivered"
	CarrierLost      CarrierEventKind = "lost"
	CarrierReturned  CarrierEventKind = "returned"
)

var carrierRank = map[CarrierEventKind]int{CarrierLabel: 1, CarrierInTransit: 2, CarrierException: 3, CarrierDelivered: 4, CarrierLost: 4, CarrierReturned: 5}

// Valid reports whether the kind is one that a carrier may report.
func (k CarrierEventKind) Valid() bool { return carrierRank[k] > 0 }

// Ends reports whether nothing more is expected for the parcel.
func (k CarrierEventKind) Ends() bool { return carrierRank[k] >= 4 }

// CarrierEvent is one report about a parcel, as the carrier dated it.
type CarrierEvent struct {
	ID             string // the carrier's own event id; a repeat changes nothing
	Carrier        string // who told of it: the gateway; event ids are its own
	TrackingNumber string // identifies the parcel
	Kind           CarrierEventKind
	OccurredAt     time.Time
	ReceivedAt     time.Time
}

// FoldCarrierEvents says where a parcel stands after events that may repeat and arrive out of order (SHP-2): the order
// of arrival does not matter, the latest by the carrier's own time counts, and a final report stands.
func FoldCarrierEvents(events []CarrierEvent) CarrierEventKind {
	if len(events) == 0 {
		return CarrierLabel
	}
	latest := slices.MaxFunc(events, func(a, b CarrierEvent) int {
		ra, rb := carrierRank[a.Kind], carrierRank[b.Kind]
		if a.Kind.Ends() || b.Kind.Ends() {
			return cmp.Or(cmp.Compare(ra, rb), a.OccurredAt.Compare(b.OccurredAt), cmp.Compare(a.Kind, b.Kind))
		}
		return cmp.Or(a.OccurredAt.Compare(b.OccurredAt), cmp.Compare(ra, rb))
	})
	return latest.Kind
}
