package activities_test

import (
	"strings"
	"testing"
	"time"

	ics "github.com/arran4/golang-ical"

	"tokendesk/activities"
	"tokendesk/activities/gateway/mail/mailbox"
	"tokendesk/models"
	"tokendesk/models/store/storetest"
)

// invited is what a calendar reads in the mail whose subject has these words, in its part and in its file alike.
func (p *postOffice) invited(t *testing.T, words string, at time.Time) (m mailbox.Mail, method string, e *ics.VEvent) {
	t.Helper()
	m, _ = p.about(t, words, at)
	if len(m.Alternatives) != 1 || len(m.Attachments) != 1 || m.Attachments[0].Name != "invite.ics" || m.Attachments[0].ContentType != "text/calendar" {
		t.Fatalf("%s: %+v %+v", m.Subject, m.Alternatives, m.Attachments)
	}
	if m.Alternatives[0].Content != string(m.Attachments[0].Content()) {
		t.Errorf("%s: the part and the file differ", m.Subject)
	}
	c, err := ics.ParseCalendar(strings.NewReader(m.Alternatives[0].Content))
	storetest.Must(t, err)
	for _, property := range c.CalendarProperties {
		if property.IANAToken == string(ics.PropertyMethod) {
			method = property.Value
		}
	}
	if method != m.Alternatives[0].Params["method"] || len(c.Events()) != 1 {
		t.Fatalf("%s: method %s in a part for %s, %d events", m.Subject, method, m.Alternatives[0].Params["method"], len(c.Events()))
	}
	return m, method, c.Events()[0]
}

func wantEvent(t *testing.T, e *ics.VEvent, a models.Appointment, sequence, status string, start time.Time) {
	t.Helper()
	value := func(p ics.ComponentProperty) string {
		if got := e.GetProperty(p); got != nil {
			return got.Value
		}
		return ""
	}
	if value(ics.ComponentPropertyUniqueId) != a.ID+"@tokendesk" || value(ics.ComponentPropertySequence) != sequence || value(ics.ComponentPropertyStatus) != status {
		t.Errorf("UID %s, sequence %s, status %s", value(ics.ComponentPropertyUniqueId), value(ics.ComponentPropertySequence), value(ics.ComponentPropertyStatus))
	}
	begins, err := e.GetStartAt()
	storetest.Must(t, err)
	ends, err := e.GetEndAt()
	storetest.Must(t, err)
	if !begins.Equal(start) || ends.Sub(begins) != 30*time.Minute {
		t.Errorf("from %v to %v, want %v", begins, ends, start)
	}
	if value(ics.ComponentPropertyAttendee) != "mailto:ada.at.home@example.com" || value(ics.ComponentPropertyOrganizer) != "mailto:no-reply@tokendesk.example" {
		t.Errorf("%s invites %s", value(ics.ComponentPropertyOrganizer), value(ics.ComponentPropertyAttendee))
	}
}

// PRF-5, PRF-6: an appointment's mails go to the address that was given for it, once each, in the person's zone; calendars are asked for the same appointment with a
// rising sequence, and to let go of it in the end. The link works and is kept nowhere. One mail that leaves late still tells of its own change.
func TestMailsOfAnAppointment(t *testing.T) {
	t.Parallel()
	st, ring := storetest.New(t), storetest.Keyring(t)
	p := newPost(t, st, ring)
	p.mailer.Composer.Site = "https://id.example/"
	storetest.Agent(t, st, "Europe/Berlin", storetest.Hours(180, "0 17 * * *"))
	c := storetest.ToSchedule(t, st, ring, storetest.Account(t, st))
	first := time.Date(2026, 11, 4, 16, 0, 0, 0, time.UTC)
	a := storetest.Booked(t, st, ring, c, first, storetest.At)
	link := storetest.LinkOf(t, st, ring, a)
	_, err := st.RescheduleAppointment(t.Context(), c.ID, c.AccountID, first.Add(35*time.Minute), ring, storetest.At.Add(time.Minute)) // before the first mail has left
	storetest.Must(t, err)

	booked, method, e := p.invited(t, "session on Wednesday", storetest.At.Add(time.Minute))
	wantEvent(t, e, a, "0", "CONFIRMED", first)
	if method != "REQUEST" || booked.To != "ada.at.home@example.com" {
		t.Errorf("%s to %s", method, booked.To)
	}
	for _, words := range []string{"Wednesday, 4 November 2026, 11:00–11:30 in America/New_York (UTC-05:00)", "https://id.example" + activities.AppointmentPage + link.Reveal(), "test your system", "Passport"} {
		if !strings.Contains(strings.ToLower(booked.Text), strings.ToLower(words)) {
			t.Errorf("%q is missing in:\n%s", words, booked.Text)
		}
	}
	moved, method, e := p.invited(t, "is now on", storetest.At.Add(time.Minute))
	wantEvent(t, e, a, "1", "CONFIRMED", first.Add(35*time.Minute))
	if method != "REQUEST" || strings.Contains(moved.Text, link.Reveal()) {
		t.Errorf("%s:\n%s", method, moved.Text)
	}
	storetest.Must(t, st.CancelAppointment(t.Context(), c.ID, c.AccountID, storetest.At.Add(time.Hour)))
	_, method, e = p.invited(t, "is cancelled", storetest.At.Add(time.Hour))
	wantEvent(t, e, a, "2", "CANCELLED", first.Add(35*time.Minute))
	if method != "CANCEL" {
		t.Errorf("a cancellation is a %s", method)
	}
	p.wantNothingSealed(t, st)
	mails := p.received(t)
	for _, m := range mails {
		if m.Deliveries != 1 {
			t.Errorf("%s came %d times", m.Subject, m.Deliveries)
		}
	}
}

