package rest_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tokendesk/activities/gateway/post/posttest"
	"tokendesk/activities/gateway/post/rest"
	"tokendesk/models"
)

// Every answer to a letter has one meaning, and nothing of it gets into an error (SEC-5).
func TestAnswers(t *testing.T) {
	const broken = "Zelda Quillon, 4711 Larkspur Terrace: " + posttest.Text
	cases := []struct {
		name   string
		status int
		body   string
		want   *models.FaultType
		after  time.Duration
	}{
		{"address", 422, `{"error":{"code":"address_invalid","message":"PRIVATE"}}`, models.PostalAddressNotUsable, 0},
		{"other parameter", 422, `{"error":{"code":"pdf_too_long","message":"PRIVATE"}}`, models.InvalidRequest, 0},
		{"bad request", 400, `{"error":{"code":"request_invalid","message":"PRIVATE"}}`, models.InvalidRequest, 0},
		{"key reused", 409, `{"error":{"code":"idempotency_key_reused","message":"PRIVATE"}}`, models.IdempotencyKeyReused, 0},
		{"in flight", 409, `{"error":{"code":"call_in_flight","message":"PRIVATE"}}`, models.ServiceDown, 0},
		{"not found", 404, `PRIVATE`, models.ServiceDown, 0},
		{"wrong API key", 401, `{"error":{"code":"unauthenticated","message":"PRIVATE"}}`, models.ServiceDown, 0},
		{"not permitted", 403, `{}`, models.ServiceDown, 0},
		{"rate limit", 429, `{}`, models.ServiceDown, 7 * time.Second},
		{"server error", 500, `PRIVATE`, models.ServiceDown, 7 * time.Second},
		{"proxy", 502, `<html>PRIVATE</html>`, models.ServiceDown, 7 * time.Second},
		{"not JSON", 201, `PRIVATE`, models.ServiceDown, 0},
		{"another kind of JSON", 201, `{"id":{"PRIVATE":1}}`, models.ServiceDown, 0},
		{"an empty receipt", 201, `{}`, models.ServiceDown, 0},
		{"elsewhere", 307, ``, models.ServiceDown, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			calls := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				calls++
				if c.after > 0 {
					w.Header().Set("Retry-After", "7")
				}
				if c.status == http.StatusTemporaryRedirect {
					w.Header().Set("Location", "/elsewhere")
				}
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, strings.ReplaceAll(c.body, "PRIVATE", broken))
			}))
			defer server.Close()
			_, err := rest.New(rest.Config{URL: server.URL, APIKey: "sk_secret"}).Send(t.Context(), posttest.Letter("cd_1"))
			if !errors.Is(err, c.want) || calls != 1 {
				t.Fatalf("want %s, got %v in %d calls", c.want.Slug, err, calls)
			}
			if after := models.FaultOf(err).RetryAfter; after != c.after {
				t.Fatalf("retry after %s", after)
			}
			for _, leak := range []string{"Zelda", "Larkspur", posttest.Text, "sk_secret"} {
				if strings.Contains(err.Error(), leak) {
					t.Fatalf("the error holds %q: %v", leak, err)
				}
			}
		})
	}
}

// OPS-2: only an answer that says so means that a letter was not taken: without it, another code would be posted.
func TestFindBelievesTheListOnly(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		body   string
		ref    string
		found  bool
		want   *models.FaultType
	}{
		{"taken", 200, `{"letters":[{"id":"l1","new_field":true}]}`, "l1", true, nil},
		{"not taken", 200, `{"letters":[]}`, "", false, nil},
		{"no list", 200, `{}`, "", false, models.ServiceDown},
		{"a letter without id", 200, `{"letters":[{}]}`, "", false, models.ServiceDown},
		{"not JSON", 200, `<html>`, "", false, models.ServiceDown},
		{"not found", 404, `{"error":{"code":"not_found"}}`, "", false, models.ServiceDown},
		{"server error", 500, ``, "", false, models.ServiceDown},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			}))
			defer server.Close()
			ref, found, err := rest.New(rest.Config{URL: server.URL}).Find(t.Context(), "cd_1")
			if ref != c.ref || found != c.found || (err == nil) != (c.want == nil) || c.want != nil && !errors.Is(err, c.want) {
				t.Fatalf("%q, %v, %v", ref, found, err)
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
			if _, err := g.Send(t.Context(), posttest.Letter("cd_1")); !errors.Is(err, models.ServiceDown) {
				t.Errorf("send: %v", err)
			}
			if _, _, err := g.Find(t.Context(), "cd_1"); !errors.Is(err, models.ServiceDown) {
				t.Errorf("find: %v", err)
			}
		})
	}
}

// The requests are what the API expects: who asks, under which key, from where to where.
func TestRequests(t *testing.T) {
	var got string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = r.Method + " " + r.URL.String() + " " + r.Header.Get("Authorization") + " " + r.Header.Get("Idempotency-Key") + " " + string(body)
		if r.Method == http.MethodGet {
			_, _ = io.WriteString(w, `{"letters":[]}`)
			return
		}
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"id":"l1","new_field":true}`)
	}))
	defer server.Close()
	from := models.Address{Name: "Tokendesk", Line1: "55 Water Street", City: "New York", Region: "NY", PostalCode: "10041", Country: "US"}
	g := rest.New(rest.Config{URL: server.URL + "/", APIKey: "k", From: from})
	letter := posttest.Letter("cd_1")
	letter.PDF = []byte("%PDF-")
	if ref, err := g.Send(t.Context(), letter); err != nil || ref != "l1" {
		t.Fatal(ref, err)
	}
	const want = `POST /v1/letters Bearer k cd_1 {"from_address":{"name":"Tokendesk","street1":"55 Water Street","city":"New York","state":"NY","zip":"10041","country":"US"},` +
		`"to_address":{"name":"Zelda Quillon","street1":"4711 Larkspur Terrace","city":"Yakima","state":"WA","zip":"98901","country":"US"},"pdf":"JVBERi0="}`
	if got != want {
		t.Fatalf("want %s\n got %s", want, got)
	}
	if _, _, err := g.Find(t.Context(), "cd_1"); err != nil || got != "GET /v1/letters?idempotency_key=cd_1 Bearer k  " {
		t.Fatalf("%v, %q", err, got)
	}
}
