package store_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tokendesk/internal/keycode"
	"tokendesk/internal/password"
	"tokendesk/internal/seal"
	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
)

// owner is somebody with a password, and the key under which mails are sealed.
type owner struct {
	*store.Store
	ring *seal.Keyring
	models.Account
}

func newOwner(t *testing.T, st *store.Store) owner {
	t.Helper()
	return owner{st, storetest.Keyring(t), storetest.Account(t, st)}
}

const (
	chosen  models.Secret = "a phrase that nobody knows"
	chosen2 models.Secret = "another phrase that nobody knows"
	home                  = "198.51.100.1"
)

var supporter = models.Actor{ID: "ak_support", Role: models.RoleSupport}

func (p owner) login(t *testing.T, with models.Secret, at time.Time) (models.Secret, models.Session, error) {
	t.Helper()
	return p.Login(t.Context(), store.PasswordLogin{Name: p.UserID, Password: with, Address: home}, storetest.Hasher, at)
}

func (p owner) reset(t *testing.T, dedupe string, at time.Time) models.Secret {
	t.Helper()
	storetest.Must(t, p.ResetPassword(t.Context(), p.ID, p.ring, storetest.Hasher, supporter, dedupe, at))
	return p.sealed(t, models.NoticeTemporaryPassword)
}

func (p owner) change(t *testing.T, present, to models.Secret, session string, at time.Time) error {
	t.Helper()
	return p.ChangePassword(t.Context(), p.ID, present, to, storetest.Hasher, session, at)
}

// sealed opens the secret of the person's newest pending mail of a kind.
func (p owner) sealed(t *testing.T, kind models.NoticeKind) models.Secret {
	t.Helper()
	var id string
	var sealed []byte
	storetest.Must(t, p.Pool().QueryRow(t.Context(), `select id, sealed from notices where subject_ref = $1 and kind = $2 and status = 'pending'
		order by id desc limit 1`, p.ID, kind).Scan(&id, &sealed))
	text, err := p.ring.Open(sealed, models.NoticeContext(id))
	storetest.Must(t, err)
	return models.Secret(text.Reveal())
}

func (p owner) now(t *testing.T) models.Account {
	t.Helper()
	a, err := p.Store.Account(t.Context(), p.ID)
	storetest.Must(t, err)
	return a
}

func (p owner) liveSessions(t *testing.T) int {
	t.Helper()
	return query[int](t, p.Store, "select count(*) from sessions where account_id = $1 and ended_at is null", p.ID)
}

// MGT-4: a reset ends every session and mails a temporary password, with which nothing stays as it is until it is changed.
func TestResetPassword(t *testing.T) {
	p := newOwner(t, storetest.New(t))
	at := storetest.At.Add(time.Minute)
	var tokens []models.Secret
	for range 3 {
		token, _ := storetest.Session(t, p.Store, p.ID)
		tokens = append(tokens, token)
	}
	temporary := p.reset(t, "case/1", at)
	if canonical, err := keycode.Parse(temporary.Reveal()); err != nil || canonical != temporary || len(temporary.Reveal()) < 25 {
		t.Errorf("the temporary password is not readable: %v", err)
	}
	for _, token := range tokens {
		_, _, _, err := p.SessionByToken(t.Context(), token, at)
		wantFault(t, err, models.NotAuthenticated)
	}
	_, _, err := p.login(t, storetest.Password, at)
	wantFault(t, err, models.LoginFailed)
	token, session, err := p.login(t, temporary, at)
	wantFault(t, err, nil)
	if _, a, _, err := p.SessionByToken(t.Context(), token, at); err != nil || !a.MustChangePassword || !a.PasswordExpiresAt.Equal(at.Add(72*time.Hour)) {
		t.Errorf("must change %v, %v: %v", a.MustChangePassword, a.PasswordExpiresAt, err)
	}
	other, _, err := p.login(t, temporary, at)
	wantFault(t, err, nil)
	wantFault(t, p.change(t, temporary, storetest.Password, session.ID, at), models.PasswordReused) // what was reset for a reason
	wantFault(t, p.change(t, temporary, temporary, session.ID, at), models.PasswordReused)
	wantFault(t, p.change(t, temporary, chosen, session.ID, at), nil)
	if _, a, _, err := p.SessionByToken(t.Context(), token, at); err != nil || a.MustChangePassword || a.PasswordExpiresAt != nil {
		t.Errorf("the session that changed it: must change %v, %v", a.MustChangePassword, err)
	}
	_, _, _, err = p.SessionByToken(t.Context(), other, at)
	wantFault(t, err, models.NotAuthenticated)
	for with, want := range map[models.Secret]*models.FaultType{temporary: models.LoginFailed, storetest.Password: models.LoginFailed, chosen: nil} {
		_, _, err := p.login(t, with, at)
		wantFault(t, err, want)
	}
	if got := query[string](t, p.Store, "select string_agg(kind || ' ' || actor, ', ' order by id) from audit_events where subject_ref = $1 and class = 'administration' and kind like 'password.%'", p.ID); got != "password.reset ak_support, password.changed "+p.ID {
		t.Errorf("audited: %s", got)
	}
}

