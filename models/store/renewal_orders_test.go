package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"tokendesk/internal/seal"
	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
)

// renewing is a person with an active credential, in an organization that somebody administers.
type renewing struct {
	*store.Store
	ring       *seal.Keyring
	person     models.Account
	admin      models.Account
	member     models.Account
	credential models.Credential
	device     *storetest.Device
}

func newRenewing(t *testing.T) renewing {
	t.Helper()
	return renewingIn(t, storetest.New(t), storetest.Keyring(t))
}

func renewingIn(t *testing.T, st *store.Store, ring *seal.Keyring) renewing {
	t.Helper()
	org := storetest.Organization(t, st)
	w := renewing{Store: st, ring: ring, person: storetest.Account(t, st, storetest.In(org)), member: storetest.Account(t, st, storetest.In(org)),
		admin: storetest.Account(t, st, storetest.In(org), storetest.WithRoles(models.RoleSubscriber, models.RoleOrgAdmin))}
	w.credential, w.device = storetest.Registered(t, st, ring, w.person, storetest.EventDevice, codeNow)
	return w
}

func (w renewing) again(t *testing.T) models.Credential {
	t.Helper()
	c, _, err := w.Credential(t.Context(), w.credential.ID)
	storetest.Must(t, err)
	return c
}

func (w renewing) revoke(t *testing.T, at time.Time) {
	t.Helper()
	storetest.Must(t, w.RevokeCredential(t.Context(), models.Revocation{CredentialID: w.credential.ID, Reason: models.RevokeStolen, By: models.BySubscriber},
		w.ring, storetest.Hasher, models.Actor{ID: w.person.ID}, at))
}

// revocation is when time revokes the credential.
func (w renewing) revocation(t *testing.T) time.Time {
	t.Helper()
	timeline, err := w.CredentialTimeline(t.Context(), w.again(t), storetest.At)
	storetest.Must(t, err)
	last := timeline[len(timeline)-1]
	if last.Name != models.CredentialRevokes {
		t.Fatalf("the timeline ends with %s", last.Name)
	}
	return last.At
}

