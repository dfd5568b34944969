// Package simulator is a stateful printer and post office for development, demonstration and tests.
//
// It keeps letters and idempotency keys in PostgreSQL, so that they survive a killed process, and takes orders to misbehave. It can be
// called in process, or over HTTP in the API of package wire. Nothing is printed: whoever may see the sandbox reads the letters there,
// as the person at the address would. They are kept sealed, until they are erased; that one was taken is known ever after.
package simulator

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"tokendesk/activities/gateway/post"
	"tokendesk/activities/gateway/sandbox"
	"tokendesk/internal/seal"
	"tokendesk/models"
)

// Unreachable is the postal code of addresses to which no letter can go. No place has it.
const Unreachable = "00000"

// Config of a Simulator. The zero value works.
type Config struct {
	APIKey  models.Secret    // what the HTTP side demands; without one, anything
	Keyring *seal.Keyring    // the same in every process on one database; one that dies with this one where nil
	Now     func() time.Time // the sandbox's clock; time.Now where nil
}

// Simulator takes letters. It is safe for concurrent use, by several processes on one database too.
type Simulator struct {
	store  *sandbox.Store
	config Config
}

var _ post.Provider = (*Simulator)(nil)

const schema = `
CREATE TABLE IF NOT EXISTS sandbox.letters (
    ref      text PRIMARY KEY,
    key      text        NOT NULL UNIQUE,
    sealed   bytea,                      -- the address and the PDF; until erased
    taken_at timestamptz NOT NULL        -- by the sandbox's clock
);
`

// The operations, as orders name them. Orders match the idempotency key.
const (
	send = "send"
	find = "find"
)

var operations = sandbox.Operations{
	send: sandbox.CallEffects,
	find: {sandbox.Fail, sandbox.TimeOut, sandbox.Slow},
}

// New makes the provider on the sandbox's store.
func New(ctx context.Context, store *sandbox.Store, config Config) (_ *Simulator, err error) {
	if err := store.Migrate(ctx, schema); err != nil {
		return nil, err
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Keyring == nil {
		if config.Keyring, err = seal.Generate(); err != nil {
			return nil, err
		}
	}
	return &Simulator{store: store, config: config}, nil
}

// Send takes a letter.
func (s *Simulator) Send(ctx context.Context, l post.Letter) (ref string, err error) {
	if err := l.Check(); err != nil {
		return "", err
	}
	order, err := s.obey(ctx, send, l.IdempotencyKey)
	switch {
	case err != nil:
		return "", err
	case order.Effect == sandbox.Refuse, l.To.PostalCode == Unreachable:
		return "", models.PostalAddressNotUsable.New("no letter can go there")
	}
	content := contents{To: l.To, PDF: l.PDF}
	err = s.store.Once(ctx, sandbox.Post, l.IdempotencyKey, content, &ref, func(_ pgx.Tx, writes *pgx.Batch) error {
		ref = "ltr_" + random()
		sealed, err := s.seal(ref, content)
		if err != nil {
			return err
		}
		writes.Queue(`INSERT INTO sandbox.letters (ref, key, sealed, taken_at) VALUES ($1, $2, $3, $4)`, ref, l.IdempotencyKey, sealed, s.config.Now())
		return nil
	})
	if err != nil {
		return "", technical(err)
	}
	if err := order.After(ctx); err != nil {
		return "", err
	}
	return ref, nil
}

// Find looks for a letter that was taken.
func (s *Simulator) Find(ctx context.Context, idempotencyKey string) (ref string, found bool, err error) {
	if idempotencyKey == "" {
		return "", false, models.IdempotencyKeyMissing.New("a letter is found by its idempotency key")
	}
	order, err := s.obey(ctx, find, idempotencyKey)
	if err != nil {
		return "", false, err
	}
	err = s.store.Pool.QueryRow(ctx, `SELECT ref FROM sandbox.letters WHERE key = $1`, idempotencyKey).Scan(&ref)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return "", false, technical(err)
	}
	if err := order.After(ctx); err != nil {
		return "", false, err
	}
	return ref, ref != "", nil
}

// contents are what is kept of a letter until it is erased.
type contents struct {
	To  models.Address
	PDF []byte
}

func (s *Simulator) seal(ref string, c contents) ([]byte, error) {
	plain, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	return s.config.Keyring.Seal(plain, place(ref))
}

// open is what is kept of a letter; nothing once erased.
func (s *Simulator) open(ref string, sealed []byte) (c contents, err error) {
	if sealed == nil {
		return c, nil
	}
	plain, err := s.config.Keyring.Open(sealed, place(ref))
	if err != nil {
		return c, err
	}
	return c, json.Unmarshal(plain.Reveal(), &c)
}

func place(ref string) string { return "sandbox.letters/" + ref }

// obey finds the order that fits a call, and fails or waits where it says so.
func (s *Simulator) obey(ctx context.Context, operation, subject string) (sandbox.Order, error) {
	order, err := sandbox.Take(ctx, s.store.Pool, sandbox.Post, operation, operations[operation], subject)
	if err != nil {
		return sandbox.Order{}, technical(err)
	}
	return order, order.Before(ctx)
}

// technical makes what is no fault yet a fault to retry.
func technical(err error) error {
	var fault *models.Fault
	if err == nil || errors.As(err, &fault) {
		return err
	}
	return models.ServiceDown.Because(fmt.Errorf("post simulator: %w", err))
}

func random() string {
	b := make([]byte, 12)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
