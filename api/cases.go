package api

import (
	"context"

	"tokendesk/api/gen"
	"tokendesk/models"
	"tokendesk/models/store"
)

// ListSupportCases lists what a person must look at (SUP-1).
func (s *server) ListSupportCases(ctx context.Context, r gen.ListSupportCasesRequestObject) (gen.ListSupportCasesResponseObject, error) {
	l := s.list(r.Params.Limit, "cases")
	page, err := l.page(r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	rows, err := s.Store.Cases(ctx, page)
	if err != nil {
		return nil, err
	}
	rows, next, err := cut(l, rows, func(c models.SupportCase) string { return c.ID })
	return gen.ListSupportCases200JSONResponse{NextCursor: next, Items: each(rows, func(c models.SupportCase) gen.SupportCase {
		return gen.SupportCase{ID: c.ID, SubjectRef: c.SubjectRef, Title: c.Title, State: c.State, CreatedAt: c.CreatedAt, ClosedAt: c.ClosedAt}
	})}, err
}

// CloseSupportCase closes a case.
func (s *server) CloseSupportCase(ctx context.Context, r gen.CloseSupportCaseRequestObject) (gen.CloseSupportCaseResponseObject, error) {
	_, err := making(ctx, s, func(tx *store.Store) (string, string, error) {
		return r.CaseID, r.CaseID, tx.CloseCase(ctx, r.CaseID, callOf(ctx).caller.Actor, s.Clock())
	}, func(id string) (string, error) { return id, nil })
	if err != nil {
		return nil, err
	}
	return gen.CloseSupportCase204Response{}, nil
}
