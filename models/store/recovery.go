package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tokendesk/internal/password"
	"tokendesk/models"
)

// The scopes of requests for recovery: each request counts.
const (
	RecoveryByNameHere AttemptScope = "recovery/name+address"
	RecoveryByAddress  AttemptScope = "recovery/address"
)

const recoveryPrefix = "tdr_"

// RequestPasswordRecovery asks for a mail with a single-use token, to the address on file (ACC-1). name is a user id, or the e-mail of a
// person's only account; address the caller's network address, which is counted, never kept. Whoever is named, the answer
// is the same, and so is what is done for it: MailRecoveries does the rest. Fault: TooManyTries.
func (s *Store) RequestPasswordRecovery(ctx context.Context, name, address string, sealer Sealer, at time.Time) error {
	return s.requestRecovery(ctx, models.PasswordRecovery, name, address, at, func(r *models.Recovery) (err error) {
		token := newSecret(recoveryPrefix)
		r.TokenHash = hashSecret(token)
		r.Sealed, err = sealer.Seal(models.SecretBytes(token.Reveal()), models.NoticeContext(r.NoticeID))
		return err
	})
}

// RecoverUserID asks for a mail with the user ids of all accounts under an e-mail, to that e-mail (ACC-1). The answer and its cost are
// the same whether there is one. Fault: TooManyTries.
func (s *Store) RecoverUserID(ctx context.Context, email, address string, at time.Time) error {
	return s.requestRecovery(ctx, models.UserIDRecovery, email, address, at, func(*models.Recovery) error { return nil })
}

func (s *Store) requestRecovery(ctx context.Context, kind models.RecoveryKind, name, address string, at time.Time, fill func(*models.Recovery) error) error {
	policy, err := s.CurrentPolicy(ctx, at)
	if err != nil {
		return err
	}
	r := models.Recovery{ID: NewID("rv", at), Kind: kind, NoticeID: NewID("no", at), CreatedAt: at, ExpiresAt: at.Add(time.Duration(policy.Session.RecoveryMinutes) * time.Minute)}
	if err := fill(&r); err != nil {
		return fmt.Errorf("seal a recovery token: %w", err)
	}
	return s.InTx(ctx, func(tx *Store) error {
		for _, limit := range []struct {
			scope   AttemptScope
			subject string
			most    int
		}{
			{RecoveryByNameHere, string(kind) + "\n" + foldName(name) + "\n" + network(address), policy.Session.TriesPerUser},
			{RecoveryByAddress, network(address), policy.Session.TriesPerAddress},
		} {
			if err := tx.Throttle(ctx, limit.scope, limit.subject, limit.most, guessingWindow, at); err != nil {
				return err
			}
			if _, err := tx.CountAttempt(ctx, limit.scope, limit.subject, at); err != nil {
				return err
			}
		}
		account, known, err := tx.recoverable(ctx, kind, name)
		if err != nil {
			return err
		}
		subject := ""
		if known {
			r.AccountID, subject = &account.ID, account.ID
		}
		if err := tx.with(ctx).Create(&r).Error; err != nil {
			return fmt.Errorf("record a request for recovery: %w", err)
		}
		return tx.Audit(ctx, models.AuditEvent{At: at, Class: models.AuthenticationEvents, Kind: "recovery.requested", Actor: "stranger", SubjectRef: subject,
			Outcome: models.Succeeded, Detail: map[string]string{"kind": string(kind)}})
	})
}

// recoverable finds whose mail address a recovery goes to.
func (s *Store) recoverable(ctx context.Context, kind models.RecoveryKind, name string) (models.Account, bool, error) {
	if kind == models.PasswordRecovery {
		return s.accountNamed(ctx, name)
	}
	accounts, err := s.AccountsByEmail(ctx, name, 1)
	if err != nil || len(accounts) == 0 {
		return models.Account{}, false, err
	}
	return accounts[0], true, nil
}

// MailRecoveries records the mails of requests for recovery that wait, up to n, and returns how many requests it settled. Requests that
// name nobody are forgotten, and so are those beyond the policy's number of mails an hour for one account, so that nobody's
// mailbox can be flooded. Several may do this at once: each mail is recorded once.
func (s *Store) MailRecoveries(ctx context.Context, n int, at time.Time) (settled int, err error) {
	var waiting []models.Recovery
	err = s.with(ctx).Where("mailed_at is null and ended_at is null and expires_at > ?", at).Order("created_at, id").Limit(n).Find(&waiting).Error
	if err != nil {
		return 0, fault(fmt.Errorf("find requests for recovery: %w", err))
	}
	for _, r := range waiting {
		if e := s.InTx(ctx, func(tx *Store) error { return tx.mailRecovery(ctx, r, at) }); e != nil {
			err = errors.Join(err, fmt.Errorf("mail a recovery: %w", e)) // the others are not to wait for it
			continue
		}
		settled++
	}
	return settled, err
}

