package demodata

import (
	"testing"

	"tokendesk/internal/otp"
	"tokendesk/internal/seal"
	"tokendesk/models"
	"tokendesk/models/store/storetest"
)

// A sandbox has twenty tokens of each demo model, whose codes the maker knows; loading again changes nothing (SHP-4).
func TestLoadStock(t *testing.T) {
	st := storetest.New(t)
	storetest.Must(t, catalogue(t.Context(), st, storetest.At))
	ring, err := seal.Generate()
	storetest.Must(t, err)
	secrets := Secrets{Maker: "maker of this test"}
	for range 2 {
		storetest.Must(t, LoadStock(t.Context(), st, ring, secrets, storetest.At))
	}
	levels, err := st.Stock(t.Context())
	storetest.Must(t, err)
	stocked := map[string]int64{}
	for _, l := range levels {
		stocked[l.Model+" in "+l.Warehouse] += int64(l.InStock)
	}
	for _, model := range []string{TokenModel, TimeModel} {
		if n := stocked[model+" in "+Warehouse]; n != stockOfModel {
			t.Errorf("%d tokens of %s, want %d: %v", n, model, stockOfModel, stocked)
		}
	}
	var imports int
	storetest.Must(t, st.Pool().QueryRow(t.Context(), "select count(*) from token_imports").Scan(&imports))
	if imports != 1 {
		t.Errorf("%d imports, want 1", imports)
	}
	token, err := st.Token(t.Context(), serial(TimeModel, stockOfModel))
	storetest.Must(t, err)
	if seed, err := ring.Open(token.SealedSeed, models.TokenSeedContext(token.Serial)); err != nil || string(seed.Reveal()) != string(secrets.Maker.Seed(token.Serial)) ||
		token.Kind != string(otp.TOTP) || token.PeriodSeconds != 30 {
		t.Errorf("token %s: %v, kind %v, period %d", token.Serial, err, token.Kind, token.PeriodSeconds)
	}
}
