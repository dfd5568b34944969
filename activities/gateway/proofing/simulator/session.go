package simulator

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"tokendesk/activities/gateway/proofing"
	"tokendesk/activities/gateway/proofing/wire"
	"tokendesk/activities/gateway/sandbox"
	"tokendesk/models"
)

// record is a session as the sandbox keeps it.
type record struct {
	ref, reference string
	person         person
	limits         proofing.Limits
	phase          models.SessionPhase
	outcome        *models.ProofingOutcome
	laterOutcome   models.ProofingOutcome
	laterAt        time.Time
	ssnGiven       bool
	passed         bool
	pictures       int
	sealed         []byte
	createdAt      time.Time
}

// kept is what a session keeps of its applicant, sealed.
type kept struct {
	Digest  [sha256.Size]byte `json:"digest"` // of everything that was given, to know it again
	Address models.Address    `json:"address"`
}

func (c *record) session() proofing.Session {
	return proofing.Session{Ref: c.ref, Phase: c.phase, Outcome: c.outcome}
}

// begin records a new session.
func (s *Simulator) begin(ctx context.Context, tx pgx.Tx, writes *pgx.Batch, ref string, a proofing.Applicant) error {
	sealed, err := s.seal(ref, a)
	if err != nil {
		return err
	}
	now := s.config.Now()
	c := record{ref: ref, reference: a.Reference, person: personOf(a.Name.Last), limits: a.Limits, sealed: sealed, createdAt: now}
	c.lapseAtEnd()
	writes.Queue(`INSERT INTO sandbox.proofings (ref, reference, person, limits, phase, later_outcome, later_at, created_at)
		VALUES ($1, $2, $3, $4, '', $5, $6, $7)`, c.ref, c.reference, c.person, c.limits, c.laterOutcome, c.laterAt, c.createdAt)
	if c.person.script().expires {
		err = s.endLater(ctx, tx, writes, &c, c.laterOutcome, c.laterAt)
	}
	if err == nil {
		err = s.proceed(ctx, tx, writes, &c)
	}
	c.write(writes)
	return err
}

// lapseAtEnd has a session end by itself when its lifetime is over.
func (c *record) lapseAtEnd() {
	c.laterOutcome, c.laterAt = models.OutcomeTimedOut, c.createdAt.Add(c.person.script().lives)
}

// proceed brings a session to what comes before the pictures, or to them.
func (s *Simulator) proceed(ctx context.Context, tx pgx.Tx, writes *pgx.Batch, c *record) error {
	script := c.person.script()
	switch {
	case script.unknown:
		return s.end(ctx, tx, writes, c, models.OutcomeNotLocated)
	case script.needsSSN && !c.ssnGiven:
		c.phase = models.SessionNeedsSSN
	case script.asked && c.limits.Questions && !c.passed:
		c.phase = models.SessionQuestions
	default:
		c.phase = models.SessionCapture
	}
	return nil
}

// TakePictures does what the person does on the page that the capture link leads to: front, back and a selfie are taken (PRF-3).
func (s *Simulator) TakePictures(ctx context.Context, ref string) (proofing.Session, error) {
	return s.within(ctx, ref, func(tx pgx.Tx, writes *pgx.Batch, c *record) error {
		if c.phase != models.SessionCapture {
			return models.StateForbids.New("the session does not wait for pictures")
		}
		c.pictures++
		script := c.person.script()
		if c.pictures < script.blurred {
			return s.tell(ctx, tx, writes, c, wire.SessionUpdated, 0)
		}
		c.phase = models.SessionChecking
		if script.stages {
			if err := s.tell(ctx, tx, writes, c, wire.SessionUpdated, 0); err != nil {
				return err
			}
		}
		ends := s.config.Now().Add(script.checks)
		switch {
		case script.checks == 0:
			return s.end(ctx, tx, writes, c, script.outcome)
		case ends.Before(c.laterAt):
			return s.endLater(ctx, tx, writes, c, script.outcome, ends)
		default:
			return nil
		}
	})
}

