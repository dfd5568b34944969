package simulator_test

import (
	"context"
	"net/http/httptest"
	"testing"

	"tokendesk/activities/gateway/payment/paymenttest"
	"tokendesk/activities/gateway/payment/simulator"
	"tokendesk/activities/gateway/payment/stripe"
	"tokendesk/activities/gateway/sandbox"
	"tokendesk/internal/testpg"
	"tokendesk/models"
)

var secrets = []models.Secret{"whsec_test"}

func open(t *testing.T, url string, config simulator.Config) (*sandbox.Store, *simulator.Simulator) {
	t.Helper()
	store, err := sandbox.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	processor, err := simulator.New(t.Context(), store, config)
	if err != nil {
		t.Fatal(err)
	}
	return store, processor
}

func disturber(store *sandbox.Store) func(*testing.T, sandbox.Order) {
	return func(t *testing.T, order sandbox.Order) {
		t.Helper()
		if _, err := store.Give(t.Context(), sandbox.Payments, order); err != nil {
			t.Fatal(err)
		}
	}
}

// ORD-2, OPS-2: the simulator, called in process.
func TestContractInProcess(t *testing.T) {
	paymenttest.Run(t, func(t *testing.T) paymenttest.Subject {
		store, processor := open(t, testpg.Empty(t), simulator.Config{})
		return paymenttest.Subject{Gateway: processor, Disturb: disturber(store)}
	})
}

// ORD-2, OPS-2: the stripe adapter, against the simulator's part of Stripe's API.
func TestContractOfStripeAdapter(t *testing.T) {
	paymenttest.Run(t, func(t *testing.T) paymenttest.Subject {
		store, processor := open(t, testpg.Empty(t), simulator.Config{APIKey: "sk_test_sandbox"})
		server := httptest.NewServer(processor.StripeAPI())
		t.Cleanup(server.Close)
		gateway := stripe.New(stripe.Config{APIKey: "sk_test_sandbox", URL: server.URL})
		return paymenttest.Subject{Gateway: gateway, Disturb: disturber(store)}
	})
}

var _ = context.Background
