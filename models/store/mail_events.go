package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm/clause"
	"tokendesk/models"
)

// RecordMailEvent keeps what the mail provider reports about a mail, and moves its notice accordingly; what a bounce entails
// stands or falls with it (LIF-3). Events may repeat and arrive in any order, also before the sender has recorded that the mail
// was taken. A Message-ID that no notice has is kept and changes nothing.
//
// Faults: InvalidRequest.
func (s *Store) RecordMailEvent(ctx context.Context, e models.MailEvent, at time.Time) error {
	if err := e.Check(); err != nil {
		return err
	}
	e.OccurredAt, e.ReceivedAt = e.OccurredAt.UTC().Truncate(time.Microsecond), at
	return s.InTx(ctx, func(tx *Store) error {
		var of []models.Notice // one at most; locked, so that events of one mail are weighed one after the other
		if err := tx.with(ctx).Clauses(clause.Locking{Strength: "UPDATE"}).Where("message_id = ?", e.MessageID).Find(&of).Error; err != nil {
			return fmt.Errorf("find the mail of an event: %w", err)
		}
		r := tx.with(ctx).Clauses(clause.OnConflict{DoNothing: true}).Create(&e)
		if r.Error != nil {
			return fmt.Errorf("record a mail event: %w", r.Error)
		}
		if r.RowsAffected == 0 || len(of) == 0 {
			return nil
		}
		return tx.weighMail(ctx, of[0], at)
	})
}

// weighMail brings a locked notice to where all of its events say that it is.
func (s *Store) weighMail(ctx context.Context, n models.Notice, at time.Time) error {
	var events []models.MailEvent
	if err := s.with(ctx).Where("message_id = ?", n.MessageID).Find(&events).Error; err != nil {
		return fmt.Errorf("read the events of a mail: %w", err)
	}
	v, was := models.FoldMailEvents(events), n.Status
	if n.Status = v.Status(was); n.Status == models.NoticeSent {
		n.LastError = nil
	}
	n.Code = v.Code // pending and failed are behind it, and with them why
	if n.SentAt == nil {
		n.SentAt = &at
	}
	err := s.with(ctx).Table("notices").Where("id = ?", n.ID).Updates(map[string]any{"status": n.Status, "code": n.Code, "last_error": n.LastError, "sent_at": n.SentAt,
		"sealed": nil, "delivered_at": v.DeliveredAt, "bounced_at": v.BouncedAt, "complained_at": v.ComplainedAt}).Error
	if err != nil {
		return fmt.Errorf("move a notice: %w", err)
	}
	switch {
	case was == n.Status:
		return nil
	case n.Status == models.NoticeBounced:
		return s.mailLost(ctx, n, at)
	case was == models.NoticeFailed:
		return s.tellCredential(ctx, n, at)
	}
	return nil
}

// mailLost lets those hear of it whom a lost mail concerns: the trail, a person where it matters, and the lifecycle of the
// credential, which may wait before it revokes (LIF-3).
func (s *Store) mailLost(ctx context.Context, n models.Notice, at time.Time) error {
	e := models.AuditEvent{At: at, Class: models.LifecycleEvents, Kind: "notice." + string(n.Status), Actor: "mail", SubjectRef: n.ID, Outcome: models.Failed,
		Detail: map[string]string{"kind": string(n.Kind), "about": n.SubjectRef, "code": string(n.Code)}}
	if aboutCredential(n) {
		e.CredentialID = &n.SubjectRef
	}
	if err := s.Audit(ctx, e); err != nil {
		return err
	}
	if n.Kind.Matters() {
		if err := s.OpenCase(ctx, "notice/"+n.ID, n.SubjectRef, "a mail could not be delivered: "+string(n.Kind), at); err != nil {
			return err
		}
	}
	return s.tellCredential(ctx, n, at)
}

// tellCredential lets the lifecycle of a credential look again, unless it has ended.
func (s *Store) tellCredential(ctx context.Context, n models.Notice, at time.Time) error {
	if !aboutCredential(n) {
		return nil
	}
	var alive bool
	err := s.with(ctx).Raw("select exists (select from credentials where id = ? and phase <> ?)", n.SubjectRef, models.CredentialRevoked).Scan(&alive).Error
	if err != nil {
		return fmt.Errorf("look for the credential of a mail: %w", err)
	}
	if !alive {
		return nil
	}
	return s.Signal(ctx, models.CredentialLifecycle, n.SubjectRef, models.SignalCredentialChanged, n.SubjectRef, at)
}

func aboutCredential(n models.Notice) bool { return strings.HasPrefix(n.SubjectRef, "cr_") }

// RemindersFailed reports whether there are reminders about a credential under a prefix of their dedupe keys, and none of them
// arrived: each came back, was refused, or has not left yet (LIF-3). A mail that was taken and never came back has arrived.
func (s *Store) RemindersFailed(ctx context.Context, credentialID, dedupePrefix string) (bool, error) {
	var failed bool
	err := s.with(ctx).Raw("select coalesce(bool_and(status <> ?), false) from notices where subject_ref = ? and starts_with(dedupe_key, ?)",
		models.NoticeSent, credentialID, dedupePrefix).Scan(&failed).Error
	if err != nil {
		return false, fault(fmt.Errorf("weigh the reminders: %w", err))
	}
	return failed, nil
}
