package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tokendesk/internal/keycode"
	"tokendesk/models"
)

// Activation is what a logged-in person gives to use a license key (LIC-2).
type Activation struct {
	Key             models.Secret // as typed
	AccountID       string
	Address         string // network address of the caller; it is counted, never kept
	LegalName       string // as the person confirms it
	ProofingCountry string // ISO 3166-1 alpha-2; needed for a product with proofing
	TokenInHand     bool   // needed for a product that ships
}

// ActivateLicenseKey uses a license key up and makes its credential, bound for good to the account that used it, whoever the key
// was bought for. The term runs from the payment of the order (LIC-2, LIC-3). Of simultaneous activations exactly one wins.
//
// Wrong keys are counted against the account and the network address, also when this call takes part in a larger
// transaction: that one commits then. Every refusal but TooManyTries is audited.
//
// Faults: TooManyTries, LicenseKeyWrong, LicenseKeyUsed, LicenseKeyVoid, LicenseKeyExpired, NameNotConfirmed,
// ProofingCountryMissing, TokenNotInHand, ActionNotPossible (the key is for something else than a new credential).
func (s *Store) ActivateLicenseKey(ctx context.Context, a Activation, at time.Time) (models.Credential, error) {
	var c models.Credential
	err := s.InTx(ctx, func(tx *Store) (err error) {
		c, err = tx.activate(ctx, a, at)
		return err
	})
	if err != nil {
		return models.Credential{}, fmt.Errorf("activate a license key: %w", err)
	}
	return c, nil
}

func (s *Store) activate(ctx context.Context, a Activation, at time.Time) (c models.Credential, err error) {
	if err := s.throttleKeys(ctx, a, at); err != nil {
		return c, err
	}
	account, err := s.Account(ctx, a.AccountID)
	if err != nil {
		return c, err
	}
	key, err := s.lockKey(ctx, a.Key)
	if errors.Is(err, models.LicenseKeyWrong) {
		return c, s.wrongKey(ctx, a, err, at)
	}
	if err != nil {
		return c, err
	}
	p, err := s.purchaseOf(ctx, key)
	if err != nil {
		return c, err
	}
	if refusal := refuseActivation(a, account, key, p.product, at); refusal != nil {
		return c, s.auditRefusal(ctx, "license_key.used", a.AccountID, key.ID, "", refusal, at)
	}
	return s.useKey(ctx, a, account, key, p, at)
}

// throttleKeys refuses while the account or the network address has no tries left, and holds back whoever else tries from there.
func (s *Store) throttleKeys(ctx context.Context, a Activation, at time.Time) error {
	policy, err := s.CurrentPolicy(ctx, at)
	if err != nil {
		return err
	}
	if err := s.Throttle(ctx, LicenseKeyByAccount, a.AccountID, policy.LicenseKey.TriesPerAccount, guessingWindow, at); err != nil {
		return err
	}
	return s.Throttle(ctx, LicenseKeyByAddress, network(a.Address), policy.LicenseKey.TriesPerAddress, guessingWindow, at)
}

// wrongKey counts a wrong key. A mistyped one counts as well: its check character is no secret from somebody who guesses.
func (s *Store) wrongKey(ctx context.Context, a Activation, refusal error, at time.Time) error {
	if _, err := s.CountAttempt(ctx, LicenseKeyByAccount, a.AccountID, at); err != nil {
		return err
	}
	if _, err := s.CountAttempt(ctx, LicenseKeyByAddress, network(a.Address), at); err != nil {
		return err
	}
	return s.auditRefusal(ctx, "license_key.used", a.AccountID, "", "", refusal, at)
}

// lockKey finds a key as typed, under a row lock. Fault: LicenseKeyWrong.
func (s *Store) lockKey(ctx context.Context, typed models.Secret) (k models.LicenseKey, err error) {
	canonical, err := keycode.Parse(typed.Reveal())
	if err != nil {
		return k, models.LicenseKeyWrong.New("it was mistyped: this cannot be a license key").At("/license_key")
	}
	if err := s.with(ctx).Raw("select * from license_keys where hash = ? for update", keycode.Hash(canonical)).Scan(&k).Error; err != nil {
		return k, fmt.Errorf("find a license key: %w", err)
	}
	if k.ID == "" {
		return k, models.LicenseKeyWrong.New("").At("/license_key")
	}
	return k, nil
}

// purchase is what a license key was bought as.
type purchase struct {
	product       models.Product
	policy        models.Policy
	policyVersion int
	paidAt        time.Time
}

