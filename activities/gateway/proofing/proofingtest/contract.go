// Package proofingtest is the contract of proofing providers, as a test that every provider passes.
package proofingtest

import (
	"errors"
	"testing"
	"time"

	"tokendesk/activities/gateway/proofing"
	"tokendesk/activities/gateway/sandbox"
	"tokendesk/models"
)

// Secrets are the webhook secrets that a provider under test must accept.
var Secrets = []models.Secret{"whsec_former", "whsec_current"}

// Subject is a provider under test, with the test people of the simulator and a world that is told what happens.
type Subject struct {
	Provider proofing.Provider
	Disturb  func(t *testing.T, order sandbox.Order)                        // tells the provider to misbehave
	Pictures func(t *testing.T, ref string)                                 // the person takes the pictures
	End      func(t *testing.T, ref string, outcome models.ProofingOutcome) // the provider's check ends like that
	Pass     func(d time.Duration)                                          // lets time pass
	Now      func() time.Time
	Right    func(q proofing.Question) (option string) // knows the right answer
}

// Identity is what applicants of the contract give; no provider may show any of it where it does not belong.
var Identity = proofing.Applicant{Name: proofing.Name{First: "Zelda", Middle: "Quillon"},
	Address:   models.Address{Name: "Zelda Quillon Passes", Line1: "4711 Larkspur Terrace", City: "Wenatchee", Region: "WA", PostalCode: "98801", Country: "US"},
	BirthDate: "1961-07-23", Phone: "+15095550142", SSNLast4: "6789",
	Limits: proofing.Limits{Questions: true, AtLeast: 4, Options: 5, Attempts: 3, Seconds: 60}}

// SSN is the whole number of the contract's applicants.
const SSN models.Secret = "219-45-6789"

// Applicant is an applicant under a key, with the last name of a test person.
func Applicant(key, lastName string) proofing.Applicant {
	a := Identity
	a.IdempotencyKey, a.Reference, a.Name.Last = key, "pc_"+key, lastName
	return a
}

// Run proves the promises of package proofing on the providers that open makes (PRF-2, PRF-3, PRF-4, OPS-2).
func Run(t *testing.T, open func(t *testing.T) Subject) {
	cases := []struct {
		name string
		test func(t *testing.T, s Subject)
	}{
		{"PRF-4 how sessions end", endings},
		{"PRF-2 what cannot be right is refused", refuses},
		{"PRF-2 nine digits where four do not suffice", needsSSN},
		{"PRF-2 questions are asked within limits", asks},
		{"PRF-2 questions are switched off", unasked},
		{"PRF-2 wrong answers use up the sets", wrongAnswers},
		{"PRF-2 late answers use up the sets", lateAnswers},
		{"PRF-2 a set is answered once", answersOnce},
		{"PRF-3 pictures are taken on the phone", pictures},
		{"PRF-3 webhooks are believed when signed", webhooks},
		{"PRF-4 a letter goes to a located person", locates},
		{"PRF-2 a redacted session knows nobody", redacts},
		{"a cancelled session stays cancelled", cancels},
		{"a session times out", timesOut},
		{"unknown sessions", unknown},
		{"OPS-2 a key works once", once},
		{"OPS-2 one key at the same time", atOnce},
		{"OPS-2 a lost answer is found again", lostAnswers},
		{"OPS-2 a failure leaves nothing behind", failures},
		{"PRF-4 a provider that is out of reach", unreachable},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

func begun(t *testing.T, s Subject, key, lastName string) proofing.Session {
	t.Helper()
	session, err := s.Provider.Start(t.Context(), Applicant(key, lastName))
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	if session.Ref == "" {
		t.Fatal("a session without a reference")
	}
	return session
}

// stands checks where a session stands, as fetched.
func stands(t *testing.T, s Subject, ref string, phase models.SessionPhase) {
	t.Helper()
	session, err := s.Provider.Fetch(t.Context(), ref)
	if err != nil || session.Ref != ref || session.Phase != phase || (session.Outcome != nil) != (phase == models.SessionEnded) {
		t.Fatalf("want %s in %s, got %+v, %v", ref, phase, session, err)
	}
}

func endedAs(t *testing.T, s Subject, ref string, outcome models.ProofingOutcome) {
	t.Helper()
	stands(t, s, ref, models.SessionEnded)
	session, err := s.Provider.Fetch(t.Context(), ref)
	if err != nil || *session.Outcome != outcome {
		t.Fatalf("want %s, got %s, %v", outcome, *session.Outcome, err)
	}
}

func asked(t *testing.T, s Subject, ref string) proofing.QuestionSet {
	t.Helper()
	set, err := s.Provider.Questions(t.Context(), ref)
	if err != nil {
		t.Fatalf("questions: %v", err)
	}
	return set
}

func answered(t *testing.T, s Subject, ref string, set proofing.QuestionSet, answers map[string]string) proofing.Session {
	t.Helper()
	session, err := s.Provider.Answer(t.Context(), ref, set.ID, answers)
	if err != nil {
		t.Fatalf("answer: %v", err)
	}
	return session
}

func rightly(s Subject, set proofing.QuestionSet) map[string]string {
	answers := map[string]string{}
	for _, q := range set.Questions {
		answers[q.ID] = s.Right(q)
	}
	return answers
}

// wrongly answers all but one question rightly.
func wrongly(s Subject, set proofing.QuestionSet) map[string]string {
	answers := rightly(s, set)
	q := set.Questions[0]
	for _, o := range q.Options {
		if o.ID != answers[q.ID] {
			answers[q.ID] = o.ID
			break
		}
	}
	return answers
}

func wantFault(t *testing.T, err error, want *models.FaultType) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("want fault %s, got %v", want.Slug, err)
	}
}
