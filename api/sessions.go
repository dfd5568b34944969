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

func viewSession(s models.Session, a models.Account, roles []models.Role) gen.Session {
	v := gen.Session{ID: s.ID, AccountID: s.AccountID, Roles: roles, Strength: s.Strength, Level: int32(s.Level), CreatedAt: s.CreatedAt}
	if a.MustChangePassword {
		v.MustChangePassword = &a.MustChangePassword
	}
	return v
}
