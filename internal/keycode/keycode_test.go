package keycode

import (
	"bytes"
	"encoding/hex"
	"errors"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tokendesk/models"
)

// LIC-1, PRF-9: unguessable, readable aloud, no two alike.
func TestNew(t *testing.T) {
	for _, c := range []struct {
		bits int
		form string
	}{
		{MinBits, `^([2-9A-HJ-NP-Z]{5}-){2}[2-9A-HJ-NP-Z]{5}$`},
		{LicenseKeyBits, `^([2-9A-HJ-NP-Z]{5}-){3}[2-9A-HJ-NP-Z]{5}$`},
		{128, `^([2-9A-HJ-NP-Z]{5}-){5}[2-9A-HJ-NP-Z]{5}$`},
	} {
		form := regexp.MustCompile(c.form)
		seen := map[models.Secret]bool{}
		var used [256]bool
		for range 2000 {
			code, err := New(c.bits)
			if err != nil {
				t.Fatal(err)
			}
			if !form.MatchString(code.Reveal()) {
				t.Fatalf("%d bits: %q", c.bits, code.Reveal())
			}
			if seen[code] {
				t.Fatalf("%q twice", code.Reveal())
			}
			seen[code] = true
			if canonical, err := Parse(code.Reveal()); err != nil || canonical != code {
				t.Fatalf("%q parses as %q, %v", code.Reveal(), canonical.Reveal(), err)
			}
			for _, b := range []byte(code) {
				used[b] = true
			}
		}
		for _, b := range []byte(alphabet) {
			if !used[b] {
				t.Errorf("%d bits: %q is never used", c.bits, b)
			}
		}
	}
	for _, bits := range []int{-1, 0, 63, 146} {
		if code, err := New(bits); err == nil {
			t.Errorf("%d bits: %q", bits, code.Reveal())
		}
	}
}

// LIC-1: no 0/O/1/I, and as many characters as five bits tell apart.
func TestAlphabet(t *testing.T) {
	if strings.ContainsAny(alphabet, "0O1I") || len(alphabet) != 1<<bitsPerCharacter {
		t.Error(alphabet)
	}
}

// LIC-1: what people type.
func TestParse(t *testing.T) {
	canonical := withCheck("23456-789AB-CDEFG-HJKL2")
	for name, typed := range map[string]string{
		"as issued":        canonical,
		"lower case":       strings.ToLower(canonical),
		"without hyphens":  strings.ReplaceAll(canonical, "-", ""),
		"blanks":           " " + strings.ReplaceAll(canonical, "-", " - ") + "\r\n",
		"dashes":           strings.ReplaceAll(canonical, "-", "–"),
		"no-break blanks":  strings.ReplaceAll(canonical, "-", "\u00a0"),
		"groups elsewhere": canonical[:3] + "-" + strings.ReplaceAll(canonical[3:], "-", ""),
	} {
		if got, err := Parse(typed); err != nil || got.Reveal() != canonical {
			t.Errorf("%s: %q, %v", name, got.Reveal(), err)
		}
	}
	for name, c := range map[string]struct {
		typed string
		want  error
	}{
		"empty":                {"", ErrMalformed},
		"hyphens only":         {strings.Repeat("-", 19), ErrMalformed},
		"one group":            {canonical[:5], ErrMalformed},
		"a character missing":  {canonical[:len(canonical)-1], ErrMalformed},
		"a character too many": {canonical + "2", ErrMalformed},
		"too long":             {strings.Repeat("2", 35), ErrMalformed},
		"endless":              {strings.Repeat("2", 1<<20), ErrMalformed},
		"zero":                 {"0" + canonical[1:], ErrMalformed},
		"letter O":             {"O" + canonical[1:], ErrMalformed},
		"one":                  {"1" + canonical[1:], ErrMalformed},
		"letter i":             {"i" + canonical[1:], ErrMalformed},
		"long s":               {"ſ" + canonical[1:], ErrMalformed}, // its upper case is S
		"not UTF-8":            {"\xff" + canonical[1:], ErrMalformed},
		"another check":        {canonical[:len(canonical)-1] + "3", ErrCheck},
		"a wrong character":    {"3" + canonical[1:], ErrCheck},
	} {
		got, err := Parse(c.typed)
		if !errors.Is(err, c.want) || got != "" {
			t.Errorf("%s: %q, %v, want %v", name, got.Reveal(), err, c.want)
		}
	}
}

