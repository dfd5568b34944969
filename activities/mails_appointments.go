package activities

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"tokendesk/activities/gateway/mail"
	"tokendesk/internal/availability"
	"tokendesk/internal/invitation"
	"tokendesk/models"
	"tokendesk/models/store"
)

// AppointmentPage is where the link of an appointment leads, on the site; what follows is its secret, which browsers keep to themselves (RFC 3986 §3.5).
const AppointmentPage = "/appointment#"

// appointmentFacts is what the mails about an appointment say.
type appointmentFacts struct {
	Appointment    models.Appointment
	Starts, Ends   time.Time // as the notice tells of them
	Sequence       int
	Session        string // the time in the person's zone
	SessionDay     string
	SessionMinutes int
	LinkMinutes    int
	MeetingURL     string // empty: there is none, or the session was changed meanwhile
	Instructions   string // of the agent
	ChangeLink     string // empty: the code alone
}

// aboutAppointment fills in what a notice about an appointment says. What it tells of the time was written into it when it was recorded.
func (c *Composer) aboutAppointment(ctx context.Context, f *mailFacts, n models.Notice) error {
	id, ok := n.Params["appointment"]
	if !ok {
		return nil
	}
	a, err := c.Store.Appointment(ctx, id)
	if err != nil {
		return err
	}
	f.Appointment, f.Starts, f.Ends, f.Sequence = a, a.StartsAt, a.EndsAt, a.Sequence
	if written, ok := n.Params["sequence"]; ok {
		if f.Sequence, err = strconv.Atoi(written); err == nil {
			f.Starts, err = time.Parse(time.RFC3339, n.Params["starts_at"])
		}
		if err == nil {
			f.Ends, err = time.Parse(time.RFC3339, n.Params["ends_at"])
		}
		if err != nil {
			return fmt.Errorf("read when a session is: %w", err)
		}
	}
	zone, err := availability.Zone(a.Zone)
	if err != nil {
		return err
	}
	policy, err := c.Store.Policy(ctx, f.Proofing.PolicyVersion)
	if err != nil {
		return err
	}
	local := f.Starts.In(zone)
	f.SessionDay = local.Format("Monday, " + mailDay)
	f.Session = local.Format("Monday, "+mailDay+", 15:04") + "–" + f.Ends.In(zone).Format("15:04") + " in " + a.Zone + local.Format(" (UTC-07:00)")
	f.SessionMinutes, f.LinkMinutes = int(f.Ends.Sub(f.Starts)/time.Minute), policy.Proofing.Appointment.LinkMinutes
	f.Instructions = a.Instructions
	if a.Status == models.AppointmentBooked && a.Sequence == f.Sequence && a.MeetingFor == f.Sequence {
		f.MeetingURL = a.MeetingURL
	}
	return nil
}

// calendarMethod is what a notice asks of calendars, if it asks anything: to take the appointment as it is now, or to let go of it (RFC 5546).
func calendarMethod(n models.Notice, f mailFacts) (m invitation.Method, ok bool) {
	switch n.Kind {
	case models.NoticeAppointmentBooked, models.NoticeAppointmentMoved:
		return invitation.Request, true
	case models.NoticeMeetingLink:
		return invitation.Request, f.MeetingURL != ""
	case models.NoticeAppointmentCancelled:
		return invitation.Cancel, true
	case models.NoticeReschedule:
		return invitation.Cancel, n.Params["cause"] == string(store.RescheduleUnstaffed) // the others are over
	}
	return "", false
}

// invite adds the invitation of an appointment to a mail: as a part of its own for clients that understand it, and as a file for all others (RFC 6047 §2.4). Its UID
// is the same for the life of the appointment, its sequence and stamp are those of the notice, so that calendars take invitations that cross each other rightly.
func (c *Composer) invite(m *mail.Message, n models.Notice, f mailFacts) error {
	method, ok := calendarMethod(n, f)
	if !ok {
		return nil
	}
	from, err := mail.ParseAddress(c.From)
	if err != nil {
		return err
	}
	i := invitation.Invitation{UID: f.Appointment.ID + "@tokendesk", Sequence: f.Sequence, Stamp: n.CreatedAt, Start: f.Starts, End: f.Ends,
		Summary: "Live video session with " + c.Seller.Name, Description: "We meet you by video and call you at the number that you gave us.\n\n" + f.Documents,
		Organizer: invitation.Party{Name: c.Seller.Name, Address: from.Address}, Attendee: invitation.Party{Name: f.Name, Address: n.ToAddress},
		Reminder: time.Duration(f.LinkMinutes) * time.Minute}
	if f.MeetingURL != "" && n.Kind == models.NoticeMeetingLink {
		i.Description = "Join here: " + f.MeetingURL + "\n\n" + i.Description
		if strings.HasPrefix(f.MeetingURL, "https://") {
			i.Link = f.MeetingURL
		}
	}
	ics, err := i.Encode(method)
	if err != nil {
		return err
	}
	m.Alternatives = append(m.Alternatives, mail.Alternative{ContentType: "text/calendar; method=" + string(method), Content: string(ics)})
	m.Attachments = append(m.Attachments, mail.Attachment{Name: invitation.FileName, ContentType: method.ContentType(), Content: ics})
	return nil
}
