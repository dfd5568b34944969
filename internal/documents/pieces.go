package documents

import (
	"fmt"

	"tokendesk/models"
)

// masthead is the head of the first page: who writes, and what this is.
func (p *paper) masthead() {
	p.box(p.left, p.y, 9, 9, accent)
	for i := range 6 { // six digits, as on a token
		x, y := p.left+2.25+float64(i%3)*2.25, p.y+3.35+float64(i/3)*2.3
		p.pdf.SetFillColor(white.r, white.g, white.b)
		p.pdf.Circle(x, y, 0.68, "F")
	}
	half := (p.right - p.left) / 2
	p.text(p.left+12, p.y+1.4, half-14, style{15, true, ink, "L"}, p.f.Seller.Name)
	p.text(p.left+half, p.y+0.4, half, style{19, false, accent, "R"}, p.title)
	p.y += 16
}

// facts is the row of numbers and dates below it; empty values are left out.
func (p *paper) facts(all []pair) {
	shown := present(all)
	p.rule(p.y, hair)
	p.y += 3.2
	column, tallest := (p.right-p.left)/float64(len(shown)), 0.0
	for i, f := range shown {
		x := p.left + float64(i)*column
		p.text(x, p.y, column-3, label, f.label)
		tallest = max(tallest, p.text(x, p.y+4.2, column-3, strong, f.value))
	}
	p.y += 4.2 + tallest + 3.2
	p.rule(p.y, hair)
	p.y += 7
}

// parties are the buyer and the addresses, side by side.
func (p *paper) parties() {
	type block struct {
		label string
		lines []string
	}
	blocks := []block{
		{"Buyer", []string{p.f.BuyerName, p.f.BuyerEmail}},
		{"Billed to", p.f.Billing.Lines()},
	}
	if p.f.Shipping != nil {
		blocks = append(blocks, block{"Shipped to", p.f.Shipping.Lines()})
	}
	column, tallest := (p.right-p.left)/3, 0.0
	for i, b := range blocks {
		x, y := p.left+float64(i)*column, p.y
		y += p.text(x, y, column-6, label, b.label) + 0.8
		for j, line := range b.lines {
			s := body
			if j == 0 {
				s = strong
			}
			y += p.text(x, y, column-6, s, line)
		}
		tallest = max(tallest, y-p.y)
	}
	p.y += tallest + 9
}

// The columns of the table, as distances of their right edges from the right margin.
const (
	amountColumn   = 0.0
	priceColumn    = 30.0
	quantityColumn = 60.0
	textColumn     = 78.0
)

// lines is the table of what was ordered. A line is never torn between two pages.
func (p *paper) lines() {
	p.tableHead()
	width := p.right - p.left - textColumn
	for _, l := range p.f.Lines {
		details := l.SKU
		if l.Beneficiary != "" {
			details += "  ·  for " + l.Beneficiary
		}
		names, below := p.wrap(strong, l.Description, width), p.wrap(note, details, width)
		height := float64(len(names))*strong.height() + float64(len(below))*note.height() + 4.2
		if p.need(height) {
			p.tableHead()
		}
		y := p.y + 2.1
		p.number3(y, body, fmt.Sprint(l.Quantity), digits(l.UnitPrice), digits(l.Amount()))
		for _, n := range names {
			p.line(p.left, y, width, strong, n)
			y += strong.height()
		}
		for _, n := range below {
			p.line(p.left, y, width, note, n)
			y += note.height()
		}
		p.y += height
		p.rule(p.y, hair)
	}
	p.y += 3
}

func (p *paper) tableHead() {
	p.text(p.left, p.y, 60, label, "Description")
	p.number3(p.y, label, "Quantity", "Unit price", fmt.Sprintf("Amount (%s)", p.f.currency()))
	p.y += 5
	p.pdf.SetDrawColor(accent.r, accent.g, accent.b)
	p.pdf.SetLineWidth(0.5)
	p.pdf.Line(p.left, p.y, p.right, p.y)
}

// number3 writes the three columns of numbers.
func (p *paper) number3(y float64, s style, quantity, price, amount string) {
	p.line(p.left, y, p.right-p.left-quantityColumn, s.right(), quantity)
	p.line(p.left, y, p.right-p.left-priceColumn, s.right(), price)
	p.line(p.left, y, p.right-p.left-amountColumn, s.right(), amount)
}

