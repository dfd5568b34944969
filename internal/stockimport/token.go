package stockimport

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"tokendesk/internal/pskc"
	"tokendesk/models"
)

// Bounds of what is taken into stock.
const (
	maxSerial   = 64  // characters
	minSeed     = 16  // bytes; RFC 4226 section 4, R6: at least 128 bits
	maxSeed     = 128 // bytes
	longestStep = time.Hour
)

// serialOf is the token's serial number; some makers write it as the key's id only.
func serialOf(key pskc.Key) string {
	if s := strings.TrimSpace(key.Serial); s != "" {
		return s
	}
	return strings.TrimSpace(key.ID)
}

// token makes a token of a key, or says in plain words why it cannot be stocked.
func (r *run) token(key pskc.Key) (t models.Token, reason string) {
	t = models.Token{Serial: serialOf(key), Model: r.options.Model, Manufacturer: strings.TrimSpace(key.Manufacturer), Kind: string(key.Algorithm),
		Algorithm: string(key.Hash), Digits: key.Digits, PeriodSeconds: int(key.TimeInterval / time.Second), InitialCounter: key.Counter}
	if t.Model == "" {
		t.Model = strings.TrimSpace(key.Model)
	}
	if reason := badSerial(t.Serial); reason != "" {
		return t, reason
	}
	if reason := r.badModel(t); reason != "" {
		return t, reason
	}
	switch {
	case key.Hash != pskc.SHA1 && key.Hash != pskc.SHA256 && key.Hash != pskc.SHA512:
		return t, "the hash function is not supported"
	case t.Digits != 6 && t.Digits != 8:
		return t, fmt.Sprintf("codes of %d digits are not supported", t.Digits)
	case len(key.Secret) < minSeed || len(key.Secret) > maxSeed:
		return t, fmt.Sprintf("the seed has %d bytes, where %d to %d are needed", len(key.Secret), minSeed, maxSeed)
	case t.InitialCounter < 0:
		return t, "the counter is negative"
	case key.Algorithm == pskc.TOTP && (key.TimeInterval < time.Second || key.TimeInterval > longestStep || key.TimeInterval%time.Second != 0):
		return t, "the time step is not between a second and an hour, in whole seconds"
	}
	return t, ""
}

func badSerial(serial string) string {
	switch {
	case serial == "":
		return "the serial number is missing"
	case len(serial) > maxSerial:
		return fmt.Sprintf("the serial number is longer than %d bytes", maxSerial)
	case strings.ContainsFunc(serial, func(c rune) bool { return !unicode.IsPrint(c) || c == unicode.ReplacementChar }):
		return "the serial number has characters that cannot be printed"
	}
	return ""
}

func (r *run) badModel(t models.Token) string {
	m, ok := r.stocked[t.Model]
	switch {
	case t.Model == "":
		return "the model is missing: name it as an option"
	case !ok:
		return fmt.Sprintf("the model %.64q is not stocked: add it, or name another as an option", t.Model)
	case m.Kind != t.Kind:
		return fmt.Sprintf("the seed is for %s, but tokens of this model are %s", t.Kind, m.Kind)
	}
	return ""
}
