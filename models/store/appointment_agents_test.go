package store_test

import (
	"slices"
	"testing"
	"time"

	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
)

var staff = models.Actor{ID: "ac_staff"}

// PRF-6: what an absent agent had goes to another who works and is free then; where nobody is, the person must choose again. What is only held is given back.
func TestAgentAbsent(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	absent := storetest.Agent(t, o.Store, "UTC", storetest.Hours(180, "0 9 * * *"))
	lucky, unlucky, undecided, next := o.person(t), o.person(t), o.person(t), o.person(t)
	day := time.Date(2026, 11, 4, 9, 0, 0, 0, time.UTC)
	first := storetest.Booked(t, o.Store, o.ring, lucky, day, storetest.At)
	second := storetest.Booked(t, o.Store, o.ring, unlucky, day.Add(140*time.Minute), storetest.At)
	held, err := o.HoldSlot(t.Context(), undecided.ID, undecided.AccountID, day.Add(70*time.Minute), storetest.At)
	storetest.Must(t, err)
	other := storetest.Booked(t, o.Store, o.ring, next, day.AddDate(0, 0, 1), storetest.At)
	helper := storetest.Agent(t, o.Store, "Europe/Berlin", storetest.Hours(120, "50 9 * * *")) // 08:50 to 10:50 UTC, slots of its own
	link := storetest.LinkOf(t, o.Store, o.ring, first)

	moved, unstaffed, err := o.AgentAbsent(t.Context(), absent.ID, day.Add(-time.Hour), day.Add(10*time.Hour), staff, storetest.At.Add(time.Minute))
	storetest.Must(t, err)
	if moved != 1 || unstaffed != 1 {
		t.Fatalf("%d moved, %d unstaffed", moved, unstaffed)
	}
	o.wantAppointment(t, first.ID, models.AppointmentBooked, helper.ID, 1)
	o.wantAppointment(t, second.ID, models.AppointmentUnstaffed, absent.ID, 1)
	o.wantAppointment(t, held.ID, models.AppointmentReleased, absent.ID, 0)
	o.wantAppointment(t, other.ID, models.AppointmentBooked, absent.ID, 0)
	o.wantCase(t, lucky, models.ProofingScheduled)
	o.wantCase(t, unlucky, models.ProofingScheduling)
	_, err = o.BookAppointment(t.Context(), storetest.Booking(undecided, held), o.ring, storetest.At.Add(time.Minute))
	wantFault(t, err, models.HoldExpired)
	_, err = o.HoldSlot(t.Context(), undecided.ID, undecided.AccountID, day.Add(70*time.Minute), storetest.At.Add(time.Minute))
	wantFault(t, err, models.SlotNotOffered)
	mails := query[string](t, o.Store, "select string_agg(kind || ' ' || (params->>'cause'), ', ' order by kind) from notices where params->>'cause' is not null")
	if mails != "appointment_moved agent, reschedule unstaffed" {
		t.Errorf("mails: %s", mails)
	}
	if _, err := o.AppointmentByLink(t.Context(), link); err != nil {
		t.Errorf("the link of the mail before: %v", err)
	}
	again, unstaffed, err := o.AgentAbsent(t.Context(), absent.ID, day.Add(-time.Hour), day.Add(10*time.Hour), staff, storetest.At.Add(2*time.Minute))
	if err != nil || again+unstaffed != 0 {
		t.Fatalf("absent again: %d %d %v", again, unstaffed, err)
	}
}

func (o office) wantAppointment(t testing.TB, id string, status models.AppointmentStatus, agentID string, sequence int) {
	t.Helper()
	a, err := o.Appointment(t.Context(), id)
	storetest.Must(t, err)
	if a.Status != status || a.AgentID != agentID || a.Sequence != sequence {
		t.Errorf("%s of %s at sequence %d, want %s of %s at %d", a.Status, a.AgentID, a.Sequence, status, agentID, sequence)
	}
}

