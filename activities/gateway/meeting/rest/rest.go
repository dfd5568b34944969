// Package rest is a place for live video sessions on its provider's HTTP API, see package wire.
package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"tokendesk/activities/gateway/meeting"
	"tokendesk/activities/gateway/meeting/wire"
	"tokendesk/models"
)

// Config of a Gateway.
type Config struct {
	URL       string // of the API, without /v1
	APIKey    models.Secret
	Timeout   time.Duration     // of one call; 8 seconds where zero, so that it ends before its activity
	Transport http.RoundTripper // one of its own where nil
}

// Gateway calls the API. It is safe for concurrent use, and never repeats a call by itself: who called knows when to.
type Gateway struct {
	config Config
	client *http.Client
}

var _ meeting.Provider = (*Gateway)(nil)

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 1 << 20

// New makes the gateway. It does not call the API.
func New(config Config) *Gateway {
	if config.Timeout == 0 {
		config.Timeout = 8 * time.Second
	}
	if config.Transport == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.MaxIdleConnsPerHost = 16 // it talks to one host only
		config.Transport = transport
	}
	config.URL = strings.TrimSuffix(config.URL, "/")
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse } // the key is for this host
	return &Gateway{config: config, client: &http.Client{Timeout: config.Timeout, Transport: config.Transport, CheckRedirect: stay}}
}

// Create makes a room. A link that is not https is nobody's to be sent.
func (g *Gateway) Create(ctx context.Context, r meeting.Request) (meeting.Room, error) {
	if err := r.Check(); err != nil {
		return meeting.Room{}, err
	}
	body := wire.Meeting{Title: r.Title, Host: r.AgentID, StartsAt: r.Starts.UTC(), EndsAt: r.Ends.UTC()}
	text, err := g.call(ctx, http.MethodPost, "", r.IdempotencyKey, body)
	if err != nil {
		return meeting.Room{}, err
	}
	var room wire.Room
	if err := json.Unmarshal(text, &room); err != nil { // its text may quote the link
		return meeting.Room{}, models.ServiceDown.Because(errors.New("meeting: the answer cannot be read"))
	}
	if link, err := url.Parse(room.JoinURL); err != nil || link.Scheme != "https" || link.Host == "" || room.ID == "" {
		return meeting.Room{}, models.ServiceDown.Because(errors.New("meeting: a room without id or https link"))
	}
	return meeting.Room{Ref: room.ID, URL: room.JoinURL}, nil
}

// Cancel closes a room; one that is not known is closed.
func (g *Gateway) Cancel(ctx context.Context, ref string) error {
	_, err := g.call(ctx, http.MethodDelete, "/"+url.PathEscape(ref), "", nil)
	if errors.Is(err, models.NoSuchThing) {
		return nil
	}
	return err
}

func (g *Gateway) call(ctx context.Context, method, path, key string, in any) ([]byte, error) {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return nil, models.InternalFault.Because(fmt.Errorf("meeting: write the request: %w", err))
		}
		body = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, g.config.URL+"/v1/meetings"+path, body)
	if err != nil {
		return nil, models.InternalFault.Because(errors.New("meeting: the URL cannot be used"))
	}
	request.Header.Set("Authorization", "Bearer "+g.config.APIKey.Reveal())
	request.Header.Set("Accept", "application/json")
	if in != nil {
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Idempotency-Key", key)
	}
	response, err := g.client.Do(request)
	if err != nil {
		return nil, models.ServiceDown.Because(fmt.Errorf("meeting: no answer: %w", bare(err)))
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, models.ServiceDown.Because(errors.New("meeting: the answer broke off"))
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		return nil, fault(response, text)
	}
	return text, nil
}

// bare is why there is no answer, without the URL, and without what a client quotes of an answer that is no HTTP.
func bare(err error) error {
	if broken, ok := errors.AsType[*net.OpError](err); ok {
		return broken
	}
	for _, ended := range []error{context.DeadlineExceeded, context.Canceled} {
		if errors.Is(err, ended) {
			return ended
		}
	}
	return errors.New("the connection cannot be used")
}

var byCode = map[string]*models.FaultType{
	wire.KeyReused:    models.IdempotencyKeyReused,
	wire.KeyMissing:   models.IdempotencyKeyMissing,
	wire.CallInFlight: models.ServiceDown,
}

// fault gives a failure its meaning, by its code and else by its status.
func fault(response *http.Response, text []byte) error {
	var failure wire.Failure
	_ = json.Unmarshal(text, &failure) // a proxy's page has no code
	status := response.StatusCode
	cause := fmt.Errorf("meeting: status %d", status)
	if known, ok := byCode[failure.Error.Code]; ok {
		return known.Because(cause)
	}
	switch status {
	case http.StatusNotFound, http.StatusGone:
		return models.NoSuchThing.Because(cause)
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return models.InvalidRequest.Because(cause)
	default: // 401 and 403 too: a person puts the API key right, and the call goes on
		seconds, _ := strconv.Atoi(response.Header.Get("Retry-After")) // zero where it is a date
		return models.ServiceDown.Because(cause).After(time.Duration(max(seconds, 0)) * time.Second)
	}
}