// withCheck replaces the last character of a code by the right check character.
func withCheck(code string) string {
	values := valuesOf(code)
	values[len(values)-1] = checkValue(values[:len(values)-1])
	return format(values).Reveal()
}

func valuesOf(code string) []byte {
	var values []byte
	for _, b := range []byte(strings.ReplaceAll(code, "-", "")) {
		values = append(values, byte(strings.IndexByte(alphabet, b)))
	}
	return values
}

// right is the check as the reader of a code sees it.
func right(values []byte) bool {
	return checkValue(values) == 0
}

// LIC-1: the check is linear, so an error is found or not whatever the code is: what counts is by how much two
// characters differ (xor). These loops over all differences and places are therefore a proof for every code up to
// the longest, check character included.
func TestCheckFindsEveryError(t *testing.T) {
	difference := func(places map[int]byte) []byte {
		values := make([]byte, maxLength)
		for place, by := range places {
			values[place] = by
		}
		return values
	}
	for by := byte(1); by < 32; by++ {
		for i := range maxLength {
			if right(difference(map[int]byte{i: by})) {
				t.Errorf("a character at %d wrong by %d is not found", i, by)
			}
			// A swap changes both characters by the same difference, and so does a pair doubled wrong.
			for j := range i {
				if right(difference(map[int]byte{i: by, j: by})) {
					t.Errorf("a swap of %d and %d that differ by %d is not found", i, j, by)
				}
			}
		}
	}
}

// LIC-1: the same on codes as issued, through Parse.
func TestPropertyMistypedCodeIsFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		code, err := New(rapid.IntRange(MinBits, maxBits).Draw(t, "bits"))
		if err != nil {
			t.Fatal(err)
		}
		typed := []byte(strings.ReplaceAll(code.Reveal(), "-", ""))
		i := rapid.IntRange(0, len(typed)-1).Draw(t, "place")
		if rapid.Bool().Draw(t, "swap") {
			j := rapid.IntRange(0, len(typed)-1).Draw(t, "with")
			typed[i], typed[j] = typed[j], typed[i]
		} else {
			typed[i] = rapid.SampledFrom([]byte(alphabet)).Draw(t, "character")
		}
		same := string(typed) == strings.ReplaceAll(code.Reveal(), "-", "")
		if got, err := Parse(string(typed)); same != (err == nil) || !same && !errors.Is(err, ErrCheck) {
			t.Fatalf("%s typed as %s: %q, %v", code.Reveal(), typed, got.Reveal(), err)
		}
	})
}

// LIC-1: stored as a hash plus the last four characters.
func TestHashAndLast4(t *testing.T) {
	code := models.Secret(withCheck("23456-789AB-CDEFG-HJKL2"))
	if got := Last4(code); got != "JKL"+code.Reveal()[22:] {
		t.Errorf("last four: %q", got)
	}
	if got := Last4("ABC"); got != "ABC" {
		t.Errorf("last four of three: %q", got)
	}
	// A fixed value: hashes that are stored must be found by later versions.
	const want = "514183088af773401554d945606665d1a2bf3bd8b04a3fb3566924f02f161245"
	if got := hex.EncodeToString(Hash(code)); got != want {
		t.Errorf("hash: %s", got)
	}
	other, err := New(LicenseKeyBits)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(Hash(code), Hash(other)) {
		t.Error("two codes with one hash")
	}
}

func FuzzParse(f *testing.F) {
	f.Add("23456-789AB-CDEFG-HJKL2")
	f.Add("")
	f.Fuzz(func(t *testing.T, typed string) {
		code, err := Parse(typed)
		if err != nil {
			if code != "" || !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrCheck) {
				t.Fatalf("%q, %v", code.Reveal(), err)
			}
			return
		}
		if again, err := Parse(code.Reveal()); err != nil || again != code {
			t.Fatalf("the canonical form of %q is %q, which parses as %q, %v", typed, code.Reveal(), again.Reveal(), err)
		}
	})
}
