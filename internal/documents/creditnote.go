package documents

import (
	"errors"
	"fmt"
	"time"

	"tokendesk/models"
)

// Credit is what stands in a credit note (ORD-5). Its Facts are those of the order, with the credited lines alone.
type Credit struct {
	Facts
	Number     string
	CreditedAt time.Time
	Reason     models.RefundReason
	Card       models.Money // goes back to the card; the rest is paid out, or kept as credit
}

var reasons = map[models.RefundReason]string{
	models.RefundNotNeeded:  "Not needed any more",
	models.RefundMistake:    "Ordered by mistake",
	models.RefundDuplicate:  "Ordered twice",
	models.RefundDefective:  "Defective",
	models.RefundGoodwill:   "Goodwill",
	models.RefundOther:      "Other",
	models.RefundTooLate:    "The renewal came too late",
	models.RefundImpossible: "It could not be fulfilled",
}

// CreditNote makes the paper that corrects a paid invoice.
func CreditNote(c Credit) ([]byte, error) {
	err := c.check(true)
	if c.Number == "" || c.CreditedAt.IsZero() {
		err = errors.Join(err, errors.New("documents: the credit note has no number or no date"))
	}
	if c.Card != (models.Money{}) && c.Card.Currency != c.currency() {
		err = errors.Join(err, errors.New("documents: what goes back to the card is in another currency"))
	}
	if err != nil {
		return nil, err
	}
	return render(c.Facts, "Credit note", c.Number, c.CreditedAt, func(p *paper) {
		p.masthead()
		p.facts([]pair{
			{"Credit note", c.Number},
			{"Issued on", date(c.CreditedAt)},
			{"Corrects invoice", c.InvoiceNumber},
			{"Of", date(c.IssuedAt)},
			{"Order", c.OrderNumber},
			{"Your purchase order", c.PONumber},
		})
		p.parties()
		p.lines()
		p.sum("Credited", c.Total())
		p.steps("Your money", c.howItComesBack())
		p.small("Reason: " + reasons[c.Reason] + ". License keys and credentials of these lines are void.")
	})
}

func (c Credit) howItComesBack() []string {
	total := c.Total()
	card := models.Money{Minor: c.Card.Minor, Currency: total.Currency}
	switch rest := total.Minus(card); {
	case total.Minor == 0:
		return []string{"Nothing was paid for these lines, so nothing is given back."}
	case rest.Minor == 0:
		return []string{fmt.Sprintf("%s goes back to the card that paid. Its bank may take some days to show them.", total)}
	case card.Minor == 0:
		return []string{fmt.Sprintf("%s stands to your credit. We transfer it to you, or keep it for you if you ask us to.", total)}
	default:
		return []string{
			fmt.Sprintf("%s goes back to the card that paid. Its bank may take some days to show them.", card),
			fmt.Sprintf("%s stands to your credit. We transfer it to you, or keep it for you if you ask us to.", rest),
		}
	}
}

// sum is the one amount that a paper comes to.
func (p *paper) sum(name string, amount models.Money) {
	const width = 82.0
	p.need(20)
	x := p.right - width
	p.box(x, p.y, width, 10, accent)
	p.line(x+4, p.y+2.5, width-8, style{11, true, white, "L"}, name)
	p.line(x+4, p.y+2.5, width-8, style{11, true, white, "R"}, amount.String())
	p.y += 10 + 9
}
