package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
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
// tries long before those of the person. The account that comes with a session says whether the password must be changed first.
// Faults: LoginFailed, TooManyTries, TemporaryPasswordLapsed (only to whoever has it).
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
		return "", session, s.loginFailed(ctx, account.ID, models.LoginFailed, at)
	}
	if account.PasswordLapsed(at) {
		return "", session, s.loginFailed(ctx, account.ID, models.TemporaryPasswordLapsed, at)
	}
	var anew string
	if rehash {
		if anew, err = hasher.Hash(l.Password); err != nil {
			return "", session, fmt.Errorf("hash a password anew: %w", err)
		}
	}
	token, session, err = s.startLogin(ctx, account, anew, tries, at)
	if errors.Is(err, models.LoginFailed) {
		err = s.loginFailed(ctx, account.ID, models.LoginFailed, at)
	}
	return token, session, err
}

// startLogin starts the session of a password that was right, if it still is the account's: whoever changes the password waits until the
// session is there, and ends it. anew is the same password with today's costs; empty: as it is.
func (s *Store) startLogin(ctx context.Context, account models.Account, anew string, tries []int64, at time.Time) (token models.Secret, session models.Session, err error) {
	err = s.InTx(ctx, func(tx *Store) error {
		now, err := tx.lockAccount(ctx, account.ID)
		if err != nil {
			return err
		}
		if now.PasswordVersion != account.PasswordVersion {
			return models.LoginFailed.New("")
		}
		if anew != "" {
			if err := tx.with(ctx).Table("accounts").Where("id = ?", account.ID).Update("password_hash", anew).Error; err != nil {
				return fmt.Errorf("keep a password with new costs: %w", err)
			}
		}
		if err := tx.ForgetAttempts(ctx, tries...); err != nil {
			return err
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

func (s *Store) loginFailed(ctx context.Context, accountID string, refusal *models.FaultType, at time.Time) error {
	actor := accountID
	if actor == "" {
		actor = "stranger"
	}
	err := s.Audit(ctx, models.AuditEvent{At: at, Class: models.AuthenticationEvents, Kind: "session.started", Actor: actor,
		SubjectRef: accountID, Outcome: models.Failed, Detail: map[string]string{"strength": string(models.StrengthPassword)}})
	if err != nil {
		return err
	}
	return refusal.New("")
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

// EndSessions ends every session of an account, and returns how many. Whoever is logging in with a password meanwhile comes before or after.
// Fault: NoSuchThing.
func (s *Store) EndSessions(ctx context.Context, accountID string, actor models.Actor, at time.Time) (n int, err error) {
	err = s.InTx(ctx, func(tx *Store) error {
		if _, err := tx.lockAccount(ctx, accountID); err != nil {
			return err
		}
		n, err = tx.endSessions(ctx, accountID, "", actor, at)
		return err
	})
	return n, err
}

// endSessions ends the sessions of a locked account but the kept one.
func (s *Store) endSessions(ctx context.Context, accountID, keep string, actor models.Actor, at time.Time) (int, error) {
	r := s.with(ctx).Exec("update sessions set ended_at = ? where account_id = ? and id <> ? and ended_at is null", at, accountID, keep)
	if r.Error != nil {
		return 0, fmt.Errorf("end sessions: %w", r.Error)
	}
	if r.RowsAffected == 0 {
		return 0, nil
	}
	return int(r.RowsAffected), s.Audit(ctx, models.AuditEvent{At: at, Class: models.AuthenticationEvents, Kind: "sessions.ended", Actor: actor.ID,
		SubjectRef: accountID, Outcome: models.Succeeded, Detail: map[string]string{"number": strconv.FormatInt(r.RowsAffected, 10)}})
}

func (s *Store) auditSession(ctx context.Context, session models.Session, kind string, at time.Time) error {
	return s.Audit(ctx, models.AuditEvent{At: at, Class: models.AuthenticationEvents, Kind: kind, Actor: session.AccountID,
		SubjectRef: session.ID, Outcome: models.Succeeded, Detail: map[string]string{"strength": string(session.Strength)}})
}

// foldName is what is counted of a name as typed: case and blanks around it make no new name.
func foldName(name string) string { return strings.ToLower(strings.TrimSpace(name)) }
