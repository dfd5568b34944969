// Package static is a place for live video sessions that is always there: one room for all, or one for each agent.
package static

import (
	"context"
	"errors"
	"net/url"
	"strings"

	"tokendesk/activities/gateway/meeting"
)

// Agent stands in the link for the id of the agent who holds the session.
const Agent = "{agent}"

// Rooms are what is always there.
type Rooms struct{ link string }

var _ meeting.Provider = Rooms{}

// New makes the rooms of a link, which is https and may hold Agent. The error does not quote it: whoever has it can come in.
func New(link string) (Rooms, error) {
	u, err := url.Parse(strings.ReplaceAll(link, Agent, "ag_1"))
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return Rooms{}, errors.New("the room of live video sessions is no https URL")
	}
	return Rooms{link}, nil
}

// Create tells which room it is. The same agent always has the same.
func (r Rooms) Create(_ context.Context, asked meeting.Request) (meeting.Room, error) {
	if err := asked.Check(); err != nil {
		return meeting.Room{}, err
	}
	return meeting.Room{Ref: asked.IdempotencyKey, URL: strings.ReplaceAll(r.link, Agent, url.PathEscape(asked.AgentID))}, nil
}

// Cancel does nothing: the room stays.
func (Rooms) Cancel(context.Context, string) error { return nil }
