package store

import (
	"context"
	"fmt"
	"time"

	"tokendesk/models"
)

// proofed raises the credential to level 3 (PRF-4, PRF-10). A new credential then waits for its first authenticator, until the policy's day (REG-2); an upgraded
// one has it already.
func (s *Store) proofed(ctx context.Context, c *models.ProofingCase, event models.ProofingEvent, actor string, at time.Time) error {
	p, err := s.Policy(ctx, c.PolicyVersion)
	if err != nil {
		return err
	}
	set := map[string]any{"proofed_at": at, "register_by": nil}
	var params map[string]string
	if c.Purpose == models.ProofingForActivation {
		due := models.RegistrationDue(at, p)
		set["register_by"], params = due, day("register_by", due.Add(-1), p)
		err = credentials.move(s.with(ctx), c.CredentialID, models.ProofCredential, at, map[string]any{"level": 3})
	} else {
		err = fault(s.with(ctx).Exec("update credentials set level = 3, updated_at = ? where id = ?", at, c.CredentialID).Error)
	}
	if err != nil {
		return err
	}
	if err := s.moveProofing(ctx, c, event, at, set); err != nil {
		return err
	}
	if err := s.auditProofing(ctx, *c, "proofing.proofed", actor, map[string]string{"level": "3"}, at); err != nil {
		return err
	}
	if err := s.tellProofed(ctx, *c, models.NoticeProofed, fmt.Sprintf("proofed/%d", c.Attempt), params, at); err != nil {
		return err
	}
	if c.Purpose == models.ProofingForUpgrade {
		if err := s.moveProofing(ctx, c, models.CompleteProofing, at, nil); err != nil {
			return err
		}
	}
	if err := s.Signal(ctx, models.CredentialLifecycle, c.CredentialID, models.SignalCredentialChanged, c.CredentialID, at); err != nil {
		return err
	}
	return s.proofingChanged(ctx, c.ID, at)
}

// completeProofing ends the case of a credential whose first authenticator is registered. The caller has locked the credential.
func (s *Store) completeProofing(ctx context.Context, credentialID string, at time.Time) error {
	c, err := s.openProofingOf(ctx, credentialID)
	if err != nil || c == nil || c.Status != models.ProofingDone {
		return err
	}
	if err := s.moveProofing(ctx, c, models.CompleteProofing, at, nil); err != nil {
		return err
	}
	return s.proofingChanged(ctx, c.ID, at)
}

// abandonProofing ends the case of a credential that has ended, or whose upgrade was refunded, with everything that was arranged for it. The caller
// has locked the credential.
func (s *Store) abandonProofing(ctx context.Context, credentialID string, by models.Actor, at time.Time) error {
	c, err := s.openProofingOf(ctx, credentialID)
	if err != nil || c == nil {
		return err
	}
	if err := s.cancelAppointmentOf(ctx, *c, at); err != nil {
		return err
	}
	if err := s.endSessionOf(ctx, c.ID, models.OutcomeCancelled, at); err != nil {
		return err
	}
	if err := s.voidCode(ctx, c.ID, at); err != nil {
		return err
	}
	if err := s.moveProofing(ctx, c, models.AbandonProofing, at, nil); err != nil {
		return err
	}
	if err := s.auditProofing(ctx, *c, "proofing.abandoned", by.ID, nil, at); err != nil {
		return err
	}
	return s.proofingChanged(ctx, c.ID, at)
}
