package store

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"tokendesk/internal/calendar"
	"tokendesk/models"
)

// banks keeps the calendars that were made: they are large, and do not change.
var banks sync.Map // of bankKey

type bankKey struct{ zone, closes string }

// bank is the vendor's bank calendar under a policy.
func bank(p models.Policy) *calendar.Calendar {
	key := bankKey{p.Zone, p.CloseOfDay}
	if known, ok := banks.Load(key); ok {
		return known.(*calendar.Calendar)
	}
	closes := calendar.DefaultClose
	if t, err := time.Parse("15:04", p.CloseOfDay); err == nil {
		closes = time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute
	}
	made, _ := banks.LoadOrStore(key, calendar.Bank(p.Location(), closes))
	return made.(*calendar.Calendar)
}

// lifeFacts reads what the life of a credential depends on at a moment. Whether reminders arrived is looked at from the moment of the
// revocation on; a review that has begun goes on, though a mail arrives meanwhile (LIF-3).
func (s *Store) lifeFacts(ctx context.Context, c models.Credential, p models.Policy, at time.Time) (f models.LifeFacts, err error) {
	f = models.LifeFacts{Phase: c.Phase, ExpiresAt: c.ExpiresAt, SuspendedAt: c.SuspendedAt, Undelivered: c.ReviewSince != nil}
	if err := s.with(ctx).Table("credential_milestones").Where("credential_id = ?", c.ID).Pluck("key", &f.Performed).Error; err != nil {
		return f, fault(fmt.Errorf("read the milestones of a credential: %w", err))
	}
	if end := models.DatesOf(f, p, bank(p)).Revocation; !f.Undelivered && c.Phase != models.CredentialRevoked && !at.Before(end) {
		f.Undelivered, err = s.RemindersFailed(ctx, c.ID, reminderKey(c, end))
	}
	return f, err
}

// reminderKey begins the dedupe keys of the reminders of one revocation.
func reminderKey(c models.Credential, revocation time.Time) string {
	return "revocation-reminder/" + c.ID + "/" + revocation.UTC().Format(time.DateOnly) + "/"
}

// CredentialTimeline is what time does to a credential (LIF-1, LIF-4): what is due and not performed yet, and what is ahead.
func (s *Store) CredentialTimeline(ctx context.Context, c models.Credential, at time.Time) (models.Timeline, error) {
	p, err := s.Policy(ctx, c.PolicyVersion)
	if err != nil {
		return nil, err
	}
	f, err := s.lifeFacts(ctx, c, p, at)
	if err != nil {
		return nil, err
	}
	return models.CredentialTimeline(f, p, bank(p), at), nil
}

// performDue performs milestones in order until none is due: each is written down in its transaction, and may change what comes next.
// A revocation by time waits for a renewal that was paid before it and has not taken effect yet (REN-4). It returns what is left of the timeline.
func (s *Store) performDue(ctx context.Context, c *models.Credential, at time.Time) (models.Timeline, error) {
	p, err := s.Policy(ctx, c.PolicyVersion)
	if err != nil {
		return nil, err
	}
	for {
		f, err := s.lifeFacts(ctx, *c, p, at)
		if err != nil {
			return nil, err
		}
		timeline := models.CredentialTimeline(f, p, bank(p), at)
		due := timeline.Performable(at)
		if len(due) == 0 {
			return timeline, nil
		}
		m := due[0]
		if m.Name == models.CredentialRevokes {
			if paid, err := s.renewalPaid(ctx, c.ID, models.RenewalOf(f, p, bank(p), 0).LastRenewal); err != nil || paid {
				return timeline, err
			}
		}
		err = s.with(ctx).Exec("insert into credential_milestones (credential_id, key, at, performed_at) values (?, ?, ?, ?)", c.ID, m.Key, m.At, at).Error
		if err == nil {
			err = s.perform(ctx, c, due, models.DatesOf(f, p, bank(p)), p, at)
		}
		if err != nil {
			return nil, fmt.Errorf("perform %s: %w", m.Name, fault(err))
		}
	}
}

