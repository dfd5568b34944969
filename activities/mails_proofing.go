package activities

import (
	"context"
	"slices"

	"tokendesk/internal/identitydocs"
	"tokendesk/models"
)

// proofingFacts is what the mails of a proofing say.
type proofingFacts struct {
	Proofing    models.ProofingCase
	SelfService bool   // is offered
	Documents   string // that an agent accepts, a line each
	CodeDay     string // the last day of the open activation code
	FeeDue      bool   // another attempt must be bought
}

func (c *Composer) aboutProofing(ctx context.Context, f *mailFacts, id string) (err error) {
	if f.Proofing, err = c.Store.ProofingCase(ctx, id); err != nil {
		return err
	}
	policy, err := c.Store.Policy(ctx, f.Proofing.PolicyVersion)
	if err != nil {
		return err
	}
	accepted, err := identitydocs.For(f.Proofing.Country)
	if err != nil {
		return err
	}
	f.SelfService, f.Documents = slices.Contains(models.ProofingMethods(f.Proofing.Country), models.BySelfService), accepted.Text()
	f.FeeDue = f.Proofing.Exhausted(policy)
	code, err := c.Store.OpenActivationCode(ctx, id)
	if err != nil {
		return err
	}
	if code != nil {
		f.CodeDay = code.ExpiresAt.Add(-1).In(policy.Location()).Format(mailDay)
	}
	return c.aboutCredential(ctx, f, f.Proofing.CredentialID)
}
