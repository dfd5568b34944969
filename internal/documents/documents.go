// Package documents makes the papers that a buyer receives (ORD-6): the order confirmation and the invoice, as PDF.
// The same facts make the same bytes, so that a paper can be made again instead of being kept.
package documents

import (
	"errors"
	"fmt"
	"time"

	"tokendesk/models"
)

// Seller is who sells.
type Seller struct {
	Name    string
	Address models.Address
	Email   string
	Phone   string
	Web     string
	TaxID   string // as it is to be printed; may be empty
}

// Bank is the account that invoices are paid into. Empty members are left out.
type Bank struct {
	Holder  string
	Name    string
	IBAN    string
	BIC     string
	Routing string // ABA routing number
	Account string
}

// Line is one line of an order.
type Line struct {
	SKU         string
	Description string
	Beneficiary string // whom it is bought for; may be empty
	Quantity    int64
	UnitPrice   models.Money
}

// Amount is the price of the line.
func (l Line) Amount() models.Money { return l.UnitPrice.Times(l.Quantity) }

// Brings says what comes of an order, which decides what its papers and mails promise.
type Brings struct {
	Keys         bool // license keys, of new credentials
	Renewals     bool
	Replacements bool // of tokens
	Proofings    bool // of identities (PRF-10)
	Tokens       bool // something ships
}

// Facts are everything that stands in the papers of one order. Dates are printed as they read in their own location,
// which should be the vendor's.
type Facts struct {
	Seller Seller

	OrderNumber   string
	InvoiceNumber string
	PONumber      string // the buyer's purchase order; may be empty
	PlacedAt      time.Time
	IssuedAt      time.Time // of the invoice
	DueAt         time.Time // until then, exclusively, the invoice is paid in time

	BuyerName  string
	BuyerEmail string
	Billing    models.Address
	Shipping   *models.Address // nil where nothing ships

	Lines  []Line
	Brings Brings
	Paid   models.Money // received so far; the zero value is nothing
	Void   bool         // the invoice takes no money any more

	Method models.PaymentMethod
	Bank   Bank // for payment by invoice; the reference to be given with a transfer is the invoice number

	DisclaimerVersion    int
	DisclaimerAcceptedAt time.Time
}

// Total of all lines.
func (f Facts) Total() models.Money {
	total := models.Money{Currency: f.currency()}
	for _, l := range f.Lines {
		total = total.Plus(l.Amount())
	}
	return total
}

// Due is what is still to be paid: never less than nothing, and nothing where the invoice is void.
func (f Facts) Due() models.Money {
	due := f.Total()
	if f.Void {
		return models.Money{Currency: due.Currency}
	}
	if f.Paid != (models.Money{}) {
		due = due.Minus(f.Paid)
	}
	due.Minor = max(due.Minor, 0)
	return due
}

func (f Facts) currency() models.Currency {
	if len(f.Lines) == 0 {
		return ""
	}
	return f.Lines[0].UnitPrice.Currency
}

// check refuses facts of which no honest paper can be made. They come from our own database, so that is a mistake
// in the program and no fault of a caller's.
func (f Facts) check(invoice bool) error {
	var problems []error
	require := func(ok bool, what string) {
		if !ok {
			problems = append(problems, errors.New(what))
		}
	}
	require(f.Seller.Name != "", "the seller has no name")
	require(f.OrderNumber != "", "the order has no number")
	require(!f.PlacedAt.IsZero(), "the order has no date")
	require(len(f.Lines) > 0, "the order has no lines")
	require(f.Method == models.PayByCard || f.Method == models.PayByInvoice, "the payment method is not known")
	if invoice || f.Method == models.PayByInvoice {
		require(f.InvoiceNumber != "", "the invoice has no number")
		require(!f.IssuedAt.IsZero() && !f.DueAt.IsZero(), "the invoice has no dates")
	}
	currency := f.currency()
	_, known := currency.Exponent()
	require(known || len(f.Lines) == 0, "the currency is not known")
	for i, l := range f.Lines {
		require(l.UnitPrice.Currency == currency, fmt.Sprintf("line %d is in another currency", i+1))
		require(l.Quantity > 0, fmt.Sprintf("line %d has no quantity", i+1))
	}
	require(f.Paid == (models.Money{}) || f.Paid.Currency == currency, "what was paid is in another currency")
	if len(problems) > 0 {
		return fmt.Errorf("documents: %w", errors.Join(problems...))
	}
	return nil
}

// OrderConfirmation makes the paper that goes out at once when an order is placed (ORD-3, ORD-6).
func OrderConfirmation(f Facts) ([]byte, error) {
	if err := f.check(false); err != nil {
		return nil, err
	}
	return render(f, "Order confirmation", f.OrderNumber, f.PlacedAt, func(p *paper) {
		p.masthead()
		p.facts([]pair{
			{"Order", f.OrderNumber},
			{"Placed on", date(f.PlacedAt)},
			{"Payment", methodName(f)},
			{"Your purchase order", f.PONumber},
		})
		p.parties()
		p.lines()
		p.totals()
		if f.Method == models.PayByInvoice && f.Total().Minor > 0 {
			p.howToPay()
		}
		p.steps("What happens next", nextSteps(f))
		p.small(disclaimer(f))
	})
}

// Invoice makes the invoice of an order.
func Invoice(f Facts) ([]byte, error) {
	if err := f.check(true); err != nil {
		return nil, err
	}
	return render(f, "Invoice", f.InvoiceNumber, f.IssuedAt, func(p *paper) {
		p.masthead()
		p.facts([]pair{
			{"Invoice", f.InvoiceNumber},
			{"Issued on", date(f.IssuedAt)},
			{"Due on", models.DueText(f.DueAt)},
			{"Order", f.OrderNumber},
			{"Your purchase order", f.PONumber},
		})
		p.parties()
		p.lines()
		p.totals()
		p.howToPay()
		p.small(disclaimer(f))
	})
}
