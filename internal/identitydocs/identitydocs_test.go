package identitydocs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"tokendesk/models"
)

var eu = strings.Fields("AT BE BG HR CY CZ DK EE FI FR DE GR HU IE IT LV LT LU MT NL PL PT RO SK SI ES SE")

// PRF-7: the list itself.
func TestData(t *testing.T) {
	version, asOf := Version()
	if _, err := time.Parse(time.DateOnly, asOf); err != nil || version < 1 {
		t.Errorf("version %d as of %q", version, asOf)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&file{}); err != nil {
		t.Error(err)
	}
	types := []Type{Passport, PassportCard, DriversLicense, StateID, NationalID, PermanentResidentCard, ResidenceCard, MilitaryID}
	for code, c := range lists().Countries {
		if !models.ValidCountry(code) || c.Name == "" || c.Source == "" {
			t.Errorf("%s: %q, %q", code, c.Name, c.Source)
		}
		var seen []Type
		for _, d := range c.Documents {
			if !slices.Contains(types, d.Type) || slices.Contains(seen, d.Type) {
				t.Errorf("%s: %s is unknown or there twice", code, d.Type)
			}
			seen = append(seen, d.Type)
			if d.Name == "" || !slices.Contains([]Expiry{Stated, StatedOrUnlimited, EndOfYear}, d.Expiry) {
				t.Errorf("%s: %+v", code, d)
			}
			for _, issuer := range d.Issuers {
				if !regexp.MustCompile(`^` + code + `(-[A-Z]{2,3})?$`).MatchString(issuer) {
					t.Errorf("%s: issuer %s", code, issuer)
				}
			}
			if d.plausible("") || d.plausible("X-X-X-X-X-X-X-X-X") || d.plausible("\x00") {
				t.Errorf("%s: %s has numbers that are none", code, d.Type)
			}
		}
		if seen[0] != Passport {
			t.Errorf("%s: the passport is not first", code)
		}
	}
	for _, malformed := range []string{``, `{"default":{"documents":[{"type":"passport","number":"("}]}}`, `{"countries":{"US":{"documents":[{"number":"["}]}}}`} {
		if _, err := parse([]byte(malformed)); err == nil {
			t.Errorf("%q is accepted", malformed)
		}
	}
}

// PRF-7: who is accepted with what.
func TestFor(t *testing.T) {
	type row struct {
		country string
		want    []Type
	}
	rows := []row{
		{"US", []Type{Passport, PassportCard, DriversLicense, StateID, PermanentResidentCard, MilitaryID}},
		{"GB", []Type{Passport, DriversLicense}},
		{"CA", []Type{Passport, DriversLicense, StateID, PermanentResidentCard}},
		{"IN", []Type{Passport, DriversLicense}},
		{"AU", []Type{Passport, DriversLicense}},
		{"JP", []Type{Passport, DriversLicense, ResidenceCard}},
		{"BR", []Type{Passport, NationalID, DriversLicense}},
		{"MX", []Type{Passport, NationalID}},
		{"CH", []Type{Passport}}, {"NG", []Type{Passport}}, {"KR", []Type{Passport}},
	}
	for _, code := range eu {
		switch code {
		case "DK": // has no identity card that is more than a card for the young
			rows = append(rows, row{code, []Type{Passport}})
		case "IE":
			rows = append(rows, row{code, []Type{Passport, PassportCard}})
		default:
			rows = append(rows, row{code, []Type{Passport, NationalID}})
		}
	}
	for _, r := range rows {
		list, err := For(r.country)
		if err != nil || list.Country != r.country || list.Version < 1 {
			t.Errorf("%s: %+v, %v", r.country, list, err)
		}
		var got []Type
		for _, d := range list.Documents {
			got = append(got, d.Type)
			if len(d.Issuers) == 0 || !strings.HasPrefix(d.Issuers[0], r.country) {
				t.Errorf("%s: issuers %v", r.country, d.Issuers)
			}
		}
		if !slices.Equal(got, r.want) {
			t.Errorf("%s: %v, want %v", r.country, got, r.want)
		}
	}
	for _, code := range []string{"", "us", "UK", "XX", "USA", "EU", "U"} {
		if list, err := For(code); !errors.Is(err, ErrCountry) || list.Documents != nil {
			t.Errorf("%q: %+v, %v", code, list, err)
		}
	}
	for code, want := range map[string]int{"US": 56, "CA": 13, "AU": 8} {
		list, _ := For(code)
		d, _ := list.Find(DriversLicense)
		if len(d.Issuers) != want {
			t.Errorf("%s: %d issuers, want %d", code, len(d.Issuers), want)
		}
	}
}

