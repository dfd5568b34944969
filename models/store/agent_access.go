package store

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"time"

	"tokendesk/internal/otp"
	"tokendesk/models"
)

const (
	agentSessionPrefix = "tda_"
	agentSecretSize    = 20 // bytes: as long as the hash (RFC 4226, section 4)
	agentSkew          = 1  // steps, on either side
)

// EnrolAgent gives an agent a new second factor and returns its secret, here and nowhere again (PRF-8). The agent's sessions end. Fault: NoSuchThing.
func (s *Store) EnrolAgent(ctx context.Context, agentID string, sealer Sealer, actor models.Actor, reason string, at time.Time) (models.SecretBytes, error) {
	secret := make(models.SecretBytes, agentSecretSize)
	rand.Read(secret) // never fails: it ends the program instead
	sealed, err := sealer.Seal(secret, models.AgentSecretContext(agentID))
	if err != nil {
		return nil, fmt.Errorf("seal an agent's second factor: %w", err)
	}
	err = s.InTx(ctx, func(tx *Store) error {
		r := tx.with(ctx).Table("proofing_agents").Where("id = ? and retired_at is null", agentID).
			Updates(map[string]any{"sealed_totp": sealed, "totp_step": 0, "totp_failures": 0, "totp_locked": nil, "updated_at": at})
		if r.Error != nil {
			return r.Error
		}
		if r.RowsAffected == 0 {
			return models.NoSuchThing.New("no such agent")
		}
		if err := tx.endAgentSessions(ctx, agentID, at); err != nil {
			return err
		}
		return tx.auditAgent(ctx, agentID, "agent.enrolled", map[string]string{"reason": reason}, actor, at)
	})
	if err != nil {
		return nil, fmt.Errorf("enrol an agent: %w", err)
	}
	return secret, nil
}

// AgentForUpdate is an agent whom nobody else changes before the transaction ends. Fault: NoSuchThing.
func (s *Store) AgentForUpdate(ctx context.Context, id string) (models.Agent, error) {
	if err := s.lockAgent(ctx, id); err != nil {
		return models.Agent{}, err
	}
	return s.Agent(ctx, id)
}

// AgentLogin is a certificate that was accepted, with a code.
type AgentLogin struct {
	AgentID     string // that the certificate names
	Certificate []byte // its SHA-256
	Code        models.Secret
}

// StartAgentSession opens a session by a client certificate and a one-time password, which is good once (PRF-8). It is bound to the certificate; an earlier session of
// the agent ends. The token is returned here only. at is the vendor's moment, codeAt the real one: codes, locks and sessions follow that one, as certificates do.
//
// Faults: CertificateNotAccepted, AgentCodeWrong, TooManyTries.
func (s *Store) StartAgentSession(ctx context.Context, l AgentLogin, opener Opener, at, codeAt time.Time) (models.Secret, models.AgentSession, error) {
	token := newSecret(agentSessionPrefix)
	session := models.AgentSession{ID: NewID("as", at), AgentID: l.AgentID, TokenHash: hashSecret(token), Certificate: l.Certificate, CreatedAt: codeAt, SeenAt: codeAt}
	err := s.InTx(ctx, func(tx *Store) error {
		p, err := tx.CurrentPolicy(ctx, at)
		if err != nil {
			return err
		}
		if err := tx.checkAgentCode(ctx, l, opener, p.Proofing, at, codeAt); err != nil {
			return err
		}
		if err := tx.endAgentSessions(ctx, l.AgentID, at); err != nil {
			return err
		}
		session.ExpiresAt = codeAt.Add(time.Duration(p.Session.AbsoluteHours) * time.Hour)
		if err := tx.with(ctx).Create(&session).Error; err != nil {
			return err
		}
		return tx.auditAgentSession(ctx, session.AgentID, session.ID, "agent_session.started", nil, at)
	})
	if err != nil {
		return "", models.AgentSession{}, fmt.Errorf("start an agent's session: %w", err)
	}
	return token, session, nil
}

