package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"tokendesk/models"
)

// EnsureAuditPartitions makes the partitions of the audit trail for whole months (UTC), from the month of a moment on, for every
// class, and returns how many it made. What has no month of its own goes to the partition for the rest; a month of which events are
// there already stays there. Call it well before the months begin.
//
// A partition is made aside and then attached. Writers of its class wait for that moment: one that had already chosen the
// rest for an event of the month would fail. They wait at most a second, and so does this: fault ServiceDown, to be tried
// again.
func (s *Store) EnsureAuditPartitions(ctx context.Context, from time.Time, months int) (made int, err error) {
	from = from.UTC()
	for i := range months {
		month := time.Date(from.Year(), from.Month()+time.Month(i), 1, 0, 0, 0, 0, time.UTC)
		for _, class := range models.RetentionClasses() {
			ok, err := s.ensureAuditPartition(ctx, class, month)
			if err != nil {
				return made, fault(fmt.Errorf("make the partition of the %s events of %s: %w", class, month.Format("2006-01"), err))
			}
			if ok {
				made++
			}
		}
	}
	return made, nil
}

func (s *Store) ensureAuditPartition(ctx context.Context, class models.RetentionClass, month time.Time) (made bool, err error) {
	parent := "audit_" + string(class)
	name := parent + month.Format("_2006_01")
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "set local lock_timeout = '1s'"); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "select pg_advisory_xact_lock(hashtext('audit_partitions'))"); err != nil {
			return err
		}
		var exists bool
		if err := tx.QueryRow(ctx, "select to_regclass($1) is not null", name).Scan(&exists); err != nil || exists {
			return err
		}
		_, err := tx.Exec(ctx, fmt.Sprintf(`
			create table %[1]s (like %[2]s including defaults including constraints);
			create trigger audit_no_truncate before truncate on %[1]s for each statement execute function refuse_change();
			lock table only %[2]s in share row exclusive mode;
			alter table %[2]s attach partition %[1]s for values from ('%[3]s') to ('%[4]s')`,
			name, parent, month.Format(time.RFC3339), month.AddDate(0, 1, 0).Format(time.RFC3339)))
		made = err == nil
		return err
	})
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch pg.Code {
		case "23514": // check violation: the rest has events of this month
			return false, nil
		case "55P03": // lock not available
			return false, models.ServiceDown.Because(err)
		}
	}
	return made, err
}
