package documents

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"tokendesk/models"
)

// pages extracts what a reader sees, page by page: the texts of each content stream, joined by spaces.
func pages(t *testing.T, pdf []byte) []string {
	t.Helper()
	if !bytes.HasPrefix(pdf, []byte("%PDF-1.")) || !bytes.HasSuffix(bytes.TrimSpace(pdf), []byte("%%EOF")) {
		t.Fatal("not a whole PDF")
	}
	var out []string
	shown := regexp.MustCompile(`(?s)\(((?:\\.|[^\\)])*)\) ?Tj`)
	for part := range bytes.SplitSeq(pdf, []byte("\nstream\n")) {
		content, _, _ := bytes.Cut(part, []byte("\nendstream"))
		inflate, err := zlib.NewReader(bytes.NewReader(content))
		if err != nil {
			continue
		}
		plain, err := io.ReadAll(inflate)
		if err != nil {
			continue
		}
		var texts []string
		for _, m := range shown.FindAllSubmatch(plain, -1) {
			texts = append(texts, utf16be(m[1]))
		}
		if texts != nil {
			out = append(out, strings.Join(texts, " "))
		}
	}
	if len(out) != bytes.Count(pdf, []byte("/Type /Page\n")) {
		t.Fatalf("read %d pages of %d", len(out), bytes.Count(pdf, []byte("/Type /Page\n")))
	}
	return out
}

func utf16be(escaped []byte) string {
	raw := regexp.MustCompile(`(?s)\\(.)`).ReplaceAllFunc(escaped, func(m []byte) []byte {
		if m[1] == 'r' {
			return []byte{'\r'}
		}
		return m[1:]
	})
	units := make([]uint16, len(raw)/2)
	for i := range units {
		units[i] = uint16(raw[2*i])<<8 | uint16(raw[2*i+1])
	}
	return string(utf16.Decode(units))
}

func text(t *testing.T, pdf []byte, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(pages(t, pdf), " ")
}

