package store_test

import (
	"context"
	"fmt"
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

func (s shop) invoice(o models.Order) string {
	s.Helper()
	i, err := s.InvoiceOfOrder(s.Context(), o.ID)
	storetest.Must(s, err)
	return i.Number
}

// kept is a refund of a paid order whose money the buyer has kept as credit.
func (s shop) kept() models.Refund {
	s.Helper()
	r := s.request(storetest.PaidOrder(s, s.Store, s.buyer.ID))
	storetest.Must(s, s.KeepAsCredit(s.Context(), r.ID, billing, storetest.At))
	return s.wantStatus(r, models.RefundKept)
}

func (s shop) use(r models.Refund, o models.Order) error {
	_, err := s.ApplyCredit(s.Context(), r.ID, s.invoice(o), "as the buyer asked", billing, storetest.At)
	return err
}

// ORD-4: a credit pays a part of one invoice and the rest of another; the order that is paid goes on, and what is left is paid out.
func TestCreditPaysInvoices(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	r := s.kept()
	s.wantBalances(map[string]int64{"customer_credit": -4900, "bank": 4900})
	big, small := storetest.PlacedOrder(t, s.Store, s.buyer.ID, storetest.ProofedTokenSKU), storetest.PlacedOrder(t, s.Store, s.buyer.ID)
	storetest.Pay(t, s.Store, small, 2000, "a part")
	storetest.Must(t, s.use(r, small))
	s.wantOrder(small, models.OrderPaid)
	if n := query[int](t, s.Store, "select count(*) from outbox where name = 'payment-received' and workflow_id = $1", models.OrderLifecycle.WorkflowID(small.Number)); n != 1 {
		t.Errorf("its lifecycle was told %d times", n)
	}
	s.wantBalances(map[string]int64{"customer_credit": -2000, "receivable": 9900, "bank": 6900})
	storetest.Must(t, s.use(r, big))
	s.wantOrder(big, models.OrderPlaced)
	if got := query[string](t, s.Store, "select params->>'credit' || ', due ' || (params->>'due') from notices where kind = 'payment_partial' and subject_ref = $1", big.Number); got != "USD 20.00, due USD 79.00" {
		t.Errorf("the buyer was told: %s", got)
	}
	wantFault(t, s.use(r, big), models.StateForbids) // nothing is left
	wantFault(t, s.payOut(r, 1, "b1"), models.StateForbids)
	s.wantBalances(map[string]int64{"customer_credit": 0, "receivable": 7900})

	storetest.Must(t, s.CancelOrder(t.Context(), big.Number, "test", models.CancelMistake, storetest.At)) // what was used is unapplied cash then
	s.wantBalances(map[string]int64{"customer_credit": 0, "receivable": 0, "unapplied_cash": -2000})
	freed := query[string](t, s.Store, "select subject_ref from support_cases where dedupe_key like 'unapplied/%'")
	next := storetest.PlacedOrder(t, s.Store, s.buyer.ID)
	if p, err := s.ApplyPayment(t.Context(), freed, s.invoice(next), "the order was changed", billing, storetest.At); err != nil || p.Unapplied() != 0 {
		t.Errorf("%d left: %v", p.Unapplied(), err)
	}
	s.wantBalances(map[string]int64{"unapplied_cash": 0, "receivable": 2900})
	bearsEverything(t, s.Store)
}

// ORD-4, SEC-1: of a credit that is used and paid out, and of a payment that is applied, paid out and approved, all in one moment, no more goes
// than there is.
func TestMoneyIsSpentOnce(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	for round := range 8 {
		r := s.kept()
		paid := storetest.Pay(t, s.Store, storetest.PaidOrder(t, s.Store, s.buyer.ID), 4900, fmt.Sprintf("again %d", round))
		to := []models.Order{storetest.PlacedOrder(t, s.Store, s.buyer.ID), storetest.PlacedOrder(t, s.Store, s.buyer.ID)}
		got := atOnce(8, func(i int) error {
			ctx, o := context.Background(), to[i/4]
			switch i % 4 {
			case 0:
				_, err := s.ApplyPayment(ctx, paid.Payment.ID, s.invoice(o), "it is for that", billing, storetest.At)
				return err
			case 1:
				_, err := s.PayOutUnapplied(ctx, paid.Payment.ID, models.NewPayout{SourceAccount: "DE99", BankReference: fmt.Sprint("rest", round, i), Amount: models.Money{Minor: 4900, Currency: models.USD},
					PaidAt: storetest.At}, "came twice", billing, storetest.At)
				return err
			case 2:
				return s.use(r, o)
			}
			return s.payOut(r, 4900, fmt.Sprint("credit", round, i))
		})
		for slug := range got {
			if slug != "" && slug != models.NothingUnapplied.Slug && slug != models.PayoutDiffers.Slug && slug != models.StateForbids.Slug {
				t.Errorf("round %d: %v", round, got)
			}
		}
		if got[""] != 2 {
			t.Errorf("round %d: %d of 8 got money, of 2 sums", round, got[""])
		}
	}
	bearsEverything(t, s.Store)
}

// SEC-1: who may consent to a payout, and what a consent covers.
func TestPayoutAboveTheLimit(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	o := storetest.PlacedOrder(t, s.Store, s.buyer.ID)
	id := storetest.Pay(t, s.Store, o, o.TotalMinor+150000, "much").Payment.ID
	usd := func(minor int64) models.Money { return models.Money{Minor: minor, Currency: models.USD} }
	approve := func(minor int64, by models.Actor) error {
		_, err := s.ApprovePayout(t.Context(), id, usd(minor), "seen", by, storetest.At)
		return err
	}
	n := 0
	payOut := func(minor int64, by models.Actor) error {
		n++
		_, err := s.PayOutUnapplied(t.Context(), id, models.NewPayout{SourceAccount: "DE99", BankReference: fmt.Sprint("b", n), Amount: usd(minor), PaidAt: storetest.At}, "came twice", by, storetest.At)
		return err
	}
	wantFault(t, payOut(50001, billing), models.SecondPerson)
	storetest.Must(t, payOut(30000, billing))
	wantFault(t, payOut(20001, billing2), models.SecondPerson) // in parts, by whomever
	wantFault(t, approve(0, billing2), models.InvalidRequest)
	wantFault(t, approve(120001, billing2), models.PayoutDiffers)
	wantFault(t, approve(60000, models.Actor{ID: s.buyer.ID}), models.SecondPerson)
	storetest.Must(t, approve(60000, billing2))
	wantFault(t, payOut(60000, billing2), models.SecondPerson) // who approved it
	wantFault(t, payOut(60001, billing), models.SecondPerson)  // more than was approved
	storetest.Must(t, payOut(59000, billing))
	wantFault(t, payOut(60000, billing), models.SecondPerson) // a consent is to one payout
	storetest.Must(t, payOut(20000, billing))                 // what was approved is not one person's alone
	s.wantBalances(map[string]int64{"unapplied_cash": -41000})
	_, err := s.Pool().Exec(t.Context(), `insert into unapplied_payouts (id, payment_id, source_account, bank_reference, amount_minor, currency, paid_at, recorded_by, recorded_at, approval_id)
		select 'up_x', payment_id, 'DE99', 'bx', 1, 'USD', approved_at, approved_by, approved_at, id from payout_approvals`)
	if err == nil {
		t.Error("the database let somebody approve his own payout")
	}
	bearsEverything(t, s.Store)
}
