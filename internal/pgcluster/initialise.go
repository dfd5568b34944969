package pgcluster

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// initialise creates the data directory. It appears under its name only when it is whole, so that a start that was killed
// half-way leaves nothing behind that looks like a cluster.
func (h home) initialise(ctx context.Context, inst Installation, durable bool) error {
	if _, err := h.password(); err != nil {
		return err
	}
	fresh := filepath.Join(h.dir, "data.new")
	if err := os.RemoveAll(fresh); err != nil {
		return fmt.Errorf("removing a half-made cluster: %w", err)
	}
	args := []string{
		"--pgdata", fresh, "--username", superuser, "--pwfile", filepath.Join(h.dir, "password"),
		"--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", locale(),
	}
	if !durable {
		args = append(args, "--no-sync")
	}
	out, err := h.account.command(ctx, h.dir, filepath.Join(inst.Bin, "initdb"), args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("creating the private PostgreSQL cluster: %w: %s", err, lastLine(string(out)))
	}
	if err := os.Rename(fresh, h.data()); err != nil {
		return fmt.Errorf("creating the private PostgreSQL cluster: %w", err)
	}
	return nil
}

// locale is one that knows Unicode letters and sorts by code point, where the system has such a one.
func locale() string {
	if runtime.GOOS == "darwin" {
		return "en_US.UTF-8"
	}
	return "C.UTF-8"
}

// configure writes postgresql.conf anew for each start, so that a change of the program reaches old clusters.
func (h home) configure(port int, cfg Config) error {
	settings := map[string]string{
		"listen_addresses":           "127.0.0.1",
		"port":                       strconv.Itoa(port),
		"unix_socket_directories":    h.sockets,
		"unix_socket_permissions":    "0700",
		"max_connections":            "300",
		"shared_buffers":             "256MB",
		"work_mem":                   "8MB",
		"maintenance_work_mem":       "128MB",
		"max_locks_per_transaction":  "256",
		"max_wal_size":               "2GB",
		"checkpoint_timeout":         "15min",
		"random_page_cost":           "1.1",
		"jit":                        "off",
		"timezone":                   "UTC",
		"log_timezone":               "UTC",
		"log_line_prefix":            "%m [%p] %d ",
		"password_encryption":        "scram-sha-256",
		"dynamic_shared_memory_type": "posix",
		// A failed statement and its detail quote rows, and rows hold personal data.
		"log_min_error_statement": "panic",
		"log_error_verbosity":     "terse",
	}
	if !cfg.Durable {
		maps.Copy(settings, map[string]string{
			"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "autovacuum": "off",
			"wal_level": "minimal", "max_wal_senders": "0",
		})
	}
	maps.Copy(settings, cfg.Settings)
	var text strings.Builder
	text.WriteString("# written at each start\n")
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(&text, "%s = '%s'\n", key, strings.ReplaceAll(settings[key], "'", "''"))
	}
	for path, content := range map[string]string{
		filepath.Join(h.data(), "postgresql.conf"): text.String(),
		filepath.Join(h.dir, "port"):               strconv.Itoa(port) + "\n",
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			return fmt.Errorf("configuring the private PostgreSQL cluster: %w", err)
		}
		if err := h.account.own(path); err != nil {
			return fmt.Errorf("configuring the private PostgreSQL cluster: %w", err)
		}
	}
	return nil
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}
