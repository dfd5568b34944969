package store_test

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
)

func (o office) people(t testing.TB, n int) []models.ProofingCase {
	t.Helper()
	cases := make([]models.ProofingCase, n)
	for i := range cases {
		cases[i] = o.person(t)
	}
	return cases
}

// PRF-5: of fifty people who want one slot of one agent at once, exactly one gets it; the others are told so and lose nothing.
func TestOneSlotRacedByFifty(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	storetest.Agent(t, o.Store, "UTC", storetest.Hours(30, "0 9 * * *"))
	people, start := o.people(t, 50), time.Date(2026, 11, 4, 9, 0, 0, 0, time.UTC)
	answers := atOnce(len(people), func(i int) error {
		_, err := o.HoldSlot(t.Context(), people[i].ID, people[i].AccountID, start, storetest.At)
		return err
	})
	if answers[""] != 1 || answers[models.SlotTaken.Slug] != 49 {
		t.Fatalf("answers: %v", answers)
	}
	for _, c := range people {
		o.wantCase(t, c, models.ProofingScheduling)
	}
	if n := query[int](t, o.Store, "select count(*) from appointments"); n != 1 {
		t.Fatalf("%d appointments", n)
	}
}

// PRF-5: fifty people for a time at which three agents are free.
func TestOneTimeOfThreeAgents(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	for range 3 {
		storetest.Agent(t, o.Store, "UTC", storetest.Hours(30, "0 9 * * *"))
	}
	people, start := o.people(t, 20), time.Date(2026, 11, 4, 9, 0, 0, 0, time.UTC)
	answers := atOnce(len(people), func(i int) error {
		held, err := o.HoldSlot(t.Context(), people[i].ID, people[i].AccountID, start, storetest.At)
		if err == nil {
			_, err = o.BookAppointment(t.Context(), storetest.Booking(people[i], held), o.ring, storetest.At)
		}
		return err
	})
	if answers[""] != 3 || answers[models.SlotTaken.Slug] != 17 {
		t.Fatalf("answers: %v", answers)
	}
	if n := query[int](t, o.Store, "select count(distinct agent_id) from appointments where status = 'booked'"); n != 3 {
		t.Fatalf("%d agents are booked", n)
	}
}

