package models

import "time"

// ChargeStatus is where a card charge stands.
type ChargeStatus string

// The statuses of a charge.
const (
	ChargeIntended   ChargeStatus = "intended" // recorded before the provider is called
	ChargeAuthorized ChargeStatus = "authorized"
	ChargeCaptured   ChargeStatus = "captured"
	ChargeDeclined   ChargeStatus = "declined"
	ChargeCancelled  ChargeStatus = "cancelled"
)

// ChargeEvent moves a charge.
type ChargeEvent string

// The events of a charge.
const (
	AuthorizeCharge ChargeEvent = "authorize"
	CaptureCharge   ChargeEvent = "capture"
	DeclineCharge   ChargeEvent = "decline"
	CancelCharge    ChargeEvent = "cancel"
)

// ChargeMachine is the transition table of a card charge (ORD-2).
var ChargeMachine = Machine[ChargeStatus, ChargeEvent]{Name: "charge", Initial: ChargeIntended, Transitions: []Transition[ChargeStatus, ChargeEvent]{
	{[]ChargeStatus{ChargeIntended}, AuthorizeCharge, ChargeAuthorized, ByWorkflow, "the provider holds the amount"},
	{[]ChargeStatus{ChargeAuthorized}, CaptureCharge, ChargeCaptured, ByWorkflow, "the provider has taken the amount"},
	{[]ChargeStatus{ChargeIntended, ChargeAuthorized}, DeclineCharge, ChargeDeclined, ByWorkflow, "the provider declined"},
	{[]ChargeStatus{ChargeIntended, ChargeAuthorized}, CancelCharge, ChargeCancelled, ByWorkflow, "the order was cancelled first"},
}}

// Charge is one attempt to pay an order by card. It is recorded before the provider is called, and its id is the
// provider's idempotency key.
type Charge struct {
	ID            string // ch_…
	OrderID       string
	Attempt       int
	Status        ChargeStatus
	PaymentMethod Secret // the provider's token for the card
	AmountMinor   int64
	Currency      Currency
	ProviderRef   *string
	DeclineReason *string
	CreatedAt     time.Time `gorm:"autoCreateTime:false"`
	UpdatedAt     time.Time `gorm:"autoUpdateTime:false"`
}
