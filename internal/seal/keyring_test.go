package seal_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"tokendesk/internal/seal"
	"tokendesk/models"
)

var seed = models.SecretBytes("12345678901234567890")

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// SEC-2: a seed opens for the serial it was sealed for, and nowhere else.
func TestOpen(t *testing.T) {
	ring, other := must(seal.Generate()), must(seal.Generate())
	sealed := must(ring.Seal(seed, "token/A-1"))
	flip := func(i int) []byte {
		c := bytes.Clone(sealed)
		c[(i+len(c))%len(c)] ^= 1
		return c
	}
	cases := []struct {
		name       string
		ring       *seal.Keyring
		ciphertext []byte
		associated string
		want       error
	}{
		{"in its place", ring, sealed, "token/A-1", nil},
		{"moved to another row", ring, sealed, "token/A-2", seal.ErrNotAuthentic},
		{"place missing", ring, sealed, "", seal.ErrNoPlace},
		{"nonce changed", ring, flip(5), "token/A-1", seal.ErrNotAuthentic},
		{"content changed", ring, flip(20), "token/A-1", seal.ErrNotAuthentic},
		{"tag changed", ring, flip(-1), "token/A-1", seal.ErrNotAuthentic},
		{"truncated", ring, sealed[:len(sealed)-1], "token/A-1", seal.ErrNotAuthentic},
		{"cut to its prefix", ring, sealed[:5], "token/A-1", seal.ErrNotAuthentic},
		{"version changed", ring, flip(0), "token/A-1", seal.ErrUnknownKey},
		{"key id changed", ring, flip(3), "token/A-1", seal.ErrUnknownKey},
		{"empty", ring, nil, "token/A-1", seal.ErrUnknownKey},
		{"another keyring", other, sealed, "token/A-1", seal.ErrUnknownKey},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.ring.Open(c.ciphertext, c.associated)
			if !errors.Is(err, c.want) {
				t.Fatalf("error %v, want %v", err, c.want)
			}
			if c.want == nil && !bytes.Equal(got.Reveal(), seed.Reveal()) {
				t.Fatal("the plaintext came back changed")
			}
			if c.want != nil && got != nil {
				t.Fatal("a refused ciphertext gave bytes")
			}
		})
	}
}

// SEC-2: equal seeds do not look equal at rest, and nothing of the seed shows.
func TestSealHides(t *testing.T) {
	ring := must(seal.Generate())
	a, b := must(ring.Seal(seed, "token/A-1")), must(ring.Seal(seed, "token/A-1"))
	if bytes.Equal(a, b) {
		t.Error("two ciphertexts of one seed are equal")
	}
	if bytes.Contains(a, seed.Reveal()) {
		t.Error("the seed shows in the ciphertext")
	}
	if len(a) != len(seed)+33 {
		t.Errorf("ciphertext of %d bytes for %d", len(a), len(seed))
	}
	if _, err := ring.Seal(seed, ""); !errors.Is(err, seal.ErrNoPlace) {
		t.Errorf("sealing for no place: %v", err)
	}
}

// SEC-2, "keys rotate": what was sealed before opens after, a job finds it, and the old key can then be dropped.
func TestRotation(t *testing.T) {
	first := must(seal.Generate())
	old := must(first.Seal(seed, "token/A-1"))
	second := must(first.Rotate())

	if first.Primary() == second.Primary() || !slices.Contains(second.KeyIDs(), first.Primary()) {
		t.Fatalf("keys %v, primary %d after %d", second.KeyIDs(), second.Primary(), first.Primary())
	}
	if seal.KeyID(old) != first.Primary() || !bytes.HasPrefix(old, seal.Prefix(first.Primary())) {
		t.Fatal("a ciphertext does not name its key")
	}
	resealed, changed, err := second.Reseal(old, "token/A-1")
	if err != nil || !changed || seal.KeyID(resealed) != second.Primary() {
		t.Fatalf("reseal: changed %v, key %d, %v", changed, seal.KeyID(resealed), err)
	}
	if _, changed, err := second.Reseal(resealed, "token/A-1"); err != nil || changed {
		t.Fatalf("reseal again: changed %v, %v", changed, err)
	}
	if _, _, err := second.Reseal(old, "token/A-2"); !errors.Is(err, seal.ErrNotAuthentic) {
		t.Fatalf("reseal in another place: %v", err)
	}
	third := must(second.Without(first.Primary()))
	if _, err := third.Open(old, "token/A-1"); !errors.Is(err, seal.ErrUnknownKey) {
		t.Fatalf("a forgotten key opens: %v", err)
	}
	if got := must(third.Open(resealed, "token/A-1")); !bytes.Equal(got, seed) {
		t.Fatal("the resealed seed came back changed")
	}
	if _, err := third.Without(third.Primary()); err == nil {
		t.Fatal("the primary key was forgotten")
	}
}

