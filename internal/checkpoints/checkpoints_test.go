package checkpoints_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tokendesk/internal/checkpoints"
	"tokendesk/internal/seal"
	"tokendesk/models"
)

// author signs checkpoints.
type author struct{ *seal.Signer }

func newAuthor(t *testing.T) author {
	t.Helper()
	signer, err := seal.GenerateSigner()
	must(t, err)
	return author{signer}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// batch is the nth batch of a class; each version of a trail has other hashes.
func (a author) batch(class models.RetentionClass, n int64, version byte) models.Checkpoint {
	c := models.Checkpoint{Class: class, Epoch: 1, Batch: n, ThroughID: 10 * n, From: uint64(100 * (n - 1)), To: uint64(100 * n), Rows: 10,
		Hash: slices.Repeat([]byte{version}, 32), SealedAt: time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)}
	signature := a.Sign(c.Message())
	c.KeyID, c.Signature = signature.KeyID, signature.Value
	return c
}

func (a author) latest(t *testing.T, file string) checkpoints.Known {
	t.Helper()
	known, err := checkpoints.Latest(t.Context(), file, a.Verifier)
	must(t, err)
	return known
}

func wantKnown(t *testing.T, known checkpoints.Known, want ...models.Checkpoint) {
	t.Helper()
	text := func(all []models.Checkpoint) (out []string) {
		for _, c := range all {
			out = append(out, c.String())
		}
		return out
	}
	if got := text(known.Checkpoints); !slices.Equal(got, text(want)) {
		t.Fatalf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(text(want), "\n"))
	}
}

// SEC-3: of a trail that goes on, the newest checkpoint says all; of one that was cut off and sealed anew, what it had before does not
// fall into oblivion.
func TestLatest(t *testing.T) {
	a := newAuthor(t)
	of := func(n int64, version byte) models.Checkpoint { return a.batch(models.AuthenticationEvents, n, version) }
	other := a.batch(models.LifecycleEvents, 7, 0)
	restored := of(1, 0)
	restored.Epoch, restored.AfterID = 2, 30
	signature := a.Sign(restored.Message())
	restored.KeyID, restored.Signature = signature.KeyID, signature.Value
	type list = []models.Checkpoint
	for _, c := range []struct {
		name        string
		lines, want list
	}{
		{"no line", nil, nil},
		{"one after the other", list{of(1, 0), of(2, 0), of(3, 0)}, list{of(3, 0)}},
		{"two classes", list{of(1, 0), other, of(2, 0)}, list{of(2, 0), other}},
		{"a line twice", list{of(1, 0), of(2, 0), of(2, 0)}, list{of(2, 0)}},
		{"a line was not written", list{of(1, 0), of(3, 0)}, list{of(1, 0), of(3, 0)}},
		{"the last batch sealed anew", list{of(1, 0), of(2, 0), of(2, 1)}, list{of(2, 0)}},
		{"cut off, sealed anew, and further than before", list{of(1, 0), of(2, 0), of(2, 1), of(3, 1)}, list{of(2, 0), of(3, 1)}},
		{"cut off by two, and as far as before", list{of(1, 0), of(2, 0), of(3, 0), of(2, 1), of(3, 1)}, list{of(3, 0)}},
		{"a new epoch", list{of(2, 0), of(3, 0), restored}, list{of(3, 0), restored}},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "checkpoints.log")
			for _, line := range c.lines {
				must(t, checkpoints.Append(file, line))
			}
			known := a.latest(t, file)
			wantKnown(t, known, c.want...)
			if len(known.Rejected) > 0 {
				t.Errorf("rejected %v", known.Rejected)
			}
			if n := known.Of(models.AdministrationEvents); n != 0 {
				t.Errorf("%d checkpoints of a class that has none", n)
			}
		})
	}
}

// SEC-3: a line that Tokendesk did not sign is reported and proves nothing, not even that the one before it is outdated.
func TestLatestRejects(t *testing.T) {
	a := newAuthor(t)
	first, second := a.batch(models.AuthenticationEvents, 1, 0), a.batch(models.AuthenticationEvents, 2, 0)
	altered := second
	altered.ThroughID++
	for _, c := range []struct{ name, line string }{
		{"another signer", newAuthor(t).batch(models.AuthenticationEvents, 2, 0).String()},
		{"altered", altered.String()},
		{"no checkpoint", "nothing to see here"},
		{"half a line", second.String()[:100]},
		{"a long line", strings.Repeat("x", 1<<20)},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "checkpoints.log")
			must(t, checkpoints.Append(file, first))
			f, err := os.OpenFile(file, os.O_WRONLY|os.O_APPEND, 0)
			must(t, err)
			_, err = f.WriteString(c.line)
			must(t, err)
			must(t, f.Close())
			wantKnown(t, a.latest(t, file), first) // it may be being written
			must(t, checkpoints.Append(file, second))
			known := a.latest(t, file)
			wantKnown(t, known, second)
			if len(known.Rejected) != 1 || known.Rejected[0].Line != 2 || known.Rejected[0].Detail == "" {
				t.Fatalf("rejected %v, want line 2", known.Rejected)
			}
		})
	}
}

func TestLatestOfNoFile(t *testing.T) {
	a, dir := newAuthor(t), t.TempDir()
	wantKnown(t, a.latest(t, filepath.Join(dir, "none")))
	if _, err := checkpoints.Latest(t.Context(), dir, a.Verifier); err == nil {
		t.Error("a directory was read")
	}
	if err := checkpoints.Append(dir, a.batch(models.AuthenticationEvents, 1, 0)); err == nil {
		t.Error("a directory was written")
	}
}
