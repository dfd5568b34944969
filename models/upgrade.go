package models

// OrderedProofing says what a line of kind ProofingUpgrade buys for the credential that it names.
type OrderedProofing string

// What is bought of proofing.
const (
	OrderedUpgrade OrderedProofing = "upgrade" // the proofing of a credential that is in use (PRF-10)
	OrderedAttempt OrderedProofing = "attempt" // another attempt of a proofing whose included ones are used up (PRF-9)
)