// ORD-6: the papers say who bought what for whom, for how much, and how it is paid.
func TestPapersCarryTheFacts(t *testing.T) {
	both := []string{
		"Tokendesk", "55 Water Street", "billing@tokendesk.example", "EIN 12-3456789", "SO-10042", "INV-10042", "PO-7731", "2 March 2026", "1 April 2026",
		"Zoë Łukasiewicz", "zoe@ostergard.example", "Østergård & Søn Shipping", "1200 Harbor Boulevard", "Pier 7, Gate B",
		"Hardware OTP with identity proofing, one year", "OTP-HW-P-US", "Γιώργος Παπαδόπουλος", "Мария Иванова",
		"149.00", "USD 297.00", "Tokendesk Inc.", "First Harbor Bank, New York", "021000021", "000123456789", "FHBKUS33",
		"version 3 of our disclaimer", "Page 1 of 1",
	}
	cases := []struct {
		name   string
		make   func(Facts) ([]byte, error)
		change func(*Facts)
		has    []string
		hasNot []string
	}{
		{"confirmation, by invoice (ORD-3)", OrderConfirmation, func(*Facts) {},
			append(slices.Clone(both), "Order confirmation", "Once it is paid in full, your license keys", "tracking number"), []string{"24 hours"}},
		{"confirmation, by card", OrderConfirmation, func(f *Facts) { f.Method = models.PayByCard; f.InvoiceNumber = "" },
			[]string{"Your card is charged", "within 24 hours", "USD 297.00"}, []string{"How to pay", "First Harbor Bank", "INV-10042"}},
		{"confirmation, nothing ships", OrderConfirmation, func(f *Facts) { f.Shipping = nil },
			[]string{"Billed to"}, []string{"Shipped to", "tokens ship", "Pier 7"}},
		{"confirmation of a renewal (REN-1)", OrderConfirmation, func(f *Facts) { f.Brings, f.Shipping = Brings{Renewals: true}, nil },
			[]string{"Pay invoice INV-10042 by 1 April 2026", "the renewal takes effect", "the token stays the same"}, []string{"license key", "tracking number", "Shipped to"}},
		{"confirmation of a renewal and a new token", OrderConfirmation, func(f *Facts) { f.Brings.Renewals = true },
			[]string{"the renewal takes effect", "your license keys come", "Begin the activation only"}, nil},
		{"confirmation of a free replacement (MGT-6)", OrderConfirmation, func(f *Facts) {
			f.Brings = Brings{Replacements: true}
			f.Lines = []Line{{"R", "Replacement token", "", 1, models.Money{Currency: models.USD}}}
		}, []string{"Nothing to pay", "Your tokens ship now", "revoke the old token", "needs no license key"}, []string{"Pay invoice", "How to pay", "your license keys", "after payment"}},
		{"confirmation of a proofing (PRF-10)", OrderConfirmation, func(f *Facts) { f.Brings, f.Shipping = Brings{Proofings: true}, nil },
			[]string{"the proofing of your identity can begin", "Your authenticators stay as they are"}, []string{"license key", "tracking number", "Shipped to"}},
		{"invoice", Invoice, func(*Facts) {}, append(slices.Clone(both), "Invoice", "How to pay", "Due USD 297.00"), []string{"Paid"}},
		{"invoice, part paid (ORD-4)", Invoice, func(f *Facts) { f.Paid = models.Money{Minor: 9700, Currency: models.USD} },
			[]string{"Paid USD 97.00", "Due USD 200.00", "Amount USD 200.00"}, []string{"Paid in full"}},
		{"invoice, overpaid", Invoice, func(f *Facts) { f.Paid = models.Money{Minor: 99999, Currency: models.USD} },
			[]string{"Paid in full USD 0.00", "nothing more to do"}, []string{"How to pay", "USD -"}},
		{"invoice, by card", Invoice, func(f *Facts) { f.Method = models.PayByCard },
			[]string{"paid by card"}, []string{"First Harbor Bank"}},
		{"invoice, void (ORD-5)", Invoice, func(f *Facts) { f.Void = true },
			[]string{"This invoice is void", "Please do not pay it"}, []string{"How to pay", "First Harbor Bank"}},
		{"without a purchase order", Invoice, func(f *Facts) { f.PONumber = "" }, nil, []string{"purchase order"}},
		{"an account with an IBAN", Invoice, func(f *Facts) { f.Bank = Bank{Holder: "T", IBAN: "DE89370400440532013000"} },
			[]string{"IBAN DE89 3704 0044 0532 0130 00"}, []string{"Routing", "BIC"}},
		{"a currency without decimals", Invoice, func(f *Facts) {
			f.Lines = []Line{{"S", "Token", "", 3, models.Money{Minor: 12000, Currency: models.JPY}}}
		}, []string{"Amount (JPY)", "12,000", "36,000", "JPY 36,000"}, []string{"36,000.00", "·  for"}},
		{"letters that the font lacks", Invoice, func(f *Facts) { f.BuyerName = "王 Wang 😀 O\u0308zil" },
			[]string{"□ Wang □ Özil"}, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			f := sample()
			c.change(&f)
			pdf, err := c.make(f)
			got := text(t, pdf, err)
			for _, want := range c.has {
				if !strings.Contains(got, want) {
					t.Errorf("%q is missing", want)
				}
			}
			for _, bad := range c.hasNot {
				if strings.Contains(got, bad) {
					t.Errorf("%q should not be there", bad)
				}
			}
			if t.Failed() {
				t.Log(got)
			}
		})
	}
}

// The same facts make the same bytes, whatever the clock says and however often; other facts make others.
func TestDeterministic(t *testing.T) {
	for name, render := range map[string]func(Facts) ([]byte, error){"confirmation": OrderConfirmation, "invoice": Invoice} {
		first, err := render(sample())
		if err != nil {
			t.Fatal(err)
		}
		for range 10 {
			if again, _ := render(sample()); !bytes.Equal(first, again) {
				t.Fatalf("%s: the bytes differ", name)
			}
		}
		if year := []byte(fmt.Sprintf("(D:%d", time.Now().Year())); time.Now().Year() != 2026 && bytes.Contains(first, year) {
			t.Errorf("%s: it carries today's date", name)
		}
		other := sample()
		other.BuyerName += "x"
		if changed, _ := render(other); bytes.Equal(first, changed) {
			t.Errorf("%s: other facts, the same bytes", name)
		}
	}
}

