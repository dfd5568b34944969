package store_test

import (
	"testing"
	"time"

	"tokendesk/models"
	"tokendesk/models/store/storetest"
)

// PRF-10, REN-4: nothing is kept for an upgrade of a credential that was revoked between order and fulfilment.
func TestRevokedBeforeUpgrade(t *testing.T) {
	t.Parallel()
	st, ring := storetest.New(t), storetest.Keyring(t)
	t.Run("unpaid", func(t *testing.T) {
		t.Parallel()
		w := renewingIn(t, st, ring)
		o := storetest.PlacedAt(t, st, storetest.Upgrade(models.PayByInvoice, w.credential), storetest.At)
		w.revoke(t, storetest.At)
		w.shop(t).wantOrder(o, models.OrderCancelled)
		if r := storetest.PayAt(t, st, o, storetest.At); r.Unapplied() != 4500 {
			t.Errorf("paid all the same: %+v", r)
		}
	})
	t.Run("unpaid, with something else", func(t *testing.T) {
		t.Parallel()
		w := renewingIn(t, st, ring)
		n := storetest.Upgrade(models.PayByInvoice, w.credential)
		n.Lines = append(n.Lines, models.NewOrderLine{ProductSKU: storetest.TokenSKU})
		o := storetest.PlacedAt(t, st, n, storetest.At)
		w.revoke(t, storetest.At)
		storetest.PayAt(t, st, o, storetest.At)
		storetest.Must(t, st.FulfilOrder(t.Context(), o.Number, ring, storetest.At))
		w.shop(t).wantOrder(o, models.OrderFulfilled)
		w.credited(t, o, 4500)
	})
	t.Run("paid", func(t *testing.T) {
		t.Parallel()
		w := renewingIn(t, st, ring)
		o := storetest.PlacedAt(t, st, storetest.Upgrade(models.PayByInvoice, w.credential), storetest.At)
		storetest.PayAt(t, st, o, storetest.At)
		w.revoke(t, storetest.At)
		storetest.Must(t, st.FulfilOrder(t.Context(), o.Number, ring, storetest.At))
		w.shop(t).wantOrder(o, models.OrderRefunded)
		w.credited(t, o, 4500)
	})
	t.Run("at the same moment", func(t *testing.T) {
		t.Parallel()
		for range 5 {
			w := renewingIn(t, st, ring)
			o := storetest.PlacedAt(t, st, storetest.Upgrade(models.PayByInvoice, w.credential), storetest.At)
			storetest.PayAt(t, st, o, storetest.At)
			got := atOnce(2, func(i int) error {
				if i == 0 {
					return st.RevokeCredential(t.Context(), models.Revocation{CredentialID: w.credential.ID, Reason: models.RevokeStolen, By: models.BySubscriber}, ring, storetest.Hasher, person, storetest.At)
				}
				return st.FulfilOrder(t.Context(), o.Number, ring, storetest.At)
			})
			if got[""] != 2 {
				t.Fatalf("answered %v", got)
			}
			abandoned := query[int](t, st, "select count(*) from proofing_cases where credential_id = $1 and status = 'abandoned'", w.credential.ID)
			all := query[int](t, st, "select count(*) from proofing_cases where credential_id = $1", w.credential.ID)
			refunded := query[int](t, st, "select count(*) from orders where id = $1 and status = 'refunded'", o.ID)
			if abandoned != all || all+refunded != 1 {
				t.Errorf("%d proofings, %d of them abandoned; refunded %d", all, abandoned, refunded)
			}
		}
	})
}

// credited reports an amount that goes back to the buyer of an order by itself.
func (w renewing) credited(t *testing.T, o models.Order, minor int) {
	t.Helper()
	if got := query[int](t, w.Store, "select coalesce(sum(total_minor), 0) from refunds where order_id = $1 and reason = 'cannot_be_fulfilled'", o.ID); got != minor {
		t.Errorf("credited %d, want %d", got, minor)
	}
	if n := query[int](t, w.Store, "select count(*) from proofing_cases where credential_id = $1", w.credential.ID); n != 0 {
		t.Errorf("%d proofings were opened", n)
	}
}

