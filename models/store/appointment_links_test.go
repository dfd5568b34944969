package store_test

import (
	"testing"
	"time"

	"tokendesk/models"
	"tokendesk/models/store/storetest"
)

// PRF-6: the link of the newest mail moves an appointment, once, without a login; older links and used ones say so.
func TestChangeByLink(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	storetest.Agent(t, o.Store, "UTC", storetest.Hours(180, "0 9 * * *"))
	c := o.person(t)
	offered := o.slots(t, storetest.At, 4)
	a := storetest.Booked(t, o.Store, o.ring, c, offered[0], storetest.At)
	first := storetest.LinkOf(t, o.Store, o.ring, a)
	found, err := o.AppointmentByLink(t.Context(), first)
	storetest.Must(t, err)
	if found.ID != a.ID {
		t.Fatalf("%+v", found)
	}
	moved, err := o.RescheduleByLink(t.Context(), first, offered[1], o.ring, storetest.At)
	storetest.Must(t, err)
	if moved.Sequence != 1 || !moved.StartsAt.Equal(offered[1]) {
		t.Fatalf("%+v", moved)
	}
	_, err = o.RescheduleByLink(t.Context(), first, offered[2], o.ring, storetest.At)
	wantFault(t, err, models.AppointmentLinkUsed)
	wantFault(t, o.CancelByLink(t.Context(), first, storetest.At), models.AppointmentLinkUsed)
	_, err = o.AppointmentByLink(t.Context(), first)
	wantFault(t, err, models.AppointmentLinkUsed)

	second := storetest.LinkOf(t, o.Store, o.ring, a)
	_, err = o.RescheduleAppointment(t.Context(), c.ID, c.AccountID, offered[3], o.ring, storetest.At) // with a login: the mail brings another link
	storetest.Must(t, err)
	wantFault(t, o.CancelByLink(t.Context(), second, storetest.At), models.AppointmentLinkUsed)

	third := storetest.LinkOf(t, o.Store, o.ring, a)
	_, err = o.RescheduleByLink(t.Context(), third, storetest.At.Add(time.Hour), o.ring, storetest.At)
	wantFault(t, err, models.SlotInPast) // and the link is still good
	storetest.Must(t, o.CancelByLink(t.Context(), third, storetest.At))
	wantFault(t, o.CancelByLink(t.Context(), third, storetest.At), models.AppointmentLinkUsed)
	o.wantCase(t, c, models.ProofingScheduling)
	_, err = o.AppointmentByLink(t.Context(), "tda_0000000000000000000000000000")
	wantFault(t, err, models.AppointmentLinkUsed)
}

// PRF-6: a link that ten use at once moves the appointment once.
func TestLinkRaced(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	storetest.Agent(t, o.Store, "UTC", storetest.Hours(400, "0 9 * * *"))
	offered := o.slots(t, storetest.At, 4)
	a := storetest.Booked(t, o.Store, o.ring, o.person(t), offered[0], storetest.At)
	link := storetest.LinkOf(t, o.Store, o.ring, a)
	answers := atOnce(10, func(i int) error {
		_, err := o.RescheduleByLink(t.Context(), link, offered[1+i], o.ring, storetest.At)
		return err
	})
	if answers[""] != 1 || answers[models.AppointmentLinkUsed.Slug] != 9 {
		t.Fatalf("answers: %v", answers)
	}
}