// MGT-4: a reset that is repeated under its key changes nothing; another one voids the mail before it; two at once mail once.
func TestResetPasswordTwice(t *testing.T) {
	p := newOwner(t, storetest.New(t))
	first := p.reset(t, "one", storetest.At)
	if again := p.reset(t, "one", storetest.At.Add(time.Hour)); again != first {
		t.Error("a repeated reset mailed another password")
	}
	second := p.reset(t, "two", storetest.At.Add(time.Second))
	for with, want := range map[models.Secret]*models.FaultType{first: models.LoginFailed, second: nil} {
		_, _, err := p.login(t, with, storetest.At.Add(time.Hour))
		wantFault(t, err, want)
	}
	if n := query[int](t, p.Store, "select count(*) from notices where sealed is not null"); n != 1 {
		t.Errorf("%d mails still have a password in them", n)
	}
	got := atOnce(8, func(int) error {
		return p.ResetPassword(t.Context(), p.ID, p.ring, storetest.Hasher, supporter, "three", storetest.At.Add(2*time.Hour))
	})
	if n := query[int](t, p.Store, "select count(*) from audit_events where kind = 'password.reset'"); got[""] != 8 || n != 3 {
		t.Errorf("answers %v, %d resets", got, n)
	}
	third := p.sealed(t, models.NoticeTemporaryPassword)
	_, session, err := p.login(t, third, storetest.At.Add(2*time.Hour))
	wantFault(t, err, nil)
	wantFault(t, p.change(t, third, storetest.Password, session.ID, storetest.At.Add(2*time.Hour)), models.PasswordReused) // the last one of the person's choice
	wantFault(t, p.ResetPassword(t.Context(), "ac_nobody", p.ring, storetest.Hasher, supporter, "four", storetest.At), models.NoSuchThing)
}

// MGT-4: a reset is a part of the transaction that it joins.
func TestResetPasswordRollsBack(t *testing.T) {
	p := newOwner(t, storetest.New(t))
	storetest.Session(t, p.Store, p.ID)
	before := p.now(t)
	err := p.InTx(t.Context(), func(tx *store.Store) error {
		storetest.Must(t, tx.ResetPassword(t.Context(), p.ID, p.ring, storetest.Hasher, supporter, "one", storetest.At))
		return models.StateForbids.New("")
	})
	wantFault(t, err, models.StateForbids)
	if now := p.now(t); now.PasswordVersion != before.PasswordVersion || now.MustChangePassword || p.liveSessions(t) != 1 {
		t.Errorf("%d sessions, version %d", p.liveSessions(t), now.PasswordVersion)
	}
}

// MGT-4: a temporary password lapses; who does not have it is told nothing of that; then recovery helps.
func TestTemporaryPasswordLapses(t *testing.T) {
	p := newOwner(t, storetest.New(t))
	temporary := p.reset(t, "one", storetest.At)
	lapses := storetest.At.Add(72 * time.Hour)
	_, session, err := p.login(t, temporary, lapses.Add(-time.Microsecond))
	wantFault(t, err, nil)
	_, _, err = p.login(t, temporary, lapses)
	wantFault(t, err, models.TemporaryPasswordLapsed)
	_, _, err = p.login(t, "not the password", lapses)
	wantFault(t, err, models.LoginFailed)
	wantFault(t, p.change(t, temporary, chosen, session.ID, lapses), models.TemporaryPasswordLapsed)
	wantFault(t, p.RecoverPassword(t.Context(), p.recover(t, lapses), chosen, storetest.Hasher, lapses), nil)
	_, _, err = p.login(t, chosen, lapses)
	wantFault(t, err, nil)
}

// ACC-1: what a chosen password may not be, and that a wrong present one changes nothing.
func TestChangePasswordRefuses(t *testing.T) {
	p := newOwner(t, storetest.New(t))
	_, session := storetest.Session(t, p.Store, p.ID)
	storetest.Session(t, p.Store, p.ID)
	cases := []struct {
		name        string
		present, to models.Secret
		want        *models.FaultType
		field       string
	}{
		{"wrong", "not the password", chosen, models.PasswordWrong, "/old_password"},
		{"none", "", chosen, models.PasswordWrong, "/old_password"},
		{"short", storetest.Password, "short", models.PasswordWeak, "/password"},
		{"the user id", storetest.Password, models.Secret(p.UserID), models.PasswordWeak, "/password"},
		{"the present one", storetest.Password, storetest.Password, models.PasswordReused, "/password"},
		{"overlong", storetest.Password, models.Secret(strings.Repeat("long ", 300)), models.InvalidRequest, "/password"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			err := p.change(t, c.present, c.to, session.ID, storetest.At)
			wantFault(t, err, c.want)
			if f := models.FaultOf(err); f.Field != c.field {
				t.Errorf("blamed %q", f.Field)
			}
			if c.present != "" && strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, models.FaultOf(err)), c.present.Reveal()) {
				t.Error("the error shows a password")
			}
		})
	}
	if now := p.now(t); now.PasswordHash != p.PasswordHash || p.liveSessions(t) != 2 {
		t.Errorf("%d sessions are left", p.liveSessions(t))
	}
}