// End ends a session, as the person's script has it where the outcome is empty.
func (s *Simulator) End(ctx context.Context, ref string, outcome models.ProofingOutcome) (proofing.Session, error) {
	if outcome != "" && !wire.KnownOutcome(outcome) {
		return proofing.Session{}, models.InvalidRequest.New("there is no such outcome")
	}
	return s.within(ctx, ref, func(tx pgx.Tx, writes *pgx.Batch, c *record) error {
		switch {
		case c.phase == models.SessionEnded:
			return models.StateForbids.New("the session has ended")
		case outcome == "":
			return s.end(ctx, tx, writes, c, c.person.script().outcome)
		default:
			return s.end(ctx, tx, writes, c, outcome)
		}
	})
}

// end ends a session now, and tells of it.
func (s *Simulator) end(ctx context.Context, tx pgx.Tx, writes *pgx.Batch, c *record, outcome models.ProofingOutcome) error {
	if err := s.push.Withdraw(ctx, tx, c.future()); err != nil {
		return err
	}
	c.phase, c.outcome = models.SessionEnded, &outcome
	return s.tell(ctx, tx, writes, c, wire.SessionEnded, 0)
}

// endLater has a session end by itself, and tells of it then.
func (s *Simulator) endLater(ctx context.Context, tx pgx.Tx, writes *pgx.Batch, c *record, outcome models.ProofingOutcome, at time.Time) error {
	c.laterOutcome, c.laterAt = outcome, at
	return s.tell(ctx, tx, writes, c, wire.SessionEnded, at.Sub(s.config.Now()))
}

// abort ends a session that has not ended as its caller asks.
func (s *Simulator) abort(ctx context.Context, tx pgx.Tx, c *record) error {
	if c.phase == models.SessionEnded {
		return nil
	}
	outcome := models.OutcomeCancelled
	c.phase, c.outcome = models.SessionEnded, &outcome
	return s.push.Withdraw(ctx, tx, c.future())
}

// future is the subject of webhooks about what has not happened yet, and may not.
func (c *record) future() string { return c.ref + "/future" }

// tell pushes a webhook after the delay, as an order has it, else the person's script.
func (s *Simulator) tell(ctx context.Context, tx pgx.Tx, writes *pgx.Batch, c *record, kind string, delay time.Duration) error {
	plan, err := s.push.Plan(ctx, tx, announce, c.reference, c.ref, kind)
	if err != nil {
		return err
	}
	script := c.person.script()
	if first := kind == wire.SessionUpdated || !script.stages; plan.Effect == "" && first {
		plan.Effect = script.effect
	}
	occurred := s.config.Now().Add(delay).UTC().Truncate(time.Microsecond)
	body, err := json.Marshal(wire.Webhook{ID: "evt_" + random(), Type: kind, Session: c.ref, OccurredAt: occurred})
	if err != nil {
		return err
	}
	subject := c.ref
	if delay > 0 {
		subject = c.future()
	}
	s.push.Enqueue(writes, plan, subject, body, delay)
	return nil
}

const selectRecord = `SELECT ref, reference, person, limits, phase, outcome, later_outcome, later_at, ssn_given, passed, pictures, sealed, created_at
	FROM sandbox.proofings`

func (s *Simulator) scan(row pgx.CollectableRow) (c *record, err error) {
	c = &record{}
	err = row.Scan(&c.ref, &c.reference, &c.person, &c.limits, &c.phase, &c.outcome, &c.laterOutcome, &c.laterAt, &c.ssnGiven, &c.passed, &c.pictures,
		&c.sealed, &c.createdAt)
	if err == nil && c.phase != models.SessionEnded && !s.config.Now().Before(c.laterAt) { // it has ended by itself since
		outcome := c.laterOutcome
		c.phase, c.outcome = models.SessionEnded, &outcome
	}
	return c, err
}

// querier is the pool, or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

func (s *Simulator) load(ctx context.Context, on querier, ref string) (*record, error) {
	return s.loadBy(ctx, on, selectRecord+` WHERE ref = $1`, ref)
}

