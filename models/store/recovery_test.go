package store_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
)

func (p owner) askRecovery(t *testing.T, name string, at time.Time) error {
	t.Helper()
	return p.RequestPasswordRecovery(t.Context(), name, home, p.ring, at)
}

func (p owner) mailRecoveries(t *testing.T, at time.Time) int {
	t.Helper()
	n, err := p.MailRecoveries(t.Context(), 100, at)
	storetest.Must(t, err)
	return n
}

// recover asks for a token and takes it from its mail.
func (p owner) recover(t *testing.T, at time.Time) models.Secret {
	t.Helper()
	wantFault(t, p.askRecovery(t, p.UserID, at), nil)
	p.mailRecoveries(t, at)
	return p.sealed(t, models.NoticePasswordRecovery)
}

// ACC-1: the token of the mail sets a password, once; every session ends, and no older token is good any more.
func TestRecoverPassword(t *testing.T) {
	p := newOwner(t, storetest.New(t))
	older := p.recover(t, storetest.At.Add(-time.Minute))
	storetest.Session(t, p.Store, p.ID)
	token := p.recover(t, storetest.At)
	if older == token || !strings.HasPrefix(token.Reveal(), "tdr_") {
		t.Fatal("not a token of its own")
	}
	_, _, err := p.login(t, storetest.Password, storetest.At) // to ask changes nothing
	wantFault(t, err, nil)
	wantFault(t, p.RecoverPassword(t.Context(), token, "short", storetest.Hasher, storetest.At), models.PasswordWeak)
	wantFault(t, p.RecoverPassword(t.Context(), token, storetest.Password, storetest.Hasher, storetest.At), models.PasswordReused)
	wantFault(t, p.RecoverPassword(t.Context(), token, chosen, storetest.Hasher, storetest.At), nil)
	if n := p.liveSessions(t); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
	for name, used := range map[string]models.Secret{"used": token, "older": older, "guessed": "tdr_guess", "none": ""} {
		t.Run(name, func(t *testing.T) {
			wantFault(t, p.RecoverPassword(t.Context(), used, chosen2, storetest.Hasher, storetest.At), models.RecoveryTokenWrong)
		})
	}
	for with, want := range map[models.Secret]*models.FaultType{storetest.Password: models.LoginFailed, chosen: nil} {
		_, _, err := p.login(t, with, storetest.At)
		wantFault(t, err, want)
	}
	kinds := query[string](t, p.Store, "select string_agg(kind || ' ' || status, ', ' order by kind, id) from notices where subject_ref = $1", p.ID)
	if kinds != "password_changed pending, password_recovery failed, password_recovery failed" {
		t.Errorf("mails: %s", kinds)
	}
}

// ACC-1: a token is good for the policy's time, and for the password that it was asked for.
func TestRecoveryTokenEnds(t *testing.T) {
	st := storetest.New(t)
	cases := []struct {
		name  string
		end   func(t *testing.T, p owner)
		after time.Duration
		want  *models.FaultType
	}{
		{"just in time", nil, time.Hour - time.Microsecond, nil},
		{"too late", nil, time.Hour, models.RecoveryTokenWrong},
		{"after a change", func(t *testing.T, p owner) {
			wantFault(t, p.change(t, storetest.Password, chosen2, "", storetest.At), nil)
		}, 0, models.RecoveryTokenWrong},
		{"after a reset", func(t *testing.T, p owner) { p.reset(t, p.ID, storetest.At) }, 0, models.RecoveryTokenWrong},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p := newOwner(t, st)
			token := p.recover(t, storetest.At)
			if c.end != nil {
				c.end(t, p)
			}
			wantFault(t, p.RecoverPassword(t.Context(), token, chosen, storetest.Hasher, storetest.At.Add(c.after)), c.want)
		})
	}
}

// ACC-1: of simultaneous uses of one token exactly one wins.
func TestRecoveryTokenUsedAtOnce(t *testing.T) {
	p := newOwner(t, storetest.New(t))
	token := p.recover(t, storetest.At)
	phrase := func(i int) models.Secret { return models.Secret(fmt.Sprintf("the phrase of number %d", i)) }
	const n = 8
	got := atOnce(n, func(i int) error {
		return p.RecoverPassword(t.Context(), token, phrase(i), storetest.Hasher, storetest.At)
	})
	if got[""] != 1 || got[models.RecoveryTokenWrong.Slug] != n-1 {
		t.Fatalf("answers %v", got)
	}
	if now := p.now(t); now.PasswordVersion != p.PasswordVersion+1 {
		t.Errorf("the password was set %d times", now.PasswordVersion-p.PasswordVersion)
	}
}

