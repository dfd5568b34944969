package documents

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"tokendesk/models"
)

// pair is a label and its value.
type pair struct{ label, value string }

func date(t time.Time) string { return t.Format("2 January 2006") }

func methodName(f Facts) string {
	switch {
	case f.Total().Minor == 0:
		return "Nothing to pay"
	case f.Method == models.PayByCard:
		return "Card"
	}
	return "Invoice"
}

// nextSteps tells the buyer what to expect (ORD-3, ORD-6, LIC-2, SHP-1, REN-1, MGT-6).
func nextSteps(f Facts) []string {
	free := f.Total().Minor == 0
	var steps []string
	keys := "Your license keys come in a second e-mail within 24 hours, with the steps to activate them."
	switch {
	case free:
	case f.Method == models.PayByCard && f.Due().Minor == 0:
		steps = append(steps, "Your card has been charged. There is nothing left to pay.")
	case f.Method == models.PayByCard:
		steps = append(steps, "Your card is charged. We tell you at once if it is declined; you can then pay with another one.")
	default:
		steps = append(steps, fmt.Sprintf("Pay invoice %s by %s. It comes to %s.", f.InvoiceNumber, models.DueText(f.DueAt), f.Due()))
		keys = "Once it is paid in full, your license keys come in a second e-mail, with the steps to activate them."
	}
	if f.Brings.Keys {
		steps = append(steps, keys)
	}
	if f.Brings.Renewals {
		steps = append(steps, "With the payment the renewal takes effect: the new term begins where the old one ends, and the token stays the same. Whoever holds it is told by e-mail.")
	}
	if f.Shipping != nil {
		ships := "Your tokens ship after payment, with a tracking number."
		if free {
			ships = "Your tokens ship now, with a tracking number."
		}
		if f.Brings.Keys {
			ships += " Begin the activation only when the token is in your hand."
		}
		steps = append(steps, ships)
	}
	if f.Brings.Replacements {
		steps = append(steps, "A replacement needs no license key. When it is in your hand, revoke the old token, then register the new one.")
	}
	if f.Brings.Proofings {
		steps = append(steps, "After payment the proofing of your identity can begin, and we tell you by e-mail. Your authenticators stay as they are.")
	}
	return steps
}

func disclaimer(f Facts) string {
	if f.DisclaimerVersion == 0 {
		return ""
	}
	return fmt.Sprintf("You accepted version %d of our disclaimer on %s.", f.DisclaimerVersion, date(f.DisclaimerAcceptedAt))
}

// transferDetails are what a transfer must say; without the reference it is matched by hand.
func transferDetails(f Facts) []pair {
	return []pair{{"Reference", f.InvoiceNumber}, {"Amount", f.Due().String()}, {"By", models.DueText(f.DueAt)}}
}

// bankDetails are where a transfer goes.
func bankDetails(b Bank) []pair {
	return present([]pair{
		{"Account holder", b.Holder},
		{"Bank", b.Name},
		{"IBAN", groupsOfFour(b.IBAN)},
		{"BIC", b.BIC},
		{"Routing (ABA)", b.Routing},
		{"Account", b.Account},
	})
}

// present leaves out the pairs without a value.
func present(pairs []pair) []pair {
	return slices.DeleteFunc(pairs, func(p pair) bool { return p.value == "" })
}

func groupsOfFour(s string) string {
	var b strings.Builder
	for i, r := range strings.ReplaceAll(s, " ", "") {
		if i > 0 && i%4 == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// sellerLine is the foot of every page.
func sellerLine(s Seller) string {
	var parts []string
	for _, part := range append(s.Address.Lines(), s.Email, s.Phone, s.Web, s.TaxID) {
		if part != "" && part != s.Name {
			parts = append(parts, part)
		}
	}
	return strings.Join(append([]string{s.Name}, parts...), "  ·  ")
}

// digits is an amount without its currency, for a column whose head names it.
func digits(m models.Money) string { return strings.TrimPrefix(m.String(), string(m.Currency)+" ") }
