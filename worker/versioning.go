package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"tokendesk/models"
)

// deployment is the name under which the engine keeps the builds of the worker. Runs under way carry it: it never changes.
const deployment = "tokendesk"

// DevelopmentBuild is the build id of the development stack: there, code changes under runs that go on.
const DevelopmentBuild = "dev"

// A lifecycle either moves to the build that is current at its next step, with the gates of package workflows for what has changed
// in its code, or it stays on the build that began it, which then has to run until the last of its runs has ended.
const (
	movesOn = workflow.VersioningBehaviorAutoUpgrade
	stays   = workflow.VersioningBehaviorPinned
)

func named(l models.Lifecycle, behavior workflow.VersioningBehavior) workflow.RegisterOptions {
	return workflow.RegisterOptions{Name: string(l), VersioningBehavior: behavior}
}

// Versioned makes a worker one of a build.
func Versioned(build string) worker.DeploymentOptions {
	return worker.DeploymentOptions{UseVersioning: true, Version: worker.WorkerDeploymentVersion{DeploymentName: deployment, BuildID: build}}
}

// Routing says what the engine sends to a build.
type Routing string

// The routings. A build that no worker has polled for has none.
const (
	Waiting  Routing = "waiting"  // nothing: it was never promoted
	Ramping  Routing = "ramping"  // a share of the new runs and of those that move on
	Current  Routing = "current"  // new runs, and those that move on
	Draining Routing = "draining" // the runs that stay on it, nothing else
	Drained  Routing = "drained"  // nothing any more: its workers can be stopped
)

// Build is one build of the worker as the engine sees it.
type Build struct {
	ID      string    `json:"build_id"`
	Routing Routing   `json:"routing"`
	Percent float32   `json:"percent,omitempty"` // while it is ramping
	Since   time.Time `json:"known_since"`
}

// Deployment is the builds of the worker, of which the engine sends lifecycles to one or two.
type Deployment struct {
	engine    client.Client
	namespace string
}

// NewDeployment looks at the builds through a connection to a namespace of the engine.
func NewDeployment(engine client.Client, namespace string) Deployment {
	return Deployment{engine, namespace}
}

func (d Deployment) handle() client.WorkerDeploymentHandle {
	return d.engine.WorkerDeploymentClient().GetHandle(deployment)
}

// Builds lists the builds that the engine knows, oldest first.
func (d Deployment) Builds(ctx context.Context) ([]Build, error) {
	l, err := d.look(ctx)
	return l.builds, err
}

// look is what the engine says of the builds at a moment.
type look struct {
	builds  []Build
	settled bool   // every task queue knows the routing
	token   []byte // the engine refuses a change that was decided on an outdated look
}

func (d Deployment) look(ctx context.Context) (l look, err error) {
	found, err := d.engine.WorkflowService().DescribeWorkerDeployment(ctx,
		&workflowservice.DescribeWorkerDeploymentRequest{Namespace: d.namespace, DeploymentName: deployment})
	if _, none := errors.AsType[*serviceerror.NotFound](err); none {
		return l, nil
	}
	if err != nil {
		return l, fmt.Errorf("look at the builds: %w", err)
	}
	info := found.WorkerDeploymentInfo
	route := info.GetRoutingConfig()
	for _, v := range info.GetVersionSummaries() {
		b := Build{ID: v.GetDeploymentVersion().GetBuildId(), Routing: Waiting, Since: v.GetCreateTime().AsTime()}
		switch {
		case route.GetCurrentDeploymentVersion().GetBuildId() == b.ID:
			b.Routing = Current
		case route.GetRampingDeploymentVersion().GetBuildId() == b.ID:
			b.Routing, b.Percent = Ramping, route.GetRampingVersionPercentage()
		case v.GetDrainageStatus() == enumspb.VERSION_DRAINAGE_STATUS_DRAINING:
			b.Routing = Draining
		case v.GetDrainageStatus() == enumspb.VERSION_DRAINAGE_STATUS_DRAINED:
			b.Routing = Drained
		}
		l.builds = append(l.builds, b)
	}
	slices.SortFunc(l.builds, func(a, b Build) int { return a.Since.Compare(b.Since) })
	l.settled = info.GetRoutingConfigUpdateState() != enumspb.ROUTING_CONFIG_UPDATE_STATE_IN_PROGRESS
	l.token = found.ConflictToken
	return l, nil
}

// Standing returns what the engine sends to a build; its routing is empty as long as the engine does not know it.
func (d Deployment) Standing(ctx context.Context, build string) (Build, error) {
	l, err := d.look(ctx)
	return l.of(build), err
}

func (l look) of(build string) Build {
	if i := slices.IndexFunc(l.builds, func(b Build) bool { return b.ID == build }); i >= 0 {
		return l.builds[i]
	}
	return Build{ID: build}
}

