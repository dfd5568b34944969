package api

import (
	"context"
	"crypto/sha256"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"tokendesk/models"
)

const (
	maxToken     = 200 // bytes; both kinds of token are far shorter
	apiKeyPrefix = "tdk_"
)

// authorize lets a request pass that the specification allows its caller (SEC-1), and gives it its time.
func (s *server) authorize(c *gin.Context) {
	call := callOf(c.Request.Context())
	call.op = s.operations.find(c.Request.Method, c.FullPath())
	ctx, cancel := context.WithTimeout(c.Request.Context(), call.op.timeout)
	defer cancel()
	c.Request = c.Request.WithContext(ctx)
	if call.op.timeout > timeout {
		extend(c.Writer, call.op.timeout+settlingTime)
	}
	if !call.op.open() {
		var err error
		if call.caller, err = s.identify(c.Request, call.op); err == nil {
			err = call.permit()
		}
		if err != nil {
			s.abort(c, err)
			return
		}
	}
	call.caller.Address = c.ClientIP()
	c.Next()
}

// permit chooses the role under which the caller may do what it asks for. Whoever logged in with a temporary password changes it before
// anything else (MGT-4).
func (c *call) permit() error {
	if a := c.caller.account; a != nil && a.MustChangePassword && !c.op.temporary {
		return models.PasswordChangeRequired.New("")
	}
	i := slices.IndexFunc(c.caller.roles, c.op.allows)
	if i < 0 {
		return models.NotPermitted.New("this needs one of the roles: %s", strings.Join(c.op.roles, ", "))
	}
	c.caller.Role = c.caller.roles[i]
	return nil
}

// identify finds out who calls, on either listener.
func (s *server) identify(r *http.Request, op *operation) (caller, error) {
	if s.Certificates != nil {
		return s.authenticateAgent(r, op)
	}
	return s.authenticate(r)
}

// authenticate finds out who calls.
func (s *server) authenticate(r *http.Request) (caller, error) {
	token, err := bearer(r.Header)
	if err != nil {
		return caller{}, err
	}
	if strings.HasPrefix(token.Reveal(), apiKeyPrefix) {
		key, err := s.Store.APIKeyBySecret(r.Context(), token)
		if err != nil {
			return caller{}, err
		}
		return callerOfKey(key), nil
	}
	session, account, roles, err := s.Store.SessionByToken(r.Context(), token, s.Clock())
	if err != nil {
		return caller{}, err
	}
	return caller{
		Actor: models.Actor{ID: account.ID, AccountID: account.ID, Strength: session.Strength},
		roles: roles, session: &session, account: &account,
	}, nil
}

func callerOfKey(k models.APIKey) caller {
	c := caller{Actor: models.Actor{ID: k.ID, Role: k.Role}, roles: []models.Role{k.Role}}
	if k.PartnerID != nil {
		c.PartnerID = *k.PartnerID
	}
	return c
}

// bearer reads the token of RFC 6750 section 2.1.
func bearer(h http.Header) (models.Secret, error) {
	values := h["Authorization"]
	if len(values) == 0 {
		return "", models.NotAuthenticated.New("")
	}
	if len(values) > 1 {
		return "", models.InvalidRequest.New("send one Authorization header")
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" || len(token) > maxToken || strings.ContainsFunc(token, notVisible) {
		return "", models.NotAuthenticated.New("send Authorization: Bearer <token>")
	}
	return models.Secret(token), nil
}

func notVisible(r rune) bool { return r <= ' ' || r > '~' }

// keyCache remembers for a moment who an API key belongs to, for the verification path. It holds hashes, and valid keys
// only, so it is as small as the number of keys. A revoked key works until its entry ages out.
type keyCache struct {
	mu      sync.RWMutex
	entries map[[sha256.Size]byte]cachedKey
}

type cachedKey struct {
	caller caller
	until  time.Time
}

// keyAge is how long a revoked API key may still verify codes.
const keyAge = 5 * time.Second

func (k *keyCache) get(hash [sha256.Size]byte, now time.Time) (caller, bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	e, ok := k.entries[hash]
	return e.caller, ok && now.Before(e.until)
}

func (k *keyCache) put(hash [sha256.Size]byte, c caller, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.entries == nil {
		k.entries = map[[sha256.Size]byte]cachedKey{}
	}
	for h, e := range k.entries {
		if !now.Before(e.until) {
			delete(k.entries, h)
		}
	}
	k.entries[hash] = cachedKey{c, now.Add(keyAge)}
}

// authenticateKey is authenticate for API keys only, through the cache.
func (s *server) authenticateKey(r *http.Request) (caller, error) {
	token, err := bearer(r.Header)
	if err != nil {
		return caller{}, err
	}
	if !strings.HasPrefix(token.Reveal(), apiKeyPrefix) {
		return s.authenticate(r) // a person, who will be refused
	}
	hash, now := sha256.Sum256([]byte(token)), s.CodeClock()
	if c, ok := s.keys.get(hash, now); ok {
		return c, nil
	}
	c, err := s.authenticate(r)
	if err == nil {
		s.keys.put(hash, c, now)
	}
	return c, err
}
