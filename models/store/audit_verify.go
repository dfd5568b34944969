package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"

	"tokendesk/internal/seal"
	"tokendesk/models"
)

// AuditFindingKind says what is wrong with the audit trail.
type AuditFindingKind string

// The kinds of finding.
const (
	EventsDiffer        AuditFindingKind = "events_differ"        // events of a batch were changed, removed or added
	EventsUnsealed      AuditFindingKind = "events_unsealed"      // events stand where a batch should have sealed them, and none did
	SealBroken          AuditFindingKind = "seal_broken"          // a seal does not follow from the one before it
	SignatureWrong      AuditFindingKind = "signature_wrong"      // a seal is not signed by one of the keys
	CheckpointWrong     AuditFindingKind = "checkpoint_wrong"     // a checkpoint kept elsewhere is not signed by one of the keys
	CheckpointMissing   AuditFindingKind = "checkpoint_missing"   // the trail was cut off before a checkpoint kept elsewhere
	CheckpointsDisagree AuditFindingKind = "checkpoints_disagree" // the trail was written anew
)

// AuditFinding is one thing that is wrong with the audit trail.
type AuditFinding struct {
	Kind   AuditFindingKind
	Epoch  int
	Batch  int64
	Detail string
}

// AuditReport says what a verification of one class's chain found.
type AuditReport struct {
	Class    models.RetentionClass
	Batches  int64
	Events   int64 // sealed and seen
	Unsealed int64 // written since the last batch
	Last     models.Checkpoint
	Findings []AuditFinding // the first hundred
}

// Intact reports whether nothing is wrong.
func (r *AuditReport) Intact() bool { return len(r.Findings) == 0 }

const (
	mostFindings = 100
	sealPage     = 500
)

func (r *AuditReport) find(kind AuditFindingKind, c models.Checkpoint, format string, args ...any) {
	if len(r.Findings) < mostFindings {
		r.Findings = append(r.Findings, AuditFinding{kind, c.Epoch, c.Batch, fmt.Sprintf(format, args...)})
	}
}

// VerifyAudit reads a class's whole chain and checks every event, every seal and every signature (SEC-3). known are checkpoints
// that were kept elsewhere: only with them can it be seen that the end of the trail was cut off, or all of it written anew. It
// streams, holds no lock and no snapshot, and may run beside everything else.
func (s *Store) VerifyAudit(ctx context.Context, class models.RetentionClass, keys *seal.Verifier, known ...models.Checkpoint) (AuditReport, error) {
	v := auditVerifier{s: s, keys: keys, last: beforeFirstSeal(class), known: map[sealKey]models.Checkpoint{}}
	v.report.Class = class
	for _, c := range known {
		v.keep(c)
	}
	for {
		page, err := v.seals(ctx)
		if err == nil && len(page) > 0 {
			err = v.verifyPage(ctx, page)
		}
		if err != nil {
			return v.report, fault(fmt.Errorf("verify the audit trail: %w", err))
		}
		if len(page) < sealPage {
			break
		}
	}
	for _, c := range v.known {
		v.report.find(CheckpointMissing, c, "the trail ends before a known checkpoint")
	}
	unsealed, err := v.unsealed(ctx, maxID)
	if err != nil {
		return v.report, fault(fmt.Errorf("verify the audit trail: %w", err))
	}
	v.report.Unsealed, v.report.Last = unsealed, v.last
	return v.report, nil
}

type sealKey struct {
	epoch int
	batch int64
}

// storedSeal is a checkpoint as it stands in the database, with the hash that it says came before.
type storedSeal struct {
	models.Checkpoint
	previous []byte
}

// auditVerifier walks one chain.
type auditVerifier struct {
	s      *Store
	keys   *seal.Verifier
	known  map[sealKey]models.Checkpoint // not met yet
	last   models.Checkpoint
	report AuditReport
}

func (v *auditVerifier) signed(c models.Checkpoint) error {
	return v.keys.Verify(c.Message(), seal.Signature{KeyID: c.KeyID, Value: c.Signature})
}

func (v *auditVerifier) keep(c models.Checkpoint) {
	if c.Class != v.report.Class {
		return
	}
	if err := v.signed(c); err != nil {
		v.report.find(CheckpointWrong, c, "%v", err)
		return
	}
	v.known[sealKey{c.Epoch, c.Batch}] = c
}

// seals is the next page of seals in order.
func (v *auditVerifier) seals(ctx context.Context) ([]storedSeal, error) {
	rows, err := v.s.pool.Query(ctx, "select "+sealColumns+`, previous from audit_seals
		where class = $1 and (epoch, batch) > ($2, $3) order by epoch, batch limit $4`, v.report.Class, v.last.Epoch, v.last.Batch, sealPage)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var page []storedSeal
	for rows.Next() {
		var c storedSeal
		if err := rows.Scan(append(sealFields(&c.Checkpoint), &c.previous)...); err != nil {
			return nil, err
		}
		page = append(page, c)
	}
	return page, rows.Err()
}