func (s *Simulator) loadBy(ctx context.Context, on querier, sql, ref string) (*record, error) {
	rows, err := on.Query(ctx, sql, ref)
	if err != nil {
		return nil, err
	}
	c, err := pgx.CollectExactlyOneRow(rows, s.scan)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, models.NoSuchThing.New("there is no such session")
	}
	return c, err
}

// look obeys an order about a call and reads the session.
func (s *Simulator) look(ctx context.Context, operation, ref string) (*record, sandbox.Order, error) {
	c, err := s.load(ctx, s.store.Pool, ref)
	if err != nil {
		return nil, sandbox.Order{}, technical(err)
	}
	order, err := s.obey(ctx, operation, c.reference, ref)
	if err == nil && order.Effect == sandbox.Refuse {
		err = models.StateForbids.New("told to refuse")
	}
	return c, order, err
}

type work func(tx pgx.Tx, writes *pgx.Batch, c *record) error

// change obeys an order about a call and does its work.
func (s *Simulator) change(ctx context.Context, operation, ref string, do work) (proofing.Session, error) {
	_, order, err := s.look(ctx, operation, ref)
	if err != nil {
		return proofing.Session{}, err
	}
	session, err := s.within(ctx, ref, do)
	if err != nil {
		return proofing.Session{}, err
	}
	return session, order.After(ctx)
}

// within does work on a locked session.
func (s *Simulator) within(ctx context.Context, ref string, do work) (session proofing.Session, err error) {
	err = pgx.BeginFunc(ctx, s.store.Pool, func(tx pgx.Tx) error {
		c, err := s.loadBy(ctx, tx, selectRecord+` WHERE ref = $1 FOR UPDATE`, ref)
		if err != nil {
			return err
		}
		var writes pgx.Batch
		if err := do(tx, &writes, c); err != nil {
			return err
		}
		c.write(&writes)
		session = c.session()
		return tx.SendBatch(ctx, &writes).Close()
	})
	if err != nil {
		return proofing.Session{}, technical(err)
	}
	s.push.Wake()
	return session, nil
}

func (c *record) write(writes *pgx.Batch) {
	writes.Queue(`UPDATE sandbox.proofings SET phase = $2, outcome = $3, later_outcome = $4, later_at = $5, ssn_given = $6, passed = $7, pictures = $8,
		sealed = $9 WHERE ref = $1`, c.ref, c.phase, c.outcome, c.laterOutcome, c.laterAt, c.ssnGiven, c.passed, c.pictures, c.sealed)
}

// seal closes what is kept of an applicant into its session.
func (s *Simulator) seal(ref string, a proofing.Applicant) ([]byte, error) {
	digest, err := digestOf(a)
	if err != nil {
		return nil, err
	}
	plain, err := json.Marshal(kept{Digest: digest, Address: a.Address})
	if err != nil {
		return nil, err
	}
	return s.config.Keyring.Seal(plain, place(ref))
}

func (s *Simulator) open(c *record) (k kept, err error) {
	plain, err := s.config.Keyring.Open(c.sealed, place(c.ref))
	if err != nil {
		return kept{}, err
	}
	return k, json.Unmarshal(plain.Reveal(), &k)
}

func place(ref string) string { return "sandbox.proofings/" + ref }

func digestOf(a proofing.Applicant) ([sha256.Size]byte, error) {
	given, err := json.Marshal(wire.ApplicantOf(a))
	return sha256.Sum256(given), err
}

// sameApplicant refuses an idempotency key that comes with other data, as long as the session knows whom it is about.
func (s *Simulator) sameApplicant(c *record, a proofing.Applicant) error {
	if c.sealed == nil {
		return nil
	}
	k, err := s.open(c)
	if err != nil {
		return err
	}
	digest, err := digestOf(a)
	if err == nil && digest != k.Digest {
		err = models.IdempotencyKeyReused.New("the key belongs to a session with other data")
	}
	return err
}
