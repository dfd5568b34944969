package store

import (
	"context"
	"fmt"
	"time"

	"tokendesk/models"
)

// ProofingStanding is where a proofing case stands, what its lifecycle has to have done outside, and what time will do next.
type ProofingStanding struct {
	Case           models.ProofingCase
	ProductKind    models.ProductKind
	OrganizationID string // empty: none
	Timeline       models.Timeline
	FetchAt        time.Time // when the provider's result is fetched, due or ahead; zero: nothing to fetch
	Letter         bool      // a letter with a code is due
	Meeting        bool      // a meeting is due, to be made or cancelled
	Tidying        bool      // the provider has something to forget
	Overdue        bool      // a review waits for too long
}

// ProofingTimeline is what time does to a case: what is due and not performed yet, and what is ahead (LIF-4).
func (s *Store) ProofingTimeline(ctx context.Context, c models.ProofingCase) (models.Timeline, error) {
	p, err := s.Policy(ctx, c.PolicyVersion)
	if err != nil {
		return nil, err
	}
	f, err := s.proofingFacts(ctx, c)
	if err != nil {
		return nil, err
	}
	return models.ProofingTimeline(f, p), nil
}

func (s *Store) proofingFacts(ctx context.Context, c models.ProofingCase) (f models.ProofingFacts, err error) {
	f.Case = c
	if session, ok, err := s.ProofingSessionOf(ctx, c.ID); err != nil {
		return f, err
	} else if ok {
		f.Session = &session
	}
	if f.Booked, err = s.appointmentOf(ctx, c.ID); err != nil {
		return f, err
	}
	if f.Code, err = s.OpenActivationCode(ctx, c.ID); err != nil {
		return f, err
	}
	err = s.with(ctx).Table("proofing_milestones").Where("case_id = ?", c.ID).Pluck("key", &f.Performed).Error
	if err != nil {
		err = fault(fmt.Errorf("read the milestones of a proofing: %w", err))
	}
	return f, err
}

// AdvanceProofing performs what is due for a case at a moment, each milestone once, and tells where it stands. Doing it again changes nothing. Fault: NoSuchThing.
func (s *Store) AdvanceProofing(ctx context.Context, id string, at time.Time) (ProofingStanding, error) {
	var st ProofingStanding
	err := s.InTx(ctx, func(tx *Store) error {
		c, err := tx.lockProofing(ctx, id)
		if err != nil {
			return err
		}
		f, err := tx.performProofing(ctx, &c, at)
		if err != nil {
			return err
		}
		st, err = tx.proofingStanding(ctx, f, at)
		return err
	})
	if err != nil {
		return ProofingStanding{}, fmt.Errorf("advance a proofing: %w", err)
	}
	return st, nil
}

// performProofing performs milestones in order until none is due.
func (s *Store) performProofing(ctx context.Context, c *models.ProofingCase, at time.Time) (models.ProofingFacts, error) {
	p, err := s.Policy(ctx, c.PolicyVersion)
	if err != nil {
		return models.ProofingFacts{}, err
	}
	for {
		f, err := s.proofingFacts(ctx, *c)
		if err != nil {
			return f, err
		}
		due := models.ProofingTimeline(f, p).Performable(at)
		if len(due) == 0 {
			return f, nil
		}
		m := due[0]
		err = s.with(ctx).Exec("insert into proofing_milestones (case_id, key, at, performed_at) values (?, ?, ?, ?)", c.ID, m.Key, m.At, at).Error
		if err == nil {
			err = s.performOfProofing(ctx, c, f, due, p, at)
		}
		if err != nil {
			return f, fmt.Errorf("perform %s: %w", m.Name, fault(err))
		}
	}
}

