// Command dev runs all of Tokendesk on one machine: PostgreSQL, the Temporal server and its UI, API and worker.
//
//	dev [run]   start and stay until Ctrl-C
//	dev stop    stop the stack that lives in the state directory, however it was left
//	dev certificate issue|revoke AGENT
//	            client certificates of proofing agents
//
// Environment: TOKENDESK_STATE_DIR (default .dev), the TOKENDESK_*_PORT variables, and DATABASE_URL and TEMPORAL_ADDRESS to
// use servers that exist already.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"tokendesk/deploy/dev/stack"
	"tokendesk/internal/demodata"
	"tokendesk/internal/pgcluster"
	"tokendesk/internal/seal"
)

func main() {
	command := "run"
	if len(os.Args) > 1 {
		command = os.Args[1]
	}
	commands := map[string]func() error{"run": run, "stop": stop, "certificate": certificate}
	do, ok := commands[command]
	if !ok {
		fmt.Fprintln(os.Stderr, "usage: dev [run | stop | certificate]")
		os.Exit(2)
	}
	if err := do(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func stateDir() string {
	if dir := os.Getenv("TOKENDESK_STATE_DIR"); dir != "" {
		return dir
	}
	return ".dev"
}

func run() error {
	ctx := untilInterrupted()
	began := time.Now()
	cfg := stack.Config{
		StateDir: stateDir(), Ports: stack.DefaultPorts,
		DatabaseURL: os.Getenv("DATABASE_URL"), TemporalAddress: os.Getenv("TEMPORAL_ADDRESS"),
		Say: func(sentence string) { fmt.Printf("  %5.1fs  %s\n", time.Since(began).Seconds(), sentence) },
	}
	if err := cfg.Ports.Override(os.LookupEnv); err != nil {
		return err
	}
	closeLog, err := logToFile(cfg.StateDir)
	if err != nil {
		return err
	}
	defer closeLog()

	s, err := stack.Start(ctx, cfg)
	if ctx.Err() != nil {
		return errors.Join(errors.New("interrupted while starting"), closeStack(s))
	}
	if err != nil {
		return err
	}
	if err := loadStock(ctx, s, cfg); err != nil {
		return errors.Join(err, s.Close())
	}
	announce(s, cfg.StateDir, time.Since(began))
	<-ctx.Done()
	fmt.Println("\nstopping …")
	began = time.Now()
	err = s.Close()
	fmt.Printf("stopped in %.1f s; state is kept in %s\n", time.Since(began).Seconds(), cfg.StateDir)
	return err
}

// loadStock puts demo tokens into stock, so that what is ordered is shipped. Tests start stacks whose stock is empty.
func loadStock(ctx context.Context, s *stack.Stack, cfg stack.Config) error {
	cfg.Say("loading the demo stock")
	ring, err := seal.OpenKeyring(filepath.Join(cfg.StateDir, "keyring.json"))
	if err != nil {
		return err
	}
	return demodata.LoadStock(ctx, s.App().Store(), ring, s.Secrets(), s.App().TimeMachine().Clock.Now())
}

// untilInterrupted returns a context that ends with the first Ctrl-C or request to terminate. Another one ends the process at
// once (the next start repairs what that leaves), unless it comes so soon that it must be the same one, passed on by a wrapper.
func untilInterrupted() context.Context {
	const same = 2 * time.Second
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		<-signals
		first := time.Now()
		cancel()
		for range signals {
			if time.Since(first) > same {
				fmt.Fprintln(os.Stderr, "ended at once; the next start tidies up")
				os.Exit(130)
			}
		}
	}()
	return ctx
}

func closeStack(s *stack.Stack) error {
	if s == nil {
		return nil
	}
	return s.Close()
}

// logToFile sends the product's log to a file: the terminal is for what a person wants to know.
func logToFile(dir string) (func(), error) {
	f, err := stack.OpenLog(filepath.Join(dir, "log", "tokendesk.log"))
	if err != nil {
		return nil, err
	}
	slog.SetDefault(slog.New(slog.NewJSONHandler(f, nil)))
	return func() { _ = f.Close() }, nil
}

func announce(s *stack.Stack, dir string, took time.Duration) {
	at := s.Record()
	fmt.Printf("\nTokendesk is up after %.1f s.\n\n", took.Seconds())
	for _, line := range [][2]string{
		{"API", at.APIURL},
		{"API reference", at.APIURL + "/docs"},
		{"Agents", at.AgentsURL + "  (certificates in " + at.AgentsCA + ")"},
		{"Mailbox", at.APIURL + "/sandbox/mailbox"},
		{"Letters", at.APIURL + "/sandbox/post/"},
		{"Live video", at.APIURL + "/sandbox/meetings/"},
		{"Temporal UI", at.UIURL},
		{"Metrics", at.MetricsURL},
		{"Temporal server", at.TemporalAddress},
	} {
		fmt.Printf("  %-16s %s\n", line[0], line[1])
	}
	fmt.Printf("\n  Logs are in %s, logins and API keys of the demo people in %s.\n", filepath.Join(dir, "log"), at.SecretsFile)
	fmt.Println("  Try: make demo        Stop: Ctrl-C        Forget everything: make clean")
}

// stop ends a running stack, and the PostgreSQL server that a killed one left behind, and says which of them there was.
func stop() error {
	dir := stateDir()
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		fmt.Printf("nothing to stop: there is no %s\n", dir)
		return nil
	}
	lock := filepath.Join(dir, "lock")
	asked := false
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		l, err := pgcluster.TryLock(lock)
		if err == nil {
			defer l.Release()
			if err := pgcluster.Stop(context.Background(), dir); err != nil {
				return err
			}
			if asked {
				fmt.Printf("stopped; state is kept in %s\n", dir)
			} else {
				fmt.Printf("no stack is running in %s, nor a PostgreSQL server that one left behind\n", dir)
			}
			return nil
		}
		var held *pgcluster.HeldError
		if !errors.As(err, &held) || held.PID == 0 {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("process %d does not stop: end it with kill -9 %d, nothing is lost", held.PID, held.PID)
		}
		if !asked {
			asked = true
			fmt.Printf("stopping process %d …\n", held.PID)
			if err := syscall.Kill(held.PID, syscall.SIGTERM); err != nil {
				return fmt.Errorf("stopping process %d: %w", held.PID, err)
			}
		}
	}
}
