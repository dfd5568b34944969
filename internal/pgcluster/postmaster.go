package pgcluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	startPatience = 60 * time.Second // for crash recovery after a power cut
	stopPatience  = 10 * time.Second // for a fast shutdown, before an immediate one
)

// errTransient marks a failed start that is worth another attempt.
var errTransient = errors.New("PostgreSQL could not start yet")

// postmaster is what postmaster.pid says about a server.
type postmaster struct {
	pid, port int
}

// readPostmaster reads postmaster.pid: process id, data directory, start time, port, socket directory, address, shared
// memory, status, one a line. The port is 0 while the server has not written so far.
func readPostmaster(data string) (postmaster, bool) {
	content, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	if err != nil {
		return postmaster{}, false
	}
	lines := strings.Split(string(content), "\n")
	var p postmaster
	p.pid, _ = strconv.Atoi(strings.TrimSpace(lines[0]))
	if len(lines) > 3 {
		p.port, _ = strconv.Atoi(strings.TrimSpace(lines[3]))
	}
	return p, true
}

// settle returns the server that runs on a home's data, or nil. It waits while one is starting up, and removes the
// postmaster.pid of one that is gone: PostgreSQL would refuse to start if an unrelated process had its number by now.
func settle(ctx context.Context, h home) (*postmaster, error) {
	deadline := time.Now().Add(startPatience)
	for {
		p, ok := readPostmaster(h.data())
		if !ok {
			return nil, nil
		}
		if !serves(p.pid, h.data()) {
			if err := ignoreMissing(os.Remove(filepath.Join(h.data(), "postmaster.pid"))); err != nil {
				return nil, fmt.Errorf("removing the stale lock of the private cluster: %w", err)
			}
			return nil, h.removeStaleSockets()
		}
		if p.port != 0 {
			return &p, nil
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return nil, fmt.Errorf("process %d holds the private cluster but does not come up: see %s", p.pid, h.logFile())
		}
		pause(ctx, 50*time.Millisecond)
	}
}

// serves reports whether a process is the PostgreSQL server of a data directory. Only the process table can tell: the number
// may long belong to somebody else.
func serves(pid int, data string) bool {
	if pid <= 0 || errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return false
	}
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		if line, err = exec.Command("ps", "-p", strconv.Itoa(pid), "-o", "command=").Output(); err != nil {
			return false
		}
	}
	return strings.Contains(string(line), "postgres") && strings.Contains(string(line), data)
}

func (h home) removeStaleSockets() error {
	stale, _ := filepath.Glob(filepath.Join(h.sockets, ".s.PGSQL.*"))
	var errs []error
	for _, path := range stale {
		errs = append(errs, ignoreMissing(os.Remove(path)))
	}
	return errors.Join(errs...)
}

// launch starts the server with pg_ctl, which detaches it from this process and its terminal, and waits for it.
func (h home) launch(ctx context.Context, inst Installation) error {
	if err := h.makeSockets(); err != nil {
		return err
	}
	before := fileSize(h.logFile())
	cmd := h.account.command(ctx, h.dir, filepath.Join(inst.Bin, "pg_ctl"), "start", "--silent", "--wait",
		"--timeout", strconv.Itoa(int(startPatience.Seconds())), "--pgdata", h.data(), "--log", h.logFile())
	if err := cmd.Run(); err != nil {
		return h.explain(before, err)
	}
	return nil
}

// explain turns what the server logged while it failed to start into one sentence.
func (h home) explain(from int64, cause error) error {
	content, _ := os.ReadFile(h.logFile())
	last := ""
	for line := range strings.Lines(string(content[min(from, int64(len(content))):])) {
		for _, level := range []string{"FATAL:", "PANIC:"} {
			if _, text, ok := strings.Cut(line, level); ok && last == "" {
				last = strings.TrimSpace(text)
			}
		}
	}
	switch {
	case strings.Contains(last, "shared memory block"), strings.Contains(last, "could not create any TCP/IP sockets"):
		return fmt.Errorf("%w: %s", errTransient, last)
	case last != "":
		return fmt.Errorf("PostgreSQL did not start: %s (log: %s)", last, h.logFile())
	default:
		return fmt.Errorf("PostgreSQL did not start: %w (log: %s)", cause, h.logFile())
	}
}

// waitReady waits until the server lets clients in, and makes sure that it is the one of this home.
func (c *Cluster) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	for {
		err := c.verify(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil || !errors.Is(err, errTransient) {
			return fmt.Errorf("the private cluster on port %d does not let this program in: %w", c.port, err)
		}
		pause(ctx, 50*time.Millisecond)
	}
}

func (c *Cluster) verify(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, c.URL("postgres"))
	if err != nil {
		var refused *net.OpError
		if errors.As(err, &refused) || strings.Contains(err.Error(), "57P03") { // 57P03: starting up
			return fmt.Errorf("%w: %w", errTransient, err)
		}
		return err
	}
	defer conn.Close(ctx)
	var data string
	if err := conn.QueryRow(ctx, "SHOW data_directory").Scan(&data); err != nil {
		return fmt.Errorf("asking the server for its data directory: %w", err)
	}
	if data != c.home.data() {
		return fmt.Errorf("the server there works on %s", data)
	}
	return nil
}

// stop asks for a fast shutdown (open transactions are rolled back, a checkpoint is written) and waits for its end.
func (c *Cluster) stop(ctx context.Context) error {
	p, ok := readPostmaster(c.home.data())
	if !ok || !serves(p.pid, c.home.data()) {
		return nil
	}
	for _, step := range []struct {
		signal   syscall.Signal
		patience time.Duration
	}{{syscall.SIGINT, stopPatience}, {syscall.SIGQUIT, stopPatience}} {
		if err := syscall.Kill(p.pid, step.signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("stopping PostgreSQL: %w", err)
		}
		deadline := time.Now().Add(step.patience)
		for time.Now().Before(deadline) {
			if !serves(p.pid, c.home.data()) {
				return nil
			}
			pause(ctx, 20*time.Millisecond)
			if ctx.Err() != nil {
				return fmt.Errorf("waiting for PostgreSQL to stop: %w", ctx.Err())
			}
		}
	}
	return fmt.Errorf("PostgreSQL (process %d) does not stop", p.pid)
}

func fileSize(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}