func (s *Store) mailRecovery(ctx context.Context, r models.Recovery, at time.Time) error {
	if r.AccountID == nil {
		return s.with(ctx).Exec("delete from recoveries where id = ?", r.ID).Error
	}
	if _, err := s.lockAccount(ctx, *r.AccountID); err != nil { // whoever locks both locks the account first
		return err
	}
	policy, err := s.CurrentPolicy(ctx, at)
	if err != nil {
		return err
	}
	var mailed int
	err = s.with(ctx).Raw("select count(*) from recoveries where account_id = ? and kind = ? and mailed_at > ?", *r.AccountID, r.Kind, at.Add(-guessingWindow)).Row().Scan(&mailed)
	if err != nil {
		return err
	}
	if mailed >= policy.Session.RecoveryMails {
		return s.with(ctx).Exec("delete from recoveries where id = ? and mailed_at is null", r.ID).Error
	}
	u := s.with(ctx).Exec("update recoveries set mailed_at = ?, sealed = null where id = ? and mailed_at is null and ended_at is null", at, r.ID)
	if u.Error != nil || u.RowsAffected == 0 { // settled meanwhile by someone else
		return u.Error
	}
	kind := models.NoticePasswordRecovery
	if r.Kind == models.UserIDRecovery {
		kind = models.NoticeUserIDRecovery
	}
	return s.AddNotice(ctx, NewNotice{ID: r.NoticeID, Kind: kind, DedupeKey: "recovery/" + r.ID, AccountID: *r.AccountID, SubjectRef: *r.AccountID,
		Sealed: r.Sealed, Params: map[string]string{"expires": r.ExpiresAt.UTC().Format(time.RFC3339)}}, at)
}

// RecoverPassword lets whoever holds a recovery token choose a password. The token is used up then, once whoever else tries at the same time;
// every session ends, and all other tokens are void. Tries are not counted: a token has 256 random bits, and only a right one
// makes us hash. Faults: RecoveryTokenWrong (unknown, used, void or too old), PasswordWeak, InvalidRequest (too long), PasswordReused;
// after the latter three the token is still good.
func (s *Store) RecoverPassword(ctx context.Context, token, chosen models.Secret, hasher *password.Hasher, at time.Time) error {
	const live = "token_hash = ? and mailed_at is not null and ended_at is null and expires_at > ?"
	hashed := hashSecret(token)
	var r models.Recovery
	if err := s.with(ctx).Where(live, hashed, at).Limit(1).Find(&r).Error; err != nil {
		return fault(fmt.Errorf("find a recovery token: %w", err))
	}
	if r.ID == "" {
		return s.recoveryRefused(ctx, at)
	}
	account, err := s.Account(ctx, *r.AccountID)
	if err != nil {
		return err
	}
	if err := account.CheckPassword(chosen); err != nil {
		return err
	}
	hash, err := hashChosen(account, chosen, hasher)
	if err != nil {
		return err
	}
	err = s.InTx(ctx, func(tx *Store) error {
		now, err := tx.lockAccount(ctx, account.ID)
		if err != nil {
			return err
		}
		used := tx.with(ctx).Exec("update recoveries set ended_at = ? where "+live, at, hashed, at)
		if used.Error != nil {
			return used.Error
		}
		if used.RowsAffected == 0 {
			return models.RecoveryTokenWrong.New("")
		}
		return tx.choosePassword(ctx, now, hash, "", at)
	})
	if errors.Is(err, models.RecoveryTokenWrong) {
		return s.recoveryRefused(ctx, at)
	}
	if err != nil {
		return fmt.Errorf("recover a password: %w", err)
	}
	return nil
}

func (s *Store) recoveryRefused(ctx context.Context, at time.Time) error {
	err := s.Audit(ctx, models.AuditEvent{At: at, Class: models.AuthenticationEvents, Kind: "password.changed", Actor: "stranger",
		Outcome: models.Failed, Detail: map[string]string{"reason": models.RecoveryTokenWrong.Slug}})
	if err != nil {
		return err
	}
	return models.RecoveryTokenWrong.New("").At("/token")
}

// endRecoveries makes the recovery tokens of a locked account void, mailed or not.
func (s *Store) endRecoveries(ctx context.Context, accountID string, at time.Time) error {
	err := s.with(ctx).Exec("update recoveries set ended_at = ?, sealed = null where account_id = ? and kind = ? and ended_at is null", at, accountID, models.PasswordRecovery).Error
	if err != nil {
		return fmt.Errorf("void recovery tokens: %w", err)
	}
	return nil
}

// PurgeRecoveries removes requests for recovery that had run out before a moment, and returns how many.
func (s *Store) PurgeRecoveries(ctx context.Context, before time.Time) (int64, error) {
	r := s.with(ctx).Exec("delete from recoveries where expires_at < ?", before)
	return r.RowsAffected, fault(r.Error)
}
