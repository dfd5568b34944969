package seal

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"tokendesk/models"
)

// What can be wrong with a signature.
var (
	// ErrUnknownSigner says that no public key has the id that the signature names.
	ErrUnknownSigner = errors.New("seal: the signing key is not known")
	// ErrBadSignature says that the message is not the one that was signed.
	ErrBadSignature = errors.New("seal: the signature does not fit")
)

// Signature is an Ed25519 signature (RFC 8032, pure) and the id of the key that made it.
type Signature struct {
	KeyID string `json:"key_id"`
	Value []byte `json:"value"`
}

// Verifier checks signatures with public keys alone, so that an auditor needs no secret. It does not change
// after it was made.
type Verifier struct {
	keys map[string]ed25519.PublicKey // by PublicKeyID
}

// NewVerifier makes a verifier of the given public keys.
func NewVerifier(keys ...ed25519.PublicKey) (*Verifier, error) {
	v := &Verifier{keys: make(map[string]ed25519.PublicKey, len(keys))}
	for _, key := range keys {
		if len(key) != ed25519.PublicKeySize {
			return nil, fmt.Errorf("seal: a public key has %d bytes, not %d", len(key), ed25519.PublicKeySize)
		}
		v.keys[PublicKeyID(key)] = key
	}
	return v, nil
}

// PublicKeyID names a public key by its own content: the first 8 bytes of its SHA-256, in hex.
func PublicKeyID(key ed25519.PublicKey) string {
	sum := sha256.Sum256(key)
	return hex.EncodeToString(sum[:8])
}

// Verify checks that the message is the one that was signed. Errors: ErrUnknownSigner, ErrBadSignature.
func (v *Verifier) Verify(message []byte, signature Signature) error {
	key, known := v.keys[signature.KeyID]
	if !known {
		return ErrUnknownSigner
	}
	if !ed25519.Verify(key, message, signature.Value) {
		return ErrBadSignature
	}
	return nil
}

// PublicKeys are the keys it verifies with, in the order of their ids, for publication.
func (v *Verifier) PublicKeys() []ed25519.PublicKey {
	out := make([]ed25519.PublicKey, 0, len(v.keys))
	for _, id := range slices.Sorted(maps.Keys(v.keys)) {
		out = append(out, v.keys[id])
	}
	return out
}

// Signer signs audit checkpoints (SEC-3), and verifies what it or its predecessors signed.
type Signer struct {
	*Verifier
	id      string
	private ed25519.PrivateKey
}

// signerFile is how a signer is kept: the seed of the private key, and the public keys of its predecessors.
type signerFile struct {
	Seed   []byte   `json:"ed25519_seed"`
	Former [][]byte `json:"former_public_keys,omitempty"`
}

// GenerateSigner makes a signer with a fresh key.
func GenerateSigner() (*Signer, error) { return generateSigner() }

func generateSigner(former ...ed25519.PublicKey) (*Signer, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("seal: generating a signing key: %w", err)
	}
	return newSigner(private, former)
}

func newSigner(private ed25519.PrivateKey, former []ed25519.PublicKey) (*Signer, error) {
	public := private.Public().(ed25519.PublicKey)
	verifier, err := NewVerifier(append(slices.Clone(former), public)...)
	if err != nil {
		return nil, err
	}
	return &Signer{Verifier: verifier, id: PublicKeyID(public), private: private}, nil
}

// ParseSigner reads what Marshal wrote.
func ParseSigner(raw models.SecretBytes) (*Signer, error) {
	var file signerFile
	if err := json.Unmarshal(raw.Reveal(), &file); err != nil || len(file.Seed) != ed25519.SeedSize {
		return nil, errors.New("seal: the signing key file is not valid") // the cause may quote key material
	}
	former := make([]ed25519.PublicKey, 0, len(file.Former))
	for _, key := range file.Former {
		former = append(former, key)
	}
	return newSigner(ed25519.NewKeyFromSeed(file.Seed), former)
}

// Marshal returns the signer as JSON, private key included. It belongs in a secret store.
func (s *Signer) Marshal() (models.SecretBytes, error) {
	file := signerFile{Seed: s.private.Seed()}
	for _, key := range s.PublicKeys() {
		if PublicKeyID(key) != s.id {
			file.Former = append(file.Former, key)
		}
	}
	raw, err := json.MarshalIndent(file, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("seal: writing the signing key: %w", err)
	}
	return append(raw, '\n'), nil
}

// Sign signs the message. The message should say what it is (its kind and version), so that a signature made for
// one purpose serves no other.
func (s *Signer) Sign(message []byte) Signature {
	return Signature{KeyID: s.id, Value: ed25519.Sign(s.private, message)}
}

// KeyID names the key that signs.
func (s *Signer) KeyID() string { return s.id }

// Rotate returns a signer with a fresh key that still verifies what this one and its predecessors signed.
func (s *Signer) Rotate() (*Signer, error) { return generateSigner(s.PublicKeys()...) }
