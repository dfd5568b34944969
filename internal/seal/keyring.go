// Package seal keeps secrets at rest (SEC-2, LIC-1): a Keyring encrypts them bound to the row they belong to, and
// a Signer vouches for audit checkpoints (SEC-3).
package seal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
	"github.com/tink-crypto/tink-go/v2/tink"

	"tokendesk/models"
)

// What can be wrong with a ciphertext. Neither error tells anything about key or content.
var (
	// ErrUnknownKey says that the keyring does not hold the key the ciphertext names, or that it is no ciphertext.
	ErrUnknownKey = errors.New("seal: no key of this keyring")
	// ErrNotAuthentic says that the ciphertext was changed, or stands in another place than it was sealed for.
	ErrNotAuthentic = errors.New("seal: not authentic here")
	// ErrNoPlace says that the associated data is empty: every ciphertext is bound to the place it is kept in.
	ErrNoPlace = errors.New("seal: associated data is missing")
)

// prefixSize is Tink's output prefix: a version byte, then the key id, big endian.
const (
	prefixSize    = 5
	prefixVersion = 1
)

// Keyring is a set of AES-256-GCM keys (NIST SP 800-38D), of which the primary seals and all open. It does not
// change after it was made and may be used from many goroutines.
//
// Nonces are random, so one key is good for 2^32 ciphertexts (SP 800-38D, 8.3): rotate long before.
type Keyring struct {
	handle  *keyset.Handle
	aead    tink.AEAD // built once: building a primitive costs more than opening a seed
	primary uint32
	ids     []uint32
}

// Generate makes a keyring of one fresh key.
func Generate() (*Keyring, error) {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("seal: generating a key: %w", err)
	}
	return fromHandle(handle)
}

// Parse reads a keyring from a Tink keyset in JSON, as Marshal and the tinkey tool write it. Every key must be
// an AEAD key whose ciphertexts carry Tink's prefix.
func Parse(keysetJSON models.SecretBytes) (*Keyring, error) {
	handle, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(keysetJSON.Reveal())))
	if err != nil {
		return nil, errors.New("seal: the keyring is not a Tink keyset in JSON") // the cause may quote key material
	}
	return fromHandle(handle)
}

func fromHandle(handle *keyset.Handle) (*Keyring, error) {
	primitive, err := aead.New(handle)
	if err != nil {
		return nil, fmt.Errorf("seal: building the keyring: %w", err)
	}
	info := handle.KeysetInfo()
	k := &Keyring{handle: handle, aead: primitive, primary: info.GetPrimaryKeyId()}
	for _, key := range info.GetKeyInfo() {
		if key.GetStatus() != tinkpb.KeyStatusType_ENABLED {
			continue
		}
		if key.GetOutputPrefixType() != tinkpb.OutputPrefixType_TINK {
			return nil, fmt.Errorf("seal: key %d has no Tink prefix: its ciphertexts would not name it", key.GetKeyId())
		}
		k.ids = append(k.ids, key.GetKeyId())
	}
	return k, nil
}

// Marshal returns the keyring as a Tink keyset in JSON, key material included. It belongs in a secret store.
func (k *Keyring) Marshal() (models.SecretBytes, error) {
	var out bytes.Buffer
	if err := insecurecleartextkeyset.Write(k.handle, keyset.NewJSONWriter(&out)); err != nil {
		return nil, fmt.Errorf("seal: writing the keyring: %w", err)
	}
	return out.Bytes(), nil
}

// Seal encrypts plaintext under the primary key and binds it to associated, the name of the place it is kept in,
// for example "token/<serial>". The result is 33 bytes longer than the plaintext.
func (k *Keyring) Seal(plaintext models.SecretBytes, associated string) ([]byte, error) {
	if associated == "" {
		return nil, ErrNoPlace
	}
	sealed, err := k.aead.Encrypt(plaintext.Reveal(), []byte(associated))
	if err != nil {
		return nil, fmt.Errorf("seal: sealing: %w", err)
	}
	return sealed, nil
}

// Open decrypts what Seal made for the same place. Errors: ErrUnknownKey, ErrNotAuthentic, ErrNoPlace.
func (k *Keyring) Open(ciphertext []byte, associated string) (models.SecretBytes, error) {
	if associated == "" {
		return nil, ErrNoPlace
	}
	if !slices.Contains(k.ids, KeyID(ciphertext)) {
		return nil, ErrUnknownKey
	}
	plaintext, err := k.aead.Decrypt(ciphertext, []byte(associated))
	if err != nil {
		return nil, ErrNotAuthentic
	}
	return plaintext, nil
}

// Reseal brings a ciphertext under the primary key. It returns the ciphertext itself and false where it is there
// already. A job that does this over all rows makes the old keys ready for Without.
func (k *Keyring) Reseal(ciphertext []byte, associated string) (resealed []byte, changed bool, err error) {
	if KeyID(ciphertext) == k.primary {
		return ciphertext, false, nil
	}
	plaintext, err := k.Open(ciphertext, associated)
	if err != nil {
		return nil, false, err
	}
	resealed, err = k.Seal(plaintext, associated)
	return resealed, err == nil, err
}

// Primary is the id of the key that seals.
func (k *Keyring) Primary() uint32 { return k.primary }

// KeyIDs are the ids of all keys that open.
func (k *Keyring) KeyIDs() []uint32 { return slices.Clone(k.ids) }

// KeyID is the id of the key that sealed the ciphertext; 0, which no key has, where it is no ciphertext.
func KeyID(ciphertext []byte) uint32 {
	if len(ciphertext) < prefixSize || ciphertext[0] != prefixVersion {
		return 0
	}
	return binary.BigEndian.Uint32(ciphertext[1:prefixSize])
}

// Prefix is what every ciphertext under a key begins with, so that a query can find those under old keys:
// substring(sealed for 5) <> the prefix of the primary key.
func Prefix(keyID uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte{prefixVersion}, keyID)
}

// Add returns a keyring with one more key, which opens but does not seal yet, and its id. Where several processes
// run, a new key is distributed to all of them with Add before Promote puts it into use: a process with the
// older keyring cannot open what the newer key sealed.
func (k *Keyring) Add() (*Keyring, uint32, error) {
	manager := keyset.NewManagerFromHandle(k.handle)
	id, err := manager.Add(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, 0, fmt.Errorf("seal: adding a key: %w", err)
	}
	ring, err := k.with(manager, nil)
	return ring, id, err
}

// Promote returns a keyring in which the named key is the primary one. The older keys still open.
func (k *Keyring) Promote(keyID uint32) (*Keyring, error) {
	manager := keyset.NewManagerFromHandle(k.handle)
	return k.with(manager, manager.SetPrimary(keyID))
}

// Rotate is Add and Promote in one, for a single process.
func (k *Keyring) Rotate() (*Keyring, error) {
	ring, id, err := k.Add()
	if err != nil {
		return nil, err
	}
	return ring.Promote(id)
}

// Without returns a keyring that has forgotten a key; what is still sealed under it is lost. The primary key
// cannot be forgotten.
func (k *Keyring) Without(keyID uint32) (*Keyring, error) {
	manager := keyset.NewManagerFromHandle(k.handle)
	return k.with(manager, manager.Delete(keyID))
}

func (*Keyring) with(manager *keyset.Manager, err error) (*Keyring, error) {
	if err != nil {
		return nil, fmt.Errorf("seal: changing the keyring: %w", err)
	}
	handle, err := manager.Handle()
	if err != nil {
		return nil, fmt.Errorf("seal: changing the keyring: %w", err)
	}
	return fromHandle(handle)
}
