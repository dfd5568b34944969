// Package rest is a proofing provider on its HTTP API, see package wire.
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

	"tokendesk/activities/gateway/proofing"
	"tokendesk/activities/gateway/proofing/wire"
	"tokendesk/models"
)

// Config of a Gateway.
type Config struct {
	URL            string // of the API, without /v1
	APIKey         models.Secret
	WebhookSecrets []models.Secret   // every secret that is valid now; two during a rotation
	Timeout        time.Duration     // of one call; 8 seconds where zero, so that it ends before its activity
	Transport      http.RoundTripper // one of its own where nil
}

// Gateway calls the API. It is safe for concurrent use, never repeats a call by itself, and keeps nothing of what it passes on.
type Gateway struct {
	config Config
	client *http.Client
}

var _ proofing.Provider = (*Gateway)(nil)

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
	// A redirect would carry what a person gave to somebody else.
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Gateway{config: config, client: &http.Client{Timeout: config.Timeout, Transport: config.Transport, CheckRedirect: stay}}
}

// Start begins a session.
func (g *Gateway) Start(ctx context.Context, a proofing.Applicant) (proofing.Session, error) {
	if err := a.Check(); err != nil {
		return proofing.Session{}, err
	}
	return g.session(ctx, http.MethodPost, "", a.IdempotencyKey, wire.ApplicantOf(a))
}

// GiveSSN gives all nine digits.
func (g *Gateway) GiveSSN(ctx context.Context, ref string, ssn models.Secret) (proofing.Session, error) {
	plain, err := proofing.PlainSSN(ssn)
	if err != nil {
		return proofing.Session{}, err
	}
	return g.session(ctx, http.MethodPost, part(ref, "ssn"), "", wire.SSN{SSN: wire.Private(plain)})
}

// Questions gives the set that is to be answered now.
func (g *Gateway) Questions(ctx context.Context, ref string) (proofing.QuestionSet, error) {
	var set wire.QuestionSet
	if err := g.call(ctx, http.MethodPost, part(ref, "questions"), "", struct{}{}, &set); err != nil {
		return proofing.QuestionSet{}, err
	}
	if set.ID == "" || len(set.Questions) == 0 || set.AnswerBy.IsZero() {
		return proofing.QuestionSet{}, models.ServiceDown.Because(errors.New("proofing: a set of questions that cannot be asked"))
	}
	return set.Set(), nil
}

// Answer answers a set.
func (g *Gateway) Answer(ctx context.Context, ref, setID string, answers map[string]string) (proofing.Session, error) {
	return g.session(ctx, http.MethodPost, part(ref, "answers"), "", wire.Answers{Set: setID, Answers: answers})
}

// SendCapture sends the capture link again.
func (g *Gateway) SendCapture(ctx context.Context, ref string, phone models.Secret) (proofing.Session, error) {
	if err := proofing.CheckPhone(phone); err != nil {
		return proofing.Session{}, err
	}
	return g.session(ctx, http.MethodPost, part(ref, "capture"), "", wire.Capture{Phone: wire.Private(phone)})
}

// Fetch tells where a session stands.
func (g *Gateway) Fetch(ctx context.Context, ref string) (proofing.Session, error) {
	return g.session(ctx, http.MethodGet, part(ref, ""), "", nil)
}

// Located is where a located person gets a letter.
func (g *Gateway) Located(ctx context.Context, ref string) (models.Address, error) {
	var address wire.Address
	if err := g.call(ctx, http.MethodGet, part(ref, "located-address"), "", nil, &address); err != nil {
		return models.Address{}, err
	}
	return address.Address(), nil
}

// Cancel ends a session.
func (g *Gateway) Cancel(ctx context.Context, ref string) error {
	return g.call(ctx, http.MethodPost, part(ref, "cancel"), "", struct{}{}, &wire.Session{})
}

// Redact makes the provider forget who it was.
func (g *Gateway) Redact(ctx context.Context, ref string) error {
	return g.call(ctx, http.MethodPost, part(ref, "redact"), "", struct{}{}, &wire.Session{})
}

// ParseWebhook reads a webhook, signed within five minutes of at. One about something else is news without a session.
func (g *Gateway) ParseWebhook(header http.Header, body []byte, at time.Time) (proofing.News, error) {
	return wire.ParseWebhook(g.config.WebhookSecrets, header, body, at)
}

// part is the path of what belongs to a session.
func part(ref, name string) string { return strings.TrimSuffix("/"+url.PathEscape(ref)+"/"+name, "/") }

func (g *Gateway) session(ctx context.Context, method, path, key string, in any) (proofing.Session, error) {
	var answer wire.Session
	if err := g.call(ctx, method, path, key, in, &answer); err != nil {
		return proofing.Session{}, err
	}
	session, ok := answer.Session()
	if !ok {
		return proofing.Session{}, models.ServiceDown.Because(errors.New("proofing: a session that makes no sense"))
	}
	return session, nil
}

func (g *Gateway) call(ctx context.Context, method, path, key string, in, out any) error {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return models.InternalFault.Because(errors.New("proofing: the request cannot be written"))
		}
		body = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, g.config.URL+"/v1/sessions"+path, body)
	if err != nil {
		return models.InternalFault.Because(errors.New("proofing: the URL cannot be used"))
	}
	request.Header.Set("Authorization", "Bearer "+g.config.APIKey.Reveal())
	request.Header.Set("Accept", "application/json")
	if in != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		request.Header.Set("Idempotency-Key", key)
	}
	response, err := g.client.Do(request)
	if err != nil {
		return models.ServiceDown.Because(fmt.Errorf("proofing: no answer: %w", bare(err)))
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return models.ServiceDown.Because(errors.New("proofing: the answer broke off"))
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		return fault(response, text)
	}
	if err := json.Unmarshal(text, out); err != nil { // its text may quote the answer
		return models.ServiceDown.Because(errors.New("proofing: the answer cannot be read"))
	}
	return nil
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
	wire.IdentityIncomplete: models.IdentityDataIncomplete,
	wire.AnswersTooLate:     models.QuestionsTooLate,
	wire.KeyReused:          models.IdempotencyKeyReused,
	wire.KeyMissing:         models.IdempotencyKeyMissing,
	wire.StateForbidden:     models.StateForbids,
	wire.CallInFlight:       models.ServiceDown,
}

// fault gives a failure its meaning, by its code and else by its status. The provider's own words may quote the person.
func fault(response *http.Response, text []byte) error {
	var failure wire.Failure
	_ = json.Unmarshal(text, &failure) // a proxy's page has no code
	status := response.StatusCode
	cause := fmt.Errorf("proofing: status %d", status)
	if known, ok := byCode[failure.Error.Code]; ok {
		return known.Because(cause)
	}
	switch status {
	case http.StatusNotFound, http.StatusGone:
		return models.NoSuchThing.Because(cause)
	case http.StatusConflict:
		return models.StateForbids.Because(cause)
	case http.StatusBadRequest:
		return models.InvalidRequest.Because(cause)
	case http.StatusUnprocessableEntity:
		return models.IdentityDataIncomplete.Because(cause)
	default: // 401 and 403 too: a person puts the API key right, and the call goes on
		seconds, _ := strconv.Atoi(response.Header.Get("Retry-After")) // zero where it is a date
		return models.ServiceDown.Because(cause).After(time.Duration(max(seconds, 0)) * time.Second)
	}
}
