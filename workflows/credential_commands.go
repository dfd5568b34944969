package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"
	"tokendesk/models"
)

// CredentialCommand is what a person or an administrator wants done with a credential. It carries ids and codes only.
type CredentialCommand struct {
	ID              string
	AuthenticatorID string // of what is to be revoked or reset; empty: of everything bound to the credential
	By              models.Suspender
	Actor           string // id of who commands
	Reason          string // a models.RevokeReason or models.ResetReason
	At              time.Time
}

// Updates of a credential.
const (
	SuspendUpdate  = "suspend"
	ReenableUpdate = "re_enable"
	RevokeUpdate   = "revoke"
	ResetUpdate    = "reset"
)

// Commands on a credential, each one transaction of the database.
var (
	SuspendCredential  = localStep[CredentialCommand, struct{}]("credential.suspend")
	ReenableCredential = localStep[CredentialCommand, struct{}]("credential.re_enable")
	RevokeCredential   = localStep[CredentialCommand, struct{}]("credential.revoke")
	ResetAuthenticator = localStep[CredentialCommand, struct{}]("credential.reset")
)

func (c *credential) answer(ctx workflow.Context) error {
	for _, command := range []struct {
		update string
		step   Step[CredentialCommand, struct{}]
	}{{SuspendUpdate, SuspendCredential}, {ReenableUpdate, ReenableCredential}, {RevokeUpdate, RevokeCredential}, {ResetUpdate, ResetAuthenticator}} {
		handler := func(ctx workflow.Context, in CredentialCommand) error { return c.perform(ctx, command.step, in) }
		if err := workflow.SetUpdateHandlerWithOptions(ctx, command.update, handler, workflow.UpdateHandlerOptions{Validator: c.mayCommand}); err != nil {
			return err
		}
	}
	return nil
}

// mayCommand turns away what a revoked credential can no longer do, at no cost to its history.
func (c *credential) mayCommand(_ workflow.Context, _ CredentialCommand) error {
	if c.facts.Ended {
		return refusal(models.CredentialIsRevoked.New("").Allowing())
	}
	return nil
}

// perform has a command carried out in the database, whose guards decide, and looks again afterwards.
func (c *credential) perform(ctx workflow.Context, step Step[CredentialCommand, struct{}], command CredentialCommand) error {
	command.ID, command.At = c.ID, now(ctx)
	if _, err := step.Run(ctx, command); err != nil {
		return err
	}
	c.changed.now()
	return nil
}
