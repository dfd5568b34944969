package models

import "time"

// CreditNote corrects a paid invoice; the invoice itself stays as it was paid (ORD-5). It is immutable.
type CreditNote struct {
	ID         string // cn_…
	Number     string // CN-10001
	RefundID   string
	OrderID    string
	InvoiceID  string
	TotalMinor int64
	Currency   Currency
	IssuedAt   time.Time
	Lines      []CreditNoteLine
}

// Total of the lines.
func (c CreditNote) Total() Money { return Money{c.TotalMinor, c.Currency} }

// CreditNoteLine credits one order line in full. A line is credited at most once.
type CreditNoteLine struct {
	OrderLineID  string `gorm:"primaryKey"`
	CreditNoteID string
	AmountMinor  int64
}
