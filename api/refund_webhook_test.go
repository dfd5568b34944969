package api

import (
	"net/http"
	"testing"

	"tokendesk/activities/gateway/webhook"
	"tokendesk/models"
	"tokendesk/models/store/storetest"
)

// What the card processor says of a charge that it took is kept, so that the charge is held against the books (ORD-5).
func TestNewsOfAChargeIsKept(t *testing.T) {
	h := newHouse(t)
	account, _ := h.person()
	o, err := h.st.DraftOrder(t.Context(), storetest.NewOrder(account.ID, models.PayByCard, storetest.TokenSKU), h.now())
	storetest.Must(t, err)
	storetest.Must(t, h.st.PlaceOrder(t.Context(), o.Number, h.now()))
	tell := func(want int) {
		t.Helper()
		body := []byte(`{"id":"evt_1","type":"charge.refunded","data":{"object":{"id":"ch_1","object":"charge","payment_intent":"pi_1"}}}`)
		h.post("", "/v1/webhooks/payments", body, "Stripe-Signature", webhook.Sign([]models.Secret{webhookSecret}, body, h.now())).want(http.StatusNoContent)
		if news, err := h.st.ChangedCharges(t.Context(), 10); err != nil || len(news) != want {
			t.Fatalf("%d charges to look at, want %d (%v)", len(news), want, err)
		}
	}
	charge, err := h.st.LiveCharge(t.Context(), o.Number)
	storetest.Must(t, err)
	storetest.Must(t, h.st.ChargeAuthorized(t.Context(), charge, "pi_1", h.now()))
	tell(0) // nothing was taken
	invoice, err := h.st.InvoiceOfOrder(t.Context(), o.ID)
	storetest.Must(t, err)
	charge, err = h.st.LiveCharge(t.Context(), o.Number)
	storetest.Must(t, err)
	storetest.Must(t, h.st.ChargeCaptured(t.Context(), charge, invoice.Number, h.now()))
	tell(1)
	tell(1)
}
