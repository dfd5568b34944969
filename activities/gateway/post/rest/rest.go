// Package rest prints and posts letters through a provider's HTTP API, see package wire.
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

	"tokendesk/activities/gateway/post"
	"tokendesk/activities/gateway/post/wire"
	"tokendesk/models"
)

// Config of a Gateway.
type Config struct {
	URL       string // of the API, without /v1
	APIKey    models.Secret
	From      models.Address    // where letters come back to
	Timeout   time.Duration     // of one call; 8 seconds where zero, so that it ends before its activity
	Transport http.RoundTripper // one of its own where nil
}

// Gateway calls the API. It is safe for concurrent use, never repeats a call by itself, and keeps nothing of what it passes on.
type Gateway struct {
	config Config
	client *http.Client
}

var _ post.Provider = (*Gateway)(nil)

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
	// A redirect would carry the letter to somebody else.
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Gateway{config: config, client: &http.Client{Timeout: config.Timeout, Transport: config.Transport, CheckRedirect: stay}}
}

// Send has a letter printed and posted.
func (g *Gateway) Send(ctx context.Context, l post.Letter) (ref string, err error) {
	if err := l.Check(); err != nil {
		return "", err
	}
	body, err := json.Marshal(wire.Letter{From: wire.AddressOf(g.config.From), To: wire.AddressOf(l.To), PDF: l.PDF})
	if err != nil {
		return "", models.InternalFault.Because(errors.New("post: the request cannot be written"))
	}
	var receipt wire.Receipt
	if err := g.call(ctx, http.MethodPost, "", l.IdempotencyKey, body, &receipt); err != nil {
		return "", err
	}
	if receipt.ID == "" {
		return "", models.ServiceDown.Because(errors.New("post: a receipt without id"))
	}
	return receipt.ID, nil
}

// Find looks for a letter that was taken.
func (g *Gateway) Find(ctx context.Context, idempotencyKey string) (ref string, found bool, err error) {
	if idempotencyKey == "" {
		return "", false, models.IdempotencyKeyMissing.New("a letter is found by its idempotency key")
	}
	var taken wire.Receipts
	if err := g.call(ctx, http.MethodGet, "?"+url.Values{"idempotency_key": {idempotencyKey}}.Encode(), "", nil, &taken); err != nil {
		return "", false, err
	}
	switch {
	case taken.Letters == nil, len(taken.Letters) > 0 && taken.Letters[0].ID == "": // it does not say that there is none
		return "", false, models.ServiceDown.Because(errors.New("post: an answer without letters"))
	case len(taken.Letters) == 0:
		return "", false, nil
	default:
		return taken.Letters[0].ID, true, nil
	}
}

func (g *Gateway) call(ctx context.Context, method, path, key string, in []byte, out any) error {
	request, err := http.NewRequestWithContext(ctx, method, g.config.URL+"/v1/letters"+path, bytes.NewReader(in))
	if err != nil {
		return models.InternalFault.Because(errors.New("post: the URL cannot be used"))
	}
	request.Header.Set("Authorization", "Bearer "+g.config.APIKey.Reveal())
	request.Header.Set("Accept", "application/json")
	if in != nil {
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Idempotency-Key", key)
	}
	response, err := g.client.Do(request)
	if err != nil {
		return models.ServiceDown.Because(fmt.Errorf("post: no answer: %w", bare(err)))
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return models.ServiceDown.Because(errors.New("post: the answer broke off"))
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		return fault(response, text)
	}
	if err := json.Unmarshal(text, out); err != nil { // its text may quote the answer
		return models.ServiceDown.Because(errors.New("post: the answer cannot be read"))
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
	wire.AddressInvalid: models.PostalAddressNotUsable,
	wire.KeyReused:      models.IdempotencyKeyReused,
	wire.KeyMissing:     models.IdempotencyKeyMissing,
	wire.CallInFlight:   models.ServiceDown,
}

// fault gives a failure its meaning, by its code and else by its status. The provider's own words may quote the address.
func fault(response *http.Response, text []byte) error {
	var failure wire.Failure
	_ = json.Unmarshal(text, &failure) // a proxy's page has no code
	status := response.StatusCode
	cause := fmt.Errorf("post: status %d", status)
	if known, ok := byCode[failure.Error.Code]; ok {
		return known.Because(cause)
	}
	switch status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return models.InvalidRequest.Because(cause)
	default: // 401, 403 and 404 too: a person puts the API's key or URL right, and the call goes on
		seconds, _ := strconv.Atoi(response.Header.Get("Retry-After")) // zero where it is a date
		return models.ServiceDown.Because(cause).After(time.Duration(max(seconds, 0)) * time.Second)
	}
}
