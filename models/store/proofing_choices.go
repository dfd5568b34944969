package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"tokendesk/models"
)

// ConsentToSelfService begins self-service with the person's consent to the current terms and to the soft credit inquiry (PRF-2).
// Faults: NoSuchThing, ActionNotPossible, MethodNotOffered (PRF-1), ConsentMissing, ProofingFeeDue, StateForbids.
func (s *Store) ConsentToSelfService(ctx context.Context, caseID, accountID string, termsVersion string, creditInquiry bool, at time.Time) (models.ProofingCase, error) {
	return s.choose(ctx, "consent to self-service", caseID, accountID, at, func(tx *Store, c *models.ProofingCase, p models.Policy) error {
		switch {
		case !slices.Contains(models.ProofingMethods(c.Country), models.BySelfService):
			return models.MethodNotOffered.New("")
		case termsVersion != p.Proofing.TermsVersion:
			return models.ConsentMissing.New("the current terms are version %s", p.Proofing.TermsVersion).At("/terms_version")
		case !creditInquiry:
			return models.ConsentMissing.New("the soft credit inquiry must be acknowledged").At("/credit_inquiry")
		}
		if err := tx.begin(ctx, c, models.ChooseSelfService, p, at); err != nil {
			return err
		}
		consent := models.ProofingConsent{CaseID: c.ID, Attempt: c.Attempt, TermsVersion: termsVersion, CreditInquiry: creditInquiry, GivenAt: at}
		if err := tx.with(ctx).Create(&consent).Error; err != nil {
			return err
		}
		return tx.auditProofing(ctx, *c, "proofing.consented", accountID, map[string]string{"terms": termsVersion}, at)
	})
}

// ChooseVideo turns to a live video session, also from self-service that the person declines or cannot finish (PRF-1, PRF-4).
// Faults: NoSuchThing, ActionNotPossible, ProofingFeeDue, StateForbids.
func (s *Store) ChooseVideo(ctx context.Context, caseID, accountID string, at time.Time) (models.ProofingCase, error) {
	return s.choose(ctx, "choose live video", caseID, accountID, at, func(tx *Store, c *models.ProofingCase, p models.Policy) error {
		if err := tx.endSessionOf(ctx, c.ID, models.OutcomeCancelled, at); err != nil {
			return err
		}
		if err := tx.begin(ctx, c, models.ChooseVideo, p, at); err != nil {
			return err
		}
		return tx.auditProofing(ctx, *c, "proofing.video_chosen", accountID, nil, at)
	})
}

// StartProofingOver leads back to the choice of a method. wrongName says that the name on the account is not the person's legal name: support has to
// look at it first (PRF-2). Faults: NoSuchThing, ActionNotPossible, StateForbids.
func (s *Store) StartProofingOver(ctx context.Context, caseID, accountID string, wrongName bool, at time.Time) (models.ProofingCase, error) {
	return s.choose(ctx, "start a proofing over", caseID, accountID, at, func(tx *Store, c *models.ProofingCase, _ models.Policy) error {
		if err := tx.endSessionOf(ctx, c.ID, models.OutcomeCancelled, at); err != nil {
			return err
		}
		if wrongName {
			if err := tx.ReopenCase(ctx, "wrong-name/"+c.ID, c.ID, "the person says that the name on the account is wrong: correct it before the proofing goes on", at); err != nil {
				return err
			}
		}
		if c.Status == models.ProofingChoosing && wrongName {
			return tx.auditProofing(ctx, *c, "proofing.wrong_name", accountID, nil, at)
		}
		if err := tx.releaseHoldOf(ctx, c.ID, at); err != nil {
			return err
		}
		if err := tx.moveProofing(ctx, c, models.StartOver, at, nil); err != nil {
			return err
		}
		kind := "proofing.started_over"
		if wrongName {
			kind = "proofing.wrong_name"
		}
		return tx.auditProofing(ctx, *c, kind, accountID, nil, at)
	})
}

// choose has a person choose something about a case.
func (s *Store) choose(ctx context.Context, what, caseID, accountID string, at time.Time, f func(*Store, *models.ProofingCase, models.Policy) error) (models.ProofingCase, error) {
	var c models.ProofingCase
	err := s.InTx(ctx, func(tx *Store) (err error) {
		if c, err = tx.goOn(ctx, caseID, accountID, at); err != nil {
			return err
		}
		p, err := tx.Policy(ctx, c.PolicyVersion)
		if err != nil {
			return err
		}
		if err := f(tx, &c, p); err != nil {
			return err
		}
		return tx.proofingChanged(ctx, c.ID, at)
	})
	if err != nil {
		return models.ProofingCase{}, fmt.Errorf("%s: %w", what, err)
	}
	return c, nil
}

// begin performs an event that uses an attempt up; beyond the included ones another must be bought (PRF-9).
func (s *Store) begin(ctx context.Context, c *models.ProofingCase, event models.ProofingEvent, p models.Policy, at time.Time) error {
	if c.Exhausted(p) {
		return models.ProofingFeeDue.New("").Allowing("buy_attempt")
	}
	return s.moveProofing(ctx, c, event, at, nil)
}
