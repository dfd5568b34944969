package models

import "time"

// PaymentSource says where a payment notice came from. With account and bank reference it identifies the payment (ORD-4).
type PaymentSource string

// The sources of payments.
const (
	SourceBankTransfer PaymentSource = "bank_transfer" // recorded by billing staff
	SourceCard         PaymentSource = "card"
	SourceStatement    PaymentSource = "bank_statement"
)

// Payment is money received: an immutable fact.
type Payment struct {
	ID            string // py_…
	Source        PaymentSource
	SourceAccount string
	BankReference string
	AmountMinor   int64
	Currency      Currency
	ReceivedAt    time.Time
	RecordedBy    string
	RecordedAt    time.Time
}

// Allocation applies a part of a payment to an invoice. What no allocation covers is unapplied cash.
type Allocation struct {
	PaymentID   string
	InvoiceID   string
	AmountMinor int64
	At          time.Time
}

// Allocate splits an amount received between what an invoice still lacks and unapplied cash (ORD-4).
func Allocate(status InvoiceStatus, due, received int64) (applied, unapplied int64) {
	if status != InvoiceOpen {
		return 0, received
	}
	applied = min(due, received)
	return applied, received - applied
}

// NewPayment is a payment notice as billing staff or a statement gives it.
type NewPayment struct {
	Source        PaymentSource
	SourceAccount string
	BankReference string
	Amount        Money
	ReceivedAt    time.Time
	InvoiceNumber string // empty: unapplied cash
}
