package store_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
)

// ORD-1: what a buyer must give, and what is refused.
func TestDraftOrderRefusesWhatIsMissing(t *testing.T) {
	t.Parallel()
	st := storetest.New(t)
	buyer, stranger := storetest.Account(t, st), storetest.Account(t, st)
	cases := []struct {
		name   string
		change func(*models.NewOrder)
		want   *models.FaultType
	}{
		{"nothing bought", func(n *models.NewOrder) { n.Lines = nil }, models.InvalidRequest},
		{"no disclaimer", func(n *models.NewOrder) { n.DisclaimerVersion = 0 }, models.DisclaimerMissing},
		{"another disclaimer", func(n *models.NewOrder) { n.DisclaimerVersion = 7 }, models.DisclaimerOutdated},
		{"no billing address", func(n *models.NewOrder) { n.BillingAddress = models.Address{} }, models.AddressMissing},
		{"a token ships without an address", func(n *models.NewOrder) { n.ShippingAddress = nil }, models.AddressMissing},
		{"unknown product", func(n *models.NewOrder) { n.Lines[0].ProductSKU = "NOPE" }, models.ProductUnavailable},
		{"a token to a country that is none", func(n *models.NewOrder) { n.ShippingAddress.Country = "ZZ" }, models.AddressMissing},
		{"a stranger as beneficiary", func(n *models.NewOrder) { n.Lines[0].BeneficiaryID = stranger.ID }, models.BeneficiaryUnknown},
		{"nobody as beneficiary", func(n *models.NewOrder) { n.Lines[0].BeneficiaryID = "ac_none" }, models.BeneficiaryUnknown},
		{"a card's own number", func(n *models.NewOrder) {
			n.PaymentMethod, n.CardPaymentMethod = models.PayByCard, "4242 4242 4242 4242"
		}, models.InvalidRequest},
		{"a card order without a card", func(n *models.NewOrder) { n.PaymentMethod = models.PayByCard }, models.PaymentMethodMissing},
		{"unknown payment method", func(n *models.NewOrder) { n.PaymentMethod = "barter" }, models.InvalidRequest},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			n := storetest.NewOrder(buyer.ID, models.PayByInvoice, storetest.TokenSKU)
			c.change(&n)
			if _, err := st.DraftOrder(t.Context(), n, storetest.At); !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %s", err, c.want.Slug)
			}
		})
	}
	if rows, _ := st.Orders(t.Context(), store.OrderFilter{}, store.Page{}); len(rows) != 0 {
		t.Fatalf("refused drafts left %d orders behind", len(rows))
	}
}

// ORD-1, ORD-6: placing issues the invoice and the confirmation once, however often it is asked.
func TestPlaceOrderOnce(t *testing.T) {
	t.Parallel()
	st := storetest.New(t)
	o := storetest.PlacedOrder(t, st, storetest.Account(t, st).ID, storetest.TokenSKU, storetest.ProofedTokenSKU)
	storetest.Must(t, st.PlaceOrder(t.Context(), o.Number, storetest.At))
	if o.Status != models.OrderPlaced || o.TotalMinor != 4900+9900 || len(o.Lines) != 2 || !o.DisclaimerAcceptedAt.Equal(storetest.At) {
		t.Fatalf("placed: %+v", o)
	}
	if got := noticeKinds(t, st, o.Number); fmt.Sprint(got) != "[order_confirmation]" {
		t.Fatalf("mails: %v", got)
	}
	i, err := st.InvoiceOfOrder(t.Context(), o.ID)
	storetest.Must(t, err)
	zone, _ := time.LoadLocation("America/New_York")
	if want := time.Date(2026, 12, 3, 0, 0, 0, 0, zone); i.Status != models.InvoiceOpen || !i.DueAt.Equal(want) {
		t.Fatalf("invoice: %+v, want due %s", i, want)
	}
}

