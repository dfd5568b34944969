package storetest

import (
	"testing"

	"tokendesk/internal/seal"
	"tokendesk/models"
	"tokendesk/models/store"
)

// Proofing is the open proofing of a credential that the account has just activated, and the device that was shipped for it. There need be no stock.
func Proofing(t testing.TB, st *store.Store, ring *seal.Keyring, a models.Account) (models.ProofingCase, *Device) {
	t.Helper()
	Stock(t, st, ring, TokenModel, EventDevice, 1)
	o := FulfilledOrder(t, st, ring, a.ID, ProofedTokenSKU)
	device := Shipped(t, st, o, 1)
	credential := Activated(t, st, ring, a, o, 1)
	return OpenCase(t, st, credential.ID), device
}

// OpenCase is the proofing of a credential that goes on.
func OpenCase(t testing.TB, st *store.Store, credentialID string) models.ProofingCase {
	t.Helper()
	all, err := st.ProofingsOfCredential(t.Context(), credentialID)
	Must(t, err)
	if len(all) == 0 || all[0].EndedAt != nil {
		t.Fatal("no proofing goes on")
	}
	return all[0]
}
