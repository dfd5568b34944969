package calendar

import (
	"sync"
	"testing"
	"time"

	"tokendesk/models"
)

var (
	_       models.BusinessDays = (*Calendar)(nil)
	newYork                     = zone("America/New_York")
	carrier                     = Carrier(newYork)
	bank                        = Bank(newYork, DefaultClose)
)

func zone(name string) *time.Location {
	loc, err := time.LoadLocation(name)
	if err != nil {
		panic(err)
	}
	return loc
}

func day(s string) time.Time { return clock(s + " 00:00") }

func clock(s string) time.Time {
	t, err := time.ParseInLocation("2006-01-02 15:04", s, newYork)
	if err != nil {
		panic(err)
	}
	return t
}

// SHP-1, policy "bank calendar": both keep the same holidays, but not on the same days.
func TestIsBusinessDay(t *testing.T) {
	cases := []struct {
		name          string
		day           string
		carrier, bank bool
	}{
		{"an ordinary Wednesday", "2026-03-04", true, true},
		{"Saturday", "2026-03-07", false, false},
		{"Sunday", "2026-03-08", false, false},
		{"Independence Day on Saturday", "2026-07-04", false, false},
		{"the Friday before it", "2026-07-03", false, true},
		{"the Monday after it", "2026-07-06", true, true},
		{"Christmas on Saturday", "2027-12-25", false, false},
		{"the Friday before it", "2027-12-24", false, true},
		{"New Year's Day on Saturday: the Friday is in the year before", "2021-12-31", false, true},
		{"New Year's Day on Sunday", "2023-01-01", false, false},
		{"the Monday after it", "2023-01-02", false, false},
		{"the Friday before it", "2022-12-30", true, true},
		{"Juneteenth on Sunday", "2022-06-20", false, false},
		{"Juneteenth before it was a holiday", "2020-06-19", true, true},
		{"Juneteenth on Saturday", "2027-06-18", false, true},
		{"Veterans Day on Saturday", "2028-11-10", false, true},
		{"Martin Luther King Jr. Day", "2026-01-19", false, false},
		{"Presidents' Day", "2026-02-16", false, false},
		{"Memorial Day, last Monday in May", "2026-05-25", false, false},
		{"Labor Day", "2026-09-07", false, false},
		{"Columbus Day", "2026-10-12", false, false},
		{"Veterans Day", "2026-11-11", false, false},
		{"Thanksgiving", "2026-11-26", false, false},
		{"the day after Thanksgiving", "2026-11-27", true, true},
		{"Christmas Eve", "2026-12-24", true, true},
		{"Christmas", "2026-12-25", false, false},
		{"leap day", "2028-02-29", true, true},
	}
	for _, c := range cases {
		t.Run(c.day+" "+c.name, func(t *testing.T) {
			if got := carrier.IsBusinessDay(day(c.day)); got != c.carrier {
				t.Errorf("carrier: %v", got)
			}
			if got := bank.IsBusinessDay(day(c.day)); got != c.bank {
				t.Errorf("bank: %v", got)
			}
		})
	}
}

// SHP-1: promised within 3–5 business days of the carrier's calendar, late from business day 6.
func TestAddBusinessDays(t *testing.T) {
	cases := []struct {
		name string
		from string
		n    int
		want string
	}{
		{"within a week", "2026-03-02 09:30", 3, "2026-03-05"},
		{"over a weekend", "2026-03-05 09:30", 5, "2026-03-12"},
		{"late from here", "2026-03-05 09:30", 6, "2026-03-13"},
		{"handed over on Saturday", "2026-03-07 11:00", 1, "2026-03-09"},
		{"over a Saturday holiday kept on Friday", "2026-07-01 09:00", 5, "2026-07-09"},
		{"over Thanksgiving", "2026-11-25 09:00", 3, "2026-12-01"},
		{"over Christmas and New Year", "2026-12-23 09:00", 6, "2027-01-04"},
		{"over a New Year kept in the old year", "2021-12-30 09:00", 1, "2022-01-03"},
		{"over the start of summer time", "2026-03-06 23:59", 1, "2026-03-09"},
		{"over the end of summer time", "2026-10-30 00:00", 1, "2026-11-02"},
		{"no days", "2026-03-07 11:00", 0, "2026-03-07"},
		{"backwards over a holiday", "2026-07-06 00:00", -1, "2026-07-02"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := carrier.AddBusinessDays(clock(c.from), c.n); !got.Equal(day(c.want)) {
				t.Errorf("%s plus %d is %s, want %s", c.from, c.n, got, c.want)
			}
		})
	}
}

