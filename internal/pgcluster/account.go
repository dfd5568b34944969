package pgcluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// account is the operating system's user that the server runs as.
type account struct {
	name     string
	uid, gid int
	drop     bool // whether commands must change to it: only root's must
}

// serverAccount returns the account for the server: the caller's own, or, for root, which PostgreSQL refuses, the first
// that exists of postgres and nobody.
func serverAccount() (account, error) {
	if os.Geteuid() != 0 {
		return account{name: "this user", uid: os.Geteuid(), gid: os.Getegid()}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.Atoi(u.Uid)
		gid, errGID := strconv.Atoi(u.Gid)
		if err := errors.Join(errUID, errGID); err != nil {
			return account{}, fmt.Errorf("reading the account %s: %w", name, err)
		}
		return account{name: name, uid: uid, gid: gid, drop: true}, nil
	}
	return account{}, errors.New("PostgreSQL does not run as root, and neither the user postgres nor nobody exists: " +
		"create one, or start this as an ordinary user")
}

// command prepares a command that runs as the account, in a process group of its own so that a Ctrl-C meant for
// its starter does not reach it.
func (a account) command(ctx context.Context, dir, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "LC_ALL=C", "TZ=UTC"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if a.drop {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
	}
	return cmd
}

// own gives a file or directory to the account.
func (a account) own(path string) error {
	if !a.drop {
		return nil
	}
	return os.Chown(path, a.uid, a.gid)
}

// reaches reports whether the account can enter a directory and write in it.
func (a account) reaches(dir string) bool {
	if !a.drop {
		return syscall.Access(dir, 3) == nil // write and enter
	}
	return a.command(context.Background(), "/", "/bin/sh", "-c", `cd "$1" && test -w .`, "sh", dir).Run() == nil
}

// runs reports whether the account may execute a file.
func (a account) runs(file string) bool {
	if !a.drop {
		return true
	}
	return a.command(context.Background(), "/", "/bin/sh", "-c", `test -x "$1"`, "sh", file).Run() == nil
}
