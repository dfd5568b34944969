package storetest

import (
	"testing"

	"tokendesk/internal/password"
	"tokendesk/models"
	"tokendesk/models/store"
)

// Password is the password of every account made here.
const Password models.Secret = "correct horse battery"

// Hasher is as cheap as a hash can be.
var Hasher = password.New(password.Params{Memory: 8, Time: 1, Threads: 1}, 8)

var passwordHash = func() string {
	encoded, err := Hasher.Hash(Password)
	if err != nil {
		panic(err)
	}
	return encoded
}()

// AccountOption changes an account before it is made.
type AccountOption func(*accountSpec)

type accountSpec struct {
	models.Account
	roles []models.Role
}

// In puts the account into an organization.
func In(o models.Organization) AccountOption {
	return func(a *accountSpec) { a.OrganizationID = &o.ID }
}

// WithRoles gives the account these roles instead of a subscriber's.
func WithRoles(roles ...models.Role) AccountOption {
	return func(a *accountSpec) { a.roles = roles }
}

// Named gives the account its legal name.
func Named(first, middle, last string) AccountOption {
	return func(a *accountSpec) { a.FirstName, a.MiddleName, a.LastName = first, middle, last }
}

// WithLogin gives the account its user id and e-mail.
func WithLogin(userID, email string) AccountOption {
	return func(a *accountSpec) { a.UserID, a.Email = userID, email }
}

// From gives the account its country.
func From(country string) AccountOption {
	return func(a *accountSpec) { a.Country = country }
}

// Account makes an account with a user id of its own: Ada Lovelace of the United States, unless told otherwise.
func Account(t testing.TB, s *store.Store, options ...AccountOption) models.Account {
	t.Helper()
	id := store.NewID("ac", At)
	spec := accountSpec{Account: models.Account{ID: id, UserID: id, Email: id + "@example.com", FirstName: "Ada", LastName: "Lovelace",
		Country: "US", PasswordHash: passwordHash, CreatedAt: At}}
	for _, o := range options {
		o(&spec)
	}
	a, err := s.CreateAccount(t.Context(), spec.Account, spec.roles...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Organization makes an approved organization.
func Organization(t testing.TB, s *store.Store) models.Organization {
	t.Helper()
	o, err := s.CreateOrganization(t.Context(), models.Organization{Name: "Analytical Engines", Country: "US", Status: models.OrganizationApproved}, At)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// Partner makes a partner that accepts these kinds of authenticator at the level.
func Partner(t testing.TB, s *store.Store, level int, kinds ...models.AuthenticatorKind) models.Partner {
	t.Helper()
	p, err := s.CreatePartner(t.Context(), models.Partner{Name: store.NewID("partner", At), AcceptsKinds: kinds, MinimumLevel: level}, At)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Session starts a session of an account with a password.
func Session(t testing.TB, s *store.Store, accountID string) (models.Secret, models.Session) {
	t.Helper()
	token, session, err := s.StartSession(t.Context(), accountID, models.StrengthPassword, 0, At)
	if err != nil {
		t.Fatal(err)
	}
	return token, session
}
