package api

import (
	"context"
	"encoding/hex"
	"mime"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"tokendesk/api/gen"
	"tokendesk/internal/stockimport"
	"tokendesk/models"
	"tokendesk/models/store"
)

// Headers of an import. What opens the file travels apart from it.
const (
	importKeyHeader        = "Token-Import-Key"
	importPassphraseHeader = "Token-Import-Passphrase"
)

// importTokens reads a file of token seeds into stock (SHP-4). It is bound by hand because its body is no JSON.
func (s *server) importTokens(c *gin.Context) {
	ctx := c.Request.Context()
	options := stockimport.Options{Format: stockimport.PSKC, Warehouse: c.Query("warehouse"), Model: c.Query("model"),
		Passphrase: models.Secret(c.GetHeader(importPassphraseHeader)), MaxBytes: maxImport}
	if media, _, _ := mime.ParseMediaType(c.GetHeader("Content-Type")); media == "text/csv" {
		options.Format = stockimport.CSV
	}
	key, err := hex.DecodeString(c.GetHeader(importKeyHeader))
	if err != nil {
		s.abort(c, models.InvalidRequest.New("%s is not hexadecimal", importKeyHeader))
		return
	}
	options.PreSharedKey = key
	report, err := stockimport.Import(ctx, s.Store, s.Keyring, c.Request.Body, options, callOf(ctx).caller.Actor, s.Clock())
	if err != nil {
		s.abort(c, err)
		return
	}
	c.JSON(http.StatusCreated, viewImport(report))
}

func viewImport(r stockimport.Report) gen.ImportReport {
	i := r.Import
	return gen.ImportReport{ID: i.ID, Format: gen.ImportReportFormat(i.Format), Rows: int64(i.Rows), Imported: int64(i.Imported),
		Known: int64(i.Known), Refused: int64(i.Refused), Tokens: each(r.Rows, func(row stockimport.Row) gen.ImportRow {
			return gen.ImportRow{Position: int64(row.Position), Serial: optional(row.Serial), Result: gen.ImportRowResult(row.Result), Reason: optional(row.Reason)}
		})}
}

// GetStock shows the quantities.
func (s *server) GetStock(ctx context.Context, _ gen.GetStockRequestObject) (gen.GetStockResponseObject, error) {
	levels, err := s.Store.Stock(ctx)
	if err != nil {
		return nil, err
	}
	return gen.GetStock200JSONResponse{Items: each(levels, func(l store.StockLevel) gen.StockLevel {
		return gen.StockLevel{Model: l.Model, Warehouse: l.Warehouse, InStock: int64(l.InStock), Allocated: int64(l.Allocated), Shipped: int64(l.Shipped),
			Bound: int64(l.Bound), Quarantined: int64(l.Quarantined), Retired: int64(l.Retired), ReorderLevel: int64(l.ReorderLevel),
			Backordered: int64(l.Backordered), Low: l.Low}
	})}, nil
}

// GetToken shows one token, never its seed.
func (s *server) GetToken(ctx context.Context, r gen.GetTokenRequestObject) (gen.GetTokenResponseObject, error) {
	t, err := s.Store.Token(ctx, r.Serial)
	if err != nil {
		return nil, err
	}
	return gen.GetToken200JSONResponse(s.viewToken(ctx, t)), nil
}

// QuarantineToken sets a token aside.
func (s *server) QuarantineToken(ctx context.Context, r gen.QuarantineTokenRequestObject) (gen.QuarantineTokenResponseObject, error) {
	view, err := s.changeToken(ctx, r.Serial, r.Body.Reason, (*store.Store).QuarantineToken)
	return gen.QuarantineToken200JSONResponse{Body: view}, err
}

// RestoreToken puts a token back into stock.
func (s *server) RestoreToken(ctx context.Context, r gen.RestoreTokenRequestObject) (gen.RestoreTokenResponseObject, error) {
	view, err := s.changeToken(ctx, r.Serial, r.Body.Reason, (*store.Store).RestoreToken)
	return gen.RestoreToken200JSONResponse{Body: view}, err
}

// RetireToken retires a token for good.
func (s *server) RetireToken(ctx context.Context, r gen.RetireTokenRequestObject) (gen.RetireTokenResponseObject, error) {
	view, err := s.changeToken(ctx, r.Serial, r.Body.Reason, (*store.Store).RetireToken)
	return gen.RetireToken200JSONResponse{Body: view}, err
}

type tokenChange func(s *store.Store, ctx context.Context, serial, reason string, by models.Actor, at time.Time) error

func (s *server) changeToken(ctx context.Context, serial, reason string, change tokenChange) (gen.Token, error) {
	_, err := making(ctx, s, func(tx *store.Store) (string, string, error) {
		return serial, serial, change(tx, ctx, serial, reason, callOf(ctx).caller.Actor, s.Clock())
	}, func(serial string) (string, error) { return serial, nil })
	if err != nil {
		return gen.Token{}, err
	}
	t, err := s.Store.Token(ctx, serial)
	return s.viewToken(ctx, t), err
}

// RecordReturn records that a shipped token has come back (ORD-5).
func (s *server) RecordReturn(ctx context.Context, r gen.RecordReturnRequestObject) (gen.RecordReturnResponseObject, error) {
	_, err := making(ctx, s, func(tx *store.Store) (string, string, error) {
		_, err := tx.RecordReturn(ctx, r.Serial, r.Body.Condition, callOf(ctx).caller.Actor, s.Clock())
		return r.Serial, r.Serial, err
	}, func(serial string) (string, error) { return serial, nil })
	if err != nil {
		return nil, err
	}
	t, err := s.Store.Token(ctx, r.Serial)
	return gen.RecordReturn200JSONResponse{Body: s.viewToken(ctx, t)}, err
}

// ResetTokenRegistration lets a token be tried again after too many wrong codes (REG-1).
func (s *server) ResetTokenRegistration(ctx context.Context, r gen.ResetTokenRegistrationRequestObject) (gen.ResetTokenRegistrationResponseObject, error) {
	_, err := making(ctx, s, func(tx *store.Store) (string, string, error) {
		return r.Serial, r.Serial, tx.ResetRegistration(ctx, r.Serial, r.Body.Reason, callOf(ctx).caller.Actor, s.Clock())
	}, func(serial string) (string, error) { return serial, nil })
	if err != nil {
		return nil, err
	}
	return gen.ResetTokenRegistration204Response{}, nil
}

func (s *server) viewToken(ctx context.Context, t models.Token) gen.Token {
	v := gen.Token{Serial: t.Serial, Model: t.Model, Manufacturer: t.Manufacturer, Warehouse: t.Warehouse, Kind: gen.TokenKind(t.Kind),
		Algorithm: gen.TokenAlgorithm(t.Algorithm), Digits: int32(t.Digits), Status: t.Status, StatusReason: t.StatusReason,
		CreatedAt: t.CreatedAt, UpdatedAt: t.UpdatedAt, AllowedActions: actionsOf(ctx, s, models.TokenMachine, t.Status)}
	if t.PeriodSeconds > 0 {
		v.PeriodSeconds = new(int32(t.PeriodSeconds))
	}
	return v
}