// refund asks for the refund of an order's first line.
func (w renewing) refund(t *testing.T, o models.Order, actor models.Actor, at time.Time) (models.Refund, error) {
	t.Helper()
	return w.RequestRefund(t.Context(), models.RefundRequest{OrderNumber: o.Number, Positions: []int{1}, Reason: models.RefundNotNeeded}, actor, at)
}

// PRF-10, ORD-5: an upgrade that nobody was proofed by is given back, and its proofing abandoned with what was arranged for it; the credential stays as it
// was, and another upgrade can be bought.
func TestRefundOfUpgrade(t *testing.T) {
	t.Parallel()
	w := newRenewing(t)
	o, i := w.upgrading(t)
	code := i.posted(t)
	r, err := w.refund(t, o, billing, i.at)
	storetest.Must(t, err)
	w.shop(t).wantStatus(r, models.RefundPaying)
	w.shop(t).wantOrder(o, models.OrderRefunded)
	if c := i.read(t); c.Status != models.ProofingAbandoned || i.signals(t) == 0 {
		t.Errorf("the proofing is %s", c.Status)
	}
	wantFault(t, i.enter(t, code), models.ActivationCodeWrong)
	if c := w.again(t); c.Phase != models.CredentialActive || w.level(t) != 2 {
		t.Errorf("the credential is %s", c.Phase)
	}
	_, again := w.upgradingAt(t, i.at.Add(time.Hour))
	if again.id == i.id {
		t.Error("the abandoned proofing goes on")
	}
	storetest.Must(t, again.proofed(t))
	if w.level(t) != 3 {
		t.Error("the second one did not raise the level")
	}
}

// PRF-10, ORD-5: what has been had is not given back, also when it was had while the refund waited for a second person.
func TestProofedUpgradeStays(t *testing.T) {
	t.Parallel()
	w := newRenewing(t)
	o, i := w.upgrading(t)
	late := storetest.At.AddDate(0, 0, models.DefaultPolicy().Refund.SelfServiceDays+2)
	i.at = late
	waiting, err := w.refund(t, o, models.Actor{ID: w.person.ID}, late)
	storetest.Must(t, err)
	w.shop(t).wantStatus(waiting, models.RefundRequested)
	storetest.Must(t, i.proofed(t))
	wantFault(t, w.ApproveRefund(t.Context(), waiting.ID, billing, i.at), models.ProofingNotRefundable)
	w.shop(t).wantStatus(waiting, models.RefundRequested)
	storetest.Must(t, w.RejectRefund(t.Context(), waiting.ID, "the identity is proofed", billing, i.at))
	_, err = w.refund(t, o, billing, i.at)
	wantFault(t, err, models.ProofingNotRefundable)
	if c := i.read(t); c.Status != models.ProofingCompleted || w.level(t) != 3 {
		t.Errorf("the proofing is %s", c.Status)
	}
}

// PRF-10: an upgrade is had or given back, whoever comes first.
func TestUpgradeRacesRefund(t *testing.T) {
	t.Parallel()
	st, ring := storetest.New(t), storetest.Keyring(t)
	for range 5 {
		w := renewingIn(t, st, ring)
		o, i := w.upgrading(t)
		code := i.posted(t)
		got := atOnce(2, func(n int) error {
			if n == 0 {
				_, err := w.refund(t, o, billing, i.at)
				return err
			}
			return i.enter(t, code)
		})
		c, level := i.read(t), w.level(t)
		proofed := c.Status == models.ProofingCompleted && level == 3 && got[models.ProofingNotRefundable.Slug] == 1
		abandoned := c.Status == models.ProofingAbandoned && level == 2 && got[models.ActivationCodeWrong.Slug] == 1
		if got[""] != 1 || !proofed && !abandoned {
			t.Errorf("answered %v; the proofing is %s, the level %d", got, c.Status, level)
		}
	}
}
