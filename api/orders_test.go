package api

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"tokendesk/api/gen"
	"tokendesk/models"
	"tokendesk/models/store/storetest"
)

// A declined card can be replaced; while the charge runs there is nothing to pay again (ORD-2).
func TestPayAgain(t *testing.T) {
	h := newHouse(t)
	_, token := h.person()
	body := newOrderBody()
	body["payment_method"] = "card"
	h.post(token, "/v1/orders", body).problem(models.PaymentMethodMissing)
	body["card_token"] = "pm_card_visa"
	o := read[gen.Order](h.post(token, "/v1/orders", body).want(http.StatusCreated))
	path := "/v1/orders/" + o.Number + "/charges"
	p := h.post(token, path, map[string]any{"card_token": "pm_other"}).problem(models.StateForbids)
	if fmt.Sprint(p.AllowedActions) != "[cancel]" {
		t.Errorf("allowed are %v", p.AllowedActions)
	}
	charge, err := h.st.LiveCharge(t.Context(), o.Number)
	storetest.Must(t, err)
	storetest.Must(t, h.st.ChargeDeclined(t.Context(), charge, o.Number, "declined_by_bank", h.now()))
	h.seesTimeline(token, "/v1/orders/"+o.Number+"/timeline", gen.WaitingOnBuyer, []string{"pay_again", "cancel"})
	a := h.post(token, path, map[string]any{"card_token": "pm_other"}, idempotencyKey, "k").want(http.StatusAccepted)
	if c := read[gen.Charge](a); c.Attempt != 2 || c.Status != models.ChargeIntended || a.header.Get("Location") != "/v1/orders/"+o.Number {
		t.Errorf("charge %+v", c)
	}
	h.post(token, path, map[string]any{"card_token": "pm_other"}, idempotencyKey, "k").want(http.StatusAccepted)
}

// An unpaid order can be cancelled by its buyer and by billing, once; a paid one cannot (ORD-5).
func TestCancel(t *testing.T) {
	h := newHouse(t)
	account, token := h.person()
	reason := map[string]any{"reason": "not_needed"}
	o := storetest.PlacedOrder(t, h.st, account.ID)
	path := "/v1/orders/" + o.Number + "/cancellation"
	cancelled := read[gen.Order](h.post(token, path, reason, idempotencyKey, "k").want(http.StatusOK))
	if cancelled.Status != models.OrderCancelled || cancelled.Invoice.Status != models.InvoiceVoid || cancelled.Invoice.Due.Minor != 0 {
		t.Errorf("cancelled %+v", cancelled)
	}
	h.post(token, path, reason, idempotencyKey, "k").want(http.StatusOK)
	h.post(token, path, reason).problem(models.StateForbids)
	other := storetest.PlacedOrder(t, h.st, account.ID)
	h.post(h.as(models.RoleBilling), "/v1/orders/"+other.Number+"/cancellation", reason).want(http.StatusOK)
	paid := storetest.PaidOrder(t, h.st, account.ID)
	h.post(token, "/v1/orders/"+paid.Number+"/cancellation", reason).problem(models.StateForbids)
}

// A resend voids the unused key and mails a new one (ORD-6).
func TestResendLicenseKey(t *testing.T) {
	h := newHouse(t)
	account, token := h.person()
	path := func(o models.Order) string { return "/v1/orders/" + o.Number + "/lines/1/license-key/resend" }
	h.post(token, path(storetest.PlacedOrder(t, h.st, account.ID)), nil).problem(models.StateForbids)
	o := storetest.FulfilledOrder(t, h.st, h.ring, account.ID)
	old := storetest.KeyOf(t, h.st, h.ring, o, 1)
	h.setClock(h.now().Add(time.Minute))
	h.post(token, path(o), nil, idempotencyKey, "k").want(http.StatusAccepted)
	h.post(token, path(o), nil, idempotencyKey, "k").want(http.StatusAccepted)
	h.post(token, "/v1/license-keys/activations", activation(account, old)).problem(models.LicenseKeyVoid)
	keys, err := h.st.LicenseKeys(t.Context(), o.ID)
	storetest.Must(t, err)
	if len(keys) != 2 {
		t.Errorf("%d keys after one resend", len(keys))
	}
	h.post(token, "/v1/license-keys/activations", activation(account, storetest.KeyOf(t, h.st, h.ring, o, 1))).want(http.StatusCreated)
	h.post(token, path(o), nil).problem(models.LicenseKeyUsed)
	h.post(token, "/v1/orders/"+o.Number+"/lines/2/license-key/resend", nil).problem(models.NoSuchThing)
}