// checkAgentCode matches a code against an agent's second factor, under a lock: tries at the same time come one after the other. Wrong ones count;
// after as many as the policy allows, none is tried for the policy's time.
func (s *Store) checkAgentCode(ctx context.Context, l AgentLogin, opener Opener, p models.ProofingPolicy, at, codeAt time.Time) error {
	if err := s.lockAgent(ctx, l.AgentID); err != nil {
		if errors.Is(err, models.NoSuchThing) {
			return models.CertificateNotAccepted.New("no agent here has it")
		}
		return err
	}
	a, err := s.Agent(ctx, l.AgentID)
	if err != nil {
		return err
	}
	switch {
	case a.RetiredAt != nil:
		return s.agentRefused(ctx, a.ID, models.CertificateNotAccepted.New("its agent no longer works here"), at)
	case len(a.SealedTOTP) == 0:
		return s.agentRefused(ctx, a.ID, models.AgentCodeWrong.New("no second factor is enrolled"), at)
	case a.TOTPLocked != nil && codeAt.Before(*a.TOTPLocked):
		return models.TooManyTries.New("").After(a.TOTPLocked.Sub(codeAt))
	}
	seed, err := opener.Open(a.SealedTOTP, models.AgentSecretContext(a.ID))
	if err != nil {
		return fmt.Errorf("open an agent's second factor: %w", err)
	}
	next, ok := otp.Verify(seed.Reveal(), otp.App, otp.State{Next: a.TOTPStep + 1}, l.Code.Reveal(), otp.Window{Skew: agentSkew}, codeAt)
	if ok {
		return s.setAgentCode(ctx, a.ID, map[string]any{"totp_step": next.Next - 1, "totp_failures": 0, "totp_locked": nil})
	}
	set := map[string]any{"totp_failures": a.TOTPFailures + 1}
	if a.TOTPFailures+1 >= p.CodeTries {
		set["totp_failures"], set["totp_locked"] = 0, codeAt.Add(time.Duration(p.CodeWaitMinutes)*time.Minute)
	}
	if err := s.setAgentCode(ctx, a.ID, set); err != nil {
		return err
	}
	return s.agentRefused(ctx, a.ID, models.AgentCodeWrong.New("").At("/code"), at)
}

func (s *Store) setAgentCode(ctx context.Context, agentID string, set map[string]any) error {
	return s.with(ctx).Table("proofing_agents").Where("id = ?", agentID).Updates(set).Error
}

// agentRefused writes a refused login down and lets it last.
func (s *Store) agentRefused(ctx context.Context, agentID string, refusal error, at time.Time) error {
	err := s.Audit(ctx, models.AuditEvent{At: at, Class: models.AuthenticationEvents, Kind: "agent_session.started", Actor: agentID, SubjectRef: agentID,
		Outcome: models.Failed, Detail: map[string]string{"reason": models.FaultOf(refusal).Type.Slug}})
	if err != nil {
		return err
	}
	return kept{refusal}
}

// AgentBySession returns the agent of a live session, and notes at most once a minute that it is in use. A token that turns up with another certificate was
// stolen: its session ends. at is the vendor's moment, codeAt the real one. Fault: NotAuthenticated.
func (s *Store) AgentBySession(ctx context.Context, token models.Secret, certificate []byte, at, codeAt time.Time) (a models.Agent, session models.AgentSession, err error) {
	if err = s.with(ctx).Where("token_hash = ?", hashSecret(token)).Limit(1).Find(&session).Error; err != nil {
		return a, session, fault(fmt.Errorf("find an agent's session: %w", err))
	}
	p, err := s.CurrentPolicy(ctx, at)
	if err != nil {
		return a, session, err
	}
	if session.ID == "" || !session.Live(p.Session, codeAt) {
		return a, models.AgentSession{}, models.NotAuthenticated.New("the session is unknown or has ended")
	}
	if subtle.ConstantTimeCompare(session.Certificate, certificate) != 1 {
		if err := s.endAgentSession(ctx, session, map[string]string{"reason": "other_certificate"}, at); err != nil {
			return a, models.AgentSession{}, err
		}
		return a, models.AgentSession{}, models.NotAuthenticated.New("the session is unknown or has ended")
	}
	if a, err = s.Agent(ctx, session.AgentID); err != nil {
		return a, session, err
	}
	if codeAt.Sub(session.SeenAt) >= touchEvery {
		session.SeenAt = codeAt
		err = s.with(ctx).Exec("update agent_sessions set seen_at = ? where id = ? and seen_at < ? and ended_at is null", codeAt, session.ID, codeAt).Error
	}
	return a, session, fault(err)
}

// EndAgentSession ends a session; ending an ended one changes nothing.
func (s *Store) EndAgentSession(ctx context.Context, session models.AgentSession, at time.Time) error {
	return s.endAgentSession(ctx, session, nil, at)
}

func (s *Store) endAgentSession(ctx context.Context, session models.AgentSession, detail map[string]string, at time.Time) error {
	err := s.InTx(ctx, func(tx *Store) error {
		r := tx.with(ctx).Exec("update agent_sessions set ended_at = ? where id = ? and ended_at is null", at, session.ID)
		if r.Error != nil || r.RowsAffected == 0 {
			return r.Error
		}
		return tx.auditAgentSession(ctx, session.AgentID, session.ID, "agent_session.ended", detail, at)
	})
	if err != nil {
		return fmt.Errorf("end an agent's session: %w", err)
	}
	return nil
}

func (s *Store) endAgentSessions(ctx context.Context, agentID string, at time.Time) error {
	if err := s.with(ctx).Exec("update agent_sessions set ended_at = ? where agent_id = ? and ended_at is null", at, agentID).Error; err != nil {
		return fmt.Errorf("end an agent's sessions: %w", err)
	}
	return nil
}

func (s *Store) auditAgentSession(ctx context.Context, agentID, sessionID, kind string, detail map[string]string, at time.Time) error {
	return s.Audit(ctx, models.AuditEvent{At: at, Class: models.AuthenticationEvents, Kind: kind, Actor: agentID, SubjectRef: sessionID, Outcome: models.Succeeded, Detail: detail})
}
