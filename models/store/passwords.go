package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"tokendesk/internal/keycode"
	"tokendesk/internal/password"
	"tokendesk/models"
)

// PasswordByAccount counts wrong present passwords of somebody who is logged in and wants to change it.
const PasswordByAccount AttemptScope = "password/account"

// temporaryPasswordBits is the entropy of a temporary password: nobody guesses it while it lasts.
const temporaryPasswordBits = 100

// TemporaryPassword is a random password, readable aloud, that is to be mailed. Its fields are exported because a Secret redacts itself
// only there.
type TemporaryPassword struct {
	Text models.Secret
	Hash models.Secret // argon2id, PHC format
}

// NewTemporaryPassword makes one. The hash takes its time here, so that whoever locks rows does it before.
func NewTemporaryPassword(hasher *password.Hasher) (TemporaryPassword, error) {
	text, err := keycode.New(temporaryPasswordBits)
	if err != nil {
		return TemporaryPassword{}, fmt.Errorf("make a temporary password: %w", err)
	}
	hash, err := hasher.Hash(text)
	if err != nil {
		return TemporaryPassword{}, fmt.Errorf("hash a temporary password: %w", err)
	}
	return TemporaryPassword{text, models.Secret(hash)}, nil
}

// ResetPassword is ResetPasswordTo with a new temporary password. Under a key that was used already it does not even hash.
func (s *Store) ResetPassword(ctx context.Context, accountID string, sealer Sealer, hasher *password.Hasher, actor models.Actor, dedupe string, at time.Time) error {
	if done, err := s.noticed(ctx, resetKey(dedupe)); err != nil || done {
		return err
	}
	temporary, err := NewTemporaryPassword(hasher)
	if err != nil {
		return err
	}
	return s.ResetPasswordTo(ctx, accountID, temporary, sealer, actor, dedupe, at)
}

// ResetPasswordTo replaces the password of an account by a temporary one, which is mailed to the address on file and must be changed
// at the next login; it lapses after the policy's time. All sessions end, and whatever was mailed before to set a password
// is void (MGT-4). The temporary password is sealed in its mail until the mail server has accepted it, then erased.
//
// dedupe is a business key: a second reset under it changes nothing. It joins a surrounding transaction. Fault: NoSuchThing.
func (s *Store) ResetPasswordTo(ctx context.Context, accountID string, temporary TemporaryPassword, sealer Sealer, actor models.Actor, dedupe string, at time.Time) error {
	notice := NewNotice{ID: NewID("no", at), Kind: models.NoticeTemporaryPassword, DedupeKey: resetKey(dedupe), AccountID: accountID, SubjectRef: accountID}
	err := s.InTx(ctx, func(tx *Store) error {
		account, err := tx.lockAccount(ctx, accountID)
		if err != nil {
			return err
		}
		if done, err := tx.noticed(ctx, notice.DedupeKey); err != nil || done {
			return err
		}
		lapses, err := tx.temporaryUntil(ctx, at)
		if err != nil {
			return err
		}
		if err := tx.setPassword(ctx, account, temporary.Hash.Reveal(), &lapses, "", actor, at); err != nil {
			return err
		}
		if err := tx.mailTemporary(ctx, notice, temporary, sealer, at); err != nil {
			return err
		}
		return tx.auditPassword(ctx, "password.reset", actor, accountID, at)
	})
	if err != nil {
		return fmt.Errorf("reset a password: %w", err)
	}
	return nil
}

func resetKey(dedupe string) string { return "password-reset/" + dedupe }

// ChangePassword lets a logged-in person choose a password. Every other session ends, and a temporary password is one no more. The present
// password is tried for like at a login: tries are counted before it is looked at, and of simultaneous changes one wins.
// Faults: PasswordWeak, InvalidRequest (too long), TooManyTries, PasswordWrong, TemporaryPasswordLapsed, PasswordReused; the count of a
// wrong one lasts also when this joins a larger transaction: that one commits then.
func (s *Store) ChangePassword(ctx context.Context, accountID string, present, chosen models.Secret, hasher *password.Hasher, sessionID string, at time.Time) error {
	account, err := s.Account(ctx, accountID)
	if err != nil {
		return err
	}
	if err := account.CheckPassword(chosen); err != nil {
		return err
	}
	try, err := s.reservePassword(ctx, accountID, at)
	if err != nil {
		return err
	}
	if right, _ := hasher.Verify(account.PasswordHash, present); !right {
		return s.presentWrong(ctx, accountID, models.PasswordWrong.New("").At("/old_password"), at)
	}
	if account.PasswordLapsed(at) {
		return s.presentWrong(ctx, accountID, models.TemporaryPasswordLapsed.New(""), at)
	}
	if err := s.ForgetAttempts(ctx, try); err != nil {
		return err
	}
	hash, err := hashChosen(account, chosen, hasher)
	if err != nil {
		return err
	}
	err = s.InTx(ctx, func(tx *Store) error {
		now, err := tx.lockAccount(ctx, accountID)
		if err != nil {
			return err
		}
		if now.PasswordVersion != account.PasswordVersion { // it was changed since it was compared
			return models.PasswordWrong.New("").At("/old_password")
		}
		return tx.choosePassword(ctx, now, hash, sessionID, at)
	})
	if err != nil {
		return fmt.Errorf("change a password: %w", err)
	}
	return nil
}

