package store

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"time"

	"tokendesk/internal/keycode"
	"tokendesk/models"
)

// The scopes of activation codes: each wrong one counts.
const (
	ActivationCodeByCase    AttemptScope = "activation_code/case"
	ActivationCodeByAddress AttemptScope = "activation_code/address"
)

// CodeEntry is an activation code as a person enters it (PRF-9).
type CodeEntry struct {
	CaseID    string
	AccountID string
	Code      models.Secret // as typed
	Address   string        // network address of the caller; it is counted, never kept
}

// issueCode makes an activation code for a locked case, at least 64 random bits of it, and keeps its hash only (PRF-9): the text is returned here and nowhere
// again. An older code of the case becomes void. contiguous is about a posted one.
func (s *Store) issueCode(ctx context.Context, c models.ProofingCase, channel models.CodeChannel, status models.ActivationCodeStatus, contiguous bool, at time.Time) (models.Secret, models.ActivationCode, error) {
	if err := s.voidCode(ctx, c.ID, at); err != nil {
		return "", models.ActivationCode{}, err
	}
	p, err := s.Policy(ctx, c.PolicyVersion)
	if err != nil {
		return "", models.ActivationCode{}, err
	}
	code, err := keycode.New(keycode.MinBits)
	if err != nil {
		return "", models.ActivationCode{}, fmt.Errorf("make an activation code: %w", err)
	}
	row := models.ActivationCode{ID: NewID("cd", at), CaseID: c.ID, Attempt: c.Attempt, Channel: channel, Status: status, Hash: keycode.Hash(code),
		IssuedAt: at, ExpiresAt: models.ActivationCodeEnds(channel, contiguous, at, p), UpdatedAt: at}
	if err := s.with(ctx).Create(&row).Error; err != nil {
		return "", row, fault(fmt.Errorf("keep the hash of an activation code: %w", err))
	}
	return code, row, s.auditProofing(ctx, c, "activation_code.issued", models.SystemActor(models.ProofingLifecycle).ID, map[string]string{"channel": string(channel)}, at)
}

// OpenActivationCode is the code of a case that is neither used nor lapsed nor void; nil: none.
func (s *Store) OpenActivationCode(ctx context.Context, caseID string) (*models.ActivationCode, error) {
	var rows []models.ActivationCode
	if err := s.with(ctx).Where("case_id = ? and ended_at is null", caseID).Find(&rows).Error; err != nil {
		return nil, fault(fmt.Errorf("find an activation code: %w", err))
	}
	if len(rows) == 0 {
		return nil, nil
	}
	return &rows[0], nil
}

// releaseCode lets a code be used that waited for its review or for the printer.
func (s *Store) releaseCode(ctx context.Context, caseID string, at time.Time, set map[string]any) error {
	row, err := s.OpenActivationCode(ctx, caseID)
	if err != nil {
		return err
	}
	if row == nil {
		return models.NoSuchThing.New("the proofing has no activation code")
	}
	return activationCodes.move(s.with(ctx), row.ID, models.ReleaseCode, at, set)
}

// voidCode ends the open code of a case, if there is one.
func (s *Store) voidCode(ctx context.Context, caseID string, at time.Time) error {
	row, err := s.OpenActivationCode(ctx, caseID)
	if err != nil || row == nil {
		return err
	}
	return activationCodes.move(s.with(ctx), row.ID, models.VoidCode, at, map[string]any{"ended_at": at})
}

// EnterActivationCode proofs a person by the code that an agent or a letter brought, once (PRF-9). Wrong codes are counted for the case and the network address.
//
// Faults: NoSuchThing, ActionNotPossible, TooManyTries, ActivationCodeWrong, ActivationCodeLapsed, ActivationCodeInReview, AlreadyProofed, StateForbids.
func (s *Store) EnterActivationCode(ctx context.Context, e CodeEntry, at time.Time) (models.ProofingCase, error) {
	var c models.ProofingCase
	err := s.InTx(ctx, func(tx *Store) (err error) {
		c, err = tx.enterCode(ctx, e, at)
		return err
	})
	if err != nil {
		return models.ProofingCase{}, fmt.Errorf("enter an activation code: %w", err)
	}
	return c, nil
}

