package pskc

import "strings"

// setAlgorithm understands the algorithm and the suite of a key.
//
// RFC 6030 section 10.1 and the OATH profiles name algorithms by URN (urn:ietf:params:xml:ns:keyprov:pskc:hotp),
// drafts of them with a number sign (…:pskc#totp), makers by short names: HOTP, OATH-TOTP, TOTP-SHA256.
func (k *Key) setAlgorithm(name, suite string) *Error {
	algorithm, hash, _ := strings.Cut(shortName(name), "-")
	switch algorithm {
	case "HOTP":
		k.Algorithm = HOTP
	case "TOTP":
		k.Algorithm = TOTP
	case "":
		return wrong(ErrUnsupported, "no algorithm is stated")
	case "OCRA":
		return wrong(ErrUnsupported, "OCRA, a challenge-response algorithm")
	default:
		return wrong(ErrUnsupported, "an algorithm that is neither HOTP nor TOTP")
	}
	if strings.Contains(hash, "OCRA") { // HOTP-OCRA
		return wrong(ErrUnsupported, "OCRA, a challenge-response algorithm")
	}
	if hash != "" && strings.TrimSpace(suite) != "" && hashOf(hash) != hashOf(suite) {
		return wrong(ErrMalformed, "the algorithm and its suite name different hash functions")
	}
	k.Hash = hashOf(firstOf(hash, suite))
	if k.Hash == "" {
		return wrong(ErrUnsupported, "a suite that is none of HMAC with SHA-1, SHA-256, SHA-512")
	}
	return nil
}

func isPIN(name string) bool { return shortName(name) == "PIN" }

// shortName is the last part of a URN, or the whole of a short name, in capitals and without the word OATH.
func shortName(name string) string {
	name = strings.TrimSpace(name)
	name = strings.ToUpper(name[strings.LastIndexAny(name, ":#/")+1:])
	return strings.TrimPrefix(strings.ReplaceAll(name, "_", "-"), "OATH-")
}

// hashOf understands the names of a hash function: SHA256, HMAC-SHA256, HMAC-SHA-256, …#hmac-sha256. It is SHA1
// for none, and empty for one that is not supported.
func hashOf(suite string) Hash {
	suite = strings.NewReplacer("-", "", " ", "").Replace(shortName(suite))
	switch strings.TrimPrefix(suite, "HMAC") {
	case "", "SHA1":
		return SHA1
	case "SHA256":
		return SHA256
	case "SHA512":
		return SHA512
	}
	return ""
}
