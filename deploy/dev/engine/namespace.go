package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/types/known/durationpb"
)

const (
	registerPatience = 60 * time.Second
	registerPace     = 50 * time.Millisecond
	probeID          = "engine-probe"
)

// register makes sure that the namespace and its search attributes exist and can be used. A server that has just started, or
// just learned of a namespace, refuses some calls for a moment, so each step is repeated until it succeeds.
func (e *Engine) register(ctx context.Context, cfg Config) error {
	ctx, cancel := context.WithTimeout(ctx, registerPatience)
	defer cancel()
	c, err := e.Dial(client.Options{})
	if err != nil {
		return fmt.Errorf("reaching the Temporal server: %w", err)
	}
	defer c.Close()

	err = persist(ctx, "registering the namespace", func() error {
		describe := &workflowservice.DescribeNamespaceRequest{Namespace: e.namespace}
		if _, err := c.WorkflowService().DescribeNamespace(ctx, describe); err == nil {
			return nil
		}
		_, err := c.WorkflowService().RegisterNamespace(ctx, &workflowservice.RegisterNamespaceRequest{
			Namespace: e.namespace, WorkflowExecutionRetentionPeriod: durationpb.New(cfg.Retention),
		})
		var exists *serviceerror.NamespaceAlreadyExists
		if errors.As(err, &exists) {
			return nil
		}
		return err
	})
	if err != nil {
		return err
	}
	attributes := map[string]enumspb.IndexedValueType{}
	for _, key := range cfg.SearchAttributes {
		attributes[key.GetName()] = key.GetValueType()
	}
	missing, err := e.missingAttributes(ctx, c, attributes)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		err = persist(ctx, "registering search attributes", func() error {
			_, err := c.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
				Namespace: e.namespace, SearchAttributes: missing,
			})
			return err
		})
		if err != nil {
			return err
		}
	}
	return e.probe(ctx, c, attributes, len(missing) > 0)
}

// missingAttributes returns the search attributes that the namespace lacks.
func (e *Engine) missingAttributes(ctx context.Context, c client.Client, want map[string]enumspb.IndexedValueType) (map[string]enumspb.IndexedValueType, error) {
	missing := maps.Clone(want)
	err := persist(ctx, "listing search attributes", func() error {
		have, err := c.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: e.namespace})
		if err != nil {
			return err
		}
		for name, kind := range have.CustomAttributes {
			if wanted, ok := want[name]; ok && wanted != kind {
				return final{fmt.Errorf("search attribute %s exists with type %s, not %s: make clean, or give it another name", name, kind, wanted)}
			}
			delete(missing, name)
		}
		return nil
	})
	return missing, err
}

// probe starts a workflow that carries every search attribute, which is the only way to learn that starts are taken, and
// removes it again.
func (e *Engine) probe(ctx context.Context, c client.Client, attributes map[string]enumspb.IndexedValueType, fresh bool) error {
	fields := map[string]*commonpb.Payload{}
	for name, kind := range attributes {
		payload, err := samplePayload(kind)
		if err != nil {
			return err
		}
		fields[name] = payload
	}
	var run string
	err := persist(ctx, "waiting for the Temporal server to take workflows", func() error {
		started, err := c.WorkflowService().StartWorkflowExecution(ctx, &workflowservice.StartWorkflowExecutionRequest{
			Namespace: e.namespace, WorkflowId: probeID, RequestId: probeID, Identity: probeID,
			WorkflowType:             &commonpb.WorkflowType{Name: probeID},
			TaskQueue:                &taskqueuepb.TaskQueue{Name: probeID},
			SearchAttributes:         &commonpb.SearchAttributes{IndexedFields: fields},
			WorkflowRunTimeout:       durationpb.New(time.Minute),
			WorkflowIdConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		})
		run = started.GetRunId()
		return err
	})
	if err != nil {
		return err
	}
	err = persist(ctx, "removing the probe workflow", func() error {
		_, err := c.WorkflowService().DeleteWorkflowExecution(ctx, &workflowservice.DeleteWorkflowExecutionRequest{
			Namespace: e.namespace, WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: probeID, RunId: run},
		})
		return err
	})
	if fresh && err == nil {
		// The frontend knows the attributes now; the service that runs upserts rereads them by its own clock.
		pause(ctx, 2*cacheRefresh)
	}
	return err
}

// samplePayload encodes a value of a search attribute's type.
func samplePayload(kind enumspb.IndexedValueType) (*commonpb.Payload, error) {
	samples := map[enumspb.IndexedValueType]any{
		enumspb.INDEXED_VALUE_TYPE_BOOL:         true,
		enumspb.INDEXED_VALUE_TYPE_DATETIME:     time.Unix(0, 0).UTC(),
		enumspb.INDEXED_VALUE_TYPE_DOUBLE:       1.0,
		enumspb.INDEXED_VALUE_TYPE_INT:          1,
		enumspb.INDEXED_VALUE_TYPE_KEYWORD:      probeID,
		enumspb.INDEXED_VALUE_TYPE_KEYWORD_LIST: []string{probeID},
		enumspb.INDEXED_VALUE_TYPE_TEXT:         probeID,
	}
	sample, ok := samples[kind]
	if !ok {
		return nil, fmt.Errorf("search attributes of type %s are not supported", kind)
	}
	payload, err := converter.GetDefaultDataConverter().ToPayload(sample)
	if err != nil {
		return nil, fmt.Errorf("encoding a search attribute: %w", err)
	}
	payload.Metadata["type"] = []byte(kind.String())
	return payload, nil
}

// final marks an error that repeating cannot cure.
type final struct{ error }

// persist repeats a step until it succeeds, meets a final error or the context ends.
func persist(ctx context.Context, doing string, step func() error) error {
	for {
		err := step()
		if err == nil {
			return nil
		}
		var end final
		if errors.As(err, &end) || ctx.Err() != nil {
			return fmt.Errorf("%s: %w", doing, err)
		}
		pause(ctx, registerPace)
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
