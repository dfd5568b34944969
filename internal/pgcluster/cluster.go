package pgcluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// superuser owns everything in a private cluster.
const superuser = "tokendesk"

// Config says where a private cluster lives and how safe its data shall be.
type Config struct {
	Dir      string            // state directory of the caller, created when missing; one cluster per directory
	Port     int               // loopback TCP port; 0 keeps the port of the last start or picks a free one
	Durable  bool              // false trades safety after a power cut for speed (no fsync): for tests
	Install  bool              // may install the distribution's package when nothing is found (root on Debian)
	Settings map[string]string // further lines of postgresql.conf, which win over the defaults

	// Download fetches PostgreSQL into a directory as the last resort and returns the directory of its binaries.
	Download func(ctx context.Context, dir string) (bin string, err error)
	// Say tells a person about a step that takes long.
	Say func(sentence string)
}

// Cluster is a running private PostgreSQL server.
type Cluster struct {
	home     home
	port     int
	password string
	attached bool
}

// Start attaches to the cluster of cfg.Dir when it is running, else starts it, creating it first when there is none.
// Processes that start the same cluster at once take turns. Errors are one sentence for a person; a port that somebody
// else holds is a [*PortBusyError], a missing PostgreSQL a [*NotFoundError].
func Start(ctx context.Context, cfg Config) (*Cluster, error) {
	if cfg.Say == nil {
		cfg.Say = func(string) {}
	}
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("finding the state directory: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("making the state directory: %w", err)
	}
	turn, err := waitForLock(ctx, filepath.Join(dir, "postgres.lock"))
	if err != nil {
		return nil, err
	}
	defer turn.Release()

	h, err := openHome(dir)
	if err != nil {
		return nil, err
	}
	if c, err := attach(ctx, h, cfg.Port); c != nil || err != nil {
		return c, err
	}
	return launch(ctx, h, cfg)
}

// attach returns the running cluster of a home, or nil when none runs. One that runs on another port than the one
// asked for is stopped, so that it can start again on the right one.
func attach(ctx context.Context, h home, port int) (*Cluster, error) {
	running, err := settle(ctx, h)
	if err != nil || running == nil {
		return nil, err
	}
	c := &Cluster{home: h, port: running.port, attached: true}
	if c.password, err = h.password(); err != nil {
		return nil, err
	}
	if port != 0 && port != running.port {
		return nil, c.stop(ctx)
	}
	return c, c.waitReady(ctx)
}

// launch starts the server of a home in which none is running.
func launch(ctx context.Context, h home, cfg Config) (*Cluster, error) {
	inst, err := choose(ctx, h, cfg, searchPath)
	if err != nil {
		return nil, err
	}
	if h.empty() {
		cfg.Say(fmt.Sprintf("creating a private PostgreSQL %d cluster in %s", inst.Major, h.dir))
		if err := h.initialise(ctx, inst, cfg.Durable); err != nil {
			return nil, err
		}
	}
	c := &Cluster{home: h}
	if c.password, err = h.password(); err != nil {
		return nil, err
	}
	for attempt := 1; ; attempt++ {
		if c.port, err = choosePort(cfg.Port, h); err != nil {
			return nil, err
		}
		if err = h.configure(c.port, cfg); err != nil {
			return nil, err
		}
		err = h.launch(ctx, inst)
		if err == nil || attempt == 20 || !errors.Is(err, errTransient) || ctx.Err() != nil {
			break
		}
		pause(ctx, 500*time.Millisecond)
	}
	if err != nil {
		return nil, err
	}
	return c, c.waitReady(ctx)
}

// PortBusyError says that somebody else listens on the port asked for.
type PortBusyError struct{ Port int }

func (e *PortBusyError) Error() string {
	return fmt.Sprintf("port %d is in use by another program, and PostgreSQL was to listen there", e.Port)
}

// choosePort returns the port asked for if it is free; without a wish the last one if it is free, else any free one.
func choosePort(wish int, h home) (int, error) {
	if wish != 0 {
		if portFree(wish) {
			return wish, nil
		}
		return 0, &PortBusyError{Port: wish}
	}
	if last := h.lastPort(); last != 0 && portFree(last) {
		return last, nil
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("finding a free port for PostgreSQL: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func portFree(port int) bool {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	return l.Close() == nil
}

// URL returns the connection URL of one database of the cluster over loopback TCP. It carries the password.
func (c *Cluster) URL(database string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(superuser, c.password),
		Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(c.port)), Path: "/" + database, RawQuery: "sslmode=disable",
	}
	return u.String()
}

// SocketURL is [Cluster.URL] over the cluster's Unix socket, for programs that run as its account or as root.
func (c *Cluster) SocketURL(database string) string {
	q := url.Values{"host": {c.home.sockets}, "port": {strconv.Itoa(c.port)}, "sslmode": {"disable"}}
	u := url.URL{Scheme: "postgres", User: url.UserPassword(superuser, c.password), Path: "/" + database, RawQuery: q.Encode()}
	return u.String()
}

// Port returns the loopback TCP port.
func (c *Cluster) Port() int { return c.port }

// Attached reports whether the server was already running when [Start] was called.
func (c *Cluster) Attached() bool { return c.attached }

// LogFile returns the path of the server's log.
func (c *Cluster) LogFile() string { return c.home.logFile() }

// Stop ends the server cleanly, closing its connections; data and port are kept for the next start.
func (c *Cluster) Stop(ctx context.Context) error { return c.stop(ctx) }

// Stop stops the cluster of a state directory, if one runs there, and keeps its data.
func Stop(ctx context.Context, dir string) error {
	return withHome(ctx, dir, func(home) error { return nil })
}

// Remove stops the cluster of a state directory, if there is one, and deletes its data.
func Remove(ctx context.Context, dir string) error {
	return withHome(ctx, dir, home.remove)
}

// withHome stops the cluster of a state directory and does something with its home, in which nothing runs then.
func withHome(ctx context.Context, dir string, then func(home) error) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("finding the state directory: %w", err)
	}
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	turn, err := waitForLock(ctx, filepath.Join(dir, "postgres.lock"))
	if err != nil {
		return err
	}
	defer turn.Release()
	h, found, err := existingHome(dir)
	if err != nil || !found {
		return err
	}
	running, err := settle(ctx, h)
	if err != nil {
		return err
	}
	if running != nil {
		if err := (&Cluster{home: h, port: running.port}).stop(ctx); err != nil {
			return err
		}
	}
	return then(h)
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
