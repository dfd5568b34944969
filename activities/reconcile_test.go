package activities_test

import (
	"slices"
	"testing"

	"tokendesk/activities"
	"tokendesk/activities/gateway/sandbox"
	"tokendesk/models"
	"tokendesk/models/store/storetest"
)

// ORD-5: what the card processor says it has given back is held against our books; a difference is for a person.
func TestChargesAreReconciled(t *testing.T) {
	t.Parallel()
	c := newTill(t, storetest.TokenSKU, storetest.TokenSKU)
	steps := &activities.Refunds{Store: c.st, Payments: c.processor}
	news := func() {
		t.Helper()
		storetest.Must(t, c.st.ChargeChanged(t.Context(), *c.charge.ProviderRef, storetest.At))
	}
	reconcile := func(want int, cases ...string) {
		t.Helper()
		if n, err := steps.Reconcile(t.Context(), storetest.At); err != nil || n != want {
			t.Fatalf("compared %d, want %d (%v)", n, want, err)
		}
		if got := c.cases(); !slices.Equal(got, cases) {
			t.Fatalf("cases: %q, want %q", got, cases)
		}
	}
	storetest.Must(t, c.st.ChargeChanged(t.Context(), "pi_of_somebody_else", storetest.At))
	reconcile(0)
	r := c.request(1)
	_, err := c.st.IntendCardRefund(t.Context(), r.ID, storetest.At)
	storetest.Must(t, err)
	news()
	reconcile(0) // its refund is on it
	c.refund(r, c.processor)
	c.wantBack(models.RefundDone, r, 4900)
	reconcile(1)
	reconcile(0)

	_, err = c.processor.Refund(t.Context(), "desk", *c.charge.ProviderRef, models.Money{Minor: 100, Currency: models.USD})
	storetest.Must(t, err)
	news()
	_, err = c.outside.Give(t.Context(), sandbox.Payments, sandbox.Order{Operation: "fetch", Effect: sandbox.Fail, Times: 1})
	storetest.Must(t, err)
	if n, err := steps.Reconcile(t.Context(), storetest.At); err == nil || n != 0 {
		t.Fatalf("compared %d though the processor was down (%v)", n, err)
	}
	reconcile(1, "money went back to a card without a refund in our books")
}
