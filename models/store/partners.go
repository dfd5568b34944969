package store

import (
	"context"
	"fmt"
	"time"

	"tokendesk/models"
)

// CreatePartner adds a partner and what its applications accept (CAT-2). An empty id is made. Faults: InvalidRequest, EditConflict (the name is taken).
func (s *Store) CreatePartner(ctx context.Context, p models.Partner, at time.Time) (models.Partner, error) {
	if p.ID == "" {
		p.ID = NewID("pa", at)
	}
	p.CreatedAt = at
	if err := p.Validate(); err != nil {
		return p, err
	}
	return p, s.InTx(ctx, func(tx *Store) error {
		if err := tx.with(ctx).Create(&p).Error; err != nil {
			return fmt.Errorf("create a partner: %w", err)
		}
		return tx.Audit(ctx, models.AuditEvent{At: at, Class: models.AdministrationEvents, Kind: "partner.created",
			Actor: "system", SubjectRef: p.ID, Outcome: models.Succeeded})
	})
}

// Partner returns one partner.
func (s *Store) Partner(ctx context.Context, id string) (models.Partner, error) {
	var p models.Partner
	err := s.with(ctx).Where("id = ?", id).Take(&p).Error
	return p, fault(err)
}

// Partners lists the partners by name.
func (s *Store) Partners(ctx context.Context) ([]models.Partner, error) {
	var rows []models.Partner
	err := s.with(ctx).Order("name").Find(&rows).Error
	return rows, fault(err)
}
