package store

import (
	"context"
	"fmt"
	"time"

	"tokendesk/models"
)

// MeetingDue is the booked appointment of a case for which a meeting is to be made now: shortly before the session, and again where it was moved since. A meeting
// that is no longer wanted is cancelled first (see MeetingsToCancel). Nil: none. Fault: NoSuchThing.
func (s *Store) MeetingDue(ctx context.Context, caseID string, at time.Time) (*models.Appointment, error) {
	a, err := s.appointmentOf(ctx, caseID)
	if err != nil || a == nil || a.MeetingRef != "" || !at.Before(a.EndsAt) {
		return nil, err
	}
	c, err := s.ProofingCase(ctx, caseID)
	if err != nil {
		return nil, err
	}
	p, err := s.Policy(ctx, c.PolicyVersion)
	if err != nil {
		return nil, err
	}
	if at.Before(a.StartsAt.Add(-time.Duration(p.Proofing.Appointment.LinkMinutes) * time.Minute)) {
		return nil, nil
	}
	return a, nil
}

// MeetingMade records the meeting that was made for an appointment as it stood at a sequence, and mails its link (PRF-5). For an appointment that was changed or
// ended meanwhile, no link is mailed, and the meeting waits to be cancelled. The same again changes nothing. Faults: NoSuchThing, EditConflict (another meeting is there).
func (s *Store) MeetingMade(ctx context.Context, appointmentID string, sequence int, ref, url string, at time.Time) error {
	err := s.InTx(ctx, func(tx *Store) error {
		a, err := tx.Appointment(ctx, appointmentID)
		if err != nil {
			return err
		}
		c, err := tx.lockProofing(ctx, a.CaseID)
		if err != nil {
			return err
		}
		r := tx.with(ctx).Exec("update appointments set meeting_ref = ?, meeting_url = ?, meeting_for = ?, updated_at = ? where id = ? and meeting_ref in ('', ?)",
			ref, url, sequence, at, a.ID, ref)
		if r.Error != nil {
			return r.Error
		}
		if r.RowsAffected == 0 {
			return models.EditConflict.New("")
		}
		if a, err = tx.Appointment(ctx, a.ID); err != nil {
			return err
		}
		if a.Status == models.AppointmentBooked && a.Sequence == sequence {
			if err := tx.tellAppointment(ctx, c, a, NewNotice{Kind: models.NoticeMeetingLink}, at); err != nil {
				return err
			}
		}
		return tx.proofingChanged(ctx, c.ID, at)
	})
	if err != nil {
		return fmt.Errorf("record a meeting: %w", err)
	}
	return nil
}

// MeetingsToCancel lists the appointments of a case whose meetings are not wanted any more. A meeting in which a session was held is left alone: it may still go on.
func (s *Store) MeetingsToCancel(ctx context.Context, caseID string) ([]models.Appointment, error) {
	var rows []models.Appointment
	err := s.with(ctx).Where("case_id = ? and meeting_ref <> '' and (status in ? or status = ? and meeting_for <> sequence)", caseID,
		[]models.AppointmentStatus{models.AppointmentCancelled, models.AppointmentUnstaffed, models.AppointmentMissed, models.AppointmentUnheard}, models.AppointmentBooked).
		Order("id").Find(&rows).Error
	return rows, fault(err)
}

// MeetingCancelled records that a meeting was cancelled. The same again changes nothing.
func (s *Store) MeetingCancelled(ctx context.Context, appointmentID, ref string, at time.Time) error {
	err := s.with(ctx).Exec("update appointments set meeting_ref = '', meeting_url = '', updated_at = ? where id = ? and meeting_ref = ?", at, appointmentID, ref).Error
	if err != nil {
		return fault(fmt.Errorf("record a cancelled meeting: %w", err))
	}
	return nil
}