// The day of a moment is the vendor's day, whatever zone the moment is written in.
func TestDaysAreTheVendors(t *testing.T) {
	lateOnFriday := time.Date(2026, 3, 7, 3, 0, 0, 0, time.UTC) // Friday 22:00 in New York
	if got := carrier.AddBusinessDays(lateOnFriday, 1); !got.Equal(day("2026-03-09")) {
		t.Errorf("one business day after Friday evening is %s", got)
	}
	if got := bank.CloseOfBusiness(lateOnFriday); !got.Equal(clock("2026-03-06 17:00")) {
		t.Errorf("business closed at %s", got)
	}
	if !carrier.IsBusinessDay(day("2026-03-06")) || carrier.IsBusinessDay(lateOnFriday) {
		t.Error("a date is to be read in its own location")
	}
}

// LIF, R − 1: close of business, or of the business day before, in the bank's calendar.
func TestCloseOfBusiness(t *testing.T) {
	early := Bank(newYork, 15*time.Hour+30*time.Minute)
	cases := []struct {
		name     string
		calendar *Calendar
		day      string
		want     string
	}{
		{"a business day", bank, "2026-03-04 08:00", "2026-03-04 17:00"},
		{"after it closed", bank, "2026-03-04 20:00", "2026-03-04 17:00"},
		{"Sunday", bank, "2026-03-15 08:00", "2026-03-13 17:00"},
		{"the day clocks go forward", bank, "2026-03-08 00:30", "2026-03-06 17:00"},
		{"the Monday after", bank, "2026-03-09 00:00", "2026-03-09 17:00"},
		{"Saturday holiday: the bank is open on Friday", bank, "2026-07-04 12:00", "2026-07-03 17:00"},
		{"Saturday holiday: the carrier is not", carrier, "2026-07-04 12:00", "2026-07-02 17:00"},
		{"New Year's Day", bank, "2027-01-01 12:00", "2026-12-31 17:00"},
		{"Sunday holiday kept on Monday", bank, "2023-01-02 12:00", "2022-12-30 17:00"},
		{"another hour", early, "2026-03-04 08:00", "2026-03-04 15:30"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := c.calendar.CloseOfBusiness(clock(c.day)); !got.Equal(clock(c.want)) {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

// In Santiago clocks go forward at midnight: that Sunday has no 00:00, and no day may be lost or counted twice.
func TestMissingMidnight(t *testing.T) {
	santiago := zone("America/Santiago")
	c := Carrier(santiago)
	friday := time.Date(2026, 9, 4, 12, 0, 0, 0, santiago)
	got := c.AddBusinessDays(friday, 2) // 7 September is Labor Day
	if y, m, d := got.Date(); y != 2026 || m != time.September || d != 9 {
		t.Errorf("two business days after Friday 4 September is %s", got)
	}
	sunday := c.AddBusinessDays(time.Date(2026, 9, 6, 12, 0, 0, 0, santiago), 0)
	if sunday.Day() != 6 {
		t.Errorf("the first moment of 6 September is %s", sunday)
	}
}

func TestCalendarConcurrently(t *testing.T) {
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if got := carrier.AddBusinessDays(day("2026-01-01"), 250); !got.Equal(day("2026-12-31")) {
				t.Errorf("the 250th business day after 1 January 2026 is %s", got)
			}
		})
	}
	wg.Wait()
}
