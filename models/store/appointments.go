package store

import (
	"context"
	"fmt"
	"time"

	"tokendesk/models"
)

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

// cancelAppointmentOf ends what is held or booked for a locked case that no longer needs it.
func (s *Store) cancelAppointmentOf(ctx context.Context, c models.ProofingCase, at time.Time) error {
	a, err := s.appointmentOf(ctx, c.ID)
	if err != nil || a == nil {
		return err
	}
	return appointments.move(s.with(ctx), a.ID, models.CancelAppointment, at, nil)
}

// forgetAppointment ends an appointment of a locked case of which nobody recorded an outcome: it must be rescheduled (PRF-6).
func (s *Store) forgetAppointment(ctx context.Context, c *models.ProofingCase, a models.Appointment, at time.Time) error {
	if err := appointments.move(s.with(ctx), a.ID, models.ForgetAppointment, at, nil); err != nil {
		return err
	}
	return s.moveProofing(ctx, c, models.SessionNotPassed, at, nil)
}
