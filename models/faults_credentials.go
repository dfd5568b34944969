package models

// Activation (LIC-2).
var (
	ProofingCountryMissing = declare(Refused, "proofing-country-missing", "The country of proofing is missing", "name the country whose documents prove the identity")
)
