package models

import "time"

// InvoiceStatus is where an invoice stands.
type InvoiceStatus string

// The statuses of an invoice.
const (
	InvoiceOpen InvoiceStatus = "open"
	InvoicePaid InvoiceStatus = "paid"
	InvoiceVoid InvoiceStatus = "void"
)

// InvoiceEvent moves an invoice.
type InvoiceEvent string

// The events of an invoice.
const (
	SettleInvoice InvoiceEvent = "settle"
	VoidInvoice   InvoiceEvent = "void"
)

// InvoiceMachine is the transition table of an invoice. A void invoice never takes money (ORD-5).
var InvoiceMachine = Machine[InvoiceStatus, InvoiceEvent]{Name: "invoice", Initial: InvoiceOpen, Transitions: []Transition[InvoiceStatus, InvoiceEvent]{
	{[]InvoiceStatus{InvoiceOpen}, SettleInvoice, InvoicePaid, ByWorld, "allocations reach the total (ORD-3)"},
	{[]InvoiceStatus{InvoiceOpen}, VoidInvoice, InvoiceVoid, ByWorkflow, "its order was cancelled or lapsed (ORD-5)"},
}}

// Invoice asks for the money of one order. A card order has one too; it is settled by the capture.
type Invoice struct {
	ID         string // in_…
	Number     string // INV-10042
	OrderID    string
	Status     InvoiceStatus
	TotalMinor int64
	PaidMinor  int64 // sum of allocations
	Currency   Currency
	IssuedAt   time.Time
	DueAt      time.Time
	SettledAt  *time.Time
	VoidedAt   *time.Time
}

// Due is what is still to be paid.
func (i Invoice) Due() Money { return Money{i.TotalMinor - i.PaidMinor, i.Currency} }
