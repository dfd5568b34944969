package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"tokendesk/models"
)

// CreateAPIKey makes a key for a staff member or a partner's application. The key is returned once; the database has its
// hash and last four characters. Keys of a partner's roles need the partner, others must have none. Fault: InvalidRequest.
func (s *Store) CreateAPIKey(ctx context.Context, name string, role models.Role, partnerID string, at time.Time) (models.Secret, models.APIKey, error) {
	switch {
	case strings.TrimSpace(name) == "":
		return "", models.APIKey{}, models.InvalidRequest.New("the key needs a name").At("/name")
	case !slices.Contains(models.Roles(), role) || role.OfAccount():
		return "", models.APIKey{}, models.InvalidRequest.New("an API key cannot have this role").At("/role")
	case role.OfPartner() != (partnerID != ""):
		return "", models.APIKey{}, models.InvalidRequest.New("keys of partners name the partner, others none").At("/partner_id")
	}
	secret := newSecret(apiKeyPrefix)
	text := secret.Reveal()
	key := models.APIKey{ID: NewID("ak", at), Name: name, Role: role, SecretHash: hashSecret(secret), LastFour: text[len(text)-4:], CreatedAt: at}
	err := s.InTx(ctx, func(tx *Store) error {
		if partnerID != "" {
			if _, err := tx.Partner(ctx, partnerID); err != nil {
				return err
			}
			key.PartnerID = &partnerID
		}
		if err := tx.with(ctx).Create(&key).Error; err != nil {
			return fmt.Errorf("create an API key: %w", err)
		}
		return tx.auditKey(ctx, key.ID, "api_key.created", "system", at)
	})
	if err != nil {
		return "", models.APIKey{}, err
	}
	return secret, key, nil
}

// APIKeyBySecret returns the key that a caller presents. It is on the path of every verification, so it goes to the pool
// past GORM, in one round trip, and joins no transaction. Fault: NotAuthenticated.
func (s *Store) APIKeyBySecret(ctx context.Context, secret models.Secret) (models.APIKey, error) {
	var k models.APIKey
	err := s.pool.QueryRow(ctx, "select id, name, role, partner_id, secret_hash, last_four, created_at from api_keys where secret_hash = $1 and revoked_at is null", hashSecret(secret)).
		Scan(&k.ID, &k.Name, &k.Role, &k.PartnerID, &k.SecretHash, &k.LastFour, &k.CreatedAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return k, models.NotAuthenticated.New("the API key is unknown or was revoked")
	}
	if err != nil {
		return k, fault(fmt.Errorf("find an API key: %w", err))
	}
	return k, nil
}

// APIKeys lists the keys, oldest first, revoked ones included.
func (s *Store) APIKeys(ctx context.Context, p Page) ([]models.APIKey, error) {
	var rows []models.APIKey
	err := s.with(ctx).Where("id > ?", p.After).Order("id").Limit(p.limit()).Find(&rows).Error
	return rows, fault(err)
}

// RevokeAPIKey ends a key at once; revoking a revoked one changes nothing. Fault: NoSuchThing.
func (s *Store) RevokeAPIKey(ctx context.Context, id string, by models.Actor, at time.Time) error {
	return s.InTx(ctx, func(tx *Store) error {
		r := tx.with(ctx).Exec("update api_keys set revoked_at = ? where id = ? and revoked_at is null", at, id)
		if r.Error != nil {
			return fmt.Errorf("revoke an API key: %w", r.Error)
		}
		if r.RowsAffected == 1 {
			return tx.auditKey(ctx, id, "api_key.revoked", by.ID, at)
		}
		var k models.APIKey
		return fault(tx.with(ctx).Where("id = ?", id).Take(&k).Error)
	})
}

func (s *Store) auditKey(ctx context.Context, id, kind, actor string, at time.Time) error {
	return s.Audit(ctx, models.AuditEvent{At: at, Class: models.AdministrationEvents, Kind: kind, Actor: actor, SubjectRef: id, Outcome: models.Succeeded})
}
