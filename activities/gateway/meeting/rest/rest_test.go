package rest_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tokendesk/activities/gateway/meeting"
	"tokendesk/activities/gateway/meeting/rest"
	"tokendesk/models"
)

var starts = time.Date(2026, 5, 4, 14, 0, 0, 0, time.FixedZone("CEST", 2*3600))

var request = meeting.Request{IdempotencyKey: "ap_1/0", AgentID: "ag_1", Title: "Identity proofing", Starts: starts, Ends: starts.Add(30 * time.Minute)}

// Every answer has one meaning, and no error carries the provider's wording (SEC-5).
func TestAnswers(t *testing.T) {
	cases := []struct {
		name   string
		status int
		body   string
		want   *models.FaultType
		after  time.Duration
	}{
		{"parameters", 422, `{"error":{"code":"title_too_long","message":"PRIVATE"}}`, models.InvalidRequest, 0},
		{"bad request", 400, `{"error":{"code":"request_invalid","message":"PRIVATE"}}`, models.InvalidRequest, 0},
		{"key reused", 409, `{"error":{"code":"idempotency_key_reused","message":"PRIVATE"}}`, models.IdempotencyKeyReused, 0},
		{"in flight", 409, `{"error":{"code":"call_in_flight","message":"PRIVATE"}}`, models.ServiceDown, 0},
		{"wrong API key", 401, `{"error":{"code":"unauthenticated","message":"PRIVATE"}}`, models.ServiceDown, 0},
		{"not permitted", 403, `{}`, models.ServiceDown, 0},
		{"rate limit", 429, `{}`, models.ServiceDown, 7 * time.Second},
		{"server error", 500, `PRIVATE`, models.ServiceDown, 7 * time.Second},
		{"proxy", 502, `<html>PRIVATE</html>`, models.ServiceDown, 7 * time.Second},
		{"not JSON", 201, `PRIVATE`, models.ServiceDown, 0},
		{"an empty room", 201, `{}`, models.ServiceDown, 0},
		{"a room without a link", 201, `{"id":"m1"}`, models.ServiceDown, 0},
		{"a link that is read on the way", 201, `{"id":"m1","join_url":"http://video.example/PRIVATE"}`, models.ServiceDown, 0},
		{"a link that is none", 201, `{"id":"m1","join_url":"javascript:PRIVATE"}`, models.ServiceDown, 0},
		{"elsewhere", 307, ``, models.ServiceDown, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if c.after > 0 {
					w.Header().Set("Retry-After", "7")
				}
				if c.status == http.StatusTemporaryRedirect {
					w.Header().Set("Location", "/PRIVATE")
				}
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			}))
			defer server.Close()
			_, err := rest.New(rest.Config{URL: server.URL, APIKey: "sk_secret"}).Create(t.Context(), request)
			if !errors.Is(err, c.want) {
				t.Fatalf("want %s, got %v", c.want.Slug, err)
			}
			if after := models.FaultOf(err).RetryAfter; after != c.after {
				t.Fatalf("retry after %s", after)
			}
			for _, leak := range []string{"PRIVATE", "sk_secret"} {
				if strings.Contains(err.Error(), leak) {
					t.Fatalf("the error holds %q: %v", leak, err)
				}
			}
		})
	}
}

// A provider that is not there, or does not answer, is given up before the activity is.
func TestNoAnswer(t *testing.T) {
	release := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer silent.Close()
	defer close(release)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for name, url := range map[string]string{"silent": silent.URL, "gone": gone.URL} {
		t.Run(name, func(t *testing.T) {
			g := rest.New(rest.Config{URL: url, Timeout: 20 * time.Millisecond})
			if _, err := g.Create(t.Context(), request); !errors.Is(err, models.ServiceDown) {
				t.Errorf("create: %v", err)
			}
			if err := g.Cancel(t.Context(), "m1"); !errors.Is(err, models.ServiceDown) {
				t.Errorf("cancel: %v", err)
			}
		})
	}
}

// The requests are what the API expects.
func TestRequests(t *testing.T) {
	var got string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = r.Method + " " + r.URL.Path + " " + r.Header.Get("Authorization") + " " + r.Header.Get("Idempotency-Key") + " " + string(body)
		if r.Method == http.MethodDelete {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"id":"m1","join_url":"https://video.example/m1?in=1","new_field":true}`)
	}))
	defer server.Close()
	g := rest.New(rest.Config{URL: server.URL + "/", APIKey: "k"})
	room, err := g.Create(t.Context(), request)
	if err != nil || room != (meeting.Room{Ref: "m1", URL: "https://video.example/m1?in=1"}) {
		t.Fatalf("%+v, %v", room, err)
	}
	const want = `POST /v1/meetings Bearer k ap_1/0 {"title":"Identity proofing","host":"ag_1","starts_at":"2026-05-04T12:00:00Z","ends_at":"2026-05-04T12:30:00Z"}`
	if got != want {
		t.Fatalf("want %s\n got %s", want, got)
	}
	if err := g.Cancel(t.Context(), "m1"); err != nil || got != "DELETE /v1/meetings/m1 Bearer k  " {
		t.Fatalf("%v, %q", err, got)
	}
}
