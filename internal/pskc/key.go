// Package pskc reads and writes Portable Symmetric Key Containers (RFC 6030), the files in which makers of
// one-time-password tokens deliver their seeds, and a plain CSV form of the same (SHP-4).
//
// Files are read as a stream, one key at a time, in memory that does not grow with the file. Keys may be plain, or
// encrypted under a pre-shared key or a passphrase (PBKDF2), with AES-CBC and a MAC, AES-GCM, or AES key wrap. MACs
// are always checked. Not supported, and refused as such: asymmetric keys (RFC 6030 section 6.3), algorithms other
// than HOTP and TOTP, keys that are named but not contained. XML signatures are passed over unchecked.
//
// The package depends on the standard library alone, so that it can be used outside this module; that is why it
// has a redacting Secret of its own.
package pskc

import (
	"fmt"
	"io"
	"log/slog"
	"time"
)

// Algorithm is the one-time-password algorithm that a key serves.
type Algorithm string

// The algorithms. Keys of RFC 6030's algorithm "pin" are passed over: they are companions of another key.
const (
	HOTP Algorithm = "hotp" // RFC 4226
	TOTP Algorithm = "totp" // RFC 6238
)

// Hash is the hash function under the HMAC of an algorithm.
type Hash string

// The hash functions.
const (
	SHA1   Hash = "SHA1"
	SHA256 Hash = "SHA256"
	SHA512 Hash = "SHA512"
)

// DefaultTimeInterval is taken for a TOTP key whose file states none (RFC 6238 section 5.2).
const DefaultTimeInterval = 30 * time.Second

// Key is one token's key and what the file says about it. What the file does not say is zero.
type Key struct {
	Position int // place in the file: of all keys of a container, or row of a CSV file under its header; from 1

	ID           string // of the key; some makers put the serial number here only
	Serial       string
	Manufacturer string
	Model        string
	Issuer       string
	UserID       string // personal data: of the key, or else of the device

	Algorithm    Algorithm
	Hash         Hash // SHA1 where the file states no suite
	Digits       int  // length of a code in decimal digits
	Secret       Secret
	Counter      int64         // HOTP: the next counter
	TimeInterval time.Duration // TOTP: length of a step
	TimeDrift    int64         // TOTP: steps by which the token's clock is ahead

	StartDate  time.Time // validity of the key, or else of the device
	ExpiryDate time.Time
}

// Secret is a seed, a key or a passphrase. It is not printed by any verb of fmt, by log/slog, nor in JSON or XML.
type Secret []byte

const redacted = "[redacted]"

// Format prints a placeholder, whatever the verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue is a placeholder.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText is a placeholder.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
