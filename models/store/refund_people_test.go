package store_test

import (
	"testing"

	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
)

// expensive is a paid order of lines at 300.00 each.
func (s shop) expensive(lines int) models.Order {
	s.Helper()
	model := storetest.TokenModel
	storetest.Must(s, s.PutProduct(s.Context(), models.Product{SKU: "HW-GOLD", Name: "Golden token", Kind: models.HardwareOTP, Market: "*", TokenModel: &model,
		TermMonths: 12, PriceMinor: 30000, Currency: models.USD, Status: models.ProductActive}))
	skus := make([]string, lines)
	for i := range skus {
		skus[i] = "HW-GOLD"
	}
	return storetest.PaidOrder(s, s.Store, s.buyer.ID, skus...)
}

// SEC-1: above the limit a second person decides, who is neither the one that asked nor the buyer; and nothing happens before.
func TestSecondPersonDecides(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	o := s.expensive(2)
	r := s.wantStatus(s.request(o), models.RefundRequested)
	if !r.SecondPerson {
		t.Error("no second person is asked for")
	}
	storetest.Must(t, s.FulfilOrder(t.Context(), o.Number, s.ring, storetest.At)) // nothing is decided: the order goes on
	if n := query[int](t, s.Store, "select count(*) from license_keys where status = 'issued'"); n != 2 {
		t.Errorf("%d keys", n)
	}
	for _, actor := range []models.Actor{billing, {ID: s.buyer.ID, AccountID: s.buyer.ID}} {
		wantFault(t, s.ApproveRefund(t.Context(), r.ID, actor, storetest.At), models.SecondPerson)
		wantFault(t, s.RejectRefund(t.Context(), r.ID, "no", actor, storetest.At), models.SecondPerson)
	}
	wantFault(t, s.RejectRefund(t.Context(), r.ID, "  ", billing2, storetest.At), models.InvalidRequest)
	s.wantBalances(map[string]int64{"refunds_payable": 0})
	storetest.Must(t, s.ApproveRefund(t.Context(), r.ID, billing2, storetest.At))
	r = s.wantStatus(r, models.RefundPaying)
	if *r.DecidedBy != billing2.ID {
		t.Errorf("decided by %s", *r.DecidedBy)
	}
	wantFault(t, s.ApproveRefund(t.Context(), r.ID, billing2, storetest.At), models.StateForbids)
	if _, err := s.Pool().Exec(t.Context(), "update refunds set second_person = false"); err == nil {
		t.Error("a refund forgot that it needed a second person")
	}
}

// SEC-1: the limit is not got round in parts, and who may not be asked is asked again when somebody else has decided.
func TestLimitCountsTheOrder(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	o := s.expensive(3)
	s.wantStatus(s.request(o, 1), models.RefundPaying)
	second := s.wantStatus(s.request(o, 2), models.RefundRequested)
	storetest.Must(t, s.RejectRefund(t.Context(), second.ID, "not without a ticket", billing2, storetest.At))
	s.wantTold(second.ID, models.NoticeRefundRejected)
	s.wantStatus(s.request(o, 2), models.RefundRequested) // free again, and still above the limit
}

// SEC-1: a buyer's own request goes through while it is fresh; a late one is for staff to decide, however small.
func TestBuyersOwnRequest(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		days int
		want models.RefundStatus
	}{{"on the last day", 30, models.RefundPaying}, {"a day later", 31, models.RefundRequested}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			o := storetest.PaidOrder(t, s.Store, s.buyer.ID)
			r, err := s.RequestRefund(t.Context(), models.RefundRequest{OrderNumber: o.Number, Reason: models.RefundNotNeeded},
				models.Actor{ID: s.buyer.ID, AccountID: s.buyer.ID}, storetest.At.AddDate(0, 0, c.days))
			storetest.Must(t, err)
			s.wantStatus(r, c.want)
		})
	}
}

// ORD-5: what may not be refunded is refused, and nothing is left behind.
func TestRefundRefused(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	paid, placed := storetest.PaidOrder(t, s.Store, s.buyer.ID), storetest.PlacedOrder(t, s.Store, s.buyer.ID)
	for _, c := range []struct {
		name string
		q    models.RefundRequest
		want *models.FaultType
	}{
		{"unpaid", models.RefundRequest{OrderNumber: placed.Number, Reason: models.RefundOther}, models.StateForbids},
		{"unknown order", models.RefundRequest{OrderNumber: "SO-1", Reason: models.RefundOther}, models.NoSuchThing},
		{"unknown line", models.RefundRequest{OrderNumber: paid.Number, Positions: []int{2}, Reason: models.RefundOther}, models.NoSuchThing},
		{"unknown reason", models.RefundRequest{OrderNumber: paid.Number, Reason: "bored"}, models.InvalidRequest},
		{"the lifecycle's own reason", models.RefundRequest{OrderNumber: paid.Number, Reason: models.RefundTooLate}, models.InvalidRequest},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := s.RequestRefund(t.Context(), c.q, billing, storetest.At)
			wantFault(t, err, c.want)
		})
	}
	if n := query[int](t, s.Store, "select count(*) from refunds"); n != 0 {
		t.Errorf("%d refunds", n)
	}
}

