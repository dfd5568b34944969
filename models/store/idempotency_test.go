package store_test

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
)

func idempotentCall(key, request string) store.IdempotentCall {
	sum := sha256.Sum256([]byte(request))
	return store.IdempotentCall{Principal: "ac_1", Key: key, Operation: "createOrder", RequestHash: sum[:]}
}

const lease = 10 * time.Second

// A key is claimed once, resumed after its lease, and gives the kept answer again to the byte.
func TestClaimKey(t *testing.T) {
	st, ring, at, ctx := storetest.New(t), storetest.Keyring(t), storetest.At, t.Context()
	c := idempotentCall("k", "request")
	claim := func(c store.IdempotentCall, at time.Time) (store.IdempotencyClaim, error) {
		return st.ClaimKey(ctx, c, ring, at, lease)
	}

	if got, err := claim(c, at); err != nil || got.Answer != nil || got.Resource != "" {
		t.Fatalf("first: %+v, %v", got, err)
	}
	_, err := claim(c, at.Add(lease-time.Second))
	if !errors.Is(err, models.IdempotencyKeyInFlight) || models.FaultOf(err).RetryAfter != time.Second {
		t.Fatalf("within the lease: %v", err)
	}
	storetest.Must(t, st.NoteResource(ctx, c, "SO-1"))
	if got, err := claim(c, at.Add(lease)); err != nil || got.Resource != "SO-1" {
		t.Fatalf("after the lease: %+v, %v", got, err)
	}
	storetest.Must(t, st.ReleaseKey(ctx, c, at.Add(lease)))
	if got, err := claim(c, at.Add(lease)); err != nil || got.Resource != "SO-1" {
		t.Fatalf("released: %+v, %v", got, err)
	}
	body := json.RawMessage(`{"b": 1,  "a":"ü"}`)
	storetest.Must(t, st.SettleKey(ctx, c, store.IdempotentAnswer{Status: 201, Header: map[string]string{"Location": "/x"}, Body: body}))
	storetest.Must(t, st.SettleKey(ctx, c, store.IdempotentAnswer{Status: 500})) // an answer is final
	got, err := claim(c, at)
	if err != nil || got.Answer == nil || got.Answer.Status != 201 || got.Answer.Header["Location"] != "/x" || string(got.Answer.Body) != string(body) {
		t.Fatalf("settled: %+v, %v", got.Answer, err)
	}
	if n, err := st.PurgeKeys(ctx, at.Add(time.Second)); err != nil || n != 1 {
		t.Fatalf("purged %d, %v", n, err)
	}
	if got, err := claim(idempotentCall("k", "another request"), at); err != nil || got.Answer != nil {
		t.Fatalf("after the purge: %+v, %v", got, err)
	}
}

func TestClaimKeyOfAnotherRequest(t *testing.T) {
	st, ring, ctx := storetest.New(t), storetest.Keyring(t), t.Context()
	_, err := st.ClaimKey(ctx, idempotentCall("k", "request"), ring, storetest.At, lease)
	storetest.Must(t, err)
	operation := idempotentCall("k", "request")
	operation.Operation = "cancelOrder"
	stranger := idempotentCall("k", "request")
	stranger.Principal = "ac_2"
	for _, c := range []struct {
		name string
		call store.IdempotentCall
		want error
	}{
		{"another request", idempotentCall("k", "other"), models.IdempotencyKeyReused},
		{"another operation", operation, models.IdempotencyKeyReused},
		{"another caller", stranger, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := st.ClaimKey(ctx, c.call, ring, storetest.At, lease); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

// Of simultaneous calls under one key exactly one does the work, also when a lease has run out.
func TestClaimKeyAtOnce(t *testing.T) {
	st, ring := storetest.New(t), storetest.Keyring(t)
	for round, at := range []time.Time{storetest.At, storetest.At.Add(lease)} {
		var won atomic.Int32
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				_, err := st.ClaimKey(t.Context(), idempotentCall("k", "request"), ring, at, lease)
				switch {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, models.IdempotencyKeyInFlight):
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 {
			t.Errorf("round %d: %d calls do the work", round, won.Load())
		}
	}
}

// What a call notes stands or falls with what it makes.
func TestNoteResourceInTransaction(t *testing.T) {
	st, ring, ctx := storetest.New(t), storetest.Keyring(t), t.Context()
	c := idempotentCall("k", "request")
	_, err := st.ClaimKey(ctx, c, ring, storetest.At, lease)
	storetest.Must(t, err)
	boom := errors.New("boom")
	err = st.InTx(ctx, func(tx *store.Store) error {
		storetest.Must(t, tx.NoteResource(ctx, c, "SO-1"))
		return boom
	})
	if !errors.Is(err, boom) {
		t.Fatal(err)
	}
	if got, err := st.ClaimKey(ctx, c, ring, storetest.At.Add(lease), lease); err != nil || got.Resource != "" {
		t.Errorf("claim %+v, %v", got, err)
	}
}
