package store

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"math"
	"time"

	"github.com/jackc/pgx/v5"
	"tokendesk/models"
)

// auditRange says which events of a class are meant: those with afterID < id ≤ throughID that were written by the transactions
// from ≤ x < to.
type auditRange struct {
	class              models.RetentionClass
	afterID, throughID int64
	from, to           uint64
}

const maxID = math.MaxInt64

// auditRow is one event as it stands in the database.
type auditRow struct {
	id                            int64
	xid                           uint64
	at                            time.Time
	class, kind, actor            string
	credentialID, authenticatorID *string
	subjectRef, outcome, detail   string
}

// auditCursor reads events one by one, in the order in which they are sealed.
type auditCursor struct {
	rows pgx.Rows
	row  auditRow
	err  error
	buf  []byte
}

func auditRows(ctx context.Context, db querier, r auditRange) (*auditCursor, error) {
	rows, err := db.Query(ctx, `
		select id, xid, at, class, kind, actor, credential_id, authenticator_id, subject_ref, outcome, detail::text
		from audit_events where class = $1 and id > $2 and id <= $3 and xid >= $4 and xid < $5 order by xid, id`,
		r.class, r.afterID, r.throughID, r.from, r.to)
	return &auditCursor{rows: rows}, err
}

// Next goes to the next event, and reports whether there is one.
func (c *auditCursor) Next() bool {
	if c.err != nil || !c.rows.Next() {
		return false
	}
	r := &c.row
	c.err = c.rows.Scan(&r.id, &r.xid, &r.at, &r.class, &r.kind, &r.actor, &r.credentialID, &r.authenticatorID, &r.subjectRef, &r.outcome, &r.detail)
	return c.err == nil
}

// Err is what ended the reading before its end.
func (c *auditCursor) Err() error {
	if c.err != nil {
		return c.err
	}
	return c.rows.Err()
}

// Close gives the connection back.
func (c *auditCursor) Close() { c.rows.Close() }

// Digest is the SHA-256 of the present event's canonical form. The slice is valid until the next call.
func (c *auditCursor) Digest() []byte {
	c.buf = c.row.canonical(c.buf[:0])
	sum := sha256.Sum256(c.buf)
	return append(c.buf[:0], sum[:]...)
}

// canonical appends the event in a form in which no two events are the same: each field with its length before it.
// Events are chained by their digests, so that a purge can keep the digests of what it removes and leave the chain
// verifiable (SEC-4).
func (r *auditRow) canonical(b []byte) []byte {
	b = append(b, "tokendesk-audit-event/1"...)
	b = binary.BigEndian.AppendUint64(b, uint64(r.id))
	b = binary.BigEndian.AppendUint64(b, r.xid)
	b = binary.BigEndian.AppendUint64(b, uint64(r.at.UnixMicro()))
	for _, field := range []string{r.class, r.kind, r.actor, r.subjectRef, r.outcome, r.detail} {
		b = appendField(b, field)
	}
	for _, field := range []*string{r.credentialID, r.authenticatorID} {
		if field == nil {
			b = append(b, 0)
			continue
		}
		b = appendField(append(b, 1), *field)
	}
	return b
}

func appendField(b []byte, field string) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(field)))
	return append(b, field...)
}

// batchHash chains a batch to the one before it. digests has been given the digests of the batch's events, in order.
func batchHash(previous []byte, c models.Checkpoint, digests hash.Hash) []byte {
	b := []byte("tokendesk-audit-batch/1")
	b = append(b, previous...)
	b = appendField(b, string(c.Class))
	for _, n := range []uint64{uint64(c.Epoch), uint64(c.Batch), uint64(c.AfterID), uint64(c.ThroughID), c.From, c.To} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	sum := sha256.Sum256(digests.Sum(b))
	return sum[:]
}
