package store_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
)

// PRF-5: hours are hours on the agent's wall, whatever clocks do. All are read from the database and listed as a person sees them.
func TestSlotsOverChangesOfClocks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		zone          string
		spring, fall  time.Time // days on which clocks change, between 01:00 and 04:00
		short, longer int       // slots of 01:00 to 04:00 on these days; 5 on others
	}{
		{"America/New_York", date(2027, 3, 14), date(2027, 11, 7), 3, 7},
		{"Europe/Berlin", date(2027, 3, 28), date(2027, 10, 31), 3, 7},
		{"Australia/Lord_Howe", date(2027, 10, 3), date(2027, 4, 4), 4, 6}, // by half an hour, and in the other half of the year
	} {
		t.Run(c.zone, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			zone, err := time.LoadLocation(c.zone)
			storetest.Must(t, err)
			storetest.Agent(t, o.Store, c.zone, append(storetest.Hours(70, "0 9 * * *"), storetest.Hours(180, "0 1 * * *")...))
			for change, want := range map[time.Time]int{c.spring: c.short, c.fall: c.longer} {
				o.wantChange(t, zone, change, want)
			}
		})
	}
}

func date(year int, month time.Month, day int) time.Time {
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

// wantChange lists the week around a change of clocks: mornings are on the wall as ever, and the night of the change is shorter or longer.
func (o office) wantChange(t *testing.T, zone *time.Location, change time.Time, want int) {
	t.Helper()
	first := time.Date(change.Year(), change.Month(), change.Day()-3, 0, 0, 0, 0, zone)
	at := first.Add(-24 * time.Hour)
	listed, err := o.Slots(t.Context(), store.SlotQuery{From: first, To: first.AddDate(0, 0, 7), Policy: o.policy(t)}, at)
	storetest.Must(t, err)
	mornings, nights := map[string][]string{}, map[string]int{}
	for i, s := range listed {
		if i > 0 && s.StartsAt.Sub(listed[i-1].StartsAt) < 35*time.Minute {
			t.Errorf("%v follows %v", s.StartsAt, listed[i-1].StartsAt)
		}
		local := s.StartsAt.In(zone)
		if local.Hour() >= 9 {
			mornings[local.Format(time.DateOnly)] = append(mornings[local.Format(time.DateOnly)], local.Format("15:04"))
		} else {
			nights[local.Format(time.DateOnly)]++
		}
	}
	for i := range 7 {
		day := first.AddDate(0, 0, i).Format(time.DateOnly)
		if !slices.Equal(mornings[day], []string{"09:00", "09:35"}) {
			t.Errorf("%s: the morning of %s is %v", zone, day, mornings[day])
		}
		usual := 5
		if day == change.Format(time.DateOnly) {
			usual = want
		}
		if nights[day] != usual {
			t.Errorf("%s: the night of %s has %d slots, not %d", zone, day, nights[day], usual)
		}
	}
}

// PRF-5: what is listed is what can be held, on the days of a change too, and the agent's day shows it.
func TestHoldOverAChangeOfClocks(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	agent := storetest.Agent(t, o.Store, "America/New_York", storetest.Hours(180, "0 0 * * *"))
	c := o.person(t)
	at := time.Date(2027, 3, 13, 12, 0, 0, 0, time.UTC)
	for _, start := range o.slots(t, at, 2) {
		held, err := o.HoldSlot(t.Context(), c.ID, c.AccountID, start, at)
		storetest.Must(t, err)
		if !held.StartsAt.Equal(start) {
			t.Fatalf("held %v for %v", held.StartsAt, start)
		}
	}
	missing := time.Date(2027, 3, 14, 7, 20, 0, 0, time.UTC) // 03:20, in no step of the series
	_, err := o.HoldSlot(t.Context(), c.ID, c.AccountID, missing, at)
	wantFault(t, err, models.SlotNotOffered)
	booked := storetest.Booked(t, o.Store, o.ring, c, o.slots(t, at, 2)[0], at)
	day, err := o.AgentDay(t.Context(), agent.ID, dayIn(t, booked.StartsAt, "America/New_York"))
	storetest.Must(t, err)
	if len(day) != 1 || day[0].ID != booked.ID || day[0].LegalName != "Ada Lovelace" || day[0].Country != "US" || day[0].Attempt != 1 {
		t.Fatalf("%+v", day)
	}
}

// PRF-5: notice, horizon, buffer, exceptions and full days.
func TestWhatIsOffered(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	agent := storetest.Agent(t, o.Store, "UTC", storetest.Hours(120, "0 9 * * *", "0 18 * * *"))
	first := func(at time.Time) time.Time { return o.slots(t, at, 40)[0] }
	morning := func(day int, clock string) time.Time {
		at, err := time.Parse("2006-01-02 15:04", fmt.Sprintf("2026-11-%02d %s", day, clock))
		storetest.Must(t, err)
		return at
	}
	t.Run("notice", func(t *testing.T) {
		if got := first(morning(3, "05:00")); !got.Equal(morning(3, "09:00")) {
			t.Errorf("four hours before: %v", got)
		}
		if got := first(morning(3, "05:01")); !got.Equal(morning(3, "09:35")) {
			t.Errorf("a minute later: %v", got)
		}
	})
	t.Run("horizon", func(t *testing.T) {
		all := o.slots(t, morning(1, "09:00"), 60)
		if last := all[len(all)-1]; !last.Equal(time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)) {
			t.Errorf("the last one is %v", last)
		}
		c := o.person(t)
		_, err := o.HoldSlot(t.Context(), c.ID, c.AccountID, time.Date(2026, 12, 1, 9, 35, 0, 0, time.UTC), morning(1, "09:00"))
		wantFault(t, err, models.SlotNotOffered)
	})
	t.Run("exceptions", func(t *testing.T) {
		holiday, from, to := "2026-11-04", morning(5, "09:10"), morning(5, "09:20")
		for _, e := range []models.AgentException{
			{AgentID: agent.ID, Kind: models.AgentHoliday, Day: &holiday},
			{AgentID: agent.ID, Kind: models.AgentClosed, StartsAt: &from, EndsAt: &to},
		} {
			_, _, err := o.AddAgentException(t.Context(), e, models.Actor{ID: "test"}, storetest.At)
			storetest.Must(t, err)
		}
		if got := first(morning(4, "00:00")); !got.Equal(morning(5, "09:20")) {
			t.Errorf("after a holiday, and a closure: %v", got)
		}
		listed, err := o.AgentExceptions(t.Context(), agent.ID, storetest.At)
		storetest.Must(t, err)
		if len(listed) != 2 || *listed[0].Day != holiday {
			t.Fatalf("%+v", listed)
		}
		storetest.Must(t, o.RemoveAgentException(t.Context(), agent.ID, listed[0].ID, models.Actor{ID: "test"}, storetest.At))
		if got := first(morning(4, "00:00")); !got.Equal(morning(4, "09:00")) {
			t.Errorf("without the holiday: %v", got)
		}
		wantFault(t, o.RemoveAgentException(t.Context(), agent.ID, listed[0].ID, models.Actor{ID: "test"}, storetest.At), models.NoSuchThing)
	})
	t.Run("a full day", func(t *testing.T) {
		agent.DailyCapacity = 2
		_, err := o.UpdateAgent(t.Context(), agent, models.Actor{ID: "test"}, storetest.At)
		storetest.Must(t, err)
		at := morning(7, "00:00")
		storetest.Booked(t, o.Store, o.ring, o.person(t), morning(8, "09:00"), at)
		cancelled := o.person(t)
		storetest.Booked(t, o.Store, o.ring, cancelled, morning(8, "09:35"), at)
		for _, start := range o.slots(t, at, 3) {
			if start.Day() == 8 {
				t.Errorf("%v is offered on a full day", start)
			}
		}
		c := o.person(t)
		_, err = o.HoldSlot(t.Context(), c.ID, c.AccountID, morning(8, "18:00"), at)
		wantFault(t, err, models.SlotTaken)
		storetest.Must(t, o.CancelAppointment(t.Context(), cancelled.ID, cancelled.AccountID, at))
		_, err = o.HoldSlot(t.Context(), c.ID, c.AccountID, morning(8, "18:00"), at)
		storetest.Must(t, err)
	})
	t.Run("backwards", func(t *testing.T) {
		_, err := o.Slots(t.Context(), store.SlotQuery{From: morning(4, "00:00"), To: morning(3, "00:00"), Policy: o.policy(t)}, storetest.At)
		wantFault(t, err, models.InvalidRequest)
	})
}

// PRF-5: an extra opening may lie anywhere; what is booked keeps the buffer around it on both sides.
func TestBuffer(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	agent := storetest.Agent(t, o.Store, "UTC", storetest.Hours(105, "0 9 * * *")) // 09:00, 09:35, 10:10
	day := time.Date(2026, 11, 5, 9, 0, 0, 0, time.UTC)
	storetest.Booked(t, o.Store, o.ring, o.person(t), day.Add(35*time.Minute), storetest.At)
	storetest.Must(t, o.SetAgentHours(t.Context(), agent.ID, storetest.Hours(120, "3 9 * * *"), models.Actor{ID: "test"}, storetest.At)) // 09:03, 09:38, 10:13
	var starts []string
	for _, start := range o.slots(t, storetest.At, 5) {
		if start.Day() == 5 {
			starts = append(starts, start.Format("15:04"))
		}
	}
	if !slices.Equal(starts, []string{"10:13"}) { // 09:03 would end within five minutes of 09:35
		t.Fatalf("offered: %v", starts)
	}
}
