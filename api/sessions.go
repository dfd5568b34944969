package api

import (
	"context"

	"tokendesk/api/gen"
	"tokendesk/models"
	"tokendesk/models/store"
)

// CreateSession logs a person in (LOG-1).
func (s *server) CreateSession(ctx context.Context, r gen.CreateSessionRequestObject) (gen.CreateSessionResponseObject, error) {
	token, session, err := s.Store.Login(ctx, store.PasswordLogin{
		Name: r.Body.UserID, Password: r.Body.Password, Address: callOf(ctx).caller.Address,
	}, s.Passwords, s.Clock())
	if err != nil {
		return nil, err
	}
	roles, err := s.Store.Roles(ctx, session.AccountID)
	if err != nil {
		return nil, err
	}
	account, err := s.Store.Account(ctx, session.AccountID)
	if err != nil {
		return nil, err
	}
	return gen.CreateSession201JSONResponse{
		Headers: gen.CreateSession201ResponseHeaders{Location: "/v1/sessions/current"},
		Body:    gen.StartedSession{Token: token.Reveal(), Session: viewSession(session, account, roles)},
	}, nil
}

// GetCurrentSession shows the session that calls.
func (s *server) GetCurrentSession(ctx context.Context, _ gen.GetCurrentSessionRequestObject) (gen.GetCurrentSessionResponseObject, error) {
	c := callOf(ctx).caller
	return gen.GetCurrentSession200JSONResponse(viewSession(*c.session, *c.account, c.roles)), nil
}

// EndCurrentSession logs out.
func (s *server) EndCurrentSession(ctx context.Context, _ gen.EndCurrentSessionRequestObject) (gen.EndCurrentSessionResponseObject, error) {
	if err := s.Store.EndSession(ctx, callOf(ctx).caller.session.ID, s.Clock()); err != nil {
		return nil, err
	}
	return gen.EndCurrentSession204Response{}, nil
}

// ElevateSession raises the strength of the session that calls with a one-time password (LOG-2). The code is verified in a transaction of its own, as
// for relying applications; the session is raised in the one that remembers the call.
func (s *server) ElevateSession(ctx context.Context, r gen.ElevateSessionRequestObject) (gen.ElevateSessionResponseObject, error) {
	c := callOf(ctx)
	var proven string
	if c.resource == "" { // else an interrupted call under the same key has raised it
		var err error
		proven, err = s.Store.ProveCredential(ctx, store.Elevation{AccountID: c.caller.AccountID, CredentialID: deref(r.Body.CredentialID), Code: r.Body.Code},
			s.Keyring, s.Clock(), s.CodeClock())
		if err != nil {
			return nil, err
		}
	}
	session, err := making(ctx, s, func(tx *store.Store) (models.Session, string, error) {
		session, err := tx.RaiseSession(ctx, c.caller.session.ID, proven, s.Clock())
		return session, session.ID, err
	}, func(string) (models.Session, error) { return *c.caller.session, nil })
	if err != nil {
		return nil, err
	}
	return gen.ElevateSession200JSONResponse{Body: viewSession(session, *c.caller.account, c.caller.roles)}, nil
}

func viewSession(s models.Session, a models.Account, roles []models.Role) gen.Session {
	v := gen.Session{ID: s.ID, AccountID: s.AccountID, Roles: roles, Strength: s.Strength, Level: int32(s.Level), CredentialID: s.CredentialID, CreatedAt: s.CreatedAt}
	if a.MustChangePassword {
		v.MustChangePassword = &a.MustChangePassword
	}
	return v
}
