// Package storetest makes the facts that tests start from, through the store's own methods.
package storetest

import (
	"context"
	"testing"
	"time"

	"tokendesk/internal/seal"
	"tokendesk/internal/testpg"
	"tokendesk/models"
	"tokendesk/models/store"
)

// At is a Monday, in business hours of the vendor.
var At = time.Date(2026, 11, 2, 15, 0, 0, 0, time.UTC)

// Products of the test catalogue.
const (
	TokenSKU        = "HW-OTP"         // hardware token, not proofed
	ProofedTokenSKU = "HW-OTP-PROOFED" // hardware token with identity proofing
	TokenModel      = "TD-100"

	RenewalSKU        = "HW-RENEW"         // renews TokenSKU
	ProofedRenewalSKU = "HW-RENEW-PROOFED" // renews ProofedTokenSKU
	ReplacementSKU    = "HW-REPLACE"       // a token for either
	UpgradeSKU        = "HW-PROOF"         // has the holder proofed
)

// New opens a fresh database with the default policy, a disclaimer and the test catalogue.
func New(t testing.TB) *store.Store {
	t.Helper()
	st, err := store.Open(t.Context(), testpg.Open(t))
	Must(t, err)
	t.Cleanup(st.Close)
	Catalogue(t, st)
	return st
}

// Catalogue adds the default policy, a disclaimer and the test products.
func Catalogue(t testing.TB, st *store.Store) {
	t.Helper()
	ctx, model, hardware := context.Background(), TokenModel, models.HardwareOTP
	Must(t, st.AddPolicy(ctx, models.DefaultPolicy(), At.AddDate(-1, 0, 0)))
	Must(t, st.AddDisclaimer(ctx, models.Disclaimer{Version: 1, Text: "Terms.", EffectiveAt: At.AddDate(-1, 0, 0)}))
	Must(t, st.SaveTokenModel(ctx, models.TokenModel{Model: model, Kind: "hotp"}, models.Actor{ID: "test"}, At))
	for _, p := range []models.Product{
		{SKU: TokenSKU, Name: "Hardware token", Kind: models.HardwareOTP, Market: "*", TokenModel: &model, TermMonths: 12, PriceMinor: 4900, Currency: models.USD, Status: models.ProductActive},
		{SKU: ProofedTokenSKU, Name: "Hardware token with identity proofing", Kind: models.HardwareOTP, Proofing: true, Market: "*", TokenModel: &model, TermMonths: 12, PriceMinor: 9900, Currency: models.USD, Status: models.ProductActive},
		{SKU: RenewalSKU, Name: "Renewal", Kind: models.Renewal, BaseKind: &hardware, Market: "*", TermMonths: 12, PriceMinor: 3900, Currency: models.USD, Status: models.ProductActive},
		{SKU: ProofedRenewalSKU, Name: "Renewal with identity proofing", Kind: models.Renewal, BaseKind: &hardware, Proofing: true, Market: "*", TermMonths: 12, PriceMinor: 5900, Currency: models.USD, Status: models.ProductActive},
		{SKU: ReplacementSKU, Name: "Replacement token", Kind: models.Replacement, BaseKind: &hardware, Market: "*", TokenModel: &model, PriceMinor: 2500, Currency: models.USD, Status: models.ProductActive},
		{SKU: UpgradeSKU, Name: "Identity proofing", Kind: models.ProofingUpgrade, BaseKind: &hardware, Proofing: true, Market: "*", PriceMinor: 4500, Currency: models.USD, Status: models.ProductActive},
	} {
		Must(t, st.PutProduct(ctx, p))
	}
}

// Must ends the test on an error.
func Must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Address that a parcel could reach.
func Address() models.Address {
	return models.Address{Name: "Ada Lovelace", Line1: "1 Main Street", City: "Springfield", Region: "IL", PostalCode: "62701", Country: "US"}
}

// NewOrder asks for one line of each SKU, for the buyer.
func NewOrder(buyerID string, method models.PaymentMethod, skus ...string) models.NewOrder {
	to := Address()
	n := models.NewOrder{BuyerID: buyerID, PaymentMethod: method, BillingAddress: Address(), ShippingAddress: &to, DisclaimerVersion: 1}
	if method == models.PayByCard {
		n.CardPaymentMethod = "pm_card_visa"
	}
	for _, sku := range skus {
		n.Lines = append(n.Lines, models.NewOrderLine{ProductSKU: sku})
	}
	return n
}

// PlacedOrder is an order that waits for the money; without SKUs it has one line of TokenSKU.
func PlacedOrder(t testing.TB, st *store.Store, buyerID string, skus ...string) models.Order {
	t.Helper()
	if len(skus) == 0 {
		skus = []string{TokenSKU}
	}
	o, err := st.DraftOrder(t.Context(), NewOrder(buyerID, models.PayByInvoice, skus...), At)
	Must(t, err)
	Must(t, st.PlaceOrder(t.Context(), o.Number, At))
	return Order(t, st, o.Number)
}

// Order reads an order again.
func Order(t testing.TB, st *store.Store, number string) models.Order {
	t.Helper()
	o, err := st.OrderByNumber(t.Context(), number)
	Must(t, err)
	return o
}

// Pay records a bank transfer for the order's invoice.
func Pay(t testing.TB, st *store.Store, o models.Order, minor int64, reference string) store.PaymentResult {
	t.Helper()
	i, err := st.InvoiceOfOrder(t.Context(), o.ID)
	Must(t, err)
	r, err := st.RecordPayment(t.Context(), models.NewPayment{Source: models.SourceBankTransfer, SourceAccount: "DE02", BankReference: reference,
		Amount: models.Money{Minor: minor, Currency: o.Currency}, ReceivedAt: At, InvoiceNumber: i.Number}, models.Actor{ID: "billing"}, At)
	Must(t, err)
	return r
}

// PaidOrder is an order that is paid in full.
func PaidOrder(t testing.TB, st *store.Store, buyerID string, skus ...string) models.Order {
	t.Helper()
	o := PlacedOrder(t, st, buyerID, skus...)
	Pay(t, st, o, o.TotalMinor, "full/"+o.Number)
	return Order(t, st, o.Number)
}

// FulfilledOrder is a paid order whose keys are issued and whose shipments are requested.
func FulfilledOrder(t testing.TB, st *store.Store, ring *seal.Keyring, buyerID string, skus ...string) models.Order {
	t.Helper()
	o := PaidOrder(t, st, buyerID, skus...)
	Must(t, st.FulfilOrder(t.Context(), o.Number, ring, At))
	return Order(t, st, o.Number)
}

// KeyOf opens the license key that waits in its mail for a line of a fulfilled order.
func KeyOf(t testing.TB, st *store.Store, ring *seal.Keyring, o models.Order, position int) models.Secret {
	t.Helper()
	var id string
	var sealed []byte
	Must(t, st.Pool().QueryRow(t.Context(), `select id, sealed from notices where subject_ref = $1 and kind = 'license_key'
		and params->>'line' = $2::int::text and sealed is not null order by created_at desc, id desc limit 1`, o.Number, position).Scan(&id, &sealed))
	key, err := ring.Open(sealed, models.NoticeContext(id))
	Must(t, err)
	return models.Secret(key.Reveal())
}

// Keyring is a fresh one.
func Keyring(t testing.TB) *seal.Keyring {
	t.Helper()
	ring, err := seal.Generate()
	Must(t, err)
	return ring
}
