package api

import (
	"context"

	"tokendesk/api/gen"
	"tokendesk/internal/terms"
	"tokendesk/models"
	"tokendesk/models/store"
)

// changeProofing has the person of a proofing do something about it, once for each key, and shows how it stands then.
func (s *server) changeProofing(ctx context.Context, id string, perform func(tx *store.Store) error) (gen.ProofingChangedJSONResponse, error) {
	_, err := making(ctx, s, func(tx *store.Store) (string, string, error) { return id, id, perform(tx) },
		func(id string) (string, error) { return id, nil })
	if err != nil {
		return gen.ProofingChangedJSONResponse{}, err
	}
	return s.changedProofing(ctx, id)
}

// ConsentToSelfService takes a person's consent to the terms of self-service (PRF-2).
func (s *server) ConsentToSelfService(ctx context.Context, r gen.ConsentToSelfServiceRequestObject) (gen.ConsentToSelfServiceResponseObject, error) {
	v, err := s.changeProofing(ctx, r.ProofingID, func(tx *store.Store) error {
		if _, err := tx.ConsentToSelfService(ctx, r.ProofingID, callOf(ctx).caller.AccountID, r.Body.TermsVersion, r.Body.CreditInquiry, s.Clock()); err != nil {
			return err
		}
		if _, ok := terms.Of(r.Body.TermsVersion); !ok { // nobody can have read what the policy names
			return models.ConsentMissing.New("these terms have no text").At("/terms_version")
		}
		return nil
	})
	return gen.ConsentToSelfService200JSONResponse{ProofingChangedJSONResponse: v}, err
}

// ChooseLiveVideo turns to a live video session (PRF-1, PRF-4).
func (s *server) ChooseLiveVideo(ctx context.Context, r gen.ChooseLiveVideoRequestObject) (gen.ChooseLiveVideoResponseObject, error) {
	v, err := s.changeProofing(ctx, r.ProofingID, func(tx *store.Store) error {
		_, err := tx.ChooseVideo(ctx, r.ProofingID, callOf(ctx).caller.AccountID, s.Clock())
		return err
	})
	return gen.ChooseLiveVideo200JSONResponse{ProofingChangedJSONResponse: v}, err
}

// StartProofingOver leads back to the choice of a method; support corrects a wrong name (PRF-2).
func (s *server) StartProofingOver(ctx context.Context, r gen.StartProofingOverRequestObject) (gen.StartProofingOverResponseObject, error) {
	v, err := s.changeProofing(ctx, r.ProofingID, func(tx *store.Store) error {
		_, err := tx.StartProofingOver(ctx, r.ProofingID, callOf(ctx).caller.AccountID, deref(r.Body.WrongName), s.Clock())
		return err
	})
	return gen.StartProofingOver200JSONResponse{ProofingChangedJSONResponse: v}, err
}

// EnterActivationCode takes the code that an agent or a letter brought (PRF-9).
func (s *server) EnterActivationCode(ctx context.Context, r gen.EnterActivationCodeRequestObject) (gen.EnterActivationCodeResponseObject, error) {
	v, err := s.changeProofing(ctx, r.ProofingID, func(tx *store.Store) error {
		c := callOf(ctx).caller
		_, err := tx.EnterActivationCode(ctx, store.CodeEntry{CaseID: r.ProofingID, AccountID: c.AccountID, Code: r.Body.Code, Address: c.Address}, s.Clock())
		return err
	})
	return gen.EnterActivationCode200JSONResponse{ProofingChangedJSONResponse: v}, err
}

// ReportActivationCodeLost makes a code void that the person has lost (PRF-9).
func (s *server) ReportActivationCodeLost(ctx context.Context, r gen.ReportActivationCodeLostRequestObject) (gen.ReportActivationCodeLostResponseObject, error) {
	v, err := s.changeProofing(ctx, r.ProofingID, func(tx *store.Store) error {
		_, err := tx.ReportCodeLost(ctx, r.ProofingID, callOf(ctx).caller.AccountID, s.Clock())
		return err
	})
	return gen.ReportActivationCodeLost200JSONResponse{ProofingChangedJSONResponse: v}, err
}
