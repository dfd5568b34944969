package models

import "time"

// ProductKind says what a product is (CAT-1).
type ProductKind string

// The kinds of product.
const (
	HardwareOTP     ProductKind = "hardware_otp"
	PhoneOTP        ProductKind = "phone_otp"
	MobileID        ProductKind = "mobile_id"
	ProofingUpgrade ProductKind = "proofing_upgrade"
	AddToken        ProductKind = "add_token"
	Renewal         ProductKind = "renewal"
	Replacement     ProductKind = "replacement"
)

// ProductStatus says whether a product can be bought.
type ProductStatus string

// The statuses of a product.
const (
	ProductActive  ProductStatus = "active"
	ProductRetired ProductStatus = "retired"
)

// Product is one thing that can be bought, for an annual term, in one market.
type Product struct {
	SKU         string `gorm:"primaryKey"`
	Name        string
	Description string
	Kind        ProductKind
	BaseKind    *ProductKind // of a product that changes a credential: the kind of credential that it is for
	Proofing    bool         // the person's identity is proofed: level 3
	Market      string       // ISO 3166-1 alpha-2, or "*" for every market
	TokenModel  *string
	TermMonths  int
	PriceMinor  int64
	Currency    Currency
	Status      ProductStatus
}

// Price of one term.
func (p Product) Price() Money { return Money{p.PriceMinor, p.Currency} }

// Ships reports whether a token travels.
func (p Product) Ships() bool { return p.TokenModel != nil }

// SoldTo reports whether the product can be bought for a country.
func (p Product) SoldTo(country string) bool { return p.Market == "*" || p.Market == country }

// Level of the credential that the product becomes once its proofing, if any, is done.
func (p Product) Level() int {
	if p.Proofing {
		return 3
	}
	return 2
}

// Disclaimer is one version of the text that a buyer accepts (ORD-1).
type Disclaimer struct {
	Version     int `gorm:"primaryKey"`
	Text        string
	EffectiveAt time.Time
}