// ACC-1: a token that is used while the password is reset for a reason does not bring the password back to its holder's choice.
func TestRecoveryAgainstReset(t *testing.T) {
	p := newOwner(t, storetest.New(t))
	token := p.recover(t, storetest.At)
	answer := make(chan error, 1)
	err := p.InTx(t.Context(), func(tx *store.Store) error {
		if err := tx.ResetPassword(t.Context(), p.ID, p.ring, storetest.Hasher, supporter, "one", storetest.At); err != nil {
			return err
		}
		go func() { answer <- p.RecoverPassword(t.Context(), token, chosen, storetest.Hasher, storetest.At) }()
		p.waitForLock(t)
		return nil
	})
	wantFault(t, err, nil)
	wantFault(t, <-answer, models.RecoveryTokenWrong)
	if !p.now(t).MustChangePassword {
		t.Error("the reset was undone")
	}
}

// ACC-1: whoever is named, the answer is the same, the same rows are written, and nothing of the name is kept; who has no account
// under it gets no mail, nor does an e-mail of several accounts tell of them.
func TestRecoveryTellsStrangersNothing(t *testing.T) {
	st := storetest.New(t)
	p := owner{st, storetest.Keyring(t), storetest.Account(t, st, storetest.WithLogin("ada", "ada@example.com"))}
	for i := range 2 {
		storetest.Account(t, st, storetest.WithLogin(fmt.Sprint("twin", i), "twins@example.com"))
	}
	password := func(name string) error { return p.askRecovery(t, name, storetest.At) }
	userID := func(name string) error { return st.RecoverUserID(t.Context(), name, home, storetest.At) }
	cases := []struct {
		name  string
		ask   func(string) error
		who   string
		mails int
	}{
		{"user id", password, " ADA ", 1},
		{"e-mail", password, "Ada@example.com", 1},
		{"nobody", password, "nobody", 0},
		{"an e-mail of several", password, "twins@example.com", 0},
		{"user id of an e-mail", userID, "ADA@example.com", 1},
		{"user ids of an e-mail", userID, "twins@example.com", 1},
		{"nobody's e-mail", userID, "nobody@example.com", 0},
		{"no e-mail", userID, "", 0},
	}
	written := map[string]map[string]int{}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			before := rowsOf(t, st)
			wantFault(t, c.ask(c.who), nil)
			after := rowsOf(t, st)
			for table, n := range before {
				after[table] -= n
			}
			written[c.name] = after
			if !maps.Equal(after, written["user id"]) {
				t.Errorf("wrote %v, for somebody %v", after, written["user id"])
			}
			notices := query[int](t, st, "select count(*) from notices")
			if n := p.mailRecoveries(t, storetest.At); n != 1 {
				t.Errorf("settled %d requests", n)
			}
			if n := query[int](t, st, "select count(*) from notices") - notices; n != c.mails {
				t.Errorf("%d mails, want %d", n, c.mails)
			}
		})
	}
	wantNowhere(t, st, "nobody")
}

// rowsOf counts the rows of the tables that a request for recovery may touch.
func rowsOf(t *testing.T, st *store.Store) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for _, table := range []string{"recoveries", "notices", "attempts", "audit_events", "outbox", "sessions"} {
		counts[table] = query[int](t, st, "select count(*) from "+table)
	}
	return counts
}

// ACC-1: requests are throttled alike for somebody and nobody: for a name from one network, and for a network.
func TestRecoveryThrottle(t *testing.T) {
	for _, name := range []string{"ada", "nobody"} {
		t.Run(name, func(t *testing.T) {
			st := storetest.New(t)
			limits := strictLogins(t, st)
			p := owner{st, storetest.Keyring(t), storetest.Account(t, st, storetest.WithLogin("ada", "ada@example.com"))}
			got := atOnce(limits.TriesPerUser+4, func(int) error { return p.askRecovery(t, name, storetest.At) })
			if got[""] != limits.TriesPerUser || got[models.TooManyTries.Slug] != 4 {
				t.Fatalf("answers %v", got)
			}
			for i := range limits.TriesPerAddress - limits.TriesPerUser {
				wantFault(t, p.askRecovery(t, fmt.Sprint("guess", i), storetest.At), nil)
			}
			wantFault(t, st.RecoverUserID(t.Context(), name+"@example.com", home, storetest.At), models.TooManyTries)
			wantFault(t, p.askRecovery(t, name, storetest.At.Add(time.Hour)), nil)
		})
	}
}