// PRF-6: who is booked already, full, or not at work, takes nothing over.
func TestNobodyTakesOver(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	hours := storetest.Hours(60, "0 9 * * *")
	absent, busy := storetest.Agent(t, o.Store, "UTC", hours), storetest.Agent(t, o.Store, "UTC", hours)
	day := time.Date(2026, 11, 4, 9, 0, 0, 0, time.UTC)
	a, b := storetest.Booked(t, o.Store, o.ring, o.person(t), day, storetest.At), storetest.Booked(t, o.Store, o.ring, o.person(t), day, storetest.At)
	if a.AgentID == b.AgentID {
		t.Fatal("one agent has both")
	}
	full := storetest.Agent(t, o.Store, "UTC", storetest.Hours(600, "0 9 * * *"))
	full.DailyCapacity = 1
	_, err := o.UpdateAgent(t.Context(), full, staff, storetest.At)
	storetest.Must(t, err)
	storetest.Booked(t, o.Store, o.ring, o.person(t), day.Add(140*time.Minute), storetest.At)
	short := storetest.Agent(t, o.Store, "UTC", storetest.Hours(25, "0 9 * * *"))
	moved, unstaffed, err := o.AgentAbsent(t.Context(), absent.ID, day, day.Add(time.Minute), staff, storetest.At)
	storetest.Must(t, err)
	if moved != 0 || unstaffed != 1 {
		t.Fatalf("%d moved, %d unstaffed; busy %s, full %s, short %s", moved, unstaffed, busy.ID, full.ID, short.ID)
	}
}

// PRF-6: agents fall ill while people book; nothing is lost, nobody waits for another for ever, and nobody is with an absent agent.
func TestAbsencesWhilePeopleBook(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	agents := make([]models.Agent, 4)
	for i := range agents {
		agents[i] = storetest.Agent(t, o.Store, "UTC", storetest.Hours(300, "0 9 * * *"))
	}
	people, offered := o.people(t, 24), o.slots(t, storetest.At, 3)
	day := time.Date(2026, 11, 4, 0, 0, 0, 0, time.UTC)
	answers := atOnce(len(people)+2, func(i int) error {
		if i >= len(people) {
			_, _, err := o.AgentAbsent(t.Context(), agents[i-len(people)].ID, day, day.AddDate(0, 0, 1), staff, storetest.At)
			return err
		}
		c := people[i]
		held, err := o.HoldSlot(t.Context(), c.ID, c.AccountID, offered[i%len(offered)], storetest.At)
		if err == nil {
			_, err = o.BookAppointment(t.Context(), storetest.Booking(c, held), o.ring, storetest.At)
		}
		return err
	})
	for slug := range answers {
		if !slices.Contains([]string{"", models.SlotTaken.Slug, models.HoldExpired.Slug, models.SlotNotOffered.Slug}, slug) {
			t.Errorf("answers: %v", answers)
		}
	}
	left := query[int](t, o.Store, `select count(*) from appointments a join agent_exceptions e on e.agent_id = a.agent_id and a.starts_at >= e.starts_at and a.starts_at < e.ends_at
		where a.status in ('held', 'booked')`)
	if left != 0 {
		t.Errorf("%d appointments are with an absent agent", left)
	}
	if torn := query[int](t, o.Store, `select count(*) from proofing_cases c where (status = 'scheduled') <> exists (select from appointments a where a.case_id = c.id and a.status = 'booked')`); torn != 0 {
		t.Errorf("%d cases do not agree with their appointments", torn)
	}
}

// PRF-6: a retired agent has no slots, and what was booked goes to others.
func TestRetiredAgent(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	one := storetest.Agent(t, o.Store, "UTC", storetest.Hours(60, "0 9 * * *"))
	a := storetest.Booked(t, o.Store, o.ring, o.person(t), o.slots(t, storetest.At, 3)[0], storetest.At)
	two := storetest.Agent(t, o.Store, "UTC", storetest.Hours(60, "0 9 * * *"))
	d, err := o.RetireAgent(t.Context(), one.ID, staff, "has left", storetest.At)
	storetest.Must(t, err)
	if d.Moved != 1 || d.Unstaffed != 0 {
		t.Fatalf("%+v", d)
	}
	o.wantAppointment(t, a.ID, models.AppointmentBooked, two.ID, 1)
	_, err = o.RetireAgent(t.Context(), one.ID, staff, "has left", storetest.At)
	wantFault(t, err, models.NoSuchThing)
	if d, err = o.RetireAgent(t.Context(), two.ID, staff, "has left", storetest.At); err != nil || d.Unstaffed != 1 {
		t.Fatalf("%+v %v", d, err)
	}
	if slots := o.slots(t, storetest.At, 20); len(slots) != 0 {
		t.Fatalf("%d slots of nobody", len(slots))
	}
}

