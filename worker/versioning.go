package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"go.temporal.io/api/serviceerror"
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
type Deployment struct{ engine client.Client }

// NewDeployment looks at the builds through a connection to the engine.
func NewDeployment(engine client.Client) Deployment { return Deployment{engine} }

func (d Deployment) handle() client.WorkerDeploymentHandle {
	return d.engine.WorkerDeploymentClient().GetHandle(deployment)
}

// Builds lists the builds that the engine knows, oldest first.
func (d Deployment) Builds(ctx context.Context) ([]Build, error) {
	builds, _, err := d.look(ctx)
	return builds, err
}

// look also returns what the engine compares a change with: it refuses one that was decided on an outdated look.
func (d Deployment) look(ctx context.Context) (builds []Build, token []byte, err error) {
	found, err := d.handle().Describe(ctx, client.WorkerDeploymentDescribeOptions{})
	if _, none := errors.AsType[*serviceerror.NotFound](err); none {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("look at the builds: %w", err)
	}
	for _, v := range found.Info.VersionSummaries {
		b := Build{ID: v.Version.BuildID, Routing: Waiting, Since: v.CreateTime}
		switch route := found.Info.RoutingConfig; {
		case route.CurrentVersion != nil && route.CurrentVersion.BuildID == b.ID:
			b.Routing = Current
		case route.RampingVersion != nil && route.RampingVersion.BuildID == b.ID:
			b.Routing, b.Percent = Ramping, route.RampingVersionPercentage
		case v.DrainageStatus == client.WorkerDeploymentVersionDrainageStatusDraining:
			b.Routing = Draining
		case v.DrainageStatus == client.WorkerDeploymentVersionDrainageStatusDrained:
			b.Routing = Drained
		}
		builds = append(builds, b)
	}
	slices.SortFunc(builds, func(a, b Build) int { return a.Since.Compare(b.Since) })
	return builds, found.ConflictToken, nil
}

// Standing returns what the engine sends to a build; its routing is empty as long as the engine does not know it.
func (d Deployment) Standing(ctx context.Context, build string) (Build, error) {
	builds, _, err := d.look(ctx)
	return pick(builds, build), err
}

func pick(builds []Build, id string) Build {
	if i := slices.IndexFunc(builds, func(b Build) bool { return b.ID == id }); i >= 0 {
		return builds[i]
	}
	return Build{ID: id}
}

// Promote makes a build current. The engine refuses one that no worker polls for.
func (d Deployment) Promote(ctx context.Context, build string) error {
	return d.promote(ctx, build, nil)
}

func (d Deployment) promote(ctx context.Context, build string, token []byte) error {
	_, err := d.handle().SetCurrentVersion(ctx, client.WorkerDeploymentSetCurrentVersionOptions{BuildID: build, ConflictToken: token})
	if err != nil {
		return fmt.Errorf("promote build %s: %w", build, err)
	}
	return nil
}

// Ramp sends a share of the new runs, and of those that move on, to a build; the current build keeps the rest. 0 percent ends it.
func (d Deployment) Ramp(ctx context.Context, build string, percent float32) error {
	_, err := d.handle().SetRampingVersion(ctx, client.WorkerDeploymentSetRampingVersionOptions{BuildID: build, Percentage: percent})
	if err != nil {
		return fmt.Errorf("ramp build %s: %w", build, err)
	}
	return nil
}

// Join waits until the engine has met a worker of the build, and then, if asked to, promotes a build that never was. One that was
// superseded is not promoted again: a worker of it that restarts must not take a release back. It ends with the context only.
func (d Deployment) Join(ctx context.Context, build string, promote bool) (Build, error) {
	const shortest, longest = 20 * time.Millisecond, time.Second
	for pause := shortest; ; pause = min(pause*3/2, longest) {
		b, err := d.join(ctx, build, promote)
		switch {
		case ctx.Err() != nil:
			return b, ctx.Err()
		case err == nil && b.Routing != "" && (b.Routing != Waiting || !promote):
			return b, nil
		case err != nil && pause == longest:
			slog.Warn("the build has not joined yet", "build", build, "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

func (d Deployment) join(ctx context.Context, build string, promote bool) (Build, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	builds, token, err := d.look(ctx)
	if err != nil {
		return Build{}, err
	}
	b := pick(builds, build)
	if b.Routing == Waiting && promote {
		if err := d.promote(ctx, build, token); err != nil {
			return b, err
		}
		return d.Standing(ctx, build)
	}
	return b, nil
}
