package activities

import (
	"context"

	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/workflows"
)

// Credentials performs the steps of the credential lifecycle.
type Credentials struct {
	Store *store.Store
}

// Bind registers the steps.
func (c *Credentials) Bind(b *workflows.Binder) {
	workflows.Bind(b, workflows.AdvanceCredential, c.advance)
}

func (c *Credentials) advance(ctx context.Context, in workflows.CredentialAt) (f workflows.CredentialFacts, err error) {
	s, err := c.Store.AdvanceCredential(ctx, in.ID, in.At)
	if err != nil {
		return f, err
	}
	f = workflows.CredentialFacts{Status: s.Status, ProductKind: s.Credential.Kind, Organization: s.OrganizationID,
		Ended: models.CredentialMachine.Ends(s.Credential.Phase)}
	if next, ok := s.Timeline.Next(in.At); ok {
		f.NextAt, f.NextWhat = next.At, next.What
	}
	return f, nil
}
