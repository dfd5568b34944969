package store_test

import (
	"testing"
	"time"

	"tokendesk/models"
	"tokendesk/models/store/storetest"
)

func (w renewing) shop(t *testing.T) shop { return shop{t, w.Store, w.ring, w.person} }

func (s shop) requestAt(o models.Order, at time.Time) (models.Refund, error) {
	return s.RequestRefund(s.Context(), models.RefundRequest{OrderNumber: o.Number, Reason: models.RefundMistake}, billing, at)
}

// ORD-5, REN-1: a renewal is taken back while its term has not begun; the purchase that it was built on can be refunded after it, not before.
func TestRefundOfRenewal(t *testing.T) {
	t.Parallel()
	w := newRenewing(t)
	s := w.shop(t)
	bought := storetest.Order(t, w.Store, query[string](t, w.Store, "select number from orders"))
	renewed := storetest.FulfilledAt(t, w.Store, w.ring, storetest.Renewal(w.person.ID, models.PayByInvoice, w.credential), storetest.BeforeExpiry(w.credential, 20))
	if !w.again(t).ExpiresAt.After(w.credential.ExpiresAt) {
		t.Fatal("nothing was renewed")
	}
	_, err := s.requestAt(bought, storetest.BeforeExpiry(w.credential, 10))
	wantFault(t, err, models.LineNotRefundable)
	_, err = s.requestAt(renewed, w.credential.ExpiresAt)
	wantFault(t, err, models.LineNotRefundable)
	r, err := s.requestAt(renewed, w.credential.ExpiresAt.Add(-time.Second))
	storetest.Must(t, err)
	s.wantStatus(r, models.RefundPaying)
	if c := w.again(t); !c.ExpiresAt.Equal(w.credential.ExpiresAt) || c.Phase != models.CredentialActive {
		t.Errorf("%s until %s, want %s", c.Phase, c.ExpiresAt, w.credential.ExpiresAt)
	}
	s.wantOrder(renewed, models.OrderRefunded)
	r, err = s.requestAt(bought, storetest.BeforeExpiry(w.credential, 10))
	storetest.Must(t, err)
	s.wantStatus(r, models.RefundReturning)
}

// ORD-5, SEC-1: a renewal whose refund was asked for in time is taken back, though the second person decides when the renewed term has begun:
// the credential has expired then, as it would have without the renewal.
func TestRefundOfRenewalIsDecidedLate(t *testing.T) {
	t.Parallel()
	w := newRenewing(t)
	s := w.shop(t)
	e := w.credential.ExpiresAt
	p, err := s.Product(t.Context(), storetest.RenewalSKU)
	storetest.Must(t, err)
	p.PriceMinor = models.DefaultPolicy().Refund.SecondPersonAbove + 1
	storetest.Must(t, s.PutProduct(t.Context(), p))
	renewed := storetest.FulfilledAt(t, w.Store, w.ring, storetest.Renewal(w.person.ID, models.PayByInvoice, w.credential), storetest.BeforeExpiry(w.credential, 20))
	r, err := s.requestAt(renewed, e.Add(-time.Second))
	storetest.Must(t, err)
	s.wantStatus(r, models.RefundRequested)
	at := e.AddDate(0, 0, 3)
	storetest.Must(t, s.ApproveRefund(t.Context(), r.ID, billing2, at))
	s.wantStatus(r, models.RefundPaying)
	s.wantOrder(renewed, models.OrderRefunded)
	if n := w.told(t, models.NoticeRenewalTakenBack); n.Params["over"] != "true" {
		t.Errorf("told %v", n.Params)
	}
	_, err = w.AdvanceCredential(t.Context(), w.credential.ID, at)
	storetest.Must(t, err)
	if c := w.again(t); !c.ExpiresAt.Equal(e) || c.ExpiredAt == nil || !c.ExpiredAt.Equal(e) {
		t.Errorf("until %s, expired %v", c.ExpiresAt, c.ExpiredAt)
	}
}

