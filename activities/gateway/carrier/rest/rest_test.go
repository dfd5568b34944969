package rest_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tokendesk/activities/gateway/carrier"
	"tokendesk/activities/gateway/carrier/rest"
	"tokendesk/models"
)

var request = carrier.LabelRequest{IdempotencyKey: "l/1", Reference: "sh_1/1",
	To: models.Address{Name: "Zoë Private", Line1: "Bahnhofstrasse 1", City: "Zürich", PostalCode: "8001", Country: "CH"}}

// Every answer has one meaning, and no address gets into an error (SEC-5).
func TestAnswers(t *testing.T) {
	const broken = "Zoë Private, Bahnhofstrasse 1"
	cases := []struct {
		name   string
		status int
		body   string
		want   *models.FaultType
		after  time.Duration
	}{
		{"address", 422, `{"error":{"code":"address_invalid","message":"PRIVATE"}}`, carrier.AddressRefused, 0},
		{"other parameter", 422, `{"error":{"code":"service_unknown","message":"PRIVATE"}}`, models.InvalidRequest, 0},
		{"bad request", 400, `{"error":{"code":"request_invalid","message":"PRIVATE"}}`, models.InvalidRequest, 0},
		{"key reused", 409, `{"error":{"code":"idempotency_key_reused","message":"PRIVATE"}}`, models.IdempotencyKeyReused, 0},
		{"in flight", 409, `{"error":{"code":"call_in_flight","message":"PRIVATE"}}`, models.ServiceDown, 0},
		{"state", 409, `{"error":{"code":"state_forbidden","message":"PRIVATE"}}`, models.StateForbids, 0},
		{"not found", 404, `PRIVATE`, models.NoSuchThing, 0},
		{"wrong API key", 401, `{"error":{"code":"unauthenticated","message":"PRIVATE"}}`, models.ServiceDown, 0},
		{"not permitted", 403, `{}`, models.ServiceDown, 0},
		{"rate limit", 429, `{}`, models.ServiceDown, 7 * time.Second},
		{"server error", 500, `PRIVATE`, models.ServiceDown, 7 * time.Second},
		{"proxy", 502, `<html>PRIVATE</html>`, models.ServiceDown, 7 * time.Second},
		{"not JSON", 201, `PRIVATE`, models.ServiceDown, 0},
		{"an empty label", 201, `{}`, models.ServiceDown, 0},
		{"elsewhere", 302, ``, models.ServiceDown, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if c.after > 0 {
					w.Header().Set("Retry-After", "7")
				}
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(strings.ReplaceAll(c.body, "PRIVATE", broken)))
			}))
			defer server.Close()
			_, err := rest.New(rest.Config{URL: server.URL, APIKey: "sk_secret"}).BuyLabel(t.Context(), request)
			if !errors.Is(err, c.want) {
				t.Fatalf("want %s, got %v", c.want.Slug, err)
			}
			if after := models.FaultOf(err).RetryAfter; after != c.after {
				t.Fatalf("retry after %s", after)
			}
			for _, leak := range []string{"Private", "Bahnhof", "sk_secret"} {
				if strings.Contains(err.Error(), leak) {
					t.Fatalf("the error holds %q: %v", leak, err)
				}
			}
		})
	}
}

// A carrier that is not there, or does not answer, is given up before the activity is.
func TestNoAnswer(t *testing.T) {
	release := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer silent.Close()
	defer close(release)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for name, url := range map[string]string{"silent": silent.URL, "gone": gone.URL} {
		t.Run(name, func(t *testing.T) {
			_, err := rest.New(rest.Config{URL: url, Timeout: 20 * time.Millisecond}).BuyLabel(t.Context(), request)
			if !errors.Is(err, models.ServiceDown) {
				t.Fatalf("want unavailable, got %v", err)
			}
		})
	}
}

// The request is what the API expects: who asks, under which key, from where to where.
func TestRequest(t *testing.T) {
	var got string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := make([]byte, r.ContentLength)
		_, _ = r.Body.Read(body)
		got = r.Method + " " + r.URL.Path + " " + r.Header.Get("Authorization") + " " + r.Header.Get("Idempotency-Key") + " " + string(body)
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write([]byte(`{"id":"lbl_1","tracking_code":"T1","carrier":"Post","label_url":"https://x/1.pdf","new_field":true}`))
	}))
	defer server.Close()
	from := models.Address{Name: "Warehouse", Line1: "Dock 1", City: "Bern", PostalCode: "3000", Country: "CH"}
	label, err := rest.New(rest.Config{URL: server.URL + "/", APIKey: "k", From: from}).BuyLabel(t.Context(), request)
	if err != nil || label != (carrier.Label{Ref: "lbl_1", TrackingNumber: "T1", Carrier: "Post", URL: "https://x/1.pdf"}) {
		t.Fatalf("%+v, %v", label, err)
	}
	const want = `POST /v1/labels Bearer k l/1 {"reference":"sh_1/1","service":"standard",` +
		`"from_address":{"name":"Warehouse","street1":"Dock 1","city":"Bern","zip":"3000","country":"CH"},` +
		`"to_address":{"name":"Zoë Private","street1":"Bahnhofstrasse 1","city":"Zürich","zip":"8001","country":"CH"}}`
	if got != want {
		t.Fatalf("want %s\n got %s", want, got)
	}
}
