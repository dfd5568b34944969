package store_test

import (
	"testing"

	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
)

// review is a pass with a close name, which another agent must confirm by the default policy.
type review struct {
	*booth
	recorded store.Recorded
	record   string
	second   models.Agent
}

func newReview(t *testing.T) *review {
	t.Helper()
	b := newBooth(t)
	r, err := b.pass(func(p *store.Pass) { p.LegalName, p.NameConfirmed = "Ada King Lovelace", true })
	storetest.Must(t, err)
	return &review{b, r, query[string](t, b.st, "select id from proofing_records"), storetest.Reviewer(t, b.st)}
}

func (r *review) decide(agentID string, confirm bool, reason string) error {
	_, err := r.st.RecordReview(r.t.Context(), store.ReviewDecision{RecordID: r.record, AgentID: agentID, Confirm: confirm, Reason: reason}, r.at)
	return err
}

func (r *review) enter() error {
	_, err := r.st.EnterActivationCode(r.t.Context(), store.CodeEntry{CaseID: r.recorded.Case.ID, AccountID: r.recorded.Case.AccountID, Code: r.recorded.Code, Address: "192.0.2.1"}, r.at)
	return err
}

// PRF-8: the code may be used only once another agent has confirmed.
func TestReviewConfirmed(t *testing.T) {
	r := newReview(t)
	if r.recorded.Case.Status != models.ProofingInReview {
		t.Fatalf("the case is %s", r.recorded.Case.Status)
	}
	wantFault(t, r.enter(), models.ActivationCodeInReview)
	storetest.Must(t, r.decide(r.second.ID, true, ""))
	if c := r.kase(); c.Status != models.ProofingAwaitingCode {
		t.Errorf("the case is %s", c.Status)
	}
	if n := query[int](t, r.st, "select count(*) from notices where kind = 'review_passed'"); n != 1 {
		t.Errorf("%d mails say that the code may be used", n)
	}
	wantFault(t, r.decide(r.second.ID, true, ""), models.StateForbids)
	wantFault(t, r.decide(r.second.ID, false, "on second thoughts"), models.StateForbids)
	storetest.Must(t, r.enter())
}

// PRF-8: a rejected pass gives a void code, and the person chooses another slot.
func TestReviewRejected(t *testing.T) {
	r := newReview(t)
	wantFault(t, r.decide(r.second.ID, false, "  "), models.InvalidRequest)
	storetest.Must(t, r.decide(r.second.ID, false, "another family name"))
	if c := r.kase(); c.Status != models.ProofingScheduling {
		t.Errorf("the case is %s", c.Status)
	}
	if n := query[int](t, r.st, "select count(*) from activation_codes where status = 'void'"); n != 1 {
		t.Error("the code is not void")
	}
	if n := query[int](t, r.st, "select count(*) from notices where kind = 'reschedule' and params->>'cause' = 'rejected'"); n != 1 {
		t.Error("the person is not told")
	}
	wantFault(t, r.enter(), models.ActivationCodeWrong)
}

