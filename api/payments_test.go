package api

import (
	"net/http"
	"slices"
	"testing"

	"tokendesk/api/gen"
	"tokendesk/models"
	"tokendesk/models/store/storetest"
)

// ORD-4, SEC-1: billing sees what is left of a payment and why, pays it out, above the limit with a second person's consent, and nobody else
// may. A repeated call does nothing twice.
func TestUnappliedIsPaidOut(t *testing.T) {
	h := newHouse(t)
	account, _ := h.person()
	billing, second := h.as(models.RoleBilling), h.as(models.RoleBilling)
	o := storetest.PlacedOrder(t, h.st, account.ID)
	paid := storetest.Pay(t, h.st, o, o.TotalMinor+60000, "too-much")
	path := "/v1/payments/" + paid.Payment.ID
	p := read[gen.Payment](h.get(billing, path).want(http.StatusOK))
	if p.Unapplied.Minor != 60000 || p.InvoiceNumber == nil || len(p.Allocations) != 1 || !slices.Equal(p.AllowedActions, []string{"apply", "pay_out", "approve_payout"}) {
		t.Errorf("payment %+v", p)
	}
	payout := func(minor int64, reference string) map[string]any {
		return map[string]any{"source_account": "DE02", "bank_reference": reference, "paid_at": h.now(), "amount": models.Money{Minor: minor, Currency: models.USD}, "reason": "was paid twice"}
	}
	h.post(h.as(models.RoleSupport), path+"/payouts", payout(1, "b0")).problem(models.NotPermitted)
	h.post(billing, "/v1/payments/py_0/payouts", payout(1, "b0")).problem(models.NoSuchThing)
	h.post(billing, path+"/payouts", payout(60001, "b0")).problem(models.PayoutDiffers)
	unreasoned := payout(1, "b0")
	delete(unreasoned, "reason")
	h.post(billing, path+"/payouts", unreasoned).problem(models.InvalidRequest)

	key := []string{idempotencyKey, "payout-1"}
	for range 2 {
		p = read[gen.Payment](h.post(billing, path+"/payouts", payout(10000, "b1"), key...).want(http.StatusCreated))
		if p.Unapplied.Minor != 50000 || len(p.Payouts) != 1 || p.Payouts[0].Amount.Minor != 10000 || p.Payouts[0].Reason != "was paid twice" || p.Payouts[0].ApprovalID != nil {
			t.Errorf("paid out %+v", p)
		}
	}
	h.post(billing, path+"/payouts", payout(100, "b1")).problem(models.PayoutRecorded)
	if refused := h.post(billing, path+"/payouts", payout(50000, "b2")).problem(models.SecondPerson); !slices.Equal(refused.AllowedActions, []string{"apply"}) {
		t.Errorf("allowed are %v", refused.AllowedActions)
	}
	consent := map[string]any{"amount": models.Money{Minor: 50000, Currency: models.USD}, "reason": "seen the bank statement"}
	p = read[gen.Payment](h.post(second, path+"/payout-approvals", consent).want(http.StatusCreated))
	if len(p.PayoutApprovals) != 1 || p.PayoutApprovals[0].Amount.Minor != 50000 || p.Unapplied.Minor != 50000 {
		t.Errorf("approved %+v", p)
	}
	h.post(second, path+"/payouts", payout(50000, "b2")).problem(models.SecondPerson) // not who approved it
	p = read[gen.Payment](h.post(billing, path+"/payouts", payout(50000, "b2")).want(http.StatusCreated))
	approved := slices.ContainsFunc(p.Payouts, func(o gen.UnappliedPayout) bool {
		return o.BankReference == "b2" && o.ApprovalID != nil && *o.ApprovalID == p.PayoutApprovals[0].ID
	})
	if p.Unapplied.Minor != 0 || len(p.AllowedActions) != 0 || !approved {
		t.Errorf("paid out %+v", p)
	}
	list := read[gen.PaymentPage](h.get(billing, "/v1/payments").want(http.StatusOK))
	if len(list.Items) != 1 || list.Items[0].Unapplied.Minor != 0 || len(list.Items[0].Payouts) != 2 {
		t.Errorf("payments %+v", list)
	}
	notice := map[string]any{"source": paid.Payment.Source, "source_account": "DE02", "bank_reference": "too-much", "amount": models.Money{Minor: paid.Payment.AmountMinor, Currency: models.USD}, "received_at": h.now()}
	again := read[gen.Payment](h.post(billing, "/v1/payments", notice).want(http.StatusOK))
	if again.Duplicate == nil || again.Unapplied.Minor != 0 || len(again.Payouts) != 2 {
		t.Errorf("notified again %+v", again)
	}
}

