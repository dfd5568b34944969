// Package paymenttest is the contract of card gateways, as a test that every gateway passes.
package paymenttest

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"tokendesk/activities/gateway/payment"
	"tokendesk/activities/gateway/sandbox"
	"tokendesk/models"
)

// Gateway is what the contract is about.
type Gateway interface {
	Authorize(ctx context.Context, r payment.AuthorizeRequest) (payment.Charge, error)
	Capture(ctx context.Context, key, ref string, amount models.Money) (payment.Charge, error)
	Cancel(ctx context.Context, key, ref string) (payment.Charge, error)
	Refund(ctx context.Context, key, ref string, amount models.Money) (payment.Charge, error)
	Fetch(ctx context.Context, ref string) (payment.Charge, error)
	VerifyWebhook(header http.Header, body []byte, at time.Time) (payment.Event, error)
}

// Subject is a gateway under test, on a processor of its own.
type Subject struct {
	Gateway Gateway
	Disturb func(t *testing.T, order sandbox.Order) // tells the processor to misbehave
}

var price = models.Money{Minor: 4_900, Currency: models.EUR}

func request(key string) payment.AuthorizeRequest {
	return payment.AuthorizeRequest{IdempotencyKey: key, Amount: price, PaymentMethod: "pm_card_visa", OrderNumber: "SO-10042"}
}

