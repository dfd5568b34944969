// Package wire is the JSON of the API that makes rooms for live video, in the style that services such as Whereby and Zoom share.
//
//	POST   {base}/v1/meetings         Meeting → 201 Room; Idempotency-Key
//	DELETE {base}/v1/meetings/{id}    → 204; 404 where it knows the room no more
//
// Requests carry "Authorization: Bearer <key>". Errors are Failure with a 4xx or 5xx status. Nothing here is about a person.
package wire

import "time"

// Meeting asks for a room.
type Meeting struct {
	Title    string    `json:"title"`
	Host     string    `json:"host"` // our id of who holds the meeting
	StartsAt time.Time `json:"starts_at"`
	EndsAt   time.Time `json:"ends_at"`
}

// Room is where the meeting is held.
type Room struct {
	ID      string `json:"id"`
	JoinURL string `json:"join_url"` // whoever has it can come in
}

// Failure is the body of an error.
type Failure struct {
	Error struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

// The codes of failures that have a meaning of their own.
const (
	KeyReused       = "idempotency_key_reused"
	KeyMissing      = "idempotency_key_missing"
	CallInFlight    = "call_in_flight"
	RequestInvalid  = "request_invalid"
	NotFound        = "not_found"
	Unauthenticated = "unauthenticated"
	Unavailable     = "unavailable"
)
