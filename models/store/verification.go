package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"tokendesk/internal/otp"
	"tokendesk/models"
)

// VerificationRequest asks whether a one-time password is right. Exactly one of UserID, CredentialID and Serial is set.
type VerificationRequest struct {
	UserID       string // what the person logs in with; a code of the person's live hardware token is expected
	CredentialID string // cr_…; a code of its live hardware token is expected
	Serial       string // of the hardware token itself
	Code         models.Secret
	Actor        models.Actor // a relying application, for its partner; or whoever logs a person in
}

// Verification is the answer (LOG-5).
type Verification struct {
	Result models.VerificationResult
	// What the person has proven; set only when the code is accepted.
	CredentialID string
	Level        int
	Strength     models.Strength
}

// settling bounds how long a decision may take to be written once it is made, and a failed transaction to be undone.
const settling = 5 * time.Second

// Verify checks a one-time password in one transaction of two round trips, without the workflow engine (LOG-5): the first
// reads and locks, the second writes what was decided and commits. The authenticator's row is locked, so that
// a code is accepted once and every failure counts (LOG-3, LOG-4); the credential's row is locked against change, so that
// nothing is accepted that was revoked, suspended or expired before. Locks are taken on the credential first, then on
// the authenticator: whoever locks both keeps to that order.
//
// at is the vendor's now, against which dates are compared; codeTime is the real time, for time-based codes. Every answer
// is audited. A caller that goes away before the decision leaves nothing behind; after it, the decision is written all the
// same, so that nobody can take a failure back by hanging up.
//
// A subject that does not exist gets the answer of a wrong code (LOG-8). Errors: models.InvalidRequest; models.ServiceDown
// when the database cannot answer.
func (s *Store) Verify(ctx context.Context, q VerificationRequest, ring Opener, at, codeTime time.Time) (Verification, error) {
	lookup, key, err := q.lookup()
	if err != nil {
		return Verification{}, err
	}
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return Verification{}, fault(fmt.Errorf("verify a code: %w", err))
	}
	defer release(ctx, conn)
	f, err := readForVerification(ctx, conn, lookup, key, q.Actor.PartnerID)
	if err != nil {
		return Verification{}, fault(fmt.Errorf("verify a code: read: %w", err))
	}
	policy, err := s.policyOf(ctx, conn, f.credential)
	if err != nil {
		return Verification{}, fault(fmt.Errorf("verify a code: read the policy: %w", err))
	}
	d, err := f.decide(q, policy.OTP, ring, at, codeTime)
	if err != nil {
		return Verification{}, fmt.Errorf("verify a code: %w", err)
	}
	if err := writeVerification(ctx, conn, f, d, q.Actor, at); err != nil {
		return Verification{}, fault(fmt.Errorf("verify a code: write: %w", err))
	}
	if d.result != models.Accepted {
		return Verification{Result: d.result}, nil
	}
	return Verification{d.result, f.credential.ID, f.credential.Level, models.StrengthHardware}, nil
}

// release gives the connection back, outside of any transaction: what is left open is rolled back, and a connection
// that cannot even do that is closed by the pool.
func release(ctx context.Context, conn *pgxpool.Conn) {
	if !conn.Conn().IsClosed() && conn.Conn().PgConn().TxStatus() != 'I' {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settling)
		defer cancel()
		_, _ = conn.Exec(ctx, "rollback") // on failure the pool sees the open transaction and closes the connection
	}
	conn.Release()
}

// decision is what a verification found out and what is to be written of it.
type decision struct {
	result   models.VerificationResult
	tried    bool // the code was compared, so state and failures are to be written
	state    otp.State
	failures int
	locks    bool // this failure locks the authenticator
}

