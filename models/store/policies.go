package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"time"

	"gorm.io/gorm/clause"
	"tokendesk/models"
)

type policyRow struct {
	Version     int `gorm:"primaryKey"`
	Body        []byte
	EffectiveAt time.Time
	BasedOn     *int
	Reason      string
	AddedBy     string
	AddedAt     *time.Time
}

func (policyRow) TableName() string { return "policies" }

func (r policyRow) policy() (models.Policy, error) {
	p := models.DefaultPolicy() // what a version older than a field does not state
	if err := json.Unmarshal(r.Body, &p); err != nil {
		return p, fmt.Errorf("read policy %d: %w", r.Version, err)
	}
	p.Version = r.Version
	return p, nil
}

// PolicyVersion is a version of the policy and how it came to be.
type PolicyVersion struct {
	models.Policy
	EffectiveAt time.Time // new agreements are made under it from then on
	Base        *int      // the version that it was made of; nil: it came with the program
	Reason      string
	AddedBy     string
	AddedAt     *time.Time
}

// PolicyVersions lists every version of the policy, newest first.
func (s *Store) PolicyVersions(ctx context.Context) ([]PolicyVersion, error) {
	var rows []policyRow
	if err := s.with(ctx).Order("version desc").Find(&rows).Error; err != nil {
		return nil, fault(fmt.Errorf("list the policies: %w", err))
	}
	out := make([]PolicyVersion, len(rows))
	for i, row := range rows {
		p, err := row.policy()
		if err != nil {
			return nil, err
		}
		out[i] = PolicyVersion{p, row.EffectiveAt, row.BasedOn, row.Reason, row.AddedBy, row.AddedAt}
	}
	return out, nil
}

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
	p, err := row.policy()
	if err != nil {
		return p, err
	}
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

// AddPolicy adds a version that comes with the program. An existing version is left as it is: versions are pinned by agreements.
// Faults: PolicyInvalid, joined.
func (s *Store) AddPolicy(ctx context.Context, p models.Policy, effective time.Time) error {
	if err := p.Validate(); err != nil {
		return fmt.Errorf("add policy %d: %w", p.Version, err)
	}
	body, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("write policy %d: %w", p.Version, err)
	}
	return fault(s.with(ctx).Clauses(clause.OnConflict{DoNothing: true}).Create(&policyRow{Version: p.Version, Body: body, EffectiveAt: effective}).Error)
}

// NewPolicy asks for the next version of the policy.
type NewPolicy struct {
	Policy      models.Policy // the whole; the store gives it its version
	Base        int           // the version that it was made of: the newest one
	Reason      string
	EffectiveAt time.Time // zero: at once
}

// PublishPolicy adds the next version of the policy, with its evidence. What is agreed from its moment on is agreed under it, and nothing else
// changes. Of several that are made of the same base, one is added.
//
// Faults: PolicyInvalid (joined), EditConflict (the base is not the newest version), InvalidRequest (the moment).
func (s *Store) PublishPolicy(ctx context.Context, n NewPolicy, actor models.Actor, at time.Time) (version int, err error) {
	if err := n.Policy.Validate(); err != nil {
		return 0, fmt.Errorf("publish a policy: %w", err)
	}
	if n.EffectiveAt.IsZero() {
		n.EffectiveAt = at
	}
	err = s.InTx(ctx, func(tx *Store) error {
		var newest policyRow
		if err := tx.with(ctx).Order("version desc").Take(&newest).Error; err != nil {
			return err
		}
		if err := refusePublication(n, newest, at); err != nil {
			return err
		}
		version = newest.Version + 1
		body, err := json.Marshal(n.Policy)
		if err != nil {
			return err
		}
		row := policyRow{version, body, n.EffectiveAt, &newest.Version, n.Reason, actor.ID, &at}
		if err := tx.with(ctx).Create(&row).Error; err != nil { // somebody else's of the same number is an EditConflict
			return err
		}
		return tx.Audit(ctx, models.AuditEvent{At: at, Class: models.AdministrationEvents, Kind: "policy.published", Actor: actor.ID,
			SubjectRef: "policy/" + strconv.Itoa(version), Outcome: models.Succeeded,
			Detail: map[string]string{"base": strconv.Itoa(n.Base), "reason": n.Reason, "effective_at": n.EffectiveAt.UTC().Format(time.RFC3339)}})
	})
	if err != nil {
		return 0, fmt.Errorf("publish a policy: %w", err)
	}
	return version, nil
}

// refusePublication says what stands against a version that is possible by itself. Versions take effect in the order of their numbers.
func refusePublication(n NewPolicy, newest policyRow, at time.Time) error {
	switch {
	case n.Base != newest.Version:
		return models.EditConflict.New("the newest version is %d", newest.Version).At("/base_version")
	case n.EffectiveAt.Before(at):
		return models.InvalidRequest.New("the moment has passed").At("/effective_at")
	case n.EffectiveAt.Before(newest.EffectiveAt):
		return models.InvalidRequest.New("version %d takes effect later, on %s: not before it", newest.Version,
			newest.EffectiveAt.UTC().Format(time.RFC3339)).At("/effective_at")
	}
	return nil
}
