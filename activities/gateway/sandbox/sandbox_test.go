package sandbox_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"tokendesk/activities/gateway/sandbox"
	"tokendesk/internal/testpg"
	"tokendesk/models"
)

func open(t *testing.T, url string) *sandbox.Store {
	t.Helper()
	store, err := sandbox.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	return store
}

// Several processes may come up on one database at once.
func TestOpenAtOnce(t *testing.T) {
	url := testpg.Empty(t)
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			store, err := sandbox.Open(t.Context(), url)
			if err != nil {
				t.Error(err)
				return
			}
			store.Close()
		})
	}
	all.Wait()
}

// A database URL holds a password; the error about it does not.
func TestOpenHidesThePassword(t *testing.T) {
	for _, url := range []string{"postgres://u:hunter2@[::1", "postgres://u:hunter2@127.0.0.1:1/x?connect_timeout=1"} {
		if _, err := sandbox.Open(t.Context(), url); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Fatalf("%v", err)
		}
	}
}

// An order for n calls disturbs n calls, also when they come at once.
func TestOrdersAreUsedUp(t *testing.T) {
	store := open(t, testpg.Empty(t))
	ctx := t.Context()
	give := func(o sandbox.Order) {
		t.Helper()
		if _, err := store.Give(ctx, sandbox.Carrier, o); err != nil {
			t.Fatal(err)
		}
	}
	take := func(operation string, subjects ...string) sandbox.Effect {
		t.Helper()
		o, err := sandbox.Take(ctx, store.Pool, sandbox.Carrier, operation, sandbox.CallEffects, subjects...)
		if err != nil {
			t.Fatal(err)
		}
		return o.Effect
	}
	give(sandbox.Order{Operation: "a", Match: "x", Effect: sandbox.Fail, Times: 2})
	give(sandbox.Order{Effect: sandbox.Slow})
	give(sandbox.Order{Operation: "a", Effect: sandbox.Late}) // not a call's
	for i, c := range []struct {
		operation, subject string
		want               sandbox.Effect
	}{{"a", "y", sandbox.Slow}, {"a", "y", ""}, {"b", "x", ""}, {"a", "x", sandbox.Fail}, {"a", "x", sandbox.Fail}, {"a", "x", ""}} {
		if got := take(c.operation, c.subject); got != c.want {
			t.Fatalf("call %d: want %q, got %q", i, c.want, got)
		}
	}
	give(sandbox.Order{Operation: "c", Effect: sandbox.Fail, Times: 10})
	var disturbed atomic.Int32
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			o, err := sandbox.Take(ctx, store.Pool, sandbox.Carrier, "c", sandbox.CallEffects)
			if err != nil {
				t.Error(err)
			}
			if o.Effect == sandbox.Fail {
				disturbed.Add(1)
			}
		})
	}
	all.Wait()
	if disturbed.Load() != 10 {
		t.Fatalf("an order for 10 calls disturbed %d", disturbed.Load())
	}
}

// OPS-2: work under a key is done once, or not at all.
func TestOnce(t *testing.T) {
	store := open(t, testpg.Empty(t))
	ctx := t.Context()
	runs := 0
	call := func(key string, params int, fail error) (int, error) {
		var answer int
		err := store.Once(ctx, sandbox.Payments, key, params, &answer, func(pgx.Tx, *pgx.Batch) error {
			runs++
			answer = params * 10
			return fail
		})
		return answer, err
	}
	broken := errors.New("broken")
	if _, err := call("k", 1, broken); !errors.Is(err, broken) {
		t.Fatal(err)
	}
	for range 2 {
		if answer, err := call("k", 1, nil); err != nil || answer != 10 {
			t.Fatalf("%d, %v", answer, err)
		}
	}
	if runs != 2 {
		t.Fatalf("ran %d times", runs)
	}
	if _, err := call("k", 2, nil); !errors.Is(err, models.IdempotencyKeyReused) {
		t.Fatal(err)
	}
	if _, err := call("", 1, nil); !errors.Is(err, models.IdempotencyKeyMissing) {
		t.Fatal(err)
	}
}

// A webhook that was under way when its process was killed is delivered by the next one, and no delivered one again.
func TestDeliveriesSurviveKill(t *testing.T) {
	url := testpg.Empty(t)
	store := open(t, url)
	var got atomic.Int32
	came := make(chan struct{}, 16)
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		got.Add(1)
		came <- struct{}{}
	}))
	t.Cleanup(server.Close)
	dispatcher := sandbox.NewDispatcher(store, sandbox.Carrier, sandbox.WebhookConfig{URL: server.URL, Header: "X-Signature", Secrets: []models.Secret{"s"}})
	err := pgx.BeginFunc(t.Context(), store.Pool, func(tx pgx.Tx) error {
		var writes pgx.Batch
		for range 3 {
			dispatcher.Enqueue(&writes, sandbox.Order{}, "subject", []byte(`{}`), 0)
		}
		return tx.SendBatch(t.Context(), &writes).Close()
	})
	if err != nil {
		t.Fatal(err)
	}
	// One was delivered; one was claimed, and its process killed.
	if _, err := store.Pool.Exec(t.Context(), `UPDATE sandbox.webhooks SET attempts = 1, delivered = (id = 1),
		due = clock_timestamp() + interval '300 milliseconds' WHERE id < 3`); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- dispatcher.Run(ctx) }()
	for range 2 {
		select {
		case <-came:
		case <-time.After(10 * time.Second):
			t.Fatal("not delivered")
		}
	}
	waitUntil(t, func() bool {
		var open int
		if err := store.Pool.QueryRow(t.Context(), `SELECT count(*) FROM sandbox.webhooks WHERE NOT delivered`).Scan(&open); err != nil {
			t.Fatal(err)
		}
		return open == 0
	})
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got.Load() != 2 {
		t.Fatalf("delivered %d times", got.Load())
	}
}

// A page of another site cannot steer the sandbox: a browser sends it no JSON without asking.
func TestReadWantsJSON(t *testing.T) {
	for kind, ok := range map[string]bool{"application/json": true, "application/json; charset=utf-8": true, "text/plain": false, "": false, "application/x-www-form-urlencoded": false} {
		request := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(`{"effect":"fail"}`))
		request.Header.Set("Content-Type", kind)
		var o sandbox.Order
		err := sandbox.Read(httptest.NewRecorder(), request, &o)
		if ok != (err == nil) {
			t.Fatalf("%q: %v", kind, err)
		}
	}
}

func waitUntil(t *testing.T, holds func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("it never came to hold")
		}
	}
}
