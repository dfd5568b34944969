package stack_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"tokendesk/deploy/dev/stack"
	"tokendesk/deploy/dev/stack/stacktest"
	"tokendesk/internal/app"
	"tokendesk/internal/pgcluster"
)

// childDir names, for a test binary that was started again as another process, the state directory of its stack.
const childDir = "STACK_TEST_CHILD_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		s, err := stack.Start(context.Background(), bare(dir))
		if err != nil {
			fmt.Println("failed:", err)
			os.Exit(1)
		}
		fmt.Println("started", s.TemporalAddress())
		select {}
	}
	os.Exit(m.Run())
}

// bare is a stack on a private cluster without the product.
func bare(dir string) stack.Config {
	return stack.Config{StateDir: dir, NoUI: true, Product: stack.ProductOptions{Leave: true}}
}

// openDir returns a state directory that every account may enter. That of t.TempDir is closed to others.
func openDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "stack")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pgcluster.Remove(context.Background(), dir); err != nil {
			t.Error(err)
		}
		_ = os.RemoveAll(dir)
	})
	return dir
}

func TestTakesOverWhatAKilledStackLeft(t *testing.T) {
	dir := openDir(t)
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childDir+"="+dir)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var word, address string
	if _, err := fmt.Fscan(out, &word, &address); err != nil || word != "started" {
		t.Fatalf("the child said %q %q: %v", word, address, err)
	}

	_, err = stack.Start(t.Context(), bare(dir))
	var running *stack.RunningError
	if !errors.As(err, &running) || running.PID != child.Process.Pid || !strings.Contains(err.Error(), fmt.Sprint(child.Process.Pid)) {
		t.Errorf("a second stack beside a running one: %v", err)
	}

	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
	began := time.Now()
	s, err := stack.Start(t.Context(), bare(dir))
	if err != nil {
		t.Fatalf("after kill -9: %v", err)
	}
	t.Logf("restarted in %v", time.Since(began).Round(time.Millisecond))
	began = time.Now()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("a clean stop took %v", took)
	}
	s, err = stack.Start(t.Context(), bare(dir))
	if err != nil {
		t.Fatalf("after a clean stop: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestBusyPortIsNamedWithItsVariable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := l.Addr().(*net.TCPAddr).Port
	dir := openDir(t)
	cases := []struct {
		variable, what string
		ports          stack.Ports
	}{
		{"TOKENDESK_API_PORT", "API", stack.Ports{API: taken}},
		{"TOKENDESK_AGENTS_PORT", "proofing agents", stack.Ports{Agents: taken}},
		{"TOKENDESK_METRICS_PORT", "metrics", stack.Ports{Metrics: taken}},
		{"TOKENDESK_UI_PORT", "Temporal UI", stack.Ports{UI: taken}},
		{"TOKENDESK_TEMPORAL_PORT", "Temporal server", stack.Ports{Temporal: taken}},
		{"TOKENDESK_POSTGRES_PORT", "PostgreSQL", stack.Ports{Postgres: taken}},
		{"TOKENDESK_SMTP_PORT", "mailbox", stack.Ports{SMTP: taken}},
	}
	for _, tc := range cases {
		t.Run(tc.variable, func(t *testing.T) {
			_, err := stack.Start(t.Context(), stack.Config{StateDir: dir, Ports: tc.ports})
			var busy *stack.PortBusyError
			if !errors.As(err, &busy) {
				t.Fatalf("got %v", err)
			}
			for _, part := range []string{tc.variable, tc.what, fmt.Sprint(taken)} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q is not in %q", part, err)
				}
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one sentence: %q", err)
			}
		})
	}
}

// One port for two services is refused in a sentence that names both variables.
func TestOnePortForTwoServices(t *testing.T) {
	_, err := stack.Start(t.Context(), stack.Config{StateDir: openDir(t), Ports: stack.Ports{API: 18080, Postgres: 18080}})
	if err == nil || strings.Contains(err.Error(), "\n") {
		t.Fatalf("not one sentence: %v", err)
	}
	for _, part := range []string{"18080", "the API", "TOKENDESK_API_PORT", "PostgreSQL", "TOKENDESK_POSTGRES_PORT"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in %q", part, err)
		}
	}
}

