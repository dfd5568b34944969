package api

import (
	"context"
	"time"

	"tokendesk/activities/gateway/proofing"
	"tokendesk/api/gen"
	"tokendesk/models"
	"tokendesk/models/store"
)

// GiveSSN hands all nine digits to the identity provider (PRF-2).
func (s *server) GiveSSN(ctx context.Context, r gen.GiveSSNRequestObject) (gen.GiveSSNResponseObject, error) {
	ssn, err := proofing.PlainSSN(r.Body.Ssn)
	if err != nil {
		return nil, err
	}
	v, err := s.step(ctx, r.ProofingID, func(ctx context.Context, ref string) (proofing.Session, error) {
		return s.Identity.GiveSSN(ctx, ref, ssn)
	})
	return gen.GiveSSN200JSONResponse{ProofingChangedJSONResponse: v}, err
}

// GetIdentityQuestions shows the knowledge questions that are to be answered now (PRF-2).
func (s *server) GetIdentityQuestions(ctx context.Context, r gen.GetIdentityQuestionsRequestObject) (gen.GetIdentityQuestionsResponseObject, error) {
	_, session, err := s.live(ctx, r.ProofingID)
	if err != nil {
		return nil, err
	}
	set, err := patiently(ctx, func(ctx context.Context) (proofing.QuestionSet, error) {
		return s.Identity.Questions(ctx, session.ProviderRef)
	})
	if err != nil {
		return nil, s.misstep(ctx, session, err)
	}
	return gen.GetIdentityQuestions200JSONResponse{SetID: set.ID, AnswerBy: set.AnswerBy, Questions: each(set.Questions, viewQuestion)}, nil
}

func viewQuestion(q proofing.Question) gen.IdentityQuestion {
	return gen.IdentityQuestion{ID: q.ID, Text: q.Text.Reveal(), Options: each(q.Options, func(o proofing.Option) gen.AnswerOption {
		return gen.AnswerOption{ID: o.ID, Text: o.Text.Reveal()}
	})}
}

// AnswerIdentityQuestions answers a set of questions (PRF-2).
func (s *server) AnswerIdentityQuestions(ctx context.Context, r gen.AnswerIdentityQuestionsRequestObject) (gen.AnswerIdentityQuestionsResponseObject, error) {
	answers := map[string]string{}
	for _, a := range r.Body.Answers {
		if _, twice := answers[a.QuestionID]; twice {
			return nil, models.InvalidRequest.New("a question is answered twice").At("/answers")
		}
		answers[a.QuestionID] = a.OptionID
	}
	v, err := s.step(ctx, r.ProofingID, func(ctx context.Context, ref string) (proofing.Session, error) {
		return s.Identity.Answer(ctx, ref, r.Body.SetID, answers)
	})
	return gen.AnswerIdentityQuestions200JSONResponse{ProofingChangedJSONResponse: v}, err
}

// SendCaptureLink has the link to the provider's page sent to the person's phone again (PRF-3).
func (s *server) SendCaptureLink(ctx context.Context, r gen.SendCaptureLinkRequestObject) (gen.SendCaptureLinkResponseObject, error) {
	if _, _, err := s.live(ctx, r.ProofingID); err != nil {
		return nil, err
	}
	if err := proofing.CheckPhone(r.Body.Phone); err != nil {
		return nil, err
	}
	if err := s.countCaptureLink(ctx, callOf(ctx).caller.AccountID, s.Clock()); err != nil {
		return nil, err
	}
	v, err := s.step(ctx, r.ProofingID, func(ctx context.Context, ref string) (proofing.Session, error) {
		return s.Identity.SendCapture(ctx, ref, r.Body.Phone)
	})
	return gen.SendCaptureLink200JSONResponse{ProofingChangedJSONResponse: v}, err
}

func (s *server) countCaptureLink(ctx context.Context, accountID string, at time.Time) error {
	return s.Store.InTx(ctx, func(tx *store.Store) error {
		if err := tx.Throttle(ctx, captureLinksByAccount, accountID, mostCaptureLinks, time.Hour, at); err != nil {
			return err
		}
		_, err := tx.CountAttempt(ctx, captureLinksByAccount, accountID, at)
		return err
	})
}

// CheckSelfService fetches how the session stands, because the person says that the pictures are taken (PRF-3).
func (s *server) CheckSelfService(ctx context.Context, r gen.CheckSelfServiceRequestObject) (gen.CheckSelfServiceResponseObject, error) {
	c, err := s.proofing(ctx, r.ProofingID)
	if err != nil {
		return nil, err
	}
	session, ok, err := s.Store.ProofingSessionOf(ctx, c.ID)
	if err == nil && ok && !session.Asked() {
		if err = s.fetch(ctx, session); err != nil {
			err = s.misstep(ctx, session, err)
		}
	}
	if err != nil {
		return nil, err
	}
	v, err := s.changedProofing(ctx, c.ID)
	return gen.CheckSelfService200JSONResponse(v.Body), err
}
