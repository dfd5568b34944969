package availability

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// PRF-5: nine to twelve is nine to twelve on the wall, before and after; what is missing or doubled is as documented.
func TestOpeningsWhereClocksChange(t *testing.T) {
	for _, c := range []struct {
		name, zone, text string
		lasts            time.Duration
		day              string // local; the openings of it and the day after
		want             []string
	}{
		{"spring, unaffected hours", "America/New_York", "0 9 * * *", 3 * time.Hour, "2026-03-07",
			[]string{"2026-03-07T09:00:00-05:00 3h0m0s", "2026-03-08T09:00:00-04:00 3h0m0s"}},
		{"autumn, unaffected hours", "America/New_York", "0 9 * * *", 3 * time.Hour, "2026-10-31",
			[]string{"2026-10-31T09:00:00-04:00 3h0m0s", "2026-11-01T09:00:00-05:00 3h0m0s"}},
		{"spring, over the missing hour", "America/New_York", "0 1 * * *", 3 * time.Hour, "2026-03-07",
			[]string{"2026-03-07T01:00:00-05:00 3h0m0s", "2026-03-08T01:00:00-05:00 2h0m0s"}},
		{"spring, from within the missing hour", "America/New_York", "30 2 * * *", time.Hour, "2026-03-07",
			[]string{"2026-03-07T02:30:00-05:00 1h0m0s", "2026-03-08T03:00:00-04:00 30m0s"}},
		{"spring, into the missing hour", "America/New_York", "30 1 * * *", time.Hour, "2026-03-07",
			[]string{"2026-03-07T01:30:00-05:00 1h0m0s", "2026-03-08T01:30:00-05:00 30m0s"}},
		{"spring, all missing", "America/New_York", "0 2 * * *", time.Hour, "2026-03-07",
			[]string{"2026-03-07T02:00:00-05:00 1h0m0s"}},
		{"autumn, over the doubled hour", "America/New_York", "0 0 * * *", 4 * time.Hour, "2026-10-31",
			[]string{"2026-10-31T00:00:00-04:00 4h0m0s", "2026-11-01T00:00:00-04:00 5h0m0s"}},
		{"autumn, into the doubled hour", "America/New_York", "0 0 * * *", 90 * time.Minute, "2026-10-31",
			[]string{"2026-10-31T00:00:00-04:00 1h30m0s", "2026-11-01T00:00:00-04:00 1h30m0s"}},
		{"autumn, from within the doubled hour", "America/New_York", "30 1 * * *", time.Hour, "2026-10-31",
			[]string{"2026-10-31T01:30:00-04:00 1h0m0s", "2026-11-01T01:30:00-04:00 2h0m0s"}},
		{"spring", "Europe/Berlin", "30 1 * * *", 2 * time.Hour, "2026-03-28",
			[]string{"2026-03-28T01:30:00+01:00 2h0m0s", "2026-03-29T01:30:00+01:00 1h0m0s"}},
		{"autumn", "Europe/Berlin", "30 1 * * *", 2 * time.Hour, "2026-10-24",
			[]string{"2026-10-24T01:30:00+02:00 2h0m0s", "2026-10-25T01:30:00+02:00 3h0m0s"}},
		{"spring by half an hour", "Australia/Lord_Howe", "0 1 * * *", 3 * time.Hour, "2026-10-03",
			[]string{"2026-10-03T01:00:00+10:30 3h0m0s", "2026-10-04T01:00:00+10:30 2h30m0s"}},
		{"spring, the missing half hour", "Australia/Lord_Howe", "15 2 * * *", time.Hour, "2026-10-03",
			[]string{"2026-10-03T02:15:00+10:30 1h0m0s", "2026-10-04T02:30:00+11:00 45m0s"}},
		{"autumn by half an hour", "Australia/Lord_Howe", "0 1 * * *", 3 * time.Hour, "2026-04-04",
			[]string{"2026-04-04T01:00:00+11:00 3h0m0s", "2026-04-05T01:00:00+11:00 3h30m0s"}},
		{"southern spring", "Australia/Sydney", "0 0 * * *", 9 * time.Hour, "2026-10-03",
			[]string{"2026-10-03T00:00:00+10:00 9h0m0s", "2026-10-04T00:00:00+10:00 8h0m0s"}},
		{"southern autumn", "Australia/Sydney", "0 0 * * *", 9 * time.Hour, "2026-04-04",
			[]string{"2026-04-04T00:00:00+11:00 9h0m0s", "2026-04-05T00:00:00+11:00 10h0m0s"}},
		{"midnight is missing", "America/Santiago", "0 0 * * *", 3 * time.Hour, "2026-09-05",
			[]string{"2026-09-05T00:00:00-04:00 3h0m0s", "2026-09-06T01:00:00-03:00 2h0m0s"}},
		{"over a missing midnight", "America/Santiago", "0 22 * * *", 4 * time.Hour, "2026-09-05",
			[]string{"2026-09-05T22:00:00-04:00 3h0m0s", "2026-09-06T22:00:00-03:00 4h0m0s"}},
		{"the hour before midnight comes twice", "America/Santiago", "0 22 * * *", 2 * time.Hour, "2026-04-04",
			[]string{"2026-04-04T22:00:00-03:00 3h0m0s", "2026-04-05T22:00:00-04:00 2h0m0s"}},
		{"the hour after midnight comes twice", "America/Havana", "0 0 * * *", 2 * time.Hour, "2026-10-31",
			[]string{"2026-10-31T00:00:00-04:00 2h0m0s", "2026-11-01T00:00:00-04:00 3h0m0s"}},
		{"a day that never was", "Pacific/Apia", "0 9 * * *", 3 * time.Hour, "2011-12-29",
			[]string{"2011-12-29T09:00:00-10:00 3h0m0s"}},
		{"month end and leap day", "Europe/Berlin", "0 9 28-31 * *", time.Hour, "2028-02-28",
			[]string{"2028-02-28T09:00:00+01:00 1h0m0s", "2028-02-29T09:00:00+01:00 1h0m0s"}},
		{"month end in a common year", "Europe/Berlin", "0 9 28-31 * *", time.Hour, "2026-02-28",
			[]string{"2026-02-28T09:00:00+01:00 1h0m0s"}},
		{"a year ends", "America/New_York", "0 22 * * *", 4 * time.Hour, "2026-12-31",
			[]string{"2026-12-31T22:00:00-05:00 4h0m0s", "2027-01-01T22:00:00-05:00 4h0m0s"}},
	} {
		t.Run(c.zone+" "+c.name, func(t *testing.T) {
			s := Schedule{Zone: zone(t, c.zone), Windows: []Window{{expression(t, c.text), c.lasts}}}
			day, err := time.Parse(time.DateOnly, c.day)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for o := range s.runs(reached(DateOf(day), 0, s.Zone), reached(DateOf(day), 48*60, s.Zone)) {
				if !o.Start.Before(reached(DateOf(day), 0, s.Zone)) { // not the one that reaches in from the day before
					got = append(got, fmt.Sprintf("%s %v", o.Start.In(s.Zone).Format(time.RFC3339), o.End.Sub(o.Start)))
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

// PRF-5: hours that meet on the wall meet in time, however clocks change.
func TestWindowsMeet(t *testing.T) {
	for _, name := range testZones {
		s := Schedule{Zone: zone(t, name), Windows: []Window{
			{expression(t, "0 0 * * *"), 90 * time.Minute}, {expression(t, "30 1 * * *"), time.Hour},
			{expression(t, "30 2 * * *"), 15 * time.Minute}, {expression(t, "45 2 * * *"), 21*time.Hour + 15*time.Minute},
		}}
		from := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
		to := from.AddDate(1, 0, 0)
		openings := slices.Collect(s.Openings(from, to))
		if len(openings) != 1 || !openings[0].Start.Equal(from) || !openings[0].End.Equal(to) {
			t.Errorf("%s: %v", name, openings[:min(5, len(openings))])
		}
	}
}

// PRF-5: exceptions and holidays.
func TestExceptions(t *testing.T) {
	berlin := zone(t, "Europe/Berlin")
	at := func(day, hour, minute int) time.Time { return time.Date(2026, 5, day, hour, minute, 0, 0, berlin) }
	week := []Window{{expression(t, "0 9 * * 1-5"), 3 * time.Hour}, {expression(t, "0 22 * * 5"), 4 * time.Hour}}
	for _, c := range []struct {
		name string
		s    Schedule
		want []Interval // of Thursday the 30th of April to Sunday the 3rd of May
	}{
		{"a usual week", Schedule{}, []Interval{{at(0, 9, 0), at(0, 12, 0)}, {at(1, 9, 0), at(1, 12, 0)}, {at(1, 22, 0), at(2, 2, 0)}}},
		{"a holiday", Schedule{Holidays: map[Date]bool{{2026, time.May, 1}: true}},
			[]Interval{{at(0, 9, 0), at(0, 12, 0)}, {at(2, 0, 0), at(2, 2, 0)}}},
		{"a holiday that is none", Schedule{Holidays: map[Date]bool{{2026, time.May, 1}: false}},
			[]Interval{{at(0, 9, 0), at(0, 12, 0)}, {at(1, 9, 0), at(1, 12, 0)}, {at(1, 22, 0), at(2, 2, 0)}}},
		{"an opening on a holiday", Schedule{Holidays: map[Date]bool{{2026, time.May, 1}: true, {2026, time.May, 2}: true}, Extra: []Interval{{at(1, 11, 0), at(1, 13, 0)}}},
			[]Interval{{at(0, 9, 0), at(0, 12, 0)}, {at(1, 11, 0), at(1, 13, 0)}}},
		{"an opening that joins others", Schedule{Extra: []Interval{{at(0, 12, 0), at(1, 9, 0)}}},
			[]Interval{{at(0, 9, 0), at(1, 12, 0)}, {at(1, 22, 0), at(2, 2, 0)}}},
		{"an opening within another", Schedule{Extra: []Interval{{at(0, 10, 0), at(0, 11, 0)}}},
			[]Interval{{at(0, 9, 0), at(0, 12, 0)}, {at(1, 9, 0), at(1, 12, 0)}, {at(1, 22, 0), at(2, 2, 0)}}},
		{"a closure within", Schedule{Closed: []Interval{{at(0, 10, 0), at(0, 10, 30)}}},
			[]Interval{{at(0, 9, 0), at(0, 10, 0)}, {at(0, 10, 30), at(0, 12, 0)}, {at(1, 9, 0), at(1, 12, 0)}, {at(1, 22, 0), at(2, 2, 0)}}},
		{"closures over each other, over days and over an opening", Schedule{
			Extra: []Interval{{at(1, 14, 0), at(1, 16, 0)}}, Closed: []Interval{{at(1, 8, 0), at(1, 15, 0)}, {at(0, 11, 0), at(1, 9, 0)}, {at(1, 23, 0), at(9, 0, 0)}}},
			[]Interval{{at(0, 9, 0), at(0, 11, 0)}, {at(1, 15, 0), at(1, 16, 0)}, {at(1, 22, 0), at(1, 23, 0)}}},
		{"closed for good", Schedule{Closed: []Interval{{at(-9, 0, 0), time.Date(9999, 1, 1, 0, 0, 0, 0, berlin)}}}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := c.s
			s.Zone, s.Windows = berlin, week
			if err := s.Validate(); err != nil {
				t.Fatal(err)
			}
			got := slices.Collect(s.Openings(at(0, 0, 0), at(3, 24, 0)))
			if !slices.EqualFunc(got, c.want, same) {
				t.Errorf("%v\nwant %v", got, c.want)
			}
		})
	}
	s := Schedule{Zone: berlin, Windows: week}
	if got := slices.Collect(s.Openings(at(1, 23, 0), at(2, 1, 0))); len(got) != 1 || !same(got[0], Interval{at(1, 23, 0), at(2, 1, 0)}) {
		t.Errorf("not cut at both ends: %v", got)
	}
}

func same(a, b Interval) bool { return a.Start.Equal(b.Start) && a.End.Equal(b.End) }

// Nothing loops for ever: an agent who never works, and ranges without end or backwards.
func TestEndless(t *testing.T) {
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	ever := time.Unix(1<<40, 0)
	for o := range (Schedule{Zone: time.UTC}).Openings(from, ever) {
		t.Error(o)
	}
	s := Schedule{Zone: time.UTC, Windows: []Window{{expression(t, "0 0 * * *"), 24 * time.Hour}}}
	if got := slices.Collect(s.Openings(from, ever)); len(got) != 1 || !got[0].End.Equal(from.AddDate(maxRange, 0, 0)) {
		t.Error(got)
	}
	for o := range s.Openings(from, from.Add(-time.Hour)) {
		t.Error(o)
	}
	for range s.Openings(from, ever) {
		break
	}
}

// PRF-5: against the definition by the minute.
func TestOpeningsByTheMinute(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, from, to := anySchedule(t)
		next := time.Time{}
		minute := from
		within := func(want bool, until time.Time) {
			for ; minute.Before(until); minute = minute.Add(time.Minute) {
				if works(s, minute) != want {
					t.Fatalf("%v: open %v", minute.In(s.Zone), want)
				}
			}
		}
		for o := range s.Openings(from, to) {
			if !o.Start.Before(o.End) || o.Start.Before(from) || o.End.After(to) || (!next.IsZero() && !o.Start.After(next)) {
				t.Fatalf("%v after %v", o, next)
			}
			next = o.End
			within(false, o.Start)
			within(true, o.End)
		}
		within(false, to)
	})
}

// works is the definition: within a window's wall times and no holiday, or an extra opening; and not closed.
func works(s Schedule, at time.Time) bool {
	in := func(i Interval) bool { return !at.Before(i.Start) && at.Before(i.End) }
	if slices.ContainsFunc(s.Closed, in) {
		return false
	}
	if slices.ContainsFunc(s.Extra, in) {
		return true
	}
	today := DateOf(at.In(s.Zone))
	for d := range s.Holidays {
		if in(Interval{reached(d, 0, s.Zone), reached(d, 24*60, s.Zone)}) {
			return false
		}
	}
	for back := range 4 {
		d := today.add(1 - back)
		for _, w := range s.Windows {
			for minutes := range w.Starts.clock() {
				if w.Starts.on(d, d.weekday()) && in(Interval{reached(d, minutes, s.Zone), reached(d, minutes+int(w.Lasts.Minutes()), s.Zone)}) {
					return true
				}
			}
		}
	}
	return false
}

// anySchedule is a schedule and a range of up to four days near a change of clocks.
func anySchedule(t *rapid.T) (s Schedule, from, to time.Time) {
	zone, err := Zone(rapid.SampledFrom(testZones).Draw(t, "zone"))
	if err != nil {
		t.Fatal(err)
	}
	day := nearChange(t, zone)
	from = reached(day, rapid.IntRange(0, 1440).Draw(t, "from"), zone)
	to = from.Add(time.Duration(rapid.IntRange(1, 4*1440).Draw(t, "range")) * time.Minute)
	s = Schedule{Zone: zone, Holidays: map[Date]bool{}}
	for range rapid.IntRange(0, 3).Draw(t, "windows") {
		if e, err := ParseExpression(anyExpression(t)); err == nil {
			s.Windows = append(s.Windows, Window{e, time.Duration(rapid.IntRange(1, 1440).Draw(t, "lasts")) * time.Minute})
		}
	}
	for range rapid.IntRange(0, 2).Draw(t, "holidays") {
		s.Holidays[day.add(rapid.IntRange(-3, 5).Draw(t, "holiday"))] = true
	}
	interval := func(name string, most int) Interval {
		start := from.Add(time.Duration(rapid.IntRange(-3*1440, 4*1440).Draw(t, name)) * time.Minute)
		return Interval{start, start.Add(time.Duration(rapid.IntRange(1, most).Draw(t, "lasting")) * time.Minute)}
	}
	for range rapid.IntRange(0, 3).Draw(t, "extras") {
		s.Extra = append(s.Extra, interval("extra", 4*1440))
	}
	for range rapid.IntRange(0, 3).Draw(t, "closures") {
		s.Closed = append(s.Closed, interval("closure", 600))
	}
	if err := s.Validate(); err != nil {
		t.Fatal(err)
	}
	return s, from, to
}

// PRF-5: schedules that cannot be meant.
func TestValidate(t *testing.T) {
	e, now := expression(t, "0 9 * * 1"), time.Unix(1e9, 0)
	good := Schedule{Zone: time.UTC, Windows: []Window{{e, time.Hour}}, Extra: []Interval{{now, now.Add(1)}}}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	for name, c := range map[string]struct {
		s    Schedule
		want error
	}{
		"no zone":              {Schedule{}, ErrZone},
		"the machine's zone":   {Schedule{Zone: time.Local}, ErrZone},
		"no expression":        {Schedule{Zone: time.UTC, Windows: []Window{{Expression{}, time.Hour}}}, ErrExpression},
		"no duration":          {Schedule{Zone: time.UTC, Windows: []Window{{e, 0}}}, ErrDuration},
		"backwards":            {Schedule{Zone: time.UTC, Windows: []Window{{e, -time.Hour}}}, ErrDuration},
		"more than a day":      {Schedule{Zone: time.UTC, Windows: []Window{{e, 25 * time.Hour}}}, ErrDuration},
		"parts of a minute":    {Schedule{Zone: time.UTC, Windows: []Window{{e, 90 * time.Second}}}, ErrDuration},
		"too many windows":     {Schedule{Zone: time.UTC, Windows: make([]Window, 51)}, ErrTooMany},
		"an empty opening":     {Schedule{Zone: time.UTC, Extra: []Interval{{now, now}}}, ErrInterval},
		"an endless opening":   {Schedule{Zone: time.UTC, Extra: []Interval{{time.Time{}, now}}}, ErrInterval},
		"a backwards closure":  {Schedule{Zone: time.UTC, Closed: []Interval{{now, now.Add(-1)}}}, ErrInterval},
		"closure without ends": {Schedule{Zone: time.UTC, Closed: []Interval{{}}}, ErrInterval},
	} {
		if err := c.s.Validate(); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
