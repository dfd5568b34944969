package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"tokendesk/models"
)

// Review is a pass that waits for another agent to confirm it, with what that one needs to decide (PRF-8).
type Review struct {
	models.ProofingRecord
	Country     string
	AccountName string // the legal name that the account has
}

const waitingReviews = `select r.*, to_char(r.document_expiry, 'YYYY-MM-DD') as document_expiry, c.country,
	concat_ws(' ', x.first_name, nullif(x.middle_name, ''), x.last_name) as account_name
	from proofing_records r join proofing_cases c on c.id = r.case_id and c.attempt = r.attempt join accounts x on x.id = c.account_id
	where r.review_wanted and r.reviewed_at is null and c.status = 'in_review' `

// Reviews lists the passes that wait for an agent who may review, oldest first; what the agent recorded is left to others. Fault: NotPermitted.
func (s *Store) Reviews(ctx context.Context, agentID string, p Page) ([]Review, error) {
	if err := s.mayReview(ctx, agentID); err != nil {
		return nil, err
	}
	var rows []Review
	if err := s.with(ctx).Raw(waitingReviews+"and r.agent_id <> ? and r.id > ? order by r.id limit ?", agentID, p.After, p.limit()).Scan(&rows).Error; err != nil {
		return nil, fault(fmt.Errorf("list reviews: %w", err))
	}
	return rows, nil
}

// ReviewOf opens one pass that waits, for an agent who may review it, with the name that the document displays. That it was read is audited.
// Faults: NoSuchThing, NotPermitted, ReviewByAnother.
func (s *Store) ReviewOf(ctx context.Context, recordID, agentID string, opener Opener, at time.Time) (Review, models.Secret, error) {
	if err := s.mayReview(ctx, agentID); err != nil {
		return Review{}, "", err
	}
	var rows []Review
	if err := s.with(ctx).Raw(waitingReviews+"and r.id = ?", recordID).Scan(&rows).Error; err != nil {
		return Review{}, "", fault(fmt.Errorf("read a review: %w", err))
	}
	switch {
	case len(rows) == 0:
		return Review{}, "", models.NoSuchThing.New("no such review")
	case rows[0].AgentID == agentID:
		return Review{}, "", models.ReviewByAnother.New("")
	}
	name, err := opener.Open(rows[0].SealedName, models.ProofingRecordContext(recordID, "name"))
	if err != nil {
		return Review{}, "", fmt.Errorf("open a document's name: %w", err)
	}
	c, err := s.ProofingCase(ctx, rows[0].CaseID)
	if err != nil {
		return Review{}, "", err
	}
	return rows[0], models.Secret(name), s.auditProofing(ctx, c, "proofing_record.read", agentID, map[string]string{"record": recordID}, at)
}

// mayReview refuses an agent who does not look at what others recorded. Fault: NotPermitted.
func (s *Store) mayReview(ctx context.Context, agentID string) error {
	a, err := s.Agent(ctx, agentID)
	if err != nil {
		return err
	}
	if !a.MayReview || a.RetiredAt != nil {
		return models.NotPermitted.New("this is for agents who review")
	}
	return nil
}

// ReviewDecision is what the second person says of a pass.
type ReviewDecision struct {
	RecordID string
	AgentID  string
	Confirm  bool
	Reason   string // why not
}

// RecordReview confirms a pass, so that its code may be used, or rejects it: the code is void, and the person must choose another slot (PRF-8).
// Faults: NoSuchThing, NotPermitted, ReviewByAnother, StateForbids, InvalidRequest.
func (s *Store) RecordReview(ctx context.Context, d ReviewDecision, at time.Time) (models.ProofingCase, error) {
	var c models.ProofingCase
	err := s.InTx(ctx, func(tx *Store) (err error) {
		c, err = tx.recordReview(ctx, d, at)
		return err
	})
	if err != nil {
		return models.ProofingCase{}, fmt.Errorf("record a review: %w", err)
	}
	return c, nil
}

func (s *Store) recordReview(ctx context.Context, d ReviewDecision, at time.Time) (c models.ProofingCase, err error) {
	if err := s.mayReview(ctx, d.AgentID); err != nil {
		return c, err
	}
	var r models.ProofingRecord
	if err := s.with(ctx).Where("id = ?", d.RecordID).Take(&r).Error; err != nil {
		return c, err
	}
	if c, err = s.lockProofing(ctx, r.CaseID); err != nil {
		return c, err
	}
	reason := strings.TrimSpace(d.Reason)
	switch {
	case r.AgentID == d.AgentID:
		return c, s.auditRefusal(ctx, "proofing_record.reviewed", d.AgentID, r.ID, c.CredentialID, models.ReviewByAnother.New(""), at)
	case !d.Confirm && reason == "":
		return c, models.InvalidRequest.New("a rejection gives a reason").At("/reason")
	}
	u := s.with(ctx).Exec("update proofing_records set reviewer_id = ?, reviewed_at = ?, confirmed = ?, review_reason = ? where id = ? and review_wanted and reviewed_at is null and attempt = ?",
		d.AgentID, at, d.Confirm, reason, r.ID, c.Attempt)
	if u.Error != nil {
		return c, fault(fmt.Errorf("write a review down: %w", u.Error))
	}
	if u.RowsAffected == 0 {
		return c, models.StateForbids.New("nothing waits for a review").Allowing()
	}
	if err := s.followReview(ctx, &c, r, d.Confirm, at); err != nil {
		return c, err
	}
	detail := map[string]string{"record": r.ID, "confirmed": fmt.Sprint(d.Confirm)}
	if err := s.auditProofing(ctx, c, "proofing_record.reviewed", d.AgentID, detail, at); err != nil {
		return c, err
	}
	return c, s.proofingChanged(ctx, c.ID, at)
}

// followReview does what a review brings.
func (s *Store) followReview(ctx context.Context, c *models.ProofingCase, r models.ProofingRecord, confirmed bool, at time.Time) error {
	if confirmed {
		if err := s.releaseCode(ctx, c.ID, at, nil); err != nil {
			return err
		}
		if err := s.moveProofing(ctx, c, models.ConfirmReview, at, nil); err != nil {
			return err
		}
		return s.tellProofed(ctx, *c, models.NoticeReviewPassed, "review/"+r.ID, nil, at)
	}
	if err := s.voidCode(ctx, c.ID, at); err != nil {
		return err
	}
	if err := s.moveProofing(ctx, c, models.RejectReview, at, nil); err != nil {
		return err
	}
	a, err := s.Appointment(ctx, r.AppointmentID)
	if err != nil {
		return err
	}
	return s.tellReschedule(ctx, *c, a, RescheduleRejected, at)
}
