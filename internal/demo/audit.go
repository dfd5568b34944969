package demo

import (
	"context"
	"fmt"
	"slices"

	"tokendesk/api/client"
)

func history(ctx context.Context, p *play) (scene, error) {
	page, err := client.Read[client.AuditEventPage](p.auditor.ListCredentialAuditEvents(ctx, p.grace.credential, nil))
	if err != nil {
		return scene{}, err
	}
	var kinds []string
	for _, e := range page.Items {
		kinds = append(kinds, e.Kind)
	}
	for _, kind := range []string{"license_key.used", "token.registered"} {
		if err := holds(slices.Contains(kinds, kind), "%s is in the trail, which has %v", kind, kinds); err != nil {
			return scene{}, err
		}
	}
	return scene{fmt.Sprintf("%d events, from %s to %s: who, when and how it ended; no code and no key among them.", len(kinds), kinds[len(kinds)-1], kinds[0]),
		aboutCredential(p.grace)}, nil
}

func audit(ctx context.Context, p *play) (scene, error) {
	r, err := await(ctx, "a signed checkpoint over the audit trail", func() (client.AuditVerification, bool, error) {
		r, err := client.Read[client.AuditVerification](p.auditor.VerifyAudit(ctx))
		return r, err != nil || !r.Intact || sealed(r) > 0, err
	})
	if err != nil {
		return scene{}, err
	}
	var batches, unsealed int64
	for _, c := range r.Chains {
		batches, unsealed = batches+c.Batches, unsealed+c.Unsealed
		if len(c.Findings) > 0 {
			return scene{}, fmt.Errorf("the chain of %s events is broken: %s", c.Class, c.Findings[0].Detail)
		}
	}
	return scene{outcome: fmt.Sprintf("The chains hold: %d events under %d signed checkpoints, and %d that wait for the next one.", sealed(r), batches, unsealed)},
		holds(r.Intact, "the trail is intact")
}

func sealed(r client.AuditVerification) (events int64) {
	for _, c := range r.Chains {
		events += c.Events
	}
	return events
}
