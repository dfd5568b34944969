package store_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
)

// MGT-6: what a replacement costs: nothing within 45 days of the purchase where the token failed by itself, its price in any other case.
func TestReplacementPrice(t *testing.T) {
	t.Parallel()
	w := newRenewing(t)
	other := "TD-900"
	storetest.Must(t, w.SaveTokenModel(t.Context(), models.TokenModel{Model: other, Kind: "hotp"}, models.Actor{ID: "test"}, storetest.At))
	p, err := w.Product(t.Context(), storetest.ReplacementSKU)
	storetest.Must(t, err)
	p.SKU, p.TokenModel = "HW-REPLACE-OTHER", &other
	storetest.Must(t, w.PutProduct(t.Context(), p))
	zone := models.DefaultPolicy().Location()
	last := models.StartOfDay(storetest.At, 46, zone) // the 45th day ends here
	for _, c := range []struct {
		name   string
		sku    string
		reason models.ReplacementReason
		at     time.Time
		price  int64
	}{
		{"shows Err", storetest.ReplacementSKU, models.ReplaceErr, storetest.At, 0},
		{"is unreadable, in the last moment", storetest.ReplacementSKU, models.ReplaceUnreadable, last.Add(-time.Microsecond), 0},
		{"has a dead battery, a moment later", storetest.ReplacementSKU, models.ReplaceDeadBattery, last, 2500},
		{"is lost", storetest.ReplacementSKU, models.ReplaceLost, storetest.At, 2500},
		{"is stolen", storetest.ReplacementSKU, models.ReplaceStolen, storetest.At, 2500},
		{"is damaged", storetest.ReplacementSKU, models.ReplaceDamaged, storetest.At, 2500},
		{"another model instead", "HW-REPLACE-OTHER", models.ReplaceErr, storetest.At, 2500},
	} {
		n := storetest.Replacement(w.person.ID, models.PayByInvoice, w.credential, c.reason)
		n.Lines[0].ProductSKU = c.sku
		q, err := w.QuoteOrder(t.Context(), n, c.at)
		storetest.Must(t, err)
		if q.Total.Minor != c.price || q.Lines[0].Warranty != (c.price == 0) {
			t.Errorf("a token that %s costs %s, warranty %v", c.name, q.Total, q.Lines[0].Warranty)
		}
	}
}

// MGT-6: what a replacement is refused for.
func TestReplacementIsRefused(t *testing.T) {
	t.Parallel()
	w := newRenewing(t)
	pending := storetest.Activated(t, w.Store, w.ring, w.person, storetest.FulfilledOrder(t, w.Store, w.ring, w.person.ID), 1)
	for _, c := range []struct {
		name    string
		buyer   models.Account
		at      time.Time
		change  func(*models.NewOrder)
		want    *models.FaultType
		allowed string
	}{
		{"without a reason", w.person, storetest.At, func(n *models.NewOrder) { n.Lines[0].ReplacementReason = "" }, models.InvalidRequest, "[]"},
		{"for a reason that is none", w.person, storetest.At, func(n *models.NewOrder) { n.Lines[0].ReplacementReason = "ugly" }, models.InvalidRequest, "[]"},
		{"without an address", w.person, storetest.At, func(n *models.NewOrder) { n.ShippingAddress = nil }, models.AddressMissing, "[]"},
		{"a colleague's", w.member, storetest.At, func(*models.NewOrder) {}, models.CredentialUnknown, "[]"},
		{"of an expired credential", w.person, w.credential.ExpiresAt, func(*models.NewOrder) {}, models.ReplacementNotPossible, "[suspend renew revoke]"},
		{"where there is no token yet", w.person, storetest.At, func(n *models.NewOrder) { n.Lines[0].CredentialID = pending.ID }, models.ReplacementNotPossible, "[suspend revoke]"}, // nor can one be registered: the person has another credential's
	} {
		n := storetest.Replacement(c.buyer.ID, models.PayByInvoice, w.credential, models.ReplaceErr)
		c.change(&n)
		_, err := w.DraftOrder(t.Context(), n, c.at)
		if models.FaultOf(err).Type != c.want || fmt.Sprint(models.FaultOf(err).Allowed) != c.allowed {
			t.Errorf("%s: %v, allowed %v", c.name, err, models.FaultOf(err).Allowed)
		}
	}
}