// ACC-1: guessing the present password of a session that was left open is throttled, also at the same time and inside a larger
// transaction; what was right is not counted.
func TestChangePasswordThrottle(t *testing.T) {
	p := newOwner(t, storetest.New(t))
	limit := strictLogins(t, p.Store).TriesPerUser
	_, session := storetest.Session(t, p.Store, p.ID)
	wantFault(t, p.change(t, storetest.Password, storetest.Password, session.ID, storetest.At), models.PasswordReused)
	got := atOnce(limit+5, func(int) error {
		return p.InTx(t.Context(), func(tx *store.Store) error {
			return tx.ChangePassword(t.Context(), p.ID, "not the password", chosen, storetest.Hasher, session.ID, storetest.At)
		})
	})
	if got[models.PasswordWrong.Slug] != limit || got[models.TooManyTries.Slug] != 5 {
		t.Fatalf("answers %v", got)
	}
	wantFault(t, p.change(t, storetest.Password, chosen, session.ID, storetest.At), models.TooManyTries)
	wantFault(t, p.change(t, storetest.Password, chosen, session.ID, storetest.At.Add(time.Hour)), nil)
	if n := query[int](t, p.Store, "select count(*) from audit_events where kind = 'password.changed' and outcome = 'failure' and detail->>'reason' = 'password-wrong'"); n != limit {
		t.Errorf("%d refusals are audited", n)
	}
}

// MGT-4: of several who change a temporary password at once one wins, and its session alone is left.
func TestTemporaryPasswordUsedAtOnce(t *testing.T) {
	p := newOwner(t, storetest.New(t))
	temporary := p.reset(t, "one", storetest.At)
	const n = 8
	var sessions [n]models.Session
	for i := range n {
		_, session, err := p.login(t, temporary, storetest.At)
		wantFault(t, err, nil)
		sessions[i] = session
	}
	phrase := func(i int) models.Secret { return models.Secret(fmt.Sprintf("the phrase of number %d", i)) }
	got := atOnce(n, func(i int) error { return p.change(t, temporary, phrase(i), sessions[i].ID, storetest.At) })
	if got[""] != 1 || got[models.PasswordWrong.Slug] != n-1 {
		t.Fatalf("answers %v", got)
	}
	alive, winner := query[string](t, p.Store, "select string_agg(id, ' ') from sessions where account_id = $1 and ended_at is null", p.ID), 0
	for i := range n {
		_, _, err := p.login(t, phrase(i), storetest.At)
		if (err == nil) != (alive == sessions[i].ID) {
			t.Errorf("session %d: %v, the live session is %s", i, err, alive)
		}
		if err == nil {
			winner = i
		}
	}
	late := make(chan error, 1) // compares the password before it is changed, and sets its own after
	storetest.Must(t, p.InTx(t.Context(), func(tx *store.Store) error {
		if err := tx.ChangePassword(t.Context(), p.ID, phrase(winner), chosen, storetest.Hasher, "", storetest.At); err != nil {
			return err
		}
		go func() { late <- p.change(t, phrase(winner), chosen2, "", storetest.At) }()
		p.waitForLock(t)
		return nil
	}))
	wantFault(t, <-late, models.PasswordWrong)
}

// MGT-4: whoever is logging in with the old password while it is reset is refused, or logged out.
func TestResetWhileLoggingIn(t *testing.T) {
	p := newOwner(t, storetest.New(t))
	refused := make(chan error, 1)
	err := p.InTx(t.Context(), func(tx *store.Store) error {
		if err := tx.ResetPassword(t.Context(), p.ID, p.ring, storetest.Hasher, supporter, "one", storetest.At); err != nil {
			return err
		}
		go func() { // its password is right still
			_, _, err := p.login(t, storetest.Password, storetest.At)
			refused <- err
		}()
		p.waitForLock(t)
		return nil
	})
	wantFault(t, err, nil)
	wantFault(t, <-refused, models.LoginFailed)
	for round := range 5 {
		at := storetest.At.Add(time.Duration(round+1) * 2 * time.Hour)
		temporary := p.sealed(t, models.NoticeTemporaryPassword)
		got := atOnce(6, func(i int) error {
			if i == 3 {
				return p.ResetPassword(t.Context(), p.ID, p.ring, storetest.Hasher, supporter, fmt.Sprint("round", round), at)
			}
			_, _, err := p.login(t, temporary, at)
			return err
		})
		if n := p.liveSessions(t); n != 0 || got[""]+got[models.LoginFailed.Slug] != 6 {
			t.Fatalf("%d sessions outlived the reset; answers %v", n, got)
		}
	}
}

