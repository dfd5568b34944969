// Package demodata fills a development database with a catalogue, people and API keys, once, and hands their secrets to
// whoever runs the demonstration.
package demodata

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"tokendesk/internal/password"
	"tokendesk/models"
	"tokendesk/models/store"
)

// Secrets is what the demonstration needs to play its roles. It is kept in a file that only its owner can read.
type Secrets struct {
	People  map[string]Login  `json:"people"`   // by first name
	APIKeys map[string]string `json:"api_keys"` // by role
	Partner string            `json:"partner"`  // pa_…
	Maker   TokenMaker        `json:"token_maker"`
	Agents  map[string]Agent  `json:"agents,omitempty"` // by first name
}

// Login is how a person logs in.
type Login struct {
	AccountID string `json:"account_id"`
	UserID    string `json:"user_id"`
	Password  string `json:"password"`
}

// Names of the demo catalogue.
const (
	TokenModel   = "TD-200 HOTP"
	TimeModel    = "TD-300 TOTP"
	Warehouse    = "CHI-1"
	HardwareSKU  = "HW-OTP-1Y"
	ProofedSKU   = "HW-OTP-PROOFED-1Y"
	TimeTokenSKU = "HW-TOTP-1Y"
	EuropeanSKU  = "HW-OTP-1Y-EU"

	RenewalSKU             = "HW-RENEW-1Y" // of a hardware token, whatever its model
	ProofedRenewalSKU      = "HW-RENEW-PROOFED-1Y"
	EuropeanRenewalSKU     = "HW-RENEW-1Y-EU"
	ReplacementSKU         = "HW-REPLACE"
	TimeReplacementSKU     = "HW-REPLACE-TOTP"
	EuropeanReplacementSKU = "HW-REPLACE-EU"
	UpgradeSKU             = "HW-PROOF" // has the holder of a hardware token proofed
	EuropeanUpgradeSKU     = "HW-PROOF-EU"

	DisclaimerNow = 1
)

// Load fills the database where it is empty and returns the secrets; they are written to the file the first time and
// read from it afterwards.
func Load(ctx context.Context, st *store.Store, hasher *password.Hasher, file string, at time.Time) (Secrets, error) {
	if err := catalogue(ctx, st, at); err != nil {
		return Secrets{}, fmt.Errorf("load the demo catalogue: %w", err)
	}
	secrets, err := Read(file)
	if err == nil {
		_, err = st.Account(ctx, secrets.People["ada"].AccountID)
	}
	switch {
	case err == nil:
		return secrets, nil
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, models.NoSuchThing): // a new database, or the file of another one
	default:
		return Secrets{}, err
	}
	if secrets, err = people(ctx, st, hasher, at); err != nil {
		return Secrets{}, fmt.Errorf("load the demo people: %w", err)
	}
	return secrets, write(file, secrets)
}

