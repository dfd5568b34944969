package pgcluster

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// home is the directory of one cluster: data/, password, port and log. It belongs to the server's account.
type home struct {
	dir     string
	state   string // the caller's state directory
	sockets string // a short path, since a socket's may not exceed some 100 bytes
	account account
}

// pointerFile, in the state directory, names a home that had to be elsewhere.
const pointerFile = "postgres.path"

// elsewhere lists where homes go when the server's account cannot reach the state directory. Only root drops to an
// account, so these are root's to make.
func elsewhere() []string {
	return []string{"/var/lib/tokendesk", filepath.Join(os.TempDir(), "tokendesk-state")}
}

// openHome returns the home of a state directory, making it when there is none.
func openHome(state string) (home, error) {
	h, found, err := existingHome(state)
	if err != nil || found {
		return h, err
	}
	if err := h.make(filepath.Join(state, "postgres")); err == nil {
		return h, nil
	} else if !h.account.drop {
		return home{}, err
	}
	for _, base := range elsewhere() {
		if err = os.MkdirAll(base, 0o755); err != nil {
			continue
		}
		if err = h.make(filepath.Join(base, Digest(state))); err == nil {
			err = os.WriteFile(filepath.Join(state, pointerFile), []byte(h.dir+"\n"), 0o644)
			return h, err
		}
	}
	return home{}, fmt.Errorf("the user %s, as which PostgreSQL runs for root, can reach neither %s nor a directory beside it: %w",
		h.account.name, state, err)
}

// existingHome looks for the home of a state directory. Without one it returns a home that only lacks its directory.
func existingHome(state string) (h home, found bool, err error) {
	h = home{state: state, sockets: filepath.Join(os.TempDir(), "tokendesk-"+Digest(state))}
	if h.account, err = serverAccount(); err != nil {
		return home{}, false, err
	}
	dirs := []string{filepath.Join(state, "postgres")}
	if pointer, err := os.ReadFile(filepath.Join(state, pointerFile)); err == nil {
		dirs = append([]string{strings.TrimSpace(string(pointer))}, dirs...)
	}
	for _, dir := range dirs {
		info, err := os.Stat(dir)
		if err != nil {
			continue
		}
		if stat, ok := info.Sys().(*syscall.Stat_t); ok && int(stat.Uid) != h.account.uid {
			return home{}, false, fmt.Errorf("the cluster in %s belongs to another user (uid %d): start this as that user, or forget it with make clean",
				dir, stat.Uid)
		}
		if !h.account.reaches(dir) {
			return home{}, false, fmt.Errorf("the cluster in %s can no longer be reached by %s", dir, h.account.name)
		}
		h.dir = dir
		return h, true, nil
	}
	return h, false, nil
}

// make makes the directory of a home and checks that the server's account can work there.
func (h *home) make(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("making the directory of the cluster: %w", err)
	}
	if err := h.account.own(dir); err != nil {
		return fmt.Errorf("handing the cluster's directory to %s: %w", h.account.name, err)
	}
	if !h.account.reaches(dir) {
		_ = os.Remove(dir)
		return fmt.Errorf("%s cannot reach %s", h.account.name, dir)
	}
	h.dir = dir
	return nil
}

// makeSockets makes the directory of the Unix socket and refuses one that somebody else has put there.
func (h home) makeSockets() error {
	if err := os.Mkdir(h.sockets, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("making the socket directory: %w", err)
	} else if err == nil {
		return h.account.own(h.sockets)
	}
	info, err := os.Lstat(h.sockets)
	if err != nil {
		return fmt.Errorf("looking at the socket directory: %w", err)
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); !info.IsDir() || ok && int(stat.Uid) != h.account.uid {
		return fmt.Errorf("%s belongs to somebody else: remove it, PostgreSQL's socket is to be there", h.sockets)
	}
	return nil
}

func (h home) data() string    { return filepath.Join(h.dir, "data") }
func (h home) logFile() string { return filepath.Join(h.dir, "postgres.log") }

// empty reports whether no cluster has been created here.
func (h home) empty() bool {
	_, err := os.Stat(filepath.Join(h.data(), "PG_VERSION"))
	return err != nil
}

// major returns the major version that created the cluster, 0 when there is none.
func (h home) major() int {
	content, _ := os.ReadFile(filepath.Join(h.data(), "PG_VERSION"))
	major, _ := strconv.Atoi(strings.TrimSpace(string(content)))
	return major
}

func (h home) lastPort() int {
	content, _ := os.ReadFile(filepath.Join(h.dir, "port"))
	port, _ := strconv.Atoi(strings.TrimSpace(string(content)))
	return port
}

// password returns the superuser's password, making one before the cluster is created.
func (h home) password() (string, error) {
	path := filepath.Join(h.dir, "password")
	content, err := os.ReadFile(path)
	if err == nil {
		return string(content), nil
	}
	if !errors.Is(err, os.ErrNotExist) || !h.empty() {
		return "", fmt.Errorf("reading the password of the private cluster: %w", err)
	}
	password := rand.Text()
	if err := os.WriteFile(path, []byte(password), 0o600); err != nil {
		return "", fmt.Errorf("keeping the password of the private cluster: %w", err)
	}
	return password, h.account.own(path)
}

// remove deletes all of the home.
func (h home) remove() error {
	return errors.Join(os.RemoveAll(h.dir), os.RemoveAll(h.sockets), ignoreMissing(os.Remove(filepath.Join(h.state, pointerFile))))
}

func ignoreMissing(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// Digest names a directory in a few letters.
func Digest(path string) string {
	sum := sha256.Sum256([]byte(path))
	return hex.EncodeToString(sum[:5])
}
