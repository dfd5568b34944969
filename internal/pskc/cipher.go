package pskc

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
)

const (
	xmlenc   = "http://www.w3.org/2001/04/xmlenc#"
	xmlenc11 = "http://www.w3.org/2009/xmlenc11#"
)

// encryptionMethod is a way to encrypt a value under a symmetric key.
type encryptionMethod struct {
	keySize   int  // bytes
	authentic bool // detects alteration by itself, so that no MAC is needed
	open      func(key, ciphertext []byte) (plain []byte, ok bool)
}

// encryptionMethods are those of XML Encryption that RFC 6030 section 6 names or allows, as far as they are AES.
// Key wrap with padding is there because a seed of 20 bytes fits into no other key wrap.
var encryptionMethods = map[string]encryptionMethod{
	xmlenc + "aes128-cbc":       {16, false, openCBC},
	xmlenc + "aes192-cbc":       {24, false, openCBC},
	xmlenc + "aes256-cbc":       {32, false, openCBC},
	xmlenc + "kw-aes128":        {16, true, unwrap},
	xmlenc + "kw-aes192":        {24, true, unwrap},
	xmlenc + "kw-aes256":        {32, true, unwrap},
	xmlenc11 + "kw-aes-128-pad": {16, true, unwrapPadded},
	xmlenc11 + "kw-aes-192-pad": {24, true, unwrapPadded},
	xmlenc11 + "kw-aes-256-pad": {32, true, unwrapPadded},
	xmlenc11 + "aes128-gcm":     {16, true, openGCM},
	xmlenc11 + "aes192-gcm":     {24, true, openGCM},
	xmlenc11 + "aes256-gcm":     {32, true, openGCM},
}

func methodOf(v *xmlEncrypted) (encryptionMethod, *Error) {
	method, ok := encryptionMethods[v.Method.Algorithm]
	switch {
	case ok:
		return method, nil
	case v.Method.Algorithm == "":
		return method, wrong(ErrMalformed, "no encryption method is stated")
	default:
		return method, wrong(ErrUnsupported, "an encryption method that is not AES in CBC, GCM or key wrap")
	}
}

// openCBC decrypts the initialization vector and ciphertext of XML Encryption section 5.2. Of the padding, only
// the last byte counts: the others are arbitrary by that specification.
func openCBC(key, ciphertext []byte) ([]byte, bool) {
	block, err := aes.NewCipher(key)
	if err != nil || len(ciphertext) < 2*aes.BlockSize || len(ciphertext)%aes.BlockSize != 0 {
		return nil, false
	}
	plain := make([]byte, len(ciphertext)-aes.BlockSize)
	cipher.NewCBCDecrypter(block, ciphertext[:aes.BlockSize]).CryptBlocks(plain, ciphertext[aes.BlockSize:])
	padding := int(plain[len(plain)-1])
	if padding < 1 || padding > aes.BlockSize {
		return nil, false
	}
	return plain[:len(plain)-padding], true
}

// openGCM decrypts nonce, ciphertext and tag of XML Encryption 1.1 section 5.2.4.
func openGCM(key, ciphertext []byte) ([]byte, bool) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, false
	}
	aead, err := cipher.NewGCMWithRandomNonce(block) // the nonce stands before the ciphertext
	if err != nil {
		return nil, false
	}
	plain, err := aead.Open(nil, nil, ciphertext, nil)
	return plain, err == nil
}

const semiblock = 8

// wrapIV is the initial value of key wrap (RFC 3394 section 2.2.3.1); wrapPaddedIV is the half of it that key wrap
// with padding has, before the length (RFC 5649 section 3).
const (
	wrapIV       = 0xa6a6a6a6a6a6a6a6
	wrapPaddedIV = 0xa65959a6
)

// unwrap is AES key unwrap (RFC 3394 section 2.2.2).
func unwrap(key, ciphertext []byte) ([]byte, bool) {
	block, err := aes.NewCipher(key)
	if err != nil || len(ciphertext) < 3*semiblock || len(ciphertext)%semiblock != 0 {
		return nil, false
	}
	iv, plain := unwrapBlocks(block, ciphertext)
	var want [semiblock]byte
	binary.BigEndian.PutUint64(want[:], wrapIV)
	return plain, subtle.ConstantTimeCompare(iv, want[:]) == 1
}

// unwrapPadded is AES key unwrap with padding (RFC 5649 section 4.2).
func unwrapPadded(key, ciphertext []byte) ([]byte, bool) {
	block, err := aes.NewCipher(key)
	if err != nil || len(ciphertext) < 2*semiblock || len(ciphertext)%semiblock != 0 {
		return nil, false
	}
	var iv, plain []byte
	if len(ciphertext) == aes.BlockSize { // a single block is not chained
		both := make([]byte, aes.BlockSize)
		block.Decrypt(both, ciphertext)
		iv, plain = both[:semiblock], both[semiblock:]
	} else {
		iv, plain = unwrapBlocks(block, ciphertext)
	}
	length := int64(binary.BigEndian.Uint32(iv[4:]))
	if binary.BigEndian.Uint32(iv) != wrapPaddedIV || length > int64(len(plain)) || length <= int64(len(plain)-semiblock) {
		return nil, false
	}
	for _, b := range plain[length:] {
		if b != 0 {
			return nil, false
		}
	}
	return plain[:length], true
}

// unwrapBlocks is the chain of both, backwards: the integrity check value and the plaintext.
func unwrapBlocks(block cipher.Block, ciphertext []byte) (iv, plain []byte) {
	var work [aes.BlockSize]byte // the check value, then one half block
	copy(work[:semiblock], ciphertext)
	plain = append(plain, ciphertext[semiblock:]...)
	n := len(plain) / semiblock
	for j := 5; j >= 0; j-- {
		for i := n; i >= 1; i-- {
			half := plain[(i-1)*semiblock : i*semiblock]
			check := binary.BigEndian.Uint64(work[:]) ^ uint64(n*j+i)
			binary.BigEndian.PutUint64(work[:], check)
			copy(work[semiblock:], half)
			block.Decrypt(work[:], work[:])
			copy(half, work[semiblock:])
		}
	}
	return work[:semiblock], plain
}