// Many lines and long names run over pages: every line is there once, every page says what it belongs to.
func TestPagination(t *testing.T) {
	f := sample()
	f.Lines = nil
	for i := range 75 {
		f.Lines = append(f.Lines, Line{
			SKU: fmt.Sprintf("SKU-%03d", i), Quantity: 2, UnitPrice: models.Money{Minor: 100, Currency: models.USD},
			Description: "Hardware OTP " + strings.Repeat("with a long description ", i%5),
			Beneficiary: strings.Repeat("Wolfeschlegelsteinhausenbergerdorff", 1+i%4),
		})
	}
	pdf, err := Invoice(f)
	all := strings.Join(pages(t, pdf), "\n")
	if err != nil || strings.Count(all, "\n") < 3 {
		t.Fatalf("%d pages, %v", strings.Count(all, "\n")+1, err)
	}
	for i := range 75 {
		if n := strings.Count(all, fmt.Sprintf("SKU-%03d", i)); n != 1 {
			t.Errorf("line %d stands there %d times", i, n)
		}
	}
	parts := pages(t, pdf)
	for i, page := range parts {
		if !strings.Contains(page, fmt.Sprintf("Page %d of %d", i+1, len(parts))) {
			t.Errorf("page %d does not say so", i+1)
		}
		if i > 0 && !strings.Contains(page, "Invoice INV-10042, continued") {
			t.Errorf("page %d does not say what it belongs to", i+1)
		}
	}
	if !strings.Contains(parts[len(parts)-1], "USD 150.00") {
		t.Error("the total is not on the last page")
	}
}

func TestWrapStaysInside(t *testing.T) {
	p, err := newPaper(sample(), "Invoice", "INV-1", time.Unix(0, 0), carried)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"", " ", "one", "one two three four five six", strings.Repeat("M", 400), strings.Repeat("Ж", 90) + " end", "a\nb\tc\u00a0d"} {
		lines := p.wrap(strong, s, 30)
		for _, line := range lines {
			if w := p.pdf.GetStringWidth(line); w > 30 {
				t.Errorf("%q is %.1f mm wide", line, w)
			}
		}
		squeeze := func(s string) string { return strings.Join(strings.Fields(s), "") }
		if squeeze(strings.Join(lines, "")) != squeeze(s) {
			t.Errorf("%q lost something: %q", s, lines)
		}
	}
}

func TestRefusesDishonestFacts(t *testing.T) {
	cases := map[string]func(*Facts){
		"no seller":          func(f *Facts) { f.Seller.Name = "" },
		"no order number":    func(f *Facts) { f.OrderNumber = "" },
		"no invoice number":  func(f *Facts) { f.InvoiceNumber = "" },
		"no dates":           func(f *Facts) { f.PlacedAt, f.DueAt = time.Time{}, time.Time{} },
		"no lines":           func(f *Facts) { f.Lines = nil },
		"no quantity":        func(f *Facts) { f.Lines[1].Quantity = 0 },
		"mixed currencies":   func(f *Facts) { f.Lines[1].UnitPrice.Currency = models.EUR },
		"unknown currency":   func(f *Facts) { f.Lines = f.Lines[:1]; f.Lines[0].UnitPrice.Currency = "XXX" },
		"paid in another":    func(f *Facts) { f.Paid = models.Money{Minor: 1, Currency: models.EUR} },
		"no payment method":  func(f *Facts) { f.Method = "" },
		"an unknown payment": func(f *Facts) { f.Method = "barter" },
	}
	for name, change := range cases {
		f := sample()
		change(&f)
		if _, err := Invoice(f); err == nil {
			t.Errorf("%s: an invoice was made", name)
		}
	}
}
