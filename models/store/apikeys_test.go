package store_test

import (
	"bytes"
	"strings"
	"testing"

	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
)

// SEC-1: a key is known by its secret until it is revoked; the database has its hash and last four characters only.
func TestAPIKeys(t *testing.T) {
	st := storetest.New(t)
	partner := storetest.Partner(t, st, 2, models.HardwareToken)
	secret, made, err := st.CreateAPIKey(t.Context(), "shop", models.RoleRelyingApp, partner.ID, storetest.At)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(secret.Reveal(), "tdk_") || !strings.HasSuffix(secret.Reveal(), made.LastFour) || len(secret) < 4+256/5 {
		t.Errorf("a key of %d characters that ends in %s", len(secret), made.LastFour)
	}
	if stored := query[[]byte](t, st, "select secret_hash from api_keys"); len(stored) != 32 || bytes.Contains(stored, []byte(secret.Reveal()[4:])) {
		t.Error("the key is in the database")
	}
	k, err := st.APIKeyBySecret(t.Context(), secret)
	if err != nil || k.ID != made.ID || k.Role != models.RoleRelyingApp || *k.PartnerID != partner.ID || k.Name != "shop" {
		t.Errorf("%+v, %v", k, err)
	}
	_, err = st.APIKeyBySecret(t.Context(), "tdk_guess")
	wantFault(t, err, models.NotAuthenticated)
	for range 2 { // revoking a revoked one changes nothing
		wantFault(t, st.RevokeAPIKey(t.Context(), made.ID, models.Actor{ID: "ak_operator"}, storetest.At), nil)
	}
	wantFault(t, st.RevokeAPIKey(t.Context(), "ak_none", models.Actor{ID: "ak_operator"}, storetest.At), models.NoSuchThing)
	_, err = st.APIKeyBySecret(t.Context(), secret)
	wantFault(t, err, models.NotAuthenticated)
	if rows, err := st.APIKeys(t.Context(), store.Page{}); err != nil || len(rows) != 1 || rows[0].RevokedAt == nil {
		t.Errorf("%v, %v", rows, err)
	}
	if n := query[int](t, st, "select count(*) from audit_events where subject_ref = $1", made.ID); n != 2 {
		t.Errorf("%d audit rows, want creation and revocation", n)
	}
}

// SEC-1: which keys cannot be.
func TestCreateAPIKeyRefuses(t *testing.T) {
	st := storetest.New(t)
	partner := storetest.Partner(t, st, 2, models.HardwareToken)
	cases := []struct {
		name, keyName string
		role          models.Role
		partner       string
		want          *models.FaultType
	}{
		{"no name", " ", models.RoleBilling, "", models.InvalidRequest},
		{"a role of accounts", "x", models.RoleSubscriber, "", models.InvalidRequest},
		{"an unknown role", "x", "root", "", models.InvalidRequest},
		{"staff with a partner", "x", models.RoleBilling, partner.ID, models.InvalidRequest},
		{"an application without a partner", "x", models.RoleRelyingApp, "", models.InvalidRequest},
		{"an unknown partner", "x", models.RoleRelyingApp, "pa_none", models.NoSuchThing},
		{"staff", "x", models.RoleWarehouse, "", nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := st.CreateAPIKey(t.Context(), c.keyName, c.role, c.partner, storetest.At)
			wantFault(t, err, c.want)
		})
	}
}
