// Package proofing holds what self-service proofing of identities is made of, whichever provider checks: a session is
// started with what a person gives, goes through phases, and ends with an outcome. Sub-package rest calls a provider's
// HTTP API; sub-package simulator is a stateful provider that speaks it.
//
// Every provider keeps these promises, and package proofingtest proves them:
//   - A session is started once under an idempotency key. The same key gives the same session, as it stands by then; with
//     other data it is a models.IdempotencyKeyReused fault, until the session is redacted. No key: models.IdempotencyKeyMissing.
//   - Everything else may be repeated after a lost answer: what is done already changes nothing and gives the session as
//     it stands. A set of questions is answered once; the first answers count.
//   - What cannot be right in what a person gave is a models.IdentityDataIncomplete fault for each mistake. Nothing was done, no
//     attempt is used up.
//   - Answers after QuestionSet.AnswerBy are a models.QuestionsTooLate fault. The set is used up.
//   - What the session's phase forbids is a models.StateForbids fault, an unknown session models.NoSuchThing.
//   - Technical trouble is a models.ServiceDown fault: whether the work was done is not known, and the same call may
//     be repeated (OPS-2).
//   - A redacted session tells its phase and outcome, and no longer whom it was about.
//   - Webhooks only nudge, repeat themselves and overtake each other (PRF-3): the result is always fetched.
//   - Nothing of what a person gave is in an error, or in how a value is logged or printed (PRF-2, SEC-5).
package proofing

import (
	"context"
	"net/http"
	"time"

	"tokendesk/models"
)

// Provider checks identities (PRF-2, PRF-3, PRF-4). It is safe for concurrent use.
type Provider interface {
	// Start begins a session and, unless something else comes first, sends a capture link to the applicant's phone.
	Start(ctx context.Context, a Applicant) (Session, error)
	// GiveSSN gives all nine digits, in phase needs_ssn. Hyphens and spaces do not count.
	GiveSSN(ctx context.Context, ref string, ssn models.Secret) (Session, error)
	// Questions gives the set that is to be answered now, in phase questions. The first look at a set starts its time.
	Questions(ctx context.Context, ref string) (QuestionSet, error)
	// Answer answers every question of a set: the id of an option by the id of its question.
	Answer(ctx context.Context, ref, setID string, answers map[string]string) (Session, error)
	// SendCapture sends the capture link again, to this phone (E.164), in phase capture.
	SendCapture(ctx context.Context, ref string, phone models.Secret) (Session, error)
	// Fetch tells where a session stands.
	Fetch(ctx context.Context, ref string) (Session, error)
	// Located is where a located person gets a letter. StateForbids with another outcome, NoSuchThing once redacted.
	Located(ctx context.Context, ref string) (models.Address, error)
	// Cancel ends a session; one that has ended keeps its outcome.
	Cancel(ctx context.Context, ref string) error
	// Redact makes the provider forget who it was. A session that has not ended is cancelled.
	Redact(ctx context.Context, ref string) error
	// ParseWebhook reads a webhook, signed within five minutes of at, which is real time. Faults: SignatureWrong, InvalidRequest.
	ParseWebhook(header http.Header, body []byte, at time.Time) (News, error)
}

// Session is where a session stands.
type Session struct {
	Ref     string // the provider's id
	Phase   models.SessionPhase
	Outcome *models.ProofingOutcome // once the phase is ended
}

// QuestionSet is a set of knowledge questions. The texts are about the person: they are shown and not kept.
type QuestionSet struct {
	ID        string
	Questions []Question
	AnswerBy  time.Time // on the vendor's clock
}

// Question is one question with its options.
type Question struct {
	ID      string
	Text    models.Secret
	Options []Option
}

// Option is one possible answer.
type Option struct {
	ID   string
	Text models.Secret
}

// News says that there is something to fetch.
type News struct {
	EventID string // the same when the provider repeats itself
	Ref     string // the session; empty: acknowledge it and forget it
}
