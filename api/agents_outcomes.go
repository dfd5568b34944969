package api

import (
	"context"
	"strings"

	"tokendesk/api/gen"
	"tokendesk/internal/identitydocs"
	"tokendesk/models"
	"tokendesk/models/store"
)

// RecordAgentOutcome records how a session went (PRF-7). The code of a pass is in the first answer only.
func (s *server) RecordAgentOutcome(ctx context.Context, r gen.RecordAgentOutcomeRequestObject) (gen.RecordAgentOutcomeResponseObject, error) {
	o := store.Outcome{AppointmentID: r.AppointmentID, AgentID: callOf(ctx).caller.ID, Event: r.Body.Outcome, Instructions: strings.TrimSpace(deref(r.Body.Instructions))}
	if r.Body.Pass != nil {
		pass, err := readPass(*r.Body.Pass)
		if err != nil {
			return nil, err
		}
		o.Pass = &pass
	}
	recorded, err := making(ctx, s, func(tx *store.Store) (store.Recorded, string, error) {
		recorded, err := tx.RecordOutcome(ctx, o, s.Keyring, s.Clock())
		return recorded, o.AppointmentID, err
	}, func(id string) (recorded store.Recorded, err error) { // without the code: it was lost with the answer
		recorded.Appointment, err = s.Store.Appointment(ctx, id)
		return recorded, err
	})
	if err != nil {
		return nil, err
	}
	view := gen.RecordedOutcome{AppointmentID: recorded.Appointment.ID, Status: recorded.Appointment.Status, ActivationCode: optional(recorded.Code.Reveal())}
	if recorded.Code != "" {
		view.CodeExpiresAt, view.ReviewWanted = &recorded.CodeExpires, &recorded.ReviewWanted
	}
	return gen.RecordAgentOutcome201JSONResponse{Headers: gen.RecordAgentOutcome201ResponseHeaders{Location: "/v1/agent/appointments/" + view.AppointmentID}, Body: view}, nil
}

func readPass(p gen.NewPass) (store.Pass, error) {
	pass := store.Pass{Document: identitydocs.Record{Type: p.DocumentType, Issuer: p.Issuer, Number: p.DocumentNumber, Expires: deref(p.DocumentExpiry)},
		LegalName: p.LegalName, NameConfirmed: deref(p.NameConfirmed), ChecklistVersion: int(p.Checklist.Version)}
	var err error
	pass.Checklist, err = readAnswers(p.Checklist.Answers)
	return pass, err
}

func readAnswers(answers []gen.ChecklistAnswer) (map[string]bool, error) {
	read := map[string]bool{}
	for _, a := range answers {
		if _, twice := read[a.Question]; twice {
			return nil, models.InvalidRequest.New("a question is answered twice").At("/pass/checklist/answers")
		}
		read[a.Question] = a.Yes
	}
	return read, nil
}
