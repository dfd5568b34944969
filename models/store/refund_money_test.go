package store_test

import (
	"testing"

	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
)

// paidByCard is an order that its card has paid, all but what a bank transfer paid before.
func (s shop) paidByCard(byBank int64, skus ...string) models.Order {
	s.Helper()
	o, err := s.DraftOrder(s.Context(), storetest.NewOrder(s.buyer.ID, models.PayByCard, skus...), storetest.At)
	storetest.Must(s, err)
	storetest.Must(s, s.PlaceOrder(s.Context(), o.Number, storetest.At))
	if byBank > 0 {
		storetest.Pay(s, s.Store, o, byBank, "part/"+o.Number)
	}
	c, err := s.LiveCharge(s.Context(), o.Number)
	storetest.Must(s, err)
	storetest.Must(s, s.ChargeAuthorized(s.Context(), c, "pi_"+c.ID, storetest.At))
	c, err = s.LiveCharge(s.Context(), o.Number)
	storetest.Must(s, err)
	i, err := s.InvoiceOfOrder(s.Context(), o.ID)
	storetest.Must(s, err)
	storetest.Must(s, s.ChargeCaptured(s.Context(), c, i.Number, storetest.At))
	return storetest.Order(s, s.Store, o.Number)
}

func (s shop) intend(r models.Refund) store.CardRefund {
	s.Helper()
	in, err := s.IntendCardRefund(s.Context(), r.ID, storetest.At)
	storetest.Must(s, err)
	return in
}

// ORD-5: money goes back to where it came from: to the card as far as the card paid, the rest through the bank; never more than was paid.
func TestMoneyGoesBackToWhereItCameFrom(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	o := s.paidByCard(6000, storetest.TokenSKU, storetest.ProofedTokenSKU) // 148.00, of which 88.00 by card
	first := s.wantStatus(s.request(o, 1), models.RefundPaying)
	if first.CardMinor != 4900 || first.BankMinor != 0 {
		t.Fatalf("first: card %d, bank %d", first.CardMinor, first.BankMinor)
	}
	second := s.wantStatus(s.request(o, 2), models.RefundPaying)
	if second.CardMinor != 3900 || second.BankMinor != 6000 {
		t.Fatalf("second: card %d, bank %d", second.CardMinor, second.BankMinor)
	}
	wantFault(t, s.payOut(second, 6000, "b1"), models.StateForbids) // the card comes first
	in := s.intend(first)
	if in.Duty != store.AskCard || in.ProviderRef == "" || in.Before != 0 || in.Refund.CardKey() != first.ID+"/refund/1" {
		t.Fatalf("%+v", in)
	}
	if again := s.intend(first); again.Duty != store.AskCard || again.Refund.CardKey() != in.Refund.CardKey() {
		t.Errorf("asked again: %+v", again)
	}
	if in := s.intend(second); in.Duty != store.QueueCard {
		t.Errorf("two refunds to one charge at once: %s", in.Duty)
	}
	for range 2 {
		storetest.Must(t, s.CardRefunded(t.Context(), first.ID, storetest.At))
	}
	s.wantStatus(first, models.RefundDone)
	if in := s.intend(second); in.Duty != store.AskCard || in.Before != 4900 {
		t.Errorf("second: %+v", in)
	}
	storetest.Must(t, s.CardRefunded(t.Context(), second.ID, storetest.At))
	s.wantStatus(second, models.RefundPaying)
	storetest.Must(t, s.payOut(second, 6000, "b1"))
	s.wantStatus(second, models.RefundDone)
	s.wantOrder(o, models.OrderRefunded)
	// The card was charged in full though the bank had paid a part: that rest is unapplied, and nobody's refund.
	s.wantBalances(map[string]int64{"refunds_payable": 0, "bank": 0, "card_clearing": 6000, "unapplied_cash": -6000, "deferred_revenue": 0})
}

