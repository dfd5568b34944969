package api

import (
	"context"
	"time"

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

// ListCredentials lists the caller's own credentials, or those of an account that the caller administers (MGT-1).
func (s *server) ListCredentials(ctx context.Context, r gen.ListCredentialsRequestObject) (gen.ListCredentialsResponseObject, error) {
	account := callOf(ctx).caller.AccountID
	if r.Params.AccountID != nil {
		account = *r.Params.AccountID
	}
	if account == "" { // staff have none of their own
		return gen.ListCredentials200JSONResponse{Items: []gen.Credential{}}, nil
	}
	if _, err := s.authority(ctx, account); err != nil {
		return nil, err
	}
	rows, err := s.Store.CredentialsOfAccount(ctx, account)
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
	if _, _, err := s.credential(ctx, r.CredentialID); err != nil {
		return nil, err
	}
	view, err := s.viewCredentialNumbered(ctx, r.CredentialID)
	return gen.GetCredential200JSONResponse(view), err
}

// credential finds a credential that exists for the caller.
func (s *server) credential(ctx context.Context, id string) (models.Credential, []models.Authenticator, error) {
	c, bound, err := s.Store.Credential(ctx, id)
	if err == nil {
		if _, err = s.authority(ctx, c.AccountID); models.KindOf(err) == models.NotFound && err != nil {
			err = models.NoSuchThing.New("no such credential")
		}
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
	at := s.Clock()
	st, err := s.Store.Standing(ctx, id, at)
	if err != nil {
		return gen.Credential{}, err
	}
	by, err := s.authority(ctx, st.Credential.AccountID)
	if err != nil {
		return gen.Credential{}, err
	}
	v := s.viewCredential(ctx, st, by, at)
	proofing, err := s.proofingOf(ctx, id)
	if proofing != nil {
		v.ProofingID = &proofing.ID
	}
	return v, err
}

func (s *server) viewCredential(ctx context.Context, st models.Standing, by models.Suspender, at time.Time) gen.Credential {
	c := st.Credential
	v := gen.Credential{ID: c.ID, AccountID: c.AccountID, ProductSKU: c.ProductSKU, Kind: c.Kind, Level: int32(c.Level),
		Status: st.Displayed(at), Phase: c.Phase, ProofingCountry: c.ProofingCountry, PurchasedAt: c.PurchasedAt, ExpiresAt: c.ExpiresAt,
		SuspendedAt: c.SuspendedAt, SuspendedBy: c.SuspendedBy, TermSuspendedAt: c.TermSuspendedAt, ReviewSince: c.ReviewSince,
		RevokedAt: c.RevokedAt, RevokeReason: c.RevokeReason, Authenticators: each(st.Bound, viewAuthenticator),
		AllowedActions: s.credentialActions(ctx, st, by, at)}
	if token := models.LiveToken(st.Bound); token != nil {
		v.Serial = token.Serial
	}
	if st.Replacing {
		v.Replacing = &st.Replacing
	}
	if c.Phase != models.CredentialRevoked {
		w := st.Window
		v.Renewal = &gen.RenewalWindow{Opens: w.Opens, LastInvoice: w.LastInvoice, LastRenewal: w.LastRenewal, NewExpiry: w.NewExpiry, Open: w.Open(at)}
	}
	return v
}

// credentialActions are what the caller can do with a credential, as far as an operation offers it (MGT-1).
func (s *server) credentialActions(ctx context.Context, st models.Standing, by models.Suspender, at time.Time) []string {
	st.LoggedIn = callOf(ctx).caller.loggedInWith() == st.Credential.ID
	return offered(ctx, s, models.CredentialMachine.Name, st.Actions(by, at))
}

// ListCredentialNotices lists the mails about a credential, with the evidence of their delivery (LIF-3).
func (s *server) ListCredentialNotices(ctx context.Context, r gen.ListCredentialNoticesRequestObject) (gen.ListCredentialNoticesResponseObject, error) {
	if _, _, err := s.credential(ctx, r.CredentialID); err != nil {
		return nil, err
	}
	l := s.list(r.Params.Limit, "notices/"+r.CredentialID)
	page, err := l.page(r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	rows, err := s.Store.NoticesAbout(ctx, r.CredentialID, page)
	if err != nil {
		return nil, err
	}
	rows, next, err := cut(l, rows, func(n models.Notice) string { return n.ID })
	return gen.ListCredentialNotices200JSONResponse{Items: each(rows, viewNotice), NextCursor: next}, err
}

func viewNotice(n models.Notice) gen.Notice {
	return gen.Notice{ID: n.ID, Kind: string(n.Kind), Status: n.Status, CreatedAt: n.CreatedAt, SentAt: n.SentAt, DeliveredAt: n.DeliveredAt,
		BouncedAt: n.BouncedAt, ComplainedAt: n.ComplainedAt, Code: optional(string(n.Code))}
}

func viewAuthenticator(a models.Authenticator) gen.Authenticator {
	return gen.Authenticator{ID: a.ID, CredentialID: a.CredentialID, Kind: a.Kind, Serial: a.Serial, Status: a.Status,
		RegisteredAt: a.RegisteredAt, LockedAt: a.LockedAt, RevokedAt: a.RevokedAt}
}