// verifyPage verifies seals that follow each other, epoch by epoch, with one reading of their events for each.
func (v *auditVerifier) verifyPage(ctx context.Context, page []storedSeal) error {
	for len(page) > 0 {
		n := 1
		for n < len(page) && page[n].Epoch == page[0].Epoch {
			n++
		}
		through, err := v.endOfEpoch(ctx, page[0].Epoch)
		if err != nil {
			return err
		}
		if err := v.verifyRun(ctx, page[:n], through); err != nil {
			return err
		}
		page = page[n:]
	}
	return nil
}

// endOfEpoch is the largest id that may belong to an epoch: the next one says where it begins.
func (v *auditVerifier) endOfEpoch(ctx context.Context, epoch int) (int64, error) {
	through := int64(maxID)
	err := v.s.pool.QueryRow(ctx, "select coalesce(min(after_id), $3) from audit_seals where class = $1 and epoch > $2", v.report.Class, epoch, through).Scan(&through)
	return through, err
}

// verifyRun verifies seals of one epoch.
func (v *auditVerifier) verifyRun(ctx context.Context, run []storedSeal, through int64) error {
	first, last := run[0], run[len(run)-1]
	if first.Epoch > v.last.Epoch {
		if err := v.closeEpoch(ctx, first); err != nil {
			return err
		}
	}
	events, err := auditRows(ctx, v.s.pool, auditRange{v.report.Class, first.AfterID, through, v.last.To, last.To})
	if err != nil {
		return err
	}
	defer events.Close()
	more := events.Next()
	for _, c := range run {
		v.verifySeal(c)
		digests, count, stray := sha256.New(), int64(0), 0
		for ; more && events.row.xid < c.To; more = events.Next() {
			if events.row.xid < c.From {
				stray++
				continue
			}
			count++
			digests.Write(events.Digest())
		}
		if err := events.Err(); err != nil {
			return err
		}
		v.report.Batches++
		v.report.Events += count
		switch {
		case count != c.Rows:
			v.report.find(EventsDiffer, c.Checkpoint, "%d events were sealed and %d are there", c.Rows, count)
		case !bytes.Equal(c.Hash, batchHash(c.previous, c.Checkpoint, digests)):
			v.report.find(EventsDiffer, c.Checkpoint, "an event is not as it was sealed")
		}
		if stray > 0 {
			v.report.find(EventsUnsealed, c.Checkpoint, "%d events stand before the batch and in none", stray)
		}
		v.last = c.Checkpoint
	}
	return nil
}

// verifySeal checks that a seal is signed, follows from the one before it, and is the one that is known from elsewhere.
func (v *auditVerifier) verifySeal(c storedSeal) {
	if err := v.signed(c.Checkpoint); err != nil {
		v.report.find(SignatureWrong, c.Checkpoint, "%v", err)
	}
	if c.Batch != v.last.Batch+1 || c.AfterID != v.last.AfterID || c.From != v.last.To || c.ThroughID < v.last.ThroughID || !bytes.Equal(c.previous, v.last.Hash) {
		v.report.find(SealBroken, c.Checkpoint, "it does not follow from batch %d of epoch %d", v.last.Batch, v.last.Epoch)
	}
	key := sealKey{c.Epoch, c.Batch}
	if known, ok := v.known[key]; ok {
		delete(v.known, key)
		if !bytes.Equal(known.Message(), c.Message()) {
			v.report.find(CheckpointsDisagree, c.Checkpoint, "a known checkpoint says otherwise")
		}
	}
}

// closeEpoch checks the end of an epoch, and goes on to where the next one begins.
func (v *auditVerifier) closeEpoch(ctx context.Context, first storedSeal) error {
	left, err := v.unsealed(ctx, first.AfterID)
	if err != nil {
		return err
	}
	if left > 0 {
		v.report.find(EventsUnsealed, v.last, "%d events stand behind the end of the epoch", left)
	}
	if first.Epoch != v.last.Epoch+1 || first.AfterID != v.last.ThroughID {
		v.report.find(SealBroken, first.Checkpoint, "the epoch does not begin where epoch %d ends", v.last.Epoch)
	}
	v.last = models.Checkpoint{Class: v.last.Class, Epoch: first.Epoch, AfterID: first.AfterID, ThroughID: first.AfterID, Hash: v.last.Hash}
	return nil
}

// unsealed counts the events of the present epoch, up to an id, behind its last batch.
func (v *auditVerifier) unsealed(ctx context.Context, through int64) (n int64, err error) {
	err = v.s.pool.QueryRow(ctx, "select count(*) from audit_events where class = $1 and id > $2 and id <= $3 and xid >= $4",
		v.report.Class, v.last.AfterID, through, v.last.To).Scan(&n)
	return n, err
}
