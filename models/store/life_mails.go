package store

import (
	"context"
	"fmt"
	"maps"
	"time"

	"tokendesk/models"
)

// What the mails of a credential's life say is written down at the event, since they may leave much later: by then the credential may be
// renewed, and its dates others (LIF-1).

// day is a date as a mail's parameter.
func day(name string, t time.Time, p models.Policy) map[string]string {
	return map[string]string{name: t.In(p.Location()).Format("2 January 2006")}
}

// moment is a date with its hour as a mail's parameter.
func moment(name string, t time.Time, p models.Policy) map[string]string {
	return map[string]string{name: t.In(p.Location()).Format("2 January 2006, 15:04 MST")}
}

func together(params ...map[string]string) map[string]string {
	all := map[string]string{}
	for _, p := range params {
		maps.Copy(all, p)
	}
	return all
}

// noticeParams are those of the expiry notice. A suspension by command may lead to the revocation before renewal opens.
func noticeParams(c models.Credential, d models.LifeDates, p models.Policy) map[string]string {
	params := day("expiry", c.ExpiresAt, p)
	if !d.Opens() {
		maps.Copy(params, day("revocation", d.Revocation.Add(-1), p))
	}
	return params
}

// takenBackParams are those of the mail about a renewal that was taken back: when the term ends again, and when it can be renewed. What time
// had brought of that term already is not performed again, so that this mail says it all.
func takenBackParams(d models.LifeDates, p models.Policy, at time.Time) map[string]string {
	params := suspensionParams(d, p, at)
	if !at.Before(d.Expiry) {
		params["over"] = "true"
	}
	return params
}

// suspensionParams are those of the mail about a suspension by time.
func suspensionParams(d models.LifeDates, p models.Policy, at time.Time) map[string]string {
	return together(day("expiry", d.Expiry, p), renewalParams(d, p, at))
}

// renewalParams say until when, and how, a credential can be renewed; nothing where it cannot any more.
func renewalParams(d models.LifeDates, p models.Policy, at time.Time) map[string]string {
	switch {
	case !at.Before(d.LastRenewal):
		return nil
	case !at.Before(d.LastInvoice):
		return moment("last_renewal", d.LastRenewal, p)
	}
	return together(moment("last_renewal", d.LastRenewal, p), day("last_invoice", d.LastInvoice.Add(-1), p))
}

// reminderParams are those of a reminder: when it is revoked, what suspends it, and what helps (LIF-2).
func reminderParams(c models.Credential, d models.LifeDates, p models.Policy, at time.Time) map[string]string {
	params := day("revocation", d.Revocation.Add(-1), p)
	if c.SuspendedBy != nil {
		params["by"] = string(*c.SuspendedBy)
	}
	if !at.Before(d.Expiry) {
		maps.Copy(params, suspensionParams(d, p, at))
	}
	return params
}

// revokedParams say why time has revoked a credential: a suspension by command ran out, or the term was not renewed.
func revokedParams(c models.Credential, d models.LifeDates, p models.Policy) map[string]string {
	term := models.DatesOf(models.LifeFacts{ExpiresAt: c.ExpiresAt}, p, bank(p)).Revocation
	if c.SuspendedBy != nil && d.Revocation.Before(term) {
		return map[string]string{"by": string(*c.SuspendedBy)}
	}
	return day("expiry", c.ExpiresAt, p)
}

// reenabled takes back the reminders of a suspension by command that was lifted; it returns the parameters of the mail that says so, and what
// that leads to (MGT-3).
func (s *Store) reenabled(ctx context.Context, c models.Credential, at time.Time) (map[string]string, error) {
	bound, err := s.authenticatorsOf(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	p, err := s.Policy(ctx, c.PolicyVersion)
	if err != nil {
		return nil, err
	}
	d := models.DatesOf(models.LifeFacts{ExpiresAt: c.ExpiresAt}, p, bank(p))
	params := map[string]string{"shown": string(c.Displayed(models.AllLocked(bound), at))}
	if !at.Before(c.ExpiresAt) {
		maps.Copy(params, suspensionParams(d, p, at))
	}
	return params, s.withdrawReminders(ctx, c, d.Revocation)
}

// withdrawTermMails takes back what was not sent yet and is true no more, because the term goes on or the credential has ended.
func (s *Store) withdrawTermMails(ctx context.Context, c models.Credential) error {
	return s.withdraw(ctx, c, "kind in ?", []models.NoticeKind{models.NoticeExpiryAhead, models.NoticeExpired, models.NoticeTermSuspended})
}

// withdrawReminders takes back reminders that were not sent yet, other than those of the revocation that is ahead now.
func (s *Store) withdrawReminders(ctx context.Context, c models.Credential, revocation time.Time) error {
	return s.withdraw(ctx, c, "kind = ? and not starts_with(dedupe_key, ?)", models.NoticeRevocationReminder, reminderKey(c, revocation))
}

func (s *Store) withdraw(ctx context.Context, c models.Credential, which string, args ...any) error {
	err := s.with(ctx).Table("notices").Where("subject_ref = ? and status = ?", c.ID, models.NoticePending).Where(which, args...).
		Update("status", models.NoticeWithdrawn).Error
	if err != nil {
		return fmt.Errorf("withdraw mails: %w", err)
	}
	return nil
}
