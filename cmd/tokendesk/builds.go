package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"time"

	"go.temporal.io/sdk/client"
	temporallog "go.temporal.io/sdk/log"
	"tokendesk/worker"
)

// linked is the build id that the linker was given: go build -ldflags "-X main.linked=…".
var linked string

// buildID names this build: what the environment says, or the linker, or the commit of an unchanged checkout; else a digest of the
// program itself, so that no two programs ever pass for the same build.
func (e environment) buildID() (string, error) {
	if e.BuildID != "" {
		return e.BuildID, nil
	}
	if linked != "" {
		return linked, nil
	}
	if commit := unchanged(debug.ReadBuildInfo()); commit != "" {
		return commit, nil
	}
	return digest()
}

// unchanged is the commit that a program was built from, "" where it is not known or the checkout had changes.
func unchanged(info *debug.BuildInfo, known bool) (commit string) {
	if !known {
		return ""
	}
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			commit = s.Value[:min(len(s.Value), 12)]
		case s.Key == "vcs.modified" && s.Value != "false":
			return ""
		}
	}
	return commit
}

func digest() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find the program for its build id: %w", err)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("read the program for its build id: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("read the program for its build id: %w", err)
	}
	return "sha256-" + hex.EncodeToString(h.Sum(nil))[:12], nil
}

// version prints the build id under which this program's worker joins.
func version(context.Context) error {
	e, _ := readEnvironment() // what is required of a process that serves is not needed here
	id, err := e.buildID()
	if err == nil {
		fmt.Println(id)
	}
	return err
}

// openDeployment connects to the engine; the caller calls the function when done.
func openDeployment(ctx context.Context) (worker.Deployment, func(), error) {
	e, err := readEnvironment()
	if err != nil {
		return worker.Deployment{}, nil, err
	}
	c, err := client.DialContext(ctx, client.Options{HostPort: e.TemporalAddress, Namespace: e.TemporalNamespace, Identity: cli.ID,
		Logger: temporallog.NewStructuredLogger(slog.New(slog.DiscardHandler))})
	if err != nil {
		return worker.Deployment{}, nil, fmt.Errorf("reach the engine at %s: %w", e.TemporalAddress, err)
	}
	return worker.NewDeployment(c, e.TemporalNamespace), c.Close, nil
}

// listBuilds prints the builds that the engine knows: id, routing, since when it is known.
func listBuilds(ctx context.Context) error {
	d, done, err := openDeployment(ctx)
	if err != nil {
		return err
	}
	defer done()
	builds, err := d.Builds(ctx)
	if err != nil {
		return err
	}
	for _, b := range builds {
		routing := string(b.Routing)
		if b.Routing == worker.Ramping {
			routing = fmt.Sprintf("%s %g %%", routing, b.Percent)
		}
		fmt.Printf("%s\t%s\t%s\n", b.ID, routing, b.Since.UTC().Format(time.RFC3339))
	}
	return nil
}

// move takes runs that stay on a build to the current one.
func move(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("move", flag.ContinueOnError)
	if err := parse(f, args, "BUILD"); err != nil {
		return err
	}
	d, done, err := openDeployment(ctx)
	if err != nil {
		return err
	}
	defer done()
	moved, err := d.Move(ctx, f.Arg(0))
	if err == nil || moved > 0 {
		fmt.Println(moved)
	}
	return err
}

// promote makes a build current, or sends it a share of the work.
func promote(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("promote", flag.ContinueOnError)
	percent := f.Float64("percent", 100, "share of new runs and of those that move on, from 0 to 100")
	if err := parse(f, args, "BUILD"); err != nil {
		return err
	}
	if *percent < 0 || *percent > 100 {
		return fmt.Errorf("-percent is %g, not from 0 to 100", *percent)
	}
	d, done, err := openDeployment(ctx)
	if err != nil {
		return err
	}
	defer done()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if *percent < 100 {
		return d.Ramp(ctx, f.Arg(0), float32(*percent))
	}
	return d.Promote(ctx, f.Arg(0))
}
