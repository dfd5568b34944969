package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tokendesk/internal/app"
	"tokendesk/internal/seal"
	"tokendesk/internal/testpg"
	"tokendesk/models"
	"tokendesk/models/store"
)

// SEC-2: a key is added, then promoted; what was sealed before is still opened, and the file is nobody else's.
func TestKeyringRotation(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keyring.json")
	set(t, with(map[string]string{"TOKENDESK_KEYRING_FILE": file}))
	before, err := seal.OpenOrCreateKeyring(file)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := before.Seal(models.SecretBytes("seed"), "token/1")
	if err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) *seal.Keyring {
		t.Helper()
		if err := dispatch(t.Context(), append([]string{"keyring"}, args...)); err != nil {
			t.Fatal(err)
		}
		ring, err := seal.OpenKeyring(file)
		if err != nil {
			t.Fatal(err)
		}
		return ring
	}
	run("list")
	added := run("add")
	if len(added.KeyIDs()) != 2 || added.Primary() != before.Primary() {
		t.Fatalf("keys %v, primary %d", added.KeyIDs(), added.Primary())
	}
	fresh := added.KeyIDs()[1]
	promoted := run("promote", fmt.Sprint(fresh))
	if promoted.Primary() != fresh {
		t.Errorf("primary is %d, want %d", promoted.Primary(), fresh)
	}
	if seed, err := promoted.Open(sealed, "token/1"); err != nil || string(seed.Reveal()) != "seed" {
		t.Errorf("what was sealed before does not open: %v", err)
	}
	var list bytes.Buffer
	printKeyring(&list, promoted)
	if !strings.Contains(list.String(), fmt.Sprintf("%d\tprefix \\x%x\tseals and opens\n", fresh, seal.Prefix(fresh))) {
		t.Errorf("the list is\n%s", &list)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	for name, args := range map[string][]string{"no such key": {"promote", "1"}, "no number": {"promote", "x"}, "no verb": nil, "unknown verb": {"forget"}, "too many": {"add", "2"}} {
		if err := dispatch(t.Context(), append([]string{"keyring"}, args...)); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A revoked key is dead at once; it stays in the list.
func TestAPIKeyCommands(t *testing.T) {
	url := testpg.Open(t)
	set(t, with(map[string]string{"DATABASE_URL": url}))
	st, err := store.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	secret, key, err := st.CreateAPIKey(t.Context(), "billing desk", models.RoleBilling, "", app.RealClock())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // revoking a revoked one changes nothing
		if err := dispatch(t.Context(), []string{"revoke-api-key", "-id", key.ID}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := st.APIKeyBySecret(t.Context(), secret); !errors.Is(err, models.NotAuthenticated) {
		t.Errorf("the revoked key gives %v", err)
	}
	if err := dispatch(t.Context(), []string{"list-api-keys"}); err != nil {
		t.Error(err)
	}
	if err := dispatch(t.Context(), []string{"revoke-api-key", "-id", "ak_unknown"}); !errors.Is(err, models.NoSuchThing) {
		t.Errorf("an unknown key gives %v", err)
	}
	if err := dispatch(t.Context(), []string{"revoke-api-key"}); err == nil || !strings.Contains(err.Error(), "-id is missing") {
		t.Errorf("no key gives %v", err)
	}
}

// In a sandbox whose clock is ahead, what a command writes has the sandbox's date; elsewhere the clock of no sandbox counts.
func TestCommandsFollowTheSandboxClock(t *testing.T) {
	for name, c := range map[string]struct {
		sandbox string
		ahead   time.Duration
	}{
		"a sandbox":    {"true", 400 * 24 * time.Hour},
		"a production": {"false", 0},
	} {
		t.Run(name, func(t *testing.T) {
			url := testpg.Open(t)
			set(t, with(map[string]string{"DATABASE_URL": url, "TOKENDESK_SANDBOX": c.sandbox}))
			st, err := store.Open(t.Context(), url)
			if err != nil {
				t.Fatal(err)
			}
			defer st.Close()
			if _, err := st.Pool().Exec(t.Context(), "insert into sandbox_clock (ahead_us) values ($1)", (400 * 24 * time.Hour).Microseconds()); err != nil {
				t.Fatal(err)
			}
			before := app.RealClock()
			if err := dispatch(t.Context(), []string{"create-api-key", "-name", "desk", "-role", string(models.RoleSupport)}); err != nil {
				t.Fatal(err)
			}
			keys, err := st.APIKeys(t.Context(), store.Page{})
			if err != nil || len(keys) != 1 {
				t.Fatalf("%d keys, %v", len(keys), err)
			}
			if d := keys[0].CreatedAt.Sub(before.Add(c.ahead)); d < 0 || d > time.Minute {
				t.Errorf("made at %s, %s from the stack's now", keys[0].CreatedAt, d)
			}
		})
	}
}