// PRF-5: two hundred people book from the slots of twelve agents at once; some change their minds. Nobody is booked twice, and every slot is booked or offered.
func TestTwoHundredPeopleBook(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	for i := range 12 {
		storetest.Agent(t, o.Store, []string{"UTC", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"}[i%4], storetest.Hours(180, fmt.Sprintf("%d 9 * * *", i%2*10)))
	}
	p := o.policy(t)
	week := func() []store.Slot {
		slots, err := o.Slots(t.Context(), store.SlotQuery{From: storetest.At, To: storetest.At.AddDate(0, 0, 4), Policy: p}, storetest.At)
		storetest.Must(t, err)
		return slots
	}
	people, all := o.people(t, 200), week()
	supply := o.supply(t, all)
	var refused atomic.Int64
	answers := atOnce(len(people), func(i int) error {
		c, chance := people[i], rand.New(rand.NewPCG(uint64(i), 4))
		for {
			offered, err := o.Slots(t.Context(), store.SlotQuery{From: storetest.At, To: storetest.At.AddDate(0, 0, 4), Policy: p}, storetest.At)
			if err != nil || len(offered) == 0 {
				return err
			}
			held, err := o.HoldSlot(t.Context(), c.ID, c.AccountID, offered[chance.IntN(min(len(offered), 30))].StartsAt, storetest.At)
			if models.KindOf(err) == models.Conflict && err != nil {
				refused.Add(1)
				continue
			}
			if err != nil {
				return err
			}
			if chance.IntN(4) == 0 {
				if err := o.ReleaseHold(t.Context(), c.ID, c.AccountID, held.ID, storetest.At); err != nil {
					return err
				}
				continue
			}
			_, err = o.BookAppointment(t.Context(), storetest.Booking(c, held), o.ring, storetest.At)
			if err == nil && chance.IntN(3) == 0 {
				offered, listErr := o.Slots(t.Context(), store.SlotQuery{From: storetest.At, To: storetest.At.AddDate(0, 0, 4), Policy: p}, storetest.At)
				if listErr != nil || len(offered) == 0 {
					return listErr
				}
				_, err = o.RescheduleAppointment(t.Context(), c.ID, c.AccountID, offered[chance.IntN(len(offered))].StartsAt, o.ring, storetest.At)
				if models.FaultOf(err).Type == models.SlotTaken {
					err = nil
				}
			}
			return err
		}
	})
	if answers[""] != len(people) {
		t.Fatalf("answers: %v", answers)
	}
	t.Logf("%d slots of agents, %d times; %d holds were refused", supply, len(all), refused.Load())
	if n := query[int](t, o.Store, "select count(*) from appointments where status = 'booked'"); n != 200 {
		t.Fatalf("%d are booked", n)
	}
	twice := query[int](t, o.Store, `select count(*) from appointments a join appointments b on a.agent_id = b.agent_id and a.id < b.id
		and tstzrange(a.starts_at, a.blocked_until) && tstzrange(b.starts_at, b.blocked_until) where a.status = 'booked' and b.status = 'booked'`)
	if twice != 0 {
		t.Fatalf("%d are booked twice", twice)
	}
	if left := o.supply(t, week()); left+200 != supply {
		t.Fatalf("%d slots of agents before; %d are left with 200 booked", supply, left)
	}
}

// supply counts the slots of single agents at these times that nobody has, as the database works them out of the hours.
func (o office) supply(t *testing.T, times []store.Slot) (n int) {
	t.Helper()
	for _, s := range times {
		n += query[int](t, o.Store, `select count(*) from proofing_agents a join agent_windows w on w.agent_id = a.id
			cross join lateral (select ($1::timestamptz at time zone a.zone) as wall) l
			cross join lateral (select extract(hour from wall) * 60 + extract(minute from wall) - 540 - split_part(w.expression, ' ', 1)::int as after) m
			where after >= 0 and after + 30 <= w.minutes and mod(after::int, 35) = 0
			  and not exists (select from appointments p where p.agent_id = a.id and p.status in ('held', 'booked') and p.starts_at = $1)`, s.StartsAt)
	}
	return n
}

// PRF-5: a hold ends by itself: the slot is offered again, somebody else may hold it, and its holder is told.
func TestExpiredHold(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	storetest.Agent(t, o.Store, "UTC", storetest.Hours(30, "0 9 * * *"))
	slow, quick := o.person(t), o.person(t)
	start := o.slots(t, storetest.At, 3)[0]
	held, err := o.HoldSlot(t.Context(), slow.ID, slow.AccountID, start, storetest.At)
	storetest.Must(t, err)
	if !held.HeldUntil.Equal(storetest.At.Add(10 * time.Minute)) {
		t.Fatalf("held until %v", held.HeldUntil)
	}
	_, err = o.HoldSlot(t.Context(), quick.ID, quick.AccountID, start, storetest.At.Add(10*time.Minute-time.Second))
	wantFault(t, err, models.SlotTaken)
	over := storetest.At.Add(10 * time.Minute)
	if first := o.slots(t, over, 3)[0]; !first.Equal(start) {
		t.Fatalf("the first slot is %v", first)
	}
	_, err = o.BookAppointment(t.Context(), storetest.Booking(slow, held), o.ring, over)
	wantFault(t, err, models.HoldExpired)
	storetest.Booked(t, o.Store, o.ring, quick, start, over)
	_, err = o.BookAppointment(t.Context(), storetest.Booking(slow, held), o.ring, over)
	wantFault(t, err, models.HoldExpired)
	_, err = o.BookAppointment(t.Context(), storetest.Booking(slow, held), o.ring, storetest.At) // by a clock that is behind
	wantFault(t, err, models.HoldExpired)
}

// PRF-5: a person holds one slot at a time, their own, and not without end.
func TestHolding(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	storetest.Agent(t, o.Store, "UTC", storetest.Hours(400, "0 9 * * *"))
	c, other := o.person(t), o.person(t)
	offered := o.slots(t, storetest.At, 3)
	first, err := o.HoldSlot(t.Context(), c.ID, c.AccountID, offered[0], storetest.At)
	storetest.Must(t, err)
	second, err := o.HoldSlot(t.Context(), c.ID, c.AccountID, offered[1], storetest.At)
	storetest.Must(t, err)
	if now := o.slots(t, storetest.At, 3); len(now) != len(offered)-1 || !now[0].Equal(offered[0]) {
		t.Fatalf("%d slots beside one hold", len(now))
	}
	_, err = o.BookAppointment(t.Context(), storetest.Booking(c, first), o.ring, storetest.At)
	wantFault(t, err, models.HoldExpired)
	_, err = o.BookAppointment(t.Context(), storetest.Booking(other, second), o.ring, storetest.At)
	wantFault(t, err, models.NoSuchThing)
	_, err = o.HoldSlot(t.Context(), c.ID, other.AccountID, offered[2], storetest.At)
	wantFault(t, err, models.NoSuchThing)
	wantFault(t, o.ReleaseHold(t.Context(), other.ID, other.AccountID, second.ID, storetest.At), models.NoSuchThing)
	storetest.Must(t, o.ReleaseHold(t.Context(), c.ID, c.AccountID, second.ID, storetest.At))
	storetest.Must(t, o.ReleaseHold(t.Context(), c.ID, c.AccountID, second.ID, storetest.At))
	if now := o.slots(t, storetest.At, 3); len(now) != len(offered) {
		t.Fatalf("%d slots without a hold", len(now))
	}
	for i := range 18 {
		_, err = o.HoldSlot(t.Context(), c.ID, c.AccountID, offered[i%2], storetest.At.Add(time.Duration(i)*time.Second))
		storetest.Must(t, err)
	}
	_, err = o.HoldSlot(t.Context(), c.ID, c.AccountID, offered[0], storetest.At.Add(time.Minute))
	wantFault(t, err, models.TooManyTries)
	_, err = o.HoldSlot(t.Context(), c.ID, c.AccountID, offered[0], storetest.At.Add(time.Hour+time.Minute))
	storetest.Must(t, err)
}

// PRF-5: what cannot be held or booked, each with its own answer.
func TestWrongSlotsAndContacts(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	storetest.Agent(t, o.Store, "UTC", storetest.Hours(60, "0 9 * * *"))
	c := o.person(t)
	for name, w := range map[string]struct {
		start time.Time
		want  *models.FaultType
	}{
		"in the past":          {storetest.At.AddDate(0, 0, -1), models.SlotInPast},
		"within the notice":    {storetest.At.Add(time.Hour), models.SlotInPast},
		"between two slots":    {time.Date(2026, 11, 4, 9, 10, 0, 0, time.UTC), models.SlotNotOffered},
		"after hours":          {time.Date(2026, 11, 4, 21, 0, 0, 0, time.UTC), models.SlotNotOffered},
		"beyond the horizon":   {time.Date(2027, 11, 4, 9, 0, 0, 0, time.UTC), models.SlotNotOffered},
		"by less than minutes": {time.Date(2026, 11, 4, 9, 0, 0, 1000, time.UTC), models.SlotNotOffered},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := o.HoldSlot(t.Context(), c.ID, c.AccountID, w.start, storetest.At)
			wantFault(t, err, w.want)
		})
	}
	held, err := o.HoldSlot(t.Context(), c.ID, c.AccountID, time.Date(2026, 11, 4, 9, 0, 0, 0, time.UTC), storetest.At)
	storetest.Must(t, err)
	for name, w := range map[string]struct {
		change func(*store.Booking)
		want   *models.FaultType
		field  string
	}{
		"an unknown zone":     {func(b *store.Booking) { b.Zone = "Europe/Atlantis" }, models.ZoneUnknown, "/time_zone"},
		"the machine's zone":  {func(b *store.Booking) { b.Zone = "Local" }, models.ZoneUnknown, "/time_zone"},
		"a zone that is none": {func(b *store.Booking) { b.Zone = "../../etc/passwd" }, models.ZoneUnknown, "/time_zone"},
		"no zone":             {func(b *store.Booking) { b.Zone = "" }, models.ZoneUnknown, "/time_zone"},
		"a national number":   {func(b *store.Booking) { b.Phone = "0415 555 0123" }, models.InvalidRequest, "/phone"},
		"two addresses":       {func(b *store.Booking) { b.Email = "a@example.com, b@example.com" }, models.InvalidRequest, "/email"},
		"a header":            {func(b *store.Booking) { b.Email = "a@example.com\r\nBcc: b@example.com" }, models.InvalidRequest, "/email"},
	} {
		t.Run(name, func(t *testing.T) {
			b := storetest.Booking(c, held)
			w.change(&b)
			_, err := o.BookAppointment(t.Context(), b, o.ring, storetest.At)
			wantFault(t, err, w.want)
			if f := models.FaultOf(err); f.Field != w.field {
				t.Errorf("at %q", f.Field)
			}
		})
	}
	_, err = o.BookAppointment(t.Context(), storetest.Booking(c, held), o.ring, storetest.At)
	storetest.Must(t, err)
	_, err = o.BookAppointment(t.Context(), storetest.Booking(c, held), o.ring, storetest.At)
	wantFault(t, err, models.StateForbids)
	_, err = o.HoldSlot(t.Context(), c.ID, c.AccountID, time.Date(2026, 11, 5, 9, 0, 0, 0, time.UTC), storetest.At)
	wantFault(t, err, models.StateForbids)
}
