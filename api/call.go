package api

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"time"

	"tokendesk/models"
	"tokendesk/models/store"
)

// call is what is known of one request while it is served.
type call struct {
	requestID string
	op        *operation // nil until it is routed
	caller    caller
	key       store.IdempotentCall // of an operation that needs one
	resource  string               // what an earlier, interrupted call under the same key has made
	since     time.Time            // of the first call under the key
}

// commandID names what a keyed call asks for where it is remembered for longer than the key: in the engine, and as a business key. It
// is the same for every call that resumes the first one, and another one when a purged key is used anew. It stands in a history for
// ever, so what the caller wrote in its key does not (SEC-5).
func (c *call) commandID() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%s/%d/%s", c.key.Principal, c.key.Operation, c.since.UnixMicro(), c.key.Key))
	return hex.EncodeToString(sum[:16])
}

func (c *call) operation() string {
	if c.op == nil {
		return "none"
	}
	return c.op.id
}

type callKey struct{}

// callOf returns the call that a request's context belongs to.
func callOf(ctx context.Context) *call {
	c, ok := ctx.Value(callKey{}).(*call)
	if !ok {
		return &call{}
	}
	return c
}

// caller is who calls: a person with a session, an API key, or a proofing agent.
type caller struct {
	models.Actor
	roles   []models.Role
	session *models.Session // nil for an API key
	account *models.Account // nil for an API key
	agent   *agentCaller    // nil but on the agents' listener
}

// sees reports whether what belongs to an account exists for the caller. People see their own, staff everything that their
// role may ask for.
func (c caller) sees(accountID string) bool { return c.account == nil || c.account.ID == accountID }

// is reports whether the caller has a role, whichever one it calls under.
func (c caller) is(r models.Role) bool { return slices.Contains(c.roles, r) }

// loggedInWith is the credential that the caller's session was authenticated with; empty: none.
func (c caller) loggedInWith() string {
	if c.session == nil {
		return ""
	}
	return deref(c.session.CredentialID)
}

// own is the account that a list is narrowed to; empty for staff.
func (c caller) own() string {
	if c.account == nil {
		return ""
	}
	return c.account.ID
}

var wellFormedID = regexp.MustCompile(`^[A-Za-z0-9._-]{8,64}$`)

// requestID takes the name that a proxy has given the request, or makes one.
func requestID(r *http.Request) string {
	if values := r.Header["X-Request-Id"]; len(values) == 1 && wellFormedID.MatchString(values[0]) {
		return values[0]
	}
	return rand.Text()
}
