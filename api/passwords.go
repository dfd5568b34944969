package api

import (
	"context"

	"tokendesk/api/gen"
	"tokendesk/models"
)

// ChangePassword lets a person choose a password; a temporary one is changed before anything else (MGT-4).
func (s *server) ChangePassword(ctx context.Context, r gen.ChangePasswordRequestObject) (gen.ChangePasswordResponseObject, error) {
	c := callOf(ctx).caller
	if err := c.account.CheckPassword(r.Body.NewPassword); err != nil {
		return nil, atNewPassword(err)
	}
	err := s.Store.ChangePassword(ctx, c.account.ID, r.Body.OldPassword, r.Body.NewPassword, s.Passwords, c.session.ID, s.Clock())
	if err != nil {
		return nil, atNewPassword(err)
	}
	return gen.ChangePassword204Response{}, nil
}

// ResetPassword has a temporary password mailed to a person (MGT-4).
func (s *server) ResetPassword(ctx context.Context, r gen.ResetPasswordRequestObject) (gen.ResetPasswordResponseObject, error) {
	if _, err := s.Store.Account(ctx, r.AccountID); err != nil {
		return nil, err
	}
	c := callOf(ctx)
	reason, err := givenReason(models.ByAdministrator, &r.Body.Reason)
	if err != nil {
		return nil, err
	}
	_, err = s.asked(ctx, models.AuditEvent{Class: models.AdministrationEvents, Kind: "account.password_reset_requested", SubjectRef: r.AccountID}, reason)
	if err != nil {
		return nil, err
	}
	dedupe := "reset/" + c.commandID()
	if err := s.Store.ResetPassword(ctx, r.AccountID, s.Keyring, s.Passwords, c.caller.Actor, dedupe, s.Clock()); err != nil {
		return nil, err
	}
	return gen.ResetPassword204Response{}, nil
}

// RequestPasswordRecovery asks for the mail of a person who has forgotten the password; nobody learns whether there is one (ACC-1).
func (s *server) RequestPasswordRecovery(ctx context.Context, r gen.RequestPasswordRecoveryRequestObject) (gen.RequestPasswordRecoveryResponseObject, error) {
	if err := s.Store.RequestPasswordRecovery(ctx, r.Body.UserID, callOf(ctx).caller.Address, s.Keyring, s.Clock()); err != nil {
		return nil, err
	}
	return gen.RequestPasswordRecovery204Response{}, nil
}

// RecoverPassword sets a password with the token of that mail (ACC-1).
func (s *server) RecoverPassword(ctx context.Context, r gen.RecoverPasswordRequestObject) (gen.RecoverPasswordResponseObject, error) {
	if err := s.Store.RecoverPassword(ctx, r.Body.Token, r.Body.NewPassword, s.Passwords, s.Clock()); err != nil {
		return nil, atNewPassword(err)
	}
	return gen.RecoverPassword204Response{}, nil
}

// RecoverUserID asks for the mail of a person who has forgotten the user id (ACC-1).
func (s *server) RecoverUserID(ctx context.Context, r gen.RecoverUserIDRequestObject) (gen.RecoverUserIDResponseObject, error) {
	if err := s.Store.RecoverUserID(ctx, r.Body.Email, callOf(ctx).caller.Address, s.Clock()); err != nil {
		return nil, err
	}
	return gen.RecoverUserID204Response{}, nil
}

// atNewPassword points at the new password where the fault is about it; the old one has a fault of its own.
func atNewPassword(err error) error {
	f := models.FaultOf(err)
	switch {
	case f.Field == "/password":
		f.Field = "/new_password"
	case f.Type == models.PasswordReused && f.Field == "":
		f.Field = "/new_password"
	}
	return err
}
