package models

import "time"

// WarningKind names something that a buyer should know before buying. It forbids nothing.
type WarningKind string

// The warnings.
const (
	WarnRenewalAvailable WarningKind = "renewal-available" // a live credential could be renewed instead; buying changes nothing on it (REN-2)
	WarnTokenOld         WarningKind = "token-old"         // the token of what is renewed has passed the policy's age (MGT-6)
	WarnRenewalReaches   WarningKind = "renewal-reaches"   // the renewed term, counted from the old expiry, ends soon or is over (REN-1)
	WarnSuspended        WarningKind = "suspended"         // by command: a renewal does not lift that, and it ends in a revocation (MGT-3, LIF-2)
)

// Warning is one of them, about one line.
type Warning struct {
	Kind         WarningKind
	CredentialID string     // empty where the buyer may not know it
	At           *time.Time // when that credential expires, the token was bought, or the renewed term ends
	Detail       string     // plain words
}

// QuotedLine is what one line costs and brings.
type QuotedLine struct {
	Position      int
	ProductSKU    string
	BeneficiaryID string
	CredentialID  *string
	Price         Money
	Proofing      *OrderedProofing
	Warranty      bool       // a replacement that is free because the warranty covers it (MGT-6)
	NewExpiry     *time.Time // of a renewal
	Warnings      []Warning
}

// Quote is what an order would cost and bring at a moment, with what its buyer should know before.
type Quote struct {
	Lines []QuotedLine
	Total Money
}
