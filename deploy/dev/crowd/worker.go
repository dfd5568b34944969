package crowd

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"tokendesk/deploy/dev/await"
	"tokendesk/deploy/dev/stack"
	"tokendesk/internal/app"
	"tokendesk/internal/documents"
	"tokendesk/models"
	"tokendesk/worker"
)

// variable, when set, makes this program a worker. It holds a working as JSON.
const variable = "TOKENDESK_CROWD_WORKER"

// working is what a worker must know.
type working struct {
	DatabaseURL, TemporalAddress, StateDir, BuildID string
	MailPort                                        int
}

// Main runs the worker that this program was started as, and ends the program with it; otherwise it returns.
func Main() {
	text := os.Getenv(variable)
	if text == "" {
		return
	}
	if err := work(text); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func work(text string) error {
	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})))
	var w working
	if err := json.Unmarshal([]byte(text), &w); err != nil {
		return err
	}
	a, err := app.Start(context.Background(), app.Config{
		Worker: true, BuildID: w.BuildID, Promote: true, DatabaseURL: w.DatabaseURL, TemporalAddress: w.TemporalAddress, Namespace: stack.Namespace,
		KeyringFile: filepath.Join(w.StateDir, "keyring.json"), SigningKeyFile: filepath.Join(w.StateDir, "signing-key.json"),
		Sandbox: true, Mail: app.Mail{Host: "127.0.0.1", Port: w.MailPort, TLS: "none", From: "Tokendesk <no-reply@tokendesk.example>"},
		Payment: app.Payment{WebhookSecrets: []models.Secret{"crowd"}}, Carrier: app.Carrier{WebhookSecrets: []models.Secret{"crowd"}},
		Proofing: app.Proofing{WebhookSecrets: []models.Secret{"crowd"}},
		Seller:   documents.Seller{Name: "Tokendesk Inc."},
	})
	if err != nil {
		return err
	}
	fmt.Println("started")
	_, _ = io.Copy(io.Discard, os.Stdin) // ends with the parent
	a.Close()
	return nil
}

// Worker is a worker in a process of its own, on a stack that has none.
type Worker struct {
	process *exec.Cmd
	input   io.Closer
	working working
}

// StartWorker starts a worker for a stack, whose mailbox listens on the port. The program must call [Main] first of all.
func StartWorker(s *stack.Stack, stateDir string, mailPort int) (*Worker, error) {
	r := s.Record()
	w := &Worker{working: working{DatabaseURL: r.DatabaseURL, TemporalAddress: r.TemporalAddress, StateDir: stateDir, BuildID: worker.DevelopmentBuild, MailPort: mailPort}}
	text, err := json.Marshal(w.working)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	w.process = exec.Command(self)
	w.process.Env = append(os.Environ(), variable+"="+string(text))
	w.process.Stderr = os.Stderr
	if w.input, err = w.process.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := w.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := w.process.Start(); err != nil {
		return nil, fmt.Errorf("start a worker: %w", err)
	}
	if lines := bufio.NewScanner(out); !lines.Scan() || lines.Text() != "started" {
		w.Kill()
		return nil, fmt.Errorf("the worker does not start")
	}
	return w, nil
}

// Kill ends the worker as a power failure would.
func (w *Worker) Kill() {
	_ = w.process.Process.Kill()
	_ = w.process.Wait()
}

// Stop lets the worker end in order.
func (w *Worker) Stop() {
	_ = w.input.Close()
	_ = w.process.Wait()
}

// Memory is what the worker's process takes of the machine's memory, in bytes.
func (w *Worker) Memory() (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", w.process.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("the process states no memory")
}

// Until looks again and again whether a query of the database counts to at least n, and gives up after the patience.
func Until(ctx context.Context, patience time.Duration, n int, count func(context.Context) (int, error)) error {
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	got := 0
	err := await.Until(waiting, 50*time.Millisecond, func() (_ bool, err error) {
		got, err = count(ctx)
		return got >= n, err
	})
	if err != nil {
		return fmt.Errorf("%d of %d: %w", got, n, err)
	}
	return nil
}