// MGT-6: of replacements of one token that come at the same moment, one is drafted; none is while that one is under way, paid or not.
func TestReplacementsAtTheSameMoment(t *testing.T) {
	t.Parallel()
	w := newRenewing(t)
	n := storetest.Replacement(w.person.ID, models.PayByInvoice, w.credential, models.ReplaceLost)
	got := atOnce(8, func(int) error {
		_, err := w.DraftOrder(context.Background(), n, storetest.At)
		return err
	})
	if got[""] != 1 || got[models.ReplacementPending.Slug] != 7 {
		t.Fatalf("answers %v", got)
	}
	all, err := w.Orders(t.Context(), store.OrderFilter{BuyerID: w.person.ID, Status: models.OrderDraft}, store.Page{})
	storetest.Must(t, err)
	storetest.Must(t, w.PlaceOrder(t.Context(), all[0].Number, storetest.At))
	storetest.PayAt(t, w.Store, all[0], storetest.At)
	storetest.Must(t, w.FulfilOrder(t.Context(), all[0].Number, w.ring, storetest.At))
	_, err = w.DraftOrder(t.Context(), n, storetest.At)
	wantFault(t, err, models.ReplacementPending)
}

// MGT-6, ORD-1: an order that costs nothing is paid when it is placed, whatever way of paying was named: no card is charged, and the books
// balance.
func TestFreeOrder(t *testing.T) {
	t.Parallel()
	for _, method := range []models.PaymentMethod{models.PayByCard, models.PayByInvoice, ""} {
		w := newRenewing(t)
		n := storetest.Replacement(w.person.ID, method, w.credential, models.ReplaceErr)
		n.CardPaymentMethod = ""
		o := storetest.PlacedAt(t, w.Store, n, storetest.At)
		i, err := w.InvoiceOfOrder(t.Context(), o.ID)
		storetest.Must(t, err)
		if o.Status != models.OrderPaid || o.PaymentMethod != models.PayByInvoice || i.Status != models.InvoicePaid || i.TotalMinor != 0 {
			t.Errorf("order %+v, invoice %+v", o, i)
		}
		if n := query[int](t, w.Store, "select count(*) from charges"); n != 0 {
			t.Errorf("%d charges", n)
		}
		storetest.Must(t, w.FulfilOrder(t.Context(), o.Number, w.ring, storetest.At))
		storetest.Must(t, w.PlaceOrder(t.Context(), o.Number, storetest.At))
		if all, err := w.ShipmentsOfOrder(t.Context(), o.ID); err != nil || len(all) != 1 {
			t.Errorf("shipments %v %v", all, err)
		}
		if keys, err := w.LicenseKeys(t.Context(), o.ID); err != nil || len(keys) != 0 {
			t.Errorf("keys %v %v", keys, err)
		}
		if got := balance(t, w.Store, "receivable"); got != 0 {
			t.Errorf("receivable %d", got)
		}
	}
}

// replaced brings a replacement to the person and returns the device.
func (w renewing) replaced(t *testing.T, reason models.ReplacementReason, at time.Time) (models.Order, *storetest.Device) {
	t.Helper()
	storetest.Stock(t, w.Store, w.ring, storetest.TokenModel, storetest.EventDevice, 1)
	o := storetest.FulfilledAt(t, w.Store, w.ring, storetest.Replacement(w.person.ID, models.PayByInvoice, w.credential, reason), at)
	return o, storetest.Shipped(t, w.Store, o, 1)
}

func (w renewing) bind(t *testing.T, d *storetest.Device, at time.Time) error {
	t.Helper()
	first, second := d.Pair(codeNow)
	_, err := w.RegisterHardwareToken(t.Context(), store.Registration{CredentialID: w.credential.ID, AccountID: w.person.ID, Serial: d.Serial, First: first, Second: second}, w.ring, at, codeNow)
	return err
}

// revokeToken revokes the live token of the credential alone.
func (w renewing) revokeToken(t *testing.T, at time.Time) {
	t.Helper()
	_, bound, err := w.Credential(t.Context(), w.credential.ID)
	storetest.Must(t, err)
	storetest.Must(t, w.RevokeCredential(t.Context(), models.Revocation{CredentialID: w.credential.ID, AuthenticatorID: models.LiveToken(bound).ID, Reason: models.RevokeDamaged,
		By: models.BySubscriber}, w.ring, storetest.Hasher, models.Actor{ID: w.person.ID}, at))
}

