package demodata

import (
	"context"
	"encoding/base32"
	"errors"
	"fmt"
	"time"

	"tokendesk/models"
	"tokendesk/models/store"
)

// Agent is a proofing agent of the demonstration. Its certificate comes from the development authority.
type Agent struct {
	AgentID string `json:"agent_id"`
	TOTP    string `json:"totp"` // the secret of its second factor, base32
}

// LoadAgents adds the proofing agents of the demonstration where the database has them not, with hours and second factors, and writes their
// secrets to the file of the others.
func LoadAgents(ctx context.Context, st *store.Store, sealer store.Sealer, s Secrets, file string, at time.Time) (Secrets, error) {
	_, err := st.Agent(ctx, s.Agents["edith"].AgentID)
	if err == nil || !errors.Is(err, models.NoSuchThing) {
		return s, err
	}
	s.Agents = map[string]Agent{}
	for name, a := range map[string]struct {
		agent models.Agent
		hours models.AgentWindow
	}{
		"edith": {models.Agent{Name: "Edith Clarke", Email: "edith@agents.example", Zone: "America/Chicago", MayReview: true}, models.AgentWindow{Expression: "0 8 * * 1-5", Minutes: 9 * 60}},
		"mary":  {models.Agent{Name: "Mary Somerville", Email: "mary@agents.example", Zone: "Europe/Berlin", MayReview: true}, models.AgentWindow{Expression: "0 9 * * 1-6", Minutes: 8 * 60}},
	} {
		if s.Agents[name], err = addAgent(ctx, st, sealer, a.agent, a.hours, at); err != nil {
			return s, fmt.Errorf("load the demo agents: %w", err)
		}
	}
	return s, write(file, s)
}

func addAgent(ctx context.Context, st *store.Store, sealer store.Sealer, a models.Agent, hours models.AgentWindow, at time.Time) (Agent, error) {
	system := models.Actor{ID: "system"}
	a, err := st.CreateAgent(ctx, a, system, at)
	if err != nil {
		return Agent{}, err
	}
	if err := st.SetAgentHours(ctx, a.ID, []models.AgentWindow{hours}, system, at); err != nil {
		return Agent{}, err
	}
	secret, err := st.EnrolAgent(ctx, a.ID, sealer, system, "demonstration", at)
	if err != nil {
		return Agent{}, err
	}
	return Agent{AgentID: a.ID, TOTP: base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(secret.Reveal())}, nil
}
