package rest_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tokendesk/activities/gateway/proofing/proofingtest"
	"tokendesk/activities/gateway/proofing/rest"
	"tokendesk/models"
)

// echo is what a careless provider might say: all that it was given.
const echo = "Zelda Quillon, born 1961-07-23, 4711 Larkspur Terrace, +15095550142, 219-45-6789"

func wantNoLeak(t *testing.T, err error) {
	t.Helper()
	for _, leak := range []string{"Zelda", "Quillon", "1961", "Larkspur", "5095550142", "219", "6789", "sk_secret", "127.0.0.1"} {
		if strings.Contains(err.Error(), leak) {
			t.Fatalf("the error holds %q: %v", leak, err)
		}
	}
}

// Every answer has one meaning, and nothing that a person gave gets into an error (PRF-2, SEC-5).
func TestAnswers(t *testing.T) {
	cases := []struct {
		name   string
		status int
		body   string
		want   *models.FaultType
		after  time.Duration
	}{
		{"identity data", 422, `{"error":{"code":"identity_data_incomplete","message":"PRIVATE"}}`, models.IdentityDataIncomplete, 0},
		{"an older word for it", 422, `{"error":{"code":"birthdate_invalid","message":"PRIVATE"}}`, models.IdentityDataIncomplete, 0},
		{"answers too late", 409, `{"error":{"code":"answers_too_late","message":"PRIVATE"}}`, models.QuestionsTooLate, 0},
		{"bad request", 400, `{"error":{"code":"request_invalid","message":"PRIVATE"}}`, models.InvalidRequest, 0},
		{"key reused", 409, `{"error":{"code":"idempotency_key_reused","message":"PRIVATE"}}`, models.IdempotencyKeyReused, 0},
		{"in flight", 409, `{"error":{"code":"call_in_flight","message":"PRIVATE"}}`, models.ServiceDown, 0},
		{"state", 409, `{"error":{"code":"state_forbidden","message":"PRIVATE"}}`, models.StateForbids, 0},
		{"not found", 404, `PRIVATE`, models.NoSuchThing, 0},
		{"gone", 410, `PRIVATE`, models.NoSuchThing, 0},
		{"wrong API key", 401, `{"error":{"code":"unauthenticated","message":"PRIVATE"}}`, models.ServiceDown, 0},
		{"rate limit", 429, `{}`, models.ServiceDown, 7 * time.Second},
		{"server error", 500, `PRIVATE`, models.ServiceDown, 7 * time.Second},
		{"proxy", 502, `<html>PRIVATE</html>`, models.ServiceDown, 7 * time.Second},
		{"not JSON", 201, `PRIVATE`, models.ServiceDown, 0},
		{"another type", 201, `{"id":["PRIVATE"]}`, models.ServiceDown, 0},
		{"an empty session", 201, `{}`, models.ServiceDown, 0},
		{"a new phase", 201, `{"id":"idv_1","phase":"PRIVATE"}`, models.ServiceDown, 0},
		{"a new outcome", 201, `{"id":"idv_1","phase":"ended","outcome":"PRIVATE"}`, models.ServiceDown, 0},
		{"an end without outcome", 201, `{"id":"idv_1","phase":"ended"}`, models.ServiceDown, 0},
		{"an outcome before the end", 201, `{"id":"idv_1","phase":"capture","outcome":"verified"}`, models.ServiceDown, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if c.after > 0 {
					w.Header().Set("Retry-After", "7")
				}
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(strings.ReplaceAll(c.body, "PRIVATE", echo)))
			}))
			defer server.Close()
			_, err := rest.New(rest.Config{URL: server.URL, APIKey: "sk_secret"}).Start(t.Context(), proofingtest.Applicant("k", "Passes"))
			if !errors.Is(err, c.want) {
				t.Fatalf("want %s, got %v", c.want.Slug, err)
			}
			if after := models.FaultOf(err).RetryAfter; after != c.after {
				t.Fatalf("retry after %s", after)
			}
			wantNoLeak(t, err)
		})
	}
}

// What a person gave does not follow a redirect to somebody else.
func TestRedirectsAreNotFollowed(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s %s came here", r.Method, r.URL)
	}))
	defer elsewhere.Close()
	server := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect)) // the status that keeps the body
	defer server.Close()
	_, err := rest.New(rest.Config{URL: server.URL}).Start(t.Context(), proofingtest.Applicant("k", "Passes"))
	if !errors.Is(err, models.ServiceDown) {
		t.Fatal(err)
	}
}