// PRF-3: self-service takes a passport or a driver's license, of the United States.
func TestCapturable(t *testing.T) {
	us, _ := For("US")
	got := us.Capturable()
	if len(got.Documents) != 2 || got.Documents[0].Type != Passport || got.Documents[1].Type != DriversLicense || len(us.Documents) != 6 {
		t.Errorf("%+v", got)
	}
	for _, code := range append([]string{"GB", "NG"}, eu...) {
		if list, _ := For(code); len(list.Capturable().Documents) != 0 {
			t.Error(code)
		}
	}
}

// A caller's list is the caller's.
func TestListsAreCopies(t *testing.T) {
	for _, code := range []string{"US", "NG"} {
		list, _ := For(code)
		list.Documents[0].Issuers[0], list.Documents[0].Name, list.Shows[0] = "XX", "X", "X"
		again, _ := For(code)
		if again.Documents[0].Issuers[0] != code || again.Documents[0].Name == "X" || again.Shows[0] == "X" {
			t.Errorf("%+v", again)
		}
	}
}

// PRF-7: unexpired documents of an accepted type, of their issuer, with a number such as they have.
func TestCheck(t *testing.T) {
	newYork, sydney := zone(t, "America/New_York"), zone(t, "Australia/Sydney")
	at := time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC) // the 22nd in New York, the 23rd in Sydney
	good := Record{Passport, "US", "A12345678", "2031-04-30"}
	for _, c := range []struct {
		name, country string
		r             Record
		zone          *time.Location
		want          []error
	}{
		{"a passport", "US", good, newYork, nil},
		{"an older passport", "US", Record{Passport, "US", "123456789", "2027-01-01"}, newYork, nil},
		{"lower case and blanks", "US", Record{Passport, "US", "a1234 5678", "2031-04-30"}, newYork, nil},
		{"a license with hyphens", "US", Record{DriversLicense, "US-FL", "S123-456-78-901-0", "2031-04-30"}, newYork, nil},
		{"a license with stars", "US", Record{DriversLicense, "US-WA", "SMITHJM123L*", "2031-04-30"}, newYork, nil},
		{"a license of one digit", "US", Record{DriversLicense, "US-AK", "7", "2031-04-30"}, newYork, nil},
		{"a military ID", "US", Record{MilitaryID, "US", "1234567890", "2027-04-30"}, newYork, nil},
		{"a military ID by social security number", "US", Record{MilitaryID, "US", "123-45-6789", "2027-04-30"}, newYork, []error{ErrNumber}},
		{"a permanent resident card", "US", Record{PermanentResidentCard, "US", "MSC1234567890", "2031-04-30"}, newYork, nil},
		{"good until the end of its last day", "US", Record{Passport, "US", "A12345678", "2026-11-22"}, newYork, nil},
		{"which is over elsewhere", "US", Record{Passport, "US", "A12345678", "2026-11-22"}, sydney, []error{ErrExpired}},
		{"expired", "US", Record{Passport, "US", "A12345678", "2026-11-21"}, newYork, []error{ErrExpired}},
		{"expired long ago", "US", Record{Passport, "US", "A12345678", "1999-01-01"}, newYork, []error{ErrExpired}},
		{"no expiry", "US", Record{Passport, "US", "A12345678", ""}, newYork, []error{ErrUnlimited}},
		{"a green card without expiry", "US", Record{PermanentResidentCard, "US", "123456789", ""}, newYork, []error{ErrUnlimited}},
		{"good for ever", "ES", Record{NationalID, "ES", "12345678Z", "9999-01-01"}, newYork, []error{ErrExpiry}},
		{"stated to be good for ever", "ES", Record{NationalID, "ES", "12345678Z", ""}, newYork, nil},
		{"no date", "US", Record{Passport, "US", "A12345678", "30 APR 2031"}, newYork, []error{ErrExpiry}},
		{"a date that never was", "US", Record{Passport, "US", "A12345678", "2031-02-30"}, newYork, []error{ErrExpiry}},
		{"a date and more", "US", Record{Passport, "US", "A12345678", "2031-04-30T00:00:00Z"}, newYork, []error{ErrExpiry}},
		{"end of a year", "MX", Record{NationalID, "MX", "1234567890123", "2030-12-31"}, newYork, nil},
		{"within a year", "MX", Record{NationalID, "MX", "1234567890123", "2030-06-30"}, newYork, []error{ErrExpiry}},
		{"another country's passport", "US", Record{Passport, "GB", "123456789", "2031-04-30"}, newYork, []error{ErrIssuer}},
		{"a license of the country", "US", Record{DriversLicense, "US", "S1234567", "2031-04-30"}, newYork, []error{ErrIssuer}},
		{"a license of no state", "US", Record{DriversLicense, "US-XX", "S1234567", "2031-04-30"}, newYork, []error{ErrIssuer}},
		{"a license of a state elsewhere", "DE", Record{DriversLicense, "DE", "B072RRE2I55", "2031-04-30"}, newYork, []error{ErrType}},
		{"no type", "US", Record{}, newYork, []error{ErrType}},
		{"a number with letters where none are", "GB", Record{Passport, "GB", "12345678X", "2031-04-30"}, newYork, []error{ErrNumber}},
		{"a number too long", "US", Record{Passport, "US", models.Secret(strings.Repeat("1", 1<<20)), "2031-04-30"}, newYork, []error{ErrNumber}},
		{"a number of one digit only", "US", Record{Passport, "US", "000000000", "2031-04-30"}, newYork, []error{ErrNumber}},
		{"no number", "US", Record{Passport, "US", "", "2031-04-30"}, newYork, []error{ErrNumber}},
		{"everything is wrong", "US", Record{Passport, "GB", "?", "2020-01-01"}, newYork, []error{ErrIssuer, ErrNumber, ErrExpired}},
		{"a passport of elsewhere", "NG", Record{Passport, "NG", "A01234567", "2031-04-30"}, newYork, nil},
		{"a German card", "DE", Record{NationalID, "DE", "L01X00T471", "2031-04-30"}, newYork, nil},
		{"a French card", "FR", Record{NationalID, "FR", "X4RTBPFW4", "2031-04-30"}, newYork, nil},
		{"an Italian card", "IT", Record{NationalID, "IT", "CA00000AA", "2031-04-30"}, newYork, nil},
		{"a Dutch card", "NL", Record{NationalID, "NL", "SPECI2014", "2031-04-30"}, newYork, nil},
		{"a Canadian passport", "CA", Record{Passport, "CA", "A123456BC", "2031-04-30"}, newYork, nil},
		{"an Indian passport", "IN", Record{Passport, "IN", "Z1234567", "2031-04-30"}, newYork, nil},
		{"an Australian license", "AU", Record{DriversLicense, "AU-NSW", "12345678", "2031-04-30"}, sydney, nil},
		{"a Japanese residence card", "JP", Record{ResidenceCard, "JP", "AB12345678CD", "2031-04-30"}, newYork, nil},
		{"a Brazilian card", "BR", Record{NationalID, "BR", "123.456.789-09", ""}, newYork, nil},
		{"a British license", "GB", Record{DriversLicense, "GB", "MORGA753116SM9IJ", "2031-04-30"}, newYork, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			list, err := For(c.country)
			if err != nil {
				t.Fatal(err)
			}
			err = list.Check(c.r, at, c.zone)
			for _, e := range []error{ErrType, ErrIssuer, ErrNumber, ErrExpiry, ErrUnlimited, ErrExpired} {
				if errors.Is(err, e) != slices.Contains(c.want, e) {
					t.Errorf("%v, want %v", err, c.want)
				}
			}
			if (err == nil) != (c.want == nil) {
				t.Errorf("%v, want %v", err, c.want)
			}
			if n := c.r.Number.Reveal(); len(n) > 3 && strings.Contains(fmt.Sprintf("%v %+v", err, c.r), n) {
				t.Error("the number is told")
			}
		})
	}
}

