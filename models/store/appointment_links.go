package store

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"tokendesk/models"
)

// linkPrefix begins the secret of a link by which a person changes an appointment without a login.
const linkPrefix = "tda_"

// AppointmentByLink is the booked appointment that a mailed link is about. Looking does not use the link up. Fault: AppointmentLinkUsed, whatever is wrong with it.
func (s *Store) AppointmentByLink(ctx context.Context, token models.Secret) (models.Appointment, error) {
	var rows []models.Appointment
	err := s.with(ctx).Where("link_hash = ? and status = ?", hashSecret(token), models.AppointmentBooked).Find(&rows).Error
	if err != nil {
		return models.Appointment{}, fault(fmt.Errorf("find the appointment of a link: %w", err))
	}
	if len(rows) == 0 {
		return models.Appointment{}, models.AppointmentLinkUsed.New("").Allowing()
	}
	return rows[0], nil
}

// RescheduleByLink is RescheduleAppointment for whoever has the link of the newest mail; it works once, and the next mail brings another (PRF-6).
// Faults as there, and AppointmentLinkUsed.
func (s *Store) RescheduleByLink(ctx context.Context, token models.Secret, startsAt time.Time, sealer Sealer, at time.Time) (models.Appointment, error) {
	var a models.Appointment
	err := s.byLink(ctx, token, func(tx *Store, c models.ProofingCase) (err error) {
		if c, err = tx.goOn(ctx, c.ID, c.AccountID, at); err == nil {
			a, err = tx.reschedule(ctx, c, startsAt, sealer, "appointment-link", at)
		}
		return err
	})
	if err != nil {
		return models.Appointment{}, fmt.Errorf("reschedule by link: %w", err)
	}
	return a, nil
}

// CancelByLink is CancelAppointment for whoever has the link of the newest mail (PRF-6). Faults as there, and AppointmentLinkUsed.
func (s *Store) CancelByLink(ctx context.Context, token models.Secret, at time.Time) error {
	err := s.byLink(ctx, token, func(tx *Store, c models.ProofingCase) error {
		return tx.cancelByPerson(ctx, c, "appointment-link", at)
	})
	if err != nil {
		return fmt.Errorf("cancel by link: %w", err)
	}
	return nil
}

// byLink runs f with the locked case of a link that is still good.
func (s *Store) byLink(ctx context.Context, token models.Secret, f func(tx *Store, c models.ProofingCase) error) error {
	return s.InTx(ctx, func(tx *Store) error {
		a, err := tx.AppointmentByLink(ctx, token)
		if err != nil {
			return err
		}
		c, err := tx.lockProofing(ctx, a.CaseID)
		if err != nil {
			return err
		}
		if a, err = tx.Appointment(ctx, a.ID); err != nil { // again, under the lock
			return err
		}
		if a.Status != models.AppointmentBooked || !bytes.Equal(a.LinkHash, hashSecret(token)) {
			return models.AppointmentLinkUsed.New("").Allowing()
		}
		return f(tx, c)
	})
}
