package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"tokendesk/api/gen"
	"tokendesk/models"
	"tokendesk/models/store"
)

// enginePatience is how long a suspension or a revocation waits for the engine before it is done without: a stolen token waits for nobody.
const enginePatience = 3 * time.Second

// SuspendCredential takes a credential out of use (MGT-3).
func (s *server) SuspendCredential(ctx context.Context, r gen.SuspendCredentialRequestObject) (gen.SuspendCredentialResponseObject, error) {
	c, err := s.command(ctx, r.CredentialID, "credential.suspension_requested", r.Body.Reason)
	if err != nil {
		return nil, err
	}
	err = s.evenWithoutEngine(ctx, func(ctx context.Context) error {
		return s.Lifecycles.SuspendCredential(ctx, c.id, c.by, c.actor, c.updateID)
	}, func() error {
		err := s.Store.SuspendCredential(ctx, c.id, c.by, c.actor, s.Clock())
		if errors.Is(err, models.AlreadySuspended) && c.before.SuspendedAt == nil {
			err = nil // the engine has, and could not say so in time
		}
		return err
	})
	if err = c.resumed(err, models.AlreadySuspended); err != nil {
		return nil, err
	}
	view, err := s.viewCredentialNumbered(ctx, c.id)
	return gen.SuspendCredential200JSONResponse{Body: view}, err
}

// ReenableCredential lifts a suspension (MGT-3).
func (s *server) ReenableCredential(ctx context.Context, r gen.ReenableCredentialRequestObject) (gen.ReenableCredentialResponseObject, error) {
	c, err := s.command(ctx, r.CredentialID, "credential.re_enabling_requested", r.Body.Reason)
	if err != nil {
		return nil, err
	}
	if c.before.Phase == models.CredentialRevoked { // its lifecycle has ended
		err = s.Store.ReenableCredential(ctx, c.id, c.by, c.actor, s.Clock())
	} else {
		err = s.Lifecycles.ReenableCredential(ctx, c.id, c.by, c.actor, c.updateID)
	}
	if err = c.resumed(err, models.NotSuspended); err != nil {
		return nil, err
	}
	view, err := s.viewCredentialNumbered(ctx, c.id)
	return gen.ReenableCredential200JSONResponse{Body: view}, err
}

// RevokeCredential ends a credential or one of its authenticators, for good (MGT-4).
func (s *server) RevokeCredential(ctx context.Context, r gen.RevokeCredentialRequestObject) (gen.RevokeCredentialResponseObject, error) {
	known, bound, err := s.credential(ctx, r.CredentialID)
	if err != nil {
		return nil, err
	}
	one := deref(r.Body.AuthenticatorID)
	if one != "" && !slices.ContainsFunc(bound, func(a models.Authenticator) bool { return a.ID == one }) {
		return nil, models.NoSuchThing.New("the credential has no such authenticator")
	}
	if !deref(r.Body.Confirm) && known.Phase != models.CredentialRevoked {
		return nil, s.unconfirmed(ctx, known.ID, one)
	}
	reason := string(r.Body.Reason)
	if note := deref(r.Body.Note); note != "" {
		reason += ": " + note
	}
	c, err := s.command(ctx, r.CredentialID, "credential.revocation_requested", &reason)
	if err != nil {
		return nil, err
	}
	revocation := models.Revocation{CredentialID: c.id, AuthenticatorID: one, Reason: r.Body.Reason, By: c.by}
	direct := func() error {
		return s.Store.RevokeCredential(ctx, revocation, s.Keyring, s.Passwords, c.actor, s.Clock())
	}
	if revoked(known, bound, one) { // its lifecycle has ended, or there is nothing to do: the database says so
		err = direct()
	} else {
		err = s.evenWithoutEngine(ctx, func(ctx context.Context) error {
			return s.Lifecycles.RevokeCredential(ctx, revocation, c.actor, c.updateID)
		}, func() error {
			if err := direct(); !errors.Is(err, models.AlreadyRevoked) { // otherwise the engine has, and could not say so in time
				return err
			}
			return nil
		})
	}
	if err = c.resumed(err, models.AlreadyRevoked); err != nil {
		return nil, err
	}
	view, err := s.viewCredentialNumbered(ctx, c.id)
	return gen.RevokeCredential200JSONResponse{Body: view}, err
}

func revoked(c models.Credential, bound []models.Authenticator, one string) bool {
	return c.Phase == models.CredentialRevoked || slices.ContainsFunc(bound, func(a models.Authenticator) bool {
		return a.ID == one && a.Status == models.AuthenticatorRevoked
	})
}

