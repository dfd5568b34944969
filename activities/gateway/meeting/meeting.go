// Package meeting holds what a place for a live video session is made of, whoever provides it (PRF-5).
//
// Every provider keeps these promises, and package meetingtest proves them:
//   - A meeting is made once under an idempotency key; the same key gives the same room. The same key with other parameters is a
//     models.IdempotencyKeyReused fault; no key is models.IdempotencyKeyMissing.
//   - Cancelling may be repeated, also where the provider knows the room no more.
//   - Technical trouble is a models.ServiceDown fault: the same call may be repeated under the same key (OPS-2).
//   - The provider is told no name and no address; no error carries its own wording (SEC-5).
package meeting

import (
	"context"
	"time"
)

// Provider makes rooms for live video sessions. It is safe for concurrent use.
type Provider interface {
	Create(ctx context.Context, r Request) (Room, error)
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
	URL string // https; whoever has it can come in
}