// SHP-3, MGT-5, MGT-6: the old token must be revoked first; then the one that was sent to replace it registers, no other one, and the
// credential is what it was: term, level and proofing.
func TestReplacementRegisters(t *testing.T) {
	t.Parallel()
	w := newRenewing(t)
	_, device := w.replaced(t, models.ReplaceErr, storetest.At)
	err := w.bind(t, device, storetest.At)
	wantFault(t, err, models.TokenAlreadyRegistered)
	if got := fmt.Sprint(models.FaultOf(err).Allowed); got != "[resync suspend revoke]" {
		t.Errorf("allowed %s", got)
	}
	w.revokeToken(t, storetest.At)
	if c := w.again(t); c.Phase != models.PendingRegistration {
		t.Fatalf("without a token the credential is %s", c.Phase)
	}
	wantFault(t, w.bind(t, w.device, storetest.At), models.SerialIncorrect)
	wrong := *device
	wrong.Next = 5000
	wantFault(t, w.bind(t, &wrong, storetest.At), models.OTPIncorrect)
	storetest.Must(t, w.bind(t, device, storetest.At))
	before, now := w.credential, w.again(t)
	if now.Phase != models.CredentialActive || now.Level != before.Level || !now.ExpiresAt.Equal(before.ExpiresAt) || now.OrderLineID != before.OrderLineID {
		t.Errorf("became %+v, was %+v", now, before)
	}
	if v, err := w.Verify(t.Context(), store.VerificationRequest{CredentialID: now.ID, Code: device.Press(codeNow)}, w.ring, storetest.At, codeNow); err != nil || v.Result != models.Accepted {
		t.Errorf("the new token's code: %v %v", v.Result, err)
	}
	if token, err := w.Token(t.Context(), w.device.Serial); err != nil || token.Status != models.TokenRetired {
		t.Errorf("the old token is %s, %v", token.Status, err)
	}
	wantFault(t, w.bind(t, device, storetest.At), models.TokenAlreadyRegistered)
}

// MGT-6: a free replacement carries on with the warranty of the token that it replaced; one that was paid for has its own.
func TestWarrantyOfReplacements(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		reason models.ReplacementReason
		free   bool // 40 days later
	}{"after a free one": {models.ReplaceErr, false}, "after one that was paid for": {models.ReplaceDamaged, true}} {
		w := newRenewing(t)
		at := storetest.At.AddDate(0, 0, 30)
		_, device := w.replaced(t, c.reason, at)
		w.revokeToken(t, at)
		storetest.Must(t, w.bind(t, device, at))
		q, err := w.QuoteOrder(t.Context(), storetest.Replacement(w.person.ID, "", w.credential, models.ReplaceErr), at.AddDate(0, 0, 40))
		storetest.Must(t, err)
		if q.Lines[0].Warranty != c.free {
			t.Errorf("%s: %+v", name, q.Lines[0])
		}
	}
}

// MGT-6, ORD-5: a replacement for a credential that was revoked before the money came is not sent but credited.
func TestReplacementTooLate(t *testing.T) {
	t.Parallel()
	w := newRenewing(t)
	n := storetest.Replacement(w.person.ID, models.PayByInvoice, w.credential, models.ReplaceDamaged)
	n.Lines = append(n.Lines, models.NewOrderLine{ProductSKU: storetest.TokenSKU})
	o := storetest.PlacedAt(t, w.Store, n, storetest.At)
	w.revoke(t, storetest.At)
	storetest.PayAt(t, w.Store, o, storetest.At)
	storetest.Must(t, w.FulfilOrder(t.Context(), o.Number, w.ring, storetest.At))
	if all, err := w.ShipmentsOfOrder(t.Context(), o.ID); err != nil || len(all) != 1 || all[0].OrderLineID != o.Lines[1].ID {
		t.Errorf("shipments %+v %v", all, err)
	}
	if got := query[string](t, w.Store, "select reason || ' ' || total_minor from refunds where order_id = $1", o.ID); got != "cannot_be_fulfilled 2500" {
		t.Errorf("refund: %s", got)
	}
}

