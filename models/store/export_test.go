package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"tokendesk/internal/seal"
	"tokendesk/models"
)

// SealAuditBelow seals as SealAudit does in a cluster that has come as far as the given transaction.
func (s *Store) SealAuditBelow(ctx context.Context, class models.RetentionClass, to uint64, signer *seal.Signer, at time.Time) error {
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		last, err := lastSeal(ctx, tx, class)
		if err != nil {
			return err
		}
		var rows int
		_, err = auditSealer{tx, signer, at}.seal(ctx, last, to, &rows)
		return err
	})
}
