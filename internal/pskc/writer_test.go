package pskc

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func drawKey(t *rapid.T, position int) Key {
	text := rapid.StringMatching(`([A-Za-zäß&<>"' ]{0,10}[A-Za-z<&0-9])?`)
	k := Key{
		Position: position, Serial: rapid.StringMatching(`[A-Z0-9<&"]{1,12}`).Draw(t, "serial"),
		Manufacturer: strings.TrimSpace(text.Draw(t, "manufacturer")), Model: strings.TrimSpace(text.Draw(t, "model")),
		Issuer: strings.TrimSpace(text.Draw(t, "issuer")), UserID: strings.TrimSpace(text.Draw(t, "user")),
		Algorithm: rapid.SampledFrom([]Algorithm{HOTP, TOTP}).Draw(t, "algorithm"),
		Hash:      rapid.SampledFrom([]Hash{SHA1, SHA256, SHA512}).Draw(t, "hash"),
		Digits:    rapid.SampledFrom([]int{0, 6, 8}).Draw(t, "digits"),
		Secret:    rapid.SliceOfN(rapid.Byte(), 1, 80).Draw(t, "secret"),
	}
	k.ID = k.Serial
	if rapid.Bool().Draw(t, "id") {
		k.ID = "id-" + k.Serial
	}
	if k.Algorithm == HOTP {
		k.Counter = rapid.Int64Min(0).Draw(t, "counter")
	} else {
		k.TimeInterval = time.Duration(rapid.IntRange(1, 3600).Draw(t, "interval")) * time.Second
		k.TimeDrift = rapid.Int64Range(-50, 50).Draw(t, "drift")
	}
	if rapid.Bool().Draw(t, "dates") {
		k.StartDate = time.Unix(rapid.Int64Range(0, 1<<32).Draw(t, "start"), 0).UTC()
		k.ExpiryDate = k.StartDate.AddDate(5, 0, 0)
	}
	return k
}

// SHP-4: what is written is read again, plain or under a key of any size, and opens under no other key.
func TestPropertyWriteThenRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.SampledFrom([]int{0, 16, 24, 32}).Draw(t, "key size")
		key := Secret(rapid.SliceOfN(rapid.Byte(), size, size).Draw(t, "key"))
		var want []Key
		var document bytes.Buffer
		w := NewWriter(&document, WriterOptions{PreSharedKey: key, KeyName: "<the key>"})
		for i := range rapid.IntRange(0, 4).Draw(t, "keys") {
			k := drawKey(t, i+1)
			want = append(want, k)
			if err := w.Write(k); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		got, errs := collect(bytes.NewReader(document.Bytes()), Options{PreSharedKey: key})
		if errs != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v, %v\nwant %+v\n%s", got, errs, want, document.Bytes())
		}
		if size == 0 || len(want) == 0 {
			return
		}
		for _, k := range want {
			if len(k.Secret) >= 8 && strings.Contains(document.String(), base64.StdEncoding.EncodeToString(k.Secret)) {
				t.Fatal("a secret stands in the plain")
			}
		}
		key[0] ^= 1
		if got, errs := collect(bytes.NewReader(document.Bytes()), Options{PreSharedKey: key}); len(got) != 0 || len(errs) == 0 {
			t.Fatalf("another key opens it: %+v", got)
		}
	})
}

func TestWriterRefuses(t *testing.T) {
	good := Key{Serial: "A1", Algorithm: HOTP, Digits: 6, Secret: Secret(rfcSecret)}
	for name, c := range map[string]struct {
		o    WriterOptions
		key  Key
		kind error
	}{
		"a key of 17 bytes": {WriterOptions{PreSharedKey: make(Secret, 17)}, good, ErrKey},
		"no algorithm":      {WriterOptions{}, Key{Serial: "A1", Secret: Secret(rfcSecret)}, ErrUnsupported},
		"no secret":         {WriterOptions{}, Key{Serial: "A1", Algorithm: HOTP}, ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := NewWriter(&b, c.o).Write(c.key); !errors.Is(err, c.kind) || b.Len() > 0 {
				t.Errorf("got %v and %q", err, b.String())
			}
		})
	}
	w := NewWriter(&bytes.Buffer{}, WriterOptions{})
	if err := errors.Join(w.Close(), w.Close()); err != nil {
		t.Error(err)
	}
	if err := w.Write(good); err == nil {
		t.Error("a key after the end was taken")
	}
}

// full fails after some bytes, like a disk.
type full int

func (f *full) Write(p []byte) (int, error) {
	if *f -= full(len(p)); *f < 0 {
		return 0, errors.New("the disk is full")
	}
	return len(p), nil
}

func TestWriterFails(t *testing.T) {
	f := full(5000)
	w := NewWriter(&f, WriterOptions{})
	for range 100 {
		_ = w.Write(Key{Serial: "A1", Algorithm: HOTP, Digits: 6, Secret: Secret(rfcSecret)})
	}
	if err := w.Close(); err == nil || err.Error() != "the disk is full" {
		t.Errorf("got %v", err)
	}
}

func ExampleWriter() {
	var document strings.Builder
	w := NewWriter(&document, WriterOptions{})
	_ = w.Write(Key{Serial: "987654321", Algorithm: TOTP, Hash: SHA256, Digits: 8, TimeInterval: time.Minute, Secret: Secret(rfcSecret)})
	_ = w.Close()
	for key, err := range Read(strings.NewReader(document.String()), Options{}) {
		fmt.Printf("%s %s %s %d %v %v %v\n", key.Serial, key.Algorithm, key.Hash, key.Digits, key.TimeInterval, key.Secret, err)
	}
	// Output: 987654321 totp SHA256 8 1m0s [redacted] <nil>
}

// A delivery of 1,000 encrypted keys.
func BenchmarkRead(b *testing.B) {
	key := preSharedKey(128)
	var document bytes.Buffer
	w := NewWriter(&document, WriterOptions{PreSharedKey: key})
	for i := range 1000 {
		if err := w.Write(Key{Serial: fmt.Sprint(i), Algorithm: HOTP, Digits: 6, Secret: Secret(rfcSecret)}); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(document.Len()))
	b.ReportAllocs()
	for b.Loop() {
		for _, err := range Read(bytes.NewReader(document.Bytes()), Options{PreSharedKey: key}) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}
