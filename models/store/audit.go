package store

import (
	"context"
	"fmt"

	"tokendesk/models"
)

// Audit appends one event to the trail, in the surrounding transaction, so that an action and its evidence stand or fall
// together (SEC-3). The chain is made afterwards by the sealer.
func (s *Store) Audit(ctx context.Context, e models.AuditEvent) error {
	if e.Detail == nil {
		e.Detail = map[string]string{}
	}
	if err := s.with(ctx).Create(&e).Error; err != nil {
		return fault(fmt.Errorf("write the audit trail: %w", err))
	}
	return nil
}
