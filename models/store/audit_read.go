package store

import (
	"context"
	"fmt"
	"strconv"

	"tokendesk/models"
)

// AuditOfCredential returns what the audit trail says of a credential, newest first, a page at a time (SEC-3). A page goes
// on after the id of the last event. Fault: InvalidRequest when that is no id.
func (s *Store) AuditOfCredential(ctx context.Context, credentialID string, page Page) ([]models.AuditEvent, error) {
	before := int64(maxID)
	if page.After != "" {
		var err error
		if before, err = strconv.ParseInt(page.After, 10, 64); err != nil {
			return nil, models.InvalidRequest.New("not the id of an event")
		}
	}
	var events []models.AuditEvent
	err := s.with(ctx).Where(`credential_id collate "C" = ? and id < ?`, credentialID, before).Order("id desc").Limit(page.limit()).Find(&events).Error
	if err != nil {
		return nil, fault(fmt.Errorf("read the audit trail of a credential: %w", err))
	}
	return events, nil
}
