package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// Search attributes of every lifecycle (OPS-1). No personal data.
var (
	StatusKey       = temporal.NewSearchAttributeKeyKeyword("TokendeskStatus")
	ProductKindKey  = temporal.NewSearchAttributeKeyKeyword("TokendeskProductKind")
	OrganizationKey = temporal.NewSearchAttributeKeyKeyword("TokendeskOrganizationId")
	NextDeadlineKey = temporal.NewSearchAttributeKeyTime("TokendeskNextDeadline")
	NeedsPersonKey  = temporal.NewSearchAttributeKeyBool("TokendeskNeedsPerson")
)

// SearchAttributeKeys lists what a namespace must have registered before a worker starts.
func SearchAttributeKeys() []temporal.SearchAttributeKey {
	return []temporal.SearchAttributeKey{StatusKey, ProductKindKey, OrganizationKey, NextDeadlineKey, NeedsPersonKey}
}

// standing is what an operator sees of a lifecycle in the Temporal UI.
type standing struct {
	Status       string
	ProductKind  string
	Organization string
	Next         time.Time // zero: no deadline
	Details      string    // plain words
}

// show publishes where a lifecycle stands: search attributes and the current-details line. It costs no state transition.
func show(ctx workflow.Context, s standing) error {
	updates := []temporal.SearchAttributeUpdate{StatusKey.ValueSet(s.Status)}
	if s.ProductKind != "" {
		updates = append(updates, ProductKindKey.ValueSet(s.ProductKind))
	}
	if s.Organization != "" {
		updates = append(updates, OrganizationKey.ValueSet(s.Organization))
	}
	if s.Next.IsZero() {
		updates = append(updates, NextDeadlineKey.ValueUnset())
	} else {
		updates = append(updates, NextDeadlineKey.ValueSet(s.Next))
	}
	workflow.SetCurrentDetails(ctx, s.Details)
	return workflow.UpsertTypedSearchAttributes(ctx, updates...)
}

func needsPerson(ctx workflow.Context, yes bool) {
	if err := workflow.UpsertTypedSearchAttributes(ctx, NeedsPersonKey.ValueSet(yes)); err != nil {
		workflow.GetLogger(ctx).Error("cannot raise the needs-person flag", "error", err)
	}
}

// flagged reports whether the needs-person flag is up.
func flagged(ctx workflow.Context) bool {
	up, _ := workflow.GetTypedSearchAttributes(ctx).GetBool(NeedsPersonKey)
	return up
}