func catalogue(ctx context.Context, st *store.Store, at time.Time) error {
	since := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	policy := models.DefaultPolicy()
	policy.Version++                                                               // beside the one that migrate adds
	policy.LicenseKey.TriesPerAddress, policy.Session.TriesPerAddress = 1000, 1000 // everybody in a sandbox has the same network address
	if err := st.AddPolicy(ctx, policy, since); err != nil {
		return err
	}
	err := st.AddDisclaimer(ctx, models.Disclaimer{Version: DisclaimerNow, EffectiveAt: since,
		Text: "A credential is for one person and must not be shared. A license key that was activated cannot be returned."})
	if err != nil {
		return err
	}
	hotp, totp := TokenModel, TimeModel
	for _, m := range []models.TokenModel{{Model: hotp, Kind: "hotp", ReorderLevel: 10}, {Model: totp, Kind: "totp", ReorderLevel: 10}} {
		if err := st.SaveTokenModel(ctx, m, models.Actor{ID: "system"}, at); err != nil {
			return err
		}
	}
	for _, p := range products() {
		if err := st.PutProduct(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// products are the demo catalogue: tokens with a year of use, and what keeps them going (CAT-1).
func products() []models.Product {
	hotp, totp, hardware := TokenModel, TimeModel, models.HardwareOTP
	tokens := []models.Product{
		{SKU: HardwareSKU, Name: "Hardware token, one year", Market: "US", TokenModel: &hotp, PriceMinor: 8900, Currency: models.USD},
		{SKU: ProofedSKU, Name: "Hardware token with identity proofing, one year", Proofing: true, Market: "US", TokenModel: &hotp, PriceMinor: 13900, Currency: models.USD},
		{SKU: TimeTokenSKU, Name: "Time-based hardware token, one year", Market: "US", TokenModel: &totp, PriceMinor: 9900, Currency: models.USD},
		{SKU: EuropeanSKU, Name: "Hardware token, one year (Europe)", Market: "*", TokenModel: &hotp, PriceMinor: 8500, Currency: models.EUR},
	}
	renewals := []models.Product{
		{SKU: RenewalSKU, Name: "Renewal of a hardware token, one year", Market: "US", PriceMinor: 6900, Currency: models.USD},
		{SKU: ProofedRenewalSKU, Name: "Renewal of a hardware token with identity proofing, one year", Proofing: true, Market: "US", PriceMinor: 9900, Currency: models.USD},
		{SKU: EuropeanRenewalSKU, Name: "Renewal of a hardware token, one year (Europe)", Market: "*", PriceMinor: 6500, Currency: models.EUR},
	}
	replacements := []models.Product{
		{SKU: ReplacementSKU, Name: "Replacement token", Market: "US", TokenModel: &hotp, PriceMinor: 3900, Currency: models.USD},
		{SKU: TimeReplacementSKU, Name: "Replacement token, time-based", Market: "US", TokenModel: &totp, PriceMinor: 4900, Currency: models.USD},
		{SKU: EuropeanReplacementSKU, Name: "Replacement token (Europe)", Market: "*", TokenModel: &hotp, PriceMinor: 3700, Currency: models.EUR},
	}
	upgrades := []models.Product{
		{SKU: UpgradeSKU, Name: "Identity proofing for a hardware token", Proofing: true, Market: "US", PriceMinor: 5900, Currency: models.USD},
		{SKU: EuropeanUpgradeSKU, Name: "Identity proofing for a hardware token (Europe)", Proofing: true, Market: "*", PriceMinor: 5500, Currency: models.EUR},
	}
	var all []models.Product
	add := func(kind models.ProductKind, base *models.ProductKind, months int, some []models.Product) {
		for _, p := range some {
			p.Kind, p.BaseKind, p.TermMonths, p.Status = kind, base, months, models.ProductActive
			all = append(all, p)
		}
	}
	add(models.HardwareOTP, nil, 12, tokens)
	add(models.Renewal, &hardware, 12, renewals)
	add(models.Replacement, &hardware, 0, replacements)
	add(models.ProofingUpgrade, &hardware, 0, upgrades)
	return all
}

func people(ctx context.Context, st *store.Store, hasher *password.Hasher, at time.Time) (Secrets, error) {
	s := Secrets{People: map[string]Login{}, APIKeys: map[string]string{}, Maker: TokenMaker(rand.Text())}
	org, err := st.CreateOrganization(ctx, models.Organization{Name: "Example Pharmacies", Country: "US", Status: models.OrganizationApproved}, at)
	if err != nil {
		return s, err
	}
	for _, a := range []models.Account{
		{UserID: "ada", Email: "ada@pharmacies.example", FirstName: "Ada", MiddleName: "King", LastName: "Lovelace"},
		{UserID: "grace", Email: "grace@pharmacies.example", FirstName: "Grace", LastName: "Hopper"},
	} {
		if s.People[a.UserID], err = person(ctx, st, hasher, a, org, at); err != nil {
			return s, err
		}
	}
	partner, err := st.CreatePartner(ctx, models.Partner{Name: "Prescription Portal", AcceptsKinds: []models.AuthenticatorKind{models.HardwareToken}, MinimumLevel: 2}, at)
	if err != nil {
		return s, err
	}
	s.Partner = partner.ID
	for _, role := range []models.Role{models.RoleBilling, models.RoleSupport, models.RoleWarehouse, models.RoleOperator, models.RoleAuditor, models.RoleRelyingApp} {
		owner := ""
		if role == models.RoleRelyingApp {
			owner = partner.ID
		}
		key, _, err := st.CreateAPIKey(ctx, "demo "+string(role), role, owner, at)
		if err != nil {
			return s, err
		}
		s.APIKeys[string(role)] = key.Reveal()
	}
	return s, nil
}

func person(ctx context.Context, st *store.Store, hasher *password.Hasher, a models.Account, org models.Organization, at time.Time) (Login, error) {
	secret := models.Secret(rand.Text())
	hash, err := hasher.Hash(secret)
	if err != nil {
		return Login{}, err
	}
	a.PasswordHash, a.OrganizationID, a.Country, a.CreatedAt = hash, &org.ID, org.Country, at
	roles := []models.Role{models.RoleSubscriber}
	if a.UserID == "grace" {
		roles = append(roles, models.RoleOrgAdmin)
	}
	made, err := st.CreateAccount(ctx, a, roles...)
	return Login{AccountID: made.ID, UserID: a.UserID, Password: secret.Reveal()}, err
}

// Read returns the secrets that Load has written.
func Read(file string) (s Secrets, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return s, fmt.Errorf("read the demo secrets: %w", err)
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return s, fmt.Errorf("read the demo secrets: %w", err)
	}
	return s, nil
}

func write(file string, s Secrets) error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return fmt.Errorf("write the demo secrets: %w", err)
	}
	return nil
}
