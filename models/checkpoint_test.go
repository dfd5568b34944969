package models

import (
	"errors"
	"strings"
	"testing"
	"time"
)

var checkpoint = Checkpoint{Class: AuthenticationEvents, Epoch: 2, Batch: 42, AfterID: 7, ThroughID: 99, From: 700, To: 1<<63 + 5, Rows: 12,
	Hash: []byte{0, 1, 0xfe}, SealedAt: time.Date(2026, 11, 2, 15, 0, 0, 123456000, time.UTC), KeyID: "5f2b", Signature: []byte{250, 251, 252}}

const checkpointLine = "tokendesk-audit-checkpoint/1 class=authentication epoch=2 batch=42 after=7 through=99 from=700 to=9223372036854775813 rows=12 " +
	"hash=0001fe at=2026-11-02T15:00:00.123456Z key=5f2b signature=-vv8"

// SEC-3: a checkpoint is one line of text, which reads back as the same checkpoint.
func TestCheckpointText(t *testing.T) {
	if got := checkpoint.String(); got != checkpointLine {
		t.Fatalf("got  %s\nwant %s", got, checkpointLine)
	}
	got, err := ParseCheckpoint(checkpointLine + "\n")
	if err != nil || got.String() != checkpointLine || !got.SealedAt.Equal(checkpoint.SealedAt) {
		t.Fatalf("got %s, %v", got, err)
	}
}

func TestParseCheckpointRefuses(t *testing.T) {
	for name, line := range map[string]string{
		"nothing":          "",
		"another version":  strings.Replace(checkpointLine, "checkpoint/1", "checkpoint/2", 1),
		"a member missing": strings.Replace(checkpointLine, "rows=12 ", "", 1),
		"a sign":           strings.Replace(checkpointLine, "rows=12", "rows=+12", 1),
		"another base":     strings.Replace(checkpointLine, "rows=12", "rows=0xc", 1),
		"no number":        strings.Replace(checkpointLine, "epoch=2", "epoch=two", 1),
		"no hash":          strings.Replace(checkpointLine, "0001fe", "xyz", 1),
		"upper case hash":  strings.Replace(checkpointLine, "0001fe", "0001FE", 1),
		"no moment":        strings.Replace(checkpointLine, "2026-11-02", "yesterday", 1),
		"no signature":     strings.TrimSuffix(checkpointLine, "-vv8"),
		"something behind": checkpointLine + " more",
	} {
		if c, err := ParseCheckpoint(line); !errors.Is(err, InvalidRequest) {
			t.Errorf("%s: got %s, %v", name, c, err)
		}
	}
}
