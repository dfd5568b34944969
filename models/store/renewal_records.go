package store

import (
	"context"
	"fmt"
	"time"

	"tokendesk/models"
)

// recordRenewal writes down what a paid line has moved, so that it can be taken back to the day: the dates alone do not say it around
// the 29th of February.
func (s *Store) recordRenewal(ctx context.Context, lineID, credentialID string, from, to time.Time) error {
	err := s.with(ctx).Exec("insert into renewals (order_line_id, credential_id, expired_from, expired_to) values (?, ?, ?, ?)", lineID, credentialID, from, to).Error
	if err != nil {
		return fmt.Errorf("record a renewal: %w", err)
	}
	return nil
}

// expiredFrom is the end of the term that a line has renewed.
func (s *Store) expiredFrom(ctx context.Context, lineID string, c models.Credential, months int, zone *time.Location) (time.Time, error) {
	var from []time.Time
	if err := s.with(ctx).Raw("select expired_from from renewals where order_line_id = ?", lineID).Scan(&from).Error; err != nil {
		return time.Time{}, fmt.Errorf("look what a renewal has moved: %w", err)
	}
	if len(from) == 0 { // renewed before that was recorded
		return models.TermStart(c.ExpiresAt, months, zone).UTC(), nil
	}
	return from[0].UTC(), nil
}
