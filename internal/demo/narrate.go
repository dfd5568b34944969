package demo

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// report is what is told of a step.
type report struct {
	Step    int    `json:"step"`
	Name    string `json:"name"`
	Title   string `json:"title"`
	OK      bool   `json:"ok"`
	Outcome string `json:"outcome,omitempty"`
	Error   string `json:"error,omitempty"`
	Link    string `json:"link,omitempty"`
	TookMS  int64  `json:"took_ms"`

	Date time.Time `json:"date,omitzero"` // the sandbox's now at the end of the step, where it has a clock
}

// narrator tells the story while it is played.
type narrator interface {
	opening()
	chapter(title string)
	skipped(title, why string) // instead of the steps of a chapter
	begins(r report)
	ends(r report)
	closing(steps int, took time.Duration)
}

func newNarrator(cfg Config) narrator {
	if cfg.JSON {
		l := lines{json.NewEncoder(cfg.Out)}
		l.out.SetEscapeHTML(false)
		return l
	}
	return &prose{cfg: cfg, out: cfg.Out}
}

// lines is for machines: one JSON object per step, and one for a chapter that is skipped.
type lines struct{ out *json.Encoder }

func (lines) opening()                   {}
func (lines) chapter(string)             {}
func (lines) begins(report)              {}
func (l lines) ends(r report)            { _ = l.out.Encode(r) } // nobody is left to tell
func (lines) closing(int, time.Duration) {}

func (l lines) skipped(title, why string) {
	_ = l.out.Encode(struct {
		Chapter string `json:"chapter"`
		Skipped string `json:"skipped"`
	}{title, why})
}

// prose is for people.
type prose struct {
	cfg Config
	out io.Writer
}

const (
	width  = 92 // of the text, in characters
	indent = "      "
)

func (p *prose) opening() {
	p.print("%s\n\n", p.bold("Tokendesk, from purchase to login, and three years on"))
	for _, place := range [][2]string{{"API", p.cfg.APIURL}, {"Mailbox", p.cfg.APIURL + "/sandbox/mailbox"}, {"Temporal UI", p.cfg.UIURL}} {
		if place[1] != "" {
			p.print("  %-12s %s\n", place[0], place[1])
		}
	}
	p.print("\n")
}

func (p *prose) chapter(title string) { p.print("%s\n\n", p.bold(title)) }

func (p *prose) skipped(_, why string) {
	p.paragraph(why)
	p.print("\n")
}

func (p *prose) begins(r report) { p.print("  %2d  %s", r.Step, p.bold(r.Title)) }

func (p *prose) ends(r report) {
	if !r.Date.IsZero() { // at the end of the title's line, as in a diary
		date := day(r.Date)
		gap := width - len(indent) - utf8.RuneCountInString(r.Title) - len(date)
		p.print("%s%s", strings.Repeat(" ", max(gap, 2)), p.dim(date))
	}
	p.print("\n")
	text := r.Outcome
	if !r.OK {
		text = "It did not go as it should: " + r.Error + "."
	}
	p.paragraph(text)
	if r.Link != "" {
		p.print("%s%s\n", indent, p.dim(r.Link))
	}
	p.print("\n")
}

func (p *prose) paragraph(text string) {
	for _, line := range wrap(text, width-len(indent)) {
		p.print("%s%s\n", indent, line)
	}
}

func (p *prose) closing(steps int, took time.Duration) {
	p.print("%s\n", p.bold(fmt.Sprintf("The story is told: %d steps in %.1f s, and everything in them was checked.", steps, took.Seconds())))
}

func (p *prose) print(format string, args ...any) {
	_, _ = fmt.Fprintf(p.out, format, args...) // nobody is left to tell
}

func (p *prose) bold(s string) string { return p.style("1", s) }
func (p *prose) dim(s string) string  { return p.style("2", s) }

func (p *prose) style(code, s string) string {
	if !p.cfg.Styled {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// wrap breaks a text between words into lines of at most so many characters; a longer word has a line of its own.
func wrap(text string, most int) (out []string) {
	line := ""
	for _, word := range strings.Fields(text) {
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > most:
			out = append(out, line)
			line = word
		default:
			line += " " + word
		}
	}
	if line != "" {
		out = append(out, line)
	}
	return out
}
