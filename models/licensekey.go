package models

import "time"

// LicenseKeyStatus is where a license key stands.
type LicenseKeyStatus string

// The statuses of a license key.
const (
	KeyIssued  LicenseKeyStatus = "issued"
	KeyUsed    LicenseKeyStatus = "used"
	KeyVoid    LicenseKeyStatus = "void"
	KeyExpired LicenseKeyStatus = "expired"
)

// LicenseKeyEvent moves a license key.
type LicenseKeyEvent string

// The events of a license key.
const (
	UseKey    LicenseKeyEvent = "use"
	VoidKey   LicenseKeyEvent = "void"
	ExpireKey LicenseKeyEvent = "expire"
)

// LicenseKeyMachine is the transition table of a license key: single use (LIC-1).
var LicenseKeyMachine = Machine[LicenseKeyStatus, LicenseKeyEvent]{Name: "license_key", Initial: KeyIssued, Transitions: []Transition[LicenseKeyStatus, LicenseKeyEvent]{
	{[]LicenseKeyStatus{KeyIssued}, UseKey, KeyUsed, ByPerson, "activated; bound for good (LIC-2)"},
	{[]LicenseKeyStatus{KeyIssued}, VoidKey, KeyVoid, ByPerson, "replaced by a resend, or its order was undone (ORD-6)"},
	{[]LicenseKeyStatus{KeyIssued}, ExpireKey, KeyExpired, ByWorkflow, "unused for the policy's lifetime"},
}}

// LicenseKey is one key for one line. The key itself is not here: only its hash and last four characters (LIC-1).
type LicenseKey struct {
	ID          string // lk_…
	OrderLineID string
	Status      LicenseKeyStatus
	Hash        []byte
	LastFour    string
	IssuedAt    time.Time
	ExpiresAt   time.Time
	UsedAt      *time.Time
	UsedBy      *string
}
