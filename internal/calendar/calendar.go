// Package calendar knows business days. The carrier's and the bank's are different calendars: a parcel carrier
// moves a holiday that falls on a Saturday to the Friday before it, the Federal Reserve does not.
package calendar

import (
	"time"

	"github.com/rickar/cal/v2"
	"github.com/rickar/cal/v2/us"
)

// Calendar is a set of working days and holidays in one time zone, with an hour at which business closes. It does
// not change after it was made and may be used from many goroutines.
type Calendar struct {
	name  string
	days  *cal.BusinessCalendar
	zone  *time.Location
	close time.Duration // wall clock time after midnight
}

// DefaultClose is 17:00, the default policy's close of business.
const DefaultClose = 17 * time.Hour

// Carrier is the calendar of a parcel carrier in the United States (SHP-1): Monday to Friday without federal
// holidays, where one on a Saturday is kept on the Friday before and one on a Sunday on the Monday after
// (5 U.S.C. 6103(b)).
func Carrier(zone *time.Location) *Calendar {
	return build("carrier", zone, DefaultClose, us.Holidays)
}

// Bank is the calendar of the Federal Reserve Banks: Monday to Friday without their holidays, where one on a
// Sunday is kept on the Monday after, and one on a Saturday not at all (Federal Reserve Financial Services,
// holiday schedules). Business closes at the given wall clock time after midnight, for example DefaultClose.
func Bank(zone *time.Location, closes time.Duration) *Calendar {
	sundayToMonday := []cal.AltDay{{Day: time.Sunday, Offset: 1}}
	holidays := make([]*cal.Holiday, 0, len(us.Holidays))
	for _, h := range us.Holidays {
		holidays = append(holidays, h.Clone(&cal.Holiday{Observed: sundayToMonday}))
	}
	return build("bank", zone, closes, holidays)
}

func build(name string, zone *time.Location, closes time.Duration, holidays []*cal.Holiday) *Calendar {
	days := cal.NewBusinessCalendar()
	days.Cacheable = false // its cache is a map without a lock
	days.AddHoliday(holidays...)
	return &Calendar{name: name, days: days, zone: zone, close: closes}
}

// String is the calendar's name, "carrier" or "bank".
func (c *Calendar) String() string { return c.name }

// IsBusinessDay reports whether the day is a working day. The date is read in the time's own location, so that a
// day is a day wherever it is asked about; it implements models.BusinessDays.
func (c *Calendar) IsBusinessDay(day time.Time) bool { return c.days.IsWorkday(day) }

// AddBusinessDays is the n-th business day after the day on which the moment falls in the calendar's zone, or
// before it where n is negative; for n = 0 it is that day itself, business day or not. The result is the day's
// first moment in the calendar's zone.
func (c *Calendar) AddBusinessDays(from time.Time, n int) time.Time {
	step := 1
	if n < 0 {
		step, n = -1, -n
	}
	day := c.noon(from)
	for n > 0 {
		day = day.AddDate(0, 0, step)
		if c.IsBusinessDay(day) {
			n--
		}
	}
	return c.at(day, 0)
}

// PreviousBusinessDay is the last business day before the day on which the moment falls in the calendar's zone.
// The result is that day's first moment.
func (c *Calendar) PreviousBusinessDay(day time.Time) time.Time { return c.AddBusinessDays(day, -1) }

// CloseOfBusiness is the moment at which business closes on the day on which the moment falls in the calendar's
// zone or, where that is no business day, on the business day before it.
func (c *Calendar) CloseOfBusiness(day time.Time) time.Time {
	day = c.noon(day)
	if !c.IsBusinessDay(day) {
		day = c.PreviousBusinessDay(day)
	}
	return c.at(day, c.close)
}

// noon is the middle of the moment's day: days are counted from there because midnight is missing from some days
// on which clocks change.
func (c *Calendar) noon(moment time.Time) time.Time { return c.at(moment.In(c.zone), 12*time.Hour) }

// at is a wall clock time on a day, which is midnight plus a duration only where clocks do not change.
func (c *Calendar) at(day time.Time, clock time.Duration) time.Time {
	year, month, date := day.Date()
	moment := time.Date(year, month, date, 0, int(clock/time.Minute), 0, 0, c.zone)
	if moment.Day() != date { // this time is missing from the day: take the moment at which clocks jump over it
		_, moment = moment.ZoneBounds()
	}
	return moment
}