// reservePassword counts a try at the present password.
func (s *Store) reservePassword(ctx context.Context, accountID string, at time.Time) (try int64, err error) {
	policy, err := s.CurrentPolicy(ctx, at)
	if err != nil {
		return 0, err
	}
	err = s.InTx(ctx, func(tx *Store) error {
		if err := tx.Throttle(ctx, PasswordByAccount, accountID, policy.Session.TriesPerUser, guessingWindow, at); err != nil {
			return err
		}
		try, err = tx.CountAttempt(ctx, PasswordByAccount, accountID, at)
		return err
	})
	return try, err
}

// presentWrong writes a wrong present password down; the count made before lasts with it.
func (s *Store) presentWrong(ctx context.Context, accountID string, refusal *models.Fault, at time.Time) error {
	err := s.Audit(ctx, models.AuditEvent{At: at, Class: models.AuthenticationEvents, Kind: "password.changed", Actor: accountID, SubjectRef: accountID,
		Outcome: models.Failed, Detail: map[string]string{"reason": refusal.Type.Slug}})
	if err != nil {
		return err
	}
	if s.inTx {
		return kept{refusal}
	}
	return refusal
}

// hashChosen hashes a password of the person's own choice, which is neither the present nor the previous one.
func hashChosen(a models.Account, chosen models.Secret, hasher *password.Hasher) (string, error) {
	for _, old := range []string{a.PasswordHash, a.PreviousPasswordHash} {
		if old == "" {
			continue
		}
		if same, _ := hasher.Verify(old, chosen); same {
			return "", models.PasswordReused.New("").At("/password")
		}
	}
	hash, err := hasher.Hash(chosen)
	if errors.Is(err, password.ErrTooLong) {
		return "", models.InvalidRequest.New("the password is too long").At("/password")
	}
	return hash, err
}

// choosePassword sets a password that the person has chosen, and tells the person by mail.
func (s *Store) choosePassword(ctx context.Context, account models.Account, hash, keepSession string, at time.Time) error {
	actor := models.Actor{ID: account.ID, AccountID: account.ID}
	if err := s.setPassword(ctx, account, hash, nil, keepSession, actor, at); err != nil {
		return err
	}
	err := s.AddNotice(ctx, NewNotice{Kind: models.NoticePasswordChanged, DedupeKey: "password-changed/" + account.ID + "/" + strconv.Itoa(account.PasswordVersion+1),
		AccountID: account.ID, SubjectRef: account.ID}, at)
	if err != nil {
		return err
	}
	return s.auditPassword(ctx, "password.changed", actor, account.ID, at)
}

// setPassword replaces the password of a locked account; lapses says until when a temporary one is good, nil that the person chose it.
// What depended on the old one ends: sessions but the kept one, recovery tokens, and mails that would bring an older secret.
func (s *Store) setPassword(ctx context.Context, account models.Account, hash string, lapses *time.Time, keepSession string, actor models.Actor, at time.Time) error {
	previous := account.PasswordHash
	if account.MustChangePassword { // a temporary one was not the person's choice: remember the one before it
		previous = account.PreviousPasswordHash
	}
	err := s.with(ctx).Table("accounts").Where("id = ?", account.ID).Updates(map[string]any{"password_hash": hash, "previous_password_hash": previous,
		"password_version": account.PasswordVersion + 1, "must_change_password": lapses != nil, "password_expires_at": lapses}).Error
	if err != nil {
		return fmt.Errorf("set a password: %w", err)
	}
	if _, err := s.endSessions(ctx, account.ID, keepSession, actor, at); err != nil {
		return err
	}
	if err := s.endRecoveries(ctx, account.ID, at); err != nil {
		return err
	}
	err = s.with(ctx).Exec("update notices set status = ?, sealed = null, last_error = 'the password was changed' where subject_ref = ? and kind in ? and status = ?",
		models.NoticeFailed, account.ID, []models.NoticeKind{models.NoticeFirstLogin, models.NoticeTemporaryPassword, models.NoticePasswordRecovery}, models.NoticePending).Error
	if err != nil {
		return fmt.Errorf("void older mails: %w", err)
	}
	return nil
}

// temporaryUntil is until when a temporary password made now is good.
func (s *Store) temporaryUntil(ctx context.Context, at time.Time) (time.Time, error) {
	policy, err := s.CurrentPolicy(ctx, at)
	return at.Add(time.Duration(policy.Session.TemporaryPasswordHours) * time.Hour), err
}

// mailTemporary seals a temporary password in its mail.
func (s *Store) mailTemporary(ctx context.Context, n NewNotice, temporary TemporaryPassword, sealer Sealer, at time.Time) (err error) {
	if n.Sealed, err = sealer.Seal(models.SecretBytes(temporary.Text.Reveal()), models.NoticeContext(n.ID)); err != nil {
		return fmt.Errorf("seal a temporary password: %w", err)
	}
	return s.AddNotice(ctx, n, at)
}

// noticed reports whether a mail was recorded under a business key.
func (s *Store) noticed(ctx context.Context, dedupeKey string) (yes bool, err error) {
	err = s.with(ctx).Raw("select exists (select from notices where dedupe_key = ?)", dedupeKey).Row().Scan(&yes)
	return yes, fault(err)
}

func (s *Store) auditPassword(ctx context.Context, kind string, actor models.Actor, accountID string, at time.Time) error {
	return s.Audit(ctx, models.AuditEvent{At: at, Class: models.AdministrationEvents, Kind: kind, Actor: actor.ID, SubjectRef: accountID, Outcome: models.Succeeded})
}
