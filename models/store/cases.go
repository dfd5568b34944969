package store

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm/clause"
	"tokendesk/models"
)

// OpenCase asks a person to look at something (SUP-1). A second case under the same key is the same case.
func (s *Store) OpenCase(ctx context.Context, dedupeKey, subjectRef, title string, at time.Time) error {
	row := models.SupportCase{ID: NewID("sc", at), DedupeKey: dedupeKey, SubjectRef: subjectRef, Title: title, State: models.CaseOpen, CreatedAt: at}
	err := s.with(ctx).Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "dedupe_key"}}, DoNothing: true}).Create(&row).Error
	if err != nil {
		return fault(fmt.Errorf("open a case: %w", err))
	}
	return nil
}

// ReopenCase is OpenCase for what has come up again: a case that was closed is open once more.
func (s *Store) ReopenCase(ctx context.Context, dedupeKey, subjectRef, title string, at time.Time) error {
	if err := s.OpenCase(ctx, dedupeKey, subjectRef, title, at); err != nil {
		return err
	}
	return fault(s.with(ctx).Table("support_cases").Where("dedupe_key = ? and state = ?", dedupeKey, models.CaseClosed).
		Updates(map[string]any{"state": models.CaseOpen, "closed_at": nil, "title": title}).Error)
}

// Cases lists open cases, oldest first.
func (s *Store) Cases(ctx context.Context, p Page) ([]models.SupportCase, error) {
	var rows []models.SupportCase
	q := s.with(ctx).Where("state = ?", models.CaseOpen).Order("id").Limit(p.limit())
	if p.After != "" {
		q = q.Where("id > ?", p.After)
	}
	return rows, fault(q.Find(&rows).Error)
}

// CloseCase ends a case.
func (s *Store) CloseCase(ctx context.Context, id string, by models.Actor, at time.Time) error {
	return s.InTx(ctx, func(tx *Store) error {
		r := tx.with(ctx).Table("support_cases").Where("id = ? and state = ?", id, models.CaseOpen).
			Updates(map[string]any{"state": models.CaseClosed, "closed_at": at})
		if r.Error != nil {
			return r.Error
		}
		if r.RowsAffected == 0 {
			return models.NoSuchThing.New("no such open case")
		}
		return tx.Audit(ctx, models.AuditEvent{At: at, Class: models.AdministrationEvents, Kind: "case.closed", Actor: by.ID, SubjectRef: id, Outcome: models.Succeeded})
	})
}
