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

func methodName(m models.PaymentMethod) string {
	if m == models.PayByCard {
		return "Card"
	}
	return "Invoice"
}

// nextSteps tells the buyer what to expect (ORD-3, ORD-6, LIC-2, SHP-1).
func nextSteps(f Facts) []string {
	var steps []string
	if f.Method == models.PayByCard {
		charge := "Your card is charged. We tell you at once if it is declined; you can then pay with another one."
		if f.Due().Minor == 0 {
			charge = "Your card has been charged. There is nothing left to pay."
		}
		steps = append(steps, charge,
			"Your license keys come in a second e-mail within 24 hours, with the steps to activate them.")
	} else {
		steps = append(steps, fmt.Sprintf("Pay invoice %s by %s. It comes to %s.", f.InvoiceNumber, date(f.DueAt), f.Due()),
			"Once it is paid in full, your license keys come in a second e-mail, with the steps to activate them.")
	}
	if f.Shipping != nil {
		steps = append(steps, "Your tokens ship after payment, with a tracking number. Begin the activation only when the token is in your hand.")
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
	return []pair{{"Reference", f.InvoiceNumber}, {"Amount", f.Due().String()}, {"By", date(f.DueAt)}}
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
