package documents

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"tokendesk/internal/keycode"
	"tokendesk/models"
)

const letterCode = "7KQ2M-8ABCD-W4ZPC"

func sampleLetter() Letter {
	vendor := time.FixedZone("EST", -5*3600)
	return Letter{Seller: sample().Seller, To: *sample().Shipping, Reference: "cd_01JD3Q5M8V", Code: letterCode,
		IssuedAt: time.Date(2026, 3, 3, 3, 30, 0, 0, time.UTC), ExpiresAt: time.Date(2026, 4, 1, 23, 59, 59, 0, vendor)}
}

// plainLetter is one that the standard font can write.
func plainLetter() Letter {
	l := sampleLetter()
	l.To = models.Address{Name: "Zelda Quillon", Line1: "4711 Larkspur Terrace", City: "Yakima", Region: "WA", PostalCode: "98901", Country: "US"}
	return l
}

// PRF-9: the letter says what the code is, until when it works, where it goes, and that nobody can look it up.
func TestActivationLetter(t *testing.T) {
	cases := []struct {
		name   string
		change func(*Letter)
		has    []string
		hasNot []string
	}{
		{"as it is sent", func(*Letter) {}, []string{
			"Activation code", "7KQ2M – 8ABCD – W4ZPC", "works once", "the end of 1 April 2026", "2 March 2026", "cd_01JD3Q5M8V",
			"Tokendesk, 55 Water Street, New York NY 10041, US", "Zoë Łukasiewicz", "Østergård & Søn Shipping", "Pier 7, Gate B", "Weehawken NJ 07086",
			"Log in to your account at tokendesk.example", "billing@tokendesk.example", "+1 212 555 0100", "nobody can look it up", "Give the code to nobody",
			"proofing of your identity is then repeated", "Page 1 of 1"}, []string{"3 March"}},
		{"a seller of few words", func(l *Letter) { l.Seller.Web, l.Seller.Email, l.Seller.Phone = "", "", "" },
			[]string{"Log in to your account and choose", "write to us and name the reference"}, []string{" at ,", "or call"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			l := sampleLetter()
			c.change(&l)
			pdf, err := ActivationLetter(l)
			seen := text(t, pdf, err)
			for _, want := range c.has {
				if !strings.Contains(flat(seen), want) {
					t.Errorf("%q is missing", want)
				}
			}
			for _, bad := range c.hasNot {
				if strings.Contains(flat(seen), bad) {
					t.Errorf("%q should not be there", bad)
				}
			}
			if again, err := ActivationLetter(l); err != nil || !bytes.Equal(pdf, again) {
				t.Errorf("the same facts make other bytes: %v", err)
			}
			if t.Failed() {
				t.Log(seen)
			}
		})
	}
}

// flat joins what is one text in a table of lines.
func flat(seen string) string { return strings.Join(strings.Fields(seen), " ") }

// PRF-9: as it is printed, the code can be typed in.
func TestLetterCodeIsReadAsItIsPrinted(t *testing.T) {
	code, err := keycode.New(keycode.MinBits)
	if err != nil {
		t.Fatal(err)
	}
	l := sampleLetter()
	l.Code = code
	pdf, err := ActivationLetter(l)
	printed := regexp.MustCompile(`Your activation code (.*?) It works once`).FindStringSubmatch(text(t, pdf, err))
	if printed == nil {
		t.Fatal("no code is printed")
	}
	if read, err := keycode.Parse(printed[1]); err != nil || read != code {
		t.Errorf("%q: %v", printed[1], err)
	}
}

