package versions

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"tokendesk/models"
	"tokendesk/workflows"
)

// credentialBefore is the life of a credential as a build from before the gate "wait: timer is cancelled" lived it.
func credentialBefore(ctx workflow.Context, in workflows.CredentialInput) error {
	changed := workflow.GetSignalChannel(ctx, string(models.SignalCredentialChanged))
	for {
		clear(changed)
		facts, err := workflows.AdvanceCredential.Run(ctx, workflows.CredentialAt{ID: in.ID, At: now(ctx)})
		if err != nil || facts.Ended {
			return err
		}
		err = workflow.UpsertTypedSearchAttributes(ctx, workflows.StatusKey.ValueSet(string(facts.Status)),
			workflows.ProductKindKey.ValueSet(string(facts.ProductKind)), workflows.NextDeadlineKey.ValueSet(facts.NextAt))
		if err != nil {
			return err
		}
		if _, err := workflow.AwaitWithTimeout(ctx, facts.NextAt.Sub(workflow.Now(ctx)), func() bool { return changed.Len() > 0 }); err != nil {
			return err
		}
	}
}

// refundBefore is a refund as an earlier build might have done it: it shows nothing and knows no deadline. Nothing that it has begun
// would replay on the present code.
func refundBefore(ctx workflow.Context, in workflows.RefundInput) error {
	changed := workflow.GetSignalChannel(ctx, string(models.SignalRefundChanged))
	for {
		clear(changed)
		facts, err := workflows.AdvanceRefund.Run(ctx, workflows.RefundAt{ID: in.ID, At: now(ctx)})
		if err != nil || facts.Status.Over() {
			return err
		}
		if err := workflow.Await(ctx, func() bool { return changed.Len() > 0 }); err != nil {
			return err
		}
	}
}

func clear(c workflow.ReceiveChannel) {
	for c.ReceiveAsync(nil) {
	}
}

func now(ctx workflow.Context) time.Time {
	return workflow.Now(ctx).UTC().Truncate(time.Microsecond)
}