// unconfirmed says what a revocation would do.
func (s *server) unconfirmed(ctx context.Context, id, authenticatorID string) error {
	st, err := s.Store.Standing(ctx, id, s.Clock())
	if err != nil {
		return err
	}
	live := 0
	for _, a := range st.Bound {
		if a.Status != models.AuthenticatorRevoked {
			live++
		}
	}
	what := "the credential and everything bound to it end at once"
	switch {
	case authenticatorID != "" && live > 1:
		what = "this authenticator ends at once; the credential goes on with the others"
	case authenticatorID != "" && st.Replacing:
		what = "this authenticator ends at once; the credential waits for the replacement that is under way"
	}
	return models.ConfirmationMissing.New("%s, for good; the person's sessions end, the password is reset, and a temporary one is mailed", what).
		At("/confirm").Allowing(string(models.ActionRevoke))
}

// ResyncAuthenticator brings a locked or drifted token back (MGT-2).
func (s *server) ResyncAuthenticator(ctx context.Context, r gen.ResyncAuthenticatorRequestObject) (gen.ResyncAuthenticatorResponseObject, error) {
	c, _, err := s.credential(ctx, r.CredentialID)
	if err != nil {
		return nil, err
	}
	a, err := making(ctx, s, func(tx *store.Store) (models.Authenticator, string, error) {
		a, err := tx.ResyncToken(ctx, store.Resync{CredentialID: c.ID, AccountID: callOf(ctx).caller.AccountID, AuthenticatorID: r.AuthenticatorID,
			First: r.Body.FirstCode, Second: r.Body.SecondCode}, s.Keyring, s.Clock(), s.CodeClock())
		return a, r.AuthenticatorID, err
	}, func(id string) (models.Authenticator, error) { return s.authenticator(ctx, c.ID, id) })
	if err != nil {
		return nil, err
	}
	return gen.ResyncAuthenticator200JSONResponse{Body: viewAuthenticator(a)}, nil
}

// ResetAuthenticator lets a token be resynchronized again (MGT-2: support reset).
func (s *server) ResetAuthenticator(ctx context.Context, r gen.ResetAuthenticatorRequestObject) (gen.ResetAuthenticatorResponseObject, error) {
	reason := string(r.Body.Reason)
	if note := deref(r.Body.Note); note != "" {
		reason += ": " + note
	}
	c, err := s.command(ctx, r.CredentialID, "token.reset_requested", &reason)
	if err != nil {
		return nil, err
	}
	if c.before.Phase == models.CredentialRevoked { // its lifecycle has ended
		err = s.Store.ResetAuthenticator(ctx, c.id, r.AuthenticatorID, c.actor, reason, s.Clock())
	} else {
		err = s.Lifecycles.ResetAuthenticator(ctx, c.id, r.AuthenticatorID, r.Body.Reason, c.actor, c.updateID)
	}
	if err != nil {
		return nil, err
	}
	return gen.ResetAuthenticator204Response{}, nil
}

// credentialCommand is a command on a credential, as its lifecycle takes it.
type credentialCommand struct {
	id       string
	by       models.Suspender
	actor    models.Actor
	updateID string
	before   models.Credential
	again    bool // an interrupted call under the same key has asked for it
}

// command finds a credential that exists for the caller, and writes down that it is asked for something, and why.
func (s *server) command(ctx context.Context, id, kind string, reason *string) (credentialCommand, error) {
	known, _, err := s.credential(ctx, id)
	if err != nil {
		return credentialCommand{}, err
	}
	c := callOf(ctx)
	by, err := s.authority(ctx, known.AccountID)
	if err != nil {
		return credentialCommand{}, err
	}
	why, err := givenReason(by, reason)
	if err != nil {
		return credentialCommand{}, err
	}
	again, err := s.asked(ctx, models.AuditEvent{Class: models.LifecycleEvents, Kind: kind, CredentialID: &id, SubjectRef: id}, why)
	return credentialCommand{id, by, c.caller.Actor, c.commandID(), known, again}, err
}

// resumed forgives a repeated call that finds done what the interrupted one had asked for.
func (c credentialCommand) resumed(err error, done *models.FaultType) error {
	if c.again && errors.Is(err, done) {
		return nil
	}
	return err
}

// evenWithoutEngine has a lifecycle do something, and does it in the database itself where the engine does not answer in time. What
// the lifecycle was asked for may still happen then: whoever comes second changes nothing.
func (s *server) evenWithoutEngine(ctx context.Context, lifecycle func(context.Context) error, direct func() error) error {
	patient, cancel := context.WithTimeout(ctx, enginePatience)
	defer cancel()
	err := lifecycle(patient)
	if err == nil || faultOf(err).Type.Kind != models.Unavailable || ctx.Err() != nil {
		return err
	}
	s.Logger.LogAttrs(ctx, slog.LevelWarn, "done without the engine", slog.String("operation", callOf(ctx).operation()), slog.String("error", causeOf(err)))
	if err := direct(); err != nil {
		return fmt.Errorf("without the engine: %w", err)
	}
	return nil
}
