package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"tokendesk/models"
)

// PreviewPolicy holds every credential that is not revoked against another policy than the one that it was bought under, and tells of each
// that would change, in order of their ids. It returns how many it has looked at.
//
// It reads one snapshot in one transaction that cannot write, over one connection that is given back when it returns; rows are read
// as they are told of, so that memory does not grow with their number. An error of tell ends it.
func (s *Store) PreviewPolicy(ctx context.Context, other models.Policy, at time.Time, tell func(models.Credential, models.PolicyEffect) error) (looked int, err error) {
	tx, err := s.pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return 0, fault(fmt.Errorf("preview a policy: %w", err))
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // nothing was written
	agreed, err := agreements(ctx, tx)
	if err != nil {
		return 0, fault(fmt.Errorf("preview a policy: %w", err))
	}
	changed := agreementUnder(other)
	rows, err := tx.Query(ctx, `select id, phase, policy_version, expires_at, expired_at, suspended_at, suspended_by, term_suspended_at, review_since
		from credentials where phase <> 'revoked' order by id`)
	if err != nil {
		return 0, fault(fmt.Errorf("preview a policy: %w", err))
	}
	defer rows.Close()
	for rows.Next() {
		var c models.Credential
		err := rows.Scan(&c.ID, &c.Phase, &c.PolicyVersion, &c.ExpiresAt, &c.ExpiredAt, &c.SuspendedAt, &c.SuspendedBy, &c.TermSuspendedAt, &c.ReviewSince)
		if err != nil {
			return looked, fmt.Errorf("preview a policy: %w", err)
		}
		looked++
		facts := models.LifeFacts{Phase: c.Phase, ExpiresAt: c.ExpiresAt, SuspendedAt: c.SuspendedAt, Undelivered: c.ReviewSince != nil}
		under := agreed[c.PolicyVersion]
		if effect, ok := models.EffectOf(c, facts, under.policy, changed.policy, under.bank, changed.bank, at); ok {
			if err := tell(c, effect); err != nil {
				return looked, err
			}
		}
	}
	if err := rows.Err(); err != nil {
		return looked, fault(fmt.Errorf("preview a policy: %w", err))
	}
	return looked, nil
}

// agreement is a policy with its bank calendar.
type agreement struct {
	policy models.Policy
	bank   *closings
}

func agreementUnder(p models.Policy) agreement {
	return agreement{p, &closings{bank(p), map[int64]time.Time{}}}
}

func agreements(ctx context.Context, tx pgx.Tx) (map[int]agreement, error) {
	rows, err := tx.Query(ctx, "select version, body from policies")
	if err != nil {
		return nil, err
	}
	out, row := map[int]agreement{}, policyRow{}
	_, err = pgx.ForEachRow(rows, []any{&row.Version, &row.Body}, func() error {
		p, err := row.policy()
		out[p.Version] = agreementUnder(p)
		return err
	})
	return out, err
}

// closings remembers the days that were asked for: many credentials end on the same ones.
type closings struct {
	bank  models.BankDays
	known map[int64]time.Time // by the second
}

// CloseOfBusiness is that of the calendar.
func (c *closings) CloseOfBusiness(day time.Time) time.Time {
	closes, ok := c.known[day.Unix()]
	if !ok {
		closes = c.bank.CloseOfBusiness(day)
		c.known[day.Unix()] = closes
	}
	return closes
}
