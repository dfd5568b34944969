package stack

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"
)

// download fetches PostgreSQL into a directory. The library knows no download alone, only a start: a throw-away server is
// started and stopped, and what counts is whether the programs are there afterwards (for root they are, although the
// server then refuses to run).
func download(_ context.Context, dir string) (string, error) {
	bin := filepath.Join(dir, "bin")
	if _, err := os.Stat(filepath.Join(bin, "postgres")); err == nil {
		return bin, nil
	}
	scratch, err := os.MkdirTemp(filepath.Dir(dir), "postgresql-trial")
	if err != nil {
		return "", fmt.Errorf("making a directory for the download: %w", err)
	}
	defer os.RemoveAll(scratch) // leftovers do no harm
	trial := embeddedpostgres.NewDatabase(embeddedpostgres.DefaultConfig().
		Version(embeddedpostgres.V17).BinariesPath(dir).CachePath(scratch).
		RuntimePath(filepath.Join(scratch, "run")).Port(0).Logger(nil))
	started := trial.Start()
	if started == nil {
		_ = trial.Stop()
	}
	if _, err := os.Stat(filepath.Join(bin, "postgres")); err != nil {
		return "", fmt.Errorf("downloading PostgreSQL: %w", started)
	}
	return bin, nil
}
