package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"tokendesk/internal/password"
	"tokendesk/models"
)

// touchEvery is how often a session's last use is written down at most.
const touchEvery = time.Minute

const guessingWindow = time.Hour

// PasswordLogin is what a person types to log in with a password.
type PasswordLogin struct {
	Name     string // user id, or the e-mail of a person's only account (LOG-1)
	Password models.Secret
	Address  string // network address of the caller
}

// Login starts a session of password strength. A name that means nobody costs and answers the same as a wrong password, and
// is throttled the same (ACC-1). Every try is counted before the password is looked at and taken back when it was right, so
// that no number of simultaneous guesses exceeds the limit and no lock is held while the password is hashed. Tries are counted
// for the name from one network, for the name from everywhere, and for the network: a stranger who guesses uses up his own
// tries long before those of the person.
// Faults: LoginFailed, TooManyTries.
func (s *Store) Login(ctx context.Context, l PasswordLogin, hasher *password.Hasher, at time.Time) (token models.Secret, session models.Session, err error) {
	tries, err := s.reserveLogin(ctx, l, at)
	if err != nil {
		return "", session, err
	}
	account, known, err := s.accountNamed(ctx, l.Name)
	if err != nil {
		return "", session, err
	}
	var right, rehash bool
	if known {
		right, rehash = hasher.Verify(account.PasswordHash, l.Password)
	} else {
		hasher.VerifyNobody(l.Password)
	}
	if !right {
		return "", session, s.loginFailed(ctx, account.ID, at)
	}
	err = s.InTx(ctx, func(tx *Store) error {
		if err := tx.ForgetAttempts(ctx, tries...); err != nil {
			return err
		}
		if rehash {
			if err := tx.rehash(ctx, account, l.Password, hasher); err != nil {
				return err
			}
		}
		token, session, err = tx.StartSession(ctx, account.ID, models.StrengthPassword, 0, at)
		return err
	})
	return token, session, err
}

func (s *Store) reserveLogin(ctx context.Context, l PasswordLogin, at time.Time) (tries []int64, err error) {
	policy, err := s.CurrentPolicy(ctx, at)
	if err != nil {
		return nil, err
	}
	err = s.InTx(ctx, func(tx *Store) error {
		for _, limit := range []struct {
			scope   AttemptScope
			subject string
			most    int
		}{
			{LoginByNameHere, foldName(l.Name) + "\n" + network(l.Address), policy.Session.TriesPerUser},
			{LoginByName, foldName(l.Name), policy.Session.TriesPerUserAnywhere},
			{LoginByAddress, network(l.Address), policy.Session.TriesPerAddress},
		} {
			if err := tx.Throttle(ctx, limit.scope, limit.subject, limit.most, guessingWindow, at); err != nil {
				return err
			}
			id, err := tx.CountAttempt(ctx, limit.scope, limit.subject, at)
			if err != nil {
				return err
			}
			tries = append(tries, id)
		}
		return nil
	})
	return tries, err
}

func (s *Store) loginFailed(ctx context.Context, accountID string, at time.Time) error {
	actor := accountID
	if actor == "" {
		actor = "stranger"
	}
	err := s.Audit(ctx, models.AuditEvent{At: at, Class: models.AuthenticationEvents, Kind: "session.started", Actor: actor,
		SubjectRef: accountID, Outcome: models.Failed, Detail: map[string]string{"strength": string(models.StrengthPassword)}})
	if err != nil {
		return err
	}
	return models.LoginFailed.New("")
}

func (s *Store) rehash(ctx context.Context, a models.Account, p models.Secret, hasher *password.Hasher) error {
	encoded, err := hasher.Hash(p)
	if err != nil {
		return fmt.Errorf("hash a password anew: %w", err)
	}
	return s.with(ctx).Table("accounts").Where("id = ? and password_hash = ?", a.ID, a.PasswordHash).Update("password_hash", encoded).Error
}

// StartSession starts a session of an account; level is that of the credential it was authenticated with, 0 for a
// password. The token is returned once; the database has its hash.
func (s *Store) StartSession(ctx context.Context, accountID string, strength models.Strength, level int, at time.Time) (models.Secret, models.Session, error) {
	token := newSecret(sessionPrefix)
	session := models.Session{ID: NewID("se", at), AccountID: accountID, TokenHash: hashSecret(token), Strength: strength, Level: level, CreatedAt: at, SeenAt: at}
	err := s.InTx(ctx, func(tx *Store) error {
		if err := tx.with(ctx).Create(&session).Error; err != nil {
			return fmt.Errorf("start a session: %w", err)
		}
		return tx.auditSession(ctx, session, "session.started", at)
	})
	if err != nil {
		return "", models.Session{}, err
	}
	return token, session, nil
}

// SessionByToken returns the live session of a token, its account and the account's roles, and notes at most once a minute that the
// session is in use. Fault: NotAuthenticated.
func (s *Store) SessionByToken(ctx context.Context, token models.Secret, at time.Time) (session models.Session, account models.Account, roles []models.Role, err error) {
	if err = s.with(ctx).Where("token_hash = ?", hashSecret(token)).Limit(1).Find(&session).Error; err != nil {
		return session, account, nil, fault(fmt.Errorf("find a session: %w", err))
	}
	policy, err := s.CurrentPolicy(ctx, at)
	if err != nil {
		return session, account, nil, err
	}
	if session.ID == "" || !session.Live(policy.Session, at) {
		return models.Session{}, account, nil, models.NotAuthenticated.New("the session is unknown or has ended")
	}
	if account, err = s.Account(ctx, session.AccountID); err != nil {
		return session, account, nil, err
	}
	if roles, err = s.Roles(ctx, account.ID); err != nil {
		return session, account, nil, err
	}
	if at.Sub(session.SeenAt) >= touchEvery {
		session.SeenAt = at
		err = s.with(ctx).Exec("update sessions set seen_at = ? where id = ? and seen_at < ? and ended_at is null", at, session.ID, at).Error
	}
	return session, account, roles, fault(err)
}

// EndSession ends a session; ending an ended one changes nothing.
func (s *Store) EndSession(ctx context.Context, id string, at time.Time) error {
	return s.InTx(ctx, func(tx *Store) error {
		var ended []models.Session
		err := tx.with(ctx).Raw("update sessions set ended_at = ? where id = ? and ended_at is null returning *", at, id).Scan(&ended).Error
		if err != nil {
			return fmt.Errorf("end a session: %w", err)
		}
		if len(ended) == 0 {
			return nil
		}
		return tx.auditSession(ctx, ended[0], "session.ended", at)
	})
}

func (s *Store) auditSession(ctx context.Context, session models.Session, kind string, at time.Time) error {
	return s.Audit(ctx, models.AuditEvent{At: at, Class: models.AuthenticationEvents, Kind: kind, Actor: session.AccountID,
		SubjectRef: session.ID, Outcome: models.Succeeded, Detail: map[string]string{"strength": string(session.Strength)}})
}

// foldName is what is counted of a name as typed: case and blanks around it make no new name.
func foldName(name string) string { return strings.ToLower(strings.TrimSpace(name)) }
