package store_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"tokendesk/internal/keycode"
	"tokendesk/internal/seal"
	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
)

// bench is a store with a keyring, and an account whose order is fulfilled.
type bench struct {
	*store.Store
	ring  *seal.Keyring
	buyer models.Account
	order models.Order
}

func fulfilled(t *testing.T, skus ...string) bench {
	t.Helper()
	return fulfilledIn(t, storetest.New(t), storetest.Keyring(t), skus...)
}

// fulfilledIn is for table tests: cases that keep to their own account share a database.
func fulfilledIn(t *testing.T, st *store.Store, ring *seal.Keyring, skus ...string) bench {
	t.Helper()
	buyer := storetest.Account(t, st, storetest.Named("Ada", "King", "Lovelace"))
	return bench{st, ring, buyer, storetest.FulfilledOrder(t, st, ring, buyer.ID, skus...)}
}

func (b bench) activation(t *testing.T) store.Activation {
	t.Helper()
	return store.Activation{Key: storetest.KeyOf(t, b.Store, b.ring, b.order, 1), AccountID: b.buyer.ID, Address: "192.0.2.1",
		LegalName: "Ada King Lovelace", ProofingCountry: "US", TokenInHand: true}
}

// LIC-2, LIC-3: what a used key becomes, and what is written with it.
func TestActivate(t *testing.T) {
	cases := []struct {
		name, sku string
		phase     models.CredentialPhase
	}{
		{"without proofing", storetest.TokenSKU, models.PendingRegistration},
		{"with proofing", storetest.ProofedTokenSKU, models.PendingProofing},
	}
	st, ring := storetest.New(t), storetest.Keyring(t)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b := fulfilledIn(t, st, ring, c.sku)
			at := storetest.At.AddDate(0, 2, 0)
			got, err := b.ActivateLicenseKey(t.Context(), b.activation(t), at)
			if err != nil {
				t.Fatal(err)
			}
			zone := models.DefaultPolicy().Location()
			end := models.TermEnd(*b.order.PaidAt, 12, zone)
			if got.Phase != c.phase || got.Level != 2 || got.PolicyVersion != b.order.PolicyVersion || got.Kind != models.HardwareOTP ||
				!got.PurchasedAt.Equal(*b.order.PaidAt) || !got.ExpiresAt.Equal(end) || (got.ProofingCountry != nil) != (c.phase == models.PendingProofing) {
				t.Errorf("credential %+v", got)
			}
			stored, bound, err := b.Credential(t.Context(), got.ID)
			if err != nil || stored.Phase != c.phase || !stored.ExpiresAt.Equal(end) || len(bound) != 0 {
				t.Errorf("stored %+v, %v, %v", stored, bound, err)
			}
			if all, err := b.CredentialsOfAccount(t.Context(), b.buyer.ID); err != nil || len(all) != 1 || all[0].ID != got.ID {
				t.Errorf("of the account: %v, %v", all, err)
			}
			if key := query[string](t, b.Store, "select status || ' by ' || used_by from license_keys where id = $1", got.LicenseKeyID); key != "used by "+b.buyer.ID {
				t.Errorf("the key is %s", key)
			}
			if n := query[int](t, b.Store, "select count(*) from outbox where kind = 'start' and name = 'credential' and ref = $1 and workflow_id = 'credential/' || $1", got.ID); n != 1 {
				t.Errorf("started %d times", n)
			}
			if kinds := noticeKinds(t, b.Store, got.ID); fmt.Sprint(kinds) != "[activated]" {
				t.Errorf("mails %v", kinds)
			}
			if n := query[int](t, b.Store, "select count(*) from audit_events where kind = 'license_key.used' and credential_id = $1 and outcome = 'success'", got.ID); n != 1 {
				t.Errorf("audited %d times", n)
			}
		})
	}
}

// LIC-2: before it is used a key may be given to somebody else; then it is bound to that account for good.
func TestActivateGivenAwayKey(t *testing.T) {
	b := fulfilled(t)
	friend := storetest.Account(t, b.Store, storetest.Named("Grace", "", "Hopper"))
	a := b.activation(t)
	a.AccountID, a.LegalName = friend.ID, " grace  HOPPER "
	c, err := b.ActivateLicenseKey(t.Context(), a, storetest.At)
	if err != nil || c.AccountID != friend.ID {
		t.Fatalf("%+v, %v", c, err)
	}
	_, err = b.ActivateLicenseKey(t.Context(), b.activationOf(a.Key), storetest.At)
	wantFault(t, err, models.LicenseKeyUsed)
}

