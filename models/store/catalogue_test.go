package store_test

import (
	"errors"
	"slices"
	"testing"

	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
)

// CAT-1, CAT-2: what can be bought depends on the market and on the partner; a retired product stays readable and cannot be bought; a
// new price changes nothing that was sold.
func TestCatalogue(t *testing.T) {
	t.Parallel()
	st := storetest.New(t)
	add := func(sku string, kind models.ProductKind, proofing bool, market string, status models.ProductStatus) {
		storetest.Must(t, st.PutProduct(t.Context(), models.Product{SKU: sku, Name: sku, Kind: kind, Proofing: proofing, Market: market, TermMonths: 12,
			PriceMinor: 5000, Currency: models.USD, Status: status}))
	}
	add("PHONE", models.PhoneOTP, false, "*", models.ProductActive)
	add("PHONE-US", models.PhoneOTP, true, "US", models.ProductActive)
	add("MOBILE", models.MobileID, false, "*", models.ProductActive)
	add("OLD", models.HardwareOTP, false, "*", models.ProductRetired)
	hardwareOnly := partner(t, st, 2, models.HardwareToken)
	proofed := partner(t, st, 3, models.HardwareToken, models.Phone)
	for name, c := range map[string]struct {
		filter store.ProductFilter
		want   []string
	}{
		"everything that is active":      {store.ProductFilter{}, []string{"HW-OTP", "HW-OTP-PROOFED", "HW-PROOF", "HW-RENEW", "HW-RENEW-PROOFED", "HW-REPLACE", "MOBILE", "PHONE", "PHONE-US"}},
		"a market":                       {store.ProductFilter{Market: "DE"}, []string{"HW-OTP", "HW-OTP-PROOFED", "HW-PROOF", "HW-RENEW", "HW-RENEW-PROOFED", "HW-REPLACE", "MOBILE", "PHONE"}},
		"a partner that takes tokens":    {store.ProductFilter{PartnerID: hardwareOnly}, []string{"HW-OTP", "HW-OTP-PROOFED"}},
		"a partner that wants proofing":  {store.ProductFilter{PartnerID: proofed}, []string{"HW-OTP-PROOFED", "PHONE-US"}},
		"that partner in another market": {store.ProductFilter{PartnerID: proofed, Market: "DE"}, []string{"HW-OTP-PROOFED"}},
	} {
		products, err := st.Products(t.Context(), c.filter)
		storetest.Must(t, err)
		var got []string
		for _, p := range products {
			got = append(got, p.SKU)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}

	buyer := storetest.Account(t, st)
	if _, err := st.DraftOrder(t.Context(), storetest.NewOrder(buyer.ID, models.PayByInvoice, "OLD"), storetest.At); !errors.Is(err, models.ProductUnavailable) {
		t.Errorf("a retired product was sold: %v", err)
	}
	o := storetest.PlacedOrder(t, st, buyer.ID)
	p, err := st.Product(t.Context(), storetest.TokenSKU)
	storetest.Must(t, err)
	p.PriceMinor *= 2
	storetest.Must(t, st.PutProduct(t.Context(), p))
	if again := storetest.Order(t, st, o.Number); again.TotalMinor != 4900 || again.Lines[0].PriceMinor != 4900 {
		t.Errorf("the price of what was sold changed: %+v", again)
	}
}

func partner(t *testing.T, st *store.Store, level int, kinds ...models.AuthenticatorKind) string {
	t.Helper()
	p, err := st.CreatePartner(t.Context(), models.Partner{Name: "Partner of level " + string(rune('0'+level)), AcceptsKinds: kinds, MinimumLevel: level}, storetest.At)
	storetest.Must(t, err)
	return p.ID
}
