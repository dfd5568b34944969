package store

import (
	"context"
	"fmt"
	"time"

	"tokendesk/models"
)

// SlotsByAccount counts the slots that a person takes: each keeps others away for a while, or sends mails.
const SlotsByAccount AttemptScope = "slots/account"

const mostSlots = 20 // of an account, an hour

// HoldSlot keeps a slot for a person who is to choose one, for the policy's minutes, with the free agent who has the fewest sessions that day (PRF-5). What the
// person held before is given back.
//
// Faults: NoSuchThing, ActionNotPossible, StateForbids, TooManyTries, SlotInPast, SlotNotOffered, SlotTaken.
func (s *Store) HoldSlot(ctx context.Context, caseID, accountID string, startsAt, at time.Time) (models.Appointment, error) {
	var a models.Appointment
	err := s.InTx(ctx, func(tx *Store) error {
		c, err := tx.goOn(ctx, caseID, accountID, at)
		if err != nil {
			return err
		}
		if c.Status != models.ProofingScheduling {
			return tx.proofingForbids(c)
		}
		p, err := tx.Policy(ctx, c.PolicyVersion)
		if err != nil {
			return err
		}
		if err := tx.countSlot(ctx, accountID, at); err != nil {
			return err
		}
		if err := tx.releaseHoldOf(ctx, c.ID, at); err != nil {
			return err
		}
		w, until := want(startsAt, p, ""), at.Add(time.Duration(p.Proofing.Appointment.HoldMinutes)*time.Minute)
		return tx.takeSlot(ctx, w, at, func(agentID string) error {
			a = models.Appointment{ID: NewID("ap", at), CaseID: c.ID, AgentID: agentID, Status: models.AppointmentMachine.Initial, StartsAt: w.slot.Start, EndsAt: w.slot.End,
				BlockedUntil: w.slot.End.Add(w.rules.Buffer), HeldUntil: &until, CreatedAt: at, UpdatedAt: at}
			return tx.with(ctx).Create(&a).Error
		})
	})
	if err != nil {
		return models.Appointment{}, fmt.Errorf("hold a slot: %w", err)
	}
	return a, nil
}

// countSlot counts a slot that a person is about to take. Fault: TooManyTries.
func (s *Store) countSlot(ctx context.Context, accountID string, at time.Time) error {
	if err := s.Throttle(ctx, SlotsByAccount, accountID, mostSlots, time.Hour, at); err != nil {
		return err
	}
	_, err := s.CountAttempt(ctx, SlotsByAccount, accountID, at)
	return err
}

// ReleaseHold gives a slot back that the person holds. One that is not held any more stays as it is. Fault: NoSuchThing.
func (s *Store) ReleaseHold(ctx context.Context, caseID, accountID, appointmentID string, at time.Time) error {
	err := s.InTx(ctx, func(tx *Store) error {
		c, err := tx.lockProofingOf(ctx, caseID, accountID)
		if err != nil {
			return err
		}
		a, err := tx.Appointment(ctx, appointmentID)
		if err != nil {
			return err
		}
		if a.CaseID != c.ID {
			return models.NoSuchThing.New("no such appointment")
		}
		if a.Status != models.AppointmentHeld {
			return nil
		}
		return appointments.move(tx.with(ctx), a.ID, models.ReleaseAppointment, at, nil)
	})
	if err != nil {
		return fmt.Errorf("release a hold: %w", err)
	}
	return nil
}

// ReleaseExpiredHolds releases all holds that have expired. Nothing depends on it: an expired hold keeps nobody away.
func (s *Store) ReleaseExpiredHolds(ctx context.Context, at time.Time) error {
	return s.releaseHolds(ctx, "held_until <= @at", map[string]any{"at": at}, at)
}

// releaseHoldOf gives back what the person of a locked case holds.
func (s *Store) releaseHoldOf(ctx context.Context, caseID string, at time.Time) error {
	var held []string
	err := s.with(ctx).Raw("select id from appointments where case_id = ? and status = ?", caseID, models.AppointmentHeld).Scan(&held).Error
	if err != nil {
		return fault(fmt.Errorf("find a hold: %w", err))
	}
	for _, id := range held {
		if err := appointments.move(s.with(ctx), id, models.ReleaseAppointment, at, nil); err != nil {
			return err
		}
	}
	return nil
}

// releaseHolds releases holds of any case that nobody else is about to change. where names columns and parameters, never input.
func (s *Store) releaseHolds(ctx context.Context, where string, params map[string]any, at time.Time) error {
	var held []string
	err := s.with(ctx).Raw("select id from appointments where status = 'held' and "+where+" order by id for update skip locked", params).Scan(&held).Error
	if err != nil {
		return fault(fmt.Errorf("find expired holds: %w", err))
	}
	for _, id := range held {
		if err := appointments.move(s.with(ctx), id, models.ReleaseAppointment, at, nil); err != nil {
			return err
		}
	}
	return nil
}
