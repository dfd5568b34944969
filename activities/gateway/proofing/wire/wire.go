// Package wire is the JSON of the identity provider's API, in the style that services such as Persona and Onfido share: a session is
// created and goes on step by step, its state is read, and webhooks say that there is something to read.
//
//	POST {base}/v1/sessions                        Applicant → 201 Session; Idempotency-Key
//	GET  {base}/v1/sessions/{id}                   → 200 Session
//	POST {base}/v1/sessions/{id}/ssn               SSN → 200 Session
//	POST {base}/v1/sessions/{id}/questions         → 200 QuestionSet
//	POST {base}/v1/sessions/{id}/answers           Answers → 200 Session
//	POST {base}/v1/sessions/{id}/capture           Capture → 200 Session
//	GET  {base}/v1/sessions/{id}/located-address   → 200 Address
//	POST {base}/v1/sessions/{id}/cancel            → 200 Session
//	POST {base}/v1/sessions/{id}/redact            → 200 Session
//	webhook                                        Webhook, signed in the header SignatureHeader
//
// Requests carry "Authorization: Bearer <key>". Errors are Failure with a 4xx or 5xx status. What is personal is Private, and no
// URL holds any of it.
package wire

import (
	"fmt"
	"io"
	"log/slog"
	"time"

	"tokendesk/activities/gateway/proofing"
	"tokendesk/models"
)

// SignatureHeader carries the signature of a webhook, see package webhook.
const SignatureHeader = "X-Proofing-Signature"

// Private is personal text: plain in JSON, which is what a message is for, and redacted wherever it is logged or printed.
type Private string

func (Private) String() string             { return "[redacted]" }
func (Private) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[redacted]") }
func (Private) LogValue() slog.Value       { return slog.StringValue("[redacted]") }

// Applicant asks to be proofed.
type Applicant struct {
	Reference string  `json:"reference"`
	Name      Name    `json:"name"`
	Address   Address `json:"address"`
	BirthDate Private `json:"birth_date"`
	Phone     Private `json:"phone"`
	SSNLast4  Private `json:"ssn_last4"`
	Limits    Limits  `json:"limits"`
}

// Name is a legal name.
type Name struct {
	First  Private `json:"first"`
	Middle Private `json:"middle,omitempty"`
	Last   Private `json:"last"`
}

// Address is a postal address.
type Address struct {
	Name    Private `json:"name"`
	Company Private `json:"company,omitempty"`
	Street1 Private `json:"street1"`
	Street2 Private `json:"street2,omitempty"`
	City    Private `json:"city"`
	State   Private `json:"state,omitempty"`
	Zip     Private `json:"zip"`
	Country string  `json:"country"`
}

// Limits bound the knowledge questions.
type Limits struct {
	Questions bool `json:"questions"`
	AtLeast   int  `json:"at_least,omitempty"`
	Options   int  `json:"options,omitempty"`
	Attempts  int  `json:"attempts,omitempty"`
	Seconds   int  `json:"seconds_per_question,omitempty"`
}

// SSN is a whole Social Security number.
type SSN struct {
	SSN Private `json:"ssn"`
}

// Capture says where the capture link goes.
type Capture struct {
	Phone Private `json:"phone"`
}

// Answers answer a set: an option's id by the question's.
type Answers struct {
	Set     string            `json:"set"`
	Answers map[string]string `json:"answers"`
}

// Session is where a session stands, in the words of models.SessionPhase and models.ProofingOutcome.
type Session struct {
	ID      string  `json:"id"`
	Phase   string  `json:"phase"`
	Outcome *string `json:"outcome,omitempty"` // once the phase is "ended"
}

// QuestionSet is a set of knowledge questions.
type QuestionSet struct {
	ID        string     `json:"id"`
	Questions []Question `json:"questions"`
	AnswerBy  time.Time  `json:"answer_by"`
}

// Question is one question.
type Question struct {
	ID      string   `json:"id"`
	Text    Private  `json:"text"`
	Options []Option `json:"options"`
}

// Option is one possible answer.
type Option struct {
	ID   string  `json:"id"`
	Text Private `json:"text"`
}

// Webhook says that a session has changed.
type Webhook struct {
	ID         string    `json:"id"`
	Type       string    `json:"type"` // SessionUpdated or SessionEnded; others are to be ignored
	Session    string    `json:"session"`
	OccurredAt time.Time `json:"occurred_at"`
}

// The types of webhooks that matter.
const (
	SessionUpdated = "session.updated"
	SessionEnded   = "session.ended"
)