// A port that is taken between the check and the start is named like one that was taken before.
func TestPortTakenWhileStarting(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = stack.Start(t.Context(), stack.Config{StateDir: openDir(t), NoUI: true, Ports: stack.Ports{API: port},
		Product: stack.ProductOptions{Configure: func(cfg *app.Config) {
			if l, err = net.Listen("tcp", cfg.APIAddress); err != nil {
				t.Error(err)
			}
		}}})
	defer l.Close()
	var busy *stack.PortBusyError
	if !errors.As(err, &busy) || busy.Variable != "TOKENDESK_API_PORT" || busy.Port != port {
		t.Errorf("got %v", err)
	}
}

func TestPortsFromTheEnvironment(t *testing.T) {
	cases := []struct {
		name string
		env  map[string]string
		want stack.Ports
		err  string
	}{
		{"nothing said", nil, stack.DefaultPorts, ""},
		{"one moved", map[string]string{"TOKENDESK_UI_PORT": "18233"},
			stack.Ports{API: 8080, Agents: 8443, Metrics: 9090, UI: 18233, Temporal: 7233, Postgres: 15432, SMTP: 2525}, ""},
		{"no number", map[string]string{"TOKENDESK_API_PORT": "http"}, stack.Ports{}, "TOKENDESK_API_PORT"},
		{"out of range", map[string]string{"TOKENDESK_SMTP_PORT": "70000"}, stack.Ports{}, "TOKENDESK_SMTP_PORT"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			ports := stack.DefaultPorts
			err := ports.Override(func(name string) (string, bool) { v, ok := tc.env[name]; return v, ok })
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil || ports != tc.want {
				t.Errorf("got %+v, %v", ports, err)
			}
		})
	}
}

func TestDatabaseURLWithoutADatabaseIsRefused(t *testing.T) {
	_, err := stack.Start(t.Context(), stack.Config{StateDir: t.TempDir(), DatabaseURL: "postgres://somebody:secret@127.0.0.1:5432"})
	if err == nil || !strings.Contains(err.Error(), "names no database") || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
}

// TestWholeStack starts everything, the UI and the product too, twice on the same state.
func TestWholeStack(t *testing.T) {
	cfg := stacktest.Config(t)
	cfg.NoUI = false
	s := stacktest.Run(t, cfg)
	at := s.Record()
	for what, url := range map[string]string{
		"health": at.APIURL + "/healthz", "metrics": at.MetricsURL, "Temporal UI": at.UIURL + "/healthz",
	} {
		if status := get(t, url); status != http.StatusOK {
			t.Errorf("%s at %s answers %d", what, url, status)
		}
	}
	becomesReady(t, at.APIURL)
	if info, err := os.Stat(filepath.Join(cfg.StateDir, "stack.json")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the record of the stack: %v, %v", info, err)
	}
	before := s.Secrets()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	s = stacktest.Run(t, cfg)
	becomesReady(t, s.APIURL())
	if len(before.APIKeys) == 0 || fmt.Sprint(s.Secrets()) != fmt.Sprint(before) {
		t.Error("the demo people have changed over a restart")
	}
	conn, err := pgx.Connect(t.Context(), s.DatabaseURL())
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close(context.Background())
}

// TestServersOfSomebodyElse runs the product on a database and a Temporal server that exist already.
func TestServersOfSomebodyElse(t *testing.T) {
	theirs := stacktest.Start(t, func(cfg *stack.Config) { cfg.Product.Leave = true })
	ours := stacktest.Start(t, func(cfg *stack.Config) { cfg.TemporalAddress = theirs.TemporalAddress() })
	if ours.TemporalAddress() != theirs.TemporalAddress() {
		t.Errorf("it runs on %s", ours.TemporalAddress())
	}
	becomesReady(t, ours.APIURL())
}

func becomesReady(t *testing.T, api string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); get(t, api+"/readyz") != http.StatusOK; {
		if time.Now().After(deadline) {
			t.Fatal("the API does not become ready")
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func get(t *testing.T, url string) int {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	return response.StatusCode
}
