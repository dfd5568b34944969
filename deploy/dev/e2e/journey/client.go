package journey

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	api "tokendesk/api/client"
	"tokendesk/deploy/dev/await"
	"tokendesk/models"
)

// Client calls the API of a Tokendesk that may be killed and come back at any moment. It is safe for concurrent use.
type Client struct {
	URL  string       // without a trailing slash
	HTTP *http.Client // nil: one that all share
}

// Call is one request. Key is its Idempotency-Key, where the operation needs one: however often the call is made, it is one.
type Call struct {
	Method, Path string
	Bearer       string
	Key          string
	Body         any  // JSON, or a File
	OnceOnly     bool // the operation has no key and is not safe to repeat: an unanswered call is reported as ErrUnanswered
}

// File is a body that is no JSON.
type File struct {
	ContentType string
	Content     []byte
}

// ErrUnanswered says that nobody knows what became of a call.
var ErrUnanswered = errors.New("the call was not answered")

// connections are shared by all clients of the process; those to a killed server are thrown away by themselves.
var connections = &http.Client{Timeout: 15 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: 30 * time.Second}}

const (
	firstPause   = 50 * time.Millisecond
	longestPause = 400 * time.Millisecond
)

// Do makes the call until it is answered, or the context ends: again and again under the same key while the server is away, or
// answers that it cannot now. The answer is decoded into out, which may be nil. What the API refuses is a *client.Problem.
func (c *Client) Do(ctx context.Context, call Call, out any) error {
	pause := firstPause
	for {
		status, body, err := c.once(ctx, call)
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("%s %s, last answered with %d: %w", call.Method, call.Path, status, errors.Join(ctx.Err(), err))
		case err == nil && status < http.StatusBadRequest:
			if out == nil || len(body) == 0 {
				return nil
			}
			return json.Unmarshal(body, out)
		case err == nil && !passing(status, body):
			return refusal(call, status, body)
		case call.OnceOnly:
			return ErrUnanswered
		}
		if err := await.Sleep(ctx, pause); err != nil {
			return fmt.Errorf("%s %s, last answered with %d %s: %w", call.Method, call.Path, status, body, err)
		}
		pause = min(pause*2, longestPause)
	}
}

func (c *Client) once(ctx context.Context, call Call) (status int, body []byte, err error) {
	request, err := c.request(ctx, call)
	if err != nil {
		return 0, nil, err
	}
	response, err := cmp.Or(c.HTTP, connections).Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	body, err = io.ReadAll(response.Body)
	return response.StatusCode, body, err
}

func (c *Client) request(ctx context.Context, call Call) (*http.Request, error) {
	var content []byte
	kind := "application/json"
	switch body := call.Body.(type) {
	case nil:
	case File:
		content, kind = body.Content, body.ContentType
	default:
		var err error
		if content, err = json.Marshal(body); err != nil {
			return nil, err
		}
	}
	request, err := http.NewRequestWithContext(ctx, call.Method, c.URL+call.Path, bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	if call.Body != nil {
		request.Header.Set("Content-Type", kind)
	}
	request.Header.Set("Accept", "application/json")
	if call.Bearer != "" {
		request.Header.Set("Authorization", "Bearer "+call.Bearer)
	}
	if call.Key != "" {
		request.Header.Set("Idempotency-Key", call.Key)
	}
	return request, nil
}

// passing reports whether an answer may be another one soon.
func passing(status int, body []byte) bool {
	return status >= http.StatusInternalServerError || errors.Is(problem(body), models.IdempotencyKeyInFlight)
}

// problem reads an answer that says no; nil where it is no problem document.
func problem(body []byte) error {
	var p api.Problem
	if json.Unmarshal(body, &p) != nil || p.Type == "" {
		return nil
	}
	return &p
}

func refusal(call Call, status int, body []byte) error {
	if p := problem(body); p != nil {
		return fmt.Errorf("%s %s: %w", call.Method, call.Path, p)
	}
	return fmt.Errorf("%s %s was answered with %d: %s", call.Method, call.Path, status, body)
}

// read returns a page that is no JSON.
func (c *Client) read(ctx context.Context, path string) (string, error) {
	call := Call{Method: http.MethodGet, Path: path}
	status, body, err := c.once(ctx, call)
	if err == nil && status != http.StatusOK {
		err = refusal(call, status, body)
	}
	return string(body), err
}
