package store_test

import (
	"context"
	"testing"
	"time"

	"tokendesk/models"
	"tokendesk/models/store/storetest"
)

// exhausted is an upgrade whose attempts are used up.
func exhausted(t *testing.T) (renewing, *identity) {
	t.Helper()
	w := newRenewing(t)
	_, i := w.upgrading(t)
	i.exhaust(t)
	return w, i
}

func (w renewing) buyAttempt(t *testing.T, at time.Time) models.Order {
	t.Helper()
	return storetest.FulfilledAt(t, w.Store, w.ring, storetest.Attempt(models.PayByInvoice, w.credential), at)
}

// PRF-9: once the included attempts are used up, one more is bought, by the holder in whatever session; it lets exactly one more begin.
func TestBuyAttempt(t *testing.T) {
	t.Parallel()
	w, i := exhausted(t)
	_, err := w.ChooseVideo(t.Context(), i.id, w.person.ID, i.at)
	wantFault(t, err, models.ProofingFeeDue)
	q, err := w.QuoteOrder(t.Context(), storetest.Attempt(models.PayByCard, w.credential), i.at)
	storetest.Must(t, err)
	if *q.Lines[0].Proofing != models.OrderedAttempt || q.Total.Minor != 4500 {
		t.Errorf("quoted %+v", q)
	}
	before, told := i.signals(t), i.told(t)
	o := w.buyAttempt(t, i.at)
	if l := o.Lines[0]; *l.Proofing != models.OrderedAttempt || l.ProofingCountry != nil {
		t.Errorf("ordered %+v", l)
	}
	if c := i.read(t); c.PaidAttempts != 1 || c.Exhausted(models.DefaultPolicy()) || c.EndedAt != nil {
		t.Errorf("the case is %+v", c)
	}
	if i.signals(t) == before || i.told(t) != told+" proofing_nudge" {
		t.Errorf("told %s", i.told(t))
	}
	_, err = w.DraftOrder(t.Context(), storetest.Attempt(models.PayByInvoice, w.credential), i.at)
	wantFault(t, err, models.ActionNotPossible)
	i.posted(t)
	_, err = w.ReportCodeLost(t.Context(), i.id, w.person.ID, i.at)
	storetest.Must(t, err)
	_, err = w.ChooseVideo(t.Context(), i.id, w.person.ID, i.at)
	wantFault(t, err, models.ProofingFeeDue)
	w.buyAttempt(t, i.at)
	storetest.Must(t, i.proofed(t))
	if w.level(t) != 3 {
		t.Error("the level did not rise")
	}
}

// PRF-9: attempts are bought for proofings of any purpose, also those of credentials that come with it.
func TestBuyAttemptForActivation(t *testing.T) {
	t.Parallel()
	i := newIdentity(t)
	i.exhaust(t)
	storetest.FulfilledAt(t, i.Store, i.ring, storetest.Attempt(models.PayByInvoice, i.credential(t)), i.at)
	storetest.Must(t, i.proofed(t))
	if c := i.credential(t); c.Level != 3 || c.Phase != models.PendingRegistration {
		t.Errorf("the credential is %s at level %d", c.Phase, c.Level)
	}
}

// PRF-9: who and what is refused.
func TestAttemptIsRefused(t *testing.T) {
	t.Parallel()
	w, i := exhausted(t)
	for name, c := range map[string]struct {
		change func(*models.NewOrder)
		want   *models.FaultType
	}{
		"an administrator's":       {func(n *models.NewOrder) { n.BuyerID = w.admin.ID }, models.CredentialUnknown},
		"a colleague's":            {func(n *models.NewOrder) { n.BuyerID = w.member.ID }, models.CredentialUnknown},
		"in another country":       {func(n *models.NewOrder) { n.Lines[0].ProofingCountry = "DE" }, models.InvalidRequest},
		"for somebody else":        {func(n *models.NewOrder) { n.Lines[0].BeneficiaryID = w.admin.ID }, models.BeneficiaryUnknown},
		"another product of a sku": {func(n *models.NewOrder) { n.Lines[0].ProductSKU = "HW-NONE" }, models.ProductUnavailable},
	} {
		n := storetest.Attempt(models.PayByInvoice, w.credential)
		c.change(&n)
		_, err := w.DraftOrder(t.Context(), n, i.at)
		t.Log(name)
		wantFault(t, err, c.want)
	}
	storetest.Must(t, w.SuspendCredential(t.Context(), w.credential.ID, models.BySubscriber, person, i.at))
	_, err := w.DraftOrder(t.Context(), storetest.Attempt(models.PayByInvoice, w.credential), i.at)
	wantFault(t, err, models.ActionNotPossible)
	storetest.Must(t, w.ReenableCredential(t.Context(), w.credential.ID, models.BySubscriber, person, i.at))
	got := atOnce(5, func(int) error {
		_, err := w.DraftOrder(context.Background(), storetest.Attempt(models.PayByInvoice, w.credential), i.at)
		return err
	})
	if got[""] != 1 || got[models.ProofingOrderPending.Slug] != 4 {
		t.Errorf("answered %v", got)
	}
}

// PRF-9, ORD-5: an attempt that was not begun is taken back; one that was begun or used up is not given back.
func TestRefundOfAttempt(t *testing.T) {
	t.Parallel()
	w, i := exhausted(t)
	unused := w.buyAttempt(t, i.at)
	_, err := w.refund(t, unused, billing, i.at)
	storetest.Must(t, err)
	w.shop(t).wantOrder(unused, models.OrderRefunded)
	if c := i.read(t); c.PaidAttempts != 0 || !c.Exhausted(models.DefaultPolicy()) || c.EndedAt != nil {
		t.Errorf("the case is %+v", c)
	}
	used := w.buyAttempt(t, i.at)
	i.posted(t)
	_, err = w.refund(t, used, billing, i.at)
	wantFault(t, err, models.ProofingNotRefundable) // begun
	_, err = w.ReportCodeLost(t.Context(), i.id, w.person.ID, i.at)
	storetest.Must(t, err)
	_, err = w.refund(t, used, billing, i.at)
	wantFault(t, err, models.ProofingNotRefundable) // used up
	last := w.buyAttempt(t, i.at)
	_, err = w.refund(t, used, billing, i.at)
	wantFault(t, err, models.ProofingNotRefundable) // the unused attempt is another line's
	storetest.Must(t, i.proofed(t))
	for _, o := range []models.Order{used, last} {
		_, err = w.refund(t, o, billing, i.at)
		wantFault(t, err, models.ProofingNotRefundable)
	}
}

// PRF-9, REN-4: an attempt whose proofing was given up before it was paid for is credited.
func TestAttemptOfAbandonedProofing(t *testing.T) {
	t.Parallel()
	w := newRenewing(t)
	upgrade, i := w.upgrading(t)
	i.exhaust(t)
	o := storetest.PlacedAt(t, w.Store, storetest.Attempt(models.PayByInvoice, w.credential), i.at)
	_, err := w.refund(t, upgrade, billing, i.at)
	storetest.Must(t, err)
	storetest.PayAt(t, w.Store, o, i.at)
	storetest.Must(t, w.FulfilOrder(t.Context(), o.Number, w.ring, i.at))
	w.shop(t).wantOrder(o, models.OrderRefunded)
	if c := i.read(t); c.Status != models.ProofingAbandoned || c.PaidAttempts != 0 {
		t.Errorf("the case is %+v", c)
	}
}
