// Package password hashes and checks passwords with Argon2id (RFC 9106) in the PHC string format.
package password

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"

	"golang.org/x/crypto/argon2"

	"tokendesk/models"
)

// Params are the costs of one hash.
type Params struct {
	Memory  uint32 // KiB
	Time    uint32 // passes over the memory
	Threads uint8  // lanes
}

// Baseline is the minimum that the OWASP Password Storage Cheat Sheet recommends for Argon2id: 19 MiB, two
// passes, one lane. It takes about 20 ms of one core.
var Baseline = Params{Memory: 19 * 1024, Time: 2, Threads: 1}

const (
	saltSize = 16
	keySize  = 32
	// maxLength bounds what is hashed, in bytes. NIST SP 800-63B asks for at least 64 characters.
	maxLength = 1024
)

// Most that a stored hash may ask for: a row that was tampered with must not exhaust the machine.
var ceiling = Params{Memory: 256 * 1024, Time: 16, Threads: 8}

// ErrTooLong says that the password has more than 1,024 bytes.
var ErrTooLong = errors.New("password: too long")

// Hasher hashes and checks passwords. At most a fixed number of hashes are computed at once and the others wait,
// so that a flood of logins costs time, not memory.
type Hasher struct {
	params Params
	slots  chan struct{}
	dummy  func() string
}

// New makes a hasher that computes at most concurrent hashes at once; memory is bounded by concurrent × params.Memory.
func New(params Params, concurrent int) *Hasher {
	h := &Hasher{params: params, slots: make(chan struct{}, max(concurrent, 1))}
	h.dummy = sync.OnceValue(func() string {
		encoded, err := h.Hash(models.Secret(rand.Text()))
		if err != nil {
			panic(err) // a random text is never too long
		}
		return encoded
	})
	return h
}

// Hash returns the password's hash as a PHC string with a fresh salt, for example
// "$argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>". Error: ErrTooLong.
func (h *Hasher) Hash(password models.Secret) (string, error) {
	if len(password) > maxLength {
		return "", ErrTooLong
	}
	salt := make([]byte, saltSize)
	rand.Read(salt) // never fails, see its documentation
	return encode(h.params, salt, h.derive(password, salt, h.params, keySize)), nil
}

// Verify reports whether the password is the one that was hashed, and whether it should be hashed anew because
// the costs have changed since. It is false for a hash that is malformed or empty, at the same cost.
func (h *Hasher) Verify(encoded string, password models.Secret) (ok, rehash bool) {
	stored, valid := decode(encoded)
	if !valid || len(password) > maxLength {
		h.VerifyNobody(password)
		return false, false
	}
	key := h.derive(password, stored.salt, stored.params, len(stored.key))
	ok = subtle.ConstantTimeCompare(key, stored.key) == 1
	return ok, ok && (stored.params != h.params || len(stored.salt) != saltSize || len(stored.key) != keySize)
}

// VerifyNobody costs what Verify costs. It is called for a user id that does not exist, so that the answer's time
// does not tell strangers who has an account (ACC-1).
func (h *Hasher) VerifyNobody(password models.Secret) {
	stored, _ := decode(h.dummy())
	if len(password) > maxLength {
		password = password[:maxLength]
	}
	key := h.derive(password, stored.salt, stored.params, len(stored.key))
	subtle.ConstantTimeCompare(key, stored.key)
}

func (h *Hasher) derive(password models.Secret, salt []byte, p Params, size int) []byte {
	h.slots <- struct{}{}
	defer func() { <-h.slots }()
	return argon2.IDKey([]byte(password.Reveal()), salt, p.Time, p.Memory, p.Threads, uint32(size))
}

type phc struct {
	params    Params
	salt, key []byte
}

func encode(p Params, salt, key []byte) string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.Memory, p.Time, p.Threads,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(key))
}

func decode(encoded string) (phc, bool) {
	parts := strings.Split(encoded, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return phc{}, false
	}
	var p Params
	if n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.Memory, &p.Time, &p.Threads); n != 3 || err != nil {
		return phc{}, false
	}
	salt, saltErr := base64.RawStdEncoding.DecodeString(parts[4])
	key, keyErr := base64.RawStdEncoding.DecodeString(parts[5])
	out := phc{params: p, salt: salt, key: key}
	if saltErr != nil || keyErr != nil || len(salt) < 8 || len(key) < 16 || len(key) > 64 || !p.within(ceiling) {
		return phc{}, false
	}
	return out, encode(p, salt, key) == encoded // one spelling only
}

func (p Params) within(limit Params) bool {
	return p.Memory >= 8*uint32(p.Threads) && p.Memory <= limit.Memory &&
		p.Time >= 1 && p.Time <= limit.Time && p.Threads >= 1 && p.Threads <= limit.Threads
}