// PRF-6: without an outcome the session is broken off, the person is asked to choose again, and somebody asks the agent.
func TestForgottenOutcome(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	agent := storetest.Agent(t, o.Store, "UTC", storetest.Hours(60, "0 9 * * *"))
	c := o.person(t)
	a := storetest.Booked(t, o.Store, o.ring, c, o.slots(t, storetest.At, 3)[0], storetest.At)
	for range 2 {
		_, err := o.AdvanceProofing(t.Context(), c.ID, a.EndsAt.Add(24*time.Hour))
		storetest.Must(t, err)
	}
	o.wantAppointment(t, a.ID, models.AppointmentUnheard, agent.ID, 0)
	o.wantCase(t, c, models.ProofingScheduling)
	if n := query[int](t, o.Store, "select count(*) from support_cases where subject_ref = $1", c.ID); n != 1 {
		t.Errorf("%d support cases", n)
	}
	if cause := query[string](t, o.Store, "select params->>'cause' from notices where kind = 'reschedule'"); cause != "technical" {
		t.Errorf("cause %s", cause)
	}
}

// PRF-5: what an agent cannot be, and hours that cannot be meant; everything that is wrong is named.
func TestWrongAgents(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	good := models.Agent{Name: "Grace", Email: "grace@agents.example", Zone: "Europe/Berlin"}
	for name, c := range map[string]struct {
		change func(*models.Agent)
		want   *models.FaultType
		field  string
	}{
		"no name":         {func(a *models.Agent) { a.Name = " " }, models.InvalidRequest, "/name"},
		"no address":      {func(a *models.Agent) { a.Email = "Grace <grace@agents.example>" }, models.InvalidRequest, "/email"},
		"no such zone":    {func(a *models.Agent) { a.Zone = "CEST" }, models.ZoneUnknown, "/zone"},
		"an odd capacity": {func(a *models.Agent) { a.DailyCapacity = -1 }, models.InvalidRequest, "/daily_capacity"},
	} {
		t.Run(name, func(t *testing.T) {
			a := good
			c.change(&a)
			_, err := o.CreateAgent(t.Context(), a, staff, storetest.At)
			wantFault(t, err, c.want)
			if f := models.FaultOf(err); f.Field != c.field {
				t.Errorf("at %q", f.Field)
			}
		})
	}
	a, err := o.CreateAgent(t.Context(), good, staff, storetest.At)
	storetest.Must(t, err)
	err = o.SetAgentHours(t.Context(), a.ID, []models.AgentWindow{{Expression: "0 9 * * 1-5", Minutes: 60}, {Expression: "@daily", Minutes: 60}, {Expression: "0 9 * * *", Minutes: 1441},
		{Expression: "0 9 30 2 *", Minutes: 60}}, staff, storetest.At)
	var fields []string
	for _, f := range models.FaultsOf(err) {
		fields = append(fields, f.Field)
	}
	if !slices.Equal(fields, []string{"/windows/1/expression", "/windows/2/minutes", "/windows/3/expression"}) {
		t.Errorf("faults at %v: %v", fields, err)
	}
	if hours, err := o.AgentHours(t.Context(), a.ID); err != nil || len(hours) != 0 {
		t.Errorf("%d windows: %v", len(hours), err)
	}
	day := "2026-02-30"
	for name, e := range map[string]models.AgentException{
		"no such day": {AgentID: a.ID, Kind: models.AgentHoliday, Day: &day},
		"no time":     {AgentID: a.ID, Kind: models.AgentClosed},
		"backwards":   {AgentID: a.ID, Kind: models.AgentExtra, StartsAt: &good.CreatedAt, EndsAt: &good.CreatedAt},
		"no kind":     {AgentID: a.ID},
	} {
		_, _, err := o.AddAgentException(t.Context(), e, staff, storetest.At)
		if models.FaultOf(err).Type != models.InvalidRequest {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// PRF-5: a preview shows hours on the wall of the agent's zone.
func TestPreviewOfHours(t *testing.T) {
	previews, err := store.PreviewAgentHours("Europe/Berlin", storetest.Hours(60, "0 9 * * MON"), 2, time.Date(2026, 10, 19, 12, 0, 0, 0, time.UTC))
	storetest.Must(t, err)
	want := []time.Time{time.Date(2026, 10, 26, 8, 0, 0, 0, time.UTC), time.Date(2026, 11, 2, 8, 0, 0, 0, time.UTC)}
	if len(previews) != 1 || !slices.EqualFunc(previews[0].Next, want, time.Time.Equal) {
		t.Fatalf("%+v", previews)
	}
	_, err = store.PreviewAgentHours("Nowhere", nil, 2, storetest.At)
	wantFault(t, err, models.ZoneUnknown)
}
