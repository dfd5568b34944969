package models

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// Checkpoint vouches for one sealed batch of the audit trail, and through the chain of hashes for all batches before it
// (SEC-3). Kept elsewhere, in its text form, it makes visible that the trail was cut off behind it or written anew.
type Checkpoint struct {
	Class     RetentionClass
	Epoch     int    // counts restores into another cluster
	Batch     int64  // counts from 1 in each epoch
	AfterID   int64  // the epoch has events with ids above this one
	ThroughID int64  // the largest id sealed in the epoch so far
	From, To  uint64 // the batch has the events of transactions From ≤ x < To
	Rows      int64
	Hash      []byte // SHA-256 over the hash of the batch before it, the figures above but Rows, and the digest of each event
	SealedAt  time.Time
	KeyID     string
	Signature []byte // Ed25519 over Message
}

const checkpointForm = "tokendesk-audit-checkpoint/1 class=%s epoch=%d batch=%d after=%d through=%d from=%d to=%d rows=%d hash=%s at=%s"

// Message is what is signed: the text form without key and signature.
func (c Checkpoint) Message() []byte {
	return fmt.Appendf(nil, checkpointForm, c.Class, c.Epoch, c.Batch, c.AfterID, c.ThroughID, c.From, c.To, c.Rows,
		hex.EncodeToString(c.Hash), c.SealedAt.UTC().Format(time.RFC3339Nano))
}

// String is the text form: one line, which ParseCheckpoint reads.
func (c Checkpoint) String() string {
	return string(c.Message()) + " key=" + c.KeyID + " signature=" + base64.RawURLEncoding.EncodeToString(c.Signature)
}

// ParseCheckpoint reads the text form. It does not check the signature. Fault: InvalidRequest.
func ParseCheckpoint(line string) (Checkpoint, error) {
	var c Checkpoint
	var hash, at, signature string
	_, err := fmt.Sscanf(line, strings.ReplaceAll(checkpointForm, "=%d", "=%v")+" key=%s signature=%s",
		&c.Class, &c.Epoch, &c.Batch, &c.AfterID, &c.ThroughID, &c.From, &c.To, &c.Rows, &hash, &at, &c.KeyID, &signature)
	if err == nil {
		c.Hash, err = hex.DecodeString(hash)
	}
	if err == nil {
		c.SealedAt, err = time.Parse(time.RFC3339Nano, at)
	}
	if err == nil {
		c.Signature, err = base64.RawURLEncoding.DecodeString(signature)
	}
	if err != nil || c.String() != strings.TrimSpace(line) {
		return Checkpoint{}, InvalidRequest.New("not a checkpoint of the audit trail")
	}
	return c, nil
}
