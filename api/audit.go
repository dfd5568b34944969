package api

import (
	"context"
	"strconv"

	"tokendesk/api/gen"
	"tokendesk/internal/checkpoints"
	"tokendesk/models"
	"tokendesk/models/store"
)

// ListCredentialAuditEvents lists what happened to a credential (SEC-3).
func (s *server) ListCredentialAuditEvents(ctx context.Context, r gen.ListCredentialAuditEventsRequestObject) (gen.ListCredentialAuditEventsResponseObject, error) {
	if _, _, err := s.credential(ctx, r.CredentialID); err != nil {
		return nil, err
	}
	l := s.list(r.Params.Limit, "audit/"+r.CredentialID)
	page, err := l.page(r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	rows, err := s.Store.AuditOfCredential(ctx, r.CredentialID, page)
	if err != nil {
		return nil, err
	}
	rows, next, err := cut(l, rows, func(e models.AuditEvent) string { return strconv.FormatInt(e.ID, 10) })
	return gen.ListCredentialAuditEvents200JSONResponse{Items: each(rows, viewAuditEvent), NextCursor: next}, err
}

func viewAuditEvent(e models.AuditEvent) gen.AuditEvent {
	detail := e.Detail
	if detail == nil {
		detail = map[string]string{}
	}
	return gen.AuditEvent{ID: e.ID, At: e.At, Class: e.Class, Kind: e.Kind, Actor: e.Actor, AuthenticatorID: e.AuthenticatorID,
		SubjectRef: e.SubjectRef, Outcome: e.Outcome, Detail: detail}
}

// VerifyAudit checks every chain, and that it goes as far as the checkpoints kept outside the database say (SEC-3).
func (s *server) VerifyAudit(ctx context.Context, _ gen.VerifyAuditRequestObject) (gen.VerifyAuditResponseObject, error) {
	known, err := s.knownCheckpoints(ctx) // before the chains, which may go on meanwhile
	if err != nil {
		return nil, err
	}
	out := gen.AuditVerification{Intact: len(known.Rejected) == 0, TruncationChecked: s.CheckpointFile != "",
		RejectedCheckpoints: each(known.Rejected, viewRejected)}
	for _, class := range models.RetentionClasses() {
		report, err := s.Store.VerifyAudit(ctx, class, s.AuditKeys, known.Checkpoints...)
		if err != nil {
			return nil, err
		}
		checked := known.Of(class) > 0
		out.Intact = out.Intact && report.Intact()
		out.TruncationChecked = out.TruncationChecked && (checked || report.Batches == 0)
		out.Chains = append(out.Chains, gen.AuditChain{Class: class, Intact: report.Intact(), TruncationChecked: checked, Batches: report.Batches,
			Events: report.Events, Unsealed: report.Unsealed, Findings: each(report.Findings, viewFinding)})
	}
	return gen.VerifyAudit200JSONResponse(out), nil
}

func (s *server) knownCheckpoints(ctx context.Context) (checkpoints.Known, error) {
	if s.CheckpointFile == "" {
		return checkpoints.Known{}, nil
	}
	return checkpoints.Latest(ctx, s.CheckpointFile, s.AuditKeys)
}

func viewRejected(r checkpoints.Rejected) gen.RejectedCheckpoint {
	return gen.RejectedCheckpoint{Line: int64(r.Line), Detail: r.Detail}
}

func viewFinding(f store.AuditFinding) gen.AuditFinding {
	return gen.AuditFinding{Kind: string(f.Kind), Epoch: int64(f.Epoch), Batch: f.Batch, Detail: f.Detail}
}
