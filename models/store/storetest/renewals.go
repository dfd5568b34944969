package storetest

import (
	"testing"
	"time"

	"tokendesk/internal/seal"
	"tokendesk/models"
	"tokendesk/models/store"
)

// Renewal asks for a renewal of each credential, as what TokenSKU became.
func Renewal(buyerID string, method models.PaymentMethod, of ...models.Credential) models.NewOrder {
	n := NewOrder(buyerID, method)
	for _, c := range of {
		sku := RenewalSKU
		if c.ProductSKU == ProofedTokenSKU {
			sku = ProofedRenewalSKU
		}
		n.Lines = append(n.Lines, models.NewOrderLine{ProductSKU: sku, CredentialID: c.ID})
	}
	return n
}

// Replacement asks for another token for a credential.
func Replacement(buyerID string, method models.PaymentMethod, c models.Credential, reason models.ReplacementReason) models.NewOrder {
	n := NewOrder(buyerID, method)
	n.Lines = []models.NewOrderLine{{ProductSKU: ReplacementSKU, CredentialID: c.ID, ReplacementReason: reason}}
	return n
}

// PlacedAt is an order that was placed at a moment.
func PlacedAt(t testing.TB, st *store.Store, n models.NewOrder, at time.Time) models.Order {
	t.Helper()
	o, err := st.DraftOrder(t.Context(), n, at)
	Must(t, err)
	Must(t, st.PlaceOrder(t.Context(), o.Number, at))
	return Order(t, st, o.Number)
}

// PayAt pays what is due of an order by bank transfer at a moment. It may come too late.
func PayAt(t testing.TB, st *store.Store, o models.Order, at time.Time) store.PaymentResult {
	t.Helper()
	i, err := st.InvoiceOfOrder(t.Context(), o.ID)
	Must(t, err)
	r, err := st.RecordPayment(t.Context(), models.NewPayment{Source: models.SourceBankTransfer, SourceAccount: "DE02", BankReference: "full/" + o.Number,
		Amount: models.Money{Minor: i.TotalMinor, Currency: o.Currency}, ReceivedAt: at, InvoiceNumber: i.Number}, models.Actor{ID: "billing"}, at)
	Must(t, err)
	return r
}

// FulfilledAt is an order that was placed, paid and fulfilled at a moment.
func FulfilledAt(t testing.TB, st *store.Store, ring *seal.Keyring, n models.NewOrder, at time.Time) models.Order {
	t.Helper()
	o := PlacedAt(t, st, n, at)
	if o.TotalMinor > 0 {
		PayAt(t, st, o, at)
	}
	Must(t, st.FulfilOrder(t.Context(), o.Number, ring, at))
	return Order(t, st, o.Number)
}

// BeforeExpiry is the moment that many days before the end of a credential's term; negative days are after it.
func BeforeExpiry(c models.Credential, days int) time.Time { return c.ExpiresAt.AddDate(0, 0, -days) }
