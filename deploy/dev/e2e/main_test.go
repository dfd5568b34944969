// Package e2e plays whole journeys on the real parts: PostgreSQL, the Temporal server, API and worker, mail over SMTP.
package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"tokendesk/deploy/dev/crowd"
	"tokendesk/deploy/dev/stack"
)

// childConfig holds, for a test binary that was started again as another process, the stack that it is to run.
const childConfig = "TOKENDESK_E2E_CHILD"

// logs is where everything that the tests' own process logs goes: nothing personal may be in there (SEC-5).
var logs string

func TestMain(m *testing.M) {
	crowd.Main()
	if text := os.Getenv(childConfig); text != "" {
		if err := runChild([]byte(text)); err != nil {
			fmt.Println("failed:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "tokendesk-e2e")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	logs = filepath.Join(dir, "tokendesk.log")
	if err := logTo(logs); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// logTo sends everything that is logged to a file, however unimportant.
func logTo(path string) error {
	f, err := stack.OpenLog(path)
	if err != nil {
		return err
	}
	slog.SetDefault(slog.New(slog.NewJSONHandler(f, &slog.HandlerOptions{Level: slog.LevelDebug})))
	return nil
}

// child is what another process is to run.
type child struct {
	StateDir, DatabaseURL string
	Ports                 stack.Ports
}

// runChild runs a stack until its parent kills it, or is gone.
func runChild(text []byte) error {
	var c child
	if err := json.Unmarshal(text, &c); err != nil {
		return err
	}
	if err := logTo(filepath.Join(c.StateDir, "log", "tokendesk.log")); err != nil {
		return err
	}
	s, err := stack.Start(context.Background(), stack.Config{StateDir: c.StateDir, DatabaseURL: c.DatabaseURL, Ports: c.Ports, NoUI: true})
	if err != nil {
		return err
	}
	fmt.Println("started")
	_, _ = io.Copy(io.Discard, os.Stdin) // ends with the parent
	return s.Close()
}
