package storetest

import (
	"tokendesk/models"
)

// Upgrade asks for the proofing of a credential's holder, who is logged in with it and has read what it takes.
func Upgrade(method models.PaymentMethod, c models.Credential) models.NewOrder {
	n := NewOrder(c.AccountID, method)
	n.LoggedInWith = c.ID
	n.Lines = []models.NewOrderLine{{ProductSKU: UpgradeSKU, CredentialID: c.ID, ProofingCountry: "US", RequirementsAcknowledged: true}}
	return n
}

// Attempt asks for another attempt at the proofing of a credential's holder, who is logged in with a password.
func Attempt(method models.PaymentMethod, c models.Credential) models.NewOrder {
	n := NewOrder(c.AccountID, method)
	n.Lines = []models.NewOrderLine{{ProductSKU: UpgradeSKU, CredentialID: c.ID}}
	return n
}
