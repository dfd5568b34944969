package store_test

import (
	"testing"

	"tokendesk/models"
	"tokendesk/models/store/storetest"
)

// ORD-4, REN-4: money for a renewal that has lapsed becomes one case for billing, the buyer is told, and what is paid out is never
// more than what is left.
func TestLateMoney(t *testing.T) {
	t.Parallel()
	w := newRenewing(t)
	s := w.shop(t)
	at := storetest.BeforeExpiry(w.credential, 10)
	o := storetest.PlacedAt(t, w.Store, storetest.Renewal(w.admin.ID, models.PayByInvoice, w.credential), at)
	w.revoke(t, at)
	paid := storetest.PayAt(t, w.Store, o, at)
	storetest.PayAt(t, w.Store, o, at) // notified again
	cases := "select count(*) from support_cases where dedupe_key = 'unapplied/' || $1 and subject_ref = $1"
	if n := query[int](t, w.Store, cases, paid.Payment.ID); n != 1 {
		t.Errorf("%d cases", n)
	}
	if n := query[int](t, w.Store, "select count(*) from notices where kind = 'payment_unapplied' and subject_ref = $1 and account_id = $2", o.Number, w.admin.ID); n != 1 {
		t.Errorf("the buyer was told %d times", n)
	}
	payOut := func(minor int64, reference string, c models.Currency) error {
		_, err := w.PayOutUnapplied(t.Context(), paid.Payment.ID, models.NewPayout{SourceAccount: "DE99", BankReference: reference,
			Amount: models.Money{Minor: minor, Currency: c}, PaidAt: at}, "came too late", billing, at)
		return err
	}
	for _, x := range []struct {
		name      string
		minor     int64
		reference string
		currency  models.Currency
		want      *models.FaultType
	}{
		{"nothing", 0, "b0", models.USD, models.InvalidRequest},
		{"without a reference", 3900, " ", models.USD, models.InvalidRequest},
		{"in another currency", 3900, "b0", "EUR", models.CurrencyMismatch},
		{"too much", 3901, "b0", models.USD, models.PayoutDiffers},
		{"a part", 1000, "b1", models.USD, nil},
		{"the same transfer again", 1000, "b1", models.USD, models.PayoutRecorded},
		{"more than the rest", 2901, "b2", models.USD, models.PayoutDiffers},
	} {
		t.Run(x.name, func(t *testing.T) { wantFault(t, payOut(x.minor, x.reference, x.currency), x.want) })
	}
	got := atOnce(4, func(i int) error { return payOut(2900, string(rune('p'+i)), models.USD) })
	if got[""] != 1 || got[models.PayoutDiffers.Slug] != 3 {
		t.Errorf("at the same moment: %v", got)
	}
	s.wantBalances(map[string]int64{"unapplied_cash": 0})
	_, err := w.PayOutUnapplied(t.Context(), "py_none", models.NewPayout{SourceAccount: "DE99", BankReference: "b9", Amount: models.Money{Minor: 1, Currency: models.USD}, PaidAt: at}, "came too late", billing, at)
	wantFault(t, err, models.NoSuchThing)
}

// ORD-4: what an invoice does not need, and what was paid in part of one that is cancelled, becomes a case; what fits does not.
func TestUnappliedMoneyIsACase(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		minor  int64
		cancel bool
		cases  int
	}{"fits": {4900, false, 0}, "too much": {5000, false, 1}, "a part": {1000, false, 0}, "a part, then cancelled": {1000, true, 1}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			o := storetest.PlacedOrder(t, s.Store, s.buyer.ID)
			storetest.Pay(t, s.Store, o, c.minor, "b1")
			if c.cancel {
				storetest.Must(t, s.CancelOrder(t.Context(), o.Number, "test", models.CancelMistake, storetest.At))
			}
			if n := query[int](t, s.Store, "select count(*) from support_cases where dedupe_key like 'unapplied/%'"); n != c.cases {
				t.Errorf("%d cases, want %d", n, c.cases)
			}
		})
	}
}
