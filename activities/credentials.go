package activities

import (
	"context"
	"time"

	"tokendesk/internal/password"
	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/workflows"
)

// Credentials performs the steps of the credential lifecycle.
type Credentials struct {
	Store  *store.Store
	Sealer store.Sealer
	Hasher *password.Hasher
}

// Bind registers the steps.
func (c *Credentials) Bind(b *workflows.Binder) {
	workflows.Bind(b, workflows.AdvanceCredential, c.advance)
	workflows.Bind(b, workflows.SuspendCredential, c.suspend)
	workflows.Bind(b, workflows.ReenableCredential, c.reenable)
	workflows.Bind(b, workflows.RevokeCredential, c.revoke)
	workflows.Bind(b, workflows.ResetAuthenticator, c.reset)
}

// anotherLook is when a credential looks again whether what it waits for has come.
const anotherLook = time.Hour

func (c *Credentials) advance(ctx context.Context, in workflows.CredentialAt) (f workflows.CredentialFacts, err error) {
	s, err := c.Store.AdvanceCredential(ctx, in.ID, in.At)
	if err != nil {
		return f, err
	}
	f = workflows.CredentialFacts{Status: s.Status, ProductKind: s.Credential.Kind, Organization: s.OrganizationID,
		NeedsPerson: s.Credential.ReviewSince != nil, Ended: models.CredentialMachine.Ends(s.Credential.Phase)}
	if next, ok := s.Timeline.NextPerformed(in.At); ok {
		f.NextAt, f.NextWhat = next.At, next.What
	}
	if len(s.Timeline.Performable(in.At)) > 0 { // it waits for a renewal that was paid in time, which signals when it takes effect
		f.NextAt, f.NextWhat = in.At.Add(anotherLook), "a renewal that was paid in time takes effect"
	}
	return f, nil
}

func (c *Credentials) suspend(ctx context.Context, in workflows.CredentialCommand) (none, error) {
	return none{}, c.Store.SuspendCredential(ctx, in.ID, in.By, models.Actor{ID: in.Actor}, in.At)
}

func (c *Credentials) reenable(ctx context.Context, in workflows.CredentialCommand) (none, error) {
	return none{}, c.Store.ReenableCredential(ctx, in.ID, in.By, models.Actor{ID: in.Actor}, in.At)
}

func (c *Credentials) revoke(ctx context.Context, in workflows.CredentialCommand) (none, error) {
	r := models.Revocation{CredentialID: in.ID, AuthenticatorID: in.AuthenticatorID, Reason: models.RevokeReason(in.Reason), By: in.By}
	return none{}, c.Store.RevokeCredential(ctx, r, c.Sealer, c.Hasher, models.Actor{ID: in.Actor}, in.At)
}

func (c *Credentials) reset(ctx context.Context, in workflows.CredentialCommand) (none, error) {
	return none{}, c.Store.ResetAuthenticator(ctx, in.ID, in.AuthenticatorID, models.Actor{ID: in.Actor}, in.Reason, in.At)
}
