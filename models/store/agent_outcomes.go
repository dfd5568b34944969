package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"tokendesk/internal/checklist"
	"tokendesk/internal/identitydocs"
	"tokendesk/internal/legalname"
	"tokendesk/models"
)

// Outcome is what the assigned agent says of a live video session (PRF-7).
type Outcome struct {
	AppointmentID string
	AgentID       string
	Event         models.AppointmentEvent // one of models.SessionOutcomes
	Instructions  string                  // for the person, where the session is not passed
	Pass          *Pass                   // where it is
}

// Pass is what the agent has read from the document and seen. There is no member that could take an image.
type Pass struct {
	Document         identitydocs.Record
	LegalName        models.Secret // as displayed
	NameConfirmed    bool          // the agent has decided that a close name is the person's
	Checklist        map[string]bool
	ChecklistVersion int
}

// Recorded is what became of an outcome.
type Recorded struct {
	Appointment  models.Appointment
	Case         models.ProofingCase
	Code         models.Secret // of a pass: shown to the agent here and nowhere again (PRF-9)
	CodeExpires  time.Time
	ReviewWanted bool // the code may be used only once another agent has confirmed (PRF-8)
}

// RecordOutcome records how a session went, once, and does what that brings: a pass seals what was read, gives the activation code, and moves the case on;
// everything else asks the person to choose another slot. All of it is one transaction, which needs no engine.
//
// Faults: NoSuchThing, NotTheAssignedAgent, TooEarlyForOutcome, StateForbids, InvalidRequest; of a pass also, joined, DocumentNotAccepted, DocumentExpired,
// ChecklistIncomplete, NameDiffers, NameNeedsDecision.
func (s *Store) RecordOutcome(ctx context.Context, o Outcome, sealer Sealer, at time.Time) (Recorded, error) {
	var r Recorded
	err := s.InTx(ctx, func(tx *Store) (err error) {
		r, err = tx.recordOutcome(ctx, o, sealer, at)
		return err
	})
	if err != nil {
		return Recorded{}, fmt.Errorf("record the outcome of a session: %w", err)
	}
	return r, nil
}

func (s *Store) recordOutcome(ctx context.Context, o Outcome, sealer Sealer, at time.Time) (Recorded, error) {
	c, a, err := s.lockSession(ctx, o.AppointmentID)
	if err != nil {
		return Recorded{}, err
	}
	switch {
	case a.AgentID != o.AgentID:
		return Recorded{}, s.outcomeRefused(ctx, c, o, models.NotTheAssignedAgent.New(""), at)
	case a.Status != models.AppointmentBooked:
		return Recorded{}, models.StateForbids.New("the appointment is %s", a.Status).Allowing()
	case at.Before(a.StartsAt):
		return Recorded{}, models.TooEarlyForOutcome.New("").Allowing()
	case !slices.Contains(models.SessionOutcomes(), o.Event) || (o.Event == models.PassAppointment) != (o.Pass != nil):
		return Recorded{}, models.InvalidRequest.New("a pass, and nothing else, says what was read from the document").At("/outcome")
	}
	if o.Event == models.PassAppointment {
		return s.recordPass(ctx, o, &c, a, sealer, at)
	}
	set := map[string]any{"instructions": o.Instructions, "outcome_at": at, "link_hash": nil}
	if err := s.notPassed(ctx, &c, a, o.Event, causeOf(o.Event), set, o.AgentID, at); err != nil {
		return Recorded{}, err
	}
	a, err = s.Appointment(ctx, a.ID)
	return Recorded{Appointment: a, Case: c}, err
}

// lockSession reads an appointment with its case, both under lock.
func (s *Store) lockSession(ctx context.Context, appointmentID string) (c models.ProofingCase, a models.Appointment, err error) {
	if a, err = s.Appointment(ctx, appointmentID); err != nil {
		return c, a, err
	}
	if c, err = s.lockProofing(ctx, a.CaseID); err != nil {
		return c, a, err
	}
	a, err = s.Appointment(ctx, appointmentID) // again: whoever changes it holds the case's lock
	return c, a, err
}

func causeOf(e models.AppointmentEvent) RescheduleCause {
	switch e {
	case models.MissAppointment:
		return RescheduleMissed
	case models.FailAppointment:
		return RescheduleFailed
	}
	return RescheduleTechnical
}

// outcomeRefused writes down that an outcome was refused, by the kind of refusal only.
func (s *Store) outcomeRefused(ctx context.Context, c models.ProofingCase, o Outcome, refusal error, at time.Time) error {
	return s.auditRefusal(ctx, "session.recorded", o.AgentID, o.AppointmentID, c.CredentialID, refusal, at)
}

