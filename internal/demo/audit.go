package demo

import (
	"context"
	"fmt"
	"slices"

	"tokendesk/api/client"
)

func history(ctx context.Context, p *play) (scene, error) {
	most := int32(100)
	page, err := client.Read[client.AuditEventPage](p.auditor.ListCredentialAuditEvents(ctx, p.grace.credential, &client.ListCredentialAuditEventsParams{Limit: &most}))
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

// audit waits until everything that this run has left in the trail stands under a signed checkpoint.
func audit(ctx context.Context, p *play) (scene, error) {
	before, err := p.checkTrail(ctx)
	if err != nil {
		return scene{}, err
	}
	now, err := await(ctx, "a signed checkpoint over the audit trail", func() (trail, bool, error) {
		now, err := p.checkTrail(ctx)
		return now, now.sealed >= before.sealed+before.waiting, err
	})
	return scene{outcome: fmt.Sprintf("The chains hold: %d events under %d signed checkpoints, all of this story among them.", now.sealed, now.checkpoints)},
		all(err, holds(now.checkpoints > 0, "a checkpoint is signed"))
}

// trail is the audit trail in numbers.
type trail struct{ checkpoints, sealed, waiting int64 }

// checkTrail has every chain recomputed.
func (p *play) checkTrail(ctx context.Context) (t trail, err error) {
	r, err := client.Read[client.AuditVerification](p.auditor.VerifyAudit(ctx))
	if err != nil {
		return t, err
	}
	for _, c := range r.Chains {
		if len(c.Findings) > 0 {
			return t, fmt.Errorf("the chain of %s events is broken: %s", c.Class, c.Findings[0].Detail)
		}
		t.checkpoints, t.sealed, t.waiting = t.checkpoints+c.Batches, t.sealed+c.Events, t.waiting+c.Unsealed
	}
	return t, holds(r.Intact, "the trail is intact")
}
