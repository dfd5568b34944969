package documents

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"time"

	"codeberg.org/go-pdf/fpdf"
	"github.com/go-fonts/liberation/liberationsansbold"
	"github.com/go-fonts/liberation/liberationsansregular"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/unicode/norm"
)

// All lengths are millimetres, font sizes points.
const (
	margin     = 20.0
	head       = 15.0
	footHeight = 22.0
)

// Fonts. A paper whose every letter is in Windows-1252 uses the font that every reader has: it takes a tenth of the time and of
// the bytes. Any other letter brings a font along; it has the same widths.
const (
	standard = "Helvetica"
	carried  = "Liberation Sans" // SIL Open Font License; Latin, Greek and Cyrillic
)

type colour struct{ r, g, b int }

var (
	ink    = colour{24, 32, 44}
	muted  = colour{104, 114, 130}
	accent = colour{13, 104, 98}
	hair   = colour{218, 224, 230}
	wash   = colour{242, 246, 247}
	white  = colour{255, 255, 255}
)

// style is how a text looks.
type style struct {
	size   float64
	bold   bool
	colour colour
	align  string // L, R
}

// height of one line of text.
func (s style) height() float64 { return s.size * 0.3528 * 1.32 }

var (
	body    = style{9.5, false, ink, "L"}
	strong  = style{9.5, true, ink, "L"}
	label   = style{7.5, false, muted, "L"}
	note    = style{8, false, muted, "L"}
	heading = style{11, true, ink, "L"}
)

func (s style) right() style { s.align = "R"; return s }

// paper is a document being written from top to bottom.
type paper struct {
	pdf           *fpdf.Fpdf
	f             Facts
	title, number string
	family        string
	foreign       bool    // a letter was met that the standard font lacks
	left, right   float64 // edges of the text
	bottom        float64
	y             float64
}

// render makes a document by writing it with the standard font and, where that lacks a letter, again with the carried one.
func render(f Facts, title, number string, at time.Time, write func(*paper)) ([]byte, error) {
	for _, family := range []string{standard, carried} {
		p, err := newPaper(f, title, number, at, family)
		if err != nil {
			return nil, err
		}
		write(p)
		document, err := p.bytes()
		if err != nil || !p.foreign {
			return document, err
		}
	}
	return nil, fmt.Errorf("documents: no font has every letter of the %s", strings.ToLower(title))
}

// newPaper begins a document on the paper size that is usual in the buyer's country.
func newPaper(f Facts, title, number string, at time.Time, family string) (*paper, error) {
	size := "A4"
	switch f.Billing.Country {
	case "US", "CA", "MX", "PH", "CL", "CO":
		size = "Letter"
	}
	pdf := fpdf.New("P", "mm", size, "")
	pdf.SetCatalogSort(true) // with fixed dates, this makes the bytes depend on the facts alone
	pdf.SetCreationDate(at.UTC())
	pdf.SetModificationDate(at.UTC())
	pdf.SetTitle(title+" "+number, true)
	pdf.SetAuthor(f.Seller.Name, true)
	pdf.SetLang("en")
	pdf.SetMargins(margin, margin, margin)
	pdf.SetCellMargin(0)
	pdf.SetAutoPageBreak(false, 0)
	if family == carried {
		pdf.AddUTF8FontFromBytes(family, "", liberationsansregular.TTF)
		pdf.AddUTF8FontFromBytes(family, "B", liberationsansbold.TTF)
	}
	if err := pdf.Error(); err != nil {
		return nil, fmt.Errorf("documents: loading the fonts: %w", err)
	}
	width, height := pdf.GetPageSize()
	p := &paper{pdf: pdf, f: f, title: title, number: number, family: family, left: margin, right: width - margin, bottom: height - footHeight}
	p.turn()
	return p, nil
}

// turn begins a page; from the second one on it says what it belongs to.
func (p *paper) turn() {
	p.pdf.AddPage()
	p.y = head
	if p.pdf.PageNo() > 1 {
		p.text(p.left, p.y, p.right-p.left, note, p.title+" "+p.number+", continued")
		p.y += 9
	}
}

// need turns the page where less than the height is left, and reports whether it did.
func (p *paper) need(height float64) bool {
	if p.y+height <= p.bottom {
		return false
	}
	p.turn()
	return true
}