// PRF-5: the reminder, the meeting link, and why somebody has to choose again.
func TestMailsAroundASession(t *testing.T) {
	t.Parallel()
	st, ring := storetest.New(t), storetest.Keyring(t)
	p, staff := newPost(t, st, ring), models.Actor{ID: "ac_staff"}
	absent := storetest.Agent(t, st, "UTC", storetest.Hours(60, "0 16 * * *"))
	c := storetest.ToSchedule(t, st, ring, storetest.Account(t, st))
	start := time.Date(2026, 11, 4, 16, 0, 0, 0, time.UTC)
	a := storetest.Booked(t, st, ring, c, start, storetest.At)
	_, err := st.AdvanceProofing(t.Context(), c.ID, start.AddDate(0, 0, -1))
	storetest.Must(t, err)
	if m, _ := p.about(t, "Reminder", start.AddDate(0, 0, -1)); !strings.Contains(m.Text, "11:00–11:30 in America/New_York") || len(m.Attachments) != 0 || m.To != "ada.at.home@example.com" {
		t.Errorf("to %s: %s", m.To, m.Text)
	}
	soon := start.Add(-30 * time.Minute)
	storetest.Must(t, st.MeetingMade(t.Context(), a.ID, 0, "room", "https://meet.example/7f", soon))
	m, method, e := p.invited(t, "The link to", soon)
	wantEvent(t, e, a, "0", "CONFIRMED", start)
	if method != "REQUEST" || !strings.Contains(m.Text, "https://meet.example/7f") || e.GetProperty(ics.ComponentPropertyLocation).Value != "https://meet.example/7f" {
		t.Errorf("%s", m.Text)
	}
	other := storetest.Agent(t, st, "UTC", storetest.Hours(60, "0 16 * * *"))
	_, _, err = st.AgentAbsent(t.Context(), absent.ID, start, start.Add(time.Hour), staff, soon.Add(time.Minute))
	storetest.Must(t, err)
	m, _, e = p.invited(t, "with another agent", soon.Add(time.Minute))
	wantEvent(t, e, a, "1", "CONFIRMED", start)
	if !strings.Contains(m.Text, "The time stays as it was") {
		t.Errorf("%s", m.Text)
	}
	_, _, err = st.AgentAbsent(t.Context(), other.ID, start, start.Add(time.Hour), staff, soon.Add(2*time.Minute))
	storetest.Must(t, err)
	m, method, e = p.invited(t, "choose another time", soon.Add(2*time.Minute))
	wantEvent(t, e, a, "2", "CANCELLED", start)
	if method != "CANCEL" || !strings.Contains(m.Text, "nobody else is free") {
		t.Errorf("%s:\n%s", method, m.Text)
	}
}

// PRF-5: a link of a session that was changed before the mail left is not mailed any more.
func TestMailOfAnOldMeeting(t *testing.T) {
	t.Parallel()
	st, ring := storetest.New(t), storetest.Keyring(t)
	p := newPost(t, st, ring)
	storetest.Agent(t, st, "UTC", storetest.Hours(60, "0 16 * * *"))
	c := storetest.ToSchedule(t, st, ring, storetest.Account(t, st))
	start := time.Date(2026, 11, 4, 16, 0, 0, 0, time.UTC)
	a := storetest.Booked(t, st, ring, c, start, storetest.At)
	storetest.Must(t, st.MeetingMade(t.Context(), a.ID, 0, "room", "https://meet.example/7f", start.Add(-time.Hour)))
	storetest.Must(t, st.CancelAppointment(t.Context(), c.ID, c.AccountID, start.Add(-time.Hour)))
	if m, _ := p.about(t, "has changed", start.Add(-time.Hour)); strings.Contains(m.Text, "meet.example") || len(m.Attachments) != 0 {
		t.Errorf("%s", m.Text)
	}
}
