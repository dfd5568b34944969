package pskc

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"hash"
	"strconv"
	"strings"
)

// Limits on what a file may ask of the key derivation: PBKDF2 with this count takes about a second.
const (
	maxIterations = 5_000_000
	maxSalt       = 1024
)

const (
	pbkdf2PKCS5  = "http://www.rsasecurity.com/rsalabs/pkcs/schemas/pkcs-5v2-0#pbkdf2"
	pbkdf2XMLEnc = "http://www.w3.org/2009/xmlenc11#pbkdf2"
)

// protection opens the encrypted values of a container (RFC 6030 section 6). What concerns the keys that all
// values share fails for the whole file.
type protection struct {
	options Options
	key     *xmlEncryptionKey
	mac     *xmlMACMethod
	derived []byte // of the passphrase
	macKey  []byte
}

// decrypt checks the MAC of a value and then decrypts it.
func (p *protection) decrypt(v *xmlEncrypted, mac *string, name string) ([]byte, *Error) {
	method, err := methodOf(v)
	if err != nil {
		return nil, err
	}
	ciphertext, err := decodeBase64(v.CipherValue, name)
	if err != nil {
		return nil, err
	}
	key, err := p.encryptionKey(method.keySize)
	if err != nil {
		return nil, err
	}
	if mac != nil || !method.authentic {
		if err := p.authenticate(ciphertext, mac, name); err != nil {
			return nil, err
		}
	}
	plain, ok := method.open(key, ciphertext)
	switch {
	case ok:
		return plain, nil
	case method.authentic:
		return nil, wrong(ErrMAC, "the %s was altered, or the key is wrong", name)
	default:
		return nil, wrong(ErrKey, "the %s does not open with this key", name)
	}
}

// authenticate checks the MAC over a ciphertext with its initialization vector (RFC 6030 section 6.1.1).
func (p *protection) authenticate(ciphertext []byte, mac *string, name string) *Error {
	if mac == nil {
		return wrong(ErrMAC, "the %s has no MAC", name)
	}
	want, err := decodeBase64(*mac, "MAC of the "+name)
	if err != nil {
		return err
	}
	if p.mac == nil {
		return fatal(ErrMAC, "no MAC method is stated")
	}
	newHash := hmacHash(p.mac.Algorithm)
	if newHash == nil {
		return fatal(ErrUnsupported, "a MAC method that is not HMAC with SHA-1 or SHA-2")
	}
	key, err := p.authenticationKey()
	if err != nil {
		return err
	}
	h := hmac.New(newHash, key)
	h.Write(ciphertext)
	if !hmac.Equal(h.Sum(nil), want) {
		return wrong(ErrMAC, "the %s was altered, or the key is wrong", name)
	}
	return nil
}

// authenticationKey is the MAC key, decrypted, or the encryption key itself where the file names no other.
func (p *protection) authenticationKey() ([]byte, *Error) {
	if p.macKey != nil {
		return p.macKey, nil
	}
	if p.mac.Reference != nil {
		return nil, fatal(ErrUnsupported, "the MAC key is named, not contained")
	}
	if p.mac.Key == nil {
		if p.derived != nil {
			return p.derived, nil
		}
		return p.options.PreSharedKey, nil
	}
	method, err := methodOf(p.mac.Key)
	if err != nil {
		return nil, fatal(err.Kind, "the MAC key: %s", err.Detail)
	}
	ciphertext, err := decodeBase64(p.mac.Key.CipherValue, "MAC key")
	if err != nil {
		return nil, fatal(err.Kind, "%s", err.Detail)
	}
	key, err := p.encryptionKey(method.keySize)
	if err != nil {
		return nil, err
	}
	plain, ok := method.open(key, ciphertext)
	if !ok || len(plain) == 0 {
		return nil, fatal(ErrKey, "the MAC key does not open with this key")
	}
	p.macKey = plain
	return plain, nil
}

// encryptionKey is the key that all values of the container are encrypted under, of the size in bytes that the
// method of one of them demands.
func (p *protection) encryptionKey(size int) ([]byte, *Error) {
	if k := p.key; k != nil {
		if k.Certificate != nil || k.KeyValue != nil || k.EncryptedKey != nil {
			return nil, fatal(ErrUnsupported, "encryption under an asymmetric or a carried key")
		}
		if k.DerivedKey != nil {
			return p.deriveKey(size)
		}
	}
	if len(p.options.PreSharedKey) == 0 {
		return nil, fatal(ErrKey, "a pre-shared key is needed")
	}
	if len(p.options.PreSharedKey) != size {
		return nil, fatal(ErrKey, "the pre-shared key has %d bytes, the file demands %d", len(p.options.PreSharedKey), size)
	}
	return p.options.PreSharedKey, nil
}

// deriveKey is PBKDF2 of the passphrase (RFC 6030 section 6.2, RFC 8018 section 5.2).
func (p *protection) deriveKey(size int) ([]byte, *Error) {
	method := p.key.DerivedKey.Method
	if len(p.options.Passphrase) == 0 {
		return nil, fatal(ErrKey, "a passphrase is needed")
	}
	if method.Algorithm != pbkdf2PKCS5 && method.Algorithm != pbkdf2XMLEnc {
		return nil, fatal(ErrUnsupported, "a key derivation that is not PBKDF2")
	}
	if method.Params == nil {
		return nil, fatal(ErrMalformed, "the key derivation has no parameters")
	}
	if length := strings.TrimSpace(method.Params.KeyLength); length != "" && length != strconv.Itoa(size) {
		return nil, fatal(ErrMalformed, "the derived key is not of the length that the encryption demands")
	}
	if len(p.derived) == size {
		return p.derived, nil
	}
	salt, err := decodeBase64(method.Params.Salt, "salt")
	if err != nil || len(salt) == 0 || len(salt) > maxSalt {
		return nil, fatal(ErrMalformed, "the key derivation has no usable salt")
	}
	iterations, fault := strconv.Atoi(strings.TrimSpace(method.Params.Iterations))
	if fault != nil || iterations < 1 {
		return nil, fatal(ErrMalformed, "the key derivation has no usable iteration count")
	}
	if iterations > maxIterations {
		return nil, fatal(ErrTooLarge, "the key derivation asks for more than %d iterations", maxIterations)
	}
	prf := method.Params.PRF.Algorithm
	if prf == "" {
		prf = "#hmac-sha1" // the default of RFC 8018 appendix A.2
	}
	newHash := hmacHash(prf)
	if newHash == nil {
		return nil, fatal(ErrUnsupported, "a key derivation that is not on HMAC with SHA-1 or SHA-2")
	}
	if p.derived, fault = pbkdf2.Key(newHash, string(p.options.Passphrase), salt, iterations, size); fault != nil {
		return nil, fatal(ErrUnsupported, "the key derivation is not allowed here")
	}
	return p.derived, nil
}

// hmacHash is the hash of an HMAC that is named by URI, of XML Signature (RFC 6931) or another; nil if unknown.
func hmacHash(uri string) func() hash.Hash {
	switch uri[strings.LastIndexByte(uri, '#')+1:] {
	case "hmac-sha1":
		return sha1.New
	case "hmac-sha224":
		return sha256.New224
	case "hmac-sha256":
		return sha256.New
	case "hmac-sha384":
		return sha512.New384
	case "hmac-sha512":
		return sha512.New
	}
	return nil
}
