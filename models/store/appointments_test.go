package store_test

import (
	"testing"
	"time"

	"tokendesk/internal/availability"
	"tokendesk/internal/seal"
	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
)

// office is a store with people who are to choose a slot.
type office struct {
	*store.Store
	ring *seal.Keyring
}

func newOffice(t testing.TB) office { return office{storetest.New(t), storetest.Keyring(t)} }

func (o office) person(t testing.TB) models.ProofingCase {
	t.Helper()
	return storetest.ToSchedule(t, o.Store, o.ring, storetest.Account(t, o.Store))
}

func (o office) policy(t testing.TB) models.Policy {
	t.Helper()
	p, err := o.CurrentPolicy(t.Context(), storetest.At)
	storetest.Must(t, err)
	return p
}

// slots lists what is offered from a moment on for some days.
func (o office) slots(t testing.TB, at time.Time, days int) []time.Time {
	t.Helper()
	listed, err := o.Slots(t.Context(), store.SlotQuery{From: at, To: at.AddDate(0, 0, days), Policy: o.policy(t)}, at)
	storetest.Must(t, err)
	starts := make([]time.Time, len(listed))
	for i, s := range listed {
		if s.EndsAt.Sub(s.StartsAt) != 30*time.Minute {
			t.Fatalf("a slot of %v", s.EndsAt.Sub(s.StartsAt))
		}
		starts[i] = s.StartsAt
	}
	return starts
}

// PRF-5, PRF-6: an appointment is held, booked, moved and cancelled; each change rises its sequence, mails once, and frees what it leaves.
func TestLifeOfAnAppointment(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	storetest.Agent(t, o.Store, "America/New_York", storetest.Hours(180, "0 9 * * 1-5"))
	c := o.person(t)
	offered := o.slots(t, storetest.At, 7)
	if len(offered) != 4*5+2 || !offered[0].Equal(time.Date(2026, 11, 3, 14, 0, 0, 0, time.UTC)) {
		t.Fatalf("%d slots, the first at %v", len(offered), offered[0])
	}
	held, err := o.HoldSlot(t.Context(), c.ID, c.AccountID, offered[0], storetest.At)
	storetest.Must(t, err)
	if now := o.slots(t, storetest.At, 7); len(now) != len(offered)-1 {
		t.Fatalf("%d slots beside a hold", len(now))
	}
	a, err := o.BookAppointment(t.Context(), storetest.Booking(c, held), o.ring, storetest.At)
	storetest.Must(t, err)
	if a.Status != models.AppointmentBooked || a.Sequence != 0 || a.HeldUntil != nil {
		t.Fatalf("%+v", a)
	}
	o.wantCase(t, c, models.ProofingScheduled)
	moved, err := o.RescheduleAppointment(t.Context(), c.ID, c.AccountID, offered[1], o.ring, storetest.At.Add(time.Minute))
	storetest.Must(t, err)
	if moved.ID != a.ID || moved.Sequence != 1 || !moved.StartsAt.Equal(offered[1]) {
		t.Fatalf("%+v", moved)
	}
	if now := o.slots(t, storetest.At.Add(time.Minute), 7); len(now) != len(offered)-1 || !now[0].Equal(offered[0]) {
		t.Fatalf("%d slots beside a moved appointment, the first at %v", len(now), now[0])
	}
	storetest.Must(t, o.CancelAppointment(t.Context(), c.ID, c.AccountID, storetest.At.Add(2*time.Minute)))
	o.wantCase(t, c, models.ProofingScheduling)
	if now := o.slots(t, storetest.At.Add(2*time.Minute), 7); len(now) != len(offered) {
		t.Fatalf("%d slots after a cancellation", len(now))
	}
	wantFault(t, o.CancelAppointment(t.Context(), c.ID, c.AccountID, storetest.At.Add(3*time.Minute)), models.StateForbids)
	mails := query[string](t, o.Store, `select string_agg(kind || ' ' || (params->>'sequence') || ' ' || to_address, ', ' order by id) from notices where params->>'appointment' = $1`, a.ID)
	if mails != "appointment_booked 0 ada.at.home@example.com, appointment_moved 1 ada.at.home@example.com, appointment_cancelled 2 ada.at.home@example.com" {
		t.Errorf("mails: %s", mails)
	}
}

func (o office) wantCase(t testing.TB, c models.ProofingCase, want models.ProofingStatus) {
	t.Helper()
	now, err := o.ProofingCase(t.Context(), c.ID)
	storetest.Must(t, err)
	if now.Status != want {
		t.Fatalf("the case is %s, not %s", now.Status, want)
	}
}

func dayIn(t testing.TB, at time.Time, zone string) availability.Date {
	t.Helper()
	z, err := time.LoadLocation(zone)
	storetest.Must(t, err)
	return availability.DateOf(at.In(z))
}
