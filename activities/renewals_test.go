package activities_test

import (
	"strings"
	"testing"
	"time"

	"tokendesk/activities"
	"tokendesk/activities/gateway/mail/mailbox"
	"tokendesk/activities/gateway/payment/simulator"
	"tokendesk/activities/gateway/sandbox"
	"tokendesk/internal/seal"
	"tokendesk/internal/testpg"
	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
)

// bought is an active credential in a house whose orders run.
type bought struct {
	*store.Store
	ring       *seal.Keyring
	orders     *activities.Orders
	processor  *simulator.Simulator
	person     models.Account
	credential models.Credential
}

func newBought(t *testing.T) bought {
	t.Helper()
	st, ring := storetest.New(t), storetest.Keyring(t)
	outside, err := sandbox.Open(t.Context(), testpg.Empty(t))
	storetest.Must(t, err)
	t.Cleanup(outside.Close)
	processor, err := simulator.New(t.Context(), outside, simulator.Config{})
	storetest.Must(t, err)
	person := storetest.Account(t, st)
	c, _ := storetest.Registered(t, st, ring, person, storetest.EventDevice, time.Date(2026, 1, 15, 8, 30, 10, 0, time.UTC))
	return bought{st, ring, &activities.Orders{Store: st, Payments: processor, Sealer: ring}, processor, person, c}
}

// draft drafts an order and runs its lifecycle to the end.
func (b bought) live(t *testing.T, n models.NewOrder, at time.Time) models.Order {
	t.Helper()
	draft, err := b.DraftOrder(t.Context(), n, at)
	storetest.Must(t, err)
	liveFrom(t, b.orders, draft.Number, at)
	return storetest.Order(t, b.Store, draft.Number)
}

// REN-1, MGT-6: a renewal by card and a replacement that costs nothing go the way of every order, to the end, without a new step.
func TestOrdersForACredentialGoTheirWay(t *testing.T) {
	t.Parallel()
	b := newBought(t)
	free := b.live(t, storetest.Replacement(b.person.ID, models.PayByCard, b.credential, models.ReplaceErr), storetest.At)
	if charges, err := b.processor.Charges(t.Context(), free.Number); err != nil || free.Status != models.OrderFulfilled || len(charges) != 0 {
		t.Errorf("the free order is %s, charges %v, %v", free.Status, charges, err)
	}
	renewal := b.live(t, storetest.Renewal(b.person.ID, models.PayByCard, b.credential), storetest.BeforeExpiry(b.credential, 3))
	c, _, err := b.Credential(t.Context(), b.credential.ID)
	storetest.Must(t, err)
	if renewal.Status != models.OrderFulfilled || c.ExpiresAt.Sub(b.credential.ExpiresAt) < 365*24*time.Hour {
		t.Errorf("the renewal is %s, the term ends at %v", renewal.Status, c.ExpiresAt)
	}
}

// ORD-5, REN-4: a renewal that is ordered in the last days is not reminded of before it is placed, nor when the money would come too late, and lapses
// unpaid like any order.
func TestUnpaidRenewalIsRemindedInTime(t *testing.T) {
	t.Parallel()
	b := newBought(t)
	at := b.credential.ExpiresAt.AddDate(1, 0, -8)
	o := b.live(t, storetest.Renewal(b.person.ID, models.PayByInvoice, b.credential), at)
	all, err := b.NoticesAbout(t.Context(), o.Number, store.Page{Limit: 200})
	storetest.Must(t, err)
	var kinds []string
	for _, n := range all {
		if kinds = append(kinds, string(n.Kind)+" "+n.Params["milestone"]); n.CreatedAt.Before(at) {
			t.Errorf("%s was sent at %v", n.Kind, n.CreatedAt)
		}
	}
	want := "order_confirmation |invoice_reminder invoice_reminder_due|order_cancelled "
	if got := strings.Join(kinds, "|"); got != want {
		t.Errorf("mails %s, want %s", got, want)
	}
}

// ORD-6, REN-1, MGT-6: what is mailed about a renewal and a replacement promises neither license keys nor money to pay.
func TestMailsOfOrdersForACredential(t *testing.T) {
	t.Parallel()
	b := newBought(t)
	storetest.Stock(t, b.Store, b.ring, storetest.TokenModel, storetest.EventDevice, 1)
	free := storetest.FulfilledAt(t, b.Store, b.ring, storetest.Replacement(b.person.ID, "", b.credential, models.ReplaceErr), storetest.At)
	storetest.Shipped(t, b.Store, free, 1)
	at := storetest.BeforeExpiry(b.credential, 5)
	renewal := storetest.PlacedAt(t, b.Store, storetest.Renewal(b.person.ID, models.PayByInvoice, b.credential), at)
	p := newPost(t, b.Store, b.ring)
	p.deliver(t, at)
	mails := map[string]mailbox.Mail{}
	for _, m := range p.received(t) {
		if !strings.Contains(m.Subject, free.Number) && !strings.Contains(m.Subject, renewal.Number) {
			continue
		}
		mails[m.Subject] = m
		if strings.Contains(m.Text, "icense key follows") || strings.Contains(m.Text, "activate the license key") {
			t.Errorf("%q promises a key: %s", m.Subject, m.Text)
		}
	}
	has := func(subject string, papers int, texts ...string) {
		t.Helper()
		m, ok := mails[subject]
		if !ok || len(m.Attachments) != papers {
			t.Errorf("%q with %d papers among %d mails", subject, len(m.Attachments), len(mails))
		}
		for _, text := range texts {
			if !strings.Contains(m.Text, text) {
				t.Errorf("%q does not say %q: %s", subject, text, m.Text)
			}
		}
	}
	has("Your order "+free.Number, 1, "nothing to pay", "revoke the old one")
	has("Your token is on its way ("+free.Number+")", 0, "revoke the old one, then register the new one")
	has("Your order "+renewal.Number, 2, "Please pay USD 39.00", "takes effect with the payment")
}
