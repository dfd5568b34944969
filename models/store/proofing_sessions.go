package store

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm/clause"
	"tokendesk/models"
)

// IntendProofingSession writes down that the provider is about to be asked to start a session for the person; an earlier one of the case ends (PRF-2). The
// provider is called afterwards, under the session's id as idempotency key. Faults: NoSuchThing, ActionNotPossible, StateForbids, TooManyTries.
func (s *Store) IntendProofingSession(ctx context.Context, caseID, accountID string, at time.Time) (models.ProofingSession, error) {
	var session models.ProofingSession
	err := s.InTx(ctx, func(tx *Store) error {
		c, err := tx.goOn(ctx, caseID, accountID, at)
		if err != nil {
			return err
		}
		if c.Status != models.ProofingSelfService {
			return tx.proofingForbids(c)
		}
		if err := tx.Throttle(ctx, SessionsByAccount, accountID, mostSessions, 24*time.Hour, at); err != nil {
			return err
		}
		if _, err := tx.CountAttempt(ctx, SessionsByAccount, accountID, at); err != nil {
			return err
		}
		if err := tx.endSessionOf(ctx, c.ID, models.OutcomeCancelled, at); err != nil {
			return err
		}
		p, err := tx.Policy(ctx, c.PolicyVersion)
		if err != nil {
			return err
		}
		session = models.ProofingSession{ID: NewID("ps", at), CaseID: c.ID, Attempt: c.Attempt, Phase: models.SessionChecking, StartedAt: at,
			ExpiresAt: at.Add(time.Duration(p.Proofing.SessionHours) * time.Hour), CheckAt: at.Add(checkAfter(p, 0))}
		session.ProviderRef = models.AskedRef + session.ID
		if err := tx.with(ctx).Create(&session).Error; err != nil {
			return err
		}
		return tx.proofingChanged(ctx, c.ID, at)
	})
	if err != nil {
		return models.ProofingSession{}, fmt.Errorf("intend a proofing session: %w", err)
	}
	return session, nil
}

// SessionsByAccount counts sessions at the identity provider, each of which costs money and leaves a trace at the credit bureau.
const SessionsByAccount AttemptScope = "proofing_session/account"

const mostSessions = 10 // of an account, a day

// checkAfter is how long after a look the result of a session of that age is fetched again: less and less often.
func checkAfter(p models.Policy, age time.Duration) time.Duration {
	return max(time.Duration(p.Proofing.CheckMinutes)*time.Minute, 2*age)
}

// ProofingSessionStarted records the provider's answer to a session that was intended.
func (s *Store) ProofingSessionStarted(ctx context.Context, sessionID, providerRef string, r models.ProofingResult, at time.Time) (models.ProofingCase, error) {
	u := s.with(ctx).Exec("update proofing_sessions set provider_ref = ? where id = ? and provider_ref = ?", providerRef, sessionID, models.AskedRef+sessionID)
	if u.Error != nil {
		return models.ProofingCase{}, fault(fmt.Errorf("record a proofing session: %w", u.Error))
	}
	return s.RecordProofingResult(ctx, providerRef, r, at)
}

// ProofingSessionNotStarted ends a session that the provider did not take: the person enters the data again later (PRF-2).
func (s *Store) ProofingSessionNotStarted(ctx context.Context, sessionID string, at time.Time) error {
	return s.endProviderSessions(ctx, "id = ?", sessionID, models.OutcomeTimedOut, at)
}

// ProofingSessionOf is the session of a case that goes on at the provider; false: there is none.
func (s *Store) ProofingSessionOf(ctx context.Context, caseID string) (models.ProofingSession, bool, error) {
	var rows []models.ProofingSession
	if err := s.with(ctx).Where("case_id = ? and ended_at is null", caseID).Find(&rows).Error; err != nil {
		return models.ProofingSession{}, false, fault(fmt.Errorf("find a proofing session: %w", err))
	}
	if len(rows) == 0 {
		return models.ProofingSession{}, false, nil
	}
	return rows[0], true, nil
}

// endSessionOf ends the session of a case that goes on, if there is one. The provider hears of it afterwards (see Tidying).
func (s *Store) endSessionOf(ctx context.Context, caseID string, o models.ProofingOutcome, at time.Time) error {
	return s.endProviderSessions(ctx, "case_id = ?", caseID, o, at)
}