// ORD-1: a draft whose product was retired meanwhile is refused for good.
func TestPlaceOrderRefusesRetiredProduct(t *testing.T) {
	t.Parallel()
	st := storetest.New(t)
	o, err := st.DraftOrder(t.Context(), storetest.NewOrder(storetest.Account(t, st).ID, models.PayByInvoice, storetest.TokenSKU), storetest.At)
	storetest.Must(t, err)
	p, err := st.Product(t.Context(), storetest.TokenSKU)
	storetest.Must(t, err)
	p.Status = models.ProductRetired
	storetest.Must(t, st.PutProduct(t.Context(), p))
	for range 2 {
		if err := st.PlaceOrder(t.Context(), o.Number, storetest.At); !errors.Is(err, models.ProductUnavailable) {
			t.Fatalf("got %v", err)
		}
	}
	if got := storetest.Order(t, st, o.Number); got.Status != models.OrderRefused {
		t.Fatalf("the draft is %s", got.Status)
	}
}

// ORD-3, ORD-4: partial, exact, over- and duplicate payment, and payment of a void invoice.
func TestPayments(t *testing.T) {
	t.Parallel()
	type payment struct {
		minor     int64
		reference string
		duplicate bool
		unapplied int64
	}
	cases := []struct {
		name     string
		cancel   bool
		payments []payment
		status   models.OrderStatus
		due      int64
		credit   int64 // unapplied cash in the ledger
	}{
		{"partial keeps it waiting", false, []payment{{1000, "a", false, 0}}, models.OrderPlaced, 3900, 0},
		{"two halves complete it", false, []payment{{2450, "a", false, 0}, {2450, "b", false, 0}}, models.OrderPaid, 0, 0},
		{"exact", false, []payment{{4900, "a", false, 0}}, models.OrderPaid, 0, 0},
		{"overpayment leaves credit", false, []payment{{5000, "a", false, 100}}, models.OrderPaid, 0, 100},
		{"a duplicate notice changes nothing", false, []payment{{2000, "a", false, 0}, {2000, "a", true, 0}}, models.OrderPlaced, 2900, 0},
		{"a second payment of a paid invoice", false, []payment{{4900, "a", false, 0}, {4900, "b", false, 4900}}, models.OrderPaid, 0, 4900},
		{"a void invoice takes no money", true, []payment{{4900, "a", false, 4900}}, models.OrderCancelled, 4900, 4900},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			st := storetest.New(t)
			o := storetest.PlacedOrder(t, st, storetest.Account(t, st).ID)
			if c.cancel {
				storetest.Must(t, st.CancelOrder(t.Context(), o.Number, "test", models.CancelMistake, storetest.At))
			}
			for _, p := range c.payments {
				r := storetest.Pay(t, st, o, p.minor, p.reference)
				if r.Duplicate != p.duplicate || r.Unapplied() != p.unapplied {
					t.Errorf("payment %s: duplicate %v, unapplied %d", p.reference, r.Duplicate, r.Unapplied())
				}
			}
			i, err := st.InvoiceOfOrder(t.Context(), o.ID)
			storetest.Must(t, err)
			if got := storetest.Order(t, st, o.Number).Status; got != c.status || i.Due().Minor != c.due {
				t.Errorf("order %s, due %d; want %s, %d", got, i.Due().Minor, c.status, c.due)
			}
			credit, err := st.Balance(t.Context(), "unapplied_cash", models.USD)
			storetest.Must(t, err)
			if -credit != c.credit {
				t.Errorf("unapplied cash %d, want %d", -credit, c.credit)
			}
		})
	}
}

// ORD-4, ORD-5: what was paid in part becomes unapplied cash when the order is cancelled.
func TestCancelAfterPartialPaymentKeepsTheMoneyVisible(t *testing.T) {
	t.Parallel()
	st := storetest.New(t)
	o := storetest.PlacedOrder(t, st, storetest.Account(t, st).ID)
	r := storetest.Pay(t, st, o, 1000, "a")
	storetest.Must(t, st.CancelOrder(t.Context(), o.Number, "test", models.CancelNotNeeded, storetest.At))
	balances := map[string]int64{"bank": 1000, "receivable": 0, "deferred_revenue": 0, "unapplied_cash": -1000}
	for account, want := range balances {
		if got, err := st.Balance(t.Context(), account, models.USD); err != nil || got != want {
			t.Errorf("%s: %d, want %d (%v)", account, got, want, err)
		}
	}
	if left, err := st.Allocations(t.Context(), r.Payment.ID); err != nil || len(left) != 0 {
		t.Errorf("the payment is still applied: %v %v", left, err)
	}
	if err := st.CancelOrder(t.Context(), o.Number, "test", models.CancelNotNeeded, storetest.At); !errors.Is(err, models.StateForbids) {
		t.Errorf("cancelling twice: %v", err)
	}
}

