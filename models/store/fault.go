package store

import (
	"context"
	"errors"
	"net"

	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/gorm"
	"tokendesk/models"
)

// byConstraint names the fault that a violated constraint stands for.
var byConstraint = map[string]*models.FaultType{
	"accounts_user_id_key":       models.AccountExists,
	"appointments_one_at_a_time": models.SlotTaken,
	"authenticators_one_token":   models.TokenAlreadyRegistered,
	"authenticators_serial_once": models.SerialIncorrect,
	"license_keys_not_refunded":  models.LineInRefund,
	"payouts_once":               models.PayoutRecorded,
	"refund_lines_once":          models.LineInRefund,
	"unapplied_payouts_once":     models.PayoutRecorded,
}

// fault maps an error of the database to a fault, by PostgreSQL's error code and constraint name.
// Faults and context errors pass unchanged.
func fault(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*models.Fault](err); ok {
		return err
	}
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return models.NoSuchThing.Because(err)
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return ofCode(pg)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if _, ok := errors.AsType[net.Error](err); ok || pgconn.SafeToRetry(err) {
		return models.ServiceDown.Because(err)
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return models.ServiceDown.Because(err)
	}
	return err
}

func ofCode(pg *pgconn.PgError) error {
	if t, ok := byConstraint[pg.ConstraintName]; ok {
		return t.Because(pg)
	}
	switch pg.Code {
	case "40001", "40P01": // serialization failure, deadlock
		return models.ServiceDown.Because(pg)
	case "23505", "23P01": // unique, exclusion
		return models.EditConflict.Because(pg)
	case "22021", "22P05": // a character that the database cannot hold
		return models.InvalidRequest.Because(pg)
	}
	switch pg.Code[:2] {
	case "08", "53", "57": // connection, resources, operator intervention
		return models.ServiceDown.Because(pg)
	}
	return pg
}