// Run proves the promises of package payment on the gateways that open makes (ORD-2, OPS-2).
func Run(t *testing.T, open func(t *testing.T) Subject) {
	cases := []struct {
		name string
		test func(t *testing.T, s Subject)
	}{
		{"ORD-2 authorize holds and takes nothing", holds},
		{"ORD-2 capture takes what was held", captures},
		{"ORD-2 a decline says why and another card works", declines},
		{"ORD-2 the bank may ask the buyer", asks},
		{"cancel releases", cancels},
		{"refund in parts until nothing is left", refunds},
		{"state forbids", forbids},
		{"bad requests", refuses},
		{"OPS-2 a key works once", once},
		{"OPS-2 one key at the same time", atOnce},
		{"OPS-2 a lost answer is found again", lostAnswer},
		{"OPS-2 a failure leaves nothing behind", failure},
		{"an unsigned webhook is refused", unsigned},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

func holds(t *testing.T, s Subject) {
	charge := authorized(t, s, "a/1")
	if charge.Ref == "" || charge.Amount != price || charge.Captured.Minor != 0 {
		t.Fatalf("authorized: %+v", charge)
	}
	expect(t, s, charge.Ref, payment.Authorized, 0, 0)
}

func captures(t *testing.T, s Subject) {
	ctx := t.Context()
	charge := authorized(t, s, "a/1")
	got, err := s.Gateway.Capture(ctx, "c/1", charge.Ref, price)
	if err != nil || got.Ref != charge.Ref || got.Captured != price {
		t.Fatalf("capture: %+v, %v", got, err)
	}
	expect(t, s, charge.Ref, payment.Captured, price.Minor, 0)

	part := authorized(t, s, "a/2")
	if _, err := s.Gateway.Capture(ctx, "c/2", part.Ref, models.Money{Minor: 1_000, Currency: models.EUR}); err != nil {
		t.Fatalf("partial capture: %v", err)
	}
	expect(t, s, part.Ref, payment.Captured, 1_000, 0)
}

func declines(t *testing.T, s Subject) {
	cases := []struct {
		method models.Secret
		reason payment.Decline
	}{
		{"pm_card_chargeDeclined", payment.DeclinedByBank},
		{"pm_card_chargeDeclinedInsufficientFunds", payment.InsufficientFunds},
		{"pm_card_chargeDeclinedExpiredCard", payment.CardExpired},
		{"pm_card_visa_chargeDeclinedStolenCard", payment.DeclinedByBank},
	}
	for _, c := range cases {
		r := request("a/" + c.method.Reveal())
		r.PaymentMethod = c.method
		for range 2 { // the second time by its key
			charge, err := s.Gateway.Authorize(t.Context(), r)
			wantFault(t, err, models.CardDeclined)
			if charge.Status != payment.Declined || charge.Decline != c.reason || charge.Ref == "" {
				t.Fatalf("%s: %+v", c.method.Reveal(), charge)
			}
			expect(t, s, charge.Ref, payment.Declined, 0, 0)
		}
	}
	authorized(t, s, "a/again")
}

func asks(t *testing.T, s Subject) {
	r := request("a/1")
	r.PaymentMethod = "pm_card_authenticationRequired"
	charge, err := s.Gateway.Authorize(t.Context(), r)
	if err != nil || charge.Status != payment.ActionRequired || charge.ClientSecret == "" {
		t.Fatalf("authorize: %+v, %v", charge, err)
	}
	_, err = s.Gateway.Capture(t.Context(), "c/1", charge.Ref, price)
	wantFault(t, err, models.StateForbids)
}

func cancels(t *testing.T, s Subject) {
	charge := authorized(t, s, "a/1")
	for range 2 {
		got, err := s.Gateway.Cancel(t.Context(), "x/1", charge.Ref)
		if err != nil || got.Status != payment.Cancelled {
			t.Fatalf("cancel: %+v, %v", got, err)
		}
	}
	expect(t, s, charge.Ref, payment.Cancelled, 0, 0)
}

func refunds(t *testing.T, s Subject) {
	ctx := t.Context()
	charge := captured(t, s)
	part := models.Money{Minor: 900, Currency: models.EUR}
	for range 2 { // the second time by its key: nothing more goes back
		if _, err := s.Gateway.Refund(ctx, "r/1", charge.Ref, part); err != nil {
			t.Fatalf("refund: %v", err)
		}
		expect(t, s, charge.Ref, payment.Captured, price.Minor, 900)
	}
	_, err := s.Gateway.Refund(ctx, "r/2", charge.Ref, price)
	wantFault(t, err, models.InvalidRequest)
	got, err := s.Gateway.Refund(ctx, "r/3", charge.Ref, price.Minus(part))
	if err != nil || got.Status != payment.Refunded {
		t.Fatalf("refund of the rest: %+v, %v", got, err)
	}
	expect(t, s, charge.Ref, payment.Refunded, price.Minor, price.Minor)
}

func forbids(t *testing.T, s Subject) {
	ctx := t.Context()
	charge := captured(t, s)
	_, err := s.Gateway.Capture(ctx, "c/other", charge.Ref, price)
	wantFault(t, err, models.StateForbids)
	_, err = s.Gateway.Cancel(ctx, "x/1", charge.Ref)
	wantFault(t, err, models.StateForbids)

	cancelled := authorized(t, s, "a/2")
	if _, err := s.Gateway.Cancel(ctx, "x/2", cancelled.Ref); err != nil {
		t.Fatal(err)
	}
	_, err = s.Gateway.Capture(ctx, "c/2", cancelled.Ref, price)
	wantFault(t, err, models.StateForbids)
	_, err = s.Gateway.Refund(ctx, "r/2", cancelled.Ref, price)
	wantFault(t, err, models.StateForbids)
}

func refuses(t *testing.T, s Subject) {
	ctx := t.Context()
	keyless, penniless, foreign, unknown, cardless := request(""), request("a/1"), request("a/2"), request("a/3"), request("a/4")
	penniless.Amount.Minor = 0
	foreign.Amount.Currency = "XXX"
	unknown.PaymentMethod = "pm_never_heard_of"
	cardless.PaymentMethod = ""
	for _, c := range []struct {
		request payment.AuthorizeRequest
		want    *models.FaultType
	}{
		{keyless, models.IdempotencyKeyMissing}, {penniless, models.InvalidRequest}, {foreign, models.InvalidRequest},
		{unknown, models.CardDeclined}, {cardless, models.PaymentMethodMissing},
	} {
		_, err := s.Gateway.Authorize(ctx, c.request)
		wantFault(t, err, c.want)
	}
	charge := authorized(t, s, "a/5")
	_, err := s.Gateway.Capture(ctx, "c/1", charge.Ref, price.Plus(price))
	wantFault(t, err, models.InvalidRequest)
	_, err = s.Gateway.Capture(ctx, "", charge.Ref, price)
	wantFault(t, err, models.IdempotencyKeyMissing)
	_, err = s.Gateway.Capture(ctx, "c/2", "pi_unknown", price)
	wantFault(t, err, models.NoSuchThing)
	_, err = s.Gateway.Fetch(ctx, "pi_unknown")
	wantFault(t, err, models.NoSuchThing)
	expect(t, s, charge.Ref, payment.Authorized, 0, 0)
}

func once(t *testing.T, s Subject) {
	ctx := t.Context()
	first, second := authorized(t, s, "a/1"), authorized(t, s, "a/1")
	if first.Ref != second.Ref {
		t.Fatalf("one key made two charges: %s, %s", first.Ref, second.Ref)
	}
	dearer := request("a/1")
	dearer.Amount.Minor++
	_, err := s.Gateway.Authorize(ctx, dearer)
	wantFault(t, err, models.IdempotencyKeyReused)
	otherCard := request("a/1")
	otherCard.PaymentMethod = "pm_card_mastercard"
	_, err = s.Gateway.Authorize(ctx, otherCard)
	wantFault(t, err, models.IdempotencyKeyReused)
	for range 2 {
		if _, err := s.Gateway.Capture(ctx, "c/1", first.Ref, price); err != nil {
			t.Fatalf("capture: %v", err)
		}
	}
	if other := authorized(t, s, "a/2"); other.Ref == first.Ref {
		t.Fatal("another key gave the first charge")
	}
}

func atOnce(t *testing.T, s Subject) {
	const callers = 8
	refs := make([]string, callers)
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			charge, err := s.Gateway.Authorize(t.Context(), request("a/1"))
			if err != nil {
				t.Errorf("authorize: %v", err)
			}
			refs[i] = charge.Ref
		})
	}
	all.Wait()
	for _, ref := range refs {
		if ref != refs[0] {
			t.Fatalf("one key made several charges: %v", refs)
		}
	}
}