// waitForLock waits until somebody waits for a row that another transaction holds.
func (p owner) waitForLock(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		if query[int](t, p.Store, "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'") > 0 {
			return
		}
	}
	t.Error("nobody waits")
}

// LOG-1: two logins at once keep the password with new costs, and both get their session.
func TestRehashAtOnce(t *testing.T) {
	p := newOwner(t, storetest.New(t))
	dearer := password.New(password.Params{Memory: 16, Time: 1, Threads: 1}, 8)
	got := atOnce(6, func(int) error {
		_, _, err := p.Login(t.Context(), store.PasswordLogin{Name: p.UserID, Password: storetest.Password, Address: home}, dearer, storetest.At)
		return err
	})
	if now := p.now(t); got[""] != 6 || now.PasswordHash == p.PasswordHash || now.PasswordVersion != p.PasswordVersion {
		t.Errorf("answers %v", got)
	}
}

// MGT-4, SEC-5: passwords stand nowhere in clear: not in rows, the audit trail, errors, or what is printed of them.
func TestPasswordsLeakNowhere(t *testing.T) {
	p := newOwner(t, storetest.New(t))
	temporary := p.reset(t, "one", storetest.At)
	_, session, err := p.login(t, temporary, storetest.At)
	wantFault(t, err, nil)
	wantFault(t, p.change(t, "not the password", chosen, session.ID, storetest.At), models.PasswordWrong)
	wantFault(t, p.change(t, temporary, chosen, session.ID, storetest.At), nil)
	token := p.recover(t, storetest.At)
	wantFault(t, p.RecoverPassword(t.Context(), token, chosen2, storetest.Hasher, storetest.At), nil)
	for _, secret := range []models.Secret{temporary, chosen, chosen2, token, "not the password"} {
		wantNowhere(t, p.Store, secret)
	}
	if n := query[int](t, p.Store, "select (select count(*) from notices where sealed is not null) + (select count(*) from recoveries where sealed is not null)"); n != 0 {
		t.Errorf("%d secrets are still sealed", n)
	}
	made, err := store.NewTemporaryPassword(storetest.Hasher)
	storetest.Must(t, err)
	if s := fmt.Sprintf("%v %+v %#v", made, made, made); strings.Contains(s, "argon2") || strings.Count(s, "redacted") != 6 {
		t.Errorf("printed: %s", s)
	}
}

// wantNowhere looks for a secret in every row of the database.
func wantNowhere(t *testing.T, st *store.Store, secret models.Secret) {
	t.Helper()
	rows, err := st.Pool().Query(t.Context(), "select table_name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE'")
	storetest.Must(t, err)
	var tables []string
	for rows.Next() {
		var name string
		storetest.Must(t, rows.Scan(&name))
		tables = append(tables, name)
	}
	storetest.Must(t, rows.Err())
	for _, name := range tables {
		if query[bool](t, st, fmt.Sprintf("select exists (select from %q r where strpos(r::text, $1) > 0 or strpos(r::text, encode(convert_to($1, 'UTF8'), 'hex')) > 0)", name), secret.Reveal()) {
			t.Errorf("%s shows a secret", name)
		}
	}
}

// SEC-1: the sessions of one account end, with evidence, and no others do.
func TestEndSessions(t *testing.T) {
	st := storetest.New(t)
	p, other := newOwner(t, st), newOwner(t, st)
	for range 2 {
		storetest.Session(t, st, p.ID)
	}
	storetest.Session(t, st, other.ID)
	for _, want := range []int{2, 0} {
		if n, err := st.EndSessions(t.Context(), p.ID, supporter, storetest.At); n != want || err != nil {
			t.Errorf("ended %d, %v", n, err)
		}
	}
	if p.liveSessions(t) != 0 || other.liveSessions(t) != 1 {
		t.Error("the wrong sessions ended")
	}
	if n := query[int](t, st, "select count(*) from audit_events where kind = 'sessions.ended' and actor = 'ak_support' and subject_ref = $1 and detail->>'number' = '2'", p.ID); n != 1 {
		t.Errorf("audited %d times", n)
	}
	_, err := st.EndSessions(t.Context(), "ac_nobody", supporter, storetest.At)
	wantFault(t, err, models.NoSuchThing)
}
