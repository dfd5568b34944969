package store

import (
	"context"
	"fmt"

	"tokendesk/models"
)

// hindrances reads what stands against single actions on a credential, besides its own state (MGT-1, MGT-2, MGT-5, REN-1).
func (s *Store) hindrances(ctx context.Context, st *models.Standing, policy models.OTPPolicy) error {
	open, err := s.openOrderFor(ctx, st.Credential.ID, models.Renewal)
	if err != nil {
		return err
	}
	st.Renewing = open != ""
	if open, err = s.openOrderFor(ctx, st.Credential.ID, models.ProofingUpgrade); err != nil {
		return err
	}
	st.Upgrading = open != ""
	var tries int
	err = s.with(ctx).Raw(`
		select exists (select from authenticators where account_id = ? and credential_id <> ? and kind = ? and revoked_at is null),
			exists (select from proofing_cases where credential_id = ? and ended_at is null),
			(select coalesce(max(t.failures), 0) from resync_tries t join authenticators a on a.id = t.authenticator_id where a.credential_id = ? and a.revoked_at is null)`,
		st.Credential.AccountID, st.Credential.ID, models.HardwareToken, st.Credential.ID, st.Credential.ID).Row().Scan(&st.Elsewhere, &st.Proofing, &tries)
	if err != nil {
		return fault(fmt.Errorf("look what stands against actions on a credential: %w", err))
	}
	st.NeedsReset = tries >= policy.FailuresToLock()
	return nil
}
