package store_test

import (
	"slices"
	"testing"
	"time"

	"tokendesk/internal/seal"
	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
)

var (
	billing     = models.Actor{ID: "ak_billing", Role: models.RoleBilling}
	billing2    = models.Actor{ID: "ak_billing2", Role: models.RoleBilling}
	atWarehouse = models.Actor{ID: "ak_warehouse", Role: models.RoleWarehouse}
)

// shop is what the tests of refunds start from.
type shop struct {
	*testing.T
	*store.Store
	ring  *seal.Keyring
	buyer models.Account
}

func newShop(t *testing.T) shop {
	t.Helper()
	st := storetest.New(t)
	return shop{t, st, storetest.Keyring(t), storetest.Account(t, st)}
}

// fulfilled is an order whose tokens are in stock and have not left.
func (s shop) fulfilled(skus ...string) models.Order {
	s.Helper()
	storetest.Stock(s, s.Store, s.ring, storetest.TokenModel, storetest.EventDevice, max(len(skus), 1))
	return storetest.FulfilledOrder(s, s.Store, s.ring, s.buyer.ID, skus...)
}

func (s shop) request(o models.Order, positions ...int) models.Refund {
	s.Helper()
	r, err := s.RequestRefund(s.Context(), models.RefundRequest{OrderNumber: o.Number, Positions: positions, Reason: models.RefundNotNeeded}, billing, storetest.At)
	storetest.Must(s, err)
	return r
}

func (s shop) advance(r models.Refund, at time.Time) models.Refund {
	s.Helper()
	st, err := s.AdvanceRefund(s.Context(), r.ID, at)
	storetest.Must(s, err)
	return st.Refund
}

func (s shop) wantStatus(r models.Refund, want models.RefundStatus) models.Refund {
	s.Helper()
	r, err := s.Refund(s.Context(), r.ID)
	storetest.Must(s, err)
	if r.Status != want {
		s.Fatalf("the refund is %s, want %s", r.Status, want)
	}
	return r
}

func (s shop) wantOrder(o models.Order, want models.OrderStatus) {
	s.Helper()
	if got := storetest.Order(s, s.Store, o.Number).Status; got != want {
		s.Fatalf("the order is %s, want %s", got, want)
	}
}

func (s shop) wantBalances(want map[string]int64) {
	s.Helper()
	for account, minor := range want {
		if got, err := s.Balance(s.Context(), account, models.USD); err != nil || got != minor {
			s.Errorf("%s: %d, want %d (%v)", account, got, minor, err)
		}
	}
}

func (s shop) wantTold(ref string, want ...models.NoticeKind) {
	s.Helper()
	var told []models.NoticeKind
	rows, err := s.Pool().Query(s.Context(), "select kind from notices where subject_ref = $1", ref)
	storetest.Must(s, err)
	defer rows.Close()
	for rows.Next() {
		var k models.NoticeKind
		storetest.Must(s, rows.Scan(&k))
		told = append(told, k)
	}
	slices.Sort(told)
	slices.Sort(want)
	if !slices.Equal(told, want) {
		s.Errorf("the buyer was told %v, want %v", told, want)
	}
}

func (s shop) payOut(r models.Refund, minor int64, reference string) error {
	_, err := s.RecordPayout(s.Context(), r.ID, models.NewPayout{SourceAccount: "DE99", BankReference: reference,
		Amount: models.Money{Minor: minor, Currency: models.USD}, PaidAt: storetest.At}, billing, storetest.At)
	return err
}

func (s shop) carrierSays(d *storetest.Device, kind models.CarrierEventKind) {
	s.Helper()
	tracking := query[string](s.T, s.Store, "select tracking_number from parcels where serial = $1", d.Serial)
	_, err := s.RecordCarrierEvent(s.Context(), models.CarrierEvent{ID: string(kind) + tracking, Carrier: "test", TrackingNumber: tracking, Kind: kind, OccurredAt: storetest.At}, storetest.At)
	storetest.Must(s, err)
}

