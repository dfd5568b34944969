package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/prometheus/client_golang/prometheus"
	"tokendesk/activities/gateway/carrier/rest"
	"tokendesk/activities/gateway/mail/events"
	"tokendesk/activities/gateway/payment/stripe"
	proofingrest "tokendesk/activities/gateway/proofing/rest"
	"tokendesk/api/gen"
	"tokendesk/internal/documents"
	"tokendesk/internal/seal"
	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
)

const webhookSecret models.Secret = "whsec_test"

// house is an API over a database of its own. Every answer that it gives is held against the specification.
type house struct {
	t       testing.TB
	st      *store.Store
	ring    *seal.Keyring
	engine  *engine
	machine *machine
	handler http.Handler
	doc     *openapi3.T
	router  routers.Router
	log     *bytes.Buffer
	clock   atomic.Pointer[time.Time]
	calls   atomic.Int64
}

func init() {
	openapi3filter.RegisterBodyDecoder("application/pdf", openapi3filter.FileBodyDecoder)
	openapi3filter.RegisterBodyDecoder(mediaLines, decodeLines)
}

// newHouse opens a house; change may alter how it is made.
func newHouse(t testing.TB, change ...func(*Config)) *house {
	t.Helper()
	if test, ok := t.(*testing.T); ok {
		test.Parallel()
	}
	h := readSpecification(t)
	h.st, h.ring, h.log = storetest.New(t), storetest.Keyring(t), &bytes.Buffer{}
	h.engine = &engine{st: h.st, ring: h.ring, at: h.now, done: map[string]bool{}}
	h.machine = &machine{house: h}
	h.setClock(storetest.At)
	signer, err := seal.GenerateSigner()
	storetest.Must(t, err)
	keys, err := seal.NewVerifier(signer.PublicKeys()...)
	storetest.Must(t, err)
	config := Config{
		Store: h.st, Lifecycles: h.engine, Keyring: h.ring, AuditKeys: keys, Passwords: storetest.Hasher, Clock: h.now, CodeClock: h.now,
		Carrier:         rest.New(rest.Config{WebhookSecrets: []models.Secret{webhookSecret}}),
		CarrierName:     storetest.Carrier,
		MailWebhooks:    events.New([]models.Secret{webhookSecret}),
		Identity:        proofingrest.New(proofingrest.Config{WebhookSecrets: []models.Secret{webhookSecret}}),
		TimeMachine:     h.machine,
		PaymentWebhooks: stripe.New(stripe.Config{WebhookSecrets: []models.Secret{webhookSecret}}),
		Seller:          documents.Seller{Name: "Tokendesk"},
		Bank:            documents.Bank{IBAN: "DE02120300000000202051"},
		Logger:          slog.New(slog.NewTextHandler(&lockedWriter{w: h.log}, nil)),
		Registry:        prometheus.NewRegistry(),
	}
	for _, c := range change {
		c(&config)
	}
	h.handler, err = New(config)
	storetest.Must(t, err)
	return h
}

// readSpecification is a house of paper: there is nothing but the specification.
func readSpecification(t testing.TB) *house {
	t.Helper()
	read, err := readOnce()
	storetest.Must(t, err)
	return &house{t: t, doc: read.doc, router: read.router}
}

// readOnce reads the specification for all houses: it takes longer than most tests, and nobody changes it.
var readOnce = sync.OnceValues(func() (read struct {
	doc    *openapi3.T
	router routers.Router
}, err error) {
	if read.doc, err = openapi3.NewLoader().LoadFromData(specification); err == nil {
		read.router, err = gorillamux.NewRouter(read.doc)
	}
	return read, err
})

type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

func (h *house) now() time.Time        { return *h.clock.Load() }
func (h *house) setClock(at time.Time) { h.clock.Store(&at) }

// decodeLines holds every line against the schema, and returns the last one.
func decodeLines(body io.Reader, _ http.Header, schema *openapi3.SchemaRef, _ openapi3filter.EncodingFn) (value any, err error) {
	for lines := json.NewDecoder(body); err == nil; {
		if err = lines.Decode(&value); err == nil {
			err = schema.Value.VisitJSON(value)
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return value, err
}

// answer is what a request was answered with.
type answer struct {
	t      testing.TB
	what   string
	status int
	header http.Header
	body   []byte
}

// send serves one request and holds the answer against the specification.
func (h *house) send(r *http.Request) answer {
	h.t.Helper()
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, r)
	a := answer{h.t, r.Method + " " + r.URL.Path, w.Code, w.Result().Header, w.Body.Bytes()}
	h.checkAnswer(r, a)
	return a
}

func (h *house) checkAnswer(r *http.Request, a answer) {
	h.t.Helper()
	if a.header.Get("X-Request-Id") == "" || a.header.Get("X-Content-Type-Options") != "nosniff" {
		h.t.Fatalf("%s: request id or security headers are missing: %v", a.what, a.header)
	}
	if a.status >= 400 && !strings.HasSuffix(r.URL.Path, "/readyz") {
		h.checkProblem(a)
	}
	route, parameters, err := h.router.FindRoute(r)
	if err != nil {
		return // a page, or no operation at all
	}
	input := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, PathParams: parameters, Route: route},
		Status:                 a.status, Header: a.header,
		Options: &openapi3filter.Options{IncludeResponseStatus: true, ExcludeResponseBody: a.header.Get("Content-Type") == mediaProblem}, // that one was checked
	}
	input.SetBodyBytes(a.body)
	if err := openapi3filter.ValidateResponse(context.Background(), input); err != nil {
		h.t.Fatalf("%s: status %d does not fit the specification: %v\n%s", a.what, a.status, err, a.body)
	}
}