// ORD-5, MGT-6: when a purchase is refunded, every token of it must come back, also the one that was sent to replace the first.
func TestRefundWaitsForReplacement(t *testing.T) {
	t.Parallel()
	w := newRenewing(t)
	s := w.shop(t)
	bought := storetest.Order(t, w.Store, query[string](t, w.Store, "select number from orders"))
	storetest.Stock(t, w.Store, w.ring, storetest.TokenModel, storetest.EventDevice, 1)
	replaced := storetest.FulfilledAt(t, w.Store, w.ring, storetest.Replacement(w.person.ID, models.PayByInvoice, w.credential, models.ReplaceDeadBattery), storetest.At)
	second := storetest.Shipped(t, w.Store, replaced, 1)
	r := s.wantStatus(s.request(bought), models.RefundReturning)
	if waits, err := s.ExpectedReturns(t.Context(), r); err != nil || len(waits) != 2 {
		t.Fatalf("waits for %+v (%v)", waits, err)
	}
	for i, serial := range []string{w.device.Serial, second.Serial} {
		s.wantStatus(s.advance(r, storetest.At), models.RefundReturning)
		_, err := s.RecordReturn(t.Context(), serial, models.ReturnedOpened, atWarehouse, storetest.At)
		storetest.Must(t, err)
		if got := query[string](t, s.Store, "select coalesce(string_agg(title, ', '), '') from support_cases"); got != "" {
			t.Errorf("cases after return %d: %s", i+1, got)
		}
	}
	s.advance(r, storetest.At)
	s.wantStatus(r, models.RefundPaying)
	if c := w.again(t); c.Phase != models.CredentialRevoked {
		t.Errorf("the credential is %s", c.Phase)
	}
	if n := query[int](t, s.Store, "select count(*) from tokens where status <> 'retired'"); n != 0 {
		t.Errorf("%d tokens are not retired", n)
	}
}

// ORD-5, MGT-6: a replacement is sent back: it is credited, and the credential lives on with the token that it has.
func TestRefundOfReplacement(t *testing.T) {
	t.Parallel()
	w := newRenewing(t)
	s := w.shop(t)
	storetest.Stock(t, w.Store, w.ring, storetest.TokenModel, storetest.EventDevice, 1)
	replaced := storetest.FulfilledAt(t, w.Store, w.ring, storetest.Replacement(w.person.ID, models.PayByInvoice, w.credential, models.ReplaceLost), storetest.At)
	second := storetest.Shipped(t, w.Store, replaced, 1)
	r := s.wantStatus(s.request(replaced), models.RefundReturning)
	_, err := s.RecordReturn(t.Context(), second.Serial, models.ReturnedUnopened, atWarehouse, storetest.At)
	storetest.Must(t, err)
	s.advance(r, storetest.At)
	s.wantStatus(r, models.RefundPaying)
	if c := w.again(t); c.Phase != models.CredentialActive {
		t.Errorf("the credential is %s", c.Phase)
	}
	s.wantOrder(replaced, models.OrderRefunded)
}

// ORD-5: what cost nothing is undone without money: a warranty replacement that is not needed any more.
func TestRefundOfNothing(t *testing.T) {
	t.Parallel()
	w := newRenewing(t)
	s := w.shop(t)
	free := storetest.FulfilledAt(t, w.Store, w.ring, storetest.Replacement(w.person.ID, models.PayByInvoice, w.credential, models.ReplaceDeadBattery), storetest.At)
	if free.TotalMinor != 0 {
		t.Fatalf("it cost %s", free.Total())
	}
	r := s.wantStatus(s.request(free), models.RefundDone)
	s.wantOrder(free, models.OrderRefunded)
	s.wantTold(r.ID, models.NoticeCreditNote)
	s.wantBalances(map[string]int64{"refunds_payable": 0})
}