// decide judges what was read. It tells a partner first that it does not accept the credential at all, so that such a
// partner learns nothing else of it (LOG-8); a code is compared only when nothing else stands against it.
func (f verificationFacts) decide(q VerificationRequest, policy models.OTPPolicy, ring Opener, at, codeTime time.Time) (decision, error) {
	if !f.credentialFound {
		return decision{result: models.ResultWrongCode}, nil
	}
	if q.Actor.PartnerID != "" && !f.accepted {
		return decision{result: models.ResultNotAccepted}, nil
	}
	if reason, ok := f.credential.Unusable(at); !ok {
		return decision{result: reason}, nil
	}
	switch {
	case !f.authenticatorFound, f.authenticator.Status == models.AuthenticatorRevoked:
		return decision{result: models.ResultRevoked}, nil
	case f.authenticator.Status == models.AuthenticatorLocked:
		return decision{result: models.ResultLocked}, nil
	}
	seed, err := ring.Open(f.sealedSeed, models.TokenSeedContext(*f.authenticator.Serial))
	if err != nil {
		return decision{}, fmt.Errorf("open the seed of authenticator %s: %w", f.authenticator.ID, err)
	}
	before := otp.State{Next: f.authenticator.NextCounter, Drift: f.authenticator.Drift}
	window := otp.Window{Ahead: policy.HOTPLookAhead, Skew: policy.TOTPWindow}
	state, ok := otp.Verify(seed.Reveal(), f.parameters, before, q.Code.Reveal(), window, codeTime)
	if ok {
		return decision{result: models.Accepted, tried: true, state: state}, nil
	}
	d := decision{result: models.ResultWrongCode, tried: true, state: before, failures: f.authenticator.Failures + 1}
	d.locks = d.failures >= policy.FailuresToLock()
	return d, nil
}

// writeVerification writes the decision and commits, in one round trip.
func writeVerification(ctx context.Context, conn *pgxpool.Conn, f verificationFacts, d decision, actor models.Actor, at time.Time) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settling)
	defer cancel()
	detail, err := verificationDetail(actor.PartnerID, d.result)
	if err != nil {
		return err
	}
	var b pgx.Batch
	if d.tried {
		b.Queue(updateAuthenticator, f.place, f.authenticator.ID, d.state.Next, d.state.Drift, d.failures)
	}
	outcome := models.Failed
	if d.result == models.Accepted {
		outcome = models.Succeeded
	}
	b.Queue(insertVerification, at, actor.ID, f.credentialID(), f.authenticatorID(), outcome, detail)
	if d.locks {
		queueLock(&b, f, actor, at)
	}
	b.Queue("commit")
	results := conn.SendBatch(ctx, &b)
	defer results.Close()
	for range b.Len() - 1 {
		tag, err := results.Exec()
		if err != nil {
			return err
		}
		if tag.RowsAffected() != 1 {
			return fmt.Errorf("%s changed %d rows, not one", tag, tag.RowsAffected())
		}
	}
	tag, err := results.Exec()
	if err != nil {
		return err
	}
	if tag.String() != "COMMIT" {
		return fmt.Errorf("commit ended in %s", tag)
	}
	return results.Close()
}

// queueLock locks the authenticator, says so in the audit trail, and lets the credential's lifecycle hear of it through
// the outbox, whenever the engine is there to listen.
func queueLock(b *pgx.Batch, f verificationFacts, actor models.Actor, at time.Time) {
	from, to, _ := models.AuthenticatorMachine.Lookup(models.LockAuthenticator)
	b.Queue(lockAuthenticator, f.authenticator.ID, to, at, from)
	b.Queue(insertLock, at, actor.ID, f.credential.ID, f.authenticator.ID)
	b.Queue(insertLockSignal, models.CredentialLifecycle.WorkflowID(f.credential.ID), models.SignalAuthenticatorLocked, f.authenticator.ID, at)
}

// verificationDetail is what the audit trail keeps of a verification besides who asked and about whom.
func verificationDetail(partnerID string, result models.VerificationResult) (string, error) {
	b, err := json.Marshal(struct {
		Partner string                    `json:"partner,omitempty"`
		Result  models.VerificationResult `json:"result"`
	}{partnerID, result})
	return string(b), err
}