// Failure is the body of an error.
type Failure struct {
	Error struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

// The codes of failures that have a meaning of their own.
const (
	IdentityIncomplete = "identity_data_incomplete"
	AnswersTooLate     = "answers_too_late"
	KeyReused          = "idempotency_key_reused"
	KeyMissing         = "idempotency_key_missing"
	CallInFlight       = "call_in_flight"
	StateForbidden     = "state_forbidden"
	RequestInvalid     = "request_invalid"
	NotFound           = "not_found"
	Unauthenticated    = "unauthenticated"
	Unavailable        = "unavailable"
)

// ApplicantOf is an applicant as the API writes it.
func ApplicantOf(a proofing.Applicant) Applicant {
	return Applicant{Reference: a.Reference, Name: Name{Private(a.Name.First), Private(a.Name.Middle), Private(a.Name.Last)},
		Address: AddressOf(a.Address), BirthDate: Private(a.BirthDate), Phone: Private(a.Phone), SSNLast4: Private(a.SSNLast4),
		Limits: Limits(a.Limits)}
}

// Applicant is the applicant as we write it, under an idempotency key.
func (a Applicant) Applicant(key string) proofing.Applicant {
	return proofing.Applicant{Reference: a.Reference, IdempotencyKey: key,
		Name:    proofing.Name{First: string(a.Name.First), Middle: string(a.Name.Middle), Last: string(a.Name.Last)},
		Address: a.Address.Address(), BirthDate: models.Secret(a.BirthDate), Phone: models.Secret(a.Phone), SSNLast4: models.Secret(a.SSNLast4),
		Limits: proofing.Limits(a.Limits)}
}

// AddressOf is an address as the API writes it.
func AddressOf(a models.Address) Address {
	return Address{Name: Private(a.Name), Company: Private(a.Company), Street1: Private(a.Line1), Street2: Private(a.Line2), City: Private(a.City),
		State: Private(a.Region), Zip: Private(a.PostalCode), Country: a.Country}
}

// Address is the address as our books write it.
func (a Address) Address() models.Address {
	return models.Address{Name: string(a.Name), Company: string(a.Company), Line1: string(a.Street1), Line2: string(a.Street2), City: string(a.City),
		Region: string(a.State), PostalCode: string(a.Zip), Country: a.Country}
}

// SessionOf is a session as the API writes it.
func SessionOf(s proofing.Session) Session {
	return Session{ID: s.Ref, Phase: string(s.Phase), Outcome: (*string)(s.Outcome)}
}

var (
	phases = map[models.SessionPhase]bool{models.SessionNeedsSSN: true, models.SessionQuestions: true, models.SessionCapture: true,
		models.SessionChecking: true, models.SessionEnded: true}
	outcomes = map[models.ProofingOutcome]bool{models.OutcomeVerified: true, models.OutcomeLocated: true, models.OutcomeNotLocated: true,
		models.OutcomeNameIncorrect: true, models.OutcomeUnreadable: true, models.OutcomeTimedOut: true, models.OutcomeCancelled: true}
)

// KnownOutcome reports whether an outcome is one of ours.
func KnownOutcome(o models.ProofingOutcome) bool { return outcomes[o] }

// Session is the session as we write it. It is not ok where it makes no sense to us: without id, in a phase or with an outcome that we
// do not know, or with one and not the other.
func (s Session) Session() (session proofing.Session, ok bool) {
	session = proofing.Session{Ref: s.ID, Phase: models.SessionPhase(s.Phase), Outcome: (*models.ProofingOutcome)(s.Outcome)}
	ended := session.Phase == models.SessionEnded
	return session, s.ID != "" && phases[session.Phase] && ended == (s.Outcome != nil) && (!ended || outcomes[*session.Outcome])
}

// QuestionsOf is a set of questions as the API writes it.
func QuestionsOf(set proofing.QuestionSet) QuestionSet {
	out := QuestionSet{ID: set.ID, AnswerBy: set.AnswerBy, Questions: make([]Question, len(set.Questions))}
	for i, q := range set.Questions {
		out.Questions[i] = Question{ID: q.ID, Text: Private(q.Text), Options: make([]Option, len(q.Options))}
		for j, o := range q.Options {
			out.Questions[i].Options[j] = Option{ID: o.ID, Text: Private(o.Text)}
		}
	}
	return out
}

// Set is the set of questions as we write it.
func (set QuestionSet) Set() proofing.QuestionSet {
	out := proofing.QuestionSet{ID: set.ID, AnswerBy: set.AnswerBy, Questions: make([]proofing.Question, len(set.Questions))}
	for i, q := range set.Questions {
		out.Questions[i] = proofing.Question{ID: q.ID, Text: models.Secret(q.Text), Options: make([]proofing.Option, len(q.Options))}
		for j, o := range q.Options {
			out.Questions[i].Options[j] = proofing.Option{ID: o.ID, Text: models.Secret(o.Text)}
		}
	}
	return out
}