// PRF-8: who may review.
func TestReviewRefused(t *testing.T) {
	t.Run("by whoever recorded it", func(t *testing.T) {
		r := newReview(t)
		agent := r.session.Agent
		wantFault(t, r.decide(agent.ID, true, ""), models.NotPermitted)
		agent.MayReview = true
		_, err := r.st.UpdateAgent(t.Context(), agent, models.Actor{ID: "test"}, r.at)
		storetest.Must(t, err)
		wantFault(t, r.decide(agent.ID, true, ""), models.ReviewByAnother)
		_, _, err = r.st.ReviewOf(t.Context(), r.record, agent.ID, r.ring, r.at)
		wantFault(t, err, models.ReviewByAnother)
		if waiting, err := r.st.Reviews(t.Context(), agent.ID, store.Page{}); err != nil || len(waiting) != 0 {
			t.Errorf("they are offered to whoever recorded them: %d, %v", len(waiting), err)
		}
		if _, err := r.st.Pool().Exec(t.Context(), "update proofing_records set reviewer_id = agent_id, reviewed_at = now(), confirmed = true"); err == nil {
			t.Error("the database takes it")
		}
	})
	t.Run("by an agent who does not review", func(t *testing.T) {
		r := newReview(t)
		other := storetest.Agent(t, r.st, "UTC", nil)
		wantFault(t, r.decide(other.ID, true, ""), models.NotPermitted)
		_, err := r.st.Reviews(t.Context(), other.ID, store.Page{})
		wantFault(t, err, models.NotPermitted)
		_, _, err = r.st.ReviewOf(t.Context(), r.record, other.ID, r.ring, r.at)
		wantFault(t, err, models.NotPermitted)
	})
	t.Run("by two at once", func(t *testing.T) {
		r := newReview(t)
		third := storetest.Reviewer(t, r.st)
		got := atOnce(6, func(i int) error {
			if i%2 == 0 {
				return r.decide(r.second.ID, true, "")
			}
			return r.decide(third.ID, false, "no")
		})
		if got[""] != 1 || got[models.StateForbids.Slug] != 5 {
			t.Errorf("answers: %v", got)
		}
	})
	t.Run("of what has lapsed", func(t *testing.T) {
		r := newReview(t)
		r.at = r.recorded.CodeExpires
		_, err := r.st.AdvanceProofing(t.Context(), r.recorded.Case.ID, r.at)
		storetest.Must(t, err)
		wantFault(t, r.decide(r.second.ID, true, ""), models.StateForbids)
	})
}

// PRF-8: the second person sees both names, and that they were read is in the trail.
func TestReviewShown(t *testing.T) {
	r := newReview(t)
	waiting, err := r.st.Reviews(t.Context(), r.second.ID, store.Page{})
	storetest.Must(t, err)
	if len(waiting) != 1 || waiting[0].ID != r.record || waiting[0].AccountName != "Ada Lovelace" || waiting[0].Country != "US" || waiting[0].DocumentExpiry == nil || *waiting[0].DocumentExpiry != "2031-05-06" {
		t.Fatalf("waiting are %+v", waiting)
	}
	one, name, err := r.st.ReviewOf(t.Context(), r.record, r.second.ID, r.ring, r.at)
	if err != nil || name != "Ada King Lovelace" || len(one.NameReasons) == 0 || !one.Checklist["photograph"] {
		t.Errorf("shown are %q, %+v: %v", name.Reveal(), one, err)
	}
	if n := query[int](t, r.st, "select count(*) from audit_events where kind = 'proofing_record.read' and actor = $1", r.second.ID); n != 1 {
		t.Error("the look is not in the trail")
	}
	storetest.Must(t, r.decide(r.second.ID, true, ""))
	if waiting, err := r.st.Reviews(t.Context(), r.second.ID, store.Page{}); err != nil || len(waiting) != 0 {
		t.Errorf("still waiting: %d, %v", len(waiting), err)
	}
	_, _, err = r.st.ReviewOf(t.Context(), r.record, r.second.ID, r.ring, r.at)
	wantFault(t, err, models.NoSuchThing)
}

// PRF-8: which passes a second person confirms is policy.
func TestReviewRule(t *testing.T) {
	for rule, want := range map[models.ReviewRule][2]bool{models.ReviewNever: {false, false}, models.ReviewCloseNames: {false, true}, models.ReviewAlways: {true, true}} {
		if got := [2]bool{rule.Wants(false), rule.Wants(true)}; got != want {
			t.Errorf("%s wants %v, want %v", rule, got, want)
		}
	}
}

// PRF-7: a record is evidence.
func TestRecordIsEvidence(t *testing.T) {
	r := newReview(t)
	storetest.Must(t, r.decide(r.second.ID, true, ""))
	for _, sql := range []string{"update proofing_records set document_type = 'passport_card'", "update proofing_records set name_result = 'match'", "update proofing_records set confirmed = false",
		"update proofing_records set reviewer_id = null, reviewed_at = null, confirmed = null", "delete from proofing_records"} {
		if _, err := r.st.Pool().Exec(t.Context(), sql); err == nil {
			t.Errorf("taken: %s", sql)
		}
	}
	if _, err := r.st.Pool().Exec(t.Context(), "update proofing_records set sealed_name = sealed_name || ''"); err != nil {
		t.Errorf("ciphertexts cannot be renewed: %v", err)
	}
}