// eve lets everything happen that comes before the revocation by time, and returns when that is. The reminders have arrived.
func (w renewing) eve(t *testing.T) time.Time {
	t.Helper()
	at := w.revocation(t)
	if _, err := w.AdvanceCredential(t.Context(), w.credential.ID, at.Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	for _, n := range notices(t, w.Store, w.credential.ID) {
		storetest.Must(t, w.NoticeSent(t.Context(), n.ID, at))
	}
	return at
}

// REN-1, REN-3: what a renewal order is refused for, and what is allowed instead.
func TestRenewalIsRefused(t *testing.T) {
	t.Parallel()
	w := newRenewing(t)
	stranger := storetest.Account(t, w.Store, storetest.WithRoles(models.RoleSubscriber, models.RoleOrgAdmin))
	proofed := storetest.Activated(t, w.Store, w.ring, w.person, storetest.FulfilledOrder(t, w.Store, w.ring, w.person.ID, storetest.ProofedTokenSKU), 1)
	open, revocation := storetest.BeforeExpiry(w.credential, 10), w.revocation(t)
	state := func(n *models.NewOrder) {}
	cases := []struct {
		name    string
		buyer   models.Account
		method  models.PaymentMethod
		at      time.Time
		change  func(*models.NewOrder)
		want    *models.FaultType
		allowed string
	}{
		{"a day too early", w.person, models.PayByCard, storetest.BeforeExpiry(w.credential, 31), state, models.RenewalNotOpen, "[resync suspend replace revoke]"},
		{"in time", w.person, models.PayByCard, open, state, nil, ""},
		{"an administrator's", w.admin, models.PayByInvoice, open, state, nil, ""},
		{"an invoice that could not be paid in time", w.person, models.PayByInvoice, revocation.AddDate(0, 0, -4), state, models.RenewalByCardOnly, "[suspend renew revoke]"},
		{"by card then", w.person, models.PayByCard, revocation.AddDate(0, 0, -4), state, nil, ""},
		{"after the last moment", w.person, models.PayByCard, revocation.Add(-time.Minute), state, models.RenewalTooLate, "[suspend revoke]"},
		{"a stranger's", stranger, models.PayByCard, open, state, models.CredentialUnknown, "[]"},
		{"a colleague's", w.member, models.PayByCard, open, state, models.CredentialUnknown, "[]"},
		{"nobody's", w.person, models.PayByCard, open, func(n *models.NewOrder) { n.Lines[0].CredentialID = "cr_none" }, models.CredentialUnknown, "[]"},
		{"of nothing", w.person, models.PayByCard, open, func(n *models.NewOrder) { n.Lines[0].CredentialID = "" }, models.InvalidRequest, "[]"},
		{"with proofing, of a credential without", w.person, models.PayByCard, open, func(n *models.NewOrder) { n.Lines[0].ProductSKU = storetest.ProofedRenewalSKU }, models.ProductDoesNotFit, "[]"},
		{"without proofing, of a credential with", w.person, models.PayByCard, open, func(n *models.NewOrder) { n.Lines[0].CredentialID = proofed.ID }, models.ProductDoesNotFit, "[]"},
		{"twice in one order", w.person, models.PayByCard, open, func(n *models.NewOrder) { n.Lines = append(n.Lines, n.Lines[0]) }, models.InvalidRequest, "[]"},
		{"for somebody else", w.admin, models.PayByCard, open, func(n *models.NewOrder) { n.Lines[0].BeneficiaryID = w.admin.ID }, models.BeneficiaryUnknown, "[]"},
		{"for a reason", w.person, models.PayByCard, open, func(n *models.NewOrder) { n.Lines[0].ReplacementReason = models.ReplaceLost }, models.InvalidRequest, "[]"},
		{"a new credential in place of an old one", w.person, models.PayByCard, open, func(n *models.NewOrder) { n.Lines[0].ProductSKU = storetest.TokenSKU }, models.InvalidRequest, "[]"},
		{"without a card", w.person, models.PayByCard, open, func(n *models.NewOrder) { n.CardPaymentMethod = "" }, models.PaymentMethodMissing, "[]"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			n := storetest.Renewal(c.buyer.ID, c.method, w.credential)
			c.change(&n)
			o, err := w.DraftOrder(t.Context(), n, c.at)
			wantFault(t, err, c.want)
			if c.want == nil { // out of the way of the next case
				if o.Lines[0].BeneficiaryID != w.person.ID || *o.Lines[0].CredentialID != w.credential.ID || o.TotalMinor != 3900 {
					t.Errorf("drafted %+v", o)
				}
				if _, err := w.Pool().Exec(t.Context(), "update orders set status = 'refused' where id = $1", o.ID); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got := fmt.Sprint(models.FaultOf(err).Allowed); got != c.allowed {
				t.Errorf("allowed %s, want %s", got, c.allowed)
			}
		})
	}
	storetest.PlacedAt(t, w.Store, storetest.Renewal(w.admin.ID, models.PayByInvoice, w.credential), open)
	_, err := w.DraftOrder(t.Context(), storetest.Renewal(w.person.ID, models.PayByCard, w.credential), open)
	wantFault(t, err, models.RenewalPending)
	w.revoke(t, open)
	_, err = w.DraftOrder(t.Context(), storetest.Renewal(w.person.ID, models.PayByCard, w.credential), open)
	wantFault(t, err, models.CredentialIsRevoked)
}

// REN-1: of renewals of one credential that come at the same moment, one is drafted.
func TestRenewalsAtTheSameMoment(t *testing.T) {
	t.Parallel()
	w := newRenewing(t)
	got := atOnce(8, func(int) error {
		_, err := w.DraftOrder(context.Background(), storetest.Renewal(w.person.ID, models.PayByInvoice, w.credential), storetest.BeforeExpiry(w.credential, 5))
		return err
	})
	if got[""] != 1 || got[models.RenewalPending.Slug] != 7 {
		t.Fatalf("answers %v", got)
	}
}

// REN-1, REN-2, REN-3: an administrator renews for self and for another in one order by invoice; nothing happens before it is paid, then both
// terms move from their old ends, what time had suspended is active again, and there is neither a key nor a token.
func TestRenewalOfSelfAndOthers(t *testing.T) {
	t.Parallel()
	w := newRenewing(t)
	mine, _ := storetest.Registered(t, w.Store, w.ring, w.admin, storetest.EventDevice, codeNow)
	at := storetest.BeforeExpiry(w.credential, -320) // suspended by time
	for _, c := range []models.Credential{w.credential, mine} {
		if s, err := w.AdvanceCredential(t.Context(), c.ID, at); err != nil || s.Status != models.ShownSuspended {
			t.Fatalf("%s %v", s.Status, err)
		}
	}
	o := storetest.PlacedAt(t, w.Store, storetest.Renewal(w.admin.ID, models.PayByInvoice, w.credential, mine), at)
	if c := w.again(t); c.TermSuspendedAt == nil || !c.ExpiresAt.Equal(w.credential.ExpiresAt) {
		t.Fatal("an unpaid renewal took effect")
	}
	storetest.PayAt(t, w.Store, o, at.AddDate(0, 0, 3))
	got := atOnce(5, func(int) error { return w.FulfilOrder(context.Background(), o.Number, w.ring, at.AddDate(0, 0, 3)) })
	if got[""] != 5 {
		t.Fatalf("answers %v", got)
	}
	for _, c := range []models.Credential{w.credential, mine} {
		now, _, err := w.Credential(t.Context(), c.ID)
		storetest.Must(t, err)
		want := models.TermEnd(c.ExpiresAt, 12, models.DefaultPolicy().Location())
		if !now.ExpiresAt.Equal(want) || now.ExpiredAt != nil || now.Displayed(false, at.AddDate(0, 0, 3)) != models.ShownActive || now.Phase != models.CredentialActive {
			t.Errorf("renewed to %+v, want %v", now, want)
		}
		if n := query[int](t, w.Store, "select count(*) from audit_events where kind = 'credential.renewed' and credential_id = $1", c.ID); n != 1 {
			t.Errorf("renewed %d times", n)
		}
	}
	if n := query[int](t, w.Store, "select (select count(*) from license_keys k join order_lines l on l.id = k.order_line_id where l.order_id = $1) + (select count(*) from shipments s join order_lines l on l.id = s.order_line_id where l.order_id = $1)", o.ID); n != 0 {
		t.Errorf("%d keys and shipments", n)
	}
	wantFault(t, w.ResendLicenseKey(t.Context(), o.Number, 1, w.ring, models.Actor{ID: "ak_support"}, at), models.NoSuchThing)
	_, err := w.Pool().Exec(t.Context(), `insert into license_keys (id, order_line_id, status, hash, last_four, issued_at, expires_at)
		values ('lk_x', $1, 'issued', '\x00', 'AAAA', now(), now() + interval '1 year')`, o.Lines[0].ID)
	if err == nil {
		t.Error("the database let a renewal have a license key")
	}
}

// REN-4: a payment, its consequences and the revocation by time at the same moment: either it is renewed, or the order has lapsed and the
// money is owed. What was paid first renews. Never both, never neither.
func TestRenewalRacesRevocation(t *testing.T) {
	t.Parallel()
	st, ring, seen := storetest.New(t), storetest.Keyring(t), map[string]int{}
	for round := 0; round < 12 || len(seen) < 2 && round < 100; round++ {
		w := renewingIn(t, st, ring)
		at, owed := w.eve(t), w.owed(t)
		o := storetest.PlacedAt(t, w.Store, storetest.Renewal(w.person.ID, models.PayByInvoice, w.credential), at.AddDate(0, 0, -20))
		paid := at.AddDate(0, 0, -3) // in time; the engine was away since
		var wg sync.WaitGroup
		if round%2 == 0 {
			storetest.PayAt(t, w.Store, o, paid)
		} else { // the payment itself is in the race, too
			wg.Go(func() { storetest.PayAt(t, w.Store, o, paid) })
		}
		start := make(chan struct{})
		wg.Go(func() {
			<-start
			if _, err := w.AdvanceCredential(context.Background(), w.credential.ID, at); err != nil {
				t.Errorf("revoke: %v", err)
			}
		})
		wg.Go(func() {
			<-start
			if err := w.FulfilOrder(context.Background(), o.Number, w.ring, paid); err != nil && !errors.Is(err, models.StateForbids) {
				t.Errorf("fulfil: %v", err)
			}
		})
		close(start)
		wg.Wait()
		became := w.settled(t, o, owed)
		if seen[became]++; round%2 == 0 && became != "renewed" {
			t.Errorf("paid in time, and %s", became)
		}
	}
	if len(seen) < 2 {
		t.Errorf("the race had one outcome only: %v", seen)
	}
}

// settled says how a renewal ended, after everything that is due was done, and that the books agree with it.
func (w renewing) settled(t *testing.T, o models.Order, owedBefore int64) string {
	t.Helper()
	c := w.again(t)
	if now := storetest.Order(t, w.Store, o.Number); now.Status == models.OrderPaid {
		storetest.Must(t, w.FulfilOrder(t.Context(), o.Number, w.ring, w.credential.ExpiresAt.AddDate(1, 0, 2)))
		c = w.again(t)
	}
	now := storetest.Order(t, w.Store, o.Number)
	owed := w.owed(t) - owedBefore
	switch {
	case c.Phase == models.CredentialActive && c.ExpiresAt.After(w.credential.ExpiresAt) && now.Status == models.OrderFulfilled && owed == 0:
		return "renewed"
	case c.Phase == models.CredentialRevoked && c.ExpiresAt.Equal(w.credential.ExpiresAt) && now.Status == models.OrderRefunded && owed == 3900:
		if r := query[string](t, w.Store, "select reason from refunds where order_id = $1", o.ID); r != string(models.RefundTooLate) {
			t.Errorf("refunded because of %s", r)
		}
		return "credited"
	case c.Phase == models.CredentialRevoked && now.Status == models.OrderCancelled && owed == 3900:
		return "lapsed, and the money is unapplied"
	}
	t.Errorf("credential %s until %v, order %s, owed %d", c.Phase, c.ExpiresAt, now.Status, owed)
	return "wrong"
}

// owed is what the books say is to be given back.
func (w renewing) owed(t *testing.T) int64 {
	t.Helper()
	return -balance(t, w.Store, "refunds_payable") - balance(t, w.Store, "unapplied_cash")
}

func balance(t *testing.T, st *store.Store, account string) int64 {
	t.Helper()
	sum, err := st.Balance(t.Context(), account, models.USD)
	storetest.Must(t, err)
	return sum
}

// REN-4: what came too late is credited, and the other lines of the order are fulfilled.
func TestRenewalTooLateAmongOthers(t *testing.T) {
	t.Parallel()
	w := newRenewing(t)
	mine, _ := storetest.Registered(t, w.Store, w.ring, w.admin, storetest.EventDevice, codeNow)
	at := storetest.BeforeExpiry(w.credential, 10)
	n := storetest.Renewal(w.admin.ID, models.PayByInvoice, w.credential, mine)
	n.Lines = append(n.Lines, models.NewOrderLine{ProductSKU: storetest.TokenSKU})
	o := storetest.PlacedAt(t, w.Store, n, at)
	w.revoke(t, at)
	if now := storetest.Order(t, w.Store, o.Number); now.Status != models.OrderPlaced {
		t.Fatalf("an order with something left in it is %s", now.Status)
	}
	storetest.PayAt(t, w.Store, o, at)
	storetest.Must(t, w.FulfilOrder(t.Context(), o.Number, w.ring, at))
	if now := storetest.Order(t, w.Store, o.Number); now.Status != models.OrderFulfilled || -balance(t, w.Store, "refunds_payable") != 3900 {
		t.Errorf("order %s, owed %d", now.Status, -balance(t, w.Store, "refunds_payable"))
	}
	if now, _, _ := w.Credential(t.Context(), mine.ID); !now.ExpiresAt.After(mine.ExpiresAt) {
		t.Error("the other credential was not renewed")
	}
	if keys, err := w.LicenseKeys(t.Context(), o.ID); err != nil || len(keys) != 1 {
		t.Errorf("keys %v %v", keys, err)
	}
}

// ORD-4, REN-4: an unpaid renewal lapses with its credential; the buyer is told why, the lifecycle hears of it, and money that still arrives
// is unapplied.
func TestRenewalLapses(t *testing.T) {
	t.Parallel()
	w := newRenewing(t)
	at := storetest.BeforeExpiry(w.credential, 10)
	o := storetest.PlacedAt(t, w.Store, storetest.Renewal(w.admin.ID, models.PayByInvoice, w.credential), at)
	w.revoke(t, at)
	now := storetest.Order(t, w.Store, o.Number)
	if now.Status != models.OrderCancelled || *now.CancelReason != string(models.CancelRevoked) {
		t.Fatalf("the order is %s", now.Status)
	}
	if got := query[string](t, w.Store, "select params->>'reason' from notices where kind = 'order_cancelled' and subject_ref = $1 and account_id = $2", o.Number, w.admin.ID); got != "credential_revoked" {
		t.Errorf("told %q", got)
	}
	if n := query[int](t, w.Store, "select count(*) from outbox where workflow_id = $1 and name = $2", "order/"+o.Number, models.SignalOrderChanged); n != 1 {
		t.Errorf("signalled %d times", n)
	}
	storetest.PayAt(t, w.Store, o, at)
	if got := -balance(t, w.Store, "unapplied_cash"); got != 3900 {
		t.Errorf("unapplied %d", got)
	}
}

// REN-4: an order whose card is being charged waits for what comes of it: taken money is credited, a decline lets the order lapse.
func TestRenewalLapsesAroundACharge(t *testing.T) {
	t.Parallel()
	for name, captured := range map[string]bool{"captured": true, "declined": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newRenewing(t)
			at := storetest.BeforeExpiry(w.credential, 10)
			o := storetest.PlacedAt(t, w.Store, storetest.Renewal(w.person.ID, models.PayByCard, w.credential), at)
			charge, err := w.LiveCharge(t.Context(), o.Number)
			storetest.Must(t, err)
			storetest.Must(t, w.ChargeAuthorized(t.Context(), charge, "pi_1", at))
			w.revoke(t, at)
			if now := storetest.Order(t, w.Store, o.Number); now.Status != models.OrderPlaced {
				t.Fatalf("the order is %s while its card is charged", now.Status)
			}
			if !captured {
				storetest.Must(t, w.ChargeDeclined(t.Context(), charge, o.Number, "insufficient funds", at))
				if now := storetest.Order(t, w.Store, o.Number); now.Status != models.OrderCancelled {
					t.Errorf("the order is %s", now.Status)
				}
				return
			}
			charge, err = w.LiveCharge(t.Context(), o.Number)
			storetest.Must(t, err)
			i, err := w.InvoiceOfOrder(t.Context(), o.ID)
			storetest.Must(t, err)
			storetest.Must(t, w.ChargeCaptured(t.Context(), charge, i.Number, at))
			storetest.Must(t, w.FulfilOrder(t.Context(), o.Number, w.ring, at))
			if got := query[string](t, w.Store, "select reason || ' ' || card_minor from refunds where order_id = $1", o.ID); got != "renewal_too_late 3900" {
				t.Errorf("refund: %s", got)
			}
		})
	}
}

