package availability

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var rules = Rules{Length: 30 * time.Minute, Buffer: 5 * time.Minute, Notice: 4 * time.Hour, Horizon: 30 * 24 * time.Hour}

// starts are the starts of slots as clock times in a zone.
func starts(slots iter.Seq[Interval], zone *time.Location) []string {
	var s []string
	for slot := range slots {
		s = append(s, slot.Start.In(zone).Format("2 15:04"))
	}
	return s
}

// PRF-5, default policy: 30 minutes, buffer 5, notice at least 4 hours, horizon 30 days.
func TestSlots(t *testing.T) {
	newYork := zone(t, "America/New_York")
	at := func(day, hour, minute int) time.Time { return time.Date(2026, 6, day, hour, minute, 0, 0, newYork) }
	morning := Schedule{Zone: newYork, Windows: []Window{{expression(t, "0 9 * * *"), 2*time.Hour + 15*time.Minute}}}
	all := []string{"10 09:00", "10 09:35", "10 10:10", "10 10:45"}
	with := func(change func(*Schedule)) Schedule {
		s := morning
		change(&s)
		return s
	}
	for _, c := range []struct {
		name         string
		s            Schedule
		at, from, to time.Time
		busy         []Interval
		want         []string
	}{
		{"a morning", morning, at(1, 0, 0), at(10, 0, 0), at(11, 0, 0), nil, all},
		{"the range's end is excluded", morning, at(1, 0, 0), at(10, 9, 35), at(10, 10, 45), nil, all[1:3]},
		{"the range does not move slots", morning, at(1, 0, 0), at(10, 9, 1), at(10, 10, 11), nil, all[1:3]},
		{"notice", morning, at(10, 5, 35), at(10, 0, 0), at(11, 0, 0), nil, all[1:]},
		{"notice, a moment later", morning, at(10, 5, 35).Add(1), at(10, 0, 0), at(11, 0, 0), nil, all[2:]},
		{"horizon", morning, at(-20, 9, 35), at(10, 0, 0), at(11, 0, 0), nil, all[:2]},
		{"in the past", morning, at(20, 0, 0), at(10, 0, 0), at(11, 0, 0), nil, nil},
		{"a slot is booked", morning, at(1, 0, 0), at(10, 0, 0), at(11, 0, 0), []Interval{{at(10, 9, 35), at(10, 10, 5)}}, []string{all[0], all[2], all[3]}},
		{"busy within the buffer", morning, at(1, 0, 0), at(10, 0, 0), at(11, 0, 0), []Interval{{at(10, 8, 0), at(10, 8, 56)}}, all[1:]},
		{"busy just outside the buffer", morning, at(1, 0, 0), at(10, 0, 0), at(11, 0, 0), []Interval{{at(10, 8, 0), at(10, 8, 55)}, {at(10, 11, 20), at(10, 12, 0)}}, all},
		{"busy in disorder", morning, at(1, 0, 0), at(10, 0, 0), at(11, 0, 0), []Interval{{at(10, 11, 0), at(10, 11, 1)}, {at(10, 9, 0), at(10, 9, 30)}, {at(9, 9, 0), at(9, 9, 30)}}, all[1:3]},
		{"a closure begins a new series", with(func(s *Schedule) { s.Closed = []Interval{{at(10, 9, 30), at(10, 10, 0)}} }), at(1, 0, 0), at(10, 0, 0), at(11, 0, 0), nil,
			[]string{"10 09:00", "10 10:00", "10 10:35"}},
		{"hours that meet are one series", Schedule{Zone: newYork, Windows: []Window{{expression(t, "0 9-11 * * *"), time.Hour}}}, at(1, 0, 0), at(10, 0, 0), at(11, 0, 0), nil,
			[]string{"10 09:00", "10 09:35", "10 10:10", "10 10:45", "10 11:20"}},
		{"a night goes on over midnight", Schedule{Zone: newYork, Windows: []Window{{expression(t, "0 23 * * *"), 2 * time.Hour}}}, at(1, 0, 0), at(10, 12, 0), at(11, 12, 0), nil,
			[]string{"10 23:00", "10 23:35", "11 00:10"}},
		{"never closed: each day begins anew, the buffer before it is kept", Schedule{Zone: newYork, Windows: []Window{{expression(t, "20 0 * * *"), 24 * time.Hour}}}, at(1, 0, 0), at(10, 23, 0), at(11, 1, 0), nil,
			[]string{"10 23:05", "10 23:40", "11 00:20", "11 00:55"}},
		{"a gap below the buffer", Schedule{Zone: newYork, Windows: []Window{{expression(t, "0 9 * * *"), 30 * time.Minute}, {expression(t, "33 9 * * *"), 30 * time.Minute}}}, at(1, 0, 0), at(10, 0, 0), at(11, 0, 0), nil,
			[]string{"10 09:33"}},
		{"too short for any", Schedule{Zone: newYork, Windows: []Window{{expression(t, "0 9 * * *"), 29 * time.Minute}}}, at(1, 0, 0), at(10, 0, 0), at(11, 0, 0), nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := starts(c.s.Slots(rules, c.at, c.from, c.to, c.busy), newYork); !slices.Equal(got, c.want) {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

// PRF-5: slots are as long as ever on the day on which clocks change; only their names repeat or are missing.
func TestSlotsWhereClocksChange(t *testing.T) {
	hourly := Rules{Length: 30 * time.Minute, Horizon: 720 * time.Hour}
	for _, c := range []struct {
		zone string
		day  Date
		want []string
	}{
		{"America/New_York", Date{2026, 3, 8}, []string{"8 01:00", "8 01:30", "8 03:00", "8 03:30"}},
		{"America/New_York", Date{2026, 11, 1}, []string{"1 01:00", "1 01:30", "1 01:00", "1 01:30", "1 02:00", "1 02:30", "1 03:00", "1 03:30"}},
		{"Europe/Berlin", Date{2026, 3, 29}, []string{"29 01:00", "29 01:30", "29 03:00", "29 03:30"}},
		{"Europe/Berlin", Date{2026, 10, 25}, []string{"25 01:00", "25 01:30", "25 02:00", "25 02:30", "25 02:00", "25 02:30", "25 03:00", "25 03:30"}},
		{"Australia/Lord_Howe", Date{2026, 10, 4}, []string{"4 01:00", "4 01:30", "4 02:30", "4 03:00", "4 03:30"}},
		{"Australia/Lord_Howe", Date{2026, 4, 5}, []string{"5 01:00", "5 01:30", "5 01:30", "5 02:00", "5 02:30", "5 03:00", "5 03:30"}},
		{"Australia/Sydney", Date{2026, 10, 4}, []string{"4 01:00", "4 01:30", "4 03:00", "4 03:30"}},
		{"America/Santiago", Date{2026, 9, 6}, []string{"6 01:00", "6 01:30", "6 02:00", "6 02:30", "6 03:00", "6 03:30"}},
	} {
		s := Schedule{Zone: zone(t, c.zone), Windows: []Window{{expression(t, "0 1 * * *"), 3 * time.Hour}}}
		from := reached(c.day, 0, s.Zone)
		if got := starts(s.Slots(hourly, from, from, from.Add(12*time.Hour), nil), s.Zone); !slices.Equal(got, c.want) {
			t.Errorf("%s %v: %v, want %v", c.zone, c.day, got, c.want)
		}
	}
}

// PRF-5: whatever the schedule, slots keep every rule, and do not depend on who asks for what range.
func TestSlotsKeepTheRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, from, to := anySchedule(t)
		minutes := func(name string, from, to int) time.Duration {
			return time.Duration(rapid.IntRange(from, to).Draw(t, name)) * time.Minute
		}
		r := Rules{Length: minutes("length", 1, 120), Buffer: minutes("buffer", 0, 60), Notice: minutes("notice", 0, 600), Horizon: minutes("horizon", 1, 6000)}
		if err := r.Validate(); err != nil {
			t.Fatal(err)
		}
		at := from.Add(minutes("at", -3000, 3000))
		var busy []Interval
		for range rapid.IntRange(0, 4).Draw(t, "busy") {
			start := from.Add(minutes("busy from", -100, 4*1440))
			busy = append(busy, Interval{start, start.Add(minutes("busy for", 1, 90))})
		}
		slots := slices.Collect(s.Slots(r, at, from, to, busy))
		openings := slices.Collect(s.Openings(from, to.Add(r.Length)))
		for i, slot := range slots {
			switch {
			case slot.End.Sub(slot.Start) != r.Length:
				t.Fatalf("%v: wrong length", slot)
			case i > 0 && slot.Start.Before(slots[i-1].End.Add(r.Buffer)):
				t.Fatalf("%v comes too near %v", slot, slots[i-1])
			case slot.Start.Before(from) || !slot.Start.Before(to):
				t.Fatalf("%v is out of range", slot)
			case slot.Start.Before(at.Add(r.Notice)) || slot.Start.After(at.Add(r.Horizon)):
				t.Fatalf("%v is out of notice or horizon", slot)
			case !slices.ContainsFunc(openings, func(o Interval) bool { return !slot.Start.Before(o.Start) && !slot.End.After(o.End) }):
				t.Fatalf("%v is out of hours %v", slot, openings)
			case slices.ContainsFunc(busy, func(b Interval) bool {
				return slot.Overlaps(Interval{b.Start.Add(-r.Buffer), b.End.Add(r.Buffer)})
			}):
				t.Fatalf("%v is busy: %v", slot, busy)
			case !s.Free(r, at, slot, busy):
				t.Fatalf("%v is not free when looked up alone", slot)
			case s.Free(r, at, slot, append(slices.Clone(busy), slot)):
				t.Fatalf("%v is free twice", slot)
			}
		}
		middle := from.Add(time.Duration(rapid.Int64Range(0, int64(to.Sub(from))).Draw(t, "middle")))
		halves := slices.Collect(s.Slots(r, at, from, middle, busy))
		halves = append(halves, slices.Collect(s.Slots(r, at, middle, to, busy))...)
		if !slices.EqualFunc(slots, halves, same) {
			t.Fatalf("cut at %v: %v, not %v", middle, halves, slots)
		}
		for b := range busy { // less that is busy: never fewer slots, and none other moves
			fewer := slices.Delete(slices.Clone(busy), b, b+1)
			for _, slot := range slots {
				if !s.Free(r, at, slot, fewer) {
					t.Fatalf("%v is lost without %v", slot, busy[b])
				}
			}
		}
	})
}

// PRF-5: the slots of all agents, each once, with who is free.
func TestOffers(t *testing.T) {
	at := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	agents := staff(t, 12, at)
	offers := Offers(agents, rules, at, at, at.AddDate(0, 0, 30))
	want := map[string][]string{}
	for _, a := range agents {
		for slot := range a.Schedule.Slots(rules, at, at, at.AddDate(0, 0, 30), a.Busy) {
			key := slot.Start.UTC().String()
			want[key] = append(want[key], a.ID)
		}
	}
	for i, o := range offers {
		if i > 0 && !offers[i-1].Start.Before(o.Start) {
			t.Fatalf("%v after %v", o, offers[i-1])
		}
		if !slices.Equal(o.Agents, want[o.Start.String()]) || o.End.Sub(o.Start) != rules.Length {
			t.Fatalf("%v, want %v", o, want[o.Start.String()])
		}
	}
	if len(offers) != len(want) || len(offers) < 500 {
		t.Errorf("%d offers, want %d", len(offers), len(want))
	}
	if got := Offers(nil, rules, at, at, at.AddDate(0, 0, 30)); len(got) != 0 {
		t.Error(got)
	}
}

// PRF-5: rules without slots or without end.
func TestRules(t *testing.T) {
	if err := rules.Validate(); err != nil {
		t.Error(err)
	}
	for _, change := range []func(*Rules){
		func(r *Rules) { r.Length = 0 }, func(r *Rules) { r.Length = -time.Hour }, func(r *Rules) { r.Length = 25 * time.Hour },
		func(r *Rules) { r.Buffer = -1 }, func(r *Rules) { r.Notice = -1 }, func(r *Rules) { r.Horizon = -1 }, func(r *Rules) { r.Buffer = 1 << 62 },
	} {
		r := rules
		change(&r)
		if err := r.Validate(); !errors.Is(err, ErrRules) {
			t.Errorf("%+v: %v", r, err)
		}
	}
}

func ExampleSchedule_Slots() {
	zone, _ := Zone("Europe/Berlin")
	mornings, _ := ParseExpression("0 9 * * MON-FRI")
	agent := Schedule{Zone: zone, Windows: []Window{{Starts: mornings, Lasts: 2 * time.Hour}}}
	now := time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC) // clocks change in the night to the 29th
	booked := []Interval{{time.Date(2026, 3, 30, 7, 35, 0, 0, time.UTC), time.Date(2026, 3, 30, 8, 5, 0, 0, time.UTC)}}
	for slot := range agent.Slots(rules, now, now, now.AddDate(0, 0, 2), booked) {
		fmt.Println(slot.Start.In(zone).Format(time.RFC3339))
	}
	// Output:
	// 2026-03-30T09:00:00+02:00
	// 2026-03-30T10:10:00+02:00
}