// PRF-6: what cannot be changed any more, and what stays as it is.
func TestChangesThatAreRefused(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	storetest.Agent(t, o.Store, "UTC", storetest.Hours(70, "0 9 * * *"))
	c, other := o.person(t), o.person(t)
	offered := o.slots(t, storetest.At, 4)
	a := storetest.Booked(t, o.Store, o.ring, c, offered[0], storetest.At)
	storetest.Booked(t, o.Store, o.ring, other, offered[1], storetest.At)
	same, err := o.RescheduleAppointment(t.Context(), c.ID, c.AccountID, offered[0], o.ring, storetest.At)
	storetest.Must(t, err)
	if same.Sequence != 0 {
		t.Errorf("moved to where it is, its sequence is %d", same.Sequence)
	}
	_, err = o.RescheduleAppointment(t.Context(), c.ID, c.AccountID, offered[1], o.ring, storetest.At)
	wantFault(t, err, models.SlotTaken)
	_, err = o.RescheduleAppointment(t.Context(), c.ID, other.AccountID, offered[2], o.ring, storetest.At)
	wantFault(t, err, models.NoSuchThing)
	wantFault(t, o.CancelAppointment(t.Context(), c.ID, other.AccountID, storetest.At), models.NoSuchThing)
	begun := offered[0]
	_, err = o.RescheduleAppointment(t.Context(), c.ID, c.AccountID, offered[2], o.ring, begun)
	wantFault(t, err, models.StateForbids)
	wantFault(t, o.CancelAppointment(t.Context(), c.ID, c.AccountID, begun), models.StateForbids)
	wantFault(t, o.CancelByLink(t.Context(), storetest.LinkOf(t, o.Store, o.ring, a), begun), models.StateForbids)
	now, err := o.Appointment(t.Context(), a.ID)
	storetest.Must(t, err)
	if now.Sequence != 0 || now.Status != models.AppointmentBooked || !now.StartsAt.Equal(offered[0]) {
		t.Errorf("%+v", now)
	}
}

// PRF-5: a meeting is made shortly before a session, mailed once, and made anew where the session was moved; the old one is to be cancelled.
func TestMeeting(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	storetest.Agent(t, o.Store, "UTC", storetest.Hours(400, "0 9 * * *"))
	c := o.person(t)
	offered := o.slots(t, storetest.At, 4)
	a := storetest.Booked(t, o.Store, o.ring, c, offered[0], storetest.At)
	due := func(at time.Time) *models.Appointment {
		t.Helper()
		a, err := o.MeetingDue(t.Context(), c.ID, at)
		storetest.Must(t, err)
		return a
	}
	soon := a.StartsAt.Add(-30 * time.Minute)
	if due(soon.Add(-time.Second)) != nil || due(soon) == nil || due(a.EndsAt) != nil {
		t.Fatal("a meeting is due from half an hour before to the end of the session")
	}
	for range 2 {
		storetest.Must(t, o.MeetingMade(t.Context(), a.ID, 0, "room-1", "https://meet.example/1", soon))
	}
	wantFault(t, o.MeetingMade(t.Context(), a.ID, 0, "room-2", "https://meet.example/2", soon), models.EditConflict)
	if n := query[int](t, o.Store, "select count(*) from notices where kind = 'meeting_link'"); n != 1 || due(soon) != nil {
		t.Fatalf("%d mails", n)
	}
	if o.unwanted(t, c) != "" {
		t.Fatal("the meeting is wanted")
	}
	_, err := o.RescheduleAppointment(t.Context(), c.ID, c.AccountID, offered[20], o.ring, soon)
	storetest.Must(t, err)
	later := offered[20].Add(-time.Minute)
	if o.unwanted(t, c) != "room-1" || due(later) != nil {
		t.Fatal("the meeting of the time before is still there")
	}
	for range 2 {
		storetest.Must(t, o.MeetingCancelled(t.Context(), a.ID, "room-1", later))
	}
	if now := due(later); now == nil || now.Sequence != 1 {
		t.Fatalf("%+v", now)
	}
	storetest.Must(t, o.CancelAppointment(t.Context(), c.ID, c.AccountID, later))
	storetest.Must(t, o.MeetingMade(t.Context(), a.ID, 1, "room-3", "https://meet.example/3", later)) // made while it was cancelled
	if n := query[int](t, o.Store, "select count(*) from notices where kind = 'meeting_link'"); n != 1 || o.unwanted(t, c) != "room-3" {
		t.Fatalf("%d mails, %q is unwanted", n, o.unwanted(t, c))
	}
}

// unwanted is the one meeting of a case that is to be cancelled; "": none.
func (o office) unwanted(t testing.TB, c models.ProofingCase) string {
	t.Helper()
	rows, err := o.MeetingsToCancel(t.Context(), c.ID)
	storetest.Must(t, err)
	if len(rows) == 0 {
		return ""
	}
	return rows[0].MeetingRef
}