// ORD-5: an order that was paid and not fulfilled is undone at once; its lifecycle hears of it, nothing is fulfilled any more, and billing
// pays the money out.
func TestRefundBeforeFulfilment(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	o := storetest.PaidOrder(t, s.Store, s.buyer.ID)
	r := s.wantStatus(s.request(o), models.RefundPaying)
	s.wantOrder(o, models.OrderRefunded)
	storetest.Must(t, s.FulfilOrder(t.Context(), o.Number, s.ring, storetest.At))
	if n := query[int](t, s.Store, "select count(*) from license_keys"); n != 0 {
		t.Errorf("%d keys of a refunded order", n)
	}
	if n := query[int](t, s.Store, "select count(*) from outbox where name = 'order-changed'"); n != 1 {
		t.Errorf("the order's lifecycle got %d signals", n)
	}
	s.wantBalances(map[string]int64{"deferred_revenue": 0, "refunds_payable": -4900, "bank": 4900, "receivable": 0})
	if got := query[string](t, s.Store, "select status from invoices"); got != "paid" {
		t.Errorf("the invoice is %s: the credit note is the correction", got)
	}
	wantFault(t, s.payOut(r, 4800, "b1"), models.PayoutDiffers)
	storetest.Must(t, s.payOut(r, 4900, "b1"))
	s.wantStatus(r, models.RefundDone)
	s.wantBalances(map[string]int64{"refunds_payable": 0, "bank": 0})
	s.wantTold(r.ID, models.NoticeCreditNote, models.NoticeRefunded)
	wantFault(t, s.payOut(r, 4900, "b2"), models.StateForbids)
	_, err := s.RequestRefund(t.Context(), models.RefundRequest{OrderNumber: o.Number, Reason: models.RefundOther}, billing, storetest.At)
	wantFault(t, err, models.NothingToRefund)
}

// ORD-5, LIC-1: what has not left is undone with the refund: the shipment is cancelled, its token is in stock again, the key is void and its
// mail does not leave; the other line goes on.
func TestRefundOfOneLineBeforeItLeft(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	o := s.fulfilled(storetest.TokenSKU, storetest.ProofedTokenSKU)
	all, err := s.ShipmentsOfOrder(t.Context(), o.ID)
	storetest.Must(t, err)
	_, err = s.PackShipment(t.Context(), all[0].ID, storetest.At)
	storetest.Must(t, err)
	r := s.wantStatus(s.request(o, 1), models.RefundPaying)
	s.wantOrder(o, models.OrderFulfilled)
	want := map[string]string{
		"select status from license_keys where order_line_id = '" + o.Lines[0].ID + "'":        "void",
		"select status from license_keys where order_line_id = '" + o.Lines[1].ID + "'":        "issued",
		"select status from shipments where order_line_id = '" + o.Lines[0].ID + "'":           "cancelled",
		"select status from shipments where order_line_id = '" + o.Lines[1].ID + "'":           "requested",
		"select count(*)::text from tokens where status = 'in_stock'":                          "2",
		"select status from notices where kind = 'license_key' and params->>'line' = '1'":      "failed",
		"select count(*)::text from notices where kind = 'license_key' and sealed is not null": "1",
		"select total_minor::text from credit_notes where refund_id = '" + r.ID + "'":          "4900",
		"select count(*)::text from support_cases":                                             "0",
	}
	for sql, value := range want {
		if got := query[string](t, s.Store, sql); got != value {
			t.Errorf("%s: %s, want %s", sql, got, value)
		}
	}
	wantFault(t, s.ResendLicenseKey(t.Context(), o.Number, 1, s.ring, billing, storetest.At), models.LineInRefund)
	_, err = s.RequestRefund(t.Context(), models.RefundRequest{OrderNumber: o.Number, Positions: []int{1}, Reason: models.RefundOther}, billing, storetest.At)
	wantFault(t, err, models.LineInRefund)
	s.wantStatus(s.request(o), models.RefundPaying) // the rest
	s.wantOrder(o, models.OrderRefunded)
	s.wantBalances(map[string]int64{"deferred_revenue": 0, "refunds_payable": -14800})
}

