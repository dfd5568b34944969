package store

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm/clause"
	"tokendesk/models"
)

// ProductFilter selects products. The zero filter selects every active product.
type ProductFilter struct {
	Market    string // ISO 3166-1 alpha-2
	PartnerID string // only what this partner accepts (CAT-2)
}

// authenticates says which authenticator a product brings.
var authenticates = map[models.ProductKind]models.AuthenticatorKind{
	models.HardwareOTP: models.HardwareToken, models.PhoneOTP: models.Phone, models.MobileID: models.MobileDevice,
}

// Products lists the active products that the filter selects, by SKU.
func (s *Store) Products(ctx context.Context, f ProductFilter) ([]models.Product, error) {
	var rows []models.Product
	q := s.with(ctx).Where("status = ?", models.ProductActive).Order("sku")
	if f.Market != "" {
		q = q.Where("market in ('*', ?)", f.Market)
	}
	if err := q.Find(&rows).Error; err != nil {
		return nil, fault(fmt.Errorf("list products: %w", err))
	}
	if f.PartnerID == "" {
		return rows, nil
	}
	partner, err := s.Partner(ctx, f.PartnerID)
	if err != nil {
		return nil, err
	}
	accepted := rows[:0]
	for _, p := range rows {
		if kind, ok := authenticates[p.Kind]; ok && partner.Accepts(kind, p.Level()) {
			accepted = append(accepted, p)
		}
	}
	return accepted, nil
}

// Product returns one product, active or retired.
func (s *Store) Product(ctx context.Context, sku string) (models.Product, error) {
	var p models.Product
	err := s.with(ctx).Where("sku = ?", sku).Take(&p).Error
	return p, fault(err)
}

// PutProduct adds a product or changes its price and status; what was sold keeps the price that it was sold for.
func (s *Store) PutProduct(ctx context.Context, p models.Product) error {
	return fault(s.with(ctx).Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "sku"}},
		DoUpdates: clause.AssignmentColumns([]string{"name", "description", "price_minor", "status"})}).Create(&p).Error)
}

// CurrentDisclaimer returns the disclaimer that a buyer must accept at a moment (ORD-1).
func (s *Store) CurrentDisclaimer(ctx context.Context, at time.Time) (models.Disclaimer, error) {
	var d models.Disclaimer
	err := s.with(ctx).Where("effective_at <= ?", at).Order("version desc").Limit(1).Take(&d).Error
	return d, fault(err)
}

// AddDisclaimer adds a version; an existing version is left as it is.
func (s *Store) AddDisclaimer(ctx context.Context, d models.Disclaimer) error {
	return fault(s.with(ctx).Clauses(clause.OnConflict{DoNothing: true}).Create(&d).Error)
}