// PRF-7: a day ends where midnight is missing, too.
func TestEndOfDay(t *testing.T) {
	for _, c := range []struct{ zone, day, want string }{
		{"America/New_York", "2026-11-22", "2026-11-23T00:00:00-05:00"},
		{"America/Santiago", "2026-09-05", "2026-09-06T01:00:00-03:00"},
		{"America/Sao_Paulo", "2018-11-03", "2018-11-04T01:00:00-02:00"},
		{"UTC", "2028-02-29", "2028-03-01T00:00:00Z"},
		{"Asia/Tokyo", "2026-12-31", "2027-01-01T00:00:00+09:00"},
	} {
		day, err := time.Parse(time.DateOnly, c.day)
		if err != nil {
			t.Fatal(err)
		}
		if got := endOf(day, zone(t, c.zone)).Format(time.RFC3339); got != c.want {
			t.Errorf("%s: %s, want %s", c.zone, got, c.want)
		}
	}
}

// PRF-5: what people read.
func TestText(t *testing.T) {
	for code, want := range map[string]string{
		"NG": "Have this document at hand:\n- passport of the country that you named\n" +
			"It must be the original, undamaged and not expired on the day of the appointment, and show your photograph, your full legal name, its number and the date of its expiry.\n",
		"ES": "Have one of these documents at hand:\n- Spanish passport\n- Spanish identity card (documento nacional de identidad). A card without end (permanente, 01 01 9999) is accepted.\n" +
			"It must be the original, undamaged and not expired on the day of the appointment, and show your photograph, your full legal name, its number and the date of its expiry.\n",
	} {
		list, _ := For(code)
		if got := list.Text(); got != want {
			t.Errorf("%s\nwant\n%s", got, want)
		}
	}
	us, _ := For("US")
	for _, part := range []string{"- U.S. passport card\n", "- driver's license of a U.S. state, the District of Columbia or a U.S. territory. Temporary paper licenses are not accepted.\n", "18 U.S.C. 701"} {
		if !strings.Contains(us.Text(), part) {
			t.Errorf("%q is not in\n%s", part, us.Text())
		}
	}
}

