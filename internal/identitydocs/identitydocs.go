// Package identitydocs knows which documents prove an identity, by the country that issued them: a versioned list,
// embedded as data, which people read before an appointment and by which what an agent records is checked (PRF-7).
//
// A document's number passes through to be checked and goes nowhere: not into an error, not into a log.
package identitydocs

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"tokendesk/models"
)

// Type is a kind of document.
type Type string

// The types.
const (
	Passport              Type = "passport"
	PassportCard          Type = "passport_card"
	DriversLicense        Type = "drivers_license"
	StateID               Type = "state_id" // of a state, province or territory, for who does not drive
	NationalID            Type = "national_id"
	PermanentResidentCard Type = "permanent_resident_card"
	ResidenceCard         Type = "residence_card"
	MilitaryID            Type = "military_id"
)

// Expiry is how a type of document expires. It is good until the end of its last day.
type Expiry string

// The rules of expiry.
const (
	Stated            Expiry = "stated"              // on a date that it states
	StatedOrUnlimited Expiry = "stated_or_unlimited" // or never, which it states as well
	EndOfYear         Expiry = "end_of_year"         // it states a year, and is good until its last day
)

// Document is a document that is accepted.
type Document struct {
	Type          Type     `json:"type"`
	Name          string   `json:"name"`              // in plain words, without an article
	Issuers       []string `json:"issuers,omitempty"` // ISO 3166-1 alpha-2 or, for parts of a country, ISO 3166-2
	Expiry        Expiry   `json:"expiry"`
	MobileCapture bool     `json:"mobile_capture,omitempty"` // also accepted by self-service (PRF-3)
	Note          string   `json:"note,omitempty"`           // what else a person must know

	number *regexp.Regexp // of the whole number, in capitals, without blanks and hyphens
}

// List is what is accepted of a country.
type List struct {
	Version   int    // of all lists together: it rises with every change
	Country   string // ISO 3166-1 alpha-2
	Name      string // of the country; empty where the default for all others applies
	Documents []Document
	Shows     []string // what each of them must show
}

//go:embed documents.json
var data []byte

// file is the form of the data.
type file struct {
	Version   int                `json:"version"`
	AsOf      string             `json:"as_of"`
	Shows     []string           `json:"shows"`
	Numbers   map[string]string  `json:"numbers"`
	Default   country            `json:"default"`
	Countries map[string]country `json:"countries"`
}

type country struct {
	Name      string  `json:"name"`
	Source    string  `json:"source"` // who issues the documents, or describes them: for who keeps the list
	Documents []entry `json:"documents"`
}

type entry struct {
	Document
	Number string `json:"number"` // a regular expression; empty for the usual one
}

// lists are the data, read once. Tests keep them readable.
var lists = sync.OnceValue(func() file {
	all, err := parse(data)
	if err != nil {
		panic(err)
	}
	return all
})

func parse(data []byte) (file, error) {
	var all file
	if err := json.Unmarshal(data, &all); err != nil {
		return file{}, fmt.Errorf("identitydocs: %w", err)
	}
	if err := all.finish("", all.Default); err != nil {
		return file{}, err
	}
	for code, c := range all.Countries {
		if err := all.finish(code, c); err != nil {
			return file{}, err
		}
	}
	return all, nil
}

// finish fills in what the data leave to the usual.
func (f file) finish(code string, c country) error {
	for i := range c.Documents {
		e := &c.Documents[i]
		usual := "card"
		if e.Type == Passport {
			usual = "passport"
		}
		if e.Number == "" {
			e.Number = f.Numbers[usual]
		}
		if e.Issuers == nil && code != "" {
			e.Issuers = []string{code}
		}
		number, err := regexp.Compile(`^(?:` + e.Number + `)$`)
		if err != nil {
			return fmt.Errorf("identitydocs: number of a %s of %q: %w", e.Type, code, err)
		}
		e.number = number
	}
	return nil
}

// Version is that of the lists, and asOf the day on which they were last changed.
func Version() (version int, asOf string) { return lists().Version, lists().AsOf }

// ErrCountry is a country that is none.
var ErrCountry = errors.New("identitydocs: not a country of ISO 3166-1")

// For is the list of a country, ISO 3166-1 alpha-2. Of a country without a list of its own, a passport is accepted.
func For(code string) (List, error) {
	if !models.ValidCountry(code) {
		return List{}, ErrCountry
	}
	all := lists()
	c, listed := all.Countries[code]
	if !listed {
		c = all.Default
	}
	list := List{Version: all.Version, Country: code, Name: c.Name, Shows: slices.Clone(all.Shows)}
	for _, e := range c.Documents {
		d := e.Document
		if !listed {
			d.Issuers = []string{code}
		}
		d.Issuers = slices.Clone(d.Issuers)
		list.Documents = append(list.Documents, d)
	}
	return list, nil
}

// Find is the document of that type, if it is accepted.
func (l List) Find(t Type) (Document, bool) {
	i := slices.IndexFunc(l.Documents, func(d Document) bool { return d.Type == t })
	if i < 0 {
		return Document{}, false
	}
	return l.Documents[i], true
}

// Capturable is the list of what self-service takes pictures of (PRF-3).
func (l List) Capturable() List {
	l.Documents = slices.DeleteFunc(slices.Clone(l.Documents), func(d Document) bool { return !d.MobileCapture })
	return l
}

// Text is the list as people read it in a mail or on a page: a line for each document, and what it must be.
func (l List) Text() string {
	var b strings.Builder
	if len(l.Documents) == 1 {
		b.WriteString("Have this document at hand:\n")
	} else {
		b.WriteString("Have one of these documents at hand:\n")
	}
	for _, d := range l.Documents {
		b.WriteString("- " + d.Name)
		if l.Name == "" {
			b.WriteString(" of the country that you named")
		}
		if d.Note != "" {
			b.WriteString(". " + d.Note)
		}
		b.WriteString("\n")
	}
	b.WriteString("It must be the original, undamaged and not expired on the day of the appointment, and show " + enumerate(l.Shows) + ".\n")
	return b.String()
}

func enumerate(items []string) string {
	if len(items) < 2 {
		return strings.Join(items, "")
	}
	last := len(items) - 1
	return strings.Join(items[:last], ", ") + " and " + items[last]
}

// endOf is the first moment after a day, in a zone.
func endOf(day time.Time, zone *time.Location) time.Time {
	end := time.Date(day.Year(), day.Month(), day.Day()+1, 0, 0, 0, 0, zone)
	if end.Day() == day.Day() { // midnight is missing: clocks jump over it
		_, end = end.ZoneBounds()
	}
	return end
}
