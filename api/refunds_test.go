package api

import (
	"net/http"
	"slices"
	"testing"

	"tokendesk/api/gen"
	"tokendesk/internal/documents"
	"tokendesk/models"
	"tokendesk/models/store/storetest"
)

// ORD-5, SEC-1: a paid order is refunded; the money of a transfer is paid out or kept, a second person decides about much of it, and
// what belongs to somebody else does not exist.
func TestRefunds(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.Seller = seller })
	account, token := h.person()
	_, stranger := h.person()
	billing, second := h.as(models.RoleBilling), h.as(models.RoleBilling)
	o := storetest.PaidOrder(t, h.st, account.ID, storetest.TokenSKU, storetest.TokenSKU)
	path := "/v1/orders/" + o.Number + "/refunds"
	h.post(stranger, path, map[string]any{"reason": "not_needed"}).problem(models.NoSuchThing)
	h.post(token, path, map[string]any{"reason": "goodwill", "lines": []int{9}}).problem(models.NoSuchThing)
	h.post(token, path, map[string]any{"reason": "renewal_too_late"}).problem(models.InvalidRequest)

	made := h.post(token, path, map[string]any{"reason": "not_needed", "lines": []int{1}, "note": "one is enough"}).want(http.StatusAccepted)
	r := read[gen.Refund](made)
	if made.header.Get("Location") != "/v1/refunds/"+r.ID || r.OrderNumber != o.Number || len(r.Lines) != 1 || r.Lines[0].Position != 1 || r.Total.Minor != 4900 {
		t.Errorf("refund %+v", r)
	}
	again := map[string]any{"reason": "not_needed", "lines": []int{1}}
	if p := h.post(token, path, again).problem(models.LineInRefund); !slices.Equal(p.AllowedActions, []string{"refund"}) { // the other line
		t.Errorf("allowed are %v", p.AllowedActions)
	}
	storetest.Must(t, h.advanceRefund(r.ID))
	for _, by := range []models.Secret{token, billing, h.as(models.RoleSupport)} {
		if list := read[gen.RefundPage](h.get(by, "/v1/refunds").want(http.StatusOK)); len(list.Items) != 1 || list.Items[0].ID != r.ID {
			t.Errorf("refunds %+v", list)
		}
	}
	if list := read[gen.RefundPage](h.get(stranger, "/v1/refunds").want(http.StatusOK)); len(list.Items) != 0 {
		t.Errorf("a stranger sees %+v", list)
	}
	for _, what := range []string{"", "/timeline", "/credit-note.pdf"} {
		h.get(stranger, "/v1/refunds/"+r.ID+what).problem(models.NoSuchThing)
	}
	h.post(stranger, "/v1/refunds/"+r.ID+"/withdrawal", nil).problem(models.NoSuchThing)

	r = read[gen.Refund](h.get(billing, "/v1/refunds/"+r.ID).want(http.StatusOK))
	if r.Status != models.RefundPaying || r.BankDue.Minor != 4900 || r.CreditNote == nil || !slices.Equal(r.AllowedActions, []string{"keep_as_credit", "record_payout"}) {
		t.Errorf("refund %+v", r)
	}
	h.seesPDF(token, "/v1/refunds/"+r.ID+"/credit-note.pdf")
	if line := h.refundLine(billing, r.ID); line.WaitingOn != gen.WaitingOnBilling || line.Next == nil || len(line.Past) != 2 {
		t.Errorf("timeline %+v", line)
	}
	h.post(token, "/v1/refunds/"+r.ID+"/withdrawal", nil).problem(models.StateForbids)
	payout := map[string]any{"source_account": "DE02", "bank_reference": "out-1", "paid_at": h.now(), "amount": models.Money{Minor: 4899, Currency: models.USD}}
	h.post(billing, "/v1/refunds/"+r.ID+"/payout", payout).problem(models.PayoutDiffers)
	payout["amount"] = models.Money{Minor: 4900, Currency: models.USD}
	r = read[gen.Refund](h.post(billing, "/v1/refunds/"+r.ID+"/payout", payout).want(http.StatusOK))
	if r.Status != models.RefundDone || len(r.AllowedActions) != 0 {
		t.Errorf("paid out %+v", r)
	}
	if line := h.refundLine(token, r.ID); line.WaitingOn != gen.WaitingOnNobody {
		t.Errorf("timeline %+v", line)
	}

	big := storetest.PaidOrder(t, h.st, account.ID, slices.Repeat([]string{storetest.ProofedTokenSKU}, 6)...)
	r = read[gen.Refund](h.post(billing, "/v1/orders/"+big.Number+"/refunds", map[string]any{"reason": "goodwill"}).want(http.StatusAccepted))
	if r.Status != models.RefundRequested || !r.SecondPerson || !slices.Equal(r.AllowedActions, []string{"withdraw"}) {
		t.Errorf("much money %+v", r)
	}
	if p := h.post(billing, "/v1/orders/"+big.Number+"/refunds", map[string]any{"reason": "goodwill"}).problem(models.NothingToRefund); p.AllowedActions == nil || len(p.AllowedActions) > 0 {
		t.Errorf("allowed are %v", p.AllowedActions)
	}
	consent := map[string]any{"reason": "seen the contract"}
	h.post(billing, "/v1/refunds/"+r.ID+"/approval", consent).problem(models.SecondPerson)
	h.post(billing, "/v1/refunds/"+r.ID+"/rejection", consent).problem(models.SecondPerson)
	h.get(token, "/v1/refunds/"+r.ID+"/credit-note.pdf").problem(models.StateForbids)
	if seen := read[gen.Refund](h.get(second, "/v1/refunds/"+r.ID).want(http.StatusOK)); !slices.Equal(seen.AllowedActions, []string{"approve", "reject", "withdraw"}) {
		t.Errorf("a second person may %v", seen.AllowedActions)
	}
	r = read[gen.Refund](h.post(second, "/v1/refunds/"+r.ID+"/approval", consent).want(http.StatusOK))
	if r.DecidedBy == nil || r.Status == models.RefundRequested {
		t.Errorf("approved %+v", r)
	}
}

func (h *house) advanceRefund(id string) error {
	_, err := h.st.AdvanceRefund(h.t.Context(), id, h.now())
	return err
}

func (h *house) refundLine(token models.Secret, id string) gen.Timeline {
	h.t.Helper()
	return read[gen.Timeline](h.get(token, "/v1/refunds/"+id+"/timeline").want(http.StatusOK))
}

var seller = documents.Seller{Name: "Tokendesk", Address: storetest.Address()}

// ORD-5, MGT-4: who asks for a refund is told which credential ends with it, while the token is still out.
func TestRefundAnnouncesWhatEnds(t *testing.T) {
	h := newHouse(t)
	account, token := h.person()
	c, _ := storetest.Registered(t, h.st, h.ring, account, storetest.EventDevice, h.now())
	o := read[gen.OrderPage](h.get(token, "/v1/orders").want(http.StatusOK)).Items[0]
	r := read[gen.Refund](h.post(token, "/v1/orders/"+o.Number+"/refunds", map[string]any{"reason": "not_needed"}).want(http.StatusAccepted))
	if r.Status != models.RefundReturning || len(r.Endings) != 1 || r.Endings[0].CredentialID != c.ID || r.Endings[0].AuthenticatorID != nil || r.Endings[0].EndedAt != nil {
		t.Errorf("refund %+v", r)
	}
}
