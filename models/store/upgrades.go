package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"tokendesk/models"
)

// priceProofing checks a line that has the holder of a credential proofed: the upgrade of one that is in use, or another attempt at a proofing
// whose attempts are used up (PRF-9, PRF-10).
//
// Faults: CredentialIsRevoked, AlreadyProofed, ProofingOrderPending, ActionNotPossible (a proofing goes on), CredentialUnknown, InvalidRequest, StateForbids,
// LoginWithCredential, ProofingCountryMissing.
func (s *Store) priceProofing(ctx context.Context, b buying, asked models.NewOrderLine, line *pricedLine, pointer string) error {
	st := line.standing
	c := st.Credential
	refuse := func(f *models.Fault) error { return b.forbid(f, st, models.ActionUpgrade, pointer) }
	switch {
	case c.Phase == models.CredentialRevoked:
		return refuse(models.CredentialIsRevoked.New(""))
	case c.Level == 3:
		return refuse(models.AlreadyProofed.New(""))
	}
	ordered, err := s.openOrderFor(ctx, c.ID, models.ProofingUpgrade)
	if err != nil {
		return err
	}
	if ordered != "" {
		return refuse(models.ProofingOrderPending.New("it was ordered with %s", ordered))
	}
	if st.Proofing {
		return s.priceAttempt(ctx, b, asked, line, pointer)
	}
	switch shown := st.Displayed(b.at); {
	case shown != models.ShownActive:
		return refuse(models.StateForbids.New("the credential is %s", shown))
	case !st.LoggedIn:
		return refuse(models.LoginWithCredential.New("only its holder orders an upgrade, in a session that a one-time password of the credential has raised"))
	case !models.ValidCountry(asked.ProofingCountry):
		return models.ProofingCountryMissing.New("").At(pointer + "/proofing_country")
	}
	upgrade := models.OrderedUpgrade
	line.Proofing, line.ProofingCountry, line.RequirementsAcknowledged = &upgrade, &asked.ProofingCountry, asked.RequirementsAcknowledged
	return nil
}

// priceAttempt checks the purchase of another attempt (PRF-9): by the holder, in whatever session, once the included ones are used up.
func (s *Store) priceAttempt(ctx context.Context, b buying, asked models.NewOrderLine, line *pricedLine, pointer string) error {
	st := line.standing
	cases, err := s.ProofingsOfCredential(ctx, st.Credential.ID)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(cases, func(c models.ProofingCase) bool { return c.EndedAt == nil })
	if i < 0 { // it has ended just now, while a quote was made
		return b.forbid(models.ActionNotPossible.New("its proofing has ended: look again"), st, models.ActionUpgrade, pointer)
	}
	open := cases[i]
	p, err := s.Policy(ctx, open.PolicyVersion)
	if err != nil {
		return err
	}
	shown := st.Displayed(b.at)
	switch {
	case !open.Exhausted(p):
		return b.forbid(models.ActionNotPossible.New("its proofing goes on"), st, models.ActionUpgrade, pointer)
	case st.Credential.AccountID != b.buyer.ID:
		return models.CredentialUnknown.New("only its holder buys another attempt").At(pointer + "/credential_id")
	case shown == models.ShownExpired || shown == models.ShownSuspended:
		return b.forbid(models.ActionNotPossible.New("the credential is %s", shown), st, models.ActionUpgrade, pointer)
	case asked.ProofingCountry != "" && asked.ProofingCountry != open.Country:
		return models.InvalidRequest.New("the proofing goes on with documents of %s", open.Country).At(pointer + "/proofing_country")
	}
	attempt := models.OrderedAttempt
	line.Proofing = &attempt
	return nil
}

// checkAcknowledged refuses an upgrade whose requirements were not acknowledged (PRF-10).
func checkAcknowledged(lines []pricedLine) error {
	for i, line := range lines {
		if line.ProofingCountry != nil && !line.RequirementsAcknowledged {
			return models.RequirementsNotAcknowledged.New("").At(fmt.Sprintf("/lines/%d/requirements_acknowledged", i))
		}
	}
	return nil
}

// proofLine gives what a paid line has bought: the proofing of a credential is opened, or the one that goes on has another attempt (PRF-9, PRF-10).
// What can serve nobody any more is credited: the credential has ended, or was proofed otherwise.
func (s *Store) proofLine(ctx context.Context, o models.Order, line models.OrderLine, at time.Time) error {
	c, err := s.lockCredential(ctx, *line.CredentialID)
	if err != nil {
		return err
	}
	st, err := s.Standing(ctx, c.ID, at)
	if err != nil {
		return err
	}
	open, err := s.openProofingOf(ctx, c.ID)
	if err != nil {
		return err
	}
	over := c.Phase == models.CredentialRevoked || !at.Before(c.ExpiresAt) && !at.Before(st.Window.LastRenewal)
	switch upgrade := *line.Proofing == models.OrderedUpgrade; {
	case over, c.Level == 3, upgrade == (open != nil):
		return s.CreditLine(ctx, o, line, models.RefundImpossible, at)
	case upgrade:
		_, err = s.OpenProofing(ctx, c, models.ProofingForUpgrade, line.ID, *line.ProofingCountry, o.PolicyVersion, at)
		return err
	}
	return s.addAttempt(ctx, *open, line, at)
}

// addAttempt lets a locked case begin another attempt.
func (s *Store) addAttempt(ctx context.Context, c models.ProofingCase, line models.OrderLine, at time.Time) error {
	if err := s.with(ctx).Exec("update proofing_cases set paid_attempts = paid_attempts + 1, updated_at = ? where id = ?", at, c.ID).Error; err != nil {
		return fmt.Errorf("add an attempt: %w", err)
	}
	if err := s.with(ctx).Exec("insert into proofing_attempts (order_line_id, case_id, attempt) values (?, ?, ?)", line.ID, c.ID, c.Attempt).Error; err != nil {
		return fault(fmt.Errorf("note which attempt was bought: %w", err))
	}
	if err := s.auditProofing(ctx, c, "proofing.attempt_bought", models.SystemActor(models.OrderLifecycle).ID, map[string]string{"order_line": line.ID}, at); err != nil {
		return err
	}
	if err := s.tellProofed(ctx, c, models.NoticeProofingNudge, "attempt/"+line.ID, nil, at); err != nil {
		return err
	}
	return s.proofingChanged(ctx, c.ID, at)
}