// ORD-5: a token that has left comes back before money leaves; its credential is revoked, and the token is retired, for good.
func TestShippedTokenMustComeBack(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	c, d := storetest.Registered(t, s.Store, s.ring, s.buyer, storetest.EventDevice, storetest.At)
	o := storetest.Order(t, s.Store, query[string](t, s.Store, "select number from orders"))
	r := s.wantStatus(s.request(o), models.RefundReturning)
	s.wantTold(r.ID, models.NoticeReturnToken)
	s.wantBalances(map[string]int64{"refunds_payable": 0, "deferred_revenue": -4900})
	if c, _, _ := s.Credential(t.Context(), c.ID); c.Phase != models.CredentialActive {
		t.Errorf("the credential is %s while its token is out", c.Phase)
	}
	wantFault(t, s.payOut(r, 4900, "b1"), models.StateForbids)
	if waits, err := s.ExpectedReturns(t.Context(), r); err != nil || len(waits) != 1 || waits[0].Serial != d.Serial || waits[0].Back {
		t.Errorf("waits for %+v (%v)", waits, err)
	}
	_, err := s.RecordReturn(t.Context(), d.Serial, models.ReturnedOpened, atWarehouse, storetest.At)
	storetest.Must(t, err)
	r = s.advance(r, storetest.At)
	s.wantStatus(r, models.RefundPaying)
	s.wantOrder(o, models.OrderRefunded)
	c, bound, err := s.Credential(t.Context(), c.ID)
	storetest.Must(t, err)
	if c.Phase != models.CredentialRevoked || *c.RevokeReason != models.RevokeRefunded || bound[0].Status != models.AuthenticatorRevoked {
		t.Errorf("credential %s, authenticator %s", c.Phase, bound[0].Status)
	}
	if token, _ := s.Token(t.Context(), d.Serial); token.Status != models.TokenRetired {
		t.Errorf("the token is %s", token.Status)
	}
	_, err = s.RecordReturn(t.Context(), d.Serial, models.ReturnedOpened, atWarehouse, storetest.At)
	wantFault(t, err, models.TokenIsBack)
	storetest.Must(t, s.KeepAsCredit(t.Context(), r.ID, billing, storetest.At))
	s.wantBalances(map[string]int64{"refunds_payable": 0, "customer_credit": -4900, "deferred_revenue": 0})
	storetest.Must(t, s.payOut(r, 4900, "b1"))
	s.wantBalances(map[string]int64{"customer_credit": 0, "bank": 0})
	s.wantTold(r.ID, models.NoticeReturnToken, models.NoticeCreditNote, models.NoticeRefundKept, models.NoticeRefunded)
}

// ORD-5: what does not come back in time is not refunded; what was undone meanwhile is.
func TestRefundLapses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		positions []int
		want      models.RefundStatus
		total     int64
		told      []models.NoticeKind
	}{
		{"nothing came back", []int{1}, models.RefundLapsed, 4900, []models.NoticeKind{models.NoticeReturnToken, models.NoticeReturnReminder, models.NoticeRefundWithdrawn}},
		{"one line had not left", nil, models.RefundPaying, 9900, []models.NoticeKind{models.NoticeReturnToken, models.NoticeReturnReminder, models.NoticeCreditNote}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			o := s.fulfilled(storetest.TokenSKU, storetest.ProofedTokenSKU)
			d := storetest.Shipped(t, s.Store, o, 1)
			s.carrierSays(d, models.CarrierDelivered)
			r := s.wantStatus(s.request(o, c.positions...), models.RefundReturning)
			at := storetest.At
			for range 3 { // the reminder, the end, and once more
				timeline, err := s.RefundTimeline(t.Context(), s.advance(r, at))
				storetest.Must(t, err)
				if m, ok := timeline.Next(at); ok {
					at = m.At
				}
			}
			r = s.wantStatus(r, c.want)
			if r.TotalMinor != c.total {
				t.Errorf("total %d, want %d", r.TotalMinor, c.total)
			}
			s.wantTold(r.ID, c.told...)
			if got := query[string](t, s.Store, "select status from license_keys where order_line_id = $1", o.Lines[0].ID); got != "issued" {
				t.Errorf("the key of the token that stayed is %s", got)
			}
			s.wantOrder(o, models.OrderFulfilled)
			_, err := s.RecordReturn(t.Context(), d.Serial, models.ReturnedUnopened, atWarehouse, at) // late
			storetest.Must(t, err)
			if n := query[int](t, s.Store, "select count(*) from support_cases where dedupe_key = 'return/"+d.Serial+"'"); n != 1 {
				t.Errorf("%d cases about a late return", n)
			}
			again := s.request(o, 1) // it is back, so it can be credited now
			s.wantStatus(again, models.RefundPaying)
		})
	}
}