// ACC-1: nobody's mailbox is flooded, wherever the requests come from and whoever records the mails at the same time; each request is
// mailed once.
func TestRecoveryMailsAreFew(t *testing.T) {
	p := newOwner(t, storetest.New(t))
	most := models.DefaultPolicy().Session.RecoveryMails
	for i := range 8 {
		storetest.Must(t, p.RequestPasswordRecovery(t.Context(), p.UserID, fmt.Sprintf("203.0.113.%d", i), p.ring, storetest.At))
	}
	storetest.Must(t, p.RecoverUserID(t.Context(), p.Email, home, storetest.At))
	got := atOnce(6, func(int) error {
		_, err := p.MailRecoveries(t.Context(), 100, storetest.At)
		return err
	})
	mails := func(kind models.NoticeKind) int {
		return query[int](t, p.Store, "select count(*) from notices where kind = $1", kind)
	}
	if got[""] != 6 || mails(models.NoticePasswordRecovery) != most || mails(models.NoticeUserIDRecovery) != 1 {
		t.Errorf("answers %v, %d and %d mails", got, mails(models.NoticePasswordRecovery), mails(models.NoticeUserIDRecovery))
	}
	p.recover(t, storetest.At.Add(time.Hour))
	if n := mails(models.NoticePasswordRecovery); n != most+1 {
		t.Errorf("an hour later there are %d mails", n)
	}
}

// SEC-4: requests are gone when they serve nothing any more; one that waited too long is not mailed.
func TestPurgeRecoveries(t *testing.T) {
	p := newOwner(t, storetest.New(t))
	wantFault(t, p.askRecovery(t, p.UserID, storetest.At), nil)
	if n := p.mailRecoveries(t, storetest.At.Add(time.Hour)); n != 0 {
		t.Errorf("%d requests were settled too late", n)
	}
	for before, want := range map[time.Duration]int64{time.Hour: 0, time.Hour + time.Microsecond: 1} {
		if n, err := p.PurgeRecoveries(t.Context(), storetest.At.Add(before)); err != nil || (want == 0) != (n == 0) {
			t.Errorf("purged %d before %v: %v", n, before, err)
		}
	}
}

// ACC-1: whoever is invited gets a temporary password by mail, and the account is theirs at the first login.
func TestInviteAccount(t *testing.T) {
	st := storetest.New(t)
	p := owner{st, storetest.Keyring(t), models.Account{UserID: "grace", Email: "grace@example.com", FirstName: "Grace", LastName: "Hopper", Country: "US", CreatedAt: storetest.At}}
	temporary, err := store.NewTemporaryPassword(storetest.Hasher)
	storetest.Must(t, err)
	p.Account, err = st.InviteAccount(t.Context(), p.Account, temporary, p.ring, models.RoleOrgAdmin)
	wantFault(t, err, nil)
	mailed := p.sealed(t, models.NoticeFirstLogin)
	_, session, err := p.login(t, mailed, storetest.At)
	wantFault(t, err, nil)
	if !p.now(t).MustChangePassword {
		t.Error("the password may stay")
	}
	wantFault(t, p.change(t, mailed, chosen, session.ID, storetest.At), nil)
	wantNowhere(t, st, mailed)
	again, err := store.NewTemporaryPassword(storetest.Hasher)
	storetest.Must(t, err)
	_, err = st.InviteAccount(t.Context(), models.Account{UserID: "GRACE", Email: "other@example.com", FirstName: "Grace", LastName: "Hopper", Country: "US",
		CreatedAt: storetest.At}, again, p.ring)
	wantFault(t, err, models.AccountExists)
	if n := query[int](t, st, "select count(*) from notices where kind = 'first_login'"); n != 1 {
		t.Errorf("%d mails", n)
	}
}
