package models

import "time"

// PaymentSource says where a payment notice came from. With account and bank reference it identifies the payment (ORD-4).
type PaymentSource string

// The sources of payments.
const (
	SourceBankTransfer PaymentSource = "bank_transfer" // recorded by billing staff
	SourceCard         PaymentSource = "card"
	SourceStatement    PaymentSource = "bank_statement"
	SourceCredit       PaymentSource = "customer_credit" // no money came: billing used what a refund had left as credit
)

// Payment is money received: an immutable fact.
type Payment struct {
	ID            string // py_…
	Source        PaymentSource
	SourceAccount string // of a credit: the refund's id
	BankReference string
	InvoiceNumber *string // that the notice named, whether the invoice took it or not; nil: none
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

// UnappliedPayout is money of a payment that no invoice took, and that billing transferred back.
type UnappliedPayout struct {
	ID            string // up_…
	PaymentID     string
	SourceAccount string // ours
	BankReference string
	AmountMinor   int64
	Currency      Currency
	PaidAt        time.Time
	Reason        string
	ApprovalID    *string // the second person's, above the limit
	RecordedBy    string
	RecordedAt    time.Time
}

// PayoutApproval is a second person's consent to one payout out of a payment, up to an amount (SEC-1).
type PayoutApproval struct {
	ID          string // ua_…
	PaymentID   string
	AmountMinor int64
	Currency    Currency
	Reason      string
	ApprovedBy  string
	ApprovedAt  time.Time
}

// PaymentAction is what billing may do with money that no invoice took.
type PaymentAction string

// The actions on a payment.
const (
	ApplyPayment  PaymentAction = "apply"
	PayOutPayment PaymentAction = "pay_out"
	ApprovePayout PaymentAction = "approve_payout"
)