// ORD-3, ORD-5: money and cancellation at the same moment have one winner, and the books agree with it.
func TestPaymentRacesCancellation(t *testing.T) {
	t.Parallel()
	for round := range 8 {
		st := storetest.New(t)
		o := storetest.PlacedOrder(t, st, storetest.Account(t, st).ID)
		var wg sync.WaitGroup
		wg.Go(func() { storetest.Pay(t, st, o, 4900, "a") })
		wg.Go(func() { _ = st.CancelOrder(t.Context(), o.Number, "test", models.CancelMistake, storetest.At) })
		wg.Wait()
		credit, err := st.Balance(t.Context(), "unapplied_cash", models.USD)
		storetest.Must(t, err)
		switch got := storetest.Order(t, st, o.Number).Status; {
		case got == models.OrderPaid && credit == 0:
		case got == models.OrderCancelled && credit == -4900:
		default:
			t.Fatalf("round %d: order %s with unapplied cash %d", round, got, -credit)
		}
	}
}

// ORD-4: the same notice recorded by twenty at once is one payment.
func TestDuplicatePaymentRace(t *testing.T) {
	t.Parallel()
	st := storetest.New(t)
	o := storetest.PlacedOrder(t, st, storetest.Account(t, st).ID)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { storetest.Pay(t, st, o, 1000, "same") })
	}
	wg.Wait()
	i, err := st.InvoiceOfOrder(t.Context(), o.ID)
	storetest.Must(t, err)
	if i.PaidMinor != 1000 {
		t.Fatalf("paid %d", i.PaidMinor)
	}
}

// ORD-3, LIC-1: no license key exists before the invoice is paid in full, whoever asks.
func TestNoKeyBeforePayment(t *testing.T) {
	t.Parallel()
	st, ring := storetest.New(t), storetest.Keyring(t)
	o := storetest.PlacedOrder(t, st, storetest.Account(t, st).ID)
	storetest.Pay(t, st, o, 4899, "a")
	if err := st.FulfilOrder(t.Context(), o.Number, ring, storetest.At); err == nil {
		t.Fatal("an unpaid order was fulfilled")
	}
	_, err := st.Pool().Exec(t.Context(), `insert into license_keys (id, order_line_id, status, hash, last_four, issued_at, expires_at)
		values ('lk_x', $1, 'issued', '\x00', 'AAAA', now(), now() + interval '1 year')`, o.Lines[0].ID)
	if err == nil {
		t.Fatal("the database let a key exist before payment")
	}
	if keys, err := st.LicenseKeys(t.Context(), o.ID); err != nil || len(keys) != 0 {
		t.Fatalf("keys: %v %v", keys, err)
	}
}

// LIC-1, ORD-6: fulfilment issues one key a line, seals it in its mail, and does so once though repeated and raced.
func TestFulfilOrderOnce(t *testing.T) {
	t.Parallel()
	st, ring := storetest.New(t), storetest.Keyring(t)
	o := storetest.PaidOrder(t, st, storetest.Account(t, st).ID, storetest.TokenSKU, storetest.TokenSKU)
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			if err := st.FulfilOrder(t.Context(), o.Number, ring, storetest.At); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	keys, err := st.LicenseKeys(t.Context(), o.ID)
	storetest.Must(t, err)
	shipments, err := st.ShipmentsOfOrder(t.Context(), o.ID)
	storetest.Must(t, err)
	if len(keys) != 2 || len(shipments) != 2 {
		t.Fatalf("%d keys, %d shipments", len(keys), len(shipments))
	}
	if a, b := storetest.KeyOf(t, st, ring, o, 1), storetest.KeyOf(t, st, ring, o, 2); a == b || len(a) < 20 {
		t.Fatal("the two keys are not two keys")
	}
	// Once the mail server has accepted the mail, the key is nowhere any more.
	for _, n := range notices(t, st, o.Number) {
		storetest.Must(t, st.NoticeSent(t.Context(), n.ID, storetest.At))
	}
	for _, n := range notices(t, st, o.Number) {
		if n.Sealed != nil || n.Status != models.NoticeSent {
			t.Fatalf("%s: %s, sealed %d bytes", n.Kind, n.Status, len(n.Sealed))
		}
	}
}

