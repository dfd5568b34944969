package store

import (
	"context"
	"fmt"
	"iter"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"tokendesk/models"
)

// stagedFor is how long rows of an import that died are kept.
const stagedFor = 24 * time.Hour

// StagedToken is one row of a file of seeds on its way into stock.
type StagedToken struct {
	Row   int
	Token models.Token // seed sealed; status, import and times are not read
}

// StageTokens writes the rows of a file where an import will find them, as they come. An error of the sequence stages
// nothing and is returned as it is.
func (s *Store) StageTokens(ctx context.Context, importID string, rows iter.Seq2[StagedToken, error], at time.Time) error {
	if err := s.dropStaged(ctx, "staged_at < ?", at.Add(-stagedFor)); err != nil {
		return err
	}
	next, stop := iter.Pull2(rows)
	defer stop()
	var broken error
	source := pgx.CopyFromFunc(func() ([]any, error) {
		row, err, more := next()
		if !more {
			return nil, nil
		}
		if broken = err; err != nil {
			return nil, err
		}
		t := row.Token
		return []any{importID, row.Row, t.Serial, t.Model, t.Manufacturer, t.Kind, t.Algorithm, t.Digits, t.PeriodSeconds, t.InitialCounter, t.SealedSeed, at}, nil
	})
	_, err := s.pool.CopyFrom(ctx, pgx.Identifier{"token_import_rows"}, []string{"import_id", "row", "serial", "model", "manufacturer", "kind", "algorithm",
		"digits", "period_seconds", "initial_counter", "sealed_seed", "staged_at"}, source)
	switch {
	case broken != nil:
		return broken
	case err != nil:
		return fault(fmt.Errorf("stage an import: %w", err))
	}
	return nil
}

// ImportStaged brings what was staged under the import's id into stock, in one transaction: new serials are added, serials
// that were there before keep everything they have (SHP-4), and shipments that wait for these models are told. It
// returns the import with its counts, and the rows that brought nothing new.
func (s *Store) ImportStaged(ctx context.Context, i models.TokenImport, warehouse string, by models.Actor) (models.TokenImport, []KnownRow, error) {
	var known []KnownRow
	i.ImportedBy = by.ID
	err := s.InTx(ctx, func(tx *Store) error {
		if err := tx.with(ctx).Create(&i).Error; err != nil {
			return fmt.Errorf("record the import: %w", err)
		}
		r := tx.with(ctx).Exec(`
			insert into tokens (serial, model, manufacturer, warehouse, kind, algorithm, digits, period_seconds, initial_counter, sealed_seed, status, import_id, created_at, updated_at)
			select serial, model, manufacturer, @warehouse, kind, algorithm, digits, period_seconds, initial_counter, sealed_seed, 'in_stock', import_id, @at, @at
			from token_import_rows where import_id = @import order by serial, row
			on conflict (serial) do nothing`, map[string]any{"warehouse": warehouse, "at": i.ImportedAt, "import": i.ID})
		if r.Error != nil {
			return fmt.Errorf("add tokens: %w", r.Error)
		}
		i.Imported = int(r.RowsAffected)
		err := tx.with(ctx).Raw(`
			select * from (select r.row, r.serial, t.import_id = r.import_id as repeated, row_number() over (partition by r.serial order by r.row) as nth
				from token_import_rows r join tokens t on t.serial = r.serial where r.import_id = ?) x
			where not repeated or nth > 1 order by row`, i.ID).Scan(&known).Error
		if err != nil {
			return fmt.Errorf("list known serials: %w", err)
		}
		i.Known = len(known)
		if err := tx.with(ctx).Table("token_imports").Where("id = ?", i.ID).Updates(map[string]any{"imported": i.Imported, "known": i.Known}).Error; err != nil {
			return fmt.Errorf("record the import: %w", err)
		}
		return tx.finishImport(ctx, i, by)
	})
	if err != nil {
		return i, nil, err
	}
	return i, known, nil
}

// KnownRow is a row of a file whose serial was there before, or stands in the file twice.
type KnownRow struct {
	Row      int
	Serial   string
	Repeated bool // by an earlier row of the same file
}

func (s *Store) finishImport(ctx context.Context, i models.TokenImport, by models.Actor) error {
	var arrived []string
	err := s.with(ctx).Raw("select distinct r.model from token_import_rows r join tokens t on t.serial = r.serial and t.import_id = r.import_id where r.import_id = ? order by 1", i.ID).Scan(&arrived).Error
	if err != nil {
		return fmt.Errorf("find the models of an import: %w", err)
	}
	for _, model := range arrived {
		if err := s.wakeBackorders(ctx, model, i.ID, i.ImportedAt); err != nil {
			return err
		}
	}
	if err := s.dropStaged(ctx, "import_id = ?", i.ID); err != nil {
		return err
	}
	return s.Audit(ctx, models.AuditEvent{At: i.ImportedAt, Class: models.AdministrationEvents, Kind: "stock.imported", Actor: by.ID, SubjectRef: i.ID, Outcome: models.Succeeded,
		Detail: map[string]string{"rows": strconv.Itoa(i.Rows), "imported": strconv.Itoa(i.Imported), "known": strconv.Itoa(i.Known), "refused": strconv.Itoa(i.Refused)}})
}

// DiscardStaged forgets what was staged for an import that will not happen, and keeps evidence of the attempt.
func (s *Store) DiscardStaged(ctx context.Context, importID string, by models.Actor, at time.Time) error {
	return s.InTx(ctx, func(tx *Store) error {
		if err := tx.dropStaged(ctx, "import_id = ?", importID); err != nil {
			return err
		}
		return tx.Audit(ctx, models.AuditEvent{At: at, Class: models.AdministrationEvents, Kind: "stock.imported", Actor: by.ID, SubjectRef: importID, Outcome: models.Failed})
	})
}

func (s *Store) dropStaged(ctx context.Context, condition string, arg any) error {
	if err := s.with(ctx).Exec("delete from token_import_rows where "+condition, arg).Error; err != nil {
		return fault(fmt.Errorf("clear staged tokens: %w", err))
	}
	return nil
}

// TokenImports lists imports, newest first.
func (s *Store) TokenImports(ctx context.Context, p Page) ([]models.TokenImport, error) {
	q := s.with(ctx).Order("id desc").Limit(p.limit())
	if p.After != "" {
		q = q.Where("id < ?", p.After)
	}
	var rows []models.TokenImport
	return rows, fault(q.Find(&rows).Error)
}