// REN-1: a draft whose credential is revoked before it is placed is refused for good.
func TestPlaceRenewalOfRevoked(t *testing.T) {
	t.Parallel()
	w := newRenewing(t)
	at := storetest.BeforeExpiry(w.credential, 10)
	o, err := w.DraftOrder(t.Context(), storetest.Renewal(w.person.ID, models.PayByInvoice, w.credential), at)
	storetest.Must(t, err)
	w.revoke(t, at)
	wantFault(t, w.PlaceOrder(t.Context(), o.Number, at), models.CredentialIsRevoked)
	if now := storetest.Order(t, w.Store, o.Number); now.Status != models.OrderRefused {
		t.Errorf("the draft is %s", now.Status)
	}
}

// REN-2, LIF-4: the invoice of a renewal falls due at the last moment to renew at the latest, to the hour, no reminder precedes the order, and the order's
// timeline ends with its credential.
func TestRenewalInvoiceIsDueInTime(t *testing.T) {
	t.Parallel()
	w := newRenewing(t)
	revocation := w.revocation(t)
	placed := revocation.AddDate(0, 0, -7)
	o := storetest.PlacedAt(t, w.Store, storetest.Renewal(w.person.ID, models.PayByInvoice, w.credential), placed)
	st, err := w.Standing(t.Context(), w.credential.ID, placed)
	storetest.Must(t, err)
	i, err := w.InvoiceOfOrder(t.Context(), o.ID)
	storetest.Must(t, err)
	if want := st.Window.LastRenewal; !i.DueAt.Equal(want) {
		t.Errorf("due %v, want %v", i.DueAt, want)
	}
	timeline, err := w.OrderTimeline(t.Context(), o)
	storetest.Must(t, err)
	var got []string
	for _, m := range timeline {
		got = append(got, string(m.Name))
	}
	if want := "[invoice_reminder_due last_renewal order_lapses]"; fmt.Sprint(got) != want || !timeline[len(timeline)-1].At.Equal(revocation) {
		t.Errorf("timeline %v, want %s at %v", timeline, want, revocation)
	}
	if early := storetest.PlacedAt(t, w.Store, storetest.NewOrder(w.person.ID, models.PayByInvoice, storetest.TokenSKU), placed); true {
		i, err := w.InvoiceOfOrder(t.Context(), early.ID)
		storetest.Must(t, err)
		if want := models.InvoiceDue(placed, models.DefaultPolicy()); !i.DueAt.Equal(want) {
			t.Errorf("another order is due %v, want %v", i.DueAt, want)
		}
	}
}