// ORD-6: a resend issues a new key, voids the unused one, and takes back a mail that has not left.
func TestResendLicenseKey(t *testing.T) {
	t.Parallel()
	st, ring := storetest.New(t), storetest.Keyring(t)
	by := models.Actor{ID: "ak_support"}
	o := storetest.PaidOrder(t, st, storetest.Account(t, st).ID)
	if err := st.ResendLicenseKey(t.Context(), o.Number, 1, ring, by, storetest.At); !errors.Is(err, models.StateForbids) {
		t.Fatalf("resend before fulfilment: %v", err)
	}
	storetest.Must(t, st.FulfilOrder(t.Context(), o.Number, ring, storetest.At))
	first := storetest.KeyOf(t, st, ring, o, 1)
	storetest.Must(t, st.ResendLicenseKey(t.Context(), o.Number, 1, ring, by, storetest.At.Add(time.Hour)))
	if second := storetest.KeyOf(t, st, ring, o, 1); second == first {
		t.Fatal("the same key was sent again")
	}
	keys, err := st.LicenseKeys(t.Context(), o.ID)
	storetest.Must(t, err)
	if len(keys) != 2 || keys[0].Status != models.KeyVoid || keys[1].Status != models.KeyIssued {
		t.Fatalf("keys: %+v", keys)
	}
	if err := st.ResendLicenseKey(t.Context(), o.Number, 2, ring, by, storetest.At); !errors.Is(err, models.NoSuchThing) {
		t.Fatalf("a line that is not there: %v", err)
	}
}

// ORD-6: a key that was not mailed within the promised time becomes a support case by itself, once.
func TestLateKeyBecomesCase(t *testing.T) {
	t.Parallel()
	st, ring := storetest.New(t), storetest.Keyring(t)
	o := storetest.FulfilledOrder(t, st, ring, storetest.Account(t, st).ID)
	storetest.Must(t, st.OpenLateKeyCases(t.Context(), storetest.At.Add(23*time.Hour)))
	if cases, _ := st.Cases(t.Context(), store.Page{}); len(caseTitles(cases, o.Number)) != 0 {
		t.Fatalf("too early: %v", cases)
	}
	for range 2 {
		storetest.Must(t, st.OpenLateKeyCases(t.Context(), storetest.At.Add(25*time.Hour)))
	}
	if cases, _ := st.Cases(t.Context(), store.Page{}); len(caseTitles(cases, o.Number)) != 1 {
		t.Fatalf("cases: %v", cases)
	}
}

// ORD-2: one live charge an order; a decline can be paid again.
func TestPayAgain(t *testing.T) {
	t.Parallel()
	st := storetest.New(t)
	buyer := storetest.Account(t, st)
	o, err := st.DraftOrder(t.Context(), storetest.NewOrder(buyer.ID, models.PayByCard, storetest.TokenSKU), storetest.At)
	storetest.Must(t, err)
	storetest.Must(t, st.PlaceOrder(t.Context(), o.Number, storetest.At))
	if _, err := st.NewCharge(t.Context(), o.Number, "pm_card_visa", models.Actor{ID: buyer.ID}, storetest.At); !errors.Is(err, models.StateForbids) {
		t.Fatalf("a second charge beside the first: %v", err)
	}
	c, err := st.LiveCharge(t.Context(), o.Number)
	storetest.Must(t, err)
	storetest.Must(t, st.ChargeDeclined(t.Context(), c, o.Number, "insufficient funds", storetest.At))
	storetest.Must(t, st.ChargeDeclined(t.Context(), c, o.Number, "insufficient funds", storetest.At))
	again, err := st.NewCharge(t.Context(), o.Number, "pm_card_visa", models.Actor{ID: buyer.ID}, storetest.At)
	storetest.Must(t, err)
	if again.Attempt != 2 || storetest.Order(t, st, o.Number).Status != models.OrderPlaced {
		t.Fatalf("paid again: %+v", again)
	}
	storetest.Must(t, st.ChargeAuthorized(t.Context(), again, "pi_1", storetest.At))
	again, err = st.LiveCharge(t.Context(), o.Number)
	storetest.Must(t, err)
	i, err := st.InvoiceOfOrder(t.Context(), o.ID)
	storetest.Must(t, err)
	for range 2 {
		storetest.Must(t, st.ChargeCaptured(t.Context(), again, i.Number, storetest.At))
	}
	if got := storetest.Order(t, st, o.Number); got.Status != models.OrderPaid {
		t.Fatalf("the order is %s", got.Status)
	}
	if got, err := st.Balance(t.Context(), "card_clearing", models.USD); err != nil || got != 4900 {
		t.Fatalf("card clearing %d (%v)", got, err)
	}
}