func (s *Store) endProviderSessions(ctx context.Context, which, id string, o models.ProofingOutcome, at time.Time) error {
	err := s.with(ctx).Table("proofing_sessions").Where(which+" and ended_at is null", id).
		Updates(map[string]any{"phase": models.SessionEnded, "outcome": o, "ended_at": at}).Error
	if err != nil {
		return fault(fmt.Errorf("end a proofing session: %w", err))
	}
	return nil
}

// RecordProofingResult records what was fetched from the provider and does what an outcome brings, once: proofed, a letter, live video, or the choice anew
// (PRF-4). What comes late, twice or for an earlier attempt changes nothing. Fault: NoSuchThing.
func (s *Store) RecordProofingResult(ctx context.Context, providerRef string, r models.ProofingResult, at time.Time) (models.ProofingCase, error) {
	var c models.ProofingCase
	err := s.InTx(ctx, func(tx *Store) (err error) {
		var session models.ProofingSession
		if err := tx.with(ctx).Where("provider_ref = ?", providerRef).Take(&session).Error; err != nil {
			return err
		}
		if c, err = tx.lockProofing(ctx, session.CaseID); err != nil {
			return err
		}
		if err := tx.with(ctx).Where("id = ?", session.ID).Take(&session).Error; err != nil { // again, under the lock
			return err
		}
		if session.EndedAt != nil {
			return nil
		}
		p, err := tx.Policy(ctx, c.PolicyVersion)
		if err != nil {
			return err
		}
		if r.Outcome == nil {
			return tx.with(ctx).Exec("update proofing_sessions set phase = ?, check_at = ? where id = ?", r.Phase, at.Add(checkAfter(p, at.Sub(session.StartedAt))), session.ID).Error
		}
		if err := tx.endSessionOf(ctx, c.ID, *r.Outcome, at); err != nil {
			return err
		}
		if err := tx.auditProofing(ctx, c, "proofing.result", "provider", map[string]string{"outcome": string(*r.Outcome)}, at); err != nil {
			return err
		}
		return tx.bring(ctx, &c, session, *r.Outcome, at)
	})
	if err != nil {
		return models.ProofingCase{}, fmt.Errorf("record the result of a proofing: %w", fault(err))
	}
	return c, nil
}

// bring does what the outcome of a session brings.
func (s *Store) bring(ctx context.Context, c *models.ProofingCase, session models.ProofingSession, o models.ProofingOutcome, at time.Time) error {
	if c.Status != models.ProofingSelfService || c.Attempt != session.Attempt {
		return s.proofingChanged(ctx, c.ID, at)
	}
	event := o.Leads()
	if event == models.VerifyIdentity {
		return s.proofed(ctx, c, event, "provider", at)
	}
	if err := s.moveProofing(ctx, c, event, at, nil); err != nil {
		return err
	}
	if event == models.TurnToVideo {
		if err := s.tellProofed(ctx, *c, models.NoticeVideoInvited, "video/"+session.ID, nil, at); err != nil {
			return err
		}
	}
	return s.proofingChanged(ctx, c.ID, at)
}

// ProofingNews takes a message of the provider's: it only makes the case's lifecycle fetch the result (PRF-3). The same message again, or one about a
// session that is not ours, does nothing.
func (s *Store) ProofingNews(ctx context.Context, eventID, providerRef string, at time.Time) error {
	err := s.InTx(ctx, func(tx *Store) error {
		r := tx.with(ctx).Clauses(clause.OnConflict{DoNothing: true}).Table("proofing_news").
			Create(map[string]any{"event_id": eventID, "provider_ref": providerRef, "received_at": at})
		if r.Error != nil || r.RowsAffected == 0 {
			return r.Error
		}
		var cases []string
		if err := tx.with(ctx).Raw("update proofing_sessions set check_at = least(check_at, ?) where provider_ref = ? and ended_at is null returning case_id", at, providerRef).Scan(&cases).Error; err != nil {
			return err
		}
		for _, id := range cases {
			if err := tx.proofingChanged(ctx, id, at); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("take news of a proofing: %w", fault(err))
	}
	return nil
}

// proofingForbids is the fault of a step that the case's status does not allow.
func (s *Store) proofingForbids(c models.ProofingCase) error {
	return models.StateForbids.New("the proofing is %s", c.Status).Allowing(models.Events(models.ProofingMachine.Allowed(c.Status, models.ByPerson))...)
}
