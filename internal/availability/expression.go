package availability

import (
	"errors"
	"fmt"
	"iter"
	"math/bits"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// What is wrong with an expression. All are ErrExpression as well.
var (
	ErrExpression = errors.New("availability: not a cron expression")
	ErrSeconds    = fmt.Errorf("%w: it has a seconds field; wanted are minute, hour, day, month and weekday", ErrExpression)
	ErrShorthand  = fmt.Errorf("%w: @ shorthands have no place on a wall clock", ErrExpression)
	ErrNamesZone  = fmt.Errorf("%w: it names a time zone, which is the agent's alone", ErrExpression)
	ErrImpossible = fmt.Errorf("%w: no such date ever comes", ErrExpression)
	ErrTooOften   = fmt.Errorf("%w: it fires more than %d times a day", ErrExpression, MaxPerDay)
)

// MaxPerDay bounds how often an expression may fire: every half hour.
const MaxPerDay = 48

const (
	maxText  = 200
	maxAhead = 9   // years: between 29 February 2096 and 2104 there are eight
	maxTimes = 100 // of a preview
	starBit  = 1 << 63
)

// Expression is a cron expression of five fields: minute, hour, day, month, weekday (0 and SUN are Sunday). Where
// both kinds of days are restricted either is enough, as in every cron. Its times are on the wall clock of whichever
// zone it is used in.
//
// robfig/cron reads it. Its Next is not used: in a zone that changes its clocks at midnight it takes the hours of
// the next day for those of the day before, and where they change by half an hour it misses full hours.
type Expression struct {
	text                                   string
	minutes, hours, days, months, weekdays uint64 // bit sets
}

var parser = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)

// ParseExpression reads an expression. Errors are ErrExpression and, where that says more, ErrSeconds, ErrShorthand,
// ErrNamesZone, ErrImpossible or ErrTooOften.
func ParseExpression(text string) (Expression, error) {
	if len(text) > maxText {
		return Expression{}, fmt.Errorf("%w: longer than %d characters", ErrExpression, maxText)
	}
	fields := strings.Fields(text)
	switch {
	case len(fields) == 0:
		return Expression{}, fmt.Errorf("%w: empty", ErrExpression)
	case strings.HasPrefix(fields[0], "@"):
		return Expression{}, ErrShorthand
	case strings.Contains(fields[0], "="):
		return Expression{}, ErrNamesZone
	case len(fields) == 6:
		return Expression{}, ErrSeconds
	}
	for _, field := range fields {
		if err := checkField(field); err != nil {
			return Expression{}, err
		}
	}
	schedule, err := parser.Parse(strings.Join(fields, " "))
	if err != nil {
		return Expression{}, fmt.Errorf("%w: %w", ErrExpression, err)
	}
	spec, ok := schedule.(*cron.SpecSchedule)
	if !ok {
		return Expression{}, ErrExpression
	}
	e := Expression{
		text:    strings.Join(fields, " "),
		minutes: spec.Minute, hours: spec.Hour, days: spec.Dom, months: spec.Month, weekdays: spec.Dow,
	}
	if bits.OnesCount64(e.minutes&^starBit)*bits.OnesCount64(e.hours&^starBit) > MaxPerDay {
		return Expression{}, ErrTooOften
	}
	if !e.possible() {
		return Expression{}, ErrImpossible
	}
	return e, nil
}

// checkField refuses what robfig/cron accepts and means something else by, or nothing: "*-5" is every one to it,
// "," none, and "+5" five.
func checkField(field string) error {
	for item := range strings.SplitSeq(field, ",") {
		span, _, _ := strings.Cut(item, "/")
		if item == "" || (len(span) != 1 && strings.ContainsAny(span, "*?")) {
			return fmt.Errorf("%w: %.40q", ErrExpression, field)
		}
	}
	if strings.Trim(field, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz*?,/-") != "" {
		return fmt.Errorf("%w: %.40q", ErrExpression, field)
	}
	return nil
}

// possible reports whether any of the months has one of the days.
func (e Expression) possible() bool {
	if e.days&starBit == 0 && e.weekdays&starBit == 0 {
		return true // the day of the week alone is enough
	}
	for month := time.January; month <= time.December; month++ {
		longest := time.Date(2024, month+1, 0, 0, 0, 0, 0, time.UTC).Day() // 2024 has a leap day
		if e.months>>month&1 == 1 && e.days&^starBit&(1<<(longest+1)-1) != 0 {
			return true
		}
	}
	return false
}

// String is the expression as it was given, with single blanks.
func (e Expression) String() string { return e.text }

// on reports whether the expression fires on a day.
func (e Expression) on(d Date, weekday time.Weekday) bool {
	if e.months>>d.Month&1 == 0 {
		return false
	}
	byDay, byWeekday := e.days>>d.Day&1 == 1, e.weekdays>>weekday&1 == 1
	if (e.days|e.weekdays)&starBit != 0 {
		return byDay && byWeekday
	}
	return byDay || byWeekday
}

// clock are the wall times of a day at which the expression fires, in minutes after midnight, in order.
func (e Expression) clock() iter.Seq[int] {
	return func(yield func(int) bool) {
		for hours := e.hours &^ starBit; hours != 0; hours &= hours - 1 {
			for minutes := e.minutes &^ starBit; minutes != 0; minutes &= minutes - 1 {
				if !yield(bits.TrailingZeros64(hours)*60 + bits.TrailingZeros64(minutes)) {
					return
				}
			}
		}
	}
}

// Next previews an expression: its next times after an instant, n of them and at most 100, in the zone. Wall times
// that a clock jumps over are not shown.
func (e Expression) Next(after time.Time, zone *time.Location, n int) []time.Time {
	n = min(n, maxTimes)
	d := DateOf(after.In(zone)).add(-1)
	var times []time.Time
	for last := d.Year + maxAhead; d.Year <= last && len(times) < n; d = d.add(1) {
		if !e.on(d, d.weekday()) {
			continue
		}
		for minutes := range e.clock() {
			t := reached(d, minutes, zone)
			if t.After(after) && DateOf(t) == d && t.Hour()*60+t.Minute() == minutes && len(times) < n {
				times = append(times, t)
				last = d.Year + maxAhead
			}
		}
	}
	return times
}
