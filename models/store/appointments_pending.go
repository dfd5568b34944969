package store

import (
	"context"
	"time"

	"tokendesk/models"
)

// TO BE REPLACED by the scheduling engineer's own versions: delete a function here when yours exists, and this file at the end.

// MeetingDue is the appointment of a case for which a meeting is to be made now; nil: none.
func (s *Store) MeetingDue(context.Context, string, time.Time) (*models.Appointment, error) {
	return nil, nil
}

// MeetingMade records a meeting and mails its link.
func (s *Store) MeetingMade(context.Context, string, int, string, string, time.Time) error {
	return nil
}

// MeetingsToCancel lists the appointments of a case whose meetings are no longer wanted.
func (s *Store) MeetingsToCancel(context.Context, string) ([]models.Appointment, error) {
	return nil, nil
}

// MeetingCancelled records that a meeting was cancelled.
func (s *Store) MeetingCancelled(context.Context, string, string, time.Time) error { return nil }

func (s *Store) releaseHoldOf(context.Context, string, time.Time) error { return nil }
