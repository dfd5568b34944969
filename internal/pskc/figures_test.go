package pskc

import (
	"encoding/hex"
	"errors"
	"io"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
)

const rfcSecret = "12345678901234567890"

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// collect reads a document whole.
func collect(document io.Reader, o Options) (keys []Key, errs []error) {
	for key, err := range Read(document, o) {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		keys = append(keys, key)
	}
	return keys, errs
}

// SHP-4: the figures of RFC 6030. 6 is encrypted under a pre-shared key, 7 under a passphrase.
func TestFigures(t *testing.T) {
	acme := Key{
		ID: "123456", Serial: "987654321", Manufacturer: "TokenVendorAcme", Issuer: "Example-Issuer",
		Algorithm: HOTP, Hash: SHA1, Digits: 8, Secret: Secret(rfcSecret),
	}
	plain := acme
	plain.ID, plain.Manufacturer, plain.Issuer = "12345678", "Manufacturer", "Issuer"
	withUser := plain
	withUser.UserID = "UID=jsmith,DC=example-bank,DC=net"
	signed := acme
	signed.ID, signed.Serial, signed.Digits = "123", "0755225266", 6
	bulk := func(id, serial string, month time.Month, days int) Key {
		k := acme
		k.ID, k.Serial, k.Issuer = id, serial, "Issuer"
		k.StartDate = time.Date(2006, month, 1, 0, 0, 0, 0, time.UTC)
		k.ExpiryDate = time.Date(2006, month, days, 0, 0, 0, 0, time.UTC)
		return k
	}
	for _, c := range []struct {
		figure string
		o      Options
		want   []Key
	}{
		{"2", Options{}, []Key{{ID: "12345678", Issuer: "Issuer-A", Algorithm: HOTP, Hash: SHA1, Secret: Secret("1234")}}},
		{"3", Options{}, []Key{withUser}},
		{"5", Options{}, []Key{plain}}, // its PIN is no token
		{"6", Options{PreSharedKey: unhex(t, "12345678901234567890123456789012")}, []Key{plain}},
		{"7", Options{Passphrase: Secret("qwerty")}, []Key{acme}},
		{"9", Options{}, []Key{signed}},
		{"10", Options{}, []Key{bulk("1", "654321", 5, 31), bulk("2", "123456", 5, 31), bulk("3", "9999999", 3, 31), bulk("4", "9999999", 4, 30)}},
	} {
		t.Run(c.figure, func(t *testing.T) {
			keys, errs := collect(figure(t, c.figure), c.o)
			if errs != nil {
				t.Fatal(errs)
			}
			for i := range c.want {
				c.want[i].Position = i + 1
			}
			if !reflect.DeepEqual(keys, c.want) {
				t.Errorf("got  %+v\nwant %+v", keys, c.want)
			}
		})
	}
}

// SHP-4: what of the RFC's figures is refused, and wrong keys.
func TestFiguresRefused(t *testing.T) {
	for _, c := range []struct {
		name, figure string
		o            Options
		kind         error
		says         string
		fatal        bool
	}{
		{"a key by reference", "4", Options{}, ErrUnsupported, `key 1 (serial "987654321"): not supported: the secret is named`, false},
		{"an asymmetric key", "8", Options{}, ErrUnsupported, "not AES", false},
		{"no pre-shared key", "6", Options{}, ErrKey, "a pre-shared key is needed", true},
		{"a passphrase for a pre-shared key", "6", Options{Passphrase: Secret("qwerty")}, ErrKey, "a pre-shared key is needed", true},
		{"a pre-shared key too long", "6", Options{PreSharedKey: make(Secret, 32)}, ErrKey, "has 32 bytes, the file demands 16", true},
		{"a wrong pre-shared key", "6", Options{PreSharedKey: make(Secret, 16)}, ErrKey, "the MAC key does not open", true},
		{"no passphrase", "7", Options{}, ErrKey, "a passphrase is needed", true},
		{"a wrong passphrase", "7", Options{Passphrase: Secret("qwertz")}, ErrKey, "the MAC key does not open", true},
		{"plain, though there is a key", "3", Options{PreSharedKey: make(Secret, 16)}, ErrMAC, "not encrypted", false},
		{"plain, though there is a passphrase", "3", Options{Passphrase: Secret("x")}, ErrMAC, "not encrypted", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			keys, errs := collect(figure(t, c.figure), c.o)
			checkError(t, keys, errs, c.kind, c.says, c.fatal)
		})
	}
}

func figure(t testing.TB, number string) io.Reader {
	t.Helper()
	b, err := os.ReadFile("testdata/rfc6030/figure" + number + ".xml")
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReader(string(b))
}

// checkError expects no key and one error.
func checkError(t *testing.T, keys []Key, errs []error, kind error, says string, fatal bool) {
	t.Helper()
	if len(keys) != 0 || len(errs) != 1 {
		t.Fatalf("got %d keys and %v, want one error", len(keys), errs)
	}
	e, ok := errors.AsType[*Error](errs[0])
	if !ok {
		t.Fatalf("got %v, which is no *Error", errs[0])
	}
	if !errors.Is(errs[0], kind) || !strings.Contains(e.Error(), says) || e.Fatal != fatal {
		t.Errorf("got %v (fatal %v), want %v with %q (fatal %v)", e, e.Fatal, kind, says, fatal)
	}
	if e.Fatal == (e.Position > 0) {
		t.Errorf("fatal %v at position %d", e.Fatal, e.Position)
	}
}
