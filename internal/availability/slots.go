package availability

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"time"
)

// Rules are how openings are cut into slots.
type Rules struct {
	Length  time.Duration // of a slot
	Buffer  time.Duration // kept free between any two slots of an agent, and around what is busy
	Notice  time.Duration // a slot begins at least so long after now
	Horizon time.Duration // and at most so long after now
}

// Validate returns ErrRules for rules that give no slots or endless ones.
func (r Rules) Validate() error {
	if r.Length < time.Minute || r.Length > maxWindow || r.Buffer < 0 || r.Buffer > maxWindow || r.Notice < 0 || r.Horizon < 0 {
		return fmt.Errorf("%w: %+v", ErrRules, r)
	}
	return nil
}

// Slots are the free slots of an agent that begin within [from, to), in order, as seen at a moment: not before the
// notice, not after the horizon, and apart from what is busy (booked or held, in any order) by the buffer. The
// schedule and the rules are valid ones.
//
// Slots follow each other from the beginning of an opening in steps of length and buffer, counted in elapsed time.
// The first window of each day begins anew, and so does an extra opening. What is busy removes slots and moves none,
// so that what one person sees stays right while another books. No slot crosses the end of an opening.
func (s Schedule) Slots(r Rules, at, from, to time.Time, busy []Interval) iter.Seq[Interval] {
	from = later(from, at.Add(r.Notice))
	to = earlier(to, at.Add(r.Horizon+1)) // the horizon is included
	busy = normalize(busy)
	return func(yield func(Interval) bool) {
		if !from.Before(to) {
			return
		}
		var last Interval
		taken := busy
		for run := range s.runs(from, to.Add(r.Length+r.Buffer)) {
			last.End = earlier(last.End, run.Start.Add(-r.Buffer)) // nothing of this run may come near the next
			var more bool
			if taken, more = r.cut(last, from, to, taken, yield); !more {
				return
			}
			last = run
		}
		r.cut(last, from, to, taken, yield)
	}
}

// cut yields the slots of one run that begin within [from, to) and are free. It returns what is busy later on, and
// false where the caller has enough.
func (r Rules) cut(run Interval, from, to time.Time, busy []Interval, yield func(Interval) bool) ([]Interval, bool) {
	if !run.Start.Before(run.End) {
		return busy, true
	}
	step := r.Length + r.Buffer
	start := run.Start
	if late := from.Sub(start); late > 0 {
		start = start.Add((late + step - 1).Truncate(step))
	}
	for ; start.Before(to); start = start.Add(step) {
		slot := Interval{start, start.Add(r.Length)}
		if slot.End.After(run.End) {
			break
		}
		for len(busy) > 0 && !busy[0].End.Add(r.Buffer).After(slot.Start) {
			busy = busy[1:]
		}
		if len(busy) > 0 && busy[0].Start.Before(slot.End.Add(r.Buffer)) {
			continue
		}
		if !yield(slot) {
			return nil, false
		}
	}
	return busy, true
}

// Free reports whether exactly this slot is one of the agent's free ones, as when it is about to be held.
func (s Schedule) Free(r Rules, at time.Time, slot Interval, busy []Interval) bool {
	for free := range s.Slots(r, at, slot.Start, slot.Start.Add(1), busy) {
		return free.Start.Equal(slot.Start) && free.End.Equal(slot.End)
	}
	return false
}

// Agent is somebody with a schedule, and what is booked or held of it.
type Agent struct {
	ID       string
	Schedule Schedule
	Busy     []Interval
}

// Offer is a slot and who is free then.
type Offer struct {
	Interval
	Agents []string // ids, in the order in which the agents were given
}

// Offers are the free slots of all agents together that begin within [from, to), in order, each once. The time it
// takes grows in proportion to agents and days.
func Offers(agents []Agent, r Rules, at, from, to time.Time) []Offer {
	type free struct {
		start int64 // Unix time in nanoseconds
		agent int
	}
	var all []free
	for i, agent := range agents {
		for slot := range agent.Schedule.Slots(r, at, from, to, agent.Busy) {
			all = append(all, free{slot.Start.UnixNano(), i})
		}
	}
	slices.SortFunc(all, func(a, b free) int { return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.agent, b.agent)) })
	ids := make([]string, len(all)) // shared by all offers
	var offers []Offer
	for i, slot := range all {
		ids[i] = agents[slot.agent].ID
		if i > 0 && slot.start == all[i-1].start {
			last := &offers[len(offers)-1]
			last.Agents = ids[i-len(last.Agents) : i+1 : i+1]
			continue
		}
		start := time.Unix(0, slot.start).UTC()
		offers = append(offers, Offer{Interval{start, start.Add(r.Length)}, ids[i : i+1 : i+1]})
	}
	return offers
}
