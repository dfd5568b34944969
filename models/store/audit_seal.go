package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"tokendesk/internal/seal"
	"tokendesk/models"
)

// SealAudit chains the events of a class that were written since it was last called, signs the checkpoint, and returns how
// many events it sealed (SEC-3). When nothing is new it writes nothing.
//
// Rows carry the transaction that wrote them. Transactions below pg_snapshot_xmin have all ended, so the rows from where the last
// batch ends up to there are complete and nothing can be added to them any more: batches follow each other without a
// gap, no row is touched and no login waits. A transaction that stays open holds sealing back, never writing. One sealer of a
// class works at a time; others wait for their turn.
func (s *Store) SealAudit(ctx context.Context, class models.RetentionClass, signer *seal.Signer, at time.Time) (rows int, err error) {
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "select pg_advisory_xact_lock(hashtext('audit_seals'), hashtext($1))", class); err != nil {
			return err
		}
		last, err := lastSeal(ctx, tx, class)
		if err != nil {
			return err
		}
		var from, to uint64 // transactions: all below from have ended, none from to on has begun
		if err := tx.QueryRow(ctx, "select pg_snapshot_xmin(now), pg_snapshot_xmax(now) from pg_current_snapshot() now").Scan(&from, &to); err != nil {
			return err
		}
		sealer := auditSealer{tx, signer, at}
		if last.To > to { // transactions are counted anew: the database was restored into another cluster
			if last, err = sealer.closeEpoch(ctx, last, &rows); err != nil {
				return err
			}
		}
		_, err = sealer.seal(ctx, last, from, &rows)
		return err
	})
	if err != nil {
		return 0, fault(fmt.Errorf("seal the audit trail: %w", err))
	}
	return rows, nil
}

// auditSealer writes seals in one transaction.
type auditSealer struct {
	tx     pgx.Tx
	signer *seal.Signer
	at     time.Time
}

// closeEpoch seals what was still unsealed when the database was restored, and returns where the next epoch begins. That
// rest has transactions from where the last batch ends; the new cluster has not come that far, or there would be no new
// epoch. Its own rows are told apart by their ids, which go on: a restore keeps the sequence.
func (a auditSealer) closeEpoch(ctx context.Context, last models.Checkpoint, rows *int) (models.Checkpoint, error) {
	var newest uint64
	err := a.tx.QueryRow(ctx, "select xid from audit_events where class = $1 and id > $2 and xid >= $3 order by xid desc limit 1",
		last.Class, last.AfterID, last.To).Scan(&newest)
	if err == nil {
		last, err = a.seal(ctx, last, newest+1, rows)
	}
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return last, err
	}
	return models.Checkpoint{Class: last.Class, Epoch: last.Epoch + 1, AfterID: last.ThroughID, ThroughID: last.ThroughID, Hash: last.Hash}, nil
}

// seal seals the rows of the transactions below a number as the batch after last, and returns its checkpoint, or last
// when there are none.
func (a auditSealer) seal(ctx context.Context, last models.Checkpoint, to uint64, rows *int) (models.Checkpoint, error) {
	if to <= last.To {
		return last, nil
	}
	c := models.Checkpoint{Class: last.Class, Epoch: last.Epoch, Batch: last.Batch + 1, AfterID: last.AfterID, ThroughID: last.ThroughID,
		From: last.To, To: to, SealedAt: a.at.UTC().Truncate(time.Microsecond)}
	digests := sha256.New()
	events, err := auditRows(ctx, a.tx, auditRange{c.Class, c.AfterID, maxID, c.From, c.To})
	if err != nil {
		return last, err
	}
	defer events.Close()
	for events.Next() {
		c.Rows++
		c.ThroughID = max(c.ThroughID, events.row.id)
		digests.Write(events.Digest())
	}
	if err := events.Err(); err != nil || c.Rows == 0 {
		return last, err
	}
	c.Hash = batchHash(last.Hash, c, digests)
	signature := a.signer.Sign(c.Message())
	c.KeyID, c.Signature = signature.KeyID, signature.Value
	_, err = a.tx.Exec(ctx, `
		insert into audit_seals (class, epoch, batch, after_id, through_id, lo, hi, row_count, previous, hash, key_id, signature, sealed_at)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
		c.Class, c.Epoch, c.Batch, c.AfterID, c.ThroughID, c.From, c.To, c.Rows, last.Hash, c.Hash, c.KeyID, c.Signature, c.SealedAt)
	*rows += int(c.Rows)
	return c, err
}

// LastCheckpoint returns the newest checkpoint of a class, to be kept elsewhere, and whether there is one.
func (s *Store) LastCheckpoint(ctx context.Context, class models.RetentionClass) (models.Checkpoint, bool, error) {
	c, err := lastSeal(ctx, s.pool, class)
	if err != nil {
		return c, false, fault(fmt.Errorf("read the last checkpoint: %w", err))
	}
	return c, c.Batch > 0, nil
}

// querier is a pool, a connection or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

const sealColumns = `class, epoch, batch, after_id, through_id, lo, hi, row_count, hash, sealed_at, key_id, signature`

func sealFields(c *models.Checkpoint) []any {
	return []any{&c.Class, &c.Epoch, &c.Batch, &c.AfterID, &c.ThroughID, &c.From, &c.To, &c.Rows, &c.Hash, &c.SealedAt, &c.KeyID, &c.Signature}
}

// lastSeal is the newest checkpoint of a class, or what comes before the first one.
func lastSeal(ctx context.Context, db querier, class models.RetentionClass) (models.Checkpoint, error) {
	c := models.Checkpoint{}
	err := db.QueryRow(ctx, "select "+sealColumns+" from audit_seals where class = $1 order by epoch desc, batch desc limit 1", class).Scan(sealFields(&c)...)
	if errors.Is(err, pgx.ErrNoRows) {
		return beforeFirstSeal(class), nil
	}
	return c, err
}

func beforeFirstSeal(class models.RetentionClass) models.Checkpoint {
	return models.Checkpoint{Class: class, Epoch: 1, Hash: make([]byte, sha256.Size)}
}
