package engine

import (
	"context"
	"hash/fnv"
	"sync"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/server/api/historyservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"tokendesk/internal/sandboxclock"
)

const (
	// behind is how far a run may lie behind the sandbox's now without being brought there.
	behind = time.Second
	// catchUpPatience is how long a message waits for a run that is busy, or has things to do on the way.
	catchUpPatience = 3 * time.Second
)

// skipLocks let one party at a time skip the time of a run: what is to be skipped is counted from the run's own now.
type skipLocks [64]sync.Mutex

func (l *skipLocks) lock(workflowID string) (unlock func()) {
	h := fnv.New32a()
	_, _ = h.Write([]byte(workflowID))
	m := &l[h.Sum32()%uint32(len(l))]
	m.Lock()
	return m.Unlock
}

// SignalWorkflowExecution brings the run to the sandbox's now first: a message from today must not be read in the past. Runs lie
// behind in the middle of an advance, and after that of another one alone.
func (h sandboxHistory) SignalWorkflowExecution(ctx context.Context, r *historyservice.SignalWorkflowExecutionRequest,
	o ...grpc.CallOption) (*historyservice.SignalWorkflowExecutionResponse, error) {
	if r.GetSignalRequest().GetNamespace() == h.clock.namespace {
		h.catchUp(ctx, r.NamespaceId, r.GetSignalRequest().GetWorkflowExecution())
	}
	return h.HistoryServiceClient.SignalWorkflowExecution(ctx, r, o...)
}

// UpdateWorkflowExecution brings the run to the sandbox's now first.
func (h sandboxHistory) UpdateWorkflowExecution(ctx context.Context, r *historyservice.UpdateWorkflowExecutionRequest,
	o ...grpc.CallOption) (*historyservice.UpdateWorkflowExecutionResponse, error) {
	if r.GetRequest().GetNamespace() == h.clock.namespace {
		h.catchUp(ctx, r.NamespaceId, r.GetRequest().GetWorkflowExecution())
	}
	return h.HistoryServiceClient.UpdateWorkflowExecution(ctx, r, o...)
}

// UpdateWorkflowExecutionOptions makes a fast-forward end at the moment that it is named after, whoever has moved the run since its
// length was reckoned.
func (h sandboxHistory) UpdateWorkflowExecutionOptions(ctx context.Context, r *historyservice.UpdateWorkflowExecutionOptionsRequest,
	o ...grpc.CallOption) (*historyservice.UpdateWorkflowExecutionOptionsResponse, error) {
	request := r.GetUpdateRequest()
	forward := request.GetWorkflowExecutionOptions().GetTimeSkippingConfig().GetFastForwardConfig()
	until, named := sandboxclock.ParseUntil(forward.GetId())
	if !named {
		return h.HistoryServiceClient.UpdateWorkflowExecutionOptions(ctx, r, o...)
	}
	defer h.clock.skipping.lock(request.GetWorkflowExecution().GetWorkflowId())()
	run, err := h.look(ctx, r.NamespaceId, request.GetWorkflowExecution())
	if err != nil {
		return nil, err
	}
	gap := until.Sub(run.now)
	if gap <= 0 {
		return &historyservice.UpdateWorkflowExecutionOptionsResponse{}, nil
	}
	forward.Duration = durationpb.New(gap)
	return h.HistoryServiceClient.UpdateWorkflowExecutionOptions(ctx, r, o...)
}

// catchUp brings a run that lies behind to the sandbox's now. What it finds due on the way it does first, as far as there is time. If
// that does not work out, the message goes to the run as it is.
func (h sandboxHistory) catchUp(ctx context.Context, namespaceID string, who *commonpb.WorkflowExecution) {
	ctx, cancel := context.WithTimeout(ctx, catchUpPatience)
	defer cancel()
	ahead, err := h.clock.offset(ctx)
	for err == nil && ahead > 0 && ctx.Err() == nil {
		there := false
		if there, err = h.skipBehind(ctx, namespaceID, who, ahead); there {
			return
		}
		pause(ctx, 2*time.Millisecond)
	}
}

// skipBehind takes one step towards the sandbox's now, and reports whether none is left.
func (h sandboxHistory) skipBehind(ctx context.Context, namespaceID string, who *commonpb.WorkflowExecution, ahead time.Duration) (there bool, err error) {
	defer h.clock.skipping.lock(who.GetWorkflowId())()
	run, err := h.look(ctx, namespaceID, who)
	now := time.Now().Add(ahead)
	gap := now.Sub(run.now)
	if err != nil || !run.running || gap < behind {
		return err == nil, err
	}
	if run.busy {
		return false, nil
	}
	_, err = h.HistoryServiceClient.UpdateWorkflowExecutionOptions(ctx, &historyservice.UpdateWorkflowExecutionOptionsRequest{NamespaceId: namespaceID,
		UpdateRequest: &workflowservice.UpdateWorkflowExecutionOptionsRequest{Namespace: h.clock.namespace, WorkflowExecution: who,
			UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"time_skipping_config"}},
			WorkflowExecutionOptions: &workflowpb.WorkflowExecutionOptions{TimeSkippingConfig: &commonpb.TimeSkippingConfig{
				Enabled: true, DisablePropagation: true, MaxSessionSkipCount: 1,
				FastForwardConfig: &commonpb.FastForwardConfig{Id: sandboxclock.Until(now), Duration: durationpb.New(gap)}}}}})
	return false, err
}

// seen is what there is to know of a run.
type seen struct {
	now           time.Time // its own
	running, busy bool
}

func (h sandboxHistory) look(ctx context.Context, namespaceID string, who *commonpb.WorkflowExecution) (seen, error) {
	r, err := h.DescribeWorkflowExecution(ctx, &historyservice.DescribeWorkflowExecutionRequest{NamespaceId: namespaceID,
		Request: &workflowservice.DescribeWorkflowExecutionRequest{Namespace: h.clock.namespace, Execution: who}})
	if err != nil {
		return seen{}, err
	}
	s := seen{now: time.Now(), running: r.WorkflowExecutionInfo.Status == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING,
		busy: r.PendingWorkflowTask != nil || len(r.PendingActivities) > 0}
	if info := r.WorkflowExtendedInfo.GetTimeSkippingInfo(); info != nil {
		s.now = info.CurrentTime.AsTime()
	}
	return s, nil
}
