package store_test

import (
	"errors"
	"sync"
	"testing"

	"tokendesk/models"
	"tokendesk/models/store"
)

// atOnce calls f n times simultaneously and counts the answers by their fault's slug, "" for none.
func atOnce(n int, f func(i int) error) map[string]int {
	answers := make([]string, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			if err := f(i); err != nil {
				answers[i] = models.FaultOf(err).Type.Slug
			}
		})
	}
	close(start)
	wg.Wait()
	counts := map[string]int{}
	for _, a := range answers {
		counts[a]++
	}
	return counts
}

// wantFault ends the test unless the error is an occurrence of the fault; nil wants no error.
func wantFault(t *testing.T, err error, want *models.FaultType) {
	t.Helper()
	if want == nil && err == nil {
		return
	}
	if want == nil || !errors.Is(err, want) {
		t.Fatalf("got %v, want %v", err, want)
	}
}

// query reads one value past the store.
func query[T any](t *testing.T, st *store.Store, sql string, args ...any) (v T) {
	t.Helper()
	if err := st.Pool().QueryRow(t.Context(), sql, args...).Scan(&v); err != nil {
		t.Fatal(err)
	}
	return v
}
