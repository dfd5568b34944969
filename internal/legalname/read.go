package legalname

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// parsed is a name in words. Of a displayed name whose order is not marked, all words are given ones.
type parsed struct {
	given, family []word
	marked        bool // which words are the family name is known
	suffix        string
}

func (p parsed) words() []word { return append(p.given[:len(p.given):len(p.given)], p.family...) }

// shareScript reports whether some words of both are in one script.
func (p parsed) shareScript(other parsed) bool {
	for _, a := range p.words() {
		for _, b := range other.words() {
			if a.script == b.script {
				return true
			}
		}
	}
	return false
}

// word is one word of a name, in the forms in which it is compared.
type word struct {
	plain    string // without marks
	icao     string // as a machine-readable zone has it
	roman    string // with all romanizations alike
	variant  string // the usual one of its spellings
	script   script
	mixed    bool // in several scripts
	cut      bool // possibly cut short
	particle bool
	initial  bool
}

func readAccount(name Name) (parsed, bool) {
	for _, part := range []string{name.First, name.Middle, name.Last} {
		if utf8.RuneCountInString(part) > maxLength {
			return parsed{}, false
		}
	}
	p := parsed{given: read(name.First + " " + name.Middle), family: read(name.Last), marked: true}
	p.family, p.suffix = withoutSuffix(p.family, 1)
	p.given = withoutTitle(p.given, 1)
	return p.finish()
}

func readDisplayed(name string) (parsed, bool) {
	if utf8.RuneCountInString(name) > maxLength {
		return parsed{}, false
	}
	name = compatible(name)
	p := parsed{marked: true}
	if family, given, ok := strings.Cut(strings.TrimLeft(name, "< "), "<<"); ok || strings.Contains(family, "<") {
		zone := strings.NewReplacer("NXX", "N", "UXX", "U", "<", " ")
		full := len(strings.TrimRight(family+given, "<")) >= minCutZone
		p.family, p.given = read(zone.Replace(family)), read(zone.Replace(given))
		if last := len(p.given) - 1; full && last >= 0 {
			p.given[last].cut = true
		}
	} else if family, given, ok := strings.Cut(name, ","); ok && !isSuffix(given) {
		p.given, p.family = read(given), read(family)
		p.given, p.suffix = withoutSuffix(p.given, 1)
		p.particlesBack()
	} else {
		p.marked = false
		p.given, p.suffix = withoutSuffix(read(name), 2)
		p.given = withoutTitle(p.given, 2)
		return p.finish()
	}
	for _, part := range []*[]word{&p.family, &p.given} {
		var suffix string
		if *part, suffix = withoutSuffix(*part, 1); p.suffix == "" {
			p.suffix = suffix
		}
		*part = withoutTitle(*part, 1)
	}
	return p.finish()
}

// minCutZone is the shortest room for a name in a machine-readable zone (ICAO Doc 9303 part 5, TD1), less the fillers
// between its two parts.
const minCutZone = 28

// particlesBack puts the particles of "Berg, Anna van den" before the family name.
func (p *parsed) particlesBack() {
	n := len(p.given)
	for n > 1 && p.given[n-1].particle {
		n--
	}
	p.family = append(p.given[n:len(p.given):len(p.given)], p.family...)
	p.given = p.given[:n]
}

func (p parsed) finish() (parsed, bool) {
	p.given, p.family = withoutPlaceholders(p.given), withoutPlaceholders(p.family)
	n := len(p.given) + len(p.family)
	return p, n > 0 && n <= maxWords
}

func withoutPlaceholders(ws []word) []word {
	var kept []word
	for _, w := range ws {
		if !placeholders[w.plain] {
			kept = append(kept, w)
		}
	}
	return kept
}

// withoutSuffix takes suffixes off the end, as long as at least so many words stay.
func withoutSuffix(ws []word, stay int) ([]word, string) {
	if last := len(ws) - 1; last >= stay && suffixes[ws[last].plain] != "" {
		return ws[:last], suffixes[ws[last].plain]
	}
	return ws, ""
}

func isSuffix(text string) bool {
	ws := read(text)
	return len(ws) == 1 && suffixes[ws[0].plain] != ""
}

// withoutTitle takes titles off the beginning, as long as at least so many words stay.
func withoutTitle(ws []word, stay int) []word {
	for len(ws) > stay && titles[ws[0].plain] {
		ws = ws[1:]
	}
	return ws
}

// deleted is text without what joins or leaves no trace in a name: apostrophes, invisible characters.
func deleted(text string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("'’‘ʼʻʹ`´′＇՚׳\u0640", r) || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, " "))
}

// compatible is text in one form of its characters (NFKC). That form makes apostrophes of some and blanks of others.
func compatible(text string) string { return deleted(norm.NFKC.String(deleted(text))) }

// fields are the words of a text: runs of letters, marks and digits.
func fields(text string) []string {
	text = strings.NewReplacer("l·l", "ll", "L·L", "LL").Replace(text) // Catalan
	return strings.FieldsFunc(text, func(r rune) bool { return !unicode.In(r, unicode.L, unicode.M, unicode.N) })
}

// read takes a text apart into words. Whatever is not a letter separates them.
func read(text string) []word {
	text = compatible(text)
	text = norm.NFC.String(cases.Fold().String(text)) // a Caser may not be shared between goroutines
	var ws []word
	for _, field := range fields(text) {
		if len(ws) > maxWords {
			break
		}
		if w := newWord(field); w.plain != "" {
			ws = append(ws, w)
		}
	}
	return ws
}

func newWord(field string) word {
	w := word{plain: withoutMarks(field)}
	if w.plain == "" {
		return w
	}
	w.icao = withoutMarks(icaoSpelling(field))
	w.script, w.mixed = scriptOf(w.plain)
	w.roman = romanized(w.latin())
	if w.variant = variants[w.latin()]; w.variant == "" {
		w.variant = w.latin()
	}
	w.particle = particles[w.plain]
	w.initial = utf8.RuneCountInString(w.plain) == 1 && w.script.alphabetic()
	return w
}

// icaoSpelling replaces the letters that a machine-readable zone spells out. Their marks are part of them here (NFC).
func icaoSpelling(field string) string {
	var b strings.Builder
	for _, r := range field {
		if s, ok := icaoLetters[r]; ok {
			b.WriteString(s)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// latin is the word in Latin letters, if it can be had in them.
func (w word) latin() string {
	if w.script == cyrillic {
		return w.icao
	}
	return w.plain
}

// withoutMarks takes diacritics off letters whose alphabets have them for guests: not off Devanagari, say, where they
// are vowels, nor off Kana, where they are other consonants.
func withoutMarks(field string) string {
	var b strings.Builder
	base := other
	for _, r := range norm.NFKD.String(field) {
		if unicode.Is(unicode.M, r) {
			if !base.marked() {
				b.WriteRune(r)
			}
			continue
		}
		base = scriptOfRune(r)
		if s, ok := plainLetters[r]; ok {
			b.WriteString(s)
		} else {
			b.WriteRune(r)
		}
	}
	return norm.NFC.String(b.String())
}

var romanizer = strings.NewReplacer(romanization...)

func romanized(latin string) string { return romanizer.Replace(latin) }
