// Command remove stops the private PostgreSQL cluster of a state directory and deletes that directory. It refuses while
// another process holds the directory's lock.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"tokendesk/internal/pgcluster"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: remove STATE_DIRECTORY")
		os.Exit(2)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := remove(ctx, os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func remove(ctx context.Context, dir string) error {
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
	return os.RemoveAll(dir)
}
