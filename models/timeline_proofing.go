package models

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// The milestones of a proofing case.
const (
	ProofingNudge       MilestoneName = "proofing_nudge"        // the person has not gone on
	SelfServiceTimeout  MilestoneName = "self_service_timeout"  //
	AppointmentReminder MilestoneName = "appointment_reminder"  // a day before
	MeetingLink         MilestoneName = "meeting_link"          // shortly before
	OutcomeMissing      MilestoneName = "outcome_missing"       // nobody recorded how the session went
	ReviewOverdue       MilestoneName = "review_overdue"        //
	CodeReminder        MilestoneName = "code_reminder"         //
	CodeLapses          MilestoneName = "code_lapses"           //
	RegistrationAhead   MilestoneName = "registration_reminder" //
	RegistrationLapses  MilestoneName = "registration_lapses"   // proofing must be repeated (REG-2)
)

// ProofingFacts is what the time of a proofing case depends on, besides its policy.
type ProofingFacts struct {
	Case      ProofingCase
	Session   *ProofingSession // the one at the provider that goes on; nil: none
	Booked    *Appointment     // the booked one; nil: none
	Code      *ActivationCode  // the one that is not used, lapsed or void; nil: none
	Performed []string         // keys of the milestones that were performed
}

// ProofingTimeline is what time does to a proofing case: what is due and not performed yet, and what is still ahead. A case that has ended
// has none.
func ProofingTimeline(f ProofingFacts, p Policy) Timeline {
	c, zone := f.Case, p.Location()
	var t Timeline
	add := func(name MilestoneName, at time.Time, of, what string) {
		t = append(t, Milestone{Name: name, At: at, What: what, Key: fmt.Sprintf("%s/%d/%s", name, c.Attempt, of)})
	}
	stamp := func(at time.Time) string { return at.UTC().Format(time.RFC3339) }
	switch c.Status {
	case ProofingChoosing, ProofingScheduling:
		for _, days := range p.Proofing.Nudges {
			add(ProofingNudge, StartOfDay(c.Since, days, zone), stamp(c.Since)+"/"+strconv.Itoa(days), "a reminder is mailed: the proofing waits for the person")
		}
	case ProofingSelfService:
		end := c.Since.Add(time.Duration(p.Proofing.SessionHours) * time.Hour)
		add(SelfServiceTimeout, end, stamp(c.Since), "the self-service session times out: the person chooses a method anew")
	case ProofingScheduled:
		if f.Booked == nil {
			break
		}
		a, rule := *f.Booked, p.Proofing.Appointment
		of := a.ID + "/" + strconv.Itoa(a.Sequence)
		if remind := a.StartsAt.Add(-time.Duration(rule.ReminderHours) * time.Hour); remind.After(c.Since) { // not for what was booked later than that
			add(AppointmentReminder, remind, of, "a reminder of the appointment is mailed")
		}
		add(MeetingLink, a.StartsAt.Add(-time.Duration(rule.LinkMinutes)*time.Minute), of, "the meeting link is mailed")
		add(OutcomeMissing, a.EndsAt.Add(time.Duration(p.Proofing.OutcomeHours)*time.Hour), of, "no outcome was recorded: the person is asked to choose another slot")
	case ProofingInReview:
		add(ReviewOverdue, c.Since.Add(time.Duration(p.Proofing.ReviewHours)*time.Hour), stamp(c.Since), "the review is overdue: it becomes a case for staff")
	}
	if f.Code != nil && (c.Status == ProofingAwaitingCode || c.Status == ProofingInReview) {
		for _, days := range p.Proofing.CodeReminders {
			if c.Status == ProofingAwaitingCode {
				add(CodeReminder, StartOfDay(f.Code.ExpiresAt, -1-days, zone), f.Code.ID+"/"+strconv.Itoa(days), fmt.Sprintf("a reminder is mailed: the activation code expires in %d days", days))
			}
		}
		add(CodeLapses, f.Code.ExpiresAt, f.Code.ID, "the activation code expires: proofing must be repeated")
	}
	if c.Status == ProofingDone && c.RegisterBy != nil {
		for _, days := range p.Proofing.RegistrationReminders {
			add(RegistrationAhead, StartOfDay(*c.RegisterBy, -1-days, zone), stamp(*c.RegisterBy)+"/"+strconv.Itoa(days), fmt.Sprintf("a reminder is mailed: register within %d days", days))
		}
		add(RegistrationLapses, *c.RegisterBy, stamp(*c.RegisterBy), "nothing was registered: proofing must be repeated")
	}
	t = slices.DeleteFunc(t, func(m Milestone) bool { return slices.Contains(f.Performed, m.Key) })
	slices.SortStableFunc(t, func(a, b Milestone) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Name, b.Name)) })
	return t
}

// RegistrationDue is the end of the last day to register an authenticator after a proofing (REG-2).
func RegistrationDue(proofed time.Time, p Policy) time.Time {
	return StartOfDay(proofed, p.Proofing.RegistrationDays+1, p.Location())
}