func (s *Store) enterCode(ctx context.Context, e CodeEntry, at time.Time) (models.ProofingCase, error) {
	c, err := s.goOn(ctx, e.CaseID, e.AccountID, at)
	if err != nil {
		return c, err
	}
	p, err := s.Policy(ctx, c.PolicyVersion)
	if err != nil {
		return c, err
	}
	wait := time.Duration(p.Proofing.CodeWaitMinutes) * time.Minute
	if err := s.Throttle(ctx, ActivationCodeByCase, c.ID, p.Proofing.CodeTries, wait, at); err != nil {
		return c, err
	}
	if err := s.Throttle(ctx, ActivationCodeByAddress, network(e.Address), p.LicenseKey.TriesPerAddress, wait, at); err != nil {
		return c, err
	}
	if c.Status == models.ProofingDone || c.Status == models.ProofingCompleted {
		return c, models.AlreadyProofed.New("").Allowing()
	}
	given, err := s.matchCode(ctx, c, e.Code)
	if err != nil {
		if errors.Is(err, models.ActivationCodeWrong) {
			return c, s.wrongCode(ctx, c, e, err, at)
		}
		return c, err
	}
	switch {
	case given.Status == models.CodeLapsed || given.EndedAt == nil && !at.Before(given.ExpiresAt):
		return c, s.auditRefusal(ctx, "activation_code.used", c.AccountID, c.ID, c.CredentialID, models.ActivationCodeLapsed.New(""), at)
	case given.Status == models.CodePending:
		return c, models.ActivationCodeInReview.New("").Allowing()
	case given.Status != models.CodeLive:
		return c, s.wrongCode(ctx, c, e, models.ActivationCodeWrong.New("a newer code replaced it, or it was used").At("/code"), at)
	}
	if err := activationCodes.move(s.with(ctx), given.ID, models.UseCode, at, map[string]any{"ended_at": at}); err != nil {
		return c, err
	}
	if err := s.auditProofing(ctx, c, "activation_code.used", c.AccountID, nil, at); err != nil {
		return c, err
	}
	return c, s.proofed(ctx, &c, models.EnterCode, c.AccountID, at)
}

// matchCode finds which of the case's codes was entered; all are compared, in constant time each. Fault: ActivationCodeWrong.
func (s *Store) matchCode(ctx context.Context, c models.ProofingCase, typed models.Secret) (found models.ActivationCode, err error) {
	canonical, err := keycode.Parse(typed.Reveal())
	if err != nil {
		return found, models.ActivationCodeWrong.New("it was mistyped: this cannot be an activation code").At("/code")
	}
	var codes []models.ActivationCode
	if err := s.with(ctx).Where("case_id = ?", c.ID).Order("id").Find(&codes).Error; err != nil {
		return found, fault(fmt.Errorf("find activation codes: %w", err))
	}
	hash, ok := keycode.Hash(canonical), false
	for _, code := range codes {
		if subtle.ConstantTimeCompare(code.Hash, hash) == 1 {
			found, ok = code, true
		}
	}
	if !ok {
		return found, models.ActivationCodeWrong.New("").At("/code")
	}
	return found, nil
}

func (s *Store) wrongCode(ctx context.Context, c models.ProofingCase, e CodeEntry, refusal error, at time.Time) error {
	if _, err := s.CountAttempt(ctx, ActivationCodeByCase, c.ID, at); err != nil {
		return err
	}
	if _, err := s.CountAttempt(ctx, ActivationCodeByAddress, network(e.Address), at); err != nil {
		return err
	}
	return s.auditRefusal(ctx, "activation_code.used", c.AccountID, c.ID, c.CredentialID, refusal, at)
}

// ReportCodeLost makes a code void that the person has lost: proofing is repeated, since nobody can retrieve a code (PRF-9). Faults: NoSuchThing, StateForbids.
func (s *Store) ReportCodeLost(ctx context.Context, caseID, accountID string, at time.Time) (models.ProofingCase, error) {
	var c models.ProofingCase
	err := s.InTx(ctx, func(tx *Store) (err error) {
		if c, err = tx.lockProofingOf(ctx, caseID, accountID); err != nil {
			return err
		}
		if err := tx.moveProofing(ctx, &c, models.ReportCodeLost, at, nil); err != nil {
			return err
		}
		if err := tx.voidCode(ctx, c.ID, at); err != nil {
			return err
		}
		if err := tx.auditProofing(ctx, c, "activation_code.lost", accountID, nil, at); err != nil {
			return err
		}
		return tx.proofingChanged(ctx, c.ID, at)
	})
	if err != nil {
		return models.ProofingCase{}, fmt.Errorf("report an activation code lost: %w", err)
	}
	return c, nil
}
