package models

import "time"

// AuthenticatorKind says what a person proves possession of.
type AuthenticatorKind string

// The kinds of authenticator.
const (
	HardwareToken AuthenticatorKind = "hardware_token"
	Phone         AuthenticatorKind = "phone"
	MobileDevice  AuthenticatorKind = "mobile_device"
)

// Valid reports whether the kind is known.
func (k AuthenticatorKind) Valid() bool {
	return k == HardwareToken || k == Phone || k == MobileDevice
}

// AuthenticatorStatus is where an authenticator stands.
type AuthenticatorStatus string

// The statuses of an authenticator.
const (
	AuthenticatorActive  AuthenticatorStatus = "active"
	AuthenticatorLocked  AuthenticatorStatus = "locked"
	AuthenticatorRevoked AuthenticatorStatus = "revoked"
)

// AuthenticatorEvent moves an authenticator.
type AuthenticatorEvent string

// The events of an authenticator.
const (
	LockAuthenticator   AuthenticatorEvent = "lock"
	UnlockAuthenticator AuthenticatorEvent = "unlock"
	RevokeAuthenticator AuthenticatorEvent = "revoke"
)

// AuthenticatorMachine is the transition table of an authenticator (LOG-4, MGT-2, MGT-4).
var AuthenticatorMachine = Machine[AuthenticatorStatus, AuthenticatorEvent]{Name: "authenticator", Initial: AuthenticatorActive, Transitions: []Transition[AuthenticatorStatus, AuthenticatorEvent]{
	{[]AuthenticatorStatus{AuthenticatorActive}, LockAuthenticator, AuthenticatorLocked, ByWorld, "too many failures in a row (LOG-4)"},
	{[]AuthenticatorStatus{AuthenticatorLocked}, UnlockAuthenticator, AuthenticatorActive, ByPerson, "resynchronized (MGT-2)"},
	{[]AuthenticatorStatus{AuthenticatorActive, AuthenticatorLocked}, RevokeAuthenticator, AuthenticatorRevoked, ByPerson, "revoked, for good (MGT-4)"},
}}

// Authenticator is one hardware token, phone or device bound to a credential, with the state of its one-time passwords.
type Authenticator struct {
	ID           string // au_…
	CredentialID string
	AccountID    string
	Kind         AuthenticatorKind
	Serial       *string
	Status       AuthenticatorStatus
	NextCounter  int64 // HOTP: next counter; TOTP: first step not yet used
	Drift        int64 // TOTP: remembered drift in steps
	Failures     int   // consecutive
	LockedAt     *time.Time
	RegisteredAt time.Time
	RevokedAt    *time.Time
}

// AllLocked reports whether a credential has live authenticators and every one of them is locked.
func AllLocked(bound []Authenticator) bool {
	locked := 0
	for _, a := range bound {
		switch a.Status {
		case AuthenticatorActive:
			return false
		case AuthenticatorLocked:
			locked++
		}
	}
	return locked > 0
}

// VerificationResult is the answer to a relying application (LOG-5).
type VerificationResult string

// The results of a verification.
const (
	Accepted              VerificationResult = "accepted"
	ResultWrongCode       VerificationResult = "wrong_code"
	ResultLocked          VerificationResult = "locked"
	ResultSuspended       VerificationResult = "suspended"
	ResultExpired         VerificationResult = "expired"
	ResultPendingApproval VerificationResult = "pending_approval"
	ResultPending         VerificationResult = "pending_activation"
	ResultRevoked         VerificationResult = "revoked"
	ResultNotAccepted     VerificationResult = "not_accepted_by_partner"
)
