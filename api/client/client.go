package client

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"time"
)

// timeout bounds a call, in case its context does not: the longest operations answer within five minutes.
const timeout = 310 * time.Second

// Connect makes a client of the API at a URL. The token is a session token or an API key; empty: anyone.
//
// Unsafe calls need an Idempotency-Key. One that is made without gets a key of its own: it is a new call each time.
func Connect(url, token string) (*Client, error) {
	c, err := NewClient(url, WithHTTPClient(&http.Client{Timeout: timeout}), WithToken(token))
	if err != nil {
		return nil, fmt.Errorf("connect to the API at %s: %w", url, err)
	}
	return c, nil
}

// WithToken makes calls with a token, and unsafe ones with a key of their own, as Connect does.
func WithToken(token string) ClientOption {
	return WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		if r.Method != http.MethodGet && r.Header.Get(keyHeader) == "" {
			r.Header.Set(keyHeader, rand.Text())
		}
		return nil
	})
}

const keyHeader = "Idempotency-Key"