// PRF-9, SEC-5: through the window of the envelope nothing shows but the addresses; the code least of all. The letter is one page,
// however long the address is.
func TestNothingElseShowsThroughTheWindow(t *testing.T) {
	long := plainLetter()
	long.To.Company, long.To.Line2 = strings.Repeat("Larkspur & Quillon Holdings ", 3), strings.Repeat("Building 4711, ", 5)
	canada := plainLetter()
	canada.To.Country = "CA"
	europe := plainLetter()
	europe.To.Country, europe.To.Region = "DE", ""
	for name, l := range map[string]Letter{"plain": plainLetter(), "long": long, "Letter": canada, "A4": europe} {
		t.Run(name, func(t *testing.T) {
			pdf, err := ActivationLetter(l)
			if err != nil {
				t.Fatal(err)
			}
			if n := bytes.Count(pdf, []byte("/Type /Page\n")); n != 1 {
				t.Fatalf("%d pages", n)
			}
			own := strings.Join(append(l.To.Lines(), "Tokendesk, 55 Water Street, New York NY 10041, US"), " ")
			inside := 0
			for _, p := range placed(t, pdf) {
				if p.y < windowTop || p.y > windowBottom || p.x > windowRight {
					continue
				}
				inside++
				if !strings.Contains(flat(own), flat(p.text)) {
					t.Errorf("%q shows at %.0f, %.0f", p.text, p.x, p.y)
				}
			}
			if inside < len(l.To.Lines())+1 {
				t.Errorf("%d lines show", inside)
			}
		})
	}
}

// place is where a text begins, in millimetres from the upper left corner.
type place struct {
	x, y float64
	text string
}

// placed finds the texts of a letter in the standard font.
func placed(t *testing.T, pdf []byte) (all []place) {
	t.Helper()
	size := regexp.MustCompile(`/MediaBox \[0 0 [0-9.]+ ([0-9.]+)\]`).FindSubmatch(pdf)
	if size == nil {
		t.Fatal("a paper without size")
	}
	number := func(b []byte) float64 {
		f, err := strconv.ParseFloat(string(b), 64)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	const point = 25.4 / 72
	height := number(size[1])
	shown := regexp.MustCompile(`(?s)BT ([0-9.]+) ([0-9.]+) Td \(((?:\\.|[^\\)])*)\) ?Tj`)
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
		for _, m := range shown.FindAllSubmatch(plain, -1) {
			all = append(all, place{number(m[1]) * point, (height - number(m[2])) * point, string(m[3])})
		}
	}
	if len(all) < 20 {
		t.Fatalf("%d texts", len(all))
	}
	return all
}

// PRF-9, SEC-5: no letter is made of facts that are not there, and the error tells nothing of those that are.
func TestLetterRefusesWhatIsMissing(t *testing.T) {
	for name, change := range map[string]func(*Letter){
		"code":       func(l *Letter) { l.Code = "" },
		"reference":  func(l *Letter) { l.Reference = "" },
		"seller":     func(l *Letter) { l.Seller.Name = "" },
		"city":       func(l *Letter) { l.To.City = "" },
		"country":    func(l *Letter) { l.To.Country = "" },
		"date":       func(l *Letter) { l.IssuedAt = time.Time{} },
		"expiry day": func(l *Letter) { l.ExpiresAt = time.Time{} },
	} {
		l := sampleLetter()
		change(&l)
		_, err := ActivationLetter(l)
		if err == nil {
			t.Errorf("made without the %s", name)
			continue
		}
		for _, private := range []string{"7KQ2M", "8ABCD", "W4ZPC", "Zoë", "Pier 7", "07086"} {
			if strings.Contains(err.Error(), private) {
				t.Errorf("%s: the error shows %q: %v", name, private, err)
			}
		}
	}
}

// PRF-9: what describes the PDF to those who do not open it does not name the code.
func TestLetterNamesNoCodeOutside(t *testing.T) {
	pdf, err := ActivationLetter(plainLetter())
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range strings.Split(letterCode, "-") {
		if bytes.Contains(pdf, []byte(part)) || bytes.Contains(pdf, []byte(fmt.Sprintf("%x", part))) {
			t.Errorf("%s stands in the file uncompressed", part)
		}
	}
}
