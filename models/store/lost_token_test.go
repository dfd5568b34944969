package store_test

import (
	"testing"

	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
)

// proofedHolder is a person whose credential is proofed.
func proofedHolder(t *testing.T) renewing {
	t.Helper()
	w := newRenewing(t)
	_, i := w.upgrading(t)
	storetest.Must(t, i.proofed(t))
	return w
}

// phone binds a phone to the credential, as its registration will.
func (w renewing) phone(t *testing.T) string {
	t.Helper()
	id := store.NewID("au", storetest.At)
	_, err := w.Pool().Exec(t.Context(), `insert into authenticators (id, credential_id, account_id, kind, status, next_counter, registered_at)
		values ($1, $2, $3, 'phone', 'active', 0, $4)`, id, w.credential.ID, w.person.ID, storetest.At)
	storetest.Must(t, err)
	return id
}

func (w renewing) proofings(t *testing.T) int {
	t.Helper()
	return query[int](t, w.Store, "select count(*) from proofing_cases where account_id = $1", w.person.ID)
}

// PRF-11: a proofed person who loses the token and has a phone need not be proofed again: the token alone is revoked, its replacement is registered, and the level
// stays.
func TestLostTokenBesidePhone(t *testing.T) {
	t.Parallel()
	w := proofedHolder(t)
	phone := w.phone(t)
	wantFault(t, w.bind(t, w.device, storetest.At), models.TokenAlreadyRegistered)
	_, device := w.replaced(t, models.ReplaceLost, storetest.At)
	w.revokeToken(t, storetest.At)
	if c := w.again(t); c.Phase != models.CredentialActive || c.Level != 3 {
		t.Errorf("beside the phone the credential is %s at level %d", c.Phase, c.Level)
	}
	st, err := w.Standing(t.Context(), w.credential.ID, storetest.At)
	storetest.Must(t, err)
	if got := models.Events(st.Actions(models.BySubscriber, storetest.At)); len(got) == 0 || got[0] != string(models.ActionRegisterToken) {
		t.Errorf("offers %v", got)
	}
	wantFault(t, w.bind(t, w.device, storetest.At), models.SerialIncorrect)
	storetest.Must(t, w.bind(t, device, storetest.At))
	w.device = device
	if w.level(t) != 3 || w.again(t).Phase != models.CredentialActive {
		t.Error("the level fell")
	}
	if n := query[int](t, w.Store, "select count(*) from authenticators where credential_id = $1 and status = 'active' and (id = $2 or serial = $3)", w.credential.ID, phone, device.Serial); n != 2 {
		t.Errorf("%d authenticators stand side by side", n)
	}
	if n := w.proofings(t); n != 1 {
		t.Errorf("%d proofings", n)
	}
	wantFault(t, w.bind(t, device, storetest.At), models.TokenAlreadyRegistered)
}

// PRF-11: beside a phone, no token registers that was not sent to replace the lost one.
func TestNoTokenWithoutReplacement(t *testing.T) {
	t.Parallel()
	w := proofedHolder(t)
	w.phone(t)
	w.revokeToken(t, storetest.At)
	wantFault(t, w.bind(t, w.device, storetest.At), models.ActionNotPossible)
	if c := w.again(t); c.Phase != models.CredentialActive || c.Level != 3 || w.proofings(t) != 1 {
		t.Errorf("the credential is %s at level %d", c.Phase, c.Level)
	}
}

// PRF-11, MGT-4: with the replacement under way the credential waits for it, proofed as it is.
func TestLostTokenBeforeReplacement(t *testing.T) {
	t.Parallel()
	w := proofedHolder(t)
	_, device := w.replaced(t, models.ReplaceLost, storetest.At)
	w.revokeToken(t, storetest.At)
	storetest.Must(t, w.bind(t, device, storetest.At))
	w.device = device
	if w.level(t) != 3 || w.proofings(t) != 1 {
		t.Error("the proofing was lost with the token")
	}
}

// PRF-11: without another authenticator or a replacement the credential ends with its token, and a new one needs its own proofing.
func TestLostOnlyToken(t *testing.T) {
	t.Parallel()
	w := proofedHolder(t)
	w.revokeToken(t, storetest.At)
	if c := w.again(t); c.Phase != models.CredentialRevoked {
		t.Fatalf("without any authenticator the credential is %s", c.Phase)
	}
	c := storetest.Activated(t, w.Store, w.ring, w.person, storetest.FulfilledOrder(t, w.Store, w.ring, w.person.ID, storetest.ProofedTokenSKU), 1)
	if c.Level != 2 || c.Phase != models.PendingProofing || storetest.OpenCase(t, w.Store, c.ID).Purpose != models.ProofingForActivation {
		t.Errorf("the new credential is %s at level %d", c.Phase, c.Level)
	}
}
