package availability

import (
	"cmp"
	"iter"
	"slices"
	"time"
)

// Openings are the times within [from, to) in which the agent works, in order, apart from each other, cut at both
// ends. The schedule is a valid one. A range of more than ten years is cut to ten.
func (s Schedule) Openings(from, to time.Time) iter.Seq[Interval] {
	return func(yield func(Interval) bool) {
		var last Interval
		for r := range s.runs(from, to) {
			r.Start, r.End = later(r.Start, from), earlier(r.End, to)
			switch {
			case !r.Start.Before(r.End):
				continue
			case last.End.Equal(r.Start) && !last.End.IsZero():
				last.End = r.End // two series of slots, one opening
				continue
			case !last.End.IsZero() && !yield(last):
				return
			}
			last = r
		}
		if !last.End.IsZero() {
			yield(last)
		}
	}
}

// maxRange is in years: an agent who never works is not searched for without end.
const maxRange = 10

// runs are the openings that overlap [from, to), whole, each of which begins a series of slots. Where one goes on
// over the first window of another day, or over the start of an extra opening, it ends there and a new one begins:
// without that, the series of an agent who never stops would depend on a beginning that lies any time back.
func (s Schedule) runs(from, to time.Time) iter.Seq[Interval] {
	to = earlier(to, from.AddDate(maxRange, 0, 0))
	extra, closed := normalize(s.Extra), normalize(s.Closed)
	start := from
	for _, e := range extra {
		if e.Start.Before(start) && e.End.After(from) {
			start = e.Start // whoever is in this run looks back to what went before it
		}
	}
	holidays := s.holidays(start, to)
	return func(yield func(Interval) bool) {
		windows := without(together(s.windows(start, to), nil), holidays)
		for r := range without(together(windows, extra), closed) {
			if !r.Start.Before(to) {
				return
			}
			if r.End.After(from) && !yield(r.Interval) {
				return
			}
		}
	}
}

// A piece is an interval on its way to becoming part of a run.
type piece struct {
	Interval
	first bool // begins a run even where another goes on
}

// windows are the windows of each day from three days before start, as many as the longest can reach over a change
// of clocks, until to. They are in order of their starts and may overlap.
func (s Schedule) windows(start, to time.Time) iter.Seq[piece] {
	return func(yield func(piece) bool) {
		last := DateOf(to.In(s.Zone))
		var day []piece
		for d := DateOf(start.In(s.Zone)).add(-3); d.compare(last) <= 0; d = d.add(1) {
			day = s.day(day[:0], d)
			for _, p := range day {
				if !yield(p) {
					return
				}
			}
		}
	}
}

// day appends the windows that begin on a date to day, in order.
func (s Schedule) day(day []piece, d Date) []piece {
	weekday := d.weekday()
	for _, w := range s.Windows {
		if !w.Starts.on(d, weekday) {
			continue
		}
		for minutes := range w.Starts.clock() {
			i := Interval{reached(d, minutes, s.Zone), reached(d, minutes+int(w.Lasts/time.Minute), s.Zone)}
			if i.Start.Before(i.End) {
				day = append(day, piece{Interval: i})
			}
		}
	}
	slices.SortFunc(day, func(a, b piece) int { return cmp.Or(a.Start.Compare(b.Start), a.End.Compare(b.End)) })
	if len(day) > 0 {
		day[0].first = true
	}
	return day
}

// holidays are the holidays that can matter to openings between start and to, as intervals.
func (s Schedule) holidays(start, to time.Time) []Interval {
	if len(s.Holidays) == 0 {
		return nil
	}
	earliest, latest := DateOf(start.In(s.Zone)).add(-4), DateOf(to.In(s.Zone)).add(1)
	var days []Interval
	for d, is := range s.Holidays {
		if is && d.compare(earliest) >= 0 && d.compare(latest) <= 0 {
			days = append(days, Interval{reached(d, 0, s.Zone), reached(d, 24*60, s.Zone)})
		}
	}
	return normalize(days)
}

// together joins pieces, in order of their starts, with extra openings into runs: what overlaps or meets is one,
// but for pieces that begin a run and for the extra openings, which all do.
func together(pieces iter.Seq[piece], extra []Interval) iter.Seq[piece] {
	return func(yield func(piece) bool) {
		var run piece
		add := func(p piece) bool {
			if p.Start.After(run.End) || run.End.IsZero() {
				ok := run.End.IsZero() || yield(run)
				run = p
				return ok
			}
			if p.first && run.Start.Before(p.Start) {
				ahead := piece{Interval{run.Start, p.Start}, run.first}
				run = piece{Interval{p.Start, later(run.End, p.End)}, true}
				return yield(ahead)
			}
			run.End = later(run.End, p.End)
			return true
		}
		for p := range pieces {
			for ; len(extra) > 0 && extra[0].Start.Before(p.Start); extra = extra[1:] {
				if !add(piece{extra[0], true}) {
					return
				}
			}
			if !add(p) {
				return
			}
		}
		for _, e := range extra {
			if !add(piece{e, true}) {
				return
			}
		}
		if !run.End.IsZero() {
			yield(run)
		}
	}
}

// without takes intervals, sorted and apart, out of pieces, sorted and apart.
func without(pieces iter.Seq[piece], taken []Interval) iter.Seq[piece] {
	return func(yield func(piece) bool) {
		taken := taken
		for p := range pieces {
			for len(taken) > 0 && !taken[0].End.After(p.Start) {
				taken = taken[1:]
			}
			for _, t := range taken {
				if !t.Start.Before(p.End) {
					break
				}
				if p.Start.Before(t.Start) && !yield(piece{Interval{p.Start, t.Start}, p.first}) {
					return
				}
				p.Start = later(p.Start, t.End)
			}
			if p.Start.Before(p.End) && !yield(p) {
				return
			}
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