func (b bench) activationOf(key models.Secret) store.Activation {
	return store.Activation{Key: key, AccountID: b.buyer.ID, Address: "192.0.2.1", LegalName: b.buyer.LegalName(), ProofingCountry: "US", TokenInHand: true}
}

// LIC-2: each thing that is wrong with a key or with what is said about it has an answer of its own, and evidence that lasts.
func TestActivateRefuses(t *testing.T) {
	wrong, err := keycode.New(keycode.LicenseKeyBits)
	if err != nil {
		t.Fatal(err)
	}
	at := storetest.At
	cases := []struct {
		name    string
		change  func(t *testing.T, b bench, a *store.Activation)
		want    *models.FaultType
		counted int // wrong tries of account and address
	}{
		{"no key", func(_ *testing.T, _ bench, a *store.Activation) { a.Key = "" }, models.LicenseKeyWrong, 2},
		{"never issued", func(_ *testing.T, _ bench, a *store.Activation) { a.Key = wrong }, models.LicenseKeyWrong, 2},
		{"mistyped", func(_ *testing.T, _ bench, a *store.Activation) { a.Key = mistype(a.Key) }, models.LicenseKeyWrong, 2},
		{"used", func(t *testing.T, b bench, a *store.Activation) {
			if _, err := b.ActivateLicenseKey(t.Context(), *a, at); err != nil {
				t.Fatal(err)
			}
		}, models.LicenseKeyUsed, 0},
		{"void", func(t *testing.T, b bench, _ *store.Activation) {
			if err := b.ResendLicenseKey(t.Context(), b.order.Number, 1, b.ring, models.Actor{ID: "ak_support"}, at); err != nil {
				t.Fatal(err)
			}
		}, models.LicenseKeyVoid, 0},
		{"expired", func(t *testing.T, b bench, _ *store.Activation) {
			if _, err := b.ExpireLicenseKeys(t.Context(), at.AddDate(1, 1, 0)); err != nil {
				t.Fatal(err)
			}
		}, models.LicenseKeyExpired, 0},
		{"another name", func(_ *testing.T, _ bench, a *store.Activation) { a.LegalName = "Ada Lovelace" }, models.NameNotConfirmed, 0},
		{"no name", func(_ *testing.T, _ bench, a *store.Activation) { a.LegalName = "" }, models.NameNotConfirmed, 0},
		{"no country of proofing", func(_ *testing.T, _ bench, a *store.Activation) { a.ProofingCountry = "" }, models.ProofingCountryMissing, 0},
		{"the token is still on its way", func(_ *testing.T, _ bench, a *store.Activation) { a.TokenInHand = false }, models.TokenNotInHand, 0},
	}
	st, ring := storetest.New(t), storetest.Keyring(t)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b := fulfilledIn(t, st, ring, storetest.ProofedTokenSKU)
			a := b.activation(t)
			c.change(t, b, &a)
			credentials, tries := query[int](t, st, "select count(*) from credentials"), query[int](t, st, "select count(*) from attempts")
			_, err := b.ActivateLicenseKey(t.Context(), a, at)
			wantFault(t, err, c.want)
			if n := query[int](t, st, "select count(*) from credentials"); n != credentials {
				t.Error("a credential came of it")
			}
			if n := query[int](t, st, "select count(*) from attempts"); n != tries+c.counted {
				t.Errorf("%d tries are counted, want %d", n-tries, c.counted)
			}
			n := query[int](t, st, "select count(*) from audit_events where kind = 'license_key.used' and outcome = 'failure' and actor = $1 and detail->>'reason' = $2", b.buyer.ID, c.want.Slug)
			if n != 1 {
				t.Errorf("the refusal was audited %d times", n)
			}
			text := strings.ReplaceAll(a.Key.Reveal(), "-", "")
			if text != "" && (strings.Contains(err.Error(), text) || strings.Contains(err.Error(), a.Key.Reveal())) {
				t.Error("the error shows the key")
			}
		})
	}
}

// mistype changes the first character for its neighbour.
func mistype(key models.Secret) models.Secret {
	text := key.Reveal()
	if text[0] == 'A' {
		return models.Secret("B" + text[1:])
	}
	return models.Secret("A" + text[1:])
}

// LIC-1: a key that no step has ended yet is expired by its date.
func TestActivateByDate(t *testing.T) {
	b := fulfilled(t)
	expiry := query[time.Time](t, b.Store, "select expires_at from license_keys")
	_, err := b.ActivateLicenseKey(t.Context(), b.activation(t), expiry)
	wantFault(t, err, models.LicenseKeyExpired)
	_, err = b.ActivateLicenseKey(t.Context(), b.activation(t), expiry.Add(-time.Microsecond))
	wantFault(t, err, nil)
}

