package store

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"time"

	"gorm.io/gorm/clause"
	"tokendesk/models"
)

// IdempotentCall is one use of an Idempotency-Key.
type IdempotentCall struct {
	Principal   string // whose key it is: ac_…, ak_…
	Key         string
	Operation   string
	RequestHash []byte // of everything that makes the request what it is
}

// context binds the sealed hash of a request to its row. A plain hash would let whoever reads the database guess the passwords
// and codes that a request carried.
func (c IdempotentCall) context() string { return "idempotency/" + c.Principal + "/" + c.Key }

// Vault seals and opens what rests in the database.
type Vault interface {
	Sealer
	Opener
}

// IdempotentAnswer is what the first call was answered with, secrets redacted (SEC-5).
type IdempotentAnswer struct {
	Status int
	Header map[string]string
	Body   json.RawMessage // nil: none
}

// IdempotencyClaim is what a call may do: give the answer again if there is one, else do its work. Resource is what an
// earlier call under the key has made before it was interrupted; the work goes on from there. Since is the first use of the key: the
// same for every call that resumes it, another one when the key is used anew after it was purged.
type IdempotencyClaim struct {
	Answer   *IdempotentAnswer
	Resource string
	Since    time.Time
}

type idempotencyRow struct {
	Principal      string `gorm:"primaryKey"`
	Key            string `gorm:"primaryKey"`
	Operation      string
	RequestHash    []byte // sealed
	Resource       *string
	ResponseStatus *int
	ResponseBody   json.RawMessage   `gorm:"type:json"`
	ResponseHeader map[string]string `gorm:"serializer:json"`
	LockedUntil    time.Time
	CreatedAt      time.Time `gorm:"autoCreateTime:false"`
}

func (idempotencyRow) TableName() string { return "idempotency_keys" }

// ClaimKey reserves a key for one call, at most for the lease: whoever dies with it leaves it to the next call after that.
// Of simultaneous calls one gets it.
//
// Faults: IdempotencyKeyReused (the key was used for another request), IdempotencyKeyInFlight (the first call is running).
func (s *Store) ClaimKey(ctx context.Context, c IdempotentCall, vault Vault, at time.Time, lease time.Duration) (claim IdempotencyClaim, err error) {
	sealed, err := vault.Seal(c.RequestHash, c.context())
	if err != nil {
		return claim, fmt.Errorf("claim an idempotency key: %w", err)
	}
	at = at.Truncate(time.Microsecond) // as the database keeps it
	row := idempotencyRow{Principal: c.Principal, Key: c.Key, Operation: c.Operation, RequestHash: sealed, LockedUntil: at.Add(lease), CreatedAt: at}
	err = s.InTx(ctx, func(tx *Store) error {
		created := tx.with(ctx).Clauses(clause.OnConflict{DoNothing: true}).
			Select("Principal", "Key", "Operation", "RequestHash", "LockedUntil", "CreatedAt").Create(&row)
		if created.Error != nil || created.RowsAffected == 1 {
			claim = IdempotencyClaim{Since: at}
			return created.Error
		}
		claim, err = tx.takeOver(ctx, c, vault, at, lease)
		return err
	})
	if err != nil {
		return IdempotencyClaim{}, fmt.Errorf("claim an idempotency key: %w", err)
	}
	return claim, nil
}

func (s *Store) takeOver(ctx context.Context, c IdempotentCall, vault Vault, at time.Time, lease time.Duration) (IdempotencyClaim, error) {
	var row idempotencyRow
	if err := s.with(ctx).Clauses(clause.Locking{Strength: "UPDATE"}).Where("principal = ? and key = ?", c.Principal, c.Key).Take(&row).Error; err != nil {
		return IdempotencyClaim{}, err
	}
	hash, err := vault.Open(row.RequestHash, c.context())
	if err != nil {
		return IdempotencyClaim{}, fmt.Errorf("open the hash of the first request: %w", err)
	}
	switch {
	case row.Operation != c.Operation || subtle.ConstantTimeCompare(hash.Reveal(), c.RequestHash) != 1:
		return IdempotencyClaim{}, models.IdempotencyKeyReused.New("")
	case row.ResponseStatus != nil:
		return IdempotencyClaim{Answer: &IdempotentAnswer{*row.ResponseStatus, row.ResponseHeader, row.ResponseBody}}, nil
	case row.LockedUntil.After(at):
		return IdempotencyClaim{}, models.IdempotencyKeyInFlight.New("").After(row.LockedUntil.Sub(at))
	}
	return IdempotencyClaim{Resource: deref(row.Resource), Since: row.CreatedAt}, s.changeKey(ctx, c, map[string]any{"locked_until": at.Add(lease)})
}

// NoteResource notes what a call has made, in the transaction that makes it: a repeated call resumes it.
func (s *Store) NoteResource(ctx context.Context, c IdempotentCall, resource string) error {
	return s.changeKey(ctx, c, map[string]any{"resource": resource})
}

// SettleKey keeps the answer of a call: from now on, the key gives it again.
func (s *Store) SettleKey(ctx context.Context, c IdempotentCall, a IdempotentAnswer) error {
	header, err := json.Marshal(a.Header)
	if err != nil {
		return fmt.Errorf("keep an answer: %w", err)
	}
	var body any
	if len(a.Body) > 0 {
		body = string(a.Body)
	}
	return s.changeKey(ctx, c, map[string]any{"response_status": a.Status, "response_header": string(header), "response_body": body})
}

// ReleaseKey gives a key back after a call that came to nothing for technical reasons, so that the same call can be
// repeated at once.
func (s *Store) ReleaseKey(ctx context.Context, c IdempotentCall, at time.Time) error {
	return s.changeKey(ctx, c, map[string]any{"locked_until": at})
}

func (s *Store) changeKey(ctx context.Context, c IdempotentCall, set map[string]any) error {
	r := s.with(ctx).Table("idempotency_keys").Where("principal = ? and key = ? and response_status is null", c.Principal, c.Key).Updates(set)
	if r.Error != nil {
		return fault(fmt.Errorf("change an idempotency record: %w", r.Error))
	}
	return nil
}

// PurgeKeys forgets keys that were first used before a moment, and returns how many.
func (s *Store) PurgeKeys(ctx context.Context, before time.Time) (int64, error) {
	r := s.with(ctx).Exec("delete from idempotency_keys where created_at < ?", before)
	return r.RowsAffected, fault(r.Error)
}
