// Package wire is the JSON of the API that prints and posts letters, in the style that services such as Lob and Click2Mail share.
//
//	POST {base}/v1/letters                        Letter → 201 Receipt; Idempotency-Key
//	GET  {base}/v1/letters?idempotency_key=…      → 200 Receipts: none, or the one
//
// Requests carry "Authorization: Bearer <key>". Errors are Failure with a 4xx or 5xx status. No URL holds anything personal.
package wire

import (
	"fmt"
	"io"
	"log/slog"

	"tokendesk/models"
)

// Letter asks to print and post a PDF. It is plain in JSON, which is what a message is for, and redacted wherever it is logged or printed.
type Letter struct {
	From Address `json:"from_address"`
	To   Address `json:"to_address"`
	PDF  []byte  `json:"pdf"` // base64
}

// Address is a postal address; redacted like the letter.
type Address struct {
	Name    string `json:"name"`
	Company string `json:"company,omitempty"`
	Street1 string `json:"street1"`
	Street2 string `json:"street2,omitempty"`
	City    string `json:"city"`
	State   string `json:"state,omitempty"`
	Zip     string `json:"zip"`
	Country string `json:"country"`
}

const redacted = "[redacted]"

func (Letter) String() string              { return redacted }
func (Letter) Format(f fmt.State, _ rune)  { _, _ = io.WriteString(f, redacted) }
func (Letter) LogValue() slog.Value        { return slog.StringValue(redacted) }
func (Address) String() string             { return redacted }
func (Address) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }
func (Address) LogValue() slog.Value       { return slog.StringValue(redacted) }

// Receipt is of a letter that was taken.
type Receipt struct {
	ID string `json:"id"`
}

// Receipts are of the letters that were taken under a key.
type Receipts struct {
	Letters []Receipt `json:"letters"`
}

// Failure is the body of an error.
type Failure struct {
	Error struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

// The codes of failures that have a meaning of their own.
const (
	AddressInvalid  = "address_invalid"
	KeyReused       = "idempotency_key_reused"
	KeyMissing      = "idempotency_key_missing"
	CallInFlight    = "call_in_flight"
	RequestInvalid  = "request_invalid"
	Unauthenticated = "unauthenticated"
	Unavailable     = "unavailable"
)

// AddressOf is an address as the API writes it.
func AddressOf(a models.Address) Address {
	return Address{Name: a.Name, Company: a.Company, Street1: a.Line1, Street2: a.Line2, City: a.City, State: a.Region, Zip: a.PostalCode, Country: a.Country}
}

// Address is the address as our books write it.
func (a Address) Address() models.Address {
	return models.Address{Name: a.Name, Company: a.Company, Line1: a.Street1, Line2: a.Street2, City: a.City, Region: a.State, PostalCode: a.Zip, Country: a.Country}
}