// SEC-2: with Add before Promote, a process with either keyring opens what the other sealed.
func TestRotationInSteps(t *testing.T) {
	first := must(seal.Generate())
	added, id, err := first.Add()
	if err != nil || added.Primary() != first.Primary() {
		t.Fatalf("add: primary %d, %v", added.Primary(), err)
	}
	promoted := must(added.Promote(id))
	for _, pair := range [][2]*seal.Keyring{{added, promoted}, {promoted, added}, {first, promoted}} {
		if _, err := pair[1].Open(must(pair[0].Seal(seed, "x")), "x"); err != nil {
			t.Error(err)
		}
	}
	if _, err := first.Promote(id); err == nil {
		t.Error("a key that the keyring lacks was promoted")
	}
}

func TestKeyringMarshal(t *testing.T) {
	ring := must(must(seal.Generate()).Rotate())
	sealed := must(ring.Seal(seed, "x"))
	raw := must(ring.Marshal())
	if got := must(must(seal.Parse(raw)).Open(sealed, "x")); !bytes.Equal(got, seed) {
		t.Error("a keyring read again opens something else")
	}
	for name, bad := range map[string]string{
		"empty": "", "not JSON": "key", "no keys": `{"primaryKeyId":1,"key":[]}`,
		"no prefix": strings.ReplaceAll(string(raw), `"TINK"`, `"RAW"`),
	} {
		if _, err := seal.Parse(models.SecretBytes(bad)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// SEC-5: neither a keyring nor what it opens shows in a log.
func TestKeyringRedacts(t *testing.T) {
	ring := must(seal.Generate())
	opened := must(ring.Open(must(ring.Seal(seed, "x")), "x"))
	var keys struct {
		Key []struct{ KeyData struct{ Value string } }
	}
	if err := json.Unmarshal(must(ring.Marshal()).Reveal(), &keys); err != nil {
		t.Fatal(err)
	}
	material := keys.Key[0].KeyData.Value
	if len(material) < 40 {
		t.Fatalf("the key in the file has only %d characters", len(material))
	}
	shown := fmt.Sprintf("%v %+v %s %v", ring, ring, opened, must(ring.Marshal()))
	for what, secret := range map[string]string{"the key": material, "the seed": string(seed)} {
		if strings.Contains(shown, secret) {
			t.Errorf("%s shows", what)
		}
	}
}

func TestKeyringConcurrently(t *testing.T) {
	ring := must(seal.Generate())
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			place := fmt.Sprintf("token/%d", i)
			for range 100 {
				if got, err := ring.Open(must(ring.Seal(seed, place)), place); err != nil || !bytes.Equal(got, seed) {
					t.Errorf("%s: %v", place, err)
				}
			}
		})
	}
	wg.Wait()
}

// BenchmarkOpen measures what one login pays. Bound: a verification has about a millisecond.
func BenchmarkOpen(b *testing.B) {
	ring := must(must(seal.Generate()).Rotate())
	sealed := must(ring.Seal(seed, "token/A-1"))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ring.Open(sealed, "token/A-1"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSeal(b *testing.B) {
	ring := must(seal.Generate())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ring.Seal(seed, "token/A-1"); err != nil {
			b.Fatal(err)
		}
	}
}
