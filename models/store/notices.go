package store

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm/clause"
	"tokendesk/models"
)

// NewNotice is a mail to be sent once, to an account's address on file unless another was given for it.
type NewNotice struct {
	ID         string // optional; needed beforehand when a secret is sealed for it
	Kind       models.NoticeKind
	DedupeKey  string // business key; a second notice under it changes nothing
	AccountID  string
	To         string // optional
	SubjectRef string
	Params     map[string]string
	Sealed     []byte
}

// AddNotice records the intent to send a mail, in the surrounding transaction. Its Message-ID is fixed here, once (OPS-2).
func (s *Store) AddNotice(ctx context.Context, n NewNotice, at time.Time) error {
	account, err := s.Account(ctx, n.AccountID)
	if err != nil {
		return fmt.Errorf("address a notice: %w", err)
	}
	if n.ID == "" {
		n.ID = NewID("no", at)
	}
	if n.Params == nil {
		n.Params = map[string]string{}
	}
	if n.To == "" {
		n.To = account.Email
	}
	row := models.Notice{
		ID: n.ID, DedupeKey: n.DedupeKey, Kind: n.Kind, AccountID: &n.AccountID, ToAddress: n.To, SubjectRef: n.SubjectRef,
		Params: n.Params, Sealed: n.Sealed, MessageID: n.ID + "@tokendesk", Status: models.NoticePending, NextAt: at, CreatedAt: at,
	}
	err = s.with(ctx).Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "dedupe_key"}}, DoNothing: true}).Create(&row).Error
	if err != nil {
		return fault(fmt.Errorf("record a notice: %w", err))
	}
	return nil
}

// ClaimNotices takes up to n mails that are due and holds them back until the lease ends, which is counted in real time; whoever
// dies in the middle leaves them to the next sender, under the same Message-ID.
func (s *Store) ClaimNotices(ctx context.Context, n int, at time.Time, lease time.Duration) ([]models.Notice, error) {
	var rows []models.Notice
	err := s.with(ctx).Raw(`
		with due as (select id from notices where status = 'pending' and next_at <= ? and (leased_until is null or leased_until <= clock_timestamp())
			order by next_at limit ? for update skip locked)
		update notices o set attempts = attempts + 1, leased_until = clock_timestamp() + make_interval(secs => ?) from due where o.id = due.id returning o.*`,
		at, n, lease.Seconds()).Scan(&rows).Error
	if err != nil {
		return nil, fault(fmt.Errorf("claim notices: %w", err))
	}
	return rows, nil
}

// NoticeSent records that the mail server has accepted the mail, and erases what was sealed in it (LIC-1). A bounce that was
// reported sooner stands; a mail that was withdrawn while it was being sent has left all the same.
func (s *Store) NoticeSent(ctx context.Context, id string, at time.Time) error {
	return fault(s.with(ctx).Table("notices").Where("id = ? and status in ?", id, []models.NoticeStatus{models.NoticePending, models.NoticeWithdrawn}).
		Updates(map[string]any{"status": models.NoticeSent, "sent_at": at, "sealed": nil, "last_error": nil, "code": ""}).Error)
}

// Mishap says why a mail did not leave.
type Mishap struct {
	Why  string          // in our words, which staff may read
	Code models.MailCode // the mail server's, where it gave one
}

// NoticeDelayed lets a mail be tried again at a later moment.
func (s *Store) NoticeDelayed(ctx context.Context, id string, m Mishap, again time.Time) error {
	return fault(s.with(ctx).Table("notices").Where("id = ? and status = ?", id, models.NoticePending).
		Updates(map[string]any{"next_at": again, "leased_until": nil, "last_error": m.Why, "code": m.Code}).Error)
}

// NoticeFailed gives a mail up for good, unless it was reported to have left after all, and lets those hear of it whom it
// concerns (LIF-3).
func (s *Store) NoticeFailed(ctx context.Context, n models.Notice, m Mishap, at time.Time) error {
	n.Status, n.Code = models.NoticeFailed, m.Code
	return s.InTx(ctx, func(tx *Store) error {
		r := tx.with(ctx).Table("notices").Where("id = ? and status = ?", n.ID, models.NoticePending).
			Updates(map[string]any{"status": n.Status, "last_error": m.Why, "code": n.Code, "sealed": nil})
		if r.Error != nil || r.RowsAffected == 0 {
			return r.Error
		}
		return tx.mailLost(ctx, n, at)
	})
}

// NoticesAbout lists the mails about one thing with what became of them, oldest first.
func (s *Store) NoticesAbout(ctx context.Context, subjectRef string, p Page) ([]models.Notice, error) {
	var rows []models.Notice
	q := s.with(ctx).Where("subject_ref = ?", subjectRef).Order("created_at, id").Limit(p.limit())
	if p.After != "" {
		q = q.Where("(created_at, id) > (select created_at, id from notices where id = ?)", p.After)
	}
	return rows, fault(q.Find(&rows).Error)
}