// SHP-2, ORD-5: a parcel that is lost or comes back while its line is refunded is not sent again; the refund goes on.
func TestParcelComesBackDuringRefund(t *testing.T) {
	t.Parallel()
	for _, kind := range []models.CarrierEventKind{models.CarrierReturned, models.CarrierLost} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			o := s.fulfilled()
			d := storetest.Shipped(t, s.Store, o, 1)
			r := s.wantStatus(s.request(o), models.RefundReturning)
			s.carrierSays(d, kind)
			if got := query[string](t, s.Store, "select status from shipments"); got != "given_up" {
				t.Errorf("the shipment is %s", got)
			}
			s.advance(r, storetest.At)
			s.wantStatus(r, models.RefundPaying)
			if token, _ := s.Token(t.Context(), d.Serial); token.Status != models.TokenRetired {
				t.Errorf("the token is %s", token.Status)
			}
			if kind == models.CarrierReturned { // then the warehouse unpacks it
				_, err := s.RecordReturn(t.Context(), d.Serial, models.ReturnedUnopened, atWarehouse, storetest.At)
				storetest.Must(t, err)
			}
			if n := query[int](t, s.Store, "select count(*) from support_cases"); n != 0 {
				t.Errorf("%d cases", n)
			}
		})
	}
}

// SHP-2: a parcel that the warehouse finds back while nobody asked for a refund is sent again.
func TestParcelBackWithoutRefundIsSentAgain(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	o := s.fulfilled()
	d := storetest.Shipped(t, s.Store, o, 1)
	_, err := s.RecordReturn(t.Context(), d.Serial, models.ReturnedUnopened, atWarehouse, storetest.At)
	storetest.Must(t, err)
	if got := query[string](t, s.Store, "select status from shipments"); got != "reshipping" {
		t.Errorf("the shipment is %s", got)
	}
	s.wantStatus(s.request(o), models.RefundPaying) // between two parcels nothing is out
	if got := query[string](t, s.Store, "select status from shipments"); got != "cancelled" {
		t.Errorf("the shipment is %s", got)
	}
}

// ORD-5: what cannot come back is refused.
func TestReturnsThatCannotBe(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	o := s.fulfilled(storetest.TokenSKU, storetest.TokenSKU)
	d := storetest.Shipped(t, s.Store, o, 1)
	packed := query[string](t, s.Store, "select serial from tokens where status = 'in_stock'")
	for _, c := range []struct {
		name, serial string
		condition    models.TokenCondition
		want         *models.FaultType
	}{
		{"unknown serial", "NOPE", models.ReturnedOpened, models.NoSuchThing},
		{"in stock", packed, models.ReturnedOpened, models.TokenNeverLeft},
		{"no condition", d.Serial, "", models.InvalidRequest},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := s.RecordReturn(t.Context(), c.serial, c.condition, atWarehouse, storetest.At)
			wantFault(t, err, c.want)
		})
	}
}
