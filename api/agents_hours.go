package api

import (
	"context"
	"fmt"

	"tokendesk/api/gen"
	"tokendesk/models"
	"tokendesk/models/store"
)

// previewed is how many beginnings of each window are shown.
const previewed = 10

// SetAgentHours replaces an agent's weekly hours (PRF-5).
func (s *server) SetAgentHours(ctx context.Context, r gen.SetAgentHoursRequestObject) (gen.SetAgentHoursResponseObject, error) {
	_, err := making(ctx, s, func(tx *store.Store) (string, string, error) {
		return r.AgentID, r.AgentID, tx.SetAgentHours(ctx, r.AgentID, readWindows(r.Body.Windows), callOf(ctx).caller.Actor, s.Clock())
	}, func(id string) (string, error) { return id, nil })
	if err != nil {
		return nil, err
	}
	a, err := s.Store.Agent(ctx, r.AgentID)
	if err != nil {
		return nil, err
	}
	windows, err := s.Store.AgentHours(ctx, a.ID)
	if err != nil {
		return nil, err
	}
	view, err := s.previewHours(a.Zone, windows)
	return gen.SetAgentHours200JSONResponse{Body: view}, err
}

// PreviewAgentHours shows when windows of hours would begin.
func (s *server) PreviewAgentHours(_ context.Context, r gen.PreviewAgentHoursRequestObject) (gen.PreviewAgentHoursResponseObject, error) {
	view, err := s.previewHours(r.Body.TimeZone, readWindows(r.Body.Windows))
	return gen.PreviewAgentHours200JSONResponse(view), err
}

func (s *server) previewHours(zone string, windows []models.AgentWindow) (gen.AgentHoursPreview, error) {
	previews, err := store.PreviewAgentHours(zone, windows, previewed, s.Clock())
	if err != nil {
		return gen.AgentHoursPreview{}, err
	}
	view := gen.AgentHoursPreview{TimeZone: zone, Items: []gen.AgentWindowPreview{}}
	for i, p := range previews {
		view.Items = append(view.Items, gen.AgentWindowPreview{Expression: p.Expression, Minutes: int32(windows[i].Minutes), Next: p.Next})
	}
	return view, nil
}

func readWindows(windows []gen.AgentWindow) []models.AgentWindow {
	return each(windows, func(w gen.AgentWindow) models.AgentWindow {
		return models.AgentWindow{Expression: w.Expression, Minutes: int(w.Minutes)}
	})
}

// AddAgentException changes an agent's hours once (PRF-6).
func (s *server) AddAgentException(ctx context.Context, r gen.AddAgentExceptionRequestObject) (gen.AddAgentExceptionResponseObject, error) {
	e := models.AgentException{AgentID: r.AgentID, Kind: r.Body.Kind, Day: r.Body.Day, StartsAt: r.Body.StartsAt, EndsAt: r.Body.EndsAt}
	type added struct {
		id string
		store.Displaced
	}
	made, err := making(ctx, s, func(tx *store.Store) (added, string, error) {
		e, d, err := tx.AddAgentException(ctx, e, callOf(ctx).caller.Actor, s.Clock())
		return added{e.ID, d}, fmt.Sprint(e.ID, " ", d.Moved, " ", d.Unstaffed), err
	}, func(noted string) (a added, err error) {
		_, err = fmt.Sscan(noted, &a.id, &a.Moved, &a.Unstaffed)
		return a, err
	})
	if err != nil {
		return nil, err
	}
	return gen.AddAgentException201JSONResponse{Headers: gen.AddAgentException201ResponseHeaders{Location: "/v1/agents/" + r.AgentID + "/exceptions/" + made.id},
		Body: gen.DisplacedAppointments{Moved: int32(made.Moved), Unstaffed: int32(made.Unstaffed)}}, nil
}

// RemoveAgentException takes an exception back.
func (s *server) RemoveAgentException(ctx context.Context, r gen.RemoveAgentExceptionRequestObject) (gen.RemoveAgentExceptionResponseObject, error) {
	_, err := making(ctx, s, func(tx *store.Store) (string, string, error) {
		return r.ExceptionID, r.ExceptionID, tx.RemoveAgentException(ctx, r.AgentID, r.ExceptionID, callOf(ctx).caller.Actor, s.Clock())
	}, func(id string) (string, error) { return id, nil })
	if err != nil {
		return nil, err
	}
	return gen.RemoveAgentException204Response{}, nil
}
