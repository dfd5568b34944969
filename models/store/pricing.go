package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"tokendesk/models"
)

// buying is who buys when, and how it is to be paid.
type buying struct {
	buyer       models.Account
	administers bool // of the organization
	method      models.PaymentMethod
	loggedIn    string // the credential that the buyer's session was authenticated with; empty: none
	at          time.Time
}

// pricedLine is a line that was checked, with what that showed.
type pricedLine struct {
	models.OrderLine
	product  models.Product
	standing models.Standing // of the credential that the line is for, if any
	warranty bool
}

func (s *Store) buying(ctx context.Context, n models.NewOrder, at time.Time) (b buying, err error) {
	b = buying{method: n.PaymentMethod, loggedIn: n.LoggedInWith, at: at}
	if b.buyer, err = s.Account(ctx, n.BuyerID); err != nil {
		return b, err
	}
	roles, err := s.Roles(ctx, n.BuyerID)
	b.administers = b.buyer.OrganizationID != nil && slices.Contains(roles, models.RoleOrgAdmin)
	return b, err
}

// acts says in whose name the buyer does something with a credential.
func (b buying) acts(c models.Credential) models.Suspender {
	if c.AccountID == b.buyer.ID {
		return models.BySubscriber
	}
	return models.ByAdministrator
}

// forbid is a fault about the state of the credential that a line names: it lists what the buyer can do with it instead.
func (b buying) forbid(f *models.Fault, st models.Standing, refused models.CredentialAction, pointer string) error {
	allowed := st.Actions(b.acts(st.Credential), b.at)
	allowed = slices.DeleteFunc(allowed, func(a models.CredentialAction) bool { return a == refused })
	return f.At(pointer + "/credential_id").Allowing(models.Events(allowed)...)
}

// priceLines checks what is to be bought, for whom, and what it costs.
//
// Faults: InvalidRequest, ProductUnavailable, BeneficiaryUnknown, CurrencyMismatch, CredentialUnknown, ProductDoesNotFit, and those about
// a credential's state: CredentialIsRevoked, RenewalPending, RenewalNotOpen, RenewalByCardOnly, RenewalTooLate, ReplacementPending,
// ReplacementNotPossible, and those of priceProofing.
func (s *Store) priceLines(ctx context.Context, n models.NewOrder, at time.Time) ([]pricedLine, error) {
	if len(n.Lines) == 0 {
		return nil, models.InvalidRequest.New("an order needs at least one line").At("/lines")
	}
	b, err := s.buying(ctx, n, at)
	if err != nil {
		return nil, err
	}
	var priced []pricedLine
	for i, line := range n.Lines {
		pointer := fmt.Sprintf("/lines/%d", i)
		p, err := s.priceLine(ctx, b, line, priced, pointer)
		if err != nil {
			return nil, err
		}
		p.Position = i + 1
		if slices.ContainsFunc(priced, p.repeats) {
			return nil, models.InvalidRequest.New("another line does the same to this credential").At(pointer + "/credential_id")
		}
		if priced = append(priced, p); priced[0].product.Currency != p.product.Currency {
			return nil, models.CurrencyMismatch.New("all lines of an order share one currency").At(pointer + "/product_sku")
		}
	}
	return priced, nil
}

// repeats reports whether two lines do the same to one credential.
func (p pricedLine) repeats(other pricedLine) bool {
	return p.CredentialID != nil && other.CredentialID != nil && *p.CredentialID == *other.CredentialID && p.product.Kind == other.product.Kind
}

// renewed lets a line see the credential as a renewal before it in the order will leave it.
func (p *pricedLine) renewed(before []pricedLine) {
	for _, other := range before {
		if other.product.Kind == models.Renewal && p.CredentialID != nil && *other.CredentialID == *p.CredentialID {
			p.standing.Credential.ExpiresAt = p.standing.Window.NewExpiry
		}
	}
}

