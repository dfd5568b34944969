package invitation

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxText bounds names, summaries and descriptions, in bytes: calendars cut or refuse what is far longer.
const maxText = 8000

// writer writes content lines (RFC 5545 §3.1).
type writer struct{ bytes.Buffer }

// maxLine is in octets, without the line break.
const maxLine = 75

// line writes a content line, folded between characters, since calendars that take lines for text would read half
// ones.
func (w *writer) line(s string) {
	room := maxLine
	for len(s) > room {
		cut := room
		for !utf8.RuneStart(s[cut]) {
			cut--
		}
		w.WriteString(s[:cut] + "\r\n ")
		s, room = s[cut:], maxLine-1
	}
	w.WriteString(s + "\r\n")
}

// lines is text without what a calendar cannot show: line breaks of all kinds become \n, other control characters
// and those that turn the direction of writing go.
func lines(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "")
	}
	s = strings.ReplaceAll(s, "\r\n", "\n")
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r' || r == '\v' || r == '\f' || r == '\u0085' || r == '\u2028' || r == '\u2029':
			return '\n'
		case r == '\t':
			return r
		case unicode.IsControl(r) || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' || r == '\ufeff':
			return -1
		}
		return r
	}, s))
}

// line is text on one line, its runs of white space single blanks.
func line(s string) string { return strings.Join(strings.Fields(lines(s)), " ") }

var escaper = strings.NewReplacer(`\`, `\\`, ";", `\;`, ",", `\,`, "\n", `\n`)

// escape is text as the value of a property (RFC 5545 §3.3.11).
func escape(text string) string { return escaper.Replace(text) }

// unquotable is what a parameter cannot carry: a quotation mark would end it, ^ escapes since RFC 6868, and a
// backslash escapes in programs that take parameters for text.
var unquotable = strings.NewReplacer(`"`, "'", "^", " ", `\`, "/")

// commonName is a name as a parameter.
func commonName(name string) string {
	name = line(unquotable.Replace(name))
	if name == "" {
		return ""
	}
	return `;CN="` + name + `"`
}