// PRF-4: a provider that is not there, does not answer, or answers with something else than HTTP is given up in time.
func TestNoAnswer(t *testing.T) {
	release := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer silent.Close()
	defer close(release)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	hijack := func(text string) *httptest.Server {
		return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			connection, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = io.WriteString(connection, text)
			_ = connection.Close()
		}))
	}
	other, broken := hijack(echo+"\r\n\r\n"), hijack("HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n{")
	defer other.Close()
	defer broken.Close()
	for name, url := range map[string]string{"silent": silent.URL, "gone": gone.URL, "not HTTP": other.URL, "broken off": broken.URL} {
		t.Run(name, func(t *testing.T) {
			_, err := rest.New(rest.Config{URL: url, APIKey: "sk_secret", Timeout: 100 * time.Millisecond}).Start(t.Context(), proofingtest.Applicant("k", "Passes"))
			if !errors.Is(err, models.ServiceDown) {
				t.Fatalf("want unavailable, got %v", err)
			}
			if name != "gone" { // says which address
				wantNoLeak(t, err)
			}
		})
	}
}

// The requests are what the API expects, and no URL holds anything that a person gave (PRF-2).
func TestRequests(t *testing.T) {
	var got string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = r.Method + " " + r.URL.String() + " " + r.Header.Get("Authorization") + " " + r.Header.Get("Idempotency-Key") + " " + string(body)
		_, _ = w.Write([]byte(`{"id":"idv_1","phase":"capture","answer_by":"2026-05-04T12:00:00Z","questions":[{"id":"q1"}],"new_field":true}`))
	}))
	defer server.Close()
	gateway, ctx := rest.New(rest.Config{URL: server.URL + "/", APIKey: "k"}), t.Context()
	for want, call := range map[string]func() error{
		`POST /v1/sessions Bearer k proofing/pc_1/1 {"reference":"pc_proofing/pc_1/1","name":{"first":"Zelda","middle":"Quillon","last":"Passes"},` +
			`"address":{"name":"Zelda Quillon Passes","street1":"4711 Larkspur Terrace","city":"Wenatchee","state":"WA","zip":"98801","country":"US"},` +
			`"birth_date":"1961-07-23","phone":"+15095550142","ssn_last4":"6789",` +
			`"limits":{"questions":true,"at_least":4,"options":5,"attempts":3,"seconds_per_question":60}}`: func() error {
			_, err := gateway.Start(ctx, proofingtest.Applicant("proofing/pc_1/1", "Passes"))
			return err
		},
		`POST /v1/sessions/idv_1/ssn Bearer k  {"ssn":"219456789"}`: func() error { _, err := gateway.GiveSSN(ctx, "idv_1", proofingtest.SSN); return err },
		`POST /v1/sessions/idv_1/questions Bearer k  {}`:            func() error { _, err := gateway.Questions(ctx, "idv_1"); return err },
		`POST /v1/sessions/idv_1/answers Bearer k  {"set":"s1","answers":{"q1":"o2"}}`: func() error {
			_, err := gateway.Answer(ctx, "idv_1", "s1", map[string]string{"q1": "o2"})
			return err
		},
		`POST /v1/sessions/idv_1/capture Bearer k  {"phone":"+15095550142"}`: func() error {
			_, err := gateway.SendCapture(ctx, "idv_1", "+15095550142")
			return err
		},
		`GET /v1/sessions/a%2Fb%3Fc Bearer k  `:             func() error { _, err := gateway.Fetch(ctx, "a/b?c"); return err },
		`GET /v1/sessions/idv_1/located-address Bearer k  `: func() error { _, err := gateway.Located(ctx, "idv_1"); return err },
		`POST /v1/sessions/idv_1/cancel Bearer k  {}`:       func() error { return gateway.Cancel(ctx, "idv_1") },
		`POST /v1/sessions/idv_1/redact Bearer k  {}`:       func() error { return gateway.Redact(ctx, "idv_1") },
	} {
		if err := call(); err != nil || got != want {
			t.Fatalf("%v\nwant %s\n got %s", err, want, got)
		}
	}
}
