package store

import (
	"crypto/rand"
	"crypto/sha256"

	"tokendesk/models"
)

// Opener decrypts what is sealed at rest, bound to the place it is kept in: a token's seed under
// models.TokenSeedContext (SEC-2).
type Opener interface {
	Open(ciphertext []byte, associated string) (models.SecretBytes, error)
}

// Prefixes of the secrets that callers hold. They tell a scanner of leaked secrets, and a person, what was found.
const (
	sessionPrefix = "tds_"
	apiKeyPrefix  = "tdk_"
)

// newSecret makes a secret of 256 random bits behind its prefix.
func newSecret(prefix string) models.Secret {
	var b [32]byte
	rand.Read(b[:]) // never fails: it ends the program instead
	return models.Secret(prefix + crockford.EncodeToString(b[:]))
}

// hashSecret is what is kept of a secret made by newSecret. A plain hash is enough for 256 random bits.
func hashSecret(s models.Secret) []byte {
	sum := sha256.Sum256([]byte(s.Reveal()))
	return sum[:]
}