func lostAnswer(t *testing.T, s Subject) {
	order := sandbox.Order{Operation: "authorize", Effect: sandbox.TimeOut, Delay: sandbox.Duration(time.Millisecond)}
	s.Disturb(t, order)
	_, err := s.Gateway.Authorize(t.Context(), request("a/1"))
	wantFault(t, err, models.ServiceDown)
	charge := authorized(t, s, "a/1")

	order.Operation = "capture"
	s.Disturb(t, order)
	_, err = s.Gateway.Capture(t.Context(), "c/1", charge.Ref, price)
	wantFault(t, err, models.ServiceDown)
	expect(t, s, charge.Ref, payment.Captured, price.Minor, 0)
	if _, err := s.Gateway.Capture(t.Context(), "c/1", charge.Ref, price); err != nil {
		t.Fatalf("the same capture again: %v", err)
	}
	expect(t, s, charge.Ref, payment.Captured, price.Minor, 0)
}

func failure(t *testing.T, s Subject) {
	s.Disturb(t, sandbox.Order{Operation: "capture", Effect: sandbox.Fail, Times: 2})
	charge := authorized(t, s, "a/1")
	for range 2 {
		_, err := s.Gateway.Capture(t.Context(), "c/1", charge.Ref, price)
		wantFault(t, err, models.ServiceDown)
		expect(t, s, charge.Ref, payment.Authorized, 0, 0)
	}
	if _, err := s.Gateway.Capture(t.Context(), "c/1", charge.Ref, price); err != nil {
		t.Fatalf("the third try: %v", err)
	}
	expect(t, s, charge.Ref, payment.Captured, price.Minor, 0)
}

func unsigned(t *testing.T, s Subject) {
	_, err := s.Gateway.VerifyWebhook(http.Header{}, []byte(`{"id":"evt_1","type":"payment_intent.succeeded"}`), time.Now())
	wantFault(t, err, models.SignatureWrong)
}

func authorized(t *testing.T, s Subject, key string) payment.Charge {
	t.Helper()
	charge, err := s.Gateway.Authorize(t.Context(), request(key))
	if err != nil || charge.Status != payment.Authorized {
		t.Fatalf("authorize: %+v, %v", charge, err)
	}
	return charge
}

func captured(t *testing.T, s Subject) payment.Charge {
	t.Helper()
	charge := authorized(t, s, "a/captured")
	charge, err := s.Gateway.Capture(t.Context(), "c/captured", charge.Ref, price)
	if err != nil {
		t.Fatalf("capture: %v", err)
	}
	return charge
}

func expect(t *testing.T, s Subject, ref string, status payment.Status, captured, refunded int64) {
	t.Helper()
	got, err := s.Gateway.Fetch(t.Context(), ref)
	if err != nil {
		t.Fatalf("fetch: %v", err)
	}
	if got.Status != status || got.Captured.Minor != captured || got.Refunded.Minor != refunded {
		t.Fatalf("want %s, captured %d, refunded %d; got %+v", status, captured, refunded, got)
	}
}

func wantFault(t *testing.T, err error, want *models.FaultType) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("want fault %s, got %v", want.Slug, err)
	}
}
