package store_test

import (
	"fmt"
	"testing"
	"time"

	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
)

// elevate raises a session as the API does.
func (l login) elevate(t *testing.T, session models.Session, credentialID string, code models.Secret, at time.Time) (models.Session, error) {
	t.Helper()
	id, err := l.ProveCredential(t.Context(), store.Elevation{AccountID: l.account.ID, CredentialID: credentialID, Code: code}, l.ring, at, codeLater)
	if err != nil {
		return models.Session{}, err
	}
	return l.RaiseSession(t.Context(), session.ID, id, at)
}

// LOG-2, LOG-3: the running session is raised to the strength and level of the credential, by a code that is accepted once; all of it is audited.
func TestElevate(t *testing.T) {
	t.Parallel()
	l := newLogin(t, storetest.New(t), storetest.EventDevice)
	token, session := storetest.Session(t, l.Store, l.account.ID)
	_, other := storetest.Session(t, l.Store, l.account.ID)
	code := l.device.Press(codeLater)
	raised, err := l.elevate(t, session, "", code, storetest.At)
	storetest.Must(t, err)
	again, _, _, err := l.SessionByToken(t.Context(), token, storetest.At)
	storetest.Must(t, err)
	for _, s := range []models.Session{raised, again} {
		if s.ID != session.ID || s.Strength != models.StrengthHardware || s.Level != 2 || s.CredentialID == nil || *s.CredentialID != l.credential.ID {
			t.Errorf("raised to %+v", s)
		}
	}
	if n := query[int](t, l.Store, "select count(*) from sessions where id = $1 and strength = 'password' and credential_id is null", other.ID); n != 1 {
		t.Error("another session was raised as well")
	}
	_, err = l.elevate(t, other, l.credential.ID, code, storetest.At)
	wantFault(t, err, models.CodeWrong)
	if l.verify(t, l.ask(code)) != models.ResultWrongCode {
		t.Error("a relying application accepted the code again")
	}
	if n := query[int](t, l.Store, "select count(*) from audit_events where kind = 'session.elevated' and subject_ref = $1 and credential_id = $2 and detail->>'level' = '2'", session.ID, l.credential.ID); n != 1 {
		t.Errorf("audited %d times", n)
	}
	if n := query[int](t, l.Store, "select count(*) from audit_events where kind = 'code.verified' and actor = $1", l.account.ID); n != 2 {
		t.Errorf("%d verifications are audited", n)
	}

	l.exec(t, "update credentials set level = 3 where id = $1", l.credential.ID)
	if raised, err = l.elevate(t, session, "", l.device.Press(codeLater), storetest.At); err != nil || raised.Level != 3 {
		t.Errorf("proofed since, it is raised to level %d: %v", raised.Level, err)
	}
}

// LOG-2: one code raises one of the sessions that it is given to at the same moment.
func TestElevateAtTheSameMoment(t *testing.T) {
	t.Parallel()
	l := newLogin(t, storetest.New(t), storetest.EventDevice)
	sessions := make([]models.Session, 6)
	for i := range sessions {
		_, sessions[i] = storetest.Session(t, l.Store, l.account.ID)
	}
	code := l.device.Press(codeLater)
	got := atOnce(len(sessions), func(i int) error {
		_, err := l.elevate(t, sessions[i], "", code, storetest.At)
		return err
	})
	if got[""] != 1 || got[models.CodeWrong.Slug] != len(sessions)-1 {
		t.Errorf("answered %v", got)
	}
	if n := query[int](t, l.Store, "select count(*) from sessions where strength = 'hardware_otp'"); n != 1 {
		t.Errorf("%d sessions are raised", n)
	}
}

// LOG-2, LOG-8: what stands against the credential is told to its holder, with what helps; the session stays as it is.
func TestElevateIsRefused(t *testing.T) {
	t.Parallel()
	st := storetest.New(t)
	const credentials = "update credentials set "
	for name, c := range map[string]struct {
		change string
		later  time.Duration
		want   *models.FaultType
		offers string
	}{
		"locked":                     {change: "update authenticators set status = 'locked', locked_at = now() where credential_id = $1", want: models.TokenLocked, offers: "[resync suspend replace revoke]"},
		"suspended by the holder":    {change: credentials + "suspended_at = now(), suspended_by = 'person' where id = $1", want: models.SuspendedByHolder, offers: "[re_enable replace revoke]"},
		"suspended by administrator": {change: credentials + "suspended_at = now(), suspended_by = 'administrator' where id = $1", want: models.SuspendedByAdministrator, offers: "[replace revoke]"},
		"suspended by time":          {change: credentials + "expired_at = expires_at, term_suspended_at = expires_at where id = $1", later: 366 * 24 * time.Hour, want: models.SuspendedByTime, offers: "[suspend renew revoke]"},
		"expired though nobody said": {later: 366 * 24 * time.Hour, want: models.CredentialIsExpired, offers: "[suspend renew revoke]"},
		"waiting for approval":       {change: credentials + "phase = 'pending_approval' where id = $1", want: models.CredentialNotApproved, offers: "[suspend replace revoke]"},
		"waiting for proofing":       {change: credentials + "phase = 'pending_proofing' where id = $1", want: models.CredentialNotProofed, offers: "[proof suspend replace revoke]"},
		"waiting for a token":        {change: credentials + "phase = 'pending_registration' where id = $1", want: models.CredentialNotRegistered, offers: "[suspend replace revoke]"},
		"revoked":                    {change: credentials + "phase = 'revoked', revoked_at = now() where id = $1", want: models.CredentialIsRevoked, offers: "[]"},
		"its token revoked":          {change: "update authenticators set status = 'revoked', revoked_at = now() where credential_id = $1", want: models.NoLiveToken, offers: "[suspend revoke]"},
		"nothing but the wrong code": {want: models.CodeWrong, offers: "[]"},
		"somebody else's":            {want: models.NoSuchThing, offers: "[]"},
		"none":                       {want: models.NoCredential, offers: "[]"},
	} {
		t.Run(name, func(t *testing.T) { // one after the other: each has its own keyring, and they share the stock
			l := newLogin(t, st, storetest.EventDevice)
			if c.change != "" {
				l.exec(t, c.change, l.credential.ID)
			}
			code, id := l.device.Press(codeLater), l.credential.ID
			switch name {
			case "nothing but the wrong code":
				code = l.wrong()
			case "somebody else's":
				l.account = storetest.Account(t, st)
			case "none":
				l.account, id = storetest.Account(t, st), ""
			}
			at := storetest.At.Add(c.later)
			_, session, err := st.StartSession(t.Context(), l.account.ID, models.StrengthPassword, 0, at)
			storetest.Must(t, err)
			_, err = l.elevate(t, session, id, code, at)
			wantFault(t, err, c.want)
			f := models.FaultOf(err)
			if got := fmt.Sprint(f.Allowed); got != c.offers || f.Type.Next == "" {
				t.Errorf("allowed %s, next %q", got, f.Type.Next)
			}
			if n := query[int](t, st, "select count(*) from sessions where id = $1 and strength = 'password'", session.ID); n != 1 {
				t.Error("the session was raised all the same")
			}
		})
	}
}

