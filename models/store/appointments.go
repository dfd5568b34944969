package store

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"tokendesk/models"
)

// Booking is what a person gives for a slot that is held (PRF-5).
type Booking struct {
	CaseID        string
	AccountID     string
	AppointmentID string
	Phone         string // the number that the agent calls, E.164
	Email         string // where the person reads about the appointment
	Zone          string // the person's, IANA
}

var phoneForm = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`) // E.164

func (b Booking) validate() error {
	if !phoneForm.MatchString(b.Phone) {
		return models.InvalidRequest.New("a phone number begins with + and the country's code, and has digits only").At("/phone")
	}
	if !plainAddress(b.Email) {
		return models.InvalidRequest.New("this is no e-mail address").At("/email")
	}
	_, err := TimeZone(b.Zone, "/time_zone")
	return err
}

// BookAppointment books the slot that a person holds, and mails the confirmation with its invitation and a link to change it (PRF-5).
//
// Faults: NoSuchThing, ActionNotPossible, StateForbids, InvalidRequest, ZoneUnknown, HoldExpired.
func (s *Store) BookAppointment(ctx context.Context, b Booking, sealer Sealer, at time.Time) (models.Appointment, error) {
	var a models.Appointment
	err := b.validate()
	if err == nil {
		err = s.InTx(ctx, func(tx *Store) (err error) {
			a, err = tx.book(ctx, b, sealer, at)
			return err
		})
	}
	if err != nil {
		return models.Appointment{}, fmt.Errorf("book an appointment: %w", err)
	}
	return a, nil
}

func (s *Store) book(ctx context.Context, b Booking, sealer Sealer, at time.Time) (models.Appointment, error) {
	c, err := s.goOn(ctx, b.CaseID, b.AccountID, at)
	if err != nil {
		return models.Appointment{}, err
	}
	a, err := s.Appointment(ctx, b.AppointmentID)
	if err != nil {
		return a, err
	}
	if a.CaseID != c.ID {
		return a, models.NoSuchThing.New("no such appointment")
	}
	if a.Status == models.AppointmentReleased || a.Status == models.AppointmentHeld && !at.Before(*a.HeldUntil) {
		return a, models.HoldExpired.New("").Allowing()
	}
	link := newSecret(linkPrefix)
	err = appointments.move(s.with(ctx), a.ID, models.BookAppointment, at,
		map[string]any{"held_until": nil, "phone": b.Phone, "email": b.Email, "zone": b.Zone, "link_hash": hashSecret(link)})
	if err != nil {
		if now, e := appointments.state(s.with(ctx), a.ID); e == nil && now == models.AppointmentReleased { // just now, by someone with a later clock
			return a, models.HoldExpired.New("").Allowing()
		}
		return a, err
	}
	if err := s.moveProofing(ctx, &c, models.BookSession, at, nil); err != nil {
		return a, err
	}
	if a, err = s.Appointment(ctx, a.ID); err != nil {
		return a, err
	}
	if err := s.tellWithLink(ctx, c, a, models.NoticeAppointmentBooked, link, sealer, at); err != nil {
		return a, err
	}
	return a, s.appointmentChanged(ctx, c, a, "appointment.booked", b.AccountID, at)
}

// RescheduleAppointment moves the booked appointment of a person's case to another slot, with whichever agent is free then (PRF-6). Moved to where it is, it stays.
//
// Faults: NoSuchThing, ActionNotPossible, StateForbids, TooManyTries, SlotInPast, SlotNotOffered, SlotTaken.
func (s *Store) RescheduleAppointment(ctx context.Context, caseID, accountID string, startsAt time.Time, sealer Sealer, at time.Time) (models.Appointment, error) {
	var a models.Appointment
	err := s.InTx(ctx, func(tx *Store) error {
		c, err := tx.goOn(ctx, caseID, accountID, at)
		if err != nil {
			return err
		}
		a, err = tx.reschedule(ctx, c, startsAt, sealer, accountID, at)
		return err
	})
	if err != nil {
		return models.Appointment{}, fmt.Errorf("reschedule an appointment: %w", err)
	}
	return a, nil
}

func (s *Store) reschedule(ctx context.Context, c models.ProofingCase, startsAt time.Time, sealer Sealer, actor string, at time.Time) (models.Appointment, error) {
	a, err := s.changeable(ctx, c, at)
	if err != nil || a.StartsAt.Equal(startsAt) {
		return a, err
	}
	p, err := s.Policy(ctx, c.PolicyVersion)
	if err != nil {
		return a, err
	}
	if err := s.countSlot(ctx, c.AccountID, at); err != nil {
		return a, err
	}
	w, link := want(startsAt, p, a.ID), newSecret(linkPrefix)
	err = s.takeSlot(ctx, w, at, func(agentID string) error {
		return appointments.move(s.with(ctx), a.ID, models.RescheduleAppointment, at, map[string]any{"agent_id": agentID, "starts_at": w.slot.Start, "ends_at": w.slot.End,
			"blocked_until": w.slot.End.Add(w.rules.Buffer), "sequence": a.Sequence + 1, "link_hash": hashSecret(link)})
	})
	if err != nil {
		return a, err
	}
	// The session is scheduled anew: a reminder that would have come before is not due (see models.ProofingTimeline).
	if err := s.with(ctx).Exec("update proofing_cases set since = ?, updated_at = ? where id = ?", at, at, c.ID).Error; err != nil {
		return a, fault(fmt.Errorf("date a new schedule: %w", err))
	}
	if a, err = s.Appointment(ctx, a.ID); err != nil {
		return a, err
	}
	if err := s.tellWithLink(ctx, c, a, models.NoticeAppointmentMoved, link, sealer, at); err != nil {
		return a, err
	}
	return a, s.appointmentChanged(ctx, c, a, "appointment.rescheduled", actor, at)
}

// CancelAppointment cancels the booked appointment of a person's case; another slot may be chosen (PRF-6). Faults: NoSuchThing, StateForbids.
func (s *Store) CancelAppointment(ctx context.Context, caseID, accountID string, at time.Time) error {
	err := s.InTx(ctx, func(tx *Store) error {
		c, err := tx.lockProofingOf(ctx, caseID, accountID)
		if err != nil {
			return err
		}
		return tx.cancelByPerson(ctx, c, accountID, at)
	})
	if err != nil {
		return fmt.Errorf("cancel an appointment: %w", err)
	}
	return nil
}

func (s *Store) cancelByPerson(ctx context.Context, c models.ProofingCase, actor string, at time.Time) error {
	a, err := s.changeable(ctx, c, at)
	if err != nil {
		return err
	}
	if err := s.cancel(ctx, c, a, actor, at); err != nil {
		return err
	}
	return s.moveProofing(ctx, &c, models.CancelSession, at, nil)
}

// changeable is the booked appointment of a locked case, as long as its session has not begun. Fault: StateForbids.
func (s *Store) changeable(ctx context.Context, c models.ProofingCase, at time.Time) (models.Appointment, error) {
	a, err := s.appointmentOf(ctx, c.ID)
	switch {
	case err != nil:
		return models.Appointment{}, err
	case a == nil:
		return models.Appointment{}, s.proofingForbids(c)
	case !at.Before(a.StartsAt):
		return models.Appointment{}, models.StateForbids.New("the session has begun").Allowing()
	}
	return *a, nil
}

// cancel ends a booked appointment and takes it out of the person's calendar.
func (s *Store) cancel(ctx context.Context, c models.ProofingCase, a models.Appointment, actor string, at time.Time) error {
	a.Sequence++
	if err := appointments.move(s.with(ctx), a.ID, models.CancelAppointment, at, map[string]any{"sequence": a.Sequence, "link_hash": nil}); err != nil {
		return err
	}
	if err := s.tellAppointment(ctx, c, a, NewNotice{Kind: models.NoticeAppointmentCancelled}, at); err != nil {
		return err
	}
	return s.appointmentChanged(ctx, c, a, "appointment.cancelled", actor, at)
}

// cancelAppointmentOf ends what is held or booked for a locked case that no longer needs it.
func (s *Store) cancelAppointmentOf(ctx context.Context, c models.ProofingCase, at time.Time) error {
	if err := s.releaseHoldOf(ctx, c.ID, at); err != nil {
		return err
	}
	a, err := s.appointmentOf(ctx, c.ID)
	if err != nil || a == nil {
		return err
	}
	return s.cancel(ctx, c, *a, models.SystemActor(models.ProofingLifecycle).ID, at)
}

// forgetAppointment ends an appointment of a locked case of which nobody recorded an outcome: it must be rescheduled, and somebody asks the agent why (PRF-6).
func (s *Store) forgetAppointment(ctx context.Context, c *models.ProofingCase, a models.Appointment, at time.Time) error {
	title := "nobody recorded the outcome of a live video session: ask agent " + a.AgentID
	if err := s.OpenCase(ctx, "outcome-missing/"+a.ID, c.ID, title, at); err != nil {
		return err
	}
	return s.notPassed(ctx, c, a, models.ForgetAppointment, RescheduleTechnical, nil, models.SystemActor(models.ProofingLifecycle).ID, at)
}

// RescheduleCause says why a person must choose another slot; the mail's words depend on it.
type RescheduleCause string

// The causes.
const (
	RescheduleMissed    RescheduleCause = "missed"
	RescheduleFailed    RescheduleCause = "failed"
	RescheduleTechnical RescheduleCause = "technical"
	RescheduleUnstaffed RescheduleCause = "unstaffed"
	RescheduleRejected  RescheduleCause = "rejected" // by the second person
)

// notPassed ends the booked appointment of a locked case without a pass: the person must choose another slot, and is told why (PRF-6). set are further columns of
// the appointment, such as instructions and outcome_at.
func (s *Store) notPassed(ctx context.Context, c *models.ProofingCase, a models.Appointment, event models.AppointmentEvent, cause RescheduleCause, set map[string]any, actor string, at time.Time) error {
	if err := appointments.move(s.with(ctx), a.ID, event, at, set); err != nil {
		return err
	}
	if err := s.moveProofing(ctx, c, models.SessionNotPassed, at, nil); err != nil {
		return err
	}
	a, err := s.Appointment(ctx, a.ID)
	if err != nil {
		return err
	}
	if err := s.tellReschedule(ctx, *c, a, cause, at); err != nil {
		return err
	}
	return s.appointmentChanged(ctx, *c, a, "appointment."+string(a.Status), actor, at)
}

// appointmentChanged writes down what became of an appointment, by its id and sequence only, and tells the case's lifecycle.
func (s *Store) appointmentChanged(ctx context.Context, c models.ProofingCase, a models.Appointment, kind, actor string, at time.Time) error {
	detail := map[string]string{"appointment": a.ID, "sequence": strconv.Itoa(a.Sequence), "agent": a.AgentID}
	if err := s.auditProofing(ctx, c, kind, actor, detail, at); err != nil {
		return err
	}
	return s.proofingChanged(ctx, c.ID, at)
}

// Appointment returns one appointment. Fault: NoSuchThing.
func (s *Store) Appointment(ctx context.Context, id string) (a models.Appointment, err error) {
	if err := s.with(ctx).Where("id = ?", id).Take(&a).Error; err != nil {
		return a, fault(fmt.Errorf("read an appointment: %w", err))
	}
	return a, nil
}

// AppointmentsOfCase lists the appointments of a case, newest first; those that were held only are left out, except for the present one.
func (s *Store) AppointmentsOfCase(ctx context.Context, caseID string, at time.Time) ([]models.Appointment, error) {
	var rows []models.Appointment
	err := s.with(ctx).Where("case_id = ? and status <> ? and (status <> ? or held_until > ?)", caseID, models.AppointmentReleased, models.AppointmentHeld, at).
		Order("id desc").Find(&rows).Error
	return rows, fault(err)
}

// appointmentOf is the booked appointment of a case; nil: none.
func (s *Store) appointmentOf(ctx context.Context, caseID string) (*models.Appointment, error) {
	var rows []models.Appointment
	if err := s.with(ctx).Where("case_id = ? and status = ?", caseID, models.AppointmentBooked).Find(&rows).Error; err != nil {
		return nil, fault(fmt.Errorf("find an appointment: %w", err))
	}
	if len(rows) == 0 {
		return nil, nil
	}
	return &rows[0], nil
}
