package store

import (
	"context"
	"fmt"
	"time"

	"tokendesk/models"
)

// boughtProofing is the case that a fulfilled line has opened or gone on with, and which attempt it has bought; 0: the proofing itself.
func (s *Store) boughtProofing(ctx context.Context, l models.OrderLine) (c models.ProofingCase, attempt int, err error) {
	var found struct {
		ID      string
		Attempt int
	}
	err = s.with(ctx).Raw(`select id, 0 as attempt from proofing_cases where order_line_id = @line
		union select case_id, attempt from proofing_attempts where order_line_id = @line`, map[string]any{"line": l.ID}).Scan(&found).Error
	if err != nil {
		return c, 0, fault(fmt.Errorf("find the proofing of a line: %w", err))
	}
	c, err = s.ProofingCase(ctx, found.ID)
	return c, found.Attempt, err
}

// refuseProofing says what stands against giving back what was paid for a proofing: that it has been had. Whoever calls has locked the credential.
// Fault: ProofingNotRefundable.
func (s *Store) refuseProofing(ctx context.Context, o models.Order, l models.OrderLine) error {
	if o.Status != models.OrderFulfilled {
		return nil
	}
	c, attempt, err := s.boughtProofing(ctx, l)
	switch {
	case err != nil:
		return err
	case c.ProofedAt != nil && !c.ProofedAt.Before(*o.FulfilledAt): // an earlier one was repeated (REG-2)
		return models.ProofingNotRefundable.New("line %d: the identity has been proofed", l.Position)
	case attempt > 0 && (c.Attempt > attempt || c.EndedAt == nil && c.Status != models.ProofingChoosing):
		return models.ProofingNotRefundable.New("line %d: the attempt has been begun", l.Position)
	}
	return nil
}

// unproof takes back what an undone line has bought of a proofing that has not been had: the proofing, which is abandoned, or the attempt. Fault: ProofingNotRefundable,
// if it was had since the refund was asked for.
func (s *Store) unproof(ctx context.Context, o models.Order, l models.OrderLine, at time.Time) error {
	if l.Proofing == nil || o.Status != models.OrderFulfilled {
		return nil
	}
	if err := s.refuseProofing(ctx, o, l); err != nil {
		return err
	}
	c, attempt, err := s.boughtProofing(ctx, l)
	switch {
	case err != nil || c.EndedAt != nil:
		return err
	case attempt == 0:
		return s.abandonProofing(ctx, c.CredentialID, refundActor, at)
	}
	if err := s.with(ctx).Exec("update proofing_cases set paid_attempts = paid_attempts - 1, updated_at = ? where id = ?", at, c.ID).Error; err != nil {
		return fmt.Errorf("take an attempt back: %w", err)
	}
	if err := s.auditProofing(ctx, c, "proofing.attempt_taken_back", refundActor.ID, map[string]string{"order_line": l.ID}, at); err != nil {
		return err
	}
	return s.proofingChanged(ctx, c.ID, at)
}
