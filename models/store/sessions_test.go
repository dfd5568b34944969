package store_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
)

// LOG-1, SEC-1: a session is known by its token only, and ends when idle, when old, and when it is ended.
func TestSessionLimits(t *testing.T) {
	st := storetest.New(t)
	a := storetest.Account(t, st)
	idle, oldest := 30*time.Minute, 12*time.Hour
	cases := []struct {
		name  string
		seen  []time.Duration // moments of use after the start
		last  time.Duration
		alive bool
	}{
		{"at once", nil, 0, true},
		{"just before it is idle for too long", nil, idle - time.Microsecond, true},
		{"idle for too long", nil, idle, false},
		{"kept alive by use", []time.Duration{20 * time.Minute, 40 * time.Minute}, 69 * time.Minute, true},
		{"idle after use", []time.Duration{20 * time.Minute}, 51 * time.Minute, false},
		{"old, though in use", every(20*time.Minute, oldest), oldest, false},
		{"almost old", every(20*time.Minute, oldest), oldest - time.Second, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			token, started := storetest.Session(t, st, a.ID)
			for _, after := range c.seen {
				if _, _, _, err := st.SessionByToken(t.Context(), token, storetest.At.Add(after)); err != nil {
					t.Fatalf("dead after %v: %v", after, err)
				}
			}
			session, account, roles, err := st.SessionByToken(t.Context(), token, storetest.At.Add(c.last))
			if !c.alive {
				wantFault(t, err, models.NotAuthenticated)
				return
			}
			if err != nil || session.ID != started.ID || account.ID != a.ID || len(roles) != 1 || session.Strength != models.StrengthPassword || session.Level != 0 {
				t.Fatalf("%+v %v %v", session, roles, err)
			}
		})
	}
}

func every(step, until time.Duration) (moments []time.Duration) {
	for d := step; d < until; d += step {
		moments = append(moments, d)
	}
	return moments
}

// SEC-1: an ended session is dead at once; the database does not have its token; its use is written down once a minute at most.
func TestSessionTokens(t *testing.T) {
	st := storetest.New(t)
	token, session := storetest.Session(t, st, storetest.Account(t, st).ID)
	if stored := query[[]byte](t, st, "select token_hash from sessions"); bytes.Contains(stored, []byte(token.Reveal())) || len(stored) != 32 {
		t.Error("the token is in the database")
	}
	for _, after := range []time.Duration{30 * time.Second, 61 * time.Second, 100 * time.Second} {
		if _, _, _, err := st.SessionByToken(t.Context(), token, storetest.At.Add(after)); err != nil {
			t.Fatal(err)
		}
	}
	if seen := query[time.Time](t, st, "select seen_at from sessions"); !seen.Equal(storetest.At.Add(61 * time.Second)) {
		t.Errorf("seen at %v", seen)
	}
	for range 2 { // ending an ended one changes nothing
		if err := st.EndSession(t.Context(), session.ID, storetest.At.Add(2*time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	_, _, _, err := st.SessionByToken(t.Context(), token, storetest.At.Add(2*time.Minute))
	wantFault(t, err, models.NotAuthenticated)
	_, _, _, err = st.SessionByToken(t.Context(), "tds_guess", storetest.At)
	wantFault(t, err, models.NotAuthenticated)
	if n := query[int](t, st, "select count(*) from audit_events where kind = 'session.ended'"); n != 1 {
		t.Errorf("the end was audited %d times", n)
	}
}

// ACC-1, LOG-1: who a name means, and that a stranger's answer is that of a wrong password.
func TestLogin(t *testing.T) {
	st := storetest.New(t)
	ada := storetest.Account(t, st, storetest.WithLogin("Ada", "ada@example.com"))
	for i := range 2 {
		storetest.Account(t, st, storetest.WithLogin(fmt.Sprintf("twin%d", i), "twins@example.com"))
	}
	cases := []struct {
		name     string
		login    string
		password models.Secret
		want     *models.FaultType
	}{
		{"user id", "Ada", storetest.Password, nil},
		{"user id in other case, with blanks", " aDA ", storetest.Password, nil},
		{"e-mail of one account", "ADA@example.com", storetest.Password, nil},
		{"e-mail of several accounts", "twins@example.com", storetest.Password, models.LoginFailed},
		{"user id of one of several accounts", "twin1", storetest.Password, nil},
		{"wrong password", "Ada", "not the password", models.LoginFailed},
		{"no password", "Ada", "", models.LoginFailed},
		{"nobody", "nobody", storetest.Password, models.LoginFailed},
		{"an overlong password", "Ada", models.Secret(strings.Repeat("x", 2000)), models.LoginFailed},
	}
	var refusals []string
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			token, session, err := st.Login(t.Context(), store.PasswordLogin{Name: c.login, Password: c.password, Address: "192.0.2.1"}, storetest.Hasher, storetest.At)
			wantFault(t, err, c.want)
			if c.want != nil {
				refusals = append(refusals, err.Error())
				return
			}
			if _, _, _, err := st.SessionByToken(t.Context(), token, storetest.At); err != nil || session.Strength != models.StrengthPassword {
				t.Errorf("%v, %v", session.Strength, err)
			}
		})
	}
	for _, r := range refusals {
		if r != refusals[0] {
			t.Errorf("a stranger can tell %q from %q", r, refusals[0])
		}
	}
	if n := query[int](t, st, "select count(*) from attempts"); n != 3*len(refusals) {
		t.Errorf("%d tries are counted, want those of %d refusals for name, address and both together", n, len(refusals))
	}
	if n := query[int](t, st, "select count(*) from audit_events where kind = 'session.started' and actor = $1", ada.ID); n != 6 {
		t.Errorf("%d audit rows of the account", n)
	}
}

