package pgcluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Lock is an advisory lock on a file. The kernel gives it back when its holder dies, however it dies, so a lock file
// that was left behind never blocks anybody.
type Lock struct{ f *os.File }

// HeldError says that another process holds a lock.
type HeldError struct {
	Path string
	PID  int // of the holder; 0 when it is not known
}

func (e *HeldError) Error() string {
	return fmt.Sprintf("%s is locked by process %d", e.Path, e.PID)
}

// TryLock takes the exclusive lock on a file, creating it when missing, and writes this process's id into it. When another
// process holds it the error is a [*HeldError].
func TryLock(path string) (*Lock, error) {
	l, err := openLock(path, syscall.LOCK_EX|syscall.LOCK_NB)
	if err != nil {
		return nil, err
	}
	if err := l.f.Truncate(0); err != nil {
		l.Release()
		return nil, fmt.Errorf("writing %s: %w", path, err)
	}
	if _, err := l.f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0); err != nil {
		l.Release()
		return nil, fmt.Errorf("writing %s: %w", path, err)
	}
	return l, nil
}

// Share takes a shared lock, which any number of processes may hold while nobody holds the exclusive one.
func Share(path string) (*Lock, error) { return openLock(path, syscall.LOCK_SH) }

// Downgrade turns an exclusive lock into a shared one. For a moment in between the lock is nobody's.
func (l *Lock) Downgrade() error { return syscall.Flock(int(l.f.Fd()), syscall.LOCK_SH) }

// Release gives the lock back.
func (l *Lock) Release() { _ = l.f.Close() }

func openLock(path string, how int) (*Lock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the lock: %w", err)
	}
	for err = syscall.EINTR; errors.Is(err, syscall.EINTR); {
		err = syscall.Flock(int(f.Fd()), how)
	}
	if err == nil {
		return &Lock{f}, nil
	}
	defer f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		content, _ := io.ReadAll(f)
		pid, _ := strconv.Atoi(strings.TrimSpace(string(content)))
		return nil, &HeldError{Path: path, PID: pid}
	}
	return nil, fmt.Errorf("locking %s: %w", path, err)
}

// waitForLock takes the exclusive lock as soon as it is free.
func waitForLock(ctx context.Context, path string) (*Lock, error) {
	for {
		l, err := TryLock(path)
		var held *HeldError
		if !errors.As(err, &held) {
			return l, err
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("waiting for another start of the same cluster: %w", held)
		}
		pause(ctx, 20*time.Millisecond)
	}
}
