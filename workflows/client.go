package workflows

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"tokendesk/models"
)

// TaskQueue is where every lifecycle runs.
const TaskQueue = "tokendesk"

// Client starts and reaches lifecycles. Every call carries ids only.
type Client struct {
	engine   client.Client
	patience time.Duration
}

// NewClient wraps a connection to the engine.
func NewClient(engine client.Client) *Client { return &Client{engine, 10 * time.Second} }

func options(l models.Lifecycle, id string) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{
		ID: l.WorkflowID(id), TaskQueue: TaskQueue, StaticSummary: string(l) + " " + id,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		WorkflowTaskTimeout:      10 * time.Second,
	}
}

func input(l models.Lifecycle, id string) (any, error) {
	switch l {
	case models.OrderLifecycle:
		return OrderInput{Number: id}, nil
	case models.ShipmentLifecycle:
		return ShipmentInput{ID: id}, nil
	case models.CredentialLifecycle:
		return CredentialInput{ID: id}, nil
	case models.RefundLifecycle:
		return RefundInput{ID: id}, nil
	case models.ProofingLifecycle:
		return ProofingInput{ID: id}, nil
	}
	return nil, fmt.Errorf("no lifecycle is called %q", l)
}

// PlaceOrder starts the lifecycle of a draft and waits until it is placed (Update-with-Start). Calling it again for the same
// order resumes the first call. Faults: what placing refuses; ServiceDown when the engine does not answer in time: the draft stays
// and is taken up later.
func (c *Client) PlaceOrder(ctx context.Context, number string) (models.OrderStatus, error) {
	ctx, cancel := context.WithTimeout(ctx, c.patience)
	defer cancel()
	start := c.engine.NewWithStartWorkflowOperation(options(models.OrderLifecycle, number), string(models.OrderLifecycle), OrderInput{Number: number})
	handle, err := c.engine.UpdateWithStartWorkflow(ctx, client.UpdateWithStartWorkflowOptions{
		StartWorkflowOperation: start,
		UpdateOptions: client.UpdateWorkflowOptions{UpdateID: PlaceUpdate, WorkflowID: models.OrderLifecycle.WorkflowID(number),
			UpdateName: PlaceUpdate, WaitForStage: client.WorkflowUpdateStageCompleted},
	})
	if err != nil {
		return "", unreachable(err)
	}
	var status models.OrderStatus
	if err := handle.Get(ctx, &status); err != nil {
		return "", unreachable(err)
	}
	return status, nil
}

// CancelOrder cancels an unpaid order. updateID makes the command idempotent; it is made of the caller's
// idempotency key.
// Faults: StateForbids with what is allowed, NoSuchThing, ServiceDown.
func (c *Client) CancelOrder(ctx context.Context, number string, by models.Actor, reason models.CancelReason, updateID string) error {
	ctx, cancel := context.WithTimeout(ctx, c.patience)
	defer cancel()
	handle, err := c.engine.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		UpdateID: updateID, WorkflowID: models.OrderLifecycle.WorkflowID(number), UpdateName: CancelUpdate,
		Args: []any{OrderCancellation{By: by.ID, Reason: reason}}, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err == nil {
		err = handle.Get(ctx, nil)
	}
	return unreachable(err)
}

// Command has a credential's lifecycle carry out one of its Updates. updateID makes the command idempotent; it is made of the
// caller's idempotency key.
// Faults: what the database refuses; ServiceDown when the lifecycle does not answer, or has ended: then the database itself is to be asked.
func (c *Client) Command(ctx context.Context, update string, command CredentialCommand, updateID string) error {
	ctx, cancel := context.WithTimeout(ctx, c.patience)
	defer cancel()
	handle, err := c.engine.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		UpdateID: updateID, WorkflowID: models.CredentialLifecycle.WorkflowID(command.ID), UpdateName: update,
		Args: []any{command}, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err == nil {
		err = handle.Get(ctx, nil)
	}
	if _, missing := errors.AsType[*serviceerror.NotFound](err); missing {
		return models.ServiceDown.Because(err)
	}
	return unreachable(err)
}

// Dispatch hands one row of the outbox to the engine. It may be repeated. Done reports that the engine has it, or that
// the lifecycle has ended and needs it no more; otherwise it is to be tried again.
func (c *Client) Dispatch(ctx context.Context, row models.OutboxRow) (done bool, err error) {
	if row.Kind == models.OutboxStart {
		l := models.Lifecycle(row.Name)
		in, err := input(l, row.Ref)
		if err != nil {
			return false, err
		}
		_, err = c.engine.ExecuteWorkflow(ctx, options(l, row.Ref), string(l), in)
		if _, started := errors.AsType[*serviceerror.WorkflowExecutionAlreadyStarted](err); started {
			return true, nil
		}
		return err == nil, err
	}
	err = c.engine.SignalWorkflow(ctx, row.WorkflowID, "", row.Name, row.Ref)
	if _, missing := errors.AsType[*serviceerror.NotFound](err); missing {
		// Either it has ended, or its start is a row of the outbox that has not been dispatched yet.
		return c.ended(ctx, row.WorkflowID), nil
	}
	return err == nil, err
}

func (c *Client) ended(ctx context.Context, workflowID string) bool {
	d, err := c.engine.DescribeWorkflowExecution(ctx, workflowID, "")
	return err == nil && d.WorkflowExecutionInfo.Status != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
}

// unreachable separates what a lifecycle refused from an engine that does not answer.
func unreachable(err error) error {
	if err == nil {
		return nil
	}
	if err := faultOf(err); models.KindOf(err) != models.Internal {
		return err
	}
	if _, missing := errors.AsType[*serviceerror.NotFound](err); missing {
		return models.StateForbids.Because(err)
	}
	return models.ServiceDown.Because(fmt.Errorf("reach the engine: %w", err)).After(2 * time.Second)
}
