package identitydocs

import (
	"errors"
	"slices"
	"strings"
	"time"

	"tokendesk/models"
)

// Why a recorded document is not accepted. None says more than that: details would be personal data.
var (
	ErrType      = errors.New("identitydocs: no document of this type is accepted of this country")
	ErrIssuer    = errors.New("identitydocs: not an issuer of this type of document")
	ErrNumber    = errors.New("identitydocs: no document of this type has such a number")
	ErrExpiry    = errors.New("identitydocs: the date of expiry must be a date, and one that such a document can have")
	ErrUnlimited = errors.New("identitydocs: a document of this type must state when it expires")
	ErrExpired   = errors.New("identitydocs: the document has expired")
)

// Record is what an agent records of a document on a pass.
type Record struct {
	Type    Type
	Issuer  string        // as in the list: "US", "US-CA"
	Number  models.Secret // as displayed
	Expires string        // its last day, 2006-01-02; empty if it states that it never expires
}

const (
	maxNumber = 40
	maxYears  = 50 // no document is good for so long
)

// Check reports what is wrong with a recorded document, all of it together, as errors above; nil if it is accepted.
// It must be good at the moment of the session in the zone in which the person showed it: documents end with a day,
// and it is the person's day that counts.
func (l List) Check(r Record, at time.Time, zone *time.Location) error {
	d, ok := l.Find(r.Type)
	if !ok {
		return ErrType
	}
	var errs []error
	if !slices.Contains(d.Issuers, r.Issuer) {
		errs = append(errs, ErrIssuer)
	}
	if !d.plausible(r.Number) {
		errs = append(errs, ErrNumber)
	}
	if err := d.good(r.Expires, at, zone); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// plausible reports whether a number has the shape of such a document's numbers. It is all that can be known of it:
// whether it was ever issued is not.
func (d Document) plausible(number models.Secret) bool {
	text := number.Reveal()
	if len(text) > maxNumber {
		return false
	}
	text = strings.ToUpper(strings.Map(func(r rune) rune {
		if strings.ContainsRune(" \u00a0-‐–./", r) {
			return -1
		}
		return r
	}, text))
	return d.number.MatchString(text) && strings.ContainsAny(text, "0123456789") && (len(text) < 4 || strings.Trim(text, text[:1]) != "")
}

// good reports whether a document that states this expiry is good at that moment.
func (d Document) good(expires string, at time.Time, zone *time.Location) error {
	if expires == "" {
		if d.Expiry != StatedOrUnlimited {
			return ErrUnlimited
		}
		return nil
	}
	last, err := time.Parse(time.DateOnly, expires)
	if err != nil || last.Year() > at.Year()+maxYears {
		return ErrExpiry
	}
	if d.Expiry == EndOfYear && (last.Month() != time.December || last.Day() != 31) {
		return ErrExpiry
	}
	if !at.Before(endOf(last, zone)) {
		return ErrExpired
	}
	return nil
}