func (s *Store) priceLine(ctx context.Context, b buying, line models.NewOrderLine, before []pricedLine, pointer string) (p pricedLine, err error) {
	if p.product, err = s.sold(ctx, line.ProductSKU, pointer); err != nil {
		return p, err
	}
	p.ProductSKU, p.PriceMinor = p.product.SKU, p.product.PriceMinor
	var beneficiary models.Account
	if p.product.Kind.Subscribed() {
		if line.CredentialID != "" {
			return p, models.InvalidRequest.New("the product is a new credential").At(pointer + "/credential_id")
		}
		beneficiary, err = s.beneficiary(ctx, b.buyer, line.BeneficiaryID, pointer)
	} else {
		beneficiary, err = s.holder(ctx, b, line, &p, pointer)
	}
	if err != nil {
		return p, err
	}
	p.BeneficiaryID = beneficiary.ID
	if !p.product.SoldTo(beneficiary.Country) {
		return p, models.ProductUnavailable.New("the product is not sold in the beneficiary's country").At(pointer + "/product_sku")
	}
	switch {
	case p.product.Kind != models.ProofingUpgrade && (line.ProofingCountry != "" || line.RequirementsAcknowledged):
		return p, models.InvalidRequest.New("only a proofing upgrade has a country of proofing and requirements").At(pointer + "/proofing_country")
	case p.product.Kind == models.Replacement:
		p.renewed(before)
		return p, s.priceReplacement(ctx, b, line.ReplacementReason, &p, pointer)
	case line.ReplacementReason != "":
		return p, models.InvalidRequest.New("only a replacement has such a reason").At(pointer + "/replacement_reason")
	case p.product.Kind == models.ProofingUpgrade:
		return p, s.priceProofing(ctx, b, line, &p, pointer)
	case p.product.Kind == models.Renewal:
		return p, s.priceRenewal(ctx, b, &p, pointer)
	}
	return p, nil
}

// sold finds a product that can be bought now.
func (s *Store) sold(ctx context.Context, sku, pointer string) (models.Product, error) {
	product, err := s.Product(ctx, sku)
	switch {
	case errors.Is(err, models.NoSuchThing):
		return product, models.ProductUnavailable.New("there is no such product").At(pointer + "/product_sku")
	case err != nil:
		return product, err
	case product.Status != models.ProductActive:
		return product, models.ProductUnavailable.New("the product is retired").At(pointer + "/product_sku")
	}
	switch product.Kind {
	case models.HardwareOTP, models.Renewal, models.Replacement, models.ProofingUpgrade:
		return product, nil
	}
	return product, models.ProductUnavailable.New("this kind of product is not sold yet").At(pointer + "/product_sku")
}

// beneficiary is the buyer, or an account of the buyer's organization. A stranger's account is not told from one that
// does not exist.
func (s *Store) beneficiary(ctx context.Context, buyer models.Account, id, pointer string) (models.Account, error) {
	if id == "" || id == buyer.ID {
		return buyer, nil
	}
	other, err := s.Account(ctx, id)
	if err != nil && models.KindOf(err) != models.NotFound {
		return other, err
	}
	if err != nil || !sameOrganization(buyer, other) {
		return other, models.BeneficiaryUnknown.New("").At(pointer + "/beneficiary_id")
	}
	return other, nil
}

func sameOrganization(a, b models.Account) bool {
	return a.OrganizationID != nil && b.OrganizationID != nil && *a.OrganizationID == *b.OrganizationID
}

// holder is whose credential the line changes: the buyer, or, where the buyer administers an organization, an account of it (REN-3).
// Somebody else's credential is not told from one that does not exist.
func (s *Store) holder(ctx context.Context, b buying, line models.NewOrderLine, p *pricedLine, pointer string) (a models.Account, err error) {
	if line.CredentialID == "" {
		return a, models.InvalidRequest.New("name the credential that this is for").At(pointer + "/credential_id")
	}
	unknown := models.CredentialUnknown.New("").At(pointer + "/credential_id")
	if p.standing, err = s.Standing(ctx, line.CredentialID, b.at); errors.Is(err, models.NoSuchThing) {
		return a, unknown
	} else if err != nil {
		return a, err
	}
	c := p.standing.Credential
	p.standing.LoggedIn = c.AccountID == b.buyer.ID && c.ID == b.loggedIn
	if a, err = s.Account(ctx, c.AccountID); err != nil {
		return a, err
	}
	if a.ID != b.buyer.ID && (!b.administers || !sameOrganization(b.buyer, a)) {
		return a, unknown
	}
	if line.BeneficiaryID != "" && line.BeneficiaryID != a.ID {
		return a, models.BeneficiaryUnknown.New("the credential belongs to somebody else").At(pointer + "/beneficiary_id")
	}
	bought, err := s.Product(ctx, c.ProductSKU)
	if err != nil {
		return a, err
	}
	if why := p.product.Fits(c, bought); why != "" {
		return a, models.ProductDoesNotFit.New("%s", why).At(pointer + "/product_sku")
	}
	p.CredentialID = &c.ID
	return a, nil
}

// checkShipping refuses an address that a token cannot be sent to.
func checkShipping(lines []pricedLine, to *models.Address) error {
	for _, line := range lines {
		switch {
		case !line.product.Ships():
		case to == nil || !to.Complete():
			return models.AddressMissing.New("a token ships: the shipping address is missing or not complete, or its country is not known").At("/shipping_address")
		case !line.product.SoldTo(to.Country):
			return models.ProductUnavailable.New("the product is not shipped to this country").At("/shipping_address/country")
		}
	}
	return nil
}
