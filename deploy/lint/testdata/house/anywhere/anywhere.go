// Package anywhere breaks the rules that hold everywhere.
package anywhere

import (
	"database/sql"
	"errors"
	"log"       // want: depguard
	"math/rand" // want: depguard
)

// ErrBusy is compared below.
var ErrBusy = errors.New("busy")

// Busy misses wrapped errors.
func Busy(err error) bool { return err == ErrBusy } // want: errorlint

// Open makes a second pool.
func Open() (*sql.DB, error) {
	log.Print(rand.Int())
	return sql.Open("pgx", "") // want: forbidigo
}

func Undocumented(db *sql.DB) { // want: revive
	db.Ping() // want: errcheck noctx
}

func forgotten() {} // want: unused