// No text makes it panic, and no number is told.
func FuzzCheck(f *testing.F) {
	f.Add("US", "passport", "US", "A12345678", "2031-04-30")
	f.Add("ES", "national_id", "ES", "12345678Z", "")
	f.Add("MX", "national_id", "MX", "\xff", "2031-12-31")
	at := time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, country, kind, issuer, number, expires string) {
		list, err := For(country)
		if err != nil {
			return
		}
		err = list.Check(Record{Type(kind), issuer, models.Secret(number), expires}, at, time.UTC)
		if err != nil {
			rest := err.Error()
			for _, known := range []error{ErrType, ErrIssuer, ErrNumber, ErrExpiry, ErrUnlimited, ErrExpired} {
				rest = strings.ReplaceAll(rest, known.Error(), "")
			}
			if strings.Trim(rest, "\n") != "" {
				t.Fatal(err)
			}
		}
		if err == nil && !slices.Contains(list.Documents[slices.IndexFunc(list.Documents, func(d Document) bool { return string(d.Type) == kind })].Issuers, issuer) {
			t.Fatal("an issuer that is none")
		}
	})
}

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func ExampleList_Text() {
	list, _ := For("IE")
	fmt.Print(list.Text())
	// Output:
	// Have one of these documents at hand:
	// - Irish passport
	// - Irish passport card
	// It must be the original, undamaged and not expired on the day of the appointment, and show your photograph, your full legal name, its number and the date of its expiry.
}
