package app

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"tokendesk/activities/gateway/sandbox"
	"tokendesk/internal/seal"
	"tokendesk/internal/testpg"
)

// PRF-4, PRF-5: a place for live video and a post are configured, or simulated in a sandbox; nothing is invented elsewhere.
func TestPlacesOfSessionsAndLetters(t *testing.T) {
	for name, c := range map[string]struct {
		meeting Meeting
		post    Post
		want    string // of the error; empty: none
	}{
		"a room":                      {Meeting{Room: "https://video.example/{agent}"}, Post{URL: "https://post.example"}, ""},
		"an API":                      {Meeting{URL: "https://meet.example", Key: "k"}, Post{URL: "https://post.example", Key: "k"}, ""},
		"a room that is read by many": {Meeting{Room: "http://video.example/private"}, Post{URL: "https://post.example"}, "no https URL"},
		"two places":                  {Meeting{Room: "https://video.example", URL: "https://meet.example"}, Post{URL: "https://post.example"}, "two places"},
		"no place":                    {Meeting{}, Post{URL: "https://post.example"}, "no place"},
		"no post":                     {Meeting{Room: "https://video.example"}, Post{}, "nobody posts letters"},
	} {
		t.Run(name, func(t *testing.T) {
			a := &App{cfg: Config{Meeting: c.meeting, Post: c.post}}
			err := a.openMeetings(t.Context())
			if err == nil {
				err = a.openPost(t.Context())
			}
			switch {
			case c.want == "" && (err != nil || a.gateways.meetings == nil || a.gateways.post == nil):
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "private")):
				t.Errorf("%v\nwant %s", err, c.want)
			}
		})
	}
}

// A sandbox without either simulates both, and shows what they do.
func TestSandboxShowsSessionsAndLetters(t *testing.T) {
	st, err := sandbox.Open(t.Context(), testpg.Empty(t))
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	ring, err := seal.Generate()
	if err != nil {
		t.Fatal(err)
	}
	a := &App{cfg: Config{Sandbox: true, APIAddress: "0.0.0.0:8080", Clock: RealClock}, keyring: ring, gateways: gateways{sandbox: st, pages: http.NewServeMux()}}
	if err := a.openMeetings(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := a.openPost(t.Context()); err != nil {
		t.Fatal(err)
	}
	for path, holds := range map[string]string{"/sandbox/meetings/": "No room yet", "/sandbox/post/": "No letter yet", "/sandbox/meetings/orders": `"orders":[]`, "/sandbox/post/orders": `"orders":[]`} {
		answer := httptest.NewRecorder()
		a.gateways.pages.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil))
		if answer.Code != http.StatusOK || !strings.Contains(answer.Body.String(), holds) {
			t.Errorf("%s: %d %s", path, answer.Code, answer.Body)
		}
	}
}

// PRF-5: the link that a worker mails leads to where the API is, though the worker does not serve it.
func TestSandboxURL(t *testing.T) {
	for address, want := range map[string]string{
		"127.0.0.1:8080": "http://127.0.0.1:8080", "0.0.0.0:8080": "http://127.0.0.1:8080", ":8080": "http://127.0.0.1:8080", "[::]:80": "http://127.0.0.1:80",
		"sandbox.example:443": "http://sandbox.example:443", "192.0.2.7:1": "http://192.0.2.7:1", "": "",
	} {
		if got := (&App{cfg: Config{APIAddress: address}}).sandboxURL(); got != want {
			t.Errorf("%q gives %q", address, got)
		}
	}
}
