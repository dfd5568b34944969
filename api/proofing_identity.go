package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"tokendesk/activities/gateway/proofing"
	"tokendesk/api/gen"
	"tokendesk/models"
	"tokendesk/models/store"
)

// Identity checks identities. What a person gives for that goes from the request to it and nowhere else (PRF-2, SEC-5). Faults: see package proofing.
type Identity interface {
	Start(ctx context.Context, a proofing.Applicant) (proofing.Session, error)
	GiveSSN(ctx context.Context, ref string, ssn models.Secret) (proofing.Session, error)
	Questions(ctx context.Context, ref string) (proofing.QuestionSet, error)
	Answer(ctx context.Context, ref, setID string, answers map[string]string) (proofing.Session, error)
	SendCapture(ctx context.Context, ref string, phone models.Secret) (proofing.Session, error)
	Fetch(ctx context.Context, ref string) (proofing.Session, error)
	ParseWebhook(header http.Header, body []byte, at time.Time) (proofing.News, error)
}

// A provider that does not answer is asked again within the request: the person has the data at hand now (PRF-2).
const (
	identityTries    = 3
	identityPatience = 6 * time.Second // for each try
	identityPause    = 100 * time.Millisecond
)

// Capture links are messages to a phone, which cost money and can annoy whoever has it.
const (
	captureLinksByAccount store.AttemptScope = "capture_link/account"
	mostCaptureLinks      int                = 5 // an hour
)

// patiently asks the provider again after technical trouble; the last answer counts. Fault: ServiceDown.
func patiently[T any](ctx context.Context, ask func(context.Context) (T, error)) (answer T, err error) {
	for try := range identityTries {
		if try > 0 {
			select {
			case <-ctx.Done():
				return answer, err
			case <-time.After(identityPause << try):
			}
		}
		patient, cancel := context.WithTimeout(ctx, identityPatience)
		answer, err = ask(patient)
		cancel()
		if err == nil || !down(err) {
			return answer, err
		}
	}
	return answer, err
}

func down(err error) bool {
	return errors.Is(err, models.ServiceDown) || errors.Is(err, context.DeadlineExceeded)
}

// StartSelfService hands what a person gives to the identity provider (PRF-2). That it is asked is written down first, and what it answers afterwards.
func (s *server) StartSelfService(ctx context.Context, r gen.StartSelfServiceRequestObject) (gen.StartSelfServiceResponseObject, error) {
	c, err := s.proofing(ctx, r.ProofingID)
	if err != nil {
		return nil, err
	}
	if err := consented(c); err != nil {
		return nil, err
	}
	applicant, err := s.applicant(ctx, c, *r.Body)
	if err != nil {
		return nil, err
	}
	session, err := s.Store.IntendProofingSession(ctx, c.ID, c.AccountID, s.Clock())
	if err != nil {
		return nil, err
	}
	applicant.Reference, applicant.IdempotencyKey = fmt.Sprintf("%s/%d", session.CaseID, session.Attempt), session.ID
	started, err := patiently(ctx, func(ctx context.Context) (proofing.Session, error) { return s.Identity.Start(ctx, applicant) })
	settling, cancel := context.WithTimeout(context.WithoutCancel(ctx), settlingTime)
	defer cancel()
	if err != nil {
		return nil, errors.Join(s.Store.ProofingSessionNotStarted(settling, session.ID, s.Clock()), s.unanswered(settling, c.ID, err))
	}
	if _, err = s.Store.ProofingSessionStarted(settling, session.ID, started.Ref, resultOf(started), s.Clock()); err != nil {
		return nil, err
	}
	v, err := s.changedProofing(ctx, c.ID)
	return gen.StartSelfService200JSONResponse{ProofingChangedJSONResponse: v}, err
}

// consented refuses what comes before the person's consent, or where there is no self-service at all (PRF-1, PRF-2).
func consented(c models.ProofingCase) error {
	switch {
	case !slices.Contains(models.ProofingMethods(c.Country), models.BySelfService):
		return models.MethodNotOffered.New("")
	case c.Status == models.ProofingChoosing:
		return models.ConsentMissing.New("")
	}
	return nil
}