func (s *Store) recordPass(ctx context.Context, o Outcome, c *models.ProofingCase, a models.Appointment, sealer Sealer, at time.Time) (Recorded, error) {
	account, err := s.Account(ctx, c.AccountID)
	if err != nil {
		return Recorded{}, err
	}
	list, err := identitydocs.For(c.Country)
	if err != nil {
		return Recorded{}, err
	}
	verdict := legalname.Compare(legalname.Name{First: account.FirstName, Middle: account.MiddleName, Last: account.LastName}, o.Pass.LegalName.Reveal())
	zone, err := TimeZone(a.Zone, "/time_zone") // documents end with the person's day
	if err != nil {
		return Recorded{}, err
	}
	refusal := errors.Join(refuseDocument(list.Check(o.Pass.Document, at, zone)), refuseChecklist(*o.Pass), refuseName(verdict, o.Pass.NameConfirmed))
	if refusal != nil {
		return Recorded{}, s.outcomeRefused(ctx, *c, o, refusal, at)
	}
	p, err := s.Policy(ctx, c.PolicyVersion)
	if err != nil {
		return Recorded{}, err
	}
	r := Recorded{ReviewWanted: p.Proofing.Review.Wants(verdict.Result != legalname.Match)}
	if err := s.keepRecord(ctx, o, *c, list.Version, verdict, r.ReviewWanted, sealer, at); err != nil {
		return Recorded{}, err
	}
	if err := appointments.move(s.with(ctx), a.ID, o.Event, at, map[string]any{"outcome_at": at, "link_hash": nil}); err != nil {
		return Recorded{}, err
	}
	event, status := models.PassSession, models.CodeLive
	if r.ReviewWanted {
		event, status = models.PassForReview, models.CodePending
	}
	code, row, err := s.issueCode(ctx, *c, models.CodeByAgent, status, false, at)
	if err != nil {
		return Recorded{}, err
	}
	if err := s.moveProofing(ctx, c, event, at, nil); err != nil {
		return Recorded{}, err
	}
	r.Code, r.CodeExpires, r.Case = code, row.ExpiresAt, *c
	if r.Appointment, err = s.Appointment(ctx, a.ID); err != nil {
		return Recorded{}, err
	}
	detail := map[string]string{"appointment": a.ID, "agent": a.AgentID, "document": string(o.Pass.Document.Type), "name": string(verdict.Result),
		"checklist": strconv.Itoa(o.Pass.ChecklistVersion), "review": strconv.FormatBool(r.ReviewWanted)}
	if err := s.auditProofing(ctx, *c, "appointment.passed", o.AgentID, detail, at); err != nil {
		return Recorded{}, err
	}
	return r, s.proofingChanged(ctx, c.ID, at)
}

// keepRecord writes down what the agent has read. The number and the name are sealed (PRF-7).
func (s *Store) keepRecord(ctx context.Context, o Outcome, c models.ProofingCase, documents int, v legalname.Verdict, review bool, sealer Sealer, at time.Time) error {
	pass, id := o.Pass, NewID("pr", at)
	number, err := sealer.Seal(models.SecretBytes(pass.Document.Number), models.ProofingRecordContext(id, "number"))
	if err != nil {
		return fmt.Errorf("seal a document's number: %w", err)
	}
	name, err := sealer.Seal(models.SecretBytes(pass.LegalName), models.ProofingRecordContext(id, "name"))
	if err != nil {
		return fmt.Errorf("seal a document's name: %w", err)
	}
	row := models.ProofingRecord{ID: id, CaseID: c.ID, Attempt: c.Attempt, AppointmentID: o.AppointmentID, AgentID: o.AgentID, DocumentType: string(pass.Document.Type),
		Issuer: pass.Document.Issuer, SealedNumber: number, SealedName: name, Checklist: pass.Checklist, ChecklistVersion: pass.ChecklistVersion, DocumentsVersion: documents,
		NameResult: string(v.Result), NameReasons: reasonsOf(v), RecordedAt: at, ReviewWanted: review}
	if pass.Document.Expires != "" {
		row.DocumentExpiry = &pass.Document.Expires
	}
	if err := s.with(ctx).Create(&row).Error; err != nil {
		return fault(fmt.Errorf("keep a proofing record: %w", err))
	}
	return nil
}

func reasonsOf(v legalname.Verdict) []string {
	reasons := []string{}
	for _, r := range v.Reasons {
		reasons = append(reasons, string(r))
	}
	return reasons
}

// refuseDocument says what is wrong with a document, member by member, and never what it says.
func refuseDocument(err error) error {
	var all []error
	for _, known := range []struct {
		err   error
		fault *models.FaultType
		text  string
		at    string
	}{
		{identitydocs.ErrType, models.DocumentNotAccepted, "no document of this type is accepted of this country", "/pass/document_type"},
		{identitydocs.ErrIssuer, models.DocumentNotAccepted, "documents of this type have other issuers", "/pass/issuer"},
		{identitydocs.ErrNumber, models.DocumentNotAccepted, "documents of this type have other numbers: read it again", "/pass/document_number"},
		{identitydocs.ErrExpiry, models.DocumentNotAccepted, "a document of this type cannot expire then: read it again", "/pass/document_expiry"},
		{identitydocs.ErrUnlimited, models.DocumentNotAccepted, "a document of this type states when it expires", "/pass/document_expiry"},
		{identitydocs.ErrExpired, models.DocumentExpired, "", "/pass/document_expiry"},
	} {
		if errors.Is(err, known.err) {
			all = append(all, known.fault.New("%s", known.text).At(known.at))
		}
	}
	if err != nil && all == nil {
		return err
	}
	return errors.Join(all...)
}

func refuseChecklist(p Pass) error {
	list := checklist.Current()
	if p.ChecklistVersion != list.Version {
		return models.ChecklistIncomplete.New("the questions have changed: they are version %d now", list.Version).At("/pass/checklist/version")
	}
	if open := list.Open(p.Checklist); len(open) > 0 {
		return models.ChecklistIncomplete.New("not answered with yes: %s", strings.Join(open, ", ")).At("/pass/checklist/answers")
	}
	for id := range p.Checklist {
		if !list.Asks(id) {
			return models.ChecklistIncomplete.New("there is an answer that nobody asked for").At("/pass/checklist/answers")
		}
	}
	return nil
}

// refuseName leaves a close name to the agent's decision. Why it is close is told in codes.
func refuseName(v legalname.Verdict, confirmed bool) error {
	switch {
	case v.Result == legalname.Different:
		return models.NameDiffers.New("").At("/pass/legal_name")
	case v.Result == legalname.Close && !confirmed:
		return models.NameNeedsDecision.New("%s", strings.Join(reasonsOf(v), ", ")).At("/pass/name_confirmed")
	}
	return nil
}
