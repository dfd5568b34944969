package store

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"gorm.io/gorm/clause"
	"tokendesk/models"
)

// maxReason bounds what is written beside a token's status, in characters.
const maxReason = 200

// SaveTokenModel adds a type of token, or changes its reorder level. The kind of a model that has tokens cannot change.
// Faults: InvalidRequest.
func (s *Store) SaveTokenModel(ctx context.Context, m models.TokenModel, by models.Actor, at time.Time) error {
	if m.Model == "" || m.ReorderLevel < 0 || m.Kind != "hotp" && m.Kind != "totp" {
		return models.InvalidRequest.New("a token model needs a name, a kind (hotp or totp) and a reorder level of at least 0")
	}
	return s.InTx(ctx, func(tx *Store) error {
		r := tx.with(ctx).Exec(`
			insert into token_models (model, kind, reorder_level) values (@model, @kind, @level)
			on conflict (model) do update set kind = excluded.kind, reorder_level = excluded.reorder_level
			where token_models.kind = excluded.kind or not exists (select 1 from tokens t where t.model = excluded.model)`,
			map[string]any{"model": m.Model, "kind": m.Kind, "level": m.ReorderLevel})
		if r.Error != nil {
			return fmt.Errorf("save the token model: %w", r.Error)
		}
		if r.RowsAffected == 0 {
			return models.InvalidRequest.New("tokens of this model are in stock already: its kind cannot change")
		}
		return tx.Audit(ctx, models.AuditEvent{At: at, Class: models.AdministrationEvents, Kind: "token_model.saved", Actor: by.ID, SubjectRef: m.Model, Outcome: models.Succeeded})
	})
}

// TokenModels lists the types of token that may be stocked.
func (s *Store) TokenModels(ctx context.Context) ([]models.TokenModel, error) {
	var rows []models.TokenModel
	return rows, fault(s.with(ctx).Order("model").Find(&rows).Error)
}

// Token returns one token. Its seed stays sealed (SEC-2).
func (s *Store) Token(ctx context.Context, serial string) (models.Token, error) {
	var t models.Token
	if err := s.with(ctx).Where("serial = ?", serial).Take(&t).Error; err != nil {
		return t, fault(fmt.Errorf("find the token: %w", err))
	}
	return t, nil
}

// TokenFilter narrows a list of tokens; empty members do not narrow.
type TokenFilter struct {
	Model     string
	Warehouse string
	Status    models.TokenStatus
}

// Tokens lists tokens by serial; the page's After is a serial.
func (s *Store) Tokens(ctx context.Context, f TokenFilter, p Page) ([]models.Token, error) {
	q := s.with(ctx).Where(where("model", f.Model)).Where(where("warehouse", f.Warehouse)).Where(where("status", string(f.Status)))
	if p.After != "" {
		q = q.Where("serial > ?", p.After)
	}
	var rows []models.Token
	return rows, fault(q.Order("serial").Limit(p.limit()).Find(&rows).Error)
}

// where is an equality that an empty value leaves out.
func where(column, value string) clause.Expression {
	if value == "" {
		return clause.Expr{SQL: "true"}
	}
	return clause.Eq{Column: clause.Column{Name: column}, Value: value}
}

// QuarantineToken sets a token in stock aside (SHP-4). Faults: NoSuchThing, StateForbids.
func (s *Store) QuarantineToken(ctx context.Context, serial, reason string, by models.Actor, at time.Time) error {
	return s.changeToken(ctx, serial, models.QuarantineToken, reason, by, at)
}

// RestoreToken returns a token from quarantine to stock; a shipment that waits for its model gets it.
// Faults: NoSuchThing, StateForbids.
func (s *Store) RestoreToken(ctx context.Context, serial, reason string, by models.Actor, at time.Time) error {
	return s.changeToken(ctx, serial, models.RestoreToken, reason, by, at)
}

// RetireToken takes a token out of use for good. One that is packed for a shipment, or bound to a person, is not retired by
// hand: its shipment is cancelled, or its credential revoked, first. Faults: NoSuchThing, StateForbids.
func (s *Store) RetireToken(ctx context.Context, serial, reason string, by models.Actor, at time.Time) error {
	return s.changeToken(ctx, serial, models.RetireToken, reason, by, at)
}

func (s *Store) changeToken(ctx context.Context, serial string, event models.TokenEvent, reason string, by models.Actor, at time.Time) error {
	reason, err := checkReason(reason)
	if err != nil {
		return err
	}
	return s.InTx(ctx, func(tx *Store) error {
		state, err := tokens.lock(ctx, tx, serial)
		if err != nil {
			return err
		}
		if event == models.RetireToken && (state == models.TokenAllocated || state == models.TokenBound) {
			return models.StateForbids.New("the token is %s", state)
		}
		if err := tokens.move(tx.with(ctx), serial, event, at, map[string]any{"status_reason": reason}); err != nil {
			return err
		}
		if err := tx.stockChanged(ctx, serial, at); err != nil {
			return err
		}
		return tx.Audit(ctx, models.AuditEvent{At: at, Class: models.AdministrationEvents, Kind: "token." + string(event), Actor: by.ID, SubjectRef: serial,
			Outcome: models.Succeeded, Detail: map[string]string{"reason": reason, "from": string(state)}})
	})
}

// stockChanged gives a token that came back to those who wait, and warns where one that went leaves too few.
func (s *Store) stockChanged(ctx context.Context, serial string, at time.Time) error {
	t, err := s.Token(ctx, serial)
	if err != nil {
		return err
	}
	if t.Status == models.TokenInStock {
		return s.wakeBackorders(ctx, t.Model, serial, at)
	}
	return s.watchStock(ctx, t.Model, at)
}

// checkReason takes the blanks around a reason away; one of blanks only is none. Fault: InvalidRequest.
func checkReason(reason string) (string, error) {
	reason = strings.TrimSpace(reason)
	if reason == "" || utf8.RuneCountInString(reason) > maxReason {
		return "", models.InvalidRequest.New("a reason of at most %d characters is needed", maxReason).At("/reason")
	}
	return reason, nil
}
