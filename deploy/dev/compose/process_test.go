package compose_test

import (
	"bytes"
	"context"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// output is what a process writes, readable while it does.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// process is a service that runs.
type process struct {
	service string
	cmd     *exec.Cmd
	log     *output // of all processes of the service
	ended   chan struct{}
	err     error // once it has ended
}

// start starts a service with its command.
func (m *machine) start(t *testing.T, service string, log *output) *process {
	t.Helper()
	p := &process{service: service, cmd: m.command(context.Background(), service, nil, m.project.Services[service].Command...), log: log, ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = log, log
	must(t, p.cmd.Start())
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // one that the test has left running
		<-p.ended
		if t.Failed() {
			t.Logf("%s:\n%s", service, log)
		}
	})
	return p
}

// command is the program as a service runs it, with arguments of its own.
func (m *machine) command(ctx context.Context, service string, settings []string, args ...string) *exec.Cmd {
	translated := make([]string, len(args))
	for i, a := range args {
		translated[i] = m.translate(service, a)
	}
	cmd := exec.CommandContext(ctx, m.program, translated...)
	cmd.Env, cmd.Dir = m.environment(service, settings...), m.work
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C is for the test
	return cmd
}

// patience is how long a command may take that does one thing and ends.
const patience = time.Minute

// run runs the program once as a service would, as docker compose run does, and reports its exit status.
func (m *machine) run(t *testing.T, service string, settings []string, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var out, trouble bytes.Buffer
	cmd := m.command(ctx, service, settings, args...)
	cmd.Stdout, cmd.Stderr = &out, &trouble
	err := cmd.Run()
	if ctx.Err() != nil {
		t.Fatalf("%s %v does not end:\n%s", service, args, trouble.String())
	}
	if cmd.ProcessState == nil {
		t.Fatalf("%s %v: %v", service, args, err)
	}
	return out.String(), trouble.String(), cmd.ProcessState.ExitCode()
}

// does runs the program and sees that it succeeds; it returns what it prints.
func (m *machine) does(t *testing.T, service string, args ...string) string {
	t.Helper()
	stdout, stderr, status := m.run(t, service, nil, args...)
	if status != 0 {
		t.Fatalf("%s %v: exit status %d\n%s%s", service, args, status, stdout, stderr)
	}
	return stdout
}

// refuses runs the program and sees that it ends with status 1 and one sentence, which it returns.
func (m *machine) refuses(t *testing.T, service string, settings []string, args ...string) string {
	t.Helper()
	stdout, stderr, status := m.run(t, service, settings, args...)
	sentence, told := strings.CutPrefix(strings.TrimSuffix(stderr, "\n"), "tokendesk: ")
	if status != 1 || stdout != "" || !told || sentence == "" || strings.Contains(sentence, "\n") {
		t.Errorf("%s %v: exit status %d, not one sentence:\n%s%s", service, args, status, stdout, stderr)
	}
	return sentence
}

// stop asks a process to end, as the container engine does, and sees that it does in time and in order.
func (p *process) stop(t *testing.T, grace time.Duration) {
	t.Helper()
	began := time.Now()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("%s has ended before it was stopped: %v", p.service, err)
		return
	}
	select {
	case <-p.ended:
	case <-time.After(grace):
		t.Errorf("%s does not stop within %v", p.service, grace)
		return
	}
	if p.err != nil {
		t.Errorf("%s: %v", p.service, p.err)
	}
	t.Logf("%s stopped after %v", p.service, time.Since(began).Round(time.Millisecond))
}

// kill ends a process at once, without a word to it.
func (p *process) kill(t *testing.T) {
	t.Helper()
	must(t, p.cmd.Process.Kill())
	<-p.ended
}

// alive fails the test when a process has ended by itself.
func (p *process) alive(t *testing.T) {
	t.Helper()
	select {
	case <-p.ended:
		t.Fatalf("%s has ended: %v\n%s", p.service, p.err, p.log)
	default:
	}
}
