// Command remove stops the private PostgreSQL cluster of a state directory and deletes what is in that directory, except
// the entries that it is told to keep. It refuses while another process holds the directory's lock.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"tokendesk/internal/pgcluster"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: remove STATE_DIRECTORY [KEEP...]")
		os.Exit(2)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := remove(ctx, os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func remove(ctx context.Context, dir string, keep []string) error {
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	lock, err := pgcluster.TryLock(filepath.Join(dir, "lock"))
	var held *pgcluster.HeldError
	if errors.As(err, &held) {
		return fmt.Errorf("the stack that lives in %s is running (process %d): stop it first", dir, held.PID)
	}
	if err != nil {
		return err
	}
	defer lock.Release()
	if err := pgcluster.Remove(ctx, dir); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("reading the state directory: %w", err)
	}
	for _, entry := range entries {
		if !slices.Contains(keep, entry.Name()) {
			if err := os.RemoveAll(filepath.Join(dir, entry.Name())); err != nil {
				return fmt.Errorf("emptying the state directory: %w", err)
			}
		}
	}
	return nil
}