// performOfProofing does what the first of the milestones that are due brings.
func (s *Store) performOfProofing(ctx context.Context, c *models.ProofingCase, f models.ProofingFacts, due models.Timeline, p models.Policy, at time.Time) error {
	m := due[0]
	if len(due) > 1 && due[1].Name == m.Name { // after an outage: the last reminder says it all
		return nil
	}
	switch m.Name {
	case models.ProofingNudge:
		return s.tellProofed(ctx, *c, models.NoticeProofingNudge, m.Key, nil, at)
	case models.SelfServiceTimeout:
		if err := s.endSessionOf(ctx, c.ID, models.OutcomeTimedOut, at); err != nil {
			return err
		}
		if err := s.moveProofing(ctx, c, models.EndSelfService, at, nil); err != nil {
			return err
		}
		if err := s.auditProofing(ctx, *c, "proofing.timed_out", models.SystemActor(models.ProofingLifecycle).ID, nil, at); err != nil {
			return err
		}
		return s.tellProofed(ctx, *c, models.NoticeProofingNudge, m.Key, nil, at)
	case models.AppointmentReminder:
		return s.tellAppointment(ctx, *c, *f.Booked, NewNotice{Kind: models.NoticeAppointmentAhead}, at)
	case models.MeetingLink: // the meeting is made outside; its mail is recorded when it is there (see MeetingMade)
		return nil
	case models.OutcomeMissing:
		return s.forgetAppointment(ctx, c, *f.Booked, at)
	case models.ReviewOverdue:
		return s.OpenCase(ctx, "review-overdue/"+c.ID+"/"+m.Key, c.ID, "a proofing waits for its review for too long: have a second agent look at it", at)
	case models.CodeReminder:
		return s.tellProofed(ctx, *c, models.NoticeCodeAhead, m.Key, day("lapses", f.Code.ExpiresAt.Add(-1), p), at)
	case models.CodeLapses:
		return s.lapseCode(ctx, c, *f.Code, at)
	case models.RegistrationAhead:
		return s.tellProofed(ctx, *c, models.NoticeRegistrationAhead, m.Key, day("register_by", c.RegisterBy.Add(-1), p), at)
	case models.RegistrationLapses:
		return s.lapseRegistration(ctx, c, at)
	}
	return fmt.Errorf("nobody performs the milestone %q of a proofing", m.Name)
}

func (s *Store) lapseCode(ctx context.Context, c *models.ProofingCase, code models.ActivationCode, at time.Time) error {
	if err := activationCodes.move(s.with(ctx), code.ID, models.ExpireCode, at, map[string]any{"ended_at": at}); err != nil {
		return err
	}
	if err := s.moveProofing(ctx, c, models.LapseCode, at, nil); err != nil {
		return err
	}
	if err := s.auditProofing(ctx, *c, "activation_code.lapsed", models.SystemActor(models.ProofingLifecycle).ID, nil, at); err != nil {
		return err
	}
	return s.tellProofed(ctx, *c, models.NoticeCodeLapsed, "lapsed/"+code.ID, nil, at)
}

// lapseRegistration takes the proofing of a person back who registered nothing in time (REG-2).
func (s *Store) lapseRegistration(ctx context.Context, c *models.ProofingCase, at time.Time) error {
	if err := credentials.move(s.with(ctx), c.CredentialID, models.RepeatProofing, at, map[string]any{"level": 2}); err != nil {
		return err
	}
	due := *c.RegisterBy
	if err := s.moveProofing(ctx, c, models.LapseRegistration, at, map[string]any{"register_by": nil}); err != nil {
		return err
	}
	if err := s.auditProofing(ctx, *c, "proofing.registration_lapsed", models.SystemActor(models.ProofingLifecycle).ID, nil, at); err != nil {
		return err
	}
	if err := s.tellProofed(ctx, *c, models.NoticeRegistrationLapsed, "registration-lapsed/"+due.UTC().Format(time.DateOnly), nil, at); err != nil {
		return err
	}
	return s.Signal(ctx, models.CredentialLifecycle, c.CredentialID, models.SignalCredentialChanged, c.CredentialID, at)
}

func (s *Store) proofingStanding(ctx context.Context, f models.ProofingFacts, at time.Time) (st ProofingStanding, err error) {
	p, err := s.Policy(ctx, f.Case.PolicyVersion)
	if err != nil {
		return st, err
	}
	st.Case, st.Timeline = f.Case, models.ProofingTimeline(f, p)
	err = s.with(ctx).Raw("select c.kind, coalesce(a.organization_id, '') from credentials c join accounts a on a.id = c.account_id where c.id = ?", f.Case.CredentialID).
		Row().Scan(&st.ProductKind, &st.OrganizationID)
	if err != nil {
		return st, fault(fmt.Errorf("read whose proofing it is: %w", err))
	}
	if f.Session != nil {
		st.FetchAt = f.Session.CheckAt
	}
	if st.Letter, err = s.letterDue(ctx, f.Case); err != nil {
		return st, err
	}
	if st.Tidying, err = s.tidyingDue(ctx, f.Case.ID, st.Letter); err != nil {
		return st, err
	}
	if st.Meeting, err = s.meetingDue(ctx, f.Case.ID, at); err != nil {
		return st, err
	}
	st.Overdue = f.Case.Status == models.ProofingInReview && !at.Before(f.Case.Since.Add(time.Duration(p.Proofing.ReviewHours)*time.Hour))
	return st, nil
}

// meetingDue reports whether a meeting of a case is to be made now, or cancelled.
func (s *Store) meetingDue(ctx context.Context, caseID string, at time.Time) (bool, error) {
	due, err := s.MeetingDue(ctx, caseID, at)
	if err != nil || due != nil {
		return due != nil, err
	}
	unwanted, err := s.MeetingsToCancel(ctx, caseID)
	return len(unwanted) > 0, err
}
