// Package meeting holds what a place for a live video session is made of, whoever provides it (PRF-5). Sub-package static is a room that
// is always there; sub-package rest calls a provider's HTTP API; sub-package simulator is a stateful provider that speaks it.
//
// Every provider keeps these promises, and package meetingtest proves them:
//   - A meeting is made once under an idempotency key; the same key gives the same room. The same key with other parameters is a
//     models.IdempotencyKeyReused fault, unless a provider makes nothing and so keeps nothing; no key is models.IdempotencyKeyMissing.
//   - Cancelling may be repeated, also where the provider knows the room no more.
//   - Technical trouble is a models.ServiceDown fault: the same call may be repeated under the same key (OPS-2).
//   - The provider is told no name and no address; no error carries its own wording (SEC-5).
package meeting

import (
	"context"
	"time"

	"tokendesk/models"
)

// Provider makes rooms for live video sessions. It is safe for concurrent use.
type Provider interface {
	// Create makes a room.
	Create(ctx context.Context, r Request) (Room, error)
	// Cancel closes a room for good.
	Cancel(ctx context.Context, ref string) error
}

// Request asks for a room.
type Request struct {
	IdempotencyKey string // made of business ids: "ap_1/0", the appointment and its sequence
	AgentID        string // ag_…, who holds the session
	Title          string // of no person
	Starts, Ends   time.Time
}

// Room is where a session is held.
type Room struct {
	Ref string // the provider's id
	URL string // https, except in a sandbox; whoever has it can come in
}

// Check refuses what no provider should be asked.
func (r Request) Check() error {
	switch {
	case r.IdempotencyKey == "":
		return models.IdempotencyKeyMissing.New("a meeting needs an idempotency key")
	case r.AgentID == "" || r.Title == "":
		return models.InvalidRequest.New("a meeting needs an agent and a title")
	case !r.Starts.Before(r.Ends):
		return models.InvalidRequest.New("a meeting ends after it has begun")
	default:
		return nil
	}
}
