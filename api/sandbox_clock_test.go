package api

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"tokendesk/api/gen"
	"tokendesk/models"
	"tokendesk/models/store/storetest"
)

// Outside a sandbox time cannot be moved, nor even looked at.
func TestNoSandbox(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.TimeMachine = nil })
	operator := h.as(models.RoleOperator)
	h.get(operator, "/v1/sandbox/clock").problem(models.NotASandbox)
	h.post(operator, "/v1/sandbox/clock/advance", map[string]any{"by": "P30D"}).problem(models.NotASandbox)
}

// Time moves on by a duration or until a moment, never back; sessions end with it, API keys stay.
func TestSandboxClock(t *testing.T) {
	h := newHouse(t)
	operator := h.as(models.RoleOperator)
	_, session := h.person()
	advance := func(body map[string]any) answer { return h.post(operator, "/v1/sandbox/clock/advance", body) }
	for name, body := range map[string]map[string]any{
		"nothing": {}, "both": {"by": "P1D", "to": h.now().AddDate(0, 0, 1)}, "no time": {"by": "P0D"}, "no duration": {"by": "P"}, "in words": {"by": "a month"},
		"negative": {"by": "-P1D"}, "hours without T": {"by": "P5H"}, "too long": {"by": "P99999Y"}, "days alone": {"by": 30},
	} {
		if a := advance(body); a.status != http.StatusBadRequest {
			t.Errorf("%s: %d", name, a.status)
		}
	}
	r := read[gen.AdvanceReport](advance(map[string]any{"by": "P1M"}).want(http.StatusOK))
	if !r.From.Equal(storetest.At) || !r.To.Equal(storetest.At.AddDate(0, 1, 0)) {
		t.Errorf("report %+v", r)
	}
	h.get(session, "/v1/accounts/me").problem(models.NotAuthenticated)
	clock := read[gen.SandboxClock](h.get(operator, "/v1/sandbox/clock").want(http.StatusOK))
	if !clock.Now.Equal(r.To) || clock.AheadSeconds != int64(30*24*time.Hour/time.Second) {
		t.Errorf("clock %+v", clock)
	}
	to := storetest.At.AddDate(3, 0, 0)
	if r := read[gen.AdvanceReport](advance(map[string]any{"to": to, "workflow_id": "order/SO-1"}).want(http.StatusOK)); !r.To.Equal(to) {
		t.Errorf("report %+v", r)
	}
	h.machine.during = func(context.Context) error {
		return models.SandboxClockBlocked.New("order/SO-10001 waits for a card processor")
	}
	advance(map[string]any{"by": "P1D"}).problem(models.SandboxClockBlocked)
}

func TestDuration(t *testing.T) {
	now := time.Date(2028, 1, 31, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"P30D": now.AddDate(0, 0, 30), "P1Y2M": now.AddDate(1, 2, 0), "P2W": now.AddDate(0, 0, 14), "PT36H": now.Add(36 * time.Hour), "P1DT1M30S": now.AddDate(0, 0, 1).Add(90 * time.Second),
		"P1M": time.Date(2028, 3, 2, 12, 0, 0, 0, time.UTC),
	} {
		if by, err := durationFrom(now, text); err != nil || !now.Add(by).Equal(want) {
			t.Errorf("%s leads to %v: %v", text, now.Add(by), err)
		}
	}
	for _, text := range []string{"", "P", "PT", "P0D", "30", "P1H", "PT1D", "P1.5D", "P-1D", "P1D2Y", "p1d"} {
		if by, err := durationFrom(now, text); !errors.Is(err, models.InvalidRequest) {
			t.Errorf("%q is taken for %v", text, by)
		}
	}
}

// An advance takes longer than a server allows ordinary requests, and arrives: its connection gets the time that the specification gives the
// operation. One whose caller hangs up goes on, and the same call under the same key gets the report.
func TestLongAdvance(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.CodeClock = time.Now }) // the leases of keys are in real time
	operator := h.as(models.RoleOperator)
	server := httptest.NewUnstartedServer(h.handler)
	const limit = 20 * time.Millisecond
	server.Config.ReadTimeout, server.Config.WriteTimeout, server.Config.ReadHeaderTimeout = limit, limit, limit
	server.Start()
	t.Cleanup(server.Close)
	h.machine.during = func(ctx context.Context) error {
		glass, err := net.Dial("tcp", server.Listener.Addr().String()) // a caller who says nothing is dropped when the limit has passed
		if err != nil {
			return err
		}
		defer func() { _ = glass.Close() }()
		_, _ = io.ReadAll(glass)
		return ctx.Err()
	}
	ask := func(ctx context.Context, key string) (*http.Response, error) {
		r := h.request(http.MethodPost, server.URL+"/v1/sandbox/clock/advance", operator, map[string]any{"by": "P30D"}, idempotencyKey, key).WithContext(ctx)
		r.RequestURI = ""
		return server.Client().Do(r)
	}
	response, err := ask(t.Context(), "patient")
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("answered %+v: %v", response, err)
	}
	_ = response.Body.Close()
	gone, hangUp := context.WithCancel(t.Context())
	begun, sand := make(chan struct{}), h.machine.during
	done := make(chan error, 1)
	h.machine.during = func(ctx context.Context) error {
		close(begun)
		err := sand(ctx)
		done <- err
		return err
	}
	go func() { <-begun; hangUp() }()
	if response, err := ask(gone, "impatient"); err == nil {
		_ = response.Body.Close()
		t.Error("the call has ended before its caller has hung up")
	}
	if err := <-done; err != nil {
		t.Fatalf("the advance was given up: %v", err)
	}
	for {
		response, err := ask(t.Context(), "impatient")
		storetest.Must(t, err)
		_ = response.Body.Close()
		if response.StatusCode == http.StatusConflict { // the answer is being kept
			continue
		}
		if response.StatusCode != http.StatusOK || response.Header.Get(replayed) != "true" || !h.now().Equal(storetest.At.AddDate(0, 0, 60)) {
			t.Errorf("answered %d, and it is %v", response.StatusCode, h.now())
		}
		return
	}
}