// ORD-5: a card processor that refuses leaves the refund to a person: it is asked again under another key, or billing pays the money out.
func TestCardProcessorRefuses(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	o := s.paidByCard(0, storetest.TokenSKU)
	r := s.wantStatus(s.request(o), models.RefundPaying)
	in := s.intend(r)
	wantFault(t, s.payOut(r, 4900, "b1"), models.StateForbids) // it may be on its way
	for range 2 {
		storetest.Must(t, s.CardRefundRefused(t.Context(), in, "the charge is disputed", storetest.At))
	}
	if n := query[int](t, s.Store, "select count(*) from support_cases where state = 'open'"); n != 1 {
		t.Errorf("%d cases", n)
	}
	in = s.intend(r)
	if in.Refund.CardKey() != r.ID+"/refund/2" {
		t.Errorf("asked again under %s", in.Refund.CardKey())
	}
	wantFault(t, s.payOut(r, 4900, "b1"), models.StateForbids)
	storetest.Must(t, s.CardRefundRefused(t.Context(), in, "the charge is disputed", storetest.At))
	storetest.Must(t, s.payOut(r, 4900, "b1"))
	if in := s.intend(r); in.Duty != store.NoCardDuty {
		t.Errorf("paid out, and still %s", in.Duty)
	}
	storetest.Must(t, s.CardRefunded(t.Context(), r.ID, storetest.At))
	s.wantBalances(map[string]int64{"refunds_payable": 0, "bank": -4900, "card_clearing": 4900, "deferred_revenue": 0})
}

// ORD-5: what the books must never say is refused by the database, whoever writes.
func TestBooksOfRefundsAreGuarded(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	o := s.paidByCard(0, storetest.TokenSKU, storetest.TokenSKU)
	r := s.wantStatus(s.request(o, 1), models.RefundPaying)
	open := storetest.PaidOrder(t, s.Store, s.buyer.ID)
	for name, sql := range map[string]string{
		"more to the card than it paid":     `update refunds set card_minor = card_minor + 9900, total_minor = total_minor + 9900`,
		"an end without the money":          `update refunds set status = 'refunded', ended_at = now()`,
		"a credit note that changes":        `update credit_notes set total_minor = 1`,
		"a credit note that goes":           `delete from credit_note_lines`,
		"a line credited twice":             `insert into credit_note_lines select order_line_id, credit_note_id, amount_minor from credit_note_lines`,
		"a line credited without a refund":  `insert into credit_note_lines select '` + open.Lines[0].ID + `', id, 4900 from credit_notes`,
		"a note that is not its lines":      `insert into credit_notes select 'cn_x', 'CN-1', id, order_id, (select id from invoices where order_id = '` + o.ID + `'), 100, 'USD', now() from refunds`,
		"an undone line that is not":        `update refund_lines set undone_at = null`,
		"a key for an undone line":          `insert into license_keys (id, order_line_id, status, hash, last_four, issued_at, expires_at) values ('lk_x', '` + o.Lines[0].ID + `', 'issued', 'x', 'ABCD', now(), now())`,
		"a line in two refunds":             `insert into refund_lines select 'rf_x', order_line_id, position, amount_minor from refund_lines`,
		"another order's line":              `insert into refund_lines select id, '` + open.Lines[0].ID + `', 1, 4900 from refunds`,
		"another price":                     `insert into refund_lines select id, '` + o.Lines[1].ID + `', 2, 4800 from refunds`,
		"a refunded order with a live line": `update orders set status = 'refunded' where id = '` + open.ID + `'`,
		"a refund that goes":                `delete from refund_lines`,
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := s.Pool().Exec(t.Context(), sql); err == nil {
				t.Error("it was taken")
			}
		})
	}
	s.wantStatus(r, models.RefundPaying)
}

// ORD-5: refunds to one charge take turns; two that the processor refuses do not wake each other for ever, but its news wakes both.
func TestRefundsToOneChargeTakeTurns(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	o := s.paidByCard(0, storetest.TokenSKU, storetest.TokenSKU)
	first, second := s.request(o, 1), s.request(o, 2)
	woken := func(want1, want2 int) {
		t.Helper()
		for r, want := range map[string]int{first.ID: want1, second.ID: want2} {
			if n := query[int](t, s.Store, "select count(*) from outbox where kind = 'signal' and workflow_id = $1", models.RefundLifecycle.WorkflowID(r)); n != want {
				t.Errorf("%s was woken %d times, want %d", r, n, want)
			}
		}
	}
	storetest.Must(t, s.CardRefundRefused(t.Context(), s.intend(first), "for a test", storetest.At))
	woken(0, 1)
	storetest.Must(t, s.CardRefundRefused(t.Context(), s.intend(second), "for a test", storetest.At))
	woken(0, 1)
	s.intend(first)
	storetest.Must(t, s.CardRefundAccepted(t.Context(), first.ID, storetest.At))
	if in := s.intend(first); in.Duty != store.WatchCard {
		t.Errorf("asked again though it was taken up: %s", in.Duty)
	}
	woken(0, 1)
	storetest.Must(t, s.ChargeChanged(t.Context(), "pi_"+*first.ChargeID, storetest.At))
	woken(1, 2)
}
