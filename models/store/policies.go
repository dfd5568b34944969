package store

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"gorm.io/gorm/clause"
	"tokendesk/models"
)

type policyRow struct {
	Version     int `gorm:"primaryKey"`
	Body        []byte
	EffectiveAt time.Time
}

func (policyRow) TableName() string { return "policies" }

// A policy version never changes, so it is read once.
var policyCache sync.Map // of the pool and the version

type policyKey struct {
	pool    any
	version int
}

// Policy returns one version of the policy.
func (s *Store) Policy(ctx context.Context, version int) (models.Policy, error) {
	key := policyKey{s.pool, version}
	if p, ok := policyCache.Load(key); ok {
		return p.(models.Policy), nil
	}
	var row policyRow
	if err := s.with(ctx).Where("version = ?", version).Take(&row).Error; err != nil {
		return models.Policy{}, fault(fmt.Errorf("read policy %d: %w", version, err))
	}
	p := models.DefaultPolicy() // what a version older than a field does not state
	if err := json.Unmarshal(row.Body, &p); err != nil {
		return p, fmt.Errorf("read policy %d: %w", version, err)
	}
	p.Version = version
	policyCache.Store(key, p)
	return p, nil
}

// CurrentPolicy returns the policy in effect at a moment.
func (s *Store) CurrentPolicy(ctx context.Context, at time.Time) (models.Policy, error) {
	var versions []int
	err := s.with(ctx).Table("policies").Where("effective_at <= ?", at).Order("effective_at desc, version desc").Limit(1).Pluck("version", &versions).Error
	if err != nil {
		return models.Policy{}, fault(fmt.Errorf("find the current policy: %w", err))
	}
	if len(versions) == 0 {
		return models.Policy{}, models.NoSuchThing.New("no policy is in effect")
	}
	return s.Policy(ctx, versions[0])
}

// AddPolicy adds a version. An existing version is left as it is: versions are pinned by agreements.
func (s *Store) AddPolicy(ctx context.Context, p models.Policy, effective time.Time) error {
	body, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("write policy %d: %w", p.Version, err)
	}
	return fault(s.with(ctx).Clauses(clause.OnConflict{DoNothing: true}).Create(&policyRow{p.Version, body, effective}).Error)
}
