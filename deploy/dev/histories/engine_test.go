package histories

import (
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"tokendesk/deploy/dev/engine/enginetest"
	"tokendesk/models/store/storetest"
	"tokendesk/workflows"
)

// startEngine starts an engine that can skip time; it ends with the test.
func startEngine(t *testing.T) client.Client {
	t.Helper()
	return enginetest.Start(t, client.Options{Interceptors: []interceptor.ClientInterceptor{&impatient{}}}, nil)
}

// impatient has a round of tries of a local step end after a moment: where it ends is the same.
type impatient struct {
	interceptor.ClientInterceptorBase
	interceptor.WorkerInterceptorBase
}

func (*impatient) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	return &impatientInbound{interceptor.WorkflowInboundInterceptorBase{Next: next}}
}

type impatientInbound struct {
	interceptor.WorkflowInboundInterceptorBase
}

func (i *impatientInbound) Init(out interceptor.WorkflowOutboundInterceptor) error {
	return i.Next.Init(&impatientOutbound{interceptor.WorkflowOutboundInterceptorBase{Next: out}})
}

type impatientOutbound struct {
	interceptor.WorkflowOutboundInterceptorBase
}

func (i *impatientOutbound) ExecuteLocalActivity(ctx workflow.Context, step string, args ...any) workflow.Future {
	o := workflow.GetLocalActivityOptions(ctx)
	o.ScheduleToCloseTimeout = 500 * time.Millisecond
	return i.Next.ExecuteLocalActivity(workflow.WithLocalActivityOptions(ctx, o), step, args...)
}

// until waits for a condition; what says what for.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick, deadline := time.NewTicker(10*time.Millisecond), time.After(time.Minute)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func describe(t *testing.T, c client.Client, workflowID string) *workflowservice.DescribeWorkflowExecutionResponse {
	t.Helper()
	d, err := c.DescribeWorkflowExecution(t.Context(), workflowID, "")
	storetest.Must(t, err)
	return d
}

// timers counts the timers that a run has started.
func timers(t *testing.T, c client.Client, workflowID string) (n int) {
	t.Helper()
	for _, e := range history(t, c, workflowID).Events {
		if e.EventType == enumspb.EVENT_TYPE_TIMER_STARTED {
			n++
		}
	}
	return n
}

// flagged reports whether a run shows that it needs a person.
func flagged(t *testing.T, c client.Client, workflowID string) (yes bool) {
	t.Helper()
	payload, ok := describe(t, c, workflowID).WorkflowExecutionInfo.SearchAttributes.GetIndexedFields()[workflows.NeedsPersonKey.GetName()]
	if !ok {
		return false
	}
	storetest.Must(t, converter.GetDefaultDataConverter().FromPayload(payload, &yes))
	return yes
}

func history(t *testing.T, c client.Client, workflowID string) *historypb.History {
	t.Helper()
	h := &historypb.History{}
	events := c.GetWorkflowHistory(t.Context(), workflowID, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		e, err := events.Next()
		storetest.Must(t, err)
		h.Events = append(h.Events, e)
	}
	return h
}

// settle waits until nothing of a run is under way.
func settle(t *testing.T, c client.Client, workflowID string) {
	t.Helper()
	until(t, workflowID+" to settle", func() bool {
		d := describe(t, c, workflowID)
		return d.PendingWorkflowTask == nil && len(d.PendingActivities) == 0
	})
}

// skip moves a run's time to its next timer.
func skip(t *testing.T, c client.Client, workflowID string) {
	t.Helper()
	_, err := c.WorkflowService().UpdateWorkflowExecutionOptions(t.Context(), &workflowservice.UpdateWorkflowExecutionOptionsRequest{
		Namespace: enginetest.Namespace, WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: workflowID},
		WorkflowExecutionOptions: &workflowpb.WorkflowExecutionOptions{
			TimeSkippingConfig: &commonpb.TimeSkippingConfig{Enabled: true, DisablePropagation: true, MaxSessionSkipCount: 1}},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"time_skipping_config"}}})
	storetest.Must(t, err)
}