func notices(t *testing.T, st *store.Store, ref string) []models.Notice {
	t.Helper()
	rows, err := st.NoticesAbout(t.Context(), ref, store.Page{Limit: 200})
	storetest.Must(t, err)
	return rows
}

func noticeKinds(t *testing.T, st *store.Store, ref string) (kinds []models.NoticeKind) {
	t.Helper()
	for _, n := range notices(t, st, ref) {
		kinds = append(kinds, n.Kind)
	}
	return kinds
}

func caseTitles(cases []models.SupportCase, ref string) (titles []string) {
	for _, c := range cases {
		if c.SubjectRef == ref {
			titles = append(titles, c.Title)
		}
	}
	return titles
}

// ORD-3: nobody walks around the payment by moving a key or by declaring an invoice paid, not even by hand in the database.
func TestDatabaseGuardsTheMoney(t *testing.T) {
	t.Parallel()
	st, ring := storetest.New(t), storetest.Keyring(t)
	buyer := storetest.Account(t, st)
	storetest.FulfilledOrder(t, st, ring, buyer.ID)
	unpaid := storetest.PlacedOrder(t, st, buyer.ID)
	for name, statement := range map[string]string{
		"a key moved to an unpaid line": `update license_keys set order_line_id = (select id from order_lines where order_id = $1)`,
		"an invoice asking for nothing": `update invoices set total_minor = 0, paid_minor = 0, status = 'paid' where order_id = $1`,
		"a paid line moved under it":    `update order_lines set order_id = $1 where order_id <> $1`,
		"money applied without an end":  `insert into allocations (payment_id, invoice_id, amount_minor, at) select p.id, i.id, 4900, now() from payments p, invoices i where i.order_id = $1`,
		"an invoice declared paid":      `update invoices set status = 'paid', paid_minor = total_minor, settled_at = now() where order_id = $1`,
	} {
		if _, err := st.Pool().Exec(t.Context(), statement, unpaid.ID); err == nil {
			t.Errorf("%s was let through", name)
		}
	}
}

// ORD-4: the same notice with another amount changes nothing and becomes a case; money from the future is refused.
func TestPaymentNoticesThatCannotBe(t *testing.T) {
	t.Parallel()
	st := storetest.New(t)
	o := storetest.PlacedOrder(t, st, storetest.Account(t, st).ID)
	storetest.Pay(t, st, o, 1000, "a")
	if r := storetest.Pay(t, st, o, 2000, "a"); !r.Duplicate || r.Payment.AmountMinor != 1000 {
		t.Errorf("a second notice: %+v", r)
	}
	if cases, err := st.Cases(t.Context(), store.Page{}); err != nil || len(cases) != 1 {
		t.Errorf("cases: %v %v", cases, err)
	}
	_, err := st.RecordPayment(t.Context(), models.NewPayment{Source: models.SourceBankTransfer, SourceAccount: "DE02", BankReference: "b",
		Amount: models.Money{Minor: 1000, Currency: models.USD}, ReceivedAt: storetest.At.AddDate(1, 0, 0)}, models.Actor{ID: "billing"}, storetest.At)
	if !errors.Is(err, models.InvalidRequest) {
		t.Errorf("money from the future: %v", err)
	}
}