// applicant is the caller, with what was given. Fault: IdentityDataIncomplete, for each mistake.
func (s *server) applicant(ctx context.Context, c models.ProofingCase, given gen.IdentityData) (proofing.Applicant, error) {
	policy, err := s.Store.Policy(ctx, c.PolicyVersion)
	if err != nil {
		return proofing.Applicant{}, err
	}
	p, person := policy.Proofing, callOf(ctx).caller.account
	a := proofing.Applicant{Reference: c.ID, IdempotencyKey: c.ID, Name: proofing.Name{First: person.FirstName, Middle: person.MiddleName, Last: person.LastName},
		Address: given.Address, BirthDate: given.BirthDate, Phone: given.Phone, SSNLast4: given.SsnLast4,
		Limits: proofing.Limits{Questions: p.Questions, AtLeast: p.QuestionsAtLeast, Options: p.QuestionOptions, Attempts: p.QuestionAttempts, Seconds: p.QuestionSeconds}}
	return a, a.Check()
}

func resultOf(p proofing.Session) models.ProofingResult {
	return models.ProofingResult{Phase: p.Phase, Outcome: p.Outcome}
}

// unanswered is what a person is told when the provider could not be asked: it may be tried later, and live video is there (PRF-4).
func (s *server) unanswered(ctx context.Context, caseID string, err error) error {
	if !down(err) {
		return err
	}
	return models.ProviderUnreachable.Because(err).Allowing(s.possible(ctx, caseID)...)
}

// possible lists what the caller can do about a proofing by now.
func (s *server) possible(ctx context.Context, caseID string) []string {
	c, err := s.Store.ProofingCase(ctx, caseID)
	if err != nil {
		return nil
	}
	p, err := s.proofingState(ctx, c)
	if err != nil {
		return nil
	}
	return s.proofingActions(ctx, p)
}

// live is the session of a proofing that goes on at the provider. Faults: NoSuchThing, StateForbids.
func (s *server) live(ctx context.Context, caseID string) (models.ProofingCase, models.ProofingSession, error) {
	c, err := s.proofing(ctx, caseID)
	if err != nil {
		return c, models.ProofingSession{}, err
	}
	session, ok, err := s.Store.ProofingSessionOf(ctx, c.ID)
	if err == nil && (!ok || session.Asked()) {
		err = models.StateForbids.New("nothing goes on at the identity provider").Allowing(s.possible(ctx, c.ID)...)
	}
	return c, session, err
}

// step asks the provider for the next step of a session, and records what it answers.
func (s *server) step(ctx context.Context, caseID string, ask func(ctx context.Context, ref string) (proofing.Session, error)) (v gen.ProofingChangedJSONResponse, err error) {
	_, session, err := s.live(ctx, caseID)
	if err != nil {
		return v, err
	}
	answer, err := patiently(ctx, func(ctx context.Context) (proofing.Session, error) { return ask(ctx, session.ProviderRef) })
	if err != nil {
		return v, s.misstep(ctx, session, err)
	}
	settling, cancel := context.WithTimeout(context.WithoutCancel(ctx), settlingTime)
	defer cancel()
	if _, err := s.Store.RecordProofingResult(settling, session.ProviderRef, resultOf(answer), s.Clock()); err != nil {
		return v, err
	}
	return s.changedProofing(ctx, caseID)
}

// misstep is the fault of a step that the provider did not take. Where the session has gone on meanwhile, that is recorded first.
func (s *server) misstep(ctx context.Context, session models.ProofingSession, err error) error {
	switch {
	case errors.Is(err, models.NoSuchThing): // the provider has lost it: the data are given again
		if e := s.Store.ProofingSessionNotStarted(ctx, session.ID, s.Clock()); e != nil {
			return e
		}
		return models.StateForbids.New("nothing goes on at the identity provider").Allowing(s.possible(ctx, session.CaseID)...)
	case errors.Is(err, models.QuestionsTooLate), errors.Is(err, models.StateForbids):
		if e := s.fetch(ctx, session); e != nil {
			return s.unanswered(ctx, session.CaseID, e)
		}
		return models.FaultOf(err).Type.New("").Allowing(s.possible(ctx, session.CaseID)...)
	}
	return s.unanswered(ctx, session.CaseID, err)
}

// fetch records how a session stands at the provider.
func (s *server) fetch(ctx context.Context, session models.ProofingSession) error {
	found, err := patiently(ctx, func(ctx context.Context) (proofing.Session, error) { return s.Identity.Fetch(ctx, session.ProviderRef) })
	if err != nil {
		return err
	}
	_, err = s.Store.RecordProofingResult(ctx, session.ProviderRef, resultOf(found), s.Clock())
	return err
}
