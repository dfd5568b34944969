package api

import (
	"context"
	"encoding/base32"
	"net/url"
	"strconv"

	"tokendesk/api/gen"
	"tokendesk/internal/otp"
	"tokendesk/models"
	"tokendesk/models/store"
)

// ListAgents lists the proofing agents.
func (s *server) ListAgents(ctx context.Context, r gen.ListAgentsRequestObject) (gen.ListAgentsResponseObject, error) {
	l := s.list(r.Params.Limit, "listAgents")
	page, err := l.page(r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	rows, err := s.Store.Agents(ctx, page)
	if err != nil {
		return nil, err
	}
	rows, next, err := cut(l, rows, func(a models.Agent) string { return a.ID })
	return gen.ListAgents200JSONResponse{Items: each(rows, s.viewAgent), NextCursor: next}, err
}

// CreateAgent adds a proofing agent.
func (s *server) CreateAgent(ctx context.Context, r gen.CreateAgentRequestObject) (gen.CreateAgentResponseObject, error) {
	a, err := making(ctx, s, func(tx *store.Store) (models.Agent, string, error) {
		a, err := tx.CreateAgent(ctx, readAgent("", *r.Body), callOf(ctx).caller.Actor, s.Clock())
		return a, a.ID, err
	}, func(id string) (models.Agent, error) { return s.Store.Agent(ctx, id) })
	if err != nil {
		return nil, err
	}
	return gen.CreateAgent201JSONResponse{Headers: gen.CreateAgent201ResponseHeaders{Location: "/v1/agents/" + a.ID}, Body: s.viewAgent(a)}, nil
}

// GetAgent shows a proofing agent with hours and exceptions.
func (s *server) GetAgent(ctx context.Context, r gen.GetAgentRequestObject) (gen.GetAgentResponseObject, error) {
	a, err := s.Store.Agent(ctx, r.AgentID)
	if err != nil {
		return nil, err
	}
	windows, err := s.Store.AgentHours(ctx, a.ID)
	if err != nil {
		return nil, err
	}
	exceptions, err := s.Store.AgentExceptions(ctx, a.ID, s.Clock())
	if err != nil {
		return nil, err
	}
	view := gen.AgentDetails{Agent: s.viewAgent(a), Windows: each(windows, func(w models.AgentWindow) gen.AgentWindow {
		return gen.AgentWindow{Expression: w.Expression, Minutes: int32(w.Minutes)}
	}), Exceptions: each(exceptions, func(e models.AgentException) gen.AgentException {
		return gen.AgentException{ID: e.ID, Kind: e.Kind, Day: e.Day, StartsAt: e.StartsAt, EndsAt: e.EndsAt}
	})}
	return gen.GetAgent200JSONResponse{Headers: gen.GetAgent200ResponseHeaders{ETag: version(a.UpdatedAt)}, Body: view}, nil
}

// UpdateAgent changes a proofing agent, if nobody has done so since it was loaded.
func (s *server) UpdateAgent(ctx context.Context, r gen.UpdateAgentRequestObject) (gen.UpdateAgentResponseObject, error) {
	a, err := making(ctx, s, func(tx *store.Store) (models.Agent, string, error) {
		seen, err := tx.AgentForUpdate(ctx, r.AgentID)
		if err != nil {
			return seen, "", err
		}
		if version(seen.UpdatedAt) != r.Params.IfMatch {
			return seen, "", models.PreconditionFailed.New("somebody has changed the agent meanwhile")
		}
		a, err := tx.UpdateAgent(ctx, readAgent(r.AgentID, *r.Body), callOf(ctx).caller.Actor, s.Clock())
		return a, a.ID, err
	}, func(id string) (models.Agent, error) { return s.Store.Agent(ctx, id) })
	if err != nil {
		return nil, err
	}
	return gen.UpdateAgent200JSONResponse{Headers: gen.UpdateAgent200ResponseHeaders{ETag: version(a.UpdatedAt)}, Body: s.viewAgent(a)}, nil
}

// EnrolAgent gives an agent a new second factor (PRF-8). Its secret is in the first answer only.
func (s *server) EnrolAgent(ctx context.Context, r gen.EnrolAgentRequestObject) (gen.EnrolAgentResponseObject, error) {
	reason, err := givenReason(models.ByAdministrator, &r.Body.Reason)
	if err != nil {
		return nil, err
	}
	secret, err := making(ctx, s, func(tx *store.Store) (models.SecretBytes, string, error) {
		secret, err := tx.EnrolAgent(ctx, r.AgentID, s.Keyring, callOf(ctx).caller.Actor, reason, s.Clock())
		return secret, r.AgentID, err
	}, func(string) (models.SecretBytes, error) { return nil, nil })
	if err != nil {
		return nil, err
	}
	view := gen.AgentSecondFactor{AgentID: r.AgentID}
	if secret != nil {
		uri := otpauth(r.AgentID, secret)
		view.OtpauthURI = &uri
	}
	return gen.EnrolAgent201JSONResponse{Headers: gen.EnrolAgent201ResponseHeaders{Location: "/v1/agents/" + r.AgentID}, Body: view}, nil
}

// otpauth is the address by which authenticator apps take a secret.
func otpauth(agentID string, secret models.SecretBytes) string {
	p := otp.App
	query := url.Values{"secret": {base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(secret.Reveal())}, "issuer": {"Tokendesk"},
		"algorithm": {string(p.Algorithm)}, "digits": {strconv.Itoa(p.Digits)}, "period": {strconv.Itoa(int(p.Period.Seconds()))}}
	return (&url.URL{Scheme: "otpauth", Host: "totp", Path: "/Tokendesk:" + agentID, RawQuery: query.Encode()}).String()
}

// RetireAgent ends an agent's work.
func (s *server) RetireAgent(ctx context.Context, r gen.RetireAgentRequestObject) (gen.RetireAgentResponseObject, error) {
	reason, err := givenReason(models.ByAdministrator, &r.Body.Reason)
	if err != nil {
		return nil, err
	}
	d, err := displacing(ctx, s, func(tx *store.Store) (store.Displaced, error) {
		return tx.RetireAgent(ctx, r.AgentID, callOf(ctx).caller.Actor, reason, s.Clock())
	})
	return gen.RetireAgent200JSONResponse{Body: d}, err
}

func readAgent(id string, a gen.NewAgent) models.Agent {
	return models.Agent{ID: id, Name: a.Name, Email: a.Email, Zone: a.TimeZone, DailyCapacity: int(deref(a.DailyCapacity)), MayReview: deref(a.MayReview)}
}

func (s *server) viewAgent(a models.Agent) gen.Agent {
	view := gen.Agent{ID: a.ID, Name: a.Name, Email: a.Email, TimeZone: a.Zone, DailyCapacity: int32(a.DailyCapacity), MayReview: a.MayReview, Enrolled: len(a.SealedTOTP) > 0,
		CreatedAt: a.CreatedAt, RetiredAt: a.RetiredAt}
	if a.TOTPLocked != nil && s.CodeClock().Before(*a.TOTPLocked) {
		view.LockedUntil = a.TOTPLocked
	}
	return view
}