// ORD-4: what one invoice did not need, and what a refund has left as credit, pay another order of the same buyer; that one goes on.
func TestMoneyThatWeHavePaysAnotherOrder(t *testing.T) {
	h := newHouse(t)
	account, token := h.person()
	stranger, _ := h.person()
	billing := h.as(models.RoleBilling)
	first := storetest.PlacedOrder(t, h.st, account.ID)
	paid := storetest.Pay(t, h.st, first, first.TotalMinor+3000, "too-much")
	next, foreign := storetest.PlacedOrder(t, h.st, account.ID), storetest.PlacedOrder(t, h.st, stranger.ID)
	use := func(o models.Order) map[string]any {
		i, err := h.st.InvoiceOfOrder(t.Context(), o.ID)
		storetest.Must(t, err)
		return map[string]any{"invoice_number": i.Number, "reason": "as the buyer asked"}
	}
	path := "/v1/payments/" + paid.Payment.ID + "/applications"
	h.post(token, path, use(next)).problem(models.NotPermitted)
	h.post(billing, path, use(foreign)).problem(models.BuyersDiffer)
	h.post(billing, path, map[string]any{"invoice_number": "INV-1", "reason": "unknown"}).problem(models.ReferenceUnknown)
	h.post(billing, path, use(first)).problem(models.StateForbids) // it is paid
	p := read[gen.Payment](h.post(billing, path, use(next)).want(http.StatusOK))
	if p.Unapplied.Minor != 0 || len(p.Allocations) != 2 || p.Allocations[0].Amount.Minor+p.Allocations[1].Amount.Minor != 7900 {
		t.Errorf("payment %+v", p)
	}
	h.post(billing, path, use(next)).problem(models.NothingUnapplied)

	r := read[gen.Refund](h.post(billing, "/v1/orders/"+first.Number+"/refunds", map[string]any{"reason": "not_needed"}).want(http.StatusAccepted))
	path = "/v1/refunds/" + r.ID + "/credit-applications"
	h.post(billing, path, use(next)).problem(models.StateForbids) // not kept as credit yet
	r = read[gen.Refund](h.post(billing, "/v1/refunds/"+r.ID+"/credit", nil).want(http.StatusOK))
	if !slices.Equal(r.AllowedActions, []string{"record_payout", "apply_credit"}) {
		t.Errorf("kept %+v", r)
	}
	h.post(billing, path, use(foreign)).problem(models.BuyersDiffer)
	r = read[gen.Refund](h.post(billing, path, use(next)).want(http.StatusOK))
	if r.Status != models.RefundKept || r.CreditUsed.Minor != 1900 || r.BankDue.Minor != 3000 {
		t.Errorf("used %+v", r)
	}
	if o := read[gen.Order](h.get(token, "/v1/orders/"+next.Number).want(http.StatusOK)); o.Status != models.OrderPaid {
		t.Errorf("the order is %s", o.Status)
	}
	list := read[gen.PaymentPage](h.get(billing, "/v1/payments").want(http.StatusOK))
	if !slices.ContainsFunc(list.Items, func(p gen.Payment) bool {
		return p.Source == models.SourceCredit && p.SourceAccount == r.ID && p.Amount.Minor == 1900 && p.Unapplied.Minor == 0
	}) {
		t.Errorf("the credit is not among the payments %+v", list.Items)
	}
}