// ACC-1: guessing passwords is throttled for a name, whether it exists or not, from one network address and from everywhere, and
// for a network address; guesses at the same time gain nothing, and a throttled right password is refused as well. A stranger who has
// used up his tries does not lock the person out.
func TestLoginThrottle(t *testing.T) {
	const stranger, home = "192.0.2.1", "198.51.100.1"
	for _, name := range []string{"ada", "nobody"} {
		st := storetest.New(t)
		limits := strictLogins(t, st)
		storetest.Account(t, st, storetest.WithLogin("ada", "ada@example.com"))
		right := map[string]*models.FaultType{"nobody": models.LoginFailed}[name] // what the right password gets where it is looked at
		try := func(p models.Secret, address string, at time.Time) error {
			_, _, err := st.Login(t.Context(), store.PasswordLogin{Name: name, Password: p, Address: address}, storetest.Hasher, at)
			return err
		}
		t.Run(name+" from one address", func(t *testing.T) {
			got := atOnce(limits.TriesPerUser+10, func(int) error { return try("wrong", stranger, storetest.At) })
			if got[models.LoginFailed.Slug] != limits.TriesPerUser || got[models.TooManyTries.Slug] != 10 {
				t.Fatalf("answers %v", got)
			}
			wantFault(t, try(storetest.Password, stranger, storetest.At), models.TooManyTries)
			wantFault(t, try(storetest.Password, home, storetest.At), right)
			wantFault(t, try(storetest.Password, stranger, storetest.At.Add(time.Hour)), right)
		})
		t.Run(name+" from everywhere", func(t *testing.T) {
			at := storetest.At.Add(3 * time.Hour)
			got := atOnce(limits.TriesPerUserAnywhere+10, func(i int) error { return try("wrong", fmt.Sprintf("203.0.113.%d", i), at) })
			if got[models.LoginFailed.Slug] != limits.TriesPerUserAnywhere || got[models.TooManyTries.Slug] != 10 {
				t.Fatalf("answers %v", got)
			}
			wantFault(t, try(storetest.Password, home, at), models.TooManyTries)
			wantFault(t, try(storetest.Password, home, at.Add(time.Hour)), right)
		})
	}
	t.Run("address", func(t *testing.T) {
		st := storetest.New(t)
		limits := strictLogins(t, st)
		got := atOnce(limits.TriesPerAddress+5, func(i int) error {
			_, _, err := st.Login(t.Context(), store.PasswordLogin{Name: fmt.Sprint("guess", i), Password: "wrong", Address: "192.0.2.1"}, storetest.Hasher, storetest.At)
			return err
		})
		if got[models.LoginFailed.Slug] != limits.TriesPerAddress || got[models.TooManyTries.Slug] != 5 {
			t.Fatalf("answers %v", got)
		}
	})
}
