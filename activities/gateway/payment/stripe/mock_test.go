package stripe_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tokendesk/activities/gateway/payment"
	"tokendesk/activities/gateway/payment/stripe"
	"tokendesk/models"
)

// stripe-mock checks requests against Stripe's own OpenAPI description, which it embeds. It keeps no state, so what
// it answers is no behaviour: that is the contract's matter, on the simulator.
const mockVersion = "v0.203.0"

// TestRequestShapes: Stripe's own description of its API accepts every request that the adapter makes (ORD-2).
func TestRequestShapes(t *testing.T) {
	recorded := &recorder{next: mock(t)}
	gateway := stripe.New(stripe.Config{APIKey: "sk_test_123", URL: "http://stripe.mock", Transport: recorded})
	ctx, amount := t.Context(), models.Money{Minor: 4_900, Currency: models.EUR}
	cases := []struct {
		name, request, key string
		form               []string
		call               func() error
	}{
		{"authorize", "POST /v1/payment_intents", "a/1", []string{
			"amount=4900", "currency=eur", "capture_method=manual", "confirm=true", "payment_method=pm_card_visa",
			"automatic_payment_methods[enabled]=true", "automatic_payment_methods[allow_redirects]=never",
			"metadata[order_number]=SO-10042", "expand[0]=latest_charge"},
			func() error {
				_, err := gateway.Authorize(ctx, payment.AuthorizeRequest{IdempotencyKey: "a/1", Amount: amount, PaymentMethod: "pm_card_visa", OrderNumber: "SO-10042"})
				if errors.Is(err, models.CardDeclined) { // its fixture of an intent has no payment method
					return nil
				}
				return err
			}},
		{"capture", "POST /v1/payment_intents/pi_1/capture", "c/1", []string{"amount_to_capture=4900"},
			func() error {
				_, err := gateway.Capture(ctx, "c/1", "pi_1", amount)
				if errors.Is(err, models.CardDeclined) {
					return nil
				}
				return err
			}},
		{"cancel", "POST /v1/payment_intents/pi_1/cancel", "x/1", nil,
			func() error { _, err := gateway.Cancel(ctx, "x/1", "pi_1"); return err }},
		{"refund", "POST /v1/refunds", "r/1", []string{"payment_intent=pi_1", "amount=4900"},
			func() error { _, err := gateway.Refund(ctx, "r/1", "pi_1", amount); return err }},
		{"fetch", "GET /v1/payment_intents/pi_1", "", nil,
			func() error { _, err := gateway.Fetch(ctx, "pi_1"); return err }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			recorded.forget()
			if err := c.call(); err != nil {
				t.Fatalf("refused: %v: %s", err, recorded.refusal)
			}
			if got := recorded.requests[0]; got != c.request {
				t.Fatalf("want %s, got %s", c.request, got)
			}
			if got := recorded.keys[0]; got != c.key {
				t.Fatalf("want key %q, got %q", c.key, got)
			}
			for _, field := range c.form {
				if !strings.Contains(recorded.forms[0], field) {
					t.Errorf("%s is missing in %s", field, recorded.forms[0])
				}
			}
		})
	}
	t.Run("the mock does refuse", func(t *testing.T) {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://stripe.mock/v1/payment_intents", strings.NewReader("amount=much&currency=eur"))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer sk_test_123")
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		response, err := recorded.next.RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		if response.StatusCode != http.StatusBadRequest {
			t.Fatalf("an amount that is no number was answered %d", response.StatusCode)
		}
	})
}

// recorder keeps what was sent, decoded enough to read.
type recorder struct {
	next                  http.RoundTripper
	mu                    sync.Mutex
	requests, keys, forms []string
	refusal               string
}

func (r *recorder) forget() { r.requests, r.keys, r.forms = nil, nil, nil }

func (r *recorder) RoundTrip(request *http.Request) (*http.Response, error) {
	var body []byte
	if request.Body != nil {
		body, _ = io.ReadAll(request.Body)
		request.Body = io.NopCloser(bytes.NewReader(body))
	}
	r.mu.Lock()
	r.requests = append(r.requests, request.Method+" "+request.URL.Path)
	r.keys = append(r.keys, request.Header.Get("Idempotency-Key"))
	r.forms = append(r.forms, string(body))
	r.mu.Unlock()
	response, err := r.next.RoundTrip(request)
	if err == nil && response.StatusCode >= 400 {
		text, _ := io.ReadAll(response.Body)
		response.Body = io.NopCloser(bytes.NewReader(text))
		r.refusal = string(text)
	}
	return response, err
}

// mock builds stripe-mock once per machine, starts it on a socket of its own, and ends it with the test.
func mock(t *testing.T) http.RoundTripper {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	binary := filepath.Join(cache, "tokendesk", "tools", "stripe-mock-"+mockVersion)
	if _, err := os.Stat(binary); err != nil {
		build(t, binary)
	}
	dir, err := os.MkdirTemp("", "stripe") // t.TempDir may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	command := exec.Command(binary, "-http-unix", socket)
	if err := command.Start(); err != nil {
		t.Fatalf("start stripe-mock: %v", err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}
	deadline := time.After(20 * time.Second)
	for tick := time.Tick(10 * time.Millisecond); ; {
		if conn, err := dial(t.Context(), "", ""); err == nil {
			_ = conn.Close()
			break
		}
		select {
		case <-tick:
		case <-deadline:
			t.Fatal("stripe-mock does not listen")
		}
	}
	return &http.Transport{DialContext: dial}
}

func build(t *testing.T, binary string) {
	t.Helper()
	dir := t.TempDir()
	command := exec.Command("go", "install", "github.com/stripe/stripe-mock@"+mockVersion)
	command.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=", "GOWORK=off")
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("stripe-mock cannot be built from the Go module proxy: %v\n%s", err, output)
	}
	if err := os.MkdirAll(filepath.Dir(binary), 0o755); err != nil {
		t.Fatal(err)
	}
	built, err := os.ReadFile(filepath.Join(dir, "stripe-mock"))
	if err != nil {
		t.Fatal(err)
	}
	whole := binary + "." + filepath.Base(filepath.Dir(dir))
	if err := os.WriteFile(whole, built, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(whole, binary); err != nil {
		t.Fatal(err)
	}
}
