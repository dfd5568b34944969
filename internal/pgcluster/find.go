package pgcluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// minMajor is the oldest PostgreSQL that will do.
const minMajor = 14

// extensions that the product and the Temporal server need; some distributions package them apart from the server.
var extensions = []string{"btree_gin", "btree_gist", "pg_trgm"}

// Installation is one set of PostgreSQL server programs.
type Installation struct {
	Bin   string // directory of initdb, pg_ctl and postgres
	Major int
}

// NotFoundError says that no usable PostgreSQL is on this machine, and what to do about it.
type NotFoundError struct {
	Need     int      // the major version that existing data needs; 0 for any
	Rejected []string // what was found and why it will not do
}

func (e *NotFoundError) Error() string {
	what := fmt.Sprintf("PostgreSQL %d or newer", minMajor)
	if e.Need != 0 {
		what = fmt.Sprintf("PostgreSQL %d, which made the data of this stack (make clean forgets them),", e.Need)
	}
	hint := "install it (Debian and Ubuntu: apt-get install postgresql; macOS: brew install postgresql) " +
		"or set DATABASE_URL to a server of yours"
	if len(e.Rejected) > 0 {
		hint += "; not usable here: " + strings.Join(e.Rejected, ", ")
	}
	return fmt.Sprintf("%s was not found on this machine: %s", what, hint)
}

// places lists where PostgreSQL's programs are put, as glob patterns.
func places() []string {
	return []string{
		"/usr/lib/postgresql/*/bin", // Debian, Ubuntu
		"/usr/pgsql-*/bin",          // Red Hat and relatives, from PostgreSQL's own repository
		"/opt/homebrew/opt/postgresql*/bin", "/usr/local/opt/postgresql*/bin", "/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",
		"/Applications/Postgres.app/Contents/Versions/*/bin",
		"/usr/local/pgsql/bin",
	}
}

// choose returns the installation for a home: the version that its data need, else the newest; installing or downloading
// one when that is allowed and nothing else is there.
func choose(ctx context.Context, h home, cfg Config, search func(context.Context) []string) (Installation, error) {
	inst, missing := find(ctx, h, search(ctx))
	if missing == nil {
		return inst, nil
	}
	if cfg.Install && canInstall() {
		cfg.Say("PostgreSQL is missing: installing the package with apt-get")
		if err := install(ctx); err != nil {
			return Installation{}, fmt.Errorf("%w (apt-get failed: %w)", missing, err)
		}
		if inst, err := find(ctx, h, search(ctx)); err == nil {
			return inst, nil
		}
	}
	if cfg.Download != nil {
		cfg.Say("PostgreSQL is missing: downloading it")
		bin, err := cfg.Download(ctx, filepath.Join(h.dir, "postgresql"))
		if err != nil {
			return Installation{}, fmt.Errorf("%w (download failed: %w)", missing, err)
		}
		return find(ctx, h, []string{bin})
	}
	return Installation{}, missing
}

// searchPath lists the directories to look in: those of PATH, pg_config's, and the usual places.
func searchPath(ctx context.Context) []string {
	dirs := filepath.SplitList(os.Getenv("PATH"))
	if out, err := exec.CommandContext(ctx, "pg_config", "--bindir").Output(); err == nil {
		dirs = append(dirs, strings.TrimSpace(string(out)))
	}
	for _, pattern := range places() {
		found, _ := filepath.Glob(pattern)
		dirs = append(dirs, found...)
	}
	return dirs
}

// find returns the installation in the given directories that suits a home best.
func find(ctx context.Context, h home, dirs []string) (Installation, error) {
	need := h.major()
	missing := &NotFoundError{Need: need}
	var usable []Installation
	seen := map[string]bool{}
	for _, dir := range dirs {
		postgres, err := filepath.EvalSymlinks(filepath.Join(dir, "postgres"))
		if err != nil || seen[postgres] {
			continue
		}
		seen[postgres] = true
		inst, err := inspect(ctx, h.account, filepath.Dir(postgres))
		switch {
		case err != nil:
			missing.Rejected = append(missing.Rejected, err.Error())
		case need != 0 && inst.Major != need:
			missing.Rejected = append(missing.Rejected, fmt.Sprintf("version %d in %s", inst.Major, inst.Bin))
		default:
			usable = append(usable, inst)
		}
	}
	if len(usable) == 0 {
		return Installation{}, missing
	}
	return slices.MaxFunc(usable, func(a, b Installation) int { return a.Major - b.Major }), nil
}

var versionPattern = regexp.MustCompile(`\b(\d+)(?:\.\d+|devel|beta\d|rc\d)`)

// inspect looks whether a directory holds a usable installation.
func inspect(ctx context.Context, a account, bin string) (Installation, error) {
	for _, program := range []string{"postgres", "initdb", "pg_ctl"} {
		if !a.runs(filepath.Join(bin, program)) {
			return Installation{}, fmt.Errorf("%s, where %s cannot run %s", bin, a.name, program)
		}
		if _, err := os.Stat(filepath.Join(bin, program)); err != nil {
			return Installation{}, fmt.Errorf("%s, which lacks %s", bin, program)
		}
	}
	out, err := exec.CommandContext(ctx, filepath.Join(bin, "postgres"), "--version").Output()
	if err != nil {
		return Installation{}, fmt.Errorf("%s, whose postgres does not run", bin)
	}
	match := versionPattern.FindStringSubmatch(string(out))
	if match == nil {
		return Installation{}, fmt.Errorf("%s, whose version is not understood", bin)
	}
	major, err := strconv.Atoi(match[1])
	if err != nil || major < minMajor {
		return Installation{}, fmt.Errorf("version %s in %s", match[1], bin)
	}
	if missing := missingExtension(ctx, bin); missing != "" {
		return Installation{}, fmt.Errorf("%s, which lacks the extension %s (package postgresql-contrib)", bin, missing)
	}
	return Installation{Bin: bin, Major: major}, nil
}

// missingExtension names an extension that an installation lacks. Where pg_config is not there to ask, it trusts.
func missingExtension(ctx context.Context, bin string) string {
	out, err := exec.CommandContext(ctx, filepath.Join(bin, "pg_config"), "--sharedir").Output()
	if err != nil {
		return ""
	}
	for _, name := range extensions {
		control := filepath.Join(strings.TrimSpace(string(out)), "extension", name+".control")
		if _, err := os.Stat(control); errors.Is(err, os.ErrNotExist) {
			return name
		}
	}
	return ""
}

func canInstall() bool {
	if os.Geteuid() != 0 {
		return false
	}
	_, err := exec.LookPath("apt-get")
	return err == nil
}

// install installs the distribution's package.
func install(ctx context.Context) error {
	for _, args := range [][]string{
		{"update", "-q"},
		{"install", "-q", "-y", "--no-install-recommends", "postgresql"},
	} {
		cmd := exec.CommandContext(ctx, "apt-get", args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("apt-get %s: %w: %s", args[0], err, lastLine(string(out)))
		}
	}
	return nil
}
