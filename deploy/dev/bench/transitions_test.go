package main

import (
	"strings"
	"testing"

	"tokendesk/deploy/dev/stack/stacktest"
)

// The state-transition budget: each lifecycle stays within one and a half times its floor, an order and its shipment within 33. A change
// that makes a lifecycle dearer fails here.
func TestTransitionsStayWithinTheirBudget(t *testing.T) {
	var out strings.Builder
	r := &report{out: &out}
	err := countTransitions(t.Context(), r, stacktest.Start(t, nil))
	t.Log("\n" + out.String())
	if err != nil {
		t.Fatal(err)
	}
	if r.missing > 0 {
		t.Errorf("%d figures do not keep their limit", r.missing)
	}
}
