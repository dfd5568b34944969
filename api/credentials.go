package api

import (
	"context"

	"tokendesk/api/gen"
	"tokendesk/models"
	"tokendesk/models/store"
)

// ActivateLicenseKey makes a credential of a key (LIC-2).
func (s *server) ActivateLicenseKey(ctx context.Context, r gen.ActivateLicenseKeyRequestObject) (gen.ActivateLicenseKeyResponseObject, error) {
	c, b := callOf(ctx).caller, r.Body
	id, err := making(ctx, s, func(tx *store.Store) (string, string, error) {
		credential, err := tx.ActivateLicenseKey(ctx, store.Activation{Key: b.LicenseKey, AccountID: c.AccountID, Address: c.Address,
			LegalName: b.LegalName, ProofingCountry: b.ProofingCountry, TokenInHand: deref(b.TokenInHand)}, s.Clock())
		return credential.ID, credential.ID, err
	}, func(id string) (string, error) { return id, nil })
	if err != nil {
		return nil, err
	}
	view, err := s.viewCredentialNumbered(ctx, id)
	if err != nil {
		return nil, err
	}
	return gen.ActivateLicenseKey201JSONResponse{Headers: gen.ActivateLicenseKey201ResponseHeaders{Location: "/v1/credentials/" + id}, Body: view}, nil
}

// ListCredentials lists the caller's own credentials (MGT-1).
func (s *server) ListCredentials(ctx context.Context, _ gen.ListCredentialsRequestObject) (gen.ListCredentialsResponseObject, error) {
	rows, err := s.Store.CredentialsOfAccount(ctx, callOf(ctx).caller.AccountID)
	if err != nil {
		return nil, err
	}
	items := make([]gen.Credential, 0, len(rows))
	for _, row := range rows {
		view, err := s.viewCredentialNumbered(ctx, row.ID)
		if err != nil {
			return nil, err
		}
		items = append(items, view)
	}
	return gen.ListCredentials200JSONResponse{Items: items}, nil
}

// GetCredential shows one credential (MGT-1).
func (s *server) GetCredential(ctx context.Context, r gen.GetCredentialRequestObject) (gen.GetCredentialResponseObject, error) {
	c, bound, err := s.credential(ctx, r.CredentialID)
	if err != nil {
		return nil, err
	}
	return gen.GetCredential200JSONResponse(s.viewCredential(ctx, c, bound)), nil
}

// credential finds a credential that exists for the caller.
func (s *server) credential(ctx context.Context, id string) (models.Credential, []models.Authenticator, error) {
	c, bound, err := s.Store.Credential(ctx, id)
	if err == nil && !callOf(ctx).caller.sees(c.AccountID) {
		err = models.NoSuchThing.New("no such credential")
	}
	return c, bound, err
}

// RegisterHardwareToken binds a hardware token to a credential (REG-1).
func (s *server) RegisterHardwareToken(ctx context.Context, r gen.RegisterHardwareTokenRequestObject) (gen.RegisterHardwareTokenResponseObject, error) {
	c, _, err := s.credential(ctx, r.CredentialID)
	if err != nil {
		return nil, err
	}
	bound, err := making(ctx, s, func(tx *store.Store) (models.Authenticator, string, error) {
		a, err := tx.RegisterHardwareToken(ctx, store.Registration{CredentialID: c.ID, AccountID: callOf(ctx).caller.AccountID, Serial: r.Body.Serial,
			First: r.Body.FirstCode, Second: r.Body.SecondCode}, s.Keyring, s.Clock(), s.CodeClock())
		return a, a.ID, err
	}, func(id string) (models.Authenticator, error) { return s.authenticator(ctx, c.ID, id) })
	if err != nil {
		return nil, err
	}
	return gen.RegisterHardwareToken201JSONResponse{
		Headers: gen.RegisterHardwareToken201ResponseHeaders{Location: "/v1/credentials/" + c.ID}, Body: viewAuthenticator(bound),
	}, nil
}

func (s *server) authenticator(ctx context.Context, credentialID, id string) (models.Authenticator, error) {
	_, bound, err := s.Store.Credential(ctx, credentialID)
	for _, a := range bound {
		if a.ID == id {
			return a, nil
		}
	}
	if err == nil {
		err = models.NoSuchThing.New("no such authenticator")
	}
	return models.Authenticator{}, err
}

func (s *server) viewCredentialNumbered(ctx context.Context, id string) (gen.Credential, error) {
	c, bound, err := s.Store.Credential(ctx, id)
	if err != nil {
		return gen.Credential{}, err
	}
	return s.viewCredential(ctx, c, bound), nil
}

func (s *server) viewCredential(ctx context.Context, c models.Credential, bound []models.Authenticator) gen.Credential {
	return gen.Credential{ID: c.ID, AccountID: c.AccountID, ProductSKU: c.ProductSKU, Kind: c.Kind, Level: int32(c.Level),
		Status: c.Displayed(models.AllLocked(bound), s.Clock()), Phase: c.Phase, ProofingCountry: c.ProofingCountry, PurchasedAt: c.PurchasedAt,
		ExpiresAt: c.ExpiresAt, SuspendedAt: c.SuspendedAt, RevokedAt: c.RevokedAt, Authenticators: each(bound, viewAuthenticator),
		AllowedActions: s.credentialActions(ctx, c)}
}

// credentialActions leaves registration out where no time is left for it.
func (s *server) credentialActions(ctx context.Context, c models.Credential) []string {
	if c.Displayed(false, s.Clock()) == models.ShownExpired {
		return []string{}
	}
	return actionsOf(ctx, s, models.CredentialMachine, c.Phase)
}

func viewAuthenticator(a models.Authenticator) gen.Authenticator {
	return gen.Authenticator{ID: a.ID, CredentialID: a.CredentialID, Kind: a.Kind, Serial: a.Serial, Status: a.Status,
		RegisteredAt: a.RegisteredAt, LockedAt: a.LockedAt, RevokedAt: a.RevokedAt}
}
