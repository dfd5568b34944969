package api

import (
	"context"
	"fmt"
	"time"

	"tokendesk/api/gen"
	"tokendesk/internal/availability"
	"tokendesk/internal/checklist"
	"tokendesk/internal/identitydocs"
	"tokendesk/models"
	"tokendesk/models/store"
)

// ListAgentAppointments lists the agent's day.
func (s *server) ListAgentAppointments(ctx context.Context, r gen.ListAgentAppointmentsRequestObject) (gen.ListAgentAppointmentsResponseObject, error) {
	agent := callOf(ctx).caller.agent.Agent
	zone, err := store.TimeZone(agent.Zone, "/time_zone")
	if err != nil {
		return nil, err
	}
	day := s.Clock().In(zone)
	if r.Params.Day != nil {
		if day, err = time.Parse(time.DateOnly, *r.Params.Day); err != nil {
			return nil, models.InvalidRequest.New("there is no such day")
		}
	}
	rows, err := s.Store.AgentDay(ctx, agent.ID, availability.DateOf(day))
	if err != nil {
		return nil, err
	}
	return gen.ListAgentAppointments200JSONResponse{Day: day.Format(time.DateOnly), TimeZone: agent.Zone, Items: each(rows, func(a store.AgentAppointment) gen.AgentDayEntry {
		return gen.AgentDayEntry{ID: a.ID, StartsAt: a.StartsAt, EndsAt: a.EndsAt, Status: a.Status, LegalName: a.LegalName, Country: a.Country, Attempt: int32(a.Attempt)}
	})}, nil
}

// GetAgentAppointment shows what the agent needs to hold a session. Contact data is shown for as long as it is needed.
func (s *server) GetAgentAppointment(ctx context.Context, r gen.GetAgentAppointmentRequestObject) (gen.GetAgentAppointmentResponseObject, error) {
	a, err := s.Store.AgentAppointment(ctx, r.AppointmentID)
	if err != nil {
		return nil, err
	}
	if a.AgentID != callOf(ctx).caller.ID || a.Status == models.AppointmentHeld || a.Status == models.AppointmentReleased {
		return nil, models.NoSuchThing.New("no such appointment")
	}
	documents, err := viewDocuments(a.Country)
	if err != nil {
		return nil, err
	}
	view := gen.AgentAppointment{ID: a.ID, StartsAt: a.StartsAt, EndsAt: a.EndsAt, Status: a.Status, LegalName: a.LegalName, Country: a.Country, Attempt: int32(a.Attempt),
		Documents: documents, Checklist: viewChecklist(checklist.Current())}
	if a.Status == models.AppointmentBooked {
		view.Phone, view.Email, view.TimeZone, view.MeetingURL = optional(a.Phone), optional(a.Email), optional(a.Zone), optional(a.MeetingURL)
	}
	return gen.GetAgentAppointment200JSONResponse(view), nil
}

// viewDocuments shows which documents prove the identity of a country's people (PRF-7).
func viewDocuments(country string) (gen.AcceptedDocuments, error) {
	list, err := identitydocs.For(country)
	if err != nil {
		return gen.AcceptedDocuments{}, err
	}
	return gen.AcceptedDocuments{Version: int32(list.Version), Country: list.Country, Shows: list.Shows, Items: each(list.Documents, func(d identitydocs.Document) gen.AcceptedDocument {
		return gen.AcceptedDocument{Type: d.Type, Name: d.Name, Issuers: d.Issuers, Expiry: gen.AcceptedDocumentExpiry(d.Expiry), Note: optional(d.Note)}
	})}, nil
}

func viewChecklist(l checklist.List) gen.Checklist {
	return gen.Checklist{Version: int32(l.Version), Questions: each(l.Questions, func(q checklist.Question) gen.ChecklistQuestion {
		return gen.ChecklistQuestion{ID: q.ID, Text: q.Text}
	})}
}

// ReportAgentAbsence closes a time of the agent's own.
func (s *server) ReportAgentAbsence(ctx context.Context, r gen.ReportAgentAbsenceRequestObject) (gen.ReportAgentAbsenceResponseObject, error) {
	c := callOf(ctx).caller
	if !r.Body.From.Before(r.Body.To) {
		return nil, models.InvalidRequest.New("it ends after it begins").At("/to")
	}
	d, err := displacing(ctx, s, func(tx *store.Store) (d store.Displaced, err error) {
		d.Moved, d.Unstaffed, err = tx.AgentAbsent(ctx, c.ID, r.Body.From, r.Body.To, c.Actor, s.Clock())
		return d, err
	})
	return gen.ReportAgentAbsence200JSONResponse{Body: d}, err
}

// displacing performs, once for each key, what takes appointments away from an agent.
func displacing(ctx context.Context, s *server, perform func(tx *store.Store) (store.Displaced, error)) (gen.DisplacedAppointments, error) {
	d, err := making(ctx, s, func(tx *store.Store) (store.Displaced, string, error) {
		d, err := perform(tx)
		return d, fmt.Sprint(d.Moved, " ", d.Unstaffed), err
	}, func(noted string) (d store.Displaced, err error) {
		_, err = fmt.Sscan(noted, &d.Moved, &d.Unstaffed)
		return d, err
	})
	return gen.DisplacedAppointments{Moved: int32(d.Moved), Unstaffed: int32(d.Unstaffed)}, err
}
