package pgcluster

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fakeInstallation makes a directory of programs that only know their version.
func fakeInstallation(t *testing.T, version string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "fakepg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"postgres", "initdb", "pg_ctl"} {
		script := "#!/bin/sh\necho 'postgres (PostgreSQL) " + version + "'\n"
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestFind(t *testing.T) {
	old, good, newer := fakeInstallation(t, "11.22"), fakeInstallation(t, "15.13 (Debian 15.13-0+deb12u1)"), fakeInstallation(t, "17beta1")
	broken := fakeInstallation(t, "16.1")
	if err := os.Remove(filepath.Join(broken, "initdb")); err != nil {
		t.Fatal(err)
	}
	data15 := t.TempDir()
	if err := os.MkdirAll(filepath.Join(data15, "data"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(data15, "data", "PG_VERSION"), []byte("15\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name    string
		home    string
		dirs    []string
		bin     string   // expected installation
		message []string // or what the error says
	}{
		{"the newest", "", []string{old, good, newer, good}, newer, nil},
		{"the version that made the data", data15, []string{newer, good}, good, nil},
		{"too old", "", []string{old}, "", []string{"version 11 in " + old, "apt-get install postgresql"}},
		{"half an installation", "", []string{broken}, "", []string{broken, "initdb"}},
		{"only another version than the data's", data15, []string{newer}, "", []string{"PostgreSQL 15", "version 17", "make clean"}},
		{"nothing at all", "", []string{t.TempDir()}, "", []string{"install it", "DATABASE_URL"}},
	}
	a, err := serverAccount()
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			inst, err := find(t.Context(), home{dir: tc.home, account: a}, tc.dirs)
			if tc.bin != "" {
				if err != nil || inst.Bin != tc.bin {
					t.Fatalf("got %+v, %v", inst, err)
				}
				return
			}
			var missing *NotFoundError
			if !errors.As(err, &missing) {
				t.Fatalf("got %+v, %v", inst, err)
			}
			for _, part := range tc.message {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q is not in %q", part, err)
				}
			}
		})
	}
}

func TestDownloadIsTheLastResort(t *testing.T) {
	good := fakeInstallation(t, "15.1")
	var said []string
	inst, err := choose(t.Context(), home{dir: t.TempDir()}, Config{
		Say:      func(s string) { said = append(said, s) },
		Download: func(context.Context, string) (string, error) { return good, nil },
	}, func(context.Context) []string { return nil })
	if err != nil || inst.Bin != good || len(said) != 1 {
		t.Fatalf("got %+v, %v, said %q", inst, err, said)
	}
}
