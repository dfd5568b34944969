package documents

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"tokendesk/models"
)

func creditSample() Credit {
	f := sample()
	f.Lines = f.Lines[:2]
	return Credit{Facts: f, Number: "CN-10007", CreditedAt: time.Date(2026, 5, 4, 9, 0, 0, 0, f.IssuedAt.Location()), Reason: models.RefundDuplicate}
}

// ORD-5: a credit note says which invoice it corrects, what is credited, and how the money comes back.
func TestCreditNoteCarriesTheFacts(t *testing.T) {
	usd := func(minor int64) models.Money { return models.Money{Minor: minor, Currency: models.USD} }
	cases := []struct {
		name   string
		card   models.Money
		has    []string
		hasNot []string
	}{
		{"through the bank", models.Money{}, []string{"USD 248.00 stands to your credit"}, []string{"card"}},
		{"to the card", usd(24800), []string{"USD 248.00 goes back to the card"}, []string{"credit."}},
		{"both", usd(20000), []string{"USD 200.00 goes back to the card", "USD 48.00 stands to your credit"}, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			credit := creditSample()
			credit.Card = c.card
			pdf, err := CreditNote(credit)
			got := text(t, pdf, err)
			for _, want := range append(c.has, "Credit note", "CN-10007", "4 May 2026", "INV-10042", "SO-10042", "PO-7731", "Credited", "USD 248.00", "Ordered twice", "Zoë Łukasiewicz") {
				if !strings.Contains(got, want) {
					t.Errorf("%q is missing", want)
				}
			}
			for _, not := range append(c.hasNot, "Мария Иванова", "Due on", "How to pay") {
				if strings.Contains(got, not) {
					t.Errorf("%q is there", not)
				}
			}
			again, err := CreditNote(credit)
			if err != nil || !bytes.Equal(pdf, again) {
				t.Errorf("the same facts make other bytes: %v", err)
			}
		})
	}
}

// A credit note that could not be honest is not made.
func TestCreditNoteRefuses(t *testing.T) {
	for name, change := range map[string]func(*Credit){
		"no number":               func(c *Credit) { c.Number = "" },
		"no date":                 func(c *Credit) { c.CreditedAt = time.Time{} },
		"no lines":                func(c *Credit) { c.Lines = nil },
		"no invoice":              func(c *Credit) { c.InvoiceNumber = "" },
		"another currency":        func(c *Credit) { c.Card = models.Money{Minor: 1, Currency: models.EUR} },
		"a line without quantity": func(c *Credit) { c.Lines[0].Quantity = 0 },
	} {
		t.Run(name, func(t *testing.T) {
			c := creditSample()
			change(&c)
			if _, err := CreditNote(c); err == nil {
				t.Error("it was made")
			}
		})
	}
}