// REN-2, MGT-6, REN-1: what a buyer is warned of.
func TestQuoteWarns(t *testing.T) {
	t.Parallel()
	w := newRenewing(t)
	c := w.credential
	open := storetest.BeforeExpiry(c, 10)
	buyNew := storetest.NewOrder(w.person.ID, "", storetest.TokenSKU)
	forPerson := func(buyer models.Account) models.NewOrder {
		n := storetest.NewOrder(buyer.ID, "", storetest.TokenSKU)
		n.Lines[0].BeneficiaryID = w.person.ID
		return n
	}
	renew := storetest.Renewal(w.person.ID, "", c)
	late := w.revocation(t).AddDate(0, 0, -20)
	for _, x := range []struct {
		name  string
		order models.NewOrder
		at    time.Time
		want  string
	}{
		{"new before renewal opens", buyNew, storetest.At, "[]"},
		{"new instead of a renewal", buyNew, open, "[renewal-available " + c.ID + " " + c.ExpiresAt.Format(time.DateOnly) + "]"},
		{"an administrator's new one", forPerson(w.admin), open, "[renewal-available " + c.ID + " " + c.ExpiresAt.Format(time.DateOnly) + "]"},
		{"a colleague's new one", forPerson(w.member), open, "[renewal-available  -]"},
		{"new when it is too late to renew", buyNew, w.revocation(t).Add(-time.Minute), "[]"},
		{"a renewal", renew, open, "[]"},
		{"a renewal that hardly reaches", renew, late, "[renewal-reaches " + c.ID + " 2028-11-02]"},
	} {
		q, err := w.QuoteOrder(t.Context(), x.order, x.at)
		storetest.Must(t, err)
		if got := fmt.Sprint(warnings(q)); got != x.want {
			t.Errorf("%s: %s, want %s", x.name, got, x.want)
		}
	}
	q, err := w.QuoteOrder(t.Context(), renew, open)
	storetest.Must(t, err)
	if got := q.Lines[0]; got.NewExpiry == nil || !got.NewExpiry.Equal(models.TermEnd(c.ExpiresAt, 12, models.DefaultPolicy().Location())) || q.Total.Minor != 3900 {
		t.Errorf("quoted %+v", q)
	}
	if n := query[int](t, w.Store, "select count(*) from orders where status = 'draft'"); n != 0 {
		t.Error("a quote left an order behind")
	}
}

// MGT-6: a renewal warns of a token that was bought over three years ago, before it is ordered and on the order itself; a replacement is
// young again.
func TestQuoteWarnsOfOldToken(t *testing.T) {
	t.Parallel()
	w := newRenewing(t)
	for year := 1; year <= 2; year++ {
		at := storetest.BeforeExpiry(w.again(t), 10)
		storetest.FulfilledAt(t, w.Store, w.ring, storetest.Renewal(w.person.ID, models.PayByInvoice, w.credential), at)
	}
	expiry := w.again(t).ExpiresAt
	for at, want := range map[time.Time]string{
		expiry.AddDate(0, 0, -1): "[]",
		expiry.AddDate(0, 0, 1):  "[token-old " + w.credential.ID + " 2026-11-02]",
	} {
		o := storetest.PlacedAt(t, w.Store, storetest.Renewal(w.person.ID, models.PayByInvoice, w.credential), at)
		q, err := w.QuoteOfOrder(t.Context(), o, at)
		storetest.Must(t, err)
		if got := fmt.Sprint(warnings(q)); got != want || q.Total != o.Total() {
			t.Errorf("%v: %s, want %s; total %s", at, got, want, q.Total)
		}
		storetest.Must(t, w.CancelOrder(t.Context(), o.Number, "test", models.CancelMistake, at))
	}
	_, device := w.replaced(t, models.ReplaceDeadBattery, expiry.AddDate(0, 0, -5))
	w.revokeToken(t, expiry.AddDate(0, 0, -5))
	storetest.Must(t, w.bind(t, device, expiry.AddDate(0, 0, -5)))
	q, err := w.QuoteOrder(t.Context(), storetest.Renewal(w.person.ID, models.PayByCard, w.credential), expiry.AddDate(0, 0, 1))
	storetest.Must(t, err)
	if got := fmt.Sprint(warnings(q)); got != "[]" {
		t.Errorf("a new token: %s", got)
	}
}

func warnings(q models.Quote) (all []string) {
	for _, line := range q.Lines {
		for _, w := range line.Warnings {
			day := "-"
			if w.At != nil {
				day = w.At.Format(time.DateOnly)
			}
			all = append(all, fmt.Sprintf("%s %s %s", w.Kind, w.CredentialID, day))
		}
	}
	return all
}
