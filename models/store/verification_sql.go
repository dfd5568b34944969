package store

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
	"tokendesk/internal/otp"
	"tokendesk/models"
)

// The statements of a verification. Each is prepared once per connection, under its own text. A join and a lock cost less
// than a round trip: what the decision needs comes with one statement, which also says whether the partner accepts it.
const (
	verificationColumns = `
		select a.ctid, a.id, a.status, a.next_counter, a.drift, a.failures, a.serial,
		       c.id, c.level, c.phase, c.policy_version, c.expires_at, c.suspended_at,
		       t.kind, t.algorithm, t.digits, t.period_seconds, t.sealed_seed,
		       coalesce(p.accepts_kinds ? a.kind and c.level >= p.minimum_level, false)
		from authenticators a
		join credentials c on c.id = a.credential_id
		join tokens t on t.serial = a.serial
		left join partners p on p.id = $2 `
	verificationLocks = ` for share of c for update of a`

	byUserID = verificationColumns + `
		join accounts n on n.id = a.account_id
		where lower(n.user_id) = lower($1) and a.kind = 'hardware_token' and a.revoked_at is null` + verificationLocks
	byCredential = verificationColumns + `
		where a.credential_id = $1 and a.kind = 'hardware_token' and a.revoked_at is null` + verificationLocks
	bySerial = verificationColumns + `
		where a.serial = $1` + verificationLocks

	// What is there to say of someone without a live token.
	restColumns = `
		select c.id, c.level, c.phase, c.expires_at, c.suspended_at,
		       coalesce(p.accepts_kinds ? 'hardware_token' and c.level >= p.minimum_level, false)
		from credentials c
		left join partners p on p.id = $2 `
	restByUserID = restColumns + `
		join accounts n on n.id = c.account_id
		where lower(n.user_id) = lower($1) order by c.phase = 'revoked', c.created_at desc, c.id desc limit 1`
	restByCredential = restColumns + `where c.id = $1`

	// The row is locked, so it stays where it is: to go there spares a look into an index.
	updateAuthenticator = `update authenticators set next_counter = $3, drift = $4, failures = $5 where ctid = $1 and id = $2`
	insertVerification  = `
		insert into audit_authentication (at, class, kind, actor, credential_id, authenticator_id, outcome, detail)
		values ($1, 'authentication', 'code.verified', $2, $3, $4, $5, $6)`

	lockAuthenticator = `update authenticators set status = $2, locked_at = $3 where id = $1 and status = any($4)`
	insertLock        = `
		insert into audit_events (at, class, kind, actor, credential_id, authenticator_id, outcome)
		values ($1, 'lifecycle', 'authenticator.locked', $2, $3, $4, 'success')`
	insertLockSignal = `
		insert into outbox (kind, workflow_id, name, ref, created_at, next_at) values ('signal', $1, $2, $3, $4, $4)`
)

// lookup says how the subject is found.
func (q VerificationRequest) lookup() (verificationLookup, string, error) {
	switch {
	case q.UserID != "" && q.CredentialID == "" && q.Serial == "":
		return verificationLookup{byUserID, restByUserID}, q.UserID, nil
	case q.CredentialID != "" && q.UserID == "" && q.Serial == "":
		return verificationLookup{byCredential, restByCredential}, q.CredentialID, nil
	case q.Serial != "" && q.UserID == "" && q.CredentialID == "":
		return verificationLookup{token: bySerial}, q.Serial, nil
	}
	return verificationLookup{}, "", models.InvalidRequest.New("name exactly one of user id, credential and serial")
}

// verificationLookup is how a live token is found, and how what is left to say is found when there is none.
type verificationLookup struct{ token, rest string }

// verificationFacts is what a verification is decided on.
type verificationFacts struct {
	credentialFound    bool
	authenticatorFound bool
	credential         models.Credential // id, level, phase, policy version and dates
	authenticator      models.Authenticator
	place              pgtype.TID // of the authenticator's row, while it is locked
	parameters         otp.Parameters
	sealedSeed         []byte
	accepted           bool // by the partner that asks
}

func (f verificationFacts) credentialID() *string {
	if !f.credentialFound {
		return nil
	}
	return &f.credential.ID
}

func (f verificationFacts) authenticatorID() *string {
	if !f.authenticatorFound {
		return nil
	}
	return &f.authenticator.ID
}

// readForVerification begins the transaction, finds the subject and locks it, in one round trip. The transaction stays
// open.
func readForVerification(ctx context.Context, conn *pgxpool.Conn, l verificationLookup, key, partnerID string) (verificationFacts, error) {
	var f verificationFacts
	var b pgx.Batch
	b.Queue("begin")
	b.Queue(l.token, key, partnerID)
	results := conn.SendBatch(ctx, &b)
	defer results.Close()
	if _, err := results.Exec(); err != nil {
		return f, err
	}
	switch err := f.scan(results.QueryRow()); {
	case err == nil:
		return f, results.Close()
	case !errors.Is(err, pgx.ErrNoRows):
		return f, err
	}
	if err := results.Close(); err != nil || l.rest == "" {
		return f, err
	}
	return f, f.scanRest(conn.QueryRow(ctx, l.rest, key, partnerID))
}

func (f *verificationFacts) scan(row pgx.Row) error {
	a, c, p := &f.authenticator, &f.credential, &f.parameters
	var period int
	err := row.Scan(&f.place, &a.ID, &a.Status, &a.NextCounter, &a.Drift, &a.Failures, &a.Serial,
		&c.ID, &c.Level, &c.Phase, &c.PolicyVersion, &c.ExpiresAt, &c.SuspendedAt,
		&p.Kind, &p.Algorithm, &p.Digits, &period, &f.sealedSeed, &f.accepted)
	p.Period = time.Duration(period) * time.Second
	f.credentialFound, f.authenticatorFound = err == nil, err == nil
	return err
}

func (f *verificationFacts) scanRest(row pgx.Row) error {
	c := &f.credential
	err := row.Scan(&c.ID, &c.Level, &c.Phase, &c.ExpiresAt, &c.SuspendedAt, &f.accepted)
	f.credentialFound = err == nil
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	return err
}

// policyOf is the policy that the credential was bought under. What is not known yet is read on the connection at hand: to
// wait for another one while holding this one could wait for ever.
func (s *Store) policyOf(ctx context.Context, conn *pgxpool.Conn, c models.Credential) (p models.Policy, err error) {
	if c.PolicyVersion == 0 {
		return p, nil
	}
	key := policyKey{s.pool, c.PolicyVersion}
	if known, ok := policyCache.Load(key); ok {
		return known.(models.Policy), nil
	}
	var body []byte
	if err := conn.QueryRow(ctx, "select body from policies where version = $1", c.PolicyVersion).Scan(&body); err != nil {
		return p, err
	}
	p = models.DefaultPolicy() // what a version older than a field does not state
	if err := json.Unmarshal(body, &p); err != nil {
		return p, err
	}
	p.Version = c.PolicyVersion
	policyCache.Store(key, p)
	return p, nil
}