// LOG-4: wrong codes of a session count with all others, and lock the token.
func TestElevateLocks(t *testing.T) {
	t.Parallel()
	l := newLogin(t, storetest.New(t), storetest.EventDevice)
	_, session := storetest.Session(t, l.Store, l.account.ID)
	for range models.DefaultPolicy().OTP.LockAfter {
		_, err := l.elevate(t, session, "", l.wrong(), storetest.At)
		wantFault(t, err, models.CodeWrong)
	}
	_, err := l.elevate(t, session, "", l.device.Press(codeLater), storetest.At)
	wantFault(t, err, models.TokenLocked)
}

// LOG-2: who has ended the sessions, suspended the credential or logged out since the code was accepted comes first.
func TestElevateComesTooLate(t *testing.T) {
	t.Parallel()
	st := storetest.New(t)
	for name, c := range map[string]struct {
		meanwhile func(t *testing.T, l login, session models.Session) error
		want      *models.FaultType
	}{
		"revoked": {func(t *testing.T, l login, _ models.Session) error {
			return st.RevokeCredential(t.Context(), models.Revocation{CredentialID: l.credential.ID, Reason: models.RevokeStolen, By: models.BySubscriber}, l.ring, storetest.Hasher, person, storetest.At)
		}, models.NotAuthenticated},
		"suspended": {func(t *testing.T, l login, _ models.Session) error {
			return st.SuspendCredential(t.Context(), l.credential.ID, models.BySubscriber, person, storetest.At)
		}, models.SuspendedByHolder},
		"logged out": {func(t *testing.T, _ login, session models.Session) error {
			return st.EndSession(t.Context(), session.ID, storetest.At)
		}, models.NotAuthenticated},
		"password reset": {func(t *testing.T, l login, _ models.Session) error {
			return st.ResetPassword(t.Context(), l.account.ID, l.ring, storetest.Hasher, supporter, "elevation/"+l.account.ID, storetest.At)
		}, models.NotAuthenticated},
	} {
		t.Run(name, func(t *testing.T) { // one after the other: each has its own keyring, and they share the stock
			l := newLogin(t, st, storetest.EventDevice)
			_, session := storetest.Session(t, st, l.account.ID)
			id, err := l.ProveCredential(t.Context(), store.Elevation{AccountID: l.account.ID, Code: l.device.Press(codeLater)}, l.ring, storetest.At, codeLater)
			storetest.Must(t, err)
			storetest.Must(t, c.meanwhile(t, l, session))
			_, err = st.RaiseSession(t.Context(), session.ID, id, storetest.At)
			wantFault(t, err, c.want)
		})
	}
	l := newLogin(t, st, storetest.EventDevice)
	_, session := storetest.Session(t, st, storetest.Account(t, st).ID)
	_, err := st.RaiseSession(t.Context(), session.ID, l.credential.ID, storetest.At)
	wantFault(t, err, models.NotAuthenticated) // somebody else's
}

// LOG-2: a session that is raised while its credential is revoked is raised before that, and ended by it, or not at all.
func TestElevateRacesRevocation(t *testing.T) {
	t.Parallel()
	st := storetest.New(t)
	for range 6 {
		l := newLogin(t, st, storetest.EventDevice)
		_, session := storetest.Session(t, st, l.account.ID)
		code := l.device.Press(codeLater)
		got := atOnce(2, func(i int) error {
			if i == 0 {
				return st.RevokeCredential(t.Context(), models.Revocation{CredentialID: l.credential.ID, Reason: models.RevokeStolen, By: models.BySubscriber}, l.ring, storetest.Hasher, person, storetest.At)
			}
			_, err := l.elevate(t, session, "", code, storetest.At)
			return err
		})
		if got[""] == 0 || got[""] == 1 && got[models.NotAuthenticated.Slug]+got[models.CredentialIsRevoked.Slug] != 1 {
			t.Errorf("answered %v", got)
		}
		if n := query[int](t, st, "select count(*) from sessions where account_id = $1 and ended_at is null", l.account.ID); n != 0 {
			t.Errorf("%d sessions live on", n)
		}
	}
}
