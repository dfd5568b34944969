// Package availability says when agents are free. An agent's hours are cron expressions on the wall clock of the
// agent's own time zone, each with a duration; holidays, closures and extra openings change them; appointments and
// holds take time out of them; what remains is cut into slots (PRF-5).
//
// Everything is computed lazily between two instants, in order, and depends on those two in nothing but what is left
// out: whoever asks for a week or for a minute of it sees the same slots. Nothing reads a clock.
//
// # When clocks change
//
// Hours are hours on the wall. A wall time stands for the first instant at which the clock has reached it:
//   - 09:00–12:00 is 09:00–12:00 before and after a change, and as many instants apart as it takes;
//   - a wall time that is missing, because clocks jump over it, stands for the jump itself: hours that begin or end
//     within the missing time begin or end at the jump, and hours all within it do not take place;
//   - a wall time that comes twice stands for its first coming: 01:00–04:00 includes both comings of 01:30, while
//     00:00–01:30 ends at the first.
//
// Hours that meet on the wall therefore meet in time as well, and hours never overlap that do not on the wall.
package availability

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"
)

// What is wrong with a schedule or with rules.
var (
	ErrZone     = errors.New("availability: not a time zone of the IANA database")
	ErrDuration = errors.New("availability: a window lasts a minute to 24 hours, in whole minutes")
	ErrInterval = errors.New("availability: an interval ends after it starts")
	ErrTooMany  = errors.New("availability: too many windows")
	ErrRules    = errors.New("availability: slots need a length of a minute to 24 hours, a buffer of no more, a notice and a horizon, none negative")
)

const (
	maxWindow  = 24 * time.Hour
	maxWindows = 50 // of one schedule
	maxExtra   = 31 * 24 * time.Hour
)

// Interval is a span of time, its end excluded.
type Interval struct{ Start, End time.Time }

// Overlaps reports whether the two have an instant in common.
func (i Interval) Overlaps(other Interval) bool {
	return i.Start.Before(other.End) && other.Start.Before(i.End)
}

// Date is a day of a calendar, the same everywhere.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// DateOf is the day on which an instant falls in its own location.
func DateOf(t time.Time) Date {
	year, month, day := t.Date()
	return Date{year, month, day}
}

func (d Date) add(days int) Date {
	return DateOf(time.Date(d.Year, d.Month, d.Day+days, 0, 0, 0, 0, time.UTC))
}

func (d Date) weekday() time.Weekday {
	return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC).Weekday()
}

func (d Date) compare(other Date) int {
	return cmp.Or(cmp.Compare(d.Year, other.Year), cmp.Compare(d.Month, other.Month), cmp.Compare(d.Day, other.Day))
}

// Window is hours that come again: from each time of the expression, for a duration on the wall clock. Windows of a
// schedule may overlap.
type Window struct {
	Starts Expression
	Lasts  time.Duration // a minute to 24 hours, in whole minutes
}

// Schedule is when an agent works. Holidays, whole days in the agent's zone, take hours away; extra openings come
// on top, also on holidays; closures take away from everything.
type Schedule struct {
	Zone     *time.Location
	Windows  []Window
	Holidays map[Date]bool
	Extra    []Interval
	Closed   []Interval
}

// Validate refuses a schedule that cannot be meant: ErrZone, ErrExpression, ErrDuration, ErrInterval, ErrTooMany.
func (s Schedule) Validate() error {
	if s.Zone == nil || s.Zone == time.Local {
		return ErrZone
	}
	if len(s.Windows) > maxWindows {
		return fmt.Errorf("%w: %d, not more than %d", ErrTooMany, len(s.Windows), maxWindows)
	}
	for _, w := range s.Windows {
		if w.Starts.text == "" {
			return fmt.Errorf("%w: empty", ErrExpression)
		}
		if w.Lasts < time.Minute || w.Lasts > maxWindow || w.Lasts%time.Minute != 0 {
			return fmt.Errorf("%w, not %v", ErrDuration, w.Lasts)
		}
	}
	for _, i := range s.Extra {
		if !i.Start.Before(i.End) || i.End.Sub(i.Start) > maxExtra {
			return fmt.Errorf("%w, and an extra opening within %v", ErrInterval, maxExtra)
		}
	}
	for _, i := range s.Closed {
		if !i.Start.Before(i.End) {
			return ErrInterval
		}
	}
	return nil
}

// normalize sorts intervals and joins those that overlap or meet; empty ones go.
func normalize(intervals []Interval) []Interval {
	sorted := make([]Interval, 0, len(intervals))
	for _, i := range intervals {
		if i.Start.Before(i.End) {
			sorted = append(sorted, i)
		}
	}
	slices.SortFunc(sorted, func(a, b Interval) int { return a.Start.Compare(b.Start) })
	joined := sorted[:0]
	for _, i := range sorted {
		if last := len(joined) - 1; last >= 0 && !joined[last].End.Before(i.Start) {
			if joined[last].End.Before(i.End) {
				joined[last].End = i.End
			}
			continue
		}
		joined = append(joined, i)
	}
	return joined
}
