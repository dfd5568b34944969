package otp

import (
	"crypto/hmac"
	"crypto/sha1" // RFC 4226 is built on HMAC-SHA-1, which the attacks on SHA-1 do not reach
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"hash"
	"strconv"
	"strings"
)

// Code is the code at a counter (HOTP) or time step (TOTP), with its leading zeros (RFC 4226 section 5.3).
// The parameters must have been validated.
func Code(seed []byte, p Parameters, counter int64) string {
	digits := strconv.FormatUint(uint64(newGenerator(seed, p).value(counter)), 10)
	return strings.Repeat("0", max(0, p.Digits-len(digits))) + digits
}

// generator computes the codes of one seed. It keys the HMAC once for a whole window, and a window allocates no
// more than a single code does. That is why it does not call github.com/pquerna/otp, which decodes a base32 seed
// and keys a new HMAC for every code; the tests hold the two against each other.
type generator struct {
	mac     hash.Hash
	modulus uint32
	message [8]byte
	sum     [sha512.Size]byte
}

func newGenerator(seed []byte, p Parameters) *generator {
	g := &generator{mac: hmac.New(newHash(p.Algorithm), seed), modulus: 1}
	for range p.Digits {
		g.modulus *= 10
	}
	return g
}

func newHash(a Algorithm) func() hash.Hash {
	switch a {
	case SHA256:
		return sha256.New
	case SHA512:
		return sha512.New
	default:
		return sha1.New
	}
}

// value is HOTP(seed, counter) as a number (RFC 4226 sections 5.3 and 5.4).
func (g *generator) value(counter int64) uint32 {
	binary.BigEndian.PutUint64(g.message[:], uint64(counter))
	g.mac.Reset()
	g.mac.Write(g.message[:])
	sum := g.mac.Sum(g.sum[:0])
	offset := sum[len(sum)-1] & 0xf
	return binary.BigEndian.Uint32(sum[offset:]) & 0x7fffffff % g.modulus
}
