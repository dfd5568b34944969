package api

import (
	"cmp"
	"context"
	"slices"

	"tokendesk/api/gen"
	"tokendesk/internal/identitydocs"
	"tokendesk/models/store"
)

// ListAgentReviews lists the passes that wait for a second person.
func (s *server) ListAgentReviews(ctx context.Context, r gen.ListAgentReviewsRequestObject) (gen.ListAgentReviewsResponseObject, error) {
	agentID := callOf(ctx).caller.ID
	l := s.list(r.Params.Limit, "listAgentReviews/"+agentID)
	page, err := l.page(r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	rows, err := s.Store.Reviews(ctx, agentID, page)
	if err != nil {
		return nil, err
	}
	rows, next, err := cut(l, rows, func(r store.Review) string { return r.ID })
	return gen.ListAgentReviews200JSONResponse{NextCursor: next, Items: each(rows, func(r store.Review) gen.AgentReviewEntry {
		return gen.AgentReviewEntry{ID: r.ID, RecordedAt: r.RecordedAt, Country: r.Country, DocumentType: identitydocs.Type(r.DocumentType), NameResult: gen.AgentReviewEntryNameResult(r.NameResult)}
	})}, err
}

// GetAgentReview shows a pass that waits, with both names.
func (s *server) GetAgentReview(ctx context.Context, r gen.GetAgentReviewRequestObject) (gen.GetAgentReviewResponseObject, error) {
	review, name, err := s.Store.ReviewOf(ctx, r.RecordID, callOf(ctx).caller.ID, s.Keyring, s.Clock())
	if err != nil {
		return nil, err
	}
	view := gen.AgentReview{ID: review.ID, RecordedAt: review.RecordedAt, Country: review.Country, DocumentType: identitydocs.Type(review.DocumentType), Issuer: review.Issuer,
		DocumentExpiry: review.DocumentExpiry, AccountName: review.AccountName, DisplayedName: name.Reveal(), NameResult: gen.AgentReviewNameResult(review.NameResult),
		NameReasons: review.NameReasons, Checklist: gen.ChecklistAnswers{Version: int32(review.ChecklistVersion), Answers: []gen.ChecklistAnswer{}}}
	for question, yes := range review.Checklist {
		view.Checklist.Answers = append(view.Checklist.Answers, gen.ChecklistAnswer{Question: question, Yes: yes})
	}
	slices.SortFunc(view.Checklist.Answers, func(a, b gen.ChecklistAnswer) int { return cmp.Compare(a.Question, b.Question) })
	return gen.GetAgentReview200JSONResponse(view), nil
}

// DecideAgentReview confirms a pass, or rejects it (PRF-8).
func (s *server) DecideAgentReview(ctx context.Context, r gen.DecideAgentReviewRequestObject) (gen.DecideAgentReviewResponseObject, error) {
	d := store.ReviewDecision{RecordID: r.RecordID, AgentID: callOf(ctx).caller.ID, Confirm: r.Body.Confirm, Reason: deref(r.Body.Reason)}
	_, err := making(ctx, s, func(tx *store.Store) (string, string, error) {
		_, err := tx.RecordReview(ctx, d, s.Clock())
		return d.RecordID, d.RecordID, err
	}, func(id string) (string, error) { return id, nil })
	if err != nil {
		return nil, err
	}
	return gen.DecideAgentReview204Response{}, nil
}