// LIC-1, LIC-2: of twenty people who use one key at the same time exactly one wins.
func TestActivateRace(t *testing.T) {
	b := fulfilled(t)
	key := storetest.KeyOf(t, b.Store, b.ring, b.order, 1)
	people := make([]models.Account, 20)
	for i := range people {
		people[i] = storetest.Account(t, b.Store)
	}
	got := atOnce(len(people), func(i int) error {
		_, err := b.ActivateLicenseKey(t.Context(), store.Activation{Key: key, AccountID: people[i].ID, Address: fmt.Sprintf("192.0.2.%d", i%3),
			LegalName: people[i].LegalName(), TokenInHand: true}, storetest.At)
		return err
	})
	if got[""] != 1 || got[models.LicenseKeyUsed.Slug] != len(people)-1 {
		t.Fatalf("answers %v", got)
	}
	if n := query[int](t, b.Store, "select count(*) from credentials"); n != 1 {
		t.Errorf("%d credentials", n)
	}
}

// LIC-2: wrong keys are limited for an account and for a network address, also when guessed at the same time; who has no tries
// left is refused with a right key as well, until the window has moved on. Right keys cost no tries.
func TestActivateThrottle(t *testing.T) {
	limits := models.DefaultPolicy().LicenseKey
	guess := func(t *testing.T, b bench, account, address string) error {
		key, err := keycode.New(keycode.LicenseKeyBits)
		if err != nil {
			return err
		}
		a := b.activationOf(key)
		a.AccountID, a.Address = account, address
		_, err = b.ActivateLicenseKey(t.Context(), a, storetest.At)
		return err
	}
	t.Run("account", func(t *testing.T) {
		b := fulfilled(t)
		got := atOnce(20, func(i int) error { return guess(t, b, b.buyer.ID, fmt.Sprintf("192.0.2.%d", i)) })
		if got[models.LicenseKeyWrong.Slug] != limits.TriesPerAccount || got[models.TooManyTries.Slug] != 20-limits.TriesPerAccount {
			t.Fatalf("answers %v", got)
		}
		_, err := b.ActivateLicenseKey(t.Context(), b.activation(t), storetest.At.Add(time.Minute))
		wantFault(t, err, models.TooManyTries)
		if wait := models.FaultOf(err).RetryAfter; wait != 59*time.Minute {
			t.Errorf("wait %v", wait)
		}
		_, err = b.ActivateLicenseKey(t.Context(), b.activation(t), storetest.At.Add(time.Hour))
		wantFault(t, err, nil)
	})
	t.Run("address", func(t *testing.T) {
		b := fulfilled(t)
		people := make([]models.Account, 30)
		for i := range people {
			people[i] = storetest.Account(t, b.Store)
		}
		got := atOnce(len(people), func(i int) error { return guess(t, b, people[i].ID, "2001:db8::1") })
		if got[models.LicenseKeyWrong.Slug] != limits.TriesPerAddress || got[models.TooManyTries.Slug] != len(people)-limits.TriesPerAddress {
			t.Fatalf("answers %v", got)
		}
	})
	t.Run("right keys", func(t *testing.T) {
		skus := []string{}
		for range limits.TriesPerAccount + 1 {
			skus = append(skus, storetest.TokenSKU)
		}
		b := fulfilled(t, skus...)
		for i := range skus {
			if _, err := b.ActivateLicenseKey(t.Context(), b.activationOf(storetest.KeyOf(t, b.Store, b.ring, b.order, i+1)), storetest.At); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// LIC-2: a wrong key is counted also when the activation is a part of a larger transaction, which has written nothing else.
func TestActivateInsideATransaction(t *testing.T) {
	b := fulfilled(t)
	a := b.activation(t)
	a.Key = "no key at all"
	err := b.InTx(t.Context(), func(tx *store.Store) error {
		_, err := tx.ActivateLicenseKey(t.Context(), a, storetest.At)
		return fmt.Errorf("handle a request: %w", err)
	})
	wantFault(t, err, models.LicenseKeyWrong)
	if n := query[int](t, b.Store, "select count(*) from attempts"); n != 2 {
		t.Errorf("%d tries are counted", n)
	}
	broken := errors.New("the handler failed afterwards")
	a = b.activation(t)
	err = b.InTx(t.Context(), func(tx *store.Store) error {
		if _, err := tx.ActivateLicenseKey(t.Context(), a, storetest.At); err != nil {
			return err
		}
		return broken
	})
	if !errors.Is(err, broken) {
		t.Fatal(err)
	}
	if n := query[int](t, b.Store, "select count(*) from credentials"); n != 0 {
		t.Error("half of the transaction is left")
	}
}