// Promote makes a build current, and returns when every task queue knows it. The engine refuses a build that no worker polls for.
func (d Deployment) Promote(ctx context.Context, build string) error {
	if err := d.promote(ctx, build, nil); err != nil {
		return err
	}
	return d.settle(ctx)
}

func (d Deployment) promote(ctx context.Context, build string, token []byte) error {
	_, err := d.handle().SetCurrentVersion(ctx, client.WorkerDeploymentSetCurrentVersionOptions{BuildID: build, ConflictToken: token})
	if err != nil {
		return fmt.Errorf("promote build %s: %w", build, err)
	}
	return nil
}

// Ramp sends a share of the new runs, and of those that move on, to a build; the current build keeps the rest. It returns when every
// task queue knows it.
func (d Deployment) Ramp(ctx context.Context, build string, percent float32) error {
	_, err := d.handle().SetRampingVersion(ctx, client.WorkerDeploymentSetRampingVersionOptions{BuildID: build, Percentage: percent})
	if err != nil {
		return fmt.Errorf("ramp build %s: %w", build, err)
	}
	return d.settle(ctx)
}

func (d Deployment) settle(ctx context.Context) error {
	return patiently(ctx, func(ctx context.Context) (bool, error) {
		l, err := d.look(ctx)
		return l.settled, err
	})
}

// Join waits until the engine has met a worker of the build, and then, if asked to, promotes a build that never was, and waits until every
// task queue knows it. A build that was superseded is not promoted again: a worker of it that restarts must not take a release back. Join
// ends with the context only.
func (d Deployment) Join(ctx context.Context, build string, promote bool) (b Build, err error) {
	err = patiently(ctx, func(ctx context.Context) (bool, error) {
		l, err := d.look(ctx)
		if b = l.of(build); err == nil && b.Routing == Waiting && promote {
			return false, d.promote(ctx, build, l.token)
		}
		return b.Routing != "" && l.settled, err
	})
	return b, err
}

// patiently tries until something is done, and ends otherwise with the context only. What stays wrong for long is logged.
func patiently(ctx context.Context, try func(context.Context) (done bool, err error)) error {
	const shortest, longest, once = 20 * time.Millisecond, time.Second, 5 * time.Second
	for pause := shortest; ; pause = min(pause*3/2, longest) {
		limited, cancel := context.WithTimeout(ctx, once)
		done, err := try(limited)
		cancel()
		switch {
		case done && err == nil:
			return nil
		case ctx.Err() != nil:
			return errors.Join(ctx.Err(), err)
		case err != nil && pause == longest:
			slog.Warn("the builds of the worker are not as they should be yet", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// Move takes the runs that stay on a build to the current one, where they stay. It is for a build whose workers are gone for good: the code
// of the current build has to replay what they have begun. It returns how many there were.
func (d Deployment) Move(ctx context.Context, from string) (moved int, err error) {
	l, err := d.look(ctx)
	if err != nil {
		return 0, err
	}
	i := slices.IndexFunc(l.builds, func(b Build) bool { return b.Routing == Current })
	if i < 0 || l.builds[i].ID == from {
		return 0, errors.New("there is no other build that is current")
	}
	to := client.OneTimeVersioningOverride{TargetVersion: worker.WorkerDeploymentVersion{DeploymentName: deployment, BuildID: l.builds[i].ID}}
	var page []byte
	for {
		runs, err := d.engine.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{Query: staying(from), NextPageToken: page})
		if err != nil {
			return moved, fmt.Errorf("list the runs of build %s: %w", from, err)
		}
		for _, run := range runs.Executions {
			_, err := d.engine.UpdateWorkflowExecutionOptions(ctx, client.UpdateWorkflowExecutionOptionsRequest{
				WorkflowId: run.Execution.WorkflowId, RunId: run.Execution.RunId,
				WorkflowExecutionOptionsChanges: client.WorkflowExecutionOptionsChanges{VersioningOverride: &client.VersioningOverrideChange{Value: &to}}})
			if _, ended := errors.AsType[*serviceerror.NotFound](err); ended {
				continue
			}
			if err != nil {
				return moved, fmt.Errorf("move %s: %w", run.Execution.WorkflowId, err)
			}
			moved++
		}
		if page = runs.NextPageToken; len(page) == 0 {
			return moved, nil
		}
	}
}

// staying is the query for the open runs that stay on a build.
func staying(build string) string {
	quoted := "'" + strings.ReplaceAll(deployment+":"+build, "'", "''") + "'"
	return "TemporalWorkerDeploymentVersion = " + quoted + " and TemporalWorkflowVersioningBehavior = 'Pinned' and ExecutionStatus = 'Running'"
}
