package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	sdkpb "go.temporal.io/api/sdk/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"tokendesk/deploy/dev/e2e/journey"
	"tokendesk/deploy/dev/stack/stacktest"
	"tokendesk/models"
	"tokendesk/workflows"
)

// ORD-1, ORD-2, ORD-3, ORD-6, LIC-1, LIC-2, SHP-1, SHP-2, SHP-3, REG-1, LOG-5: from the purchase to the login, by invoice, by card,
// and by a second card after the first was declined. OPS-1: operators can follow it. SEC-2, SEC-5: nothing leaks.
func TestJourneys(t *testing.T) {
	cfg := stacktest.Config(t)
	s := stacktest.Run(t, cfg)
	g := groundOf(t, s)
	journeys := g.people(t, nil, []string{journey.GoodCard}, []string{journey.DeclinedCard, journey.GoodCard})
	for i, name := range []string{"by invoice", "by card", "by card with a declined card first"} {
		t.Run(name, func(t *testing.T) {
			j := journeys[i]
			play(t, j)
			g.followed(t, j)
		})
	}
	t.Run("a declined card was told to the buyer", func(t *testing.T) { // ORD-2
		mails, err := g.world.Mails(t.Context(), journeys[2].Person.Email, "was declined")
		if err != nil || len(mails) != 1 {
			t.Errorf("%d mails: %v", len(mails), err)
		}
	})
	t.Run("nothing leaks", func(t *testing.T) {
		g.settled(t)
		planted := g.world.Planted()
		for what, content := range map[string][]byte{"accounts": dump(t, g.record.DatabaseURL)["public.accounts"], "mails": dump(t, g.record.DatabaseURL)["sandbox.mails"]} {
			if len(everythingOf(planted).find(content)) == 0 {
				t.Errorf("the search is blind: it finds nobody among the %s", what)
			}
		}
		noLeaks(t, g.engine, g.record, planted, append(logsIn(t, cfg.StateDir), logs)...)
	})
}

// settled waits until every mail has left, so that no license key rests in its seal.
func (g *ground) settled(t *testing.T) {
	t.Helper()
	eventually(t, 30*time.Second, "all mails to leave", func() bool {
		return one[int](t, g.db, "select count(*) from notices where status = 'pending'") == 0
	})
	eventually(t, 30*time.Second, "the engine to have taken everything", func() bool {
		return one[int](t, g.db, "select count(*) from outbox where dispatched_at is null") == 0
	})
}

// followed checks what an operator sees of a journey that has ended (OPS-1).
func (g *ground) followed(t *testing.T, j *journey.Journey) {
	t.Helper()
	for _, want := range []struct {
		lifecycle models.Lifecycle
		id        string
		status    string
		run       enumspb.WorkflowExecutionStatus
		details   string
	}{
		{models.OrderLifecycle, j.Order.Number, string(models.OrderFulfilled), enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, "license keys are mailed"},
		{models.ShipmentLifecycle, j.Shipment.ID, string(models.ShipmentDelivered), enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, "Delivered"},
		{models.CredentialLifecycle, j.Credential.ID, string(models.ShownActive), enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, "Active"},
	} {
		id := want.lifecycle.WorkflowID(want.id)
		var seen *client.WorkflowExecutionDescription
		eventually(t, 15*time.Second, id+" to be "+want.status, func() bool {
			var err error
			seen, err = g.engine.DescribeWorkflow(context.Background(), id, "")
			if _, missing := errors.AsType[*serviceerror.NotFound](err); missing {
				return false
			}
			must(t, err)
			status, _ := seen.TypedSearchAttributes.GetKeyword(workflows.StatusKey)
			return seen.Status == want.run && status == want.status
		})
		if kind, ok := seen.TypedSearchAttributes.GetKeyword(workflows.ProductKindKey); !ok || kind != string(models.HardwareOTP) {
			t.Errorf("%s: the product kind is %q", id, kind)
		}
		if _, due := seen.TypedSearchAttributes.GetTime(workflows.NextDeadlineKey); due != (want.lifecycle == models.CredentialLifecycle) {
			t.Errorf("%s: has a next deadline: %v", id, due)
		}
		if summary, err := seen.GetStaticSummary(); err != nil || summary != string(want.lifecycle)+" "+want.id {
			t.Errorf("%s: the summary is %q: %v", id, summary, err)
		}
		if details := g.details(t, id); !strings.Contains(details, want.details) {
			t.Errorf("%s: the details are %q, want %q in them", id, details, want.details)
		}
		query := fmt.Sprintf("WorkflowId = '%s' AND %s = '%s'", id, workflows.StatusKey.GetName(), want.status)
		eventually(t, 15*time.Second, id+" to be found by its status", func() bool {
			n, err := g.engine.CountWorkflow(context.Background(), &workflowservice.CountWorkflowExecutionsRequest{Query: query})
			must(t, err)
			return n.Count == 1
		})
	}
}

// details asks a lifecycle for its current-details line, as the Temporal UI does.
func (g *ground) details(t *testing.T, workflowID string) string {
	t.Helper()
	answer, err := g.engine.QueryWorkflow(context.Background(), workflowID, "", "__temporal_workflow_metadata")
	must(t, err)
	var m sdkpb.WorkflowMetadata
	must(t, answer.Get(&m))
	return m.CurrentDetails
}
