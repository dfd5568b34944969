package store

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"tokendesk/models"
)

// kept marks a refusal that was counted or audited: the transaction commits what was written before it, so that a wrong
// guess is not forgotten because the request failed (LIC-2, REG-1). Nothing but that evidence may have been written.
type kept struct{ error }

func (k kept) Unwrap() error { return k.error }

// AttemptScope says what is tried.
type AttemptScope string

// The scopes of attempts.
const (
	LicenseKeyByAccount AttemptScope = "license_key/account"
	LicenseKeyByAddress AttemptScope = "license_key/address"
	LoginByName         AttemptScope = "login/name"
	LoginByNameHere     AttemptScope = "login/name+address"
	LoginByAddress      AttemptScope = "login/address"
)

// subjectHash hides who tried: accounts, names as typed and network addresses are stored as hashes only.
const subjectHash = "(select encode(sha256(convert_to(salt || ?, 'UTF8')), 'hex') from attempt_salt)"

// Throttle refuses when the subject has used up its tries in the window before the moment. Inside InTx it holds other tries on
// the same subject back until the end of the transaction, so that a try counted there is seen by all that follow:
// guessing at the same time gains nothing. Fault: TooManyTries, with the time after which one more is allowed.
func (s *Store) Throttle(ctx context.Context, scope AttemptScope, subject string, limit int, window time.Duration, at time.Time) error {
	if limit <= 0 {
		return models.TooManyTries.New("").After(window)
	}
	if s.inTx {
		if err := s.with(ctx).Exec("select pg_advisory_xact_lock(hashtextextended(?, 0))", string(scope)+"\n"+subject).Error; err != nil {
			return fault(fmt.Errorf("wait for other tries: %w", err))
		}
	}
	var tries []time.Time // the one whose ageing out makes room for another
	err := s.with(ctx).Raw("select at from attempts where scope = ? and subject = "+subjectHash+" and at > ? order by at desc offset ? limit 1",
		scope, subject, at.Add(-window), limit-1).Scan(&tries).Error
	if err != nil {
		return fault(fmt.Errorf("count tries: %w", err))
	}
	if len(tries) > 0 {
		return models.TooManyTries.New("").After(max(tries[0].Add(window).Sub(at), time.Second))
	}
	return nil
}

// CountAttempt counts one try and returns its id, by which ForgetAttempts takes it back.
func (s *Store) CountAttempt(ctx context.Context, scope AttemptScope, subject string, at time.Time) (id int64, err error) {
	err = s.with(ctx).Raw("insert into attempts (scope, subject, at) values (?, "+subjectHash+", ?) returning id", scope, subject, at).Row().Scan(&id)
	if err != nil {
		return 0, fault(fmt.Errorf("count a try: %w", err))
	}
	return id, nil
}

// ForgetAttempts takes tries back that turned out right.
func (s *Store) ForgetAttempts(ctx context.Context, ids ...int64) error {
	return fault(s.with(ctx).Exec("delete from attempts where id in ?", ids).Error)
}

// PurgeAttempts removes tries that no window reaches any more, and returns how many.
func (s *Store) PurgeAttempts(ctx context.Context, before time.Time) (int64, error) {
	r := s.with(ctx).Exec("delete from attempts where at < ?", before)
	return r.RowsAffected, fault(r.Error)
}

// network is what is counted of a network address: an IPv4 address, or the /64 network of an IPv6 address, since one
// host has as many addresses there as it likes. What cannot be read is counted as it is.
func network(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	a = a.Unmap().WithZone("")
	if a.Is4() {
		return a.String()
	}
	return netip.PrefixFrom(a, 64).Masked().String()
}
