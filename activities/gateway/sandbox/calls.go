package sandbox

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"

	"tokendesk/models"
)

// Once does work under the caller's idempotency key, in one transaction with the record of its answer. The same key
// with the same parameters gives the first answer again, unmarshalled into answer; with others it is a
// models.IdempotencyKeyReused fault. Two calls at once: the second waits for the first. Work that returns an error
// leaves no trace, and may be tried again under its key.
//
// The work puts its writes into the batch, which is sent at once when it is done, to save round trips. params and answer
// are JSON; secrets in them must be revealed by the caller, or they all look alike.
func (s *Store) Once(ctx context.Context, gateway Gateway, key string, params, answer any, work func(pgx.Tx, *pgx.Batch) error) error {
	if key == "" {
		return models.IdempotencyKeyMissing.New("the call needs an idempotency key")
	}
	asked, err := json.Marshal(params)
	if err != nil {
		return fmt.Errorf("sandbox: fingerprint a call: %w", err)
	}
	fingerprint := sha256.Sum256(asked)
	return pgx.BeginFunc(ctx, s.Pool, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `INSERT INTO sandbox.calls (gateway, key, fingerprint) VALUES ($1, $2, $3)
			ON CONFLICT DO NOTHING`, gateway, key, fingerprint[:])
		if err != nil {
			return fmt.Errorf("sandbox: record a call: %w", err)
		}
		if tag.RowsAffected() == 0 {
			return repeated(ctx, tx, gateway, key, fingerprint[:], answer)
		}
		var writes pgx.Batch
		if err := work(tx, &writes); err != nil {
			return err
		}
		given, err := json.Marshal(answer)
		if err != nil {
			return fmt.Errorf("sandbox: keep an answer: %w", err)
		}
		writes.Queue(`UPDATE sandbox.calls SET answer = $3 WHERE gateway = $1 AND key = $2`, gateway, key, given)
		if err := tx.SendBatch(ctx, &writes).Close(); err != nil {
			return fmt.Errorf("sandbox: write what a call did: %w", err)
		}
		return nil
	})
}

func repeated(ctx context.Context, tx pgx.Tx, gateway Gateway, key string, fingerprint []byte, answer any) error {
	var first, given []byte
	err := tx.QueryRow(ctx, `SELECT fingerprint, answer FROM sandbox.calls WHERE gateway = $1 AND key = $2`, gateway, key).
		Scan(&first, &given)
	if err != nil {
		return fmt.Errorf("sandbox: look up a call: %w", err)
	}
	if !bytes.Equal(first, fingerprint) {
		return models.IdempotencyKeyReused.New("the key belongs to a call with other parameters")
	}
	return json.Unmarshal(given, answer)
}