// bytes writes the foot of every page, now that their number is known, and returns the document.
func (p *paper) bytes() ([]byte, error) {
	pages := p.pdf.PageCount()
	for page := 1; page <= pages; page++ {
		p.pdf.SetPage(page)
		p.foot(page, pages)
	}
	var out bytes.Buffer
	if err := p.pdf.Output(&out); err != nil {
		return nil, fmt.Errorf("documents: writing the %s: %w", strings.ToLower(p.title), err)
	}
	return out.Bytes(), nil
}

func (p *paper) foot(page, pages int) {
	y := p.bottom + 5
	p.rule(y, hair)
	width := p.right - p.left
	for i, line := range p.wrap(label, sellerLine(p.f.Seller), width-22) {
		p.line(p.left, y+3+float64(i)*label.height(), width, label, line)
	}
	p.line(p.left, y+3, width, label.right(), fmt.Sprintf("Page %d of %d", page, pages))
}

// rule draws a line across the page.
func (p *paper) rule(y float64, c colour) {
	p.pdf.SetDrawColor(c.r, c.g, c.b)
	p.pdf.SetLineWidth(0.2)
	p.pdf.Line(p.left, y, p.right, y)
}

// box fills a rounded rectangle.
func (p *paper) box(x, y, w, h float64, c colour) {
	p.pdf.SetFillColor(c.r, c.g, c.b)
	p.pdf.RoundedRect(x, y, w, h, 1.6, "1234", "F")
}

// text writes a wrapped text and returns its height.
func (p *paper) text(x, y, width float64, s style, text string) float64 {
	lines := p.wrap(s, text, width)
	for i, l := range lines {
		p.line(x, y+float64(i)*s.height(), width, s, l)
	}
	return float64(len(lines)) * s.height()
}

// line writes one line that has been wrapped already.
func (p *paper) line(x, y, width float64, s style, text string) {
	p.use(s)
	p.pdf.SetTextColor(s.colour.r, s.colour.g, s.colour.b)
	p.pdf.SetXY(x, y)
	p.pdf.CellFormat(width, s.height(), p.encoded(text), "", 0, s.align+"M", false, 0, "")
}

// use selects the font. It goes through another size first, because fpdf writes nothing for a font that it believes
// to be in use, which is not so on a page it has returned to.
func (p *paper) use(s style) {
	weight := ""
	if s.bold {
		weight = "B"
	}
	p.pdf.SetFont(p.family, weight, s.size+1)
	p.pdf.SetFont(p.family, weight, s.size)
}

// encoded is the text as the font in use wants it.
func (p *paper) encoded(text string) string {
	if p.family != standard {
		return text
	}
	out := make([]byte, 0, len(text))
	for _, r := range text {
		b, ok := charmap.Windows1252.EncodeRune(r)
		p.foreign = p.foreign || !ok
		out = append(out, b)
	}
	return string(out)
}

// wrap breaks a text at spaces, and inside a word that is wider than the line.
func (p *paper) wrap(s style, text string, width float64) []string {
	p.use(s)
	var lines []string
	var line string
	for _, word := range strings.Fields(printable(text)) {
		if joined := strings.TrimSpace(line + " " + word); p.pdf.GetStringWidth(p.encoded(joined)) <= width {
			line = joined
			continue
		}
		if line != "" {
			lines = append(lines, line)
		}
		line = ""
		for _, r := range word {
			if line != "" && p.pdf.GetStringWidth(p.encoded(line+string(r))) > width {
				lines = append(lines, line)
				line = ""
			}
			line += string(r)
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

var glyphs = sync.OnceValue(func() *sfnt.Font {
	font, err := sfnt.Parse(liberationsansregular.TTF)
	if err != nil {
		panic(err) // the font is part of the program
	}
	return font
})

// printable composes accents and shows a box for what the font lacks: a hole in a name would go unnoticed.
func printable(text string) string {
	var buffer sfnt.Buffer
	return strings.Map(func(r rune) rune {
		if r == '\t' || r == '\n' || r == '\r' || r == '\u00a0' {
			return ' '
		}
		if glyph, err := glyphs().GlyphIndex(&buffer, r); err != nil || glyph == 0 {
			return '□'
		}
		return r
	}, norm.NFC.String(text))
}
