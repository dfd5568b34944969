package main

import (
	"context"
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"tokendesk/internal/app"
	"tokendesk/internal/otp"
	"tokendesk/internal/pgcluster"
	"tokendesk/internal/seal"
	"tokendesk/models"
	"tokendesk/models/migrations"
	"tokendesk/models/store"
)

// Everybody has a token of the most common kind.
var device = otp.Parameters{Kind: otp.HOTP, Algorithm: otp.SHA1, Digits: 6}

func userID(i int) string { return "person" + strconv.Itoa(i) + "@example.com" }
func serial(i int) string { return fmt.Sprintf("T%09d", i) }

func seedOf(i int) []byte {
	sum := sha1.Sum(binary.BigEndian.AppendUint64(nil, uint64(i)))
	return sum[:]
}

func codeOf(i int, counter int64) string { return otp.Code(seedOf(i), device, counter) }

// repeats reports whether the digits of a code stood in the window before it: then it is refused, as used before (LOG-3). It
// happens about once in a hundred thousand codes.
func repeats(i int, counter int64) bool {
	code := codeOf(i, counter)
	for c := max(0, counter-int64(models.DefaultPolicy().OTP.HOTPLookAhead)); c < counter; c++ {
		if codeOf(i, c) == code {
			return true
		}
	}
	return false
}

// load makes a database with people who each have an active credential and a registered token, and a relying application
// with the key that is returned. What verification does not read, orders and keys, is left out.
func load(ctx context.Context, cluster *pgcluster.Cluster, url string, ring *seal.Keyring, size int) (st *store.Store, key models.Secret, err error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, "", err
	}
	if _, err := pgcluster.CreateDatabase(ctx, cluster.URL("postgres"), cfg.Database); err != nil {
		return nil, "", err
	}
	if st, err = store.Open(ctx, url); err != nil {
		return nil, "", err
	}
	defer func() {
		if err != nil {
			st.Close()
		}
	}()
	db, err := st.SQL()
	if err != nil {
		return nil, "", err
	}
	now := app.RealClock()
	if err := migrations.Up(ctx, db); err != nil {
		return nil, "", err
	}
	if err := st.AddPolicy(ctx, models.DefaultPolicy(), now); err != nil {
		return nil, "", err
	}
	if _, err := st.EnsureAuditPartitions(ctx, now, 2); err != nil {
		return nil, "", err
	}
	partner, err := st.CreatePartner(ctx, models.Partner{Name: "Bank", AcceptsKinds: []models.AuthenticatorKind{models.HardwareToken}, MinimumLevel: 2}, now)
	if err != nil {
		return nil, "", err
	}
	if key, _, err = st.CreateAPIKey(ctx, "bench", models.RoleRelyingApp, partner.ID, now); err != nil {
		return nil, "", err
	}
	return st, key, copyPeople(ctx, st, ring, size, now)
}

// copyPeople copies rows into the tables that a verification reads.
func copyPeople(ctx context.Context, st *store.Store, ring *seal.Keyring, size int, now time.Time) error {
	conn, err := st.Pool().Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	if _, err := conn.Exec(ctx, "set session_replication_role = replica"); err != nil { // no orders to refer to
		return err
	}
	began := now.AddDate(0, -1, 0)
	id := func(prefix string, i int) string {
		return store.NewID(prefix, began.Add(time.Duration(i)*time.Second))[:len(prefix)+10] + fmt.Sprintf("%017d", i)
	}
	for _, t := range []struct {
		table   string
		columns []string
		row     func(i int) ([]any, error)
	}{
		{"accounts", []string{"id", "user_id", "email", "first_name", "last_name", "country", "password_hash", "created_at"}, func(i int) ([]any, error) {
			return []any{id("ac", i), userID(i), userID(i), "Ada", "Lovelace", "US", "", began}, nil
		}},
		{"tokens", []string{"serial", "model", "warehouse", "kind", "algorithm", "digits", "period_seconds", "sealed_seed", "status", "import_id", "created_at", "updated_at"}, func(i int) ([]any, error) {
			sealed, err := ring.Seal(seedOf(i), models.TokenSeedContext(serial(i)))
			return []any{serial(i), "TD-100", "main", string(device.Kind), string(device.Algorithm), device.Digits, 0, sealed, models.TokenBound, "ti_bench", began, began}, err
		}},
		{"credentials", []string{"id", "account_id", "order_line_id", "license_key_id", "product_sku", "kind", "level", "phase", "policy_version", "purchased_at", "expires_at", "created_at", "updated_at"}, func(i int) ([]any, error) {
			return []any{id("cr", i), id("ac", i), id("ol", i), id("lk", i), "HW-OTP", models.HardwareOTP, 2, models.CredentialActive, 1, began, began.AddDate(1, 0, 0), began, began}, nil
		}},
		{"authenticators", []string{"id", "credential_id", "account_id", "kind", "serial", "status", "next_counter", "registered_at"}, func(i int) ([]any, error) {
			return []any{id("au", i), id("cr", i), id("ac", i), models.HardwareToken, serial(i), models.AuthenticatorActive, 0, began}, nil
		}},
	} {
		if _, err := conn.CopyFrom(ctx, pgx.Identifier{t.table}, t.columns, pgx.CopyFromSlice(size, t.row)); err != nil {
			return fmt.Errorf("fill %s: %w", t.table, err)
		}
	}
	if _, err := conn.Exec(ctx, "set session_replication_role = origin"); err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "vacuum analyze")
	return err
}