func (s *Store) purchaseOf(ctx context.Context, k models.LicenseKey) (p purchase, err error) {
	var sku string
	err = s.with(ctx).Raw("select l.product_sku, o.policy_version, o.paid_at from order_lines l join orders o on o.id = l.order_id where l.id = ?", k.OrderLineID).
		Row().Scan(&sku, &p.policyVersion, &p.paidAt)
	if err != nil {
		return p, fmt.Errorf("find the purchase of a license key: %w", err)
	}
	if p.product, err = s.Product(ctx, sku); err != nil {
		return p, err
	}
	p.policy, err = s.Policy(ctx, p.policyVersion)
	return p, err
}

// refuseActivation says what stands against using a key; nil: nothing.
func refuseActivation(a Activation, account models.Account, k models.LicenseKey, p models.Product, at time.Time) error {
	switch {
	case k.Status == models.KeyUsed:
		return models.LicenseKeyUsed.New("")
	case k.Status == models.KeyVoid:
		return models.LicenseKeyVoid.New("")
	case k.Status == models.KeyExpired || !at.Before(k.ExpiresAt):
		return models.LicenseKeyExpired.New("")
	case !p.Kind.Subscribed():
		return models.ActionNotPossible.New("this key is not for a new credential")
	case !models.SameName(a.LegalName, account.LegalName()):
		return models.NameNotConfirmed.New("").At("/legal_name")
	case p.Proofing && !models.ValidCountry(a.ProofingCountry):
		return models.ProofingCountryMissing.New("").At("/proofing_country")
	case p.Ships() && !a.TokenInHand:
		return models.TokenNotInHand.New("").At("/token_in_hand")
	}
	return nil
}

// useKey makes the credential of a key that nothing stands against. It begins at level 2; proofing raises it.
func (s *Store) useKey(ctx context.Context, a Activation, account models.Account, k models.LicenseKey, p purchase, at time.Time) (models.Credential, error) {
	if err := licenseKeys.move(s.with(ctx), k.ID, models.UseKey, at, map[string]any{"used_at": at, "used_by": account.ID}); err != nil {
		return models.Credential{}, err
	}
	c := models.Credential{ID: NewID("cr", at), AccountID: account.ID, OrderLineID: k.OrderLineID, LicenseKeyID: k.ID, ProductSKU: p.product.SKU,
		Kind: p.product.Kind, Level: 2, Phase: models.PendingRegistration, PolicyVersion: p.policyVersion, PurchasedAt: p.paidAt,
		ExpiresAt: models.TermEnd(p.paidAt, p.product.TermMonths, p.policy.Location()).UTC(), CreatedAt: at, UpdatedAt: at}
	if p.product.Proofing {
		c.Phase, c.ProofingCountry = models.PendingProofing, &a.ProofingCountry
	}
	if err := s.with(ctx).Create(&c).Error; err != nil {
		return c, fmt.Errorf("create a credential: %w", err)
	}
	err := s.Audit(ctx, models.AuditEvent{At: at, Class: models.LifecycleEvents, Kind: "license_key.used", Actor: account.ID,
		CredentialID: &c.ID, SubjectRef: k.ID, Outcome: models.Succeeded})
	if err != nil {
		return c, err
	}
	err = s.AddNotice(ctx, NewNotice{Kind: models.NoticeActivated, DedupeKey: "activated/" + c.ID, AccountID: account.ID, SubjectRef: c.ID}, at)
	if err != nil {
		return c, err
	}
	if c.Phase == models.PendingProofing {
		if _, err := s.OpenProofing(ctx, c, models.ProofingForActivation, "", a.ProofingCountry, c.PolicyVersion, at); err != nil {
			return c, err
		}
	}
	return c, s.Start(ctx, models.CredentialLifecycle, c.ID, at)
}

// auditRefusal writes a refusal down and lets it last though the request fails (SEC-3). The detail is the fault's type only.
func (s *Store) auditRefusal(ctx context.Context, kind, actor, subject, credentialID string, refusal error, at time.Time) error {
	e := models.AuditEvent{At: at, Class: models.LifecycleEvents, Kind: kind, Actor: actor, SubjectRef: subject,
		Outcome: models.Failed, Detail: map[string]string{"reason": models.FaultOf(refusal).Type.Slug}}
	if credentialID != "" {
		e.CredentialID = &credentialID
	}
	if err := s.Audit(ctx, e); err != nil {
		return err
	}
	return kept{refusal}
}
