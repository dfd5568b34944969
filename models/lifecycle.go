package models

import "time"

// Lifecycle is a workflow type: the name under which the engine knows a lifecycle.
type Lifecycle string

// The lifecycles.
const (
	OrderLifecycle      Lifecycle = "order"
	ShipmentLifecycle   Lifecycle = "shipment"
	CredentialLifecycle Lifecycle = "credential"
	RefundLifecycle     Lifecycle = "refund"
	ProofingLifecycle   Lifecycle = "proofing"
)

// WorkflowID is how a lifecycle of one thing is called in the engine, readable to operators (OPS-1): order/SO-10042.
func (l Lifecycle) WorkflowID(id string) string { return string(l) + "/" + id }

// Signal tells a lifecycle that a fact it may wait for is in the database. It carries an id only.
type Signal string

// The signals.
const (
	SignalPaymentReceived     Signal = "payment-received"     // to an order; ref: the payment
	SignalOrderChanged        Signal = "order-changed"        // to an order; ref: the order
	SignalParcelMoved         Signal = "parcel-moved"         // to a shipment; ref: the carrier event
	SignalStockArrived        Signal = "stock-arrived"        // to a shipment; ref: the import
	SignalShipmentChanged     Signal = "shipment-changed"     // to a shipment; ref: the shipment
	SignalCredentialChanged   Signal = "credential-changed"   // to a credential; ref: the credential
	SignalRefundChanged       Signal = "refund-changed"       // to a refund; ref: the refund, or what came back
	SignalProofingChanged     Signal = "proofing-changed"     // to a proofing; ref: the case
	SignalAuthenticatorLocked Signal = "authenticator-locked" // to a credential; ref: the authenticator
)

// OutboxRow is one message for the engine, written in the transaction of the fact that causes it.
type OutboxRow struct {
	ID           int64
	Kind         OutboxKind
	WorkflowID   string
	Name         string // Lifecycle to start, or Signal
	Ref          string
	CreatedAt    time.Time `gorm:"autoCreateTime:false"`
	Attempts     int
	NextAt       time.Time
	DispatchedAt *time.Time
}

// TableName of the outbox.
func (OutboxRow) TableName() string { return "outbox" }

// OutboxKind says what the engine is to do.
type OutboxKind string

// The kinds of outbox row.
const (
	OutboxStart  OutboxKind = "start"
	OutboxSignal OutboxKind = "signal"
)
