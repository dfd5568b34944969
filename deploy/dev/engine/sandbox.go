package engine

import (
	"context"
	"fmt"
	"strings"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/server/api/historyservice/v1"
	serverclient "go.temporal.io/server/client"
	"go.temporal.io/server/common"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/membership"
	"go.temporal.io/server/common/metrics"
	"go.temporal.io/server/common/testing/testhooks"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"
)

// sandboxClock makes every new workflow of one namespace start at the sandbox's now, and what reaches a running one reach it there
// too. The server has no setting for that; its history service, though, can start a run with time already skipped and skip that of
// a running one, so the clients of that service are wrapped.
type sandboxClock struct {
	namespace string
	offset    func(context.Context) (time.Duration, error)
	skipping  *skipLocks
}

type sandboxProvider struct {
	serverclient.FactoryProvider
	clock sandboxClock
}

type sandboxFactory struct {
	serverclient.Factory
	clock sandboxClock
}

type sandboxHistory struct {
	historyservice.HistoryServiceClient
	clock sandboxClock
}

func newSandboxProvider(namespace string, offset func(context.Context) (time.Duration, error)) serverclient.FactoryProvider {
	return sandboxProvider{serverclient.NewFactoryProvider(), sandboxClock{namespace, offset, new(skipLocks)}}
}

func (p sandboxProvider) NewFactory(rpc common.RPCFactory, monitor membership.Monitor, handler metrics.Handler,
	dynamic *dynamicconfig.Collection, hooks testhooks.TestHooks, shards int32, logger, throttled log.Logger) serverclient.Factory {
	return sandboxFactory{p.FactoryProvider.NewFactory(rpc, monitor, handler, dynamic, hooks, shards, logger, throttled), p.clock}
}

func (f sandboxFactory) NewHistoryClientWithTimeout(timeout time.Duration) (historyservice.HistoryServiceClient, error) {
	c, err := f.Factory.NewHistoryClientWithTimeout(timeout)
	return sandboxHistory{c, f.clock}, err
}

func (h sandboxHistory) StartWorkflowExecution(ctx context.Context, r *historyservice.StartWorkflowExecutionRequest,
	o ...grpc.CallOption) (*historyservice.StartWorkflowExecutionResponse, error) {
	if err := h.clock.shift(ctx, r); err != nil {
		return nil, err
	}
	return h.HistoryServiceClient.StartWorkflowExecution(ctx, r, o...)
}

func (h sandboxHistory) ExecuteMultiOperation(ctx context.Context, r *historyservice.ExecuteMultiOperationRequest,
	o ...grpc.CallOption) (*historyservice.ExecuteMultiOperationResponse, error) {
	for _, op := range r.GetOperations() {
		if err := h.clock.shift(ctx, op.GetStartWorkflow()); err != nil {
			return nil, err
		}
	}
	return h.HistoryServiceClient.ExecuteMultiOperation(ctx, r, o...)
}

// shift moves the start of a run to the sandbox's now. The server's own workflows (schedules and the like) live in real time.
func (c sandboxClock) shift(ctx context.Context, r *historyservice.StartWorkflowExecutionRequest) error {
	start := r.GetStartRequest()
	if start.GetNamespace() != c.namespace || r.GetTimeSkippingStatePropagation() != nil ||
		strings.HasPrefix(start.GetWorkflowId(), "temporal-sys") {
		return nil
	}
	ahead, err := c.offset(ctx)
	if err != nil {
		return fmt.Errorf("reading the sandbox clock: %w", err)
	}
	if ahead > 0 {
		r.TimeSkippingStatePropagation = &commonpb.TimeSkippingStatePropagation{InitialSkippedDuration: durationpb.New(ahead)}
	}
	return nil
}
