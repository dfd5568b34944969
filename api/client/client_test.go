package client

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"tokendesk/models"
)

// serve answers every call with one status and body, and keeps the last request.
func serve(t *testing.T, status int, body string) (*Client, *http.Request) {
	t.Helper()
	var last http.Request
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		last = *r
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(s.Close)
	c, err := Connect(s.URL, "secret")
	if err != nil {
		t.Fatal(err)
	}
	return c, &last
}

func TestReadAnswers(t *testing.T) {
	c, last := serve(t, http.StatusCreated, `{"number":"SO-10001","total":{"minor":8900,"currency":"USD"}}`)
	order, err := Read[Order](c.CreateOrder(t.Context(), nil, NewOrder{}))
	if err != nil || order.Number != "SO-10001" || order.Total != (models.Money{Minor: 8900, Currency: models.USD}) {
		t.Fatalf("%+v %v", order, err)
	}
	if got := last.Header.Get("Authorization"); got != "Bearer secret" {
		t.Errorf("authorization %q", got)
	}
	own := last.Header.Get(keyHeader)
	if _, err := Read[Order](c.CreateOrder(t.Context(), nil, NewOrder{})); err != nil || own == "" || last.Header.Get(keyHeader) == own {
		t.Errorf("two calls without a key got %q and %q: %v", own, last.Header.Get(keyHeader), err)
	}
	if _, err := Read[Order](c.CreateOrder(t.Context(), &CreateOrderParams{IdempotencyKey: "mine"}, NewOrder{})); err != nil || last.Header.Get(keyHeader) != "mine" {
		t.Errorf("the caller's key became %q: %v", last.Header.Get(keyHeader), err)
	}
	if _, err := Read[Order](c.GetOrder(t.Context(), "SO-10001")); err != nil || last.Header.Get(keyHeader) != "" {
		t.Errorf("a safe call was given the key %q: %v", last.Header.Get(keyHeader), err)
	}
}

// LOG-8: a problem comes back as the fault that it was.
func TestReadProblems(t *testing.T) {
	for _, c := range []struct {
		name, body string
		status     int
		fault      error
		text       string
	}{
		{"with a detail", `{"type":"/problems/license-key-wrong","title":"The license key is not correct","detail":"it was mistyped","status":422}`, 422,
			models.LicenseKeyWrong, "The license key is not correct: it was mistyped"},
		{"with members", `{"type":"/problems/invalid-request","title":"The request is not valid","errors":[{"detail":"lines is missing"}],"status":400}`, 400,
			models.InvalidRequest, "The request is not valid; lines is missing"},
		{"not ours", `<h1>Bad Gateway</h1>`, 502, nil, "/v1/orders/SO-1 answered 502 Bad Gateway"},
	} {
		t.Run(c.name, func(t *testing.T) {
			api, _ := serve(t, c.status, c.body)
			_, err := Read[Order](api.GetOrder(t.Context(), "SO-1"))
			if err == nil || err.Error() != c.text {
				t.Fatalf("want %q, got %v", c.text, err)
			}
			if c.fault != nil && !errors.Is(err, c.fault) || errors.Is(err, models.CardDeclined) {
				t.Errorf("%v is not told apart", err)
			}
		})
	}
}

func TestReadWhatIsNoJSON(t *testing.T) {
	c, _ := serve(t, http.StatusOK, "%PDF-1.3")
	if file, err := ReadFile(c.GetOrderConfirmation(t.Context(), "SO-1")); err != nil || !strings.HasPrefix(string(file), "%PDF-") {
		t.Fatalf("%q %v", file, err)
	}
	if _, err := Read[Order](c.GetOrder(t.Context(), "SO-1")); err == nil || !strings.Contains(err.Error(), "read the answer of /v1/orders/SO-1") {
		t.Fatal(err)
	}
	gone, err := Connect("http://127.0.0.1:1", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Read[Order](gone.GetOrder(t.Context(), "SO-1")); err == nil {
		t.Fatal("an answer from nowhere")
	}
}