// totals are the sums at the right, and what is still due.
func (p *paper) totals() {
	rows := []pair{{"Total", p.f.Total().String()}}
	if p.f.Paid.Minor != 0 {
		rows = append(rows, pair{"Paid", p.f.Paid.String()})
	}
	const width, step = 82.0, 5.6
	p.need(float64(len(rows))*step + 14)
	x := p.right - width
	for _, r := range rows {
		p.line(x+4, p.y, width-8, body, r.label)
		p.line(x+4, p.y, width-8, body.right(), r.value)
		p.y += step
	}
	p.y += 0.8
	background, foreground := accent, white
	due := pair{"Due", p.f.Due().String()}
	switch {
	case p.f.Void:
		background, foreground, due = wash, muted, pair{"Void", "nothing is due"}
	case p.f.Due().Minor == 0:
		due.label = "Paid in full"
	}
	p.box(x, p.y, width, 10, background)
	p.line(x+4, p.y+2.5, width-8, style{11, true, foreground, "L"}, due.label)
	p.line(x+4, p.y+2.5, width-8, style{11, true, foreground, "R"}, due.value)
	p.y += 10 + 9
}

// howToPay says how what is due is paid.
func (p *paper) howToPay() {
	switch {
	case p.f.Void:
		p.steps("This invoice is void", []string{"Please do not pay it. If you have, we keep the amount as credit in your name and write to you."})
	case p.f.Due().Minor == 0:
		p.steps("Thank you", []string{"This invoice is paid in full. There is nothing more to do."})
	case p.f.Method == models.PayByCard:
		p.steps("How to pay", []string{"This order is paid by card. There is nothing to transfer."})
	default:
		p.transfer()
	}
}

// transfer is the panel with the bank details, in two columns.
func (p *paper) transfer() {
	const padding, gap, labels = 6.0, 6.0, 30.0
	width := p.right - p.left - 2*padding
	intro := fmt.Sprintf("Please transfer the amount by %s and give the reference, so that we find your payment at once.", models.DueText(p.f.DueAt))
	columns := [2][]pair{transferDetails(p.f), bankDetails(p.f.Bank)}
	values := (width-gap)/2 - labels
	tallest := 0.0
	for _, column := range columns {
		tallest = max(tallest, p.details(column, 0, 0, labels, values, false))
	}
	height := 5 + heading.height() + 1 + float64(len(p.wrap(body, intro, width)))*body.height() + 3 + tallest + 4
	p.need(height)
	p.box(p.left, p.y, p.right-p.left, height, wash)
	x, y := p.left+padding, p.y+5
	y += p.text(x, y, width, heading, "How to pay") + 1
	y += p.text(x, y, width, body, intro) + 3
	for i, column := range columns {
		p.details(column, x+float64(i)*(width+gap)/2, y, labels, values, true)
	}
	p.y += height + 8
}

// details writes labels with their values beside them, or only measures them, and returns the height.
func (p *paper) details(pairs []pair, x, y, labels, values float64, write bool) float64 {
	top := y
	for _, d := range pairs {
		lines := p.wrap(strong, d.value, values)
		if write {
			p.line(x, y+0.3, labels, note, d.label)
			for j, line := range lines {
				p.line(x+labels, y+float64(j)*strong.height(), values, strong, line)
			}
		}
		y += float64(len(lines))*strong.height() + 1
	}
	return y - top
}

// steps are a heading and short paragraphs, numbered where there are several.
func (p *paper) steps(title string, paragraphs []string) {
	width := p.right - p.left
	height := heading.height() + 2
	for _, s := range paragraphs {
		height += float64(len(p.wrap(body, s, width-6)))*body.height() + 1.6
	}
	p.need(height)
	p.y += p.text(p.left, p.y, width, heading, title) + 2
	for i, s := range paragraphs {
		indent := 0.0
		if len(paragraphs) > 1 {
			indent = 6
			p.line(p.left, p.y, indent, style{9.5, true, accent, "L"}, fmt.Sprint(i+1))
		}
		p.y += p.text(p.left+indent, p.y, width-indent, body, s) + 1.6
	}
	p.y += 5
}

// small is a closing remark.
func (p *paper) small(text string) {
	if text == "" {
		return
	}
	p.need(note.height())
	p.y += p.text(p.left, p.y, p.right-p.left, note, text)
}
