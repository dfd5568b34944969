// Package otp makes and matches one-time passwords: HOTP (RFC 4226) and TOTP (RFC 6238), with 6 or 8 digits and
// HMAC-SHA-1, -SHA-256 or -SHA-512 (REG-1). It says which counter a code belongs to, remembers a token's drift,
// and accepts a code once (LOG-3, MGT-2).
//
// Everything here is a pure function of its arguments: no clock, no storage. The caller keeps a token's State and
// must write the returned State in the transaction that read it, or a code could be accepted twice.
package otp

import (
	"fmt"
	"time"
)

// Kind says what moves an authenticator from one code to the next.
type Kind string

// The kinds of authenticator.
const (
	HOTP Kind = "hotp" // a counter, moved by pressing the button (RFC 4226)
	TOTP Kind = "totp" // the time, in steps of a period (RFC 6238)
)

// Algorithm is the hash under the HMAC.
type Algorithm string

// The hash algorithms of RFC 6238 section 1.2. RFC 4226 knows SHA1 only, but tokens with the others exist.
const (
	SHA1   Algorithm = "SHA1"
	SHA256 Algorithm = "SHA256"
	SHA512 Algorithm = "SHA512"
)

// Parameters are what an authenticator was built with; they never change.
type Parameters struct {
	Kind      Kind
	Algorithm Algorithm
	Digits    int           // 6 or 8
	Period    time.Duration // TOTP only: length of a time step, in whole seconds
}

// App is what authenticator apps make codes by where nothing else is said.
var App = Parameters{Kind: TOTP, Algorithm: SHA1, Digits: 6, Period: 30 * time.Second}

// maxPeriod is the longest time step: a code that stands longer is no one-time password.
const maxPeriod = time.Hour

// Validate reports what is not supported. Call it where parameters come in: Verify and Resync match nothing under
// parameters that do not validate.
func (p Parameters) Validate() error {
	if p.Digits != 6 && p.Digits != 8 {
		return fmt.Errorf("otp: codes of %d digits are not supported, only 6 or 8", p.Digits)
	}
	switch p.Algorithm {
	case SHA1, SHA256, SHA512:
	default:
		return fmt.Errorf("otp: algorithm %q is not supported", p.Algorithm)
	}
	switch p.Kind {
	case HOTP:
	case TOTP:
		if p.Period < time.Second || p.Period > maxPeriod || p.Period%time.Second != 0 {
			return fmt.Errorf("otp: a period of %v is not supported, only whole seconds up to %v", p.Period, maxPeriod)
		}
	default:
		return fmt.Errorf("otp: kind %q is not supported", p.Kind)
	}
	return nil
}

// Step is the time step of a moment (RFC 6238 section 4.2, with T0 = 0): whole periods since 1970.
func Step(p Parameters, at time.Time) int64 {
	period := int64(p.Period / time.Second)
	if period <= 0 {
		return 0
	}
	seconds := at.Unix()
	step := seconds / period
	if seconds%period < 0 { // before 1970: round down, as after it
		step--
	}
	return step
}

// State is what must be remembered of an authenticator between two codes.
type State struct {
	Next  int64 // HOTP: the first counter not yet used; TOTP: the first time step not yet used
	Drift int64 // TOTP: how many steps the token's clock is ahead of ours; HOTP: zero
}

// Window is how far from the expected code a code may be. It is policy, and larger for Resync than for Verify.
type Window struct {
	Ahead int // HOTP: how many counters are tried, from State.Next on
	Skew  int // TOTP: how many time steps are tried on either side of the expected one
}
