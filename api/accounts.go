package api

import (
	"context"
	"errors"
	"fmt"

	"tokendesk/api/gen"
	"tokendesk/internal/password"
	"tokendesk/models"
	"tokendesk/models/store"
)

// CreateAccount makes a person's login.
func (s *server) CreateAccount(ctx context.Context, r gen.CreateAccountRequestObject) (gen.CreateAccountResponseObject, error) {
	at, b := s.Clock(), r.Body
	account := models.Account{OrganizationID: b.OrganizationID, UserID: b.UserID, Email: b.Email, FirstName: b.FirstName,
		MiddleName: deref(b.MiddleName), LastName: b.LastName, Country: b.Country, CreatedAt: at}
	create, err := s.accountMaker(account, b)
	if err != nil {
		return nil, err
	}
	account, err = making(ctx, s, func(tx *store.Store) (models.Account, string, error) {
		if err := knownOrganization(ctx, tx, b.OrganizationID); err != nil {
			return account, "", err
		}
		a, err := create(ctx, tx)
		return a, a.ID, err
	}, func(id string) (models.Account, error) { return s.Store.Account(ctx, id) })
	if err != nil {
		return nil, err
	}
	view, err := s.viewAccount(ctx, account)
	if err != nil {
		return nil, err
	}
	return gen.CreateAccount201JSONResponse{Headers: gen.CreateAccount201ResponseHeaders{Location: "/v1/accounts/" + view.ID}, Body: view}, nil
}

// accountMaker creates the account with the password that was given, or has a temporary one mailed (ACC-1). Passwords are hashed here,
// before anything is locked.
func (s *server) accountMaker(account models.Account, b *gen.NewAccount) (func(context.Context, *store.Store) (models.Account, error), error) {
	if b.Password == nil {
		temporary, err := store.NewTemporaryPassword(s.Passwords)
		return func(ctx context.Context, tx *store.Store) (models.Account, error) {
			return tx.InviteAccount(ctx, account, temporary, s.Keyring, b.Roles...)
		}, err
	}
	if err := account.CheckPassword(*b.Password); err != nil {
		return nil, err
	}
	hash, err := s.Passwords.Hash(*b.Password)
	switch {
	case errors.Is(err, password.ErrTooLong):
		return nil, models.InvalidRequest.New("the password is too long").At("/password")
	case err != nil:
		return nil, fmt.Errorf("hash a password: %w", err)
	}
	account.PasswordHash = hash
	return func(ctx context.Context, tx *store.Store) (models.Account, error) {
		return tx.CreateAccount(ctx, account, b.Roles...)
	}, nil
}

func knownOrganization(ctx context.Context, tx *store.Store, id *string) error {
	if id == nil {
		return nil
	}
	_, err := tx.Organization(ctx, *id)
	if err != nil && models.KindOf(err) == models.NotFound {
		return models.ReferenceUnknown.New("there is no such organization").At("/organization_id")
	}
	return err
}

// GetOwnAccount shows the account that calls.
func (s *server) GetOwnAccount(ctx context.Context, _ gen.GetOwnAccountRequestObject) (gen.GetOwnAccountResponseObject, error) {
	view, err := s.viewAccount(ctx, *callOf(ctx).caller.account)
	return gen.GetOwnAccount200JSONResponse(view), err
}

// GetAccount shows any account to staff.
func (s *server) GetAccount(ctx context.Context, r gen.GetAccountRequestObject) (gen.GetAccountResponseObject, error) {
	account, err := s.Store.Account(ctx, r.AccountID)
	if err != nil {
		return nil, err
	}
	view, err := s.viewAccount(ctx, account)
	return gen.GetAccount200JSONResponse(view), err
}

func (s *server) viewAccount(ctx context.Context, a models.Account) (gen.Account, error) {
	roles, err := s.Store.Roles(ctx, a.ID)
	return gen.Account{ID: a.ID, OrganizationID: a.OrganizationID, UserID: a.UserID, Email: a.Email, FirstName: a.FirstName,
		MiddleName: optional(a.MiddleName), LastName: a.LastName, Country: a.Country, Roles: roles, CreatedAt: a.CreatedAt}, err
}

func deref[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
