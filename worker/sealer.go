package worker

import (
	"context"
	"errors"
	"time"

	"tokendesk/internal/checkpoints"
	"tokendesk/internal/seal"
	"tokendesk/models"
	"tokendesk/models/store"
)

// Sealer chains the audit trail: what was written since the last time is hashed onto the chain of its class, and the
// checkpoint is signed and kept outside the database (SEC-3).
type Sealer struct {
	Store          *store.Store
	Signer         *seal.Signer
	Clock          Clock
	CheckpointFile string // gets a line for each seal; empty: checkpoints are in the database only

	owed map[models.RetentionClass]bool // sealed, and the checkpoint is not in the file yet
}

// Run seals until the context ends.
func (s *Sealer) Run(ctx context.Context) {
	together(ctx,
		func(ctx context.Context) { loop(ctx, "audit partitions", 6*time.Hour, 6*time.Hour, nil, s.partitions) },
		func(ctx context.Context) { loop(ctx, "audit chain", time.Second, 2*time.Second, nil, s.chain) },
	)
}

func (s *Sealer) partitions(ctx context.Context) (int, error) {
	_, err := s.Store.EnsureAuditPartitions(ctx, s.Clock(), 3)
	return 0, err
}

func (s *Sealer) chain(ctx context.Context) (rows int, err error) {
	for _, class := range models.RetentionClasses() {
		err = errors.Join(err, s.seal(ctx, class))
	}
	return 0, err
}

// seal seals a class. A checkpoint that could not be written to the file is owed until the next time.
func (s *Sealer) seal(ctx context.Context, class models.RetentionClass) error {
	rows, err := s.Store.SealAudit(ctx, class, s.Signer, s.Clock())
	if err != nil || s.CheckpointFile == "" {
		return err
	}
	if s.owed == nil {
		s.owed = map[models.RetentionClass]bool{}
	}
	if rows > 0 {
		s.owed[class] = true
	}
	if !s.owed[class] {
		return nil
	}
	c, ok, err := s.Store.LastCheckpoint(ctx, class)
	if err == nil && ok {
		err = checkpoints.Append(s.CheckpointFile, c)
	}
	s.owed[class] = err != nil
	return err
}
