package seal_test

import (
	"crypto/ed25519"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"tokendesk/internal/seal"
	"tokendesk/models"
)

// SEC-3: a checkpoint that was changed, or signed by someone else, is noticed.
func TestVerify(t *testing.T) {
	signer, stranger := must(seal.GenerateSigner()), must(seal.GenerateSigner())
	good := signer.Sign([]byte("checkpoint 7"))
	forged := stranger.Sign([]byte("checkpoint 7"))
	cases := []struct {
		name      string
		message   string
		signature seal.Signature
		want      error
	}{
		{"as signed", "checkpoint 7", good, nil},
		{"another message", "checkpoint 8", good, seal.ErrBadSignature},
		{"a stranger's", "checkpoint 7", forged, seal.ErrUnknownSigner},
		{"a stranger's under our name", "checkpoint 7", seal.Signature{KeyID: good.KeyID, Value: forged.Value}, seal.ErrBadSignature},
		{"cut short", "checkpoint 7", seal.Signature{KeyID: good.KeyID, Value: good.Value[:63]}, seal.ErrBadSignature},
		{"none", "checkpoint 7", seal.Signature{}, seal.ErrUnknownSigner},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if err := signer.Verify([]byte(c.message), c.signature); !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
		})
	}
}

func TestSignerRotation(t *testing.T) {
	first := must(seal.GenerateSigner())
	signature := first.Sign([]byte("old"))
	third := must(must(first.Rotate()).Rotate())
	if third.KeyID() == first.KeyID() {
		t.Fatal("the key did not change")
	}
	again := must(seal.ParseSigner(must(third.Marshal())))
	auditor := must(seal.NewVerifier(again.PublicKeys()...))
	for name, v := range map[string]interface {
		Verify([]byte, seal.Signature) error
	}{"rotated": third, "read again": again, "public keys alone": auditor} {
		if err := v.Verify([]byte("old"), signature); err != nil {
			t.Errorf("%s: the old signature: %v", name, err)
		}
	}
	if err := auditor.Verify([]byte("new"), again.Sign([]byte("new"))); err != nil {
		t.Error(err)
	}
	if _, err := seal.NewVerifier(ed25519.PublicKey("short")); err == nil {
		t.Error("a short public key was accepted")
	}
	if _, err := seal.ParseSigner(models.SecretBytes(`{"ed25519_seed":"AAAA"}`)); err == nil {
		t.Error("a short seed was accepted")
	}
}

func TestFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys", "keyring.json")
	if _, err := seal.OpenKeyring(path); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("a missing file: %v", err)
	}
	made := make([]*seal.Keyring, 8)
	var wg sync.WaitGroup
	for i := range made { // processes that start together agree on one keyring
		wg.Go(func() { made[i] = must(seal.OpenOrCreateKeyring(path)) })
	}
	wg.Wait()
	for _, ring := range made {
		if ring.Primary() != made[0].Primary() {
			t.Fatal("two keyrings were made for one file")
		}
	}
	info := must(os.Stat(path))
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %#o", info.Mode().Perm())
	}
	rotated := must(made[0].Rotate())
	if err := seal.Save(path, rotated); err != nil {
		t.Fatal(err)
	}
	if got := must(seal.OpenKeyring(path)); got.Primary() != rotated.Primary() {
		t.Error("the saved keyring is another")
	}
	if left := must(os.ReadDir(filepath.Dir(path))); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := seal.OpenKeyring(path); err == nil {
		t.Error("a key file that anyone may write was accepted")
	}
	signer := must(seal.OpenOrCreateSigner(filepath.Join(filepath.Dir(path), "signer.json")))
	if again := must(seal.OpenSigner(filepath.Join(filepath.Dir(path), "signer.json"))); again.KeyID() != signer.KeyID() {
		t.Error("the saved signer is another")
	}
}
