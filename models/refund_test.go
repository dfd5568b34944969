package models

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// ORD-5: what is owed to the card and what billing may pay out never overlap, and together are never more than the refund.
func TestRefundOwesOnce(t *testing.T) {
	t.Parallel()
	moment := time.Date(2026, 11, 2, 15, 0, 0, 0, time.UTC)
	set := func(r *rapid.T, name string) *time.Time {
		if rapid.Bool().Draw(r, name) {
			return &moment
		}
		return nil
	}
	rapid.Check(t, func(r *rapid.T) {
		f := Refund{ID: "rf_1", Status: rapid.SampledFrom(RefundMachine.States()).Draw(r, "status"), Currency: USD, CardTry: 1,
			CardMinor: rapid.Int64Range(0, 1000).Draw(r, "card"), BankMinor: rapid.Int64Range(0, 1000).Draw(r, "bank"),
			CardAskedAt: set(r, "asked"), CardRefundedAt: set(r, "refunded")}
		if f.CardAskedAt == nil && f.CardRefundedAt == nil {
			f.CardRefusedAt = set(r, "refused")
		}
		f.TotalMinor = f.CardMinor + f.BankMinor
		card, bank := f.CardDue().Minor, f.BankDue().Minor
		switch {
		case f.Status != RefundPaying && f.Status != RefundKept && card+bank != 0:
			r.Fatalf("a refund that is %s owes %d and %d", f.Status, card, bank)
		case bank > 0 && card > 0 && f.CardRefusedAt == nil:
			r.Fatal("billing may pay out while the card is being asked")
		case max(card, bank) > f.TotalMinor:
			r.Fatalf("owes %d and %d of %d", card, bank, f.TotalMinor)
		case f.CardRefundedAt != nil && bank > f.BankMinor:
			r.Fatal("what the card has got is paid out again")
		case f.Status.Over() && card > 0:
			r.Fatalf("a refund that is over still owes %d to the card", card)
		}
	})
}

// ORD-5, LIF-4: what happens to a refund if nobody acts, in days of the vendor's zone, also across the end of summer time.
func TestRefundTimeline(t *testing.T) {
	t.Parallel()
	p := DefaultPolicy()
	zone := p.Location()
	at := time.Date(2026, 10, 20, 18, 30, 0, 0, zone)
	by := ReturnDeadline(at, p)
	cases := []struct {
		name string
		r    Refund
		want map[MilestoneName]string
	}{
		{"waits for a second person", Refund{Status: RefundRequested, RequestedAt: at}, map[MilestoneName]string{RefundDecisionDue: "2026-10-24T00:00:00-04:00"}},
		{"waits for a token", Refund{Status: RefundReturning, ReturnBy: &by}, map[MilestoneName]string{RefundReturnReminder: "2026-11-12T00:00:00-05:00", RefundLapses: "2026-11-20T00:00:00-05:00"}},
		{"waits for billing", Refund{Status: RefundPaying, BankMinor: 100, CreditedAt: &at}, map[MilestoneName]string{RefundPayoutDue: "2026-11-04T00:00:00-05:00"}},
		{"waits for the card", Refund{Status: RefundPaying, CardMinor: 100, CreditedAt: &at}, nil},
		{"the card refuses", Refund{Status: RefundPaying, CardMinor: 100, CreditedAt: &at, CardRefusedAt: &at}, map[MilestoneName]string{RefundPayoutDue: "2026-11-04T00:00:00-05:00"}},
		{"kept", Refund{Status: RefundKept, BankMinor: 100, CreditedAt: &at}, nil},
		{"over", Refund{Status: RefundDone, BankMinor: 100, CreditedAt: &at}, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := RefundTimeline(c.r, p)
			if len(got) != len(c.want) {
				t.Fatalf("got %v", got)
			}
			for i, m := range got {
				if at := m.At.In(zone).Format(time.RFC3339); at != c.want[m.Name] || m.What == "" || i > 0 && !m.At.After(got[i-1].At) {
					t.Errorf("%s at %s, want %s", m.Name, at, c.want[m.Name])
				}
			}
		})
	}
}

// REN-1: the start of a term leads to its end again, and no later one does.
func TestTermStart(t *testing.T) {
	t.Parallel()
	zone := DefaultPolicy().Location()
	rapid.Check(t, func(r *rapid.T) {
		from := time.Date(2024, 1, 1, rapid.IntRange(3, 23).Draw(r, "hour"), 0, 0, 0, zone).AddDate(0, 0, rapid.IntRange(0, 3000).Draw(r, "day"))
		months := rapid.SampledFrom([]int{1, 12, 24, 36}).Draw(r, "months")
		end := TermEnd(from, months, zone)
		start := TermStart(end, months, zone)
		if start.Before(from) || !TermEnd(start, months, zone).Equal(end) || TermEnd(start.AddDate(0, 0, 1), months, zone).Equal(end) {
			r.Fatalf("%s and %d months end %s, which starts %s", from, months, end, start)
		}
	})
}

// Every status says whether its lifecycle is over, as the table does; only money that is kept may still be paid out.
func TestRefundStatusesEnd(t *testing.T) {
	t.Parallel()
	for _, s := range RefundMachine.States() {
		if over := RefundMachine.Ends(s) || s == RefundKept; s.Over() != over {
			t.Errorf("%s: over %v", s, s.Over())
		}
	}
}