func (h *house) checkProblem(a answer) {
	h.t.Helper()
	var p any
	if media := a.header.Get("Content-Type"); media != mediaProblem || json.Unmarshal(a.body, &p) != nil {
		h.t.Fatalf("%s: status %d, but no problem document: %s\n%s", a.what, a.status, media, a.body)
	}
	if err := h.doc.Components.Schemas["Problem"].Value.VisitJSON(p); err != nil {
		h.t.Fatalf("%s: the problem document does not fit: %v\n%s", a.what, err, a.body)
	}
}

// request makes a request; a body that is no []byte goes as JSON. Unsafe ones get a key of their own.
func (h *house) request(method, path string, token models.Secret, body any, headers ...string) *http.Request {
	h.t.Helper()
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case []byte:
		reader = bytes.NewReader(b)
	default:
		text, err := json.Marshal(plainSecrets(b))
		storetest.Must(h.t, err)
		reader = bytes.NewReader(text)
	}
	r := httptest.NewRequestWithContext(h.t.Context(), method, path, reader)
	if body != nil {
		r.Header.Set("Content-Type", mediaJSON)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token.Reveal())
	}
	if method != http.MethodGet {
		r.Header.Set(idempotencyKey, fmt.Sprintf("key-%d", h.calls.Add(1)))
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i+1] == "" {
			r.Header.Del(headers[i])
		} else {
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	return r
}

// plainSecrets lets a test send what it must not log.
func plainSecrets(v any) any {
	if m, ok := v.(map[string]any); ok {
		out := map[string]any{}
		for name, member := range m {
			if s, secret := member.(models.Secret); secret {
				member = s.Reveal()
			}
			out[name] = member
		}
		return out
	}
	return v
}

func (h *house) get(token models.Secret, path string) answer {
	h.t.Helper()
	return h.send(h.request(http.MethodGet, path, token, nil))
}

func (h *house) post(token models.Secret, path string, body any, headers ...string) answer {
	h.t.Helper()
	return h.send(h.request(http.MethodPost, path, token, body, headers...))
}

// want ends the test unless the status is the one wanted.
func (a answer) want(status int) answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("%s: status %d, want %d\n%s", a.what, a.status, status, a.body)
	}
	return a
}

// problem reads the problem document and checks its type.
func (a answer) problem(f *models.FaultType) gen.Problem {
	a.t.Helper()
	a.want(statusOf(f))
	p := read[gen.Problem](a)
	if p.Type != "/problems/"+f.Slug {
		a.t.Fatalf("%s: problem %s, want %s", a.what, p.Type, f.Slug)
	}
	return p
}

func read[T any](a answer) (v T) {
	a.t.Helper()
	if err := json.Unmarshal(a.body, &v); err != nil {
		a.t.Fatalf("%s: %v\n%s", a.what, err, a.body)
	}
	return v
}

// person is an account with a session.
func (h *house) person(options ...storetest.AccountOption) (models.Account, models.Secret) {
	h.t.Helper()
	a := storetest.Account(h.t, h.st, options...)
	token, _ := storetest.Session(h.t, h.st, a.ID)
	return a, token
}

// as is a fresh token of a role: a session, or an API key.
func (h *house) as(role models.Role) models.Secret {
	h.t.Helper()
	if role.OfAccount() {
		_, token := h.person(storetest.WithRoles(role))
		return token
	}
	partner := ""
	if role.OfPartner() {
		partner = storetest.Partner(h.t, h.st, 2, models.HardwareToken).ID
	}
	token, _, err := h.st.CreateAPIKey(h.t.Context(), "test "+string(role), role, partner, storetest.At)
	storetest.Must(h.t, err)
	return token
}

// newOrderBody is a valid order by invoice.
func newOrderBody(skus ...string) map[string]any {
	if len(skus) == 0 {
		skus = []string{storetest.TokenSKU}
	}
	lines := []any{}
	for _, sku := range skus {
		lines = append(lines, map[string]any{"product_sku": sku})
	}
	return map[string]any{"payment_method": "invoice", "billing_address": storetest.Address(), "shipping_address": storetest.Address(),
		"disclaimer_version": 1, "lines": lines}
}
