// Package keycode makes and reads secret codes for people: license keys (LIC-1) and activation codes (PRF-9). They
// are unguessable, can be read aloud, and end in a check character, so that a slip of the finger is told from a
// wrong code before anything is looked up or counted.
//
// A code is groups of five joined by hyphens, such as 7KQ2M-…-W4ZPC. It is stored as its Hash and its Last4 only.
package keycode

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"tokendesk/models"
)

// alphabet has 32 characters, five bits each; 0, O, 1 and I are left out, because they are mistaken for each other.
const alphabet = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"

const (
	bitsPerCharacter = 5
	groupSize        = 5

	// MinBits is the least randomness of a code: that of an activation code (PRF-9).
	MinBits = 64
	// LicenseKeyBits is the least randomness of a license key (LIC-1). It makes codes of four groups.
	LicenseKeyBits = 80

	minLength = 15 // characters of MinBits and the check character, in full groups
	maxLength = 30 // the check character finds every swap within 31 characters
	maxBits   = (maxLength - 1) * bitsPerCharacter
)

// What can be wrong with a typed code, before anybody looks it up.
var (
	ErrMalformed = errors.New("keycode: not in the form of a code")    // wrong length, or characters that no code has
	ErrCheck     = errors.New("keycode: the check character is wrong") // mistyped
)

// New makes a code with at least that many random bits, from MinBits up, in canonical form. Groups are filled with
// further random characters: 64 bits make three groups with 70, 80 bits make four groups with 95.
func New(bits int) (models.Secret, error) {
	if bits < MinBits || bits > maxBits {
		return "", fmt.Errorf("keycode: a code of %d bits is not supported, only %d to %d", bits, MinBits, maxBits)
	}
	length := (bits+bitsPerCharacter-1)/bitsPerCharacter + 1
	length = (length + groupSize - 1) / groupSize * groupSize
	values := make([]byte, length)
	rand.Read(values[:length-1]) // never fails: it ends the program instead
	for i := range values {
		values[i] &= 1<<bitsPerCharacter - 1 // 256 is a multiple of 32, so every character stays equally likely
	}
	values[length-1] = checkValue(values[:length-1])
	return format(values), nil
}

// Parse reads a code as people type it: in either case, with or without hyphens, with blanks. It returns the
// canonical form, or ErrMalformed or ErrCheck. That a code parses does not mean that it was ever issued.
func Parse(s string) (models.Secret, error) {
	values := make([]byte, 0, maxLength)
	for _, r := range s {
		if unicode.IsSpace(r) || unicode.Is(unicode.Dash, r) {
			continue // mail programs turn hyphens into dashes and blanks into other blanks
		}
		value := strings.IndexRune(alphabet, upper(r))
		if value < 0 || len(values) == maxLength {
			return "", ErrMalformed
		}
		values = append(values, byte(value))
	}
	if len(values) < minLength || len(values)%groupSize != 0 {
		return "", ErrMalformed
	}
	if last := len(values) - 1; values[last] != checkValue(values[:last]) {
		return "", ErrCheck
	}
	return format(values), nil
}

// upper is unicode.ToUpper for ASCII only: of the other letters, some have their upper case in the alphabet.
func upper(r rune) rune {
	if 'a' <= r && r <= 'z' {
		return r - 'a' + 'A'
	}
	return r
}

// Hash is what is stored of a code in canonical form. A plain hash is enough, without salt or stretching: a code
// has too many random bits for anybody to try them all, which a password has not. The prefix keeps these hashes
// apart from those of other secrets.
func Hash(canonical models.Secret) []byte {
	sum := sha256.Sum256([]byte("tokendesk keycode 1\x00" + canonical.Reveal()))
	return sum[:]
}

// Last4 is the end of a code in canonical form, by which people and support name it. It gives away 20 bits, the
// check character included: 75 remain of the four groups of a license key.
func Last4(canonical models.Secret) string {
	s := canonical.Reveal()
	return s[max(0, len(s)-4):]
}

func format(values []byte) models.Secret {
	var b strings.Builder
	for i, value := range values {
		if i > 0 && i%groupSize == 0 {
			b.WriteByte('-')
		}
		b.WriteByte(alphabet[value])
	}
	return models.Secret(b.String())
}

// checkValue is Damm's scheme over the field of 32 elements: each step adds a character (xor) and multiplies by x.
// A code is right if going on over its check character ends in zero. Since x generates all 31 powers, the weights
// of any two characters of a code differ and none is zero, so every single wrong character, every swap of two
// characters and every doubled character doubled wrong ("AA" for "BB") is found, next to each other or not.
func checkValue(values []byte) byte {
	var sum byte
	for _, value := range values {
		sum = timesX(sum ^ value)
	}
	return sum
}

// timesX multiplies by x modulo x⁵ + x² + 1, a primitive polynomial.
func timesX(a byte) byte {
	a <<= 1
	if a&0x20 != 0 {
		a ^= 0x25
	}
	return a
}
