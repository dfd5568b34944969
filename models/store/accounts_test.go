package store_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"tokendesk/models"
	"tokendesk/models/store/storetest"
)

// ACC-1: an account is found by id and, without regard to case, by user id; its roles are its own.
func TestAccounts(t *testing.T) {
	st := storetest.New(t)
	org := storetest.Organization(t, st)
	made := storetest.Account(t, st, storetest.In(org), storetest.WithLogin("Ada", "ada@example.com"), storetest.WithRoles(models.RoleSubscriber, models.RoleOrgAdmin))
	for name, find := range map[string]func() (models.Account, error){
		"by id":      func() (models.Account, error) { return st.Account(t.Context(), made.ID) },
		"by user id": func() (models.Account, error) { return st.AccountByUserID(t.Context(), "aDA") },
	} {
		if a, err := find(); err != nil || a.ID != made.ID || *a.OrganizationID != org.ID {
			t.Errorf("%s: %v, %v", name, a.ID, err)
		}
	}
	roles, err := st.Roles(t.Context(), made.ID)
	if err != nil || !slices.Equal(roles, []models.Role{models.RoleOrgAdmin, models.RoleSubscriber}) {
		t.Errorf("roles %v, %v", roles, err)
	}
	_, err = st.Account(t.Context(), "ac_nobody")
	wantFault(t, err, models.NoSuchThing)
	_, err = st.AccountByUserID(t.Context(), "a\x00b")
	wantFault(t, err, models.InvalidRequest)
}

// ACC-1, SEC-1: what an account may not be.
func TestCreateAccountRefuses(t *testing.T) {
	st := storetest.New(t)
	taken := storetest.Account(t, st)
	cases := []struct {
		name   string
		change func(*models.Account)
		role   models.Role
		want   *models.FaultType
		field  string
	}{
		{"a taken user id, in other case", func(a *models.Account) { a.UserID = strings.ToUpper(taken.UserID) }, "", models.AccountExists, ""},
		{"another's e-mail for a user id", func(a *models.Account) { a.UserID = taken.Email }, "", models.InvalidRequest, "/user_id"},
		{"no user id", func(a *models.Account) { a.UserID = " " }, "", models.InvalidRequest, "/user_id"},
		{"a display name for an e-mail", func(a *models.Account) { a.Email = "Ada <ada@example.com>" }, "", models.InvalidRequest, "/email"},
		{"a header in the e-mail", func(a *models.Account) { a.Email = "ada@example.com\r\nBcc: x@example.com" }, "", models.InvalidRequest, "/email"},
		{"no last name", func(a *models.Account) { a.LastName = "" }, "", models.InvalidRequest, "/last_name"},
		{"a line feed in a name", func(a *models.Account) { a.FirstName = "Ada\nBcc" }, "", models.InvalidRequest, "/first_name"},
		{"a country in words", func(a *models.Account) { a.Country = "us" }, "", models.InvalidRequest, "/country"},
		{"no password", func(a *models.Account) { a.PasswordHash = "" }, "", models.InvalidRequest, "/password"},
		{"a role of an API key", func(*models.Account) {}, models.RoleBilling, models.InvalidRequest, "/roles"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			a := models.Account{UserID: "new", Email: "new@example.com", FirstName: "Ada", LastName: "Lovelace", Country: "US", PasswordHash: "x", CreatedAt: storetest.At}
			c.change(&a)
			_, err := st.CreateAccount(t.Context(), a, slices.DeleteFunc([]models.Role{c.role}, func(r models.Role) bool { return r == "" })...)
			wantFault(t, err, c.want)
			if f := models.FaultOf(err); f.Field != c.field {
				t.Errorf("blamed %q, want %q", f.Field, c.field)
			}
		})
	}
	if n := query[int](t, st, "select count(*) from accounts"); n != 1 {
		t.Errorf("%d accounts, want the first one alone", n)
	}
}

// CAT-2: a partner says what it accepts.
func TestPartners(t *testing.T) {
	st := storetest.New(t)
	made := storetest.Partner(t, st, 3, models.HardwareToken)
	p, err := st.Partner(t.Context(), made.ID)
	if err != nil || !p.Accepts(models.HardwareToken, 3) || p.Accepts(models.HardwareToken, 2) || p.Accepts(models.Phone, 3) {
		t.Errorf("%+v, %v", p, err)
	}
	for name, bad := range map[string]models.Partner{
		"accepts nothing":   {Name: "x", MinimumLevel: 2},
		"accepts a guess":   {Name: "x", MinimumLevel: 2, AcceptsKinds: []models.AuthenticatorKind{"guess"}},
		"an unknown level":  {Name: "x", MinimumLevel: 4, AcceptsKinds: []models.AuthenticatorKind{models.Phone}},
		"a name of nothing": {Name: "", MinimumLevel: 2, AcceptsKinds: []models.AuthenticatorKind{models.Phone}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := st.CreatePartner(t.Context(), bad, storetest.At)
			wantFault(t, err, models.InvalidRequest)
		})
	}
	_, err = st.Partner(t.Context(), "pa_none")
	wantFault(t, err, models.NoSuchThing)
}

// ACC-1: passwords that are too easy are refused, with the reason.
func TestCheckPassword(t *testing.T) {
	a := models.Account{UserID: "ada-of-lovelace", Email: "ada@example.com", FirstName: "Ada", LastName: "Lovelace"}
	const own = "made of the user id, the e-mail address or the name"
	for p, why := range map[models.Secret]string{
		"short":                             "shorter than 12 characters",
		"ÄÖÜäöüÄÖÜäö":                       "shorter than 12 characters", // characters count, not bytes
		"ADA-of-lovelace":                   "is the user id",
		"ada@example.com":                   "is the e-mail address",
		"aaaaaaaaaaaa":                      "repeats one character",
		"ÄÄÄÄÄÄÄÄÄÄÄÄ":                      "repeats one character",
		"ada-of-lovelaceADA-of-lovelace":    own,
		"ada@example.com + ada@example.com": own,
		"Lovelace.Ada-Ada":                  own,
		"adaadaadaada":                      own,
		"ada-of-lovelace1":                  "",
		"twelve chars":                      "",
		"a much longer phrase":              "",
		"aaaaaaaabaaaaaaa":                  "",
	} {
		err := a.CheckPassword(p)
		if why == "" {
			wantFault(t, err, nil)
			continue
		}
		wantFault(t, err, models.PasswordWeak)
		if f, ok := errors.AsType[*models.Fault](err); !ok || !strings.Contains(f.Detail, why) {
			t.Errorf("%q: %v, want %s", p.Reveal(), err, why)
		}
	}
}
