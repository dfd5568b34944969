package store

import (
	"context"
	"fmt"
	"time"

	"tokendesk/models"
)

// CodeLetter is a letter with an activation code that is to be posted.
type CodeLetter struct {
	Case        models.ProofingCase
	ProviderRef string // of the session that located the person: the provider knows the address, we do not (PRF-2)
	// Asked is the code of a letter that was to be posted before and of which the outcome is not known; nil: none. Its text is gone: if the printer does not
	// have that letter, another code takes its place.
	Asked *models.ActivationCode
}

// letterDue reports whether a located person of a case waits for a letter that was not posted yet.
func (s *Store) letterDue(ctx context.Context, c models.ProofingCase) (bool, error) {
	if c.Status != models.ProofingAwaitingCode {
		return false, nil
	}
	var due bool
	err := s.with(ctx).Raw(`select exists (select from proofing_sessions where case_id = ? and attempt = ? and outcome = ?)
		and not exists (select from activation_codes where case_id = ? and attempt = ? and (channel = ? or posted_at is not null))`,
		c.ID, c.Attempt, models.OutcomeLocated, c.ID, c.Attempt, models.CodeByAgent).Row().Scan(&due)
	if err != nil {
		return false, fault(fmt.Errorf("look for a letter to post: %w", err))
	}
	return due, nil
}

// LetterDue returns the letter that is to be posted for a case; false: none.
func (s *Store) LetterDue(ctx context.Context, caseID string) (l CodeLetter, due bool, err error) {
	if l.Case, err = s.ProofingCase(ctx, caseID); err != nil {
		return l, false, err
	}
	if due, err = s.letterDue(ctx, l.Case); err != nil || !due {
		return l, false, err
	}
	if l.Asked, err = s.OpenActivationCode(ctx, caseID); err != nil {
		return l, false, err
	}
	err = s.with(ctx).Raw("select provider_ref from proofing_sessions where case_id = ? and attempt = ? and outcome = ? order by id desc limit 1",
		caseID, l.Case.Attempt, models.OutcomeLocated).Row().Scan(&l.ProviderRef)
	if err != nil {
		return l, false, fault(fmt.Errorf("find who was located: %w", err))
	}
	return l, true, nil
}

// IssueLetterCode makes the code of a letter, in place of any earlier one; it may be used once the letter is posted. contiguous says that it stays
// within the contiguous United States (PRF-9). Fault: StateForbids, where no letter is due.
func (s *Store) IssueLetterCode(ctx context.Context, caseID string, contiguous bool, at time.Time) (code models.Secret, row models.ActivationCode, err error) {
	err = s.InTx(ctx, func(tx *Store) error {
		c, err := tx.lockProofing(ctx, caseID)
		if err != nil {
			return err
		}
		if due, err := tx.letterDue(ctx, c); err != nil {
			return err
		} else if !due {
			return tx.proofingForbids(c)
		}
		code, row, err = tx.issueCode(ctx, c, models.CodeByPost, models.CodePending, contiguous, at)
		return err
	})
	if err != nil {
		return "", row, fmt.Errorf("issue a code by post: %w", err)
	}
	return code, row, nil
}

// LetterPosted records that the printer has taken the letter with a code: from now on the code may be used. Repeated, it changes nothing.
func (s *Store) LetterPosted(ctx context.Context, caseID, codeID string, at time.Time) error {
	err := s.InTx(ctx, func(tx *Store) error {
		c, err := tx.lockProofing(ctx, caseID)
		if err != nil {
			return err
		}
		open, err := tx.OpenActivationCode(ctx, caseID)
		if err != nil || open == nil || open.ID != codeID || open.Status != models.CodePending { // posted before, or given up meanwhile
			return err
		}
		if err := activationCodes.move(tx.with(ctx), codeID, models.ReleaseCode, at, map[string]any{"posted_at": at}); err != nil {
			return err
		}
		if err := tx.auditProofing(ctx, c, "activation_code.posted", models.SystemActor(models.ProofingLifecycle).ID, nil, at); err != nil {
			return err
		}
		return tx.tellProofed(ctx, c, models.NoticeCodePosted, "posted/"+codeID, nil, at)
	})
	if err != nil {
		return fmt.Errorf("record a posted letter: %w", err)
	}
	return nil
}

// LetterImpossible turns to live video where no letter can be posted to the person, and tells staff.
func (s *Store) LetterImpossible(ctx context.Context, caseID string, at time.Time) error {
	err := s.InTx(ctx, func(tx *Store) error {
		c, err := tx.lockProofing(ctx, caseID)
		if err != nil {
			return err
		}
		if due, err := tx.letterDue(ctx, c); err != nil || !due {
			return err
		}
		if err := tx.voidCode(ctx, caseID, at); err != nil {
			return err
		}
		if err := tx.moveProofing(ctx, &c, models.TurnToVideo, at, nil); err != nil {
			return err
		}
		return tx.tellProofed(ctx, c, models.NoticeVideoInvited, fmt.Sprintf("video/no-letter/%d", c.Attempt), nil, at)
	})
	if err != nil {
		return fmt.Errorf("give a letter up: %w", err)
	}
	return nil
}

// tidyingDue reports whether the provider still has what it should forget: sessions that have ended, once no letter needs their address any more.
func (s *Store) tidyingDue(ctx context.Context, caseID string, letter bool) (due bool, err error) {
	err = s.with(ctx).Raw("select exists (select from proofing_sessions where case_id = ? and ended_at is not null and redacted_at is null and not (? and outcome = ?))",
		caseID, letter, models.OutcomeLocated).Row().Scan(&due)
	if err != nil {
		err = fault(fmt.Errorf("look for sessions to be forgotten: %w", err))
	}
	return due, err
}

// SessionsToForget lists the sessions of a case that the provider is to forget, by its reference. The ones that it never answered for are not among them: they are
// marked here.
func (s *Store) SessionsToForget(ctx context.Context, caseID string, at time.Time) ([]models.ProofingSession, error) {
	c, err := s.ProofingCase(ctx, caseID)
	if err != nil {
		return nil, err
	}
	letter, err := s.letterDue(ctx, c)
	if err != nil {
		return nil, err
	}
	err = s.with(ctx).Exec("update proofing_sessions set redacted_at = ? where case_id = ? and ended_at is not null and redacted_at is null and provider_ref like ?", at, caseID, models.AskedRef+"%").Error
	if err != nil {
		return nil, fault(fmt.Errorf("mark sessions: %w", err))
	}
	var rows []models.ProofingSession
	err = s.with(ctx).Where("case_id = ? and ended_at is not null and redacted_at is null and not (? and outcome = ?)", caseID, letter, models.OutcomeLocated).Order("id").Find(&rows).Error
	if err != nil {
		return nil, fault(fmt.Errorf("list sessions to be forgotten: %w", err))
	}
	return rows, nil
}

// SessionForgotten records that the provider has forgotten a session.
func (s *Store) SessionForgotten(ctx context.Context, sessionID string, at time.Time) error {
	return fault(s.with(ctx).Exec("update proofing_sessions set redacted_at = ? where id = ? and redacted_at is null", at, sessionID).Error)
}

// SessionToFetch returns the session of a case whose result is due at the moment; false: none.
func (s *Store) SessionToFetch(ctx context.Context, caseID string, at time.Time) (models.ProofingSession, bool, error) {
	session, ok, err := s.ProofingSessionOf(ctx, caseID)
	return session, ok && !at.Before(session.CheckAt), err
}