// ORD-5: a refund is withdrawn while nothing of it is undone; what is undone stays so and is credited.
func TestWithdrawRefund(t *testing.T) {
	t.Parallel()
	t.Run("before it is decided", func(t *testing.T) {
		t.Parallel()
		s := newShop(t)
		r := s.request(s.expensive(2))
		storetest.Must(t, s.WithdrawRefund(t.Context(), r.ID, billing, storetest.At))
		s.wantStatus(r, models.RefundWithdrawn)
		s.wantTold(r.ID, models.NoticeRefundWithdrawn)
		wantFault(t, s.WithdrawRefund(t.Context(), r.ID, billing, storetest.At), models.StateForbids)
	})
	t.Run("while a token is out", func(t *testing.T) {
		t.Parallel()
		s := newShop(t)
		o := s.fulfilled(storetest.TokenSKU, storetest.ProofedTokenSKU)
		storetest.Shipped(t, s.Store, o, 1)
		r := s.wantStatus(s.request(o), models.RefundReturning)
		storetest.Must(t, s.WithdrawRefund(t.Context(), r.ID, billing, storetest.At))
		if r = s.wantStatus(r, models.RefundPaying); r.TotalMinor != 9900 || r.Lines[0].DroppedAt == nil || r.Lines[1].UndoneAt == nil {
			t.Errorf("%+v", r)
		}
	})
	t.Run("after the token came back", func(t *testing.T) {
		t.Parallel()
		s := newShop(t)
		o := s.fulfilled()
		d := storetest.Shipped(t, s.Store, o, 1)
		r := s.request(o)
		_, err := s.RecordReturn(t.Context(), d.Serial, models.ReturnedUnopened, atWarehouse, storetest.At)
		storetest.Must(t, err)
		storetest.Must(t, s.WithdrawRefund(t.Context(), r.ID, billing, storetest.At)) // too late: it is here
		s.wantStatus(r, models.RefundPaying)
	})
}

// REN-4: a line that cannot be fulfilled is credited in the transaction that finds it out, whoever had asked for what before.
func TestCreditLine(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	o := s.expensive(2)
	asked := s.wantStatus(s.request(o), models.RefundRequested)
	credit := func(line int) {
		t.Helper()
		storetest.Must(t, s.InTx(t.Context(), func(tx *store.Store) error {
			return tx.CreditLine(t.Context(), o, o.Lines[line], models.RefundTooLate, storetest.At)
		}))
	}
	credit(0)
	credit(0)
	if asked = s.wantStatus(asked, models.RefundRequested); asked.TotalMinor != 30000 {
		t.Errorf("the refund that was asked for comes to %d", asked.TotalMinor)
	}
	s.wantOrder(o, models.OrderPaid)
	credit(1)
	s.wantStatus(asked, models.RefundWithdrawn)
	s.wantOrder(o, models.OrderRefunded)
	s.wantBalances(map[string]int64{"refunds_payable": -60000, "deferred_revenue": 0})
	if n := query[int](t, s.Store, "select count(*) from credit_notes"); n != 2 {
		t.Errorf("%d credit notes", n)
	}
}

// ORD-5: of many that ask at once for the same lines, one gets them; of many that record the same return or payout, one does.
func TestRefundsAtOnce(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	o := s.fulfilled()
	d := storetest.Shipped(t, s.Store, o, 1)
	got := atOnce(8, func(int) error {
		_, err := s.RequestRefund(t.Context(), models.RefundRequest{OrderNumber: o.Number, Positions: []int{1}, Reason: models.RefundOther}, billing, storetest.At)
		return err
	})
	if got[""] != 1 || got[models.LineInRefund.Slug] != 7 {
		t.Errorf("requests: %v", got)
	}
	got = atOnce(8, func(int) error {
		_, err := s.RecordReturn(t.Context(), d.Serial, models.ReturnedOpened, atWarehouse, storetest.At)
		return err
	})
	if got[""] != 1 || got[models.TokenIsBack.Slug] != 7 {
		t.Errorf("returns: %v", got)
	}
	r := models.Refund{ID: query[string](t, s.Store, "select id from refunds")}
	if got = atOnce(4, func(int) error { _, err := s.AdvanceRefund(t.Context(), r.ID, storetest.At); return err }); got[""] != 4 {
		t.Errorf("advances: %v", got)
	}
	got = atOnce(8, func(int) error { return s.payOut(r, 4900, "the same") })
	if got[""] != 1 || got[models.StateForbids.Slug] != 7 {
		t.Errorf("payouts: %v", got)
	}
	s.wantBalances(map[string]int64{"bank": 0, "refunds_payable": 0, "deferred_revenue": 0})
}

// LIC-1, LIC-2: a key that is used while its line is undone is either void first, or its credential is revoked.
func TestActivationRacesRefund(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	for range 6 {
		o := s.fulfilled()
		key := storetest.KeyOf(t, s.Store, s.ring, o, 1)
		atOnce(2, func(i int) error {
			if i == 0 {
				_, err := s.RequestRefund(t.Context(), models.RefundRequest{OrderNumber: o.Number, Reason: models.RefundOther}, billing, storetest.At)
				return err
			}
			_, err := s.ActivateLicenseKey(t.Context(), store.Activation{Key: key, AccountID: s.buyer.ID, Address: "192.0.2.1", LegalName: s.buyer.LegalName(),
				ProofingCountry: "US", TokenInHand: true}, storetest.At)
			return err
		})
		s.wantOrder(o, models.OrderRefunded)
		if n := query[int](t, s.Store, `select count(*) from license_keys k left join credentials c on c.license_key_id = k.id
			where k.status = 'issued' or c.phase <> 'revoked'`); n != 0 {
			t.Fatalf("%d keys or credentials of a refunded order live", n)
		}
	}
}
