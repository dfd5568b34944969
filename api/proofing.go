package api

import (
	"context"
	"slices"
	"time"

	"tokendesk/api/gen"
	"tokendesk/internal/availability"
	"tokendesk/internal/terms"
	"tokendesk/models"
)

// ListProofings lists the proofings of a credential's person (PRF-1).
func (s *server) ListProofings(ctx context.Context, r gen.ListProofingsRequestObject) (gen.ListProofingsResponseObject, error) {
	c, _, err := s.Store.Credential(ctx, r.CredentialID)
	if err != nil {
		return nil, err
	}
	if !callOf(ctx).caller.sees(c.AccountID) {
		return nil, models.NoSuchThing.New("no such credential")
	}
	cases, err := s.Store.ProofingsOfCredential(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	items := make([]gen.Proofing, 0, len(cases))
	for _, c := range cases {
		view, err := s.viewProofing(ctx, c)
		if err != nil {
			return nil, err
		}
		items = append(items, view)
	}
	return gen.ListProofings200JSONResponse{Items: items}, nil
}

// GetProofing shows one proofing (PRF-1).
func (s *server) GetProofing(ctx context.Context, r gen.GetProofingRequestObject) (gen.GetProofingResponseObject, error) {
	c, err := s.proofing(ctx, r.ProofingID)
	if err != nil {
		return nil, err
	}
	view, err := s.viewProofing(ctx, c)
	return gen.GetProofing200JSONResponse(view), err
}

// proofing finds a proofing that exists for the caller: the person's own, for staff each.
func (s *server) proofing(ctx context.Context, id string) (models.ProofingCase, error) {
	c, err := s.Store.ProofingCase(ctx, id)
	if err == nil && !callOf(ctx).caller.sees(c.AccountID) {
		err = models.NoSuchThing.New("no such proofing")
	}
	return c, err
}

// proofingState is a proofing with what goes on in it.
type proofingState struct {
	models.ProofingFacts
	policy       models.Policy
	at           time.Time
	held         *models.Appointment  // nil: no slot is held
	appointments []models.Appointment // newest first
}

func (s *server) proofingState(ctx context.Context, c models.ProofingCase) (p proofingState, err error) {
	p.Case, p.at = c, s.Clock()
	if p.policy, err = s.Store.Policy(ctx, c.PolicyVersion); err != nil {
		return p, err
	}
	session, ok, err := s.Store.ProofingSessionOf(ctx, c.ID)
	if err != nil {
		return p, err
	}
	if ok {
		p.Session = &session
	}
	if p.appointments, err = s.Store.AppointmentsOfCase(ctx, c.ID, p.at); err != nil {
		return p, err
	}
	for i := range p.appointments {
		switch p.appointments[i].Status {
		case models.AppointmentBooked:
			p.Booked = &p.appointments[i]
		case models.AppointmentHeld:
			p.held = &p.appointments[i]
		}
	}
	p.Code, err = s.Store.OpenActivationCode(ctx, c.ID)
	return p, err
}

// proofingActions are what the caller can do, as far as an operation offers it: nobody but the person does anything about a proofing here.
func (s *server) proofingActions(ctx context.Context, p proofingState) []string {
	actions := []string{}
	if callOf(ctx).caller.AccountID != p.Case.AccountID {
		return actions
	}
	for _, action := range p.Actions(p.held != nil, p.policy, p.at) {
		if s.operations.performs(models.ProofingMachine.Name+"."+string(action), callOf(ctx).caller.roles) {
			actions = append(actions, string(action))
		}
	}
	return actions
}

func (s *server) viewProofing(ctx context.Context, c models.ProofingCase) (gen.Proofing, error) {
	p, err := s.proofingState(ctx, c)
	if err != nil {
		return gen.Proofing{}, err
	}
	o := proofingOutlook(p)
	v := gen.Proofing{ID: c.ID, CredentialID: c.CredentialID, AccountID: c.AccountID, Purpose: c.Purpose, Country: c.Country, Status: c.Status, Attempt: int32(c.Attempt),
		FeeDue: c.Exhausted(p.policy), Methods: models.ProofingMethods(c.Country), Since: c.Since, OpenedAt: c.OpenedAt, ProofedAt: c.ProofedAt, RegisterBy: c.RegisterBy,
		EndedAt: c.EndedAt, WaitingFor: o.what, WaitingOn: o.on, Terms: viewTerms(p), AllowedActions: s.proofingActions(ctx, p)}
	if p.Session != nil {
		v.Session = &gen.SelfServiceSession{Phase: p.Session.Phase, ExpiresAt: p.Session.ExpiresAt}
	}
	own := callOf(ctx).caller.AccountID == c.AccountID
	if a := p.Booked; a != nil {
		v.Appointment = viewAppointment(*a, own)
	} else if p.held != nil {
		v.Appointment = viewAppointment(*p.held, own)
	}
	if own && c.Status == models.ProofingScheduling && len(p.appointments) > 0 {
		v.Instructions = optional(lastOf(p.appointments).Instructions)
	}
	if p.Code != nil {
		v.Code = &gen.ActivationCodeNote{Channel: p.Code.Channel, LastDay: p.Code.ExpiresAt.Add(-1).In(p.policy.Location()).Format(time.DateOnly),
			Usable: p.Code.Status == models.CodeLive, PostedAt: p.Code.PostedAt}
	}
	return v, nil
}

// lastOf is the newest appointment that was not merely held.
func lastOf(newestFirst []models.Appointment) (last models.Appointment) {
	i := slices.IndexFunc(newestFirst, func(a models.Appointment) bool { return a.Status != models.AppointmentHeld })
	if i >= 0 {
		last = newestFirst[i]
	}
	return last
}

// viewTerms shows what is agreed to before self-service, while there is that choice.
func viewTerms(p proofingState) *gen.SelfServiceTerms {
	if p.Case.Status != models.ProofingChoosing || !slices.Contains(models.ProofingMethods(p.Case.Country), models.BySelfService) {
		return nil
	}
	version := p.policy.Proofing.TermsVersion
	text, ok := terms.Of(version)
	if !ok { // not to be agreed to: live video remains
		return nil
	}
	return &gen.SelfServiceTerms{Version: version, Text: text}
}

// viewAppointment shows an appointment on the clocks of the person's zone. Contact data and the meeting are shown to the person only.
func viewAppointment(a models.Appointment, own bool) *gen.Appointment {
	zone, err := availability.Zone(a.Zone)
	if err != nil { // a slot that is held has none yet
		zone = time.UTC
	}
	v := gen.Appointment{ID: a.ID, Status: a.Status, StartsAt: a.StartsAt.In(zone), EndsAt: a.EndsAt.In(zone), TimeZone: optional(a.Zone)}
	if a.Status == models.AppointmentHeld {
		v.HeldUntil = a.HeldUntil
	}
	if own {
		v.Phone, v.Email = optional(a.Phone), optional(a.Email)
		if a.Status == models.AppointmentBooked && a.MeetingFor == a.Sequence {
			v.MeetingURL = optional(a.MeetingURL)
		}
	}
	return &v
}

// GetProofingTimeline says what happens next with a proofing, when and why (LIF-4).
func (s *server) GetProofingTimeline(ctx context.Context, r gen.GetProofingTimelineRequestObject) (gen.GetProofingTimelineResponseObject, error) {
	c, err := s.proofing(ctx, r.ProofingID)
	if err != nil {
		return nil, err
	}
	p, err := s.proofingState(ctx, c)
	if err != nil {
		return nil, err
	}
	ahead, err := s.Store.ProofingTimeline(ctx, c)
	if err != nil {
		return nil, err
	}
	events := []event{{"opened", &c.OpenedAt, "the proofing was opened"}, {"proofed", c.ProofedAt, "the identity was proofed"}, {"ended", c.EndedAt, "it ended: " + string(c.Status)}}
	for _, a := range p.appointments {
		events = append(events, event{"session", a.OutcomeAt, "a live video session took place, or should have"})
	}
	if p.Code != nil {
		events = append(events, event{"code_issued", &p.Code.IssuedAt, "an activation code was issued"}, event{"code_posted", p.Code.PostedAt, "its letter was posted"})
	}
	t := timeline(c.ID, string(c.Status), proofingOutlook(p), ahead, p.policy.Location(), p.at, pastOf(events...), s.proofingActions(ctx, p))
	if left := proofingLeftAlone(c); left != "" {
		t.IfNobodyActs = &left
	}
	return gen.GetProofingTimeline200JSONResponse(t), nil
}

// changedProofing shows a proofing after something was done about it.
func (s *server) changedProofing(ctx context.Context, id string) (v gen.ProofingChangedJSONResponse, err error) {
	c, err := s.Store.ProofingCase(ctx, id)
	if err == nil {
		v.Body, err = s.viewProofing(ctx, c)
	}
	return v, err
}
