package worker

import (
	"context"
	"errors"
	"time"

	"tokendesk/internal/seal"
	"tokendesk/models"
	"tokendesk/models/store"
)

// Sealer chains the audit trail: what was written since the last time is hashed onto the chain of its class, and the
// checkpoint is signed (SEC-3).
type Sealer struct {
	Store  *store.Store
	Signer *seal.Signer
	Clock  Clock
}

// Run seals until the context ends.
func (s *Sealer) Run(ctx context.Context) {
	together(ctx,
		func(ctx context.Context) { loop(ctx, "audit partitions", 6*time.Hour, 6*time.Hour, s.partitions) },
		func(ctx context.Context) { loop(ctx, "audit chain", time.Second, 2*time.Second, s.chain) },
	)
}

func (s *Sealer) partitions(ctx context.Context) (int, error) {
	_, err := s.Store.EnsureAuditPartitions(ctx, s.Clock(), 3)
	return 0, err
}

func (s *Sealer) chain(ctx context.Context) (rows int, err error) {
	for _, class := range []models.RetentionClass{models.AuthenticationEvents, models.LifecycleEvents, models.AdministrationEvents} {
		_, e := s.Store.SealAudit(ctx, class, s.Signer, s.Clock())
		err = errors.Join(err, e)
	}
	return 0, err
}
