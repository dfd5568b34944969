package workflows

import (
	"context"

	"tokendesk/models"
)

// SuspendCredential has the lifecycle of a credential suspend it. Faults: those of store.SuspendCredential; ServiceDown.
func (c *Client) SuspendCredential(ctx context.Context, id string, by models.Suspender, actor models.Actor, updateID string) error {
	return c.Command(ctx, SuspendUpdate, CredentialCommand{ID: id, By: by, Actor: actor.ID}, updateID)
}

// ReenableCredential has the lifecycle of a credential lift its suspension. Faults: those of store.ReenableCredential; ServiceDown.
func (c *Client) ReenableCredential(ctx context.Context, id string, by models.Suspender, actor models.Actor, updateID string) error {
	return c.Command(ctx, ReenableUpdate, CredentialCommand{ID: id, By: by, Actor: actor.ID}, updateID)
}

// RevokeCredential has the lifecycle of a credential revoke it, or one of its authenticators. Faults: those of store.RevokeCredential;
// ServiceDown.
func (c *Client) RevokeCredential(ctx context.Context, r models.Revocation, actor models.Actor, updateID string) error {
	return c.Command(ctx, RevokeUpdate, CredentialCommand{ID: r.CredentialID, AuthenticatorID: r.AuthenticatorID, By: r.By, Actor: actor.ID,
		Reason: string(r.Reason)}, updateID)
}

// ResetAuthenticator has the lifecycle of a credential let an authenticator be resynced again. Faults: those of
// store.ResetAuthenticator; ServiceDown.
func (c *Client) ResetAuthenticator(ctx context.Context, credentialID, authenticatorID string, reason models.ResetReason, actor models.Actor, updateID string) error {
	return c.Command(ctx, ResetUpdate, CredentialCommand{ID: credentialID, AuthenticatorID: authenticatorID, By: models.ByAdministrator, Actor: actor.ID,
		Reason: string(reason)}, updateID)
}
