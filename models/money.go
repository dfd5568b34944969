package models

import (
	"fmt"
	"strings"
)

// Currency is an ISO 4217 alphabetic code.
type Currency string

// Currencies that Tokendesk sells in.
const (
	USD Currency = "USD"
	EUR Currency = "EUR"
	CHF Currency = "CHF"
	GBP Currency = "GBP"
	JPY Currency = "JPY"
)

var exponents = map[Currency]int{USD: 2, EUR: 2, CHF: 2, GBP: 2, JPY: 0}

// Exponent is the number of decimal places of the currency's minor unit, and whether the currency is known.
func (c Currency) Exponent() (int, bool) { e, ok := exponents[c]; return e, ok }

// Money is an amount in integer minor units (cents) of a currency. It is never a float.
type Money struct {
	Minor    int64    `json:"minor"`
	Currency Currency `json:"currency"`
}

// Plus adds two amounts of one currency.
// Adding across currencies is a programming mistake and panics.
func (m Money) Plus(o Money) Money {
	if m.Currency != o.Currency {
		panic(fmt.Sprintf("money: %s plus %s", m.Currency, o.Currency))
	}
	return Money{m.Minor + o.Minor, m.Currency}
}

// Minus subtracts an amount of the same currency.
func (m Money) Minus(o Money) Money { return m.Plus(Money{-o.Minor, o.Currency}) }

// Times multiplies by a whole number.
func (m Money) Times(n int64) Money { return Money{m.Minor * n, m.Currency} }

// String renders the amount for people, for example "USD 1,234.50".
func (m Money) String() string {
	e, _ := m.Currency.Exponent()
	digits, sign := fmt.Sprintf("%d", m.Minor), ""
	if m.Minor < 0 {
		digits, sign = digits[1:], "-"
	}
	if len(digits) <= e {
		digits = strings.Repeat("0", e+1-len(digits)) + digits
	}
	whole, frac := digits[:len(digits)-e], digits[len(digits)-e:]
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if frac != "" {
		frac = "." + frac
	}
	return string(m.Currency) + " " + sign + whole + frac
}
