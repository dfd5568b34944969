package models

import "time"

// CredentialPhase is how far a credential has come. Expired and suspended are separate facts about it.
type CredentialPhase string

// The phases of a credential.
const (
	PendingApproval     CredentialPhase = "pending_approval"     // SPN-3
	PendingProofing     CredentialPhase = "pending_proofing"     // waits for the identity proofing
	PendingRegistration CredentialPhase = "pending_registration" // waits for its first authenticator
	CredentialActive    CredentialPhase = "active"
	CredentialRevoked   CredentialPhase = "revoked"
)

// CredentialEvent moves a credential.
type CredentialEvent string

// The events of a credential.
const (
	ApproveCredential  CredentialEvent = "approve"
	ProofCredential    CredentialEvent = "proof"
	RegisterCredential CredentialEvent = "register"
	RepeatProofing     CredentialEvent = "repeat_proofing"
	AwaitReplacement   CredentialEvent = "await_replacement"
	RevokeCredential   CredentialEvent = "revoke"
)

// CredentialMachine is the transition table of a credential's phase.
var CredentialMachine = Machine[CredentialPhase, CredentialEvent]{Name: "credential", Initial: PendingProofing, Transitions: []Transition[CredentialPhase, CredentialEvent]{
	{[]CredentialPhase{PendingApproval}, ApproveCredential, PendingRegistration, ByPerson, "an administrator approved it (SPN-3)"},
	{[]CredentialPhase{PendingProofing}, ProofCredential, PendingRegistration, ByWorld, "the person's identity is proofed (PRF-4)"},
	{[]CredentialPhase{PendingRegistration}, RepeatProofing, PendingProofing, ByWorkflow, "nothing was registered in time after the proofing (REG-2)"},
	{[]CredentialPhase{PendingRegistration}, RegisterCredential, CredentialActive, ByPerson, "its first authenticator is registered (REG-1)"},
	{[]CredentialPhase{CredentialActive}, AwaitReplacement, PendingRegistration, ByPerson, "its only token is revoked while a replacement is under way (MGT-4, MGT-6)"},
	{[]CredentialPhase{PendingApproval, PendingProofing, PendingRegistration, CredentialActive}, RevokeCredential, CredentialRevoked, ByPerson, "revoked, for good, by a person or by time (MGT-4, LIF-1)"},
}}

// Subscribed reports whether a product of the kind becomes a credential of its own. The others change one that exists.
func (k ProductKind) Subscribed() bool { return k == HardwareOTP || k == PhoneOTP || k == MobileID }

// Credential is one annual subscription for one account.
type Credential struct {
	ID              string // cr_…
	AccountID       string
	OrderLineID     string
	LicenseKeyID    string
	ProductSKU      string
	Kind            ProductKind
	Level           int // 2 not proofed, 3 proofed
	Phase           CredentialPhase
	PolicyVersion   int
	ProofingCountry *string
	PurchasedAt     time.Time // the term starts here
	ExpiresAt       time.Time // E
	ExpiredAt       *time.Time
	SuspendedAt     *time.Time // by command (MGT-3)
	SuspendedBy     *Suspender
	TermSuspendedAt *time.Time // by time (LIF-1); a relying application is told that it has expired, since what helps is to renew (LOG-8)
	ReviewSince     *time.Time // its revocation waits for a person (LIF-3)
	RevokedAt       *time.Time
	RevokeReason    *RevokeReason
	CreatedAt       time.Time `gorm:"autoCreateTime:false"`
	UpdatedAt       time.Time `gorm:"autoUpdateTime:false"`
}

// DisplayedStatus is what a person is shown (MGT-1). It is derived, never stored.
type DisplayedStatus string

// The displayed statuses.
const (
	ShownPendingApproval   DisplayedStatus = "pending_approval"
	ShownPendingActivation DisplayedStatus = "pending_activation"
	ShownActive            DisplayedStatus = "active"
	ShownLocked            DisplayedStatus = "locked"
	ShownSuspended         DisplayedStatus = "suspended"
	ShownExpired           DisplayedStatus = "expired"
	ShownRevoked           DisplayedStatus = "revoked"
)

// Displayed derives what is shown at a moment from the facts: dates are compared here, so that an expired credential is
// expired though no step has said so yet (LOG-5). locked says that every live authenticator is locked.
func (c Credential) Displayed(locked bool, at time.Time) DisplayedStatus {
	switch {
	case c.Phase == CredentialRevoked:
		return ShownRevoked
	case c.SuspendedAt != nil, c.TermSuspendedAt != nil:
		return ShownSuspended
	case !at.Before(c.ExpiresAt):
		return ShownExpired
	case c.Phase == PendingApproval:
		return ShownPendingApproval
	case c.Phase != CredentialActive:
		return ShownPendingActivation
	case locked:
		return ShownLocked
	}
	return ShownActive
}

// TermEnd is one calendar year (or the product's months) after the start, in the vendor's zone. 29 February ends on the 28th.
func TermEnd(start time.Time, months int, zone *time.Location) time.Time {
	s := start.In(zone)
	end := time.Date(s.Year(), s.Month()+time.Month(months), 1, s.Hour(), s.Minute(), s.Second(), s.Nanosecond(), zone)
	last := time.Date(end.Year(), end.Month()+1, 0, 0, 0, 0, 0, zone).Day()
	return time.Date(end.Year(), end.Month(), min(s.Day(), last), s.Hour(), s.Minute(), s.Second(), s.Nanosecond(), zone)
}

// TermStart is the latest moment from which a term of so many months ends at the given end: TermEnd turned round.
func TermStart(end time.Time, months int, zone *time.Location) time.Time {
	start := TermEnd(end, -months, zone)
	for later := start.In(zone).AddDate(0, 0, 1); TermEnd(later, months, zone).Equal(end); later = later.AddDate(0, 0, 1) {
		start = later
	}
	return start
}