// perform does what the first of the milestones that are due brings.
func (s *Store) perform(ctx context.Context, c *models.Credential, due models.Timeline, d models.LifeDates, p models.Policy, at time.Time) error {
	m := due[0]
	switch m.Name {
	case models.ExpiryNotice:
		if slices.ContainsFunc(due, func(m models.Milestone) bool { return m.Name == models.CredentialExpires }) { // it has expired by now: that mail says it all
			return nil
		}
		return s.tell(ctx, *c, models.NoticeExpiryAhead, m.Key+"/"+c.ID, noticeParams(*c, d, p), at)
	case models.CredentialExpires: // logins were refused from that moment on, whenever this runs (LOG-5)
		if err := s.setFact(ctx, c, "expired_at", m.At, at); err != nil {
			return err
		}
		c.ExpiredAt = &m.At
		return s.auditAndTell(ctx, *c, "credential.expired", models.NoticeExpired, "expired/"+c.ID+"/"+m.At.UTC().Format(time.DateOnly), day("expiry", d.Expiry, p), at)
	case models.TermSuspended:
		if err := s.setFact(ctx, c, "term_suspended_at", m.At, at); err != nil {
			return err
		}
		c.TermSuspendedAt = &m.At
		return s.auditAndTell(ctx, *c, "credential.term_suspended", models.NoticeTermSuspended, m.Key+"/"+c.ID, suspensionParams(d, p, at), at)
	case models.RevocationReminder:
		if len(due) > 1 && due[1].Name == models.RevocationReminder { // after an outage, or a suspension that was lifted: one mail says it all
			return nil
		}
		return s.tell(ctx, *c, models.NoticeRevocationReminder, reminderKey(*c, d.Revocation)+m.At.UTC().Format(time.DateOnly),
			reminderParams(*c, d, p, at), at)
	case models.RevocationReview:
		if err := s.setFact(ctx, c, "review_since", m.At, at); err != nil {
			return err
		}
		c.ReviewSince = &m.At
		if err := s.auditLife(ctx, *c, "credential.review_began", nil, at); err != nil {
			return err
		}
		return s.OpenCase(ctx, m.Key+"/"+c.ID, c.ID, "none of the reminders of a revocation could be delivered: reach the person, or revoke the credential", at)
	case models.CredentialRevokes:
		return s.revokeByTime(ctx, c, m, revokedParams(*c, d, p), at)
	}
	return fmt.Errorf("nobody performs the milestone %q of a credential", m.Name)
}

// setFact writes a date that was not there. The column is a name of this package's, never input.
func (s *Store) setFact(ctx context.Context, c *models.Credential, column string, value, at time.Time) error {
	r := s.with(ctx).Table("credentials").Where("id = ? and "+column+" is null and revoked_at is null", c.ID).
		Updates(map[string]any{column: value, "updated_at": at})
	if r.Error != nil {
		return r.Error
	}
	if r.RowsAffected != 1 {
		return models.EditConflict.New("")
	}
	return nil
}

func (s *Store) revokeByTime(ctx context.Context, c *models.Credential, m models.Milestone, params map[string]string, at time.Time) error {
	by := models.SystemActor(models.CredentialLifecycle)
	if err := s.revokeAll(ctx, c, models.RevokeByTime, by, at); err != nil {
		return err
	}
	return s.tell(ctx, *c, models.NoticeRevokedByTime, m.Key+"/"+c.ID, params, at)
}

// tell records a mail to the person of a credential.
func (s *Store) tell(ctx context.Context, c models.Credential, kind models.NoticeKind, key string, params map[string]string, at time.Time) error {
	return s.AddNotice(ctx, NewNotice{Kind: kind, DedupeKey: key, AccountID: c.AccountID, SubjectRef: c.ID, Params: params}, at)
}

func (s *Store) auditLife(ctx context.Context, c models.Credential, kind string, detail map[string]string, at time.Time) error {
	return s.auditCredential(ctx, c, kind, models.SystemActor(models.CredentialLifecycle), detail, at)
}

func (s *Store) auditCredential(ctx context.Context, c models.Credential, kind string, by models.Actor, detail map[string]string, at time.Time) error {
	return s.Audit(ctx, models.AuditEvent{At: at, Class: models.LifecycleEvents, Kind: kind, Actor: by.ID, CredentialID: &c.ID, SubjectRef: c.ID,
		Outcome: models.Succeeded, Detail: detail})
}

func (s *Store) auditAndTell(ctx context.Context, c models.Credential, kind string, mail models.NoticeKind, key string, params map[string]string, at time.Time) error {
	if err := s.auditLife(ctx, c, kind, nil, at); err != nil {
		return err
	}
	return s.tell(ctx, c, mail, key, params, at)
}
