package store_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"tokendesk/internal/seal"
	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
)

// counter is an agent who may log in.
type counter struct {
	t      *testing.T
	st     *store.Store
	ring   *seal.Keyring
	agent  models.Agent
	secret models.SecretBytes
}

var certificate = bytes.Repeat([]byte{7}, 32)

func newCounter(t *testing.T) *counter {
	t.Helper()
	t.Parallel()
	k := &counter{t: t, st: storetest.New(t), ring: storetest.Keyring(t)}
	k.agent = storetest.Reviewer(t, k.st)
	k.secret = storetest.Enrolled(t, k.st, k.ring, k.agent.ID)
	return k
}

// login tries a code at a moment of both clocks.
func (k *counter) login(code models.Secret, at time.Time) (models.Secret, models.AgentSession, error) {
	return k.st.StartAgentSession(k.t.Context(), store.AgentLogin{AgentID: k.agent.ID, Certificate: certificate, Code: code}, k.ring, at, at)
}

func (k *counter) code(at time.Time) models.Secret { return storetest.AgentCode(k.secret, at) }

// PRF-8: a code opens a session, once, and within a step of the present one.
func TestAgentLogin(t *testing.T) {
	k := newCounter(t)
	at := storetest.At
	token, session, err := k.login(k.code(at.Add(-30*time.Second)), at)
	storetest.Must(t, err)
	if session.AgentID != k.agent.ID || !session.ExpiresAt.Equal(at.Add(12*time.Hour)) {
		t.Errorf("the session is %+v", session)
	}
	_, _, err = k.login(k.code(at.Add(-30*time.Second)), at)
	wantFault(t, err, models.AgentCodeWrong) // spent
	_, _, err = k.login(k.code(at.Add(-60*time.Second)), at)
	wantFault(t, err, models.AgentCodeWrong) // too old
	_, _, err = k.login(k.code(at.Add(60*time.Second)), at)
	wantFault(t, err, models.AgentCodeWrong) // too new
	second, _, err := k.login(k.code(at), at)
	storetest.Must(t, err)
	_, _, err = k.st.AgentBySession(t.Context(), token, certificate, at, at)
	wantFault(t, err, models.NotAuthenticated) // one session at a time
	if a, _, err := k.st.AgentBySession(t.Context(), second, certificate, at, at); err != nil || a.ID != k.agent.ID {
		t.Errorf("%s: %v", a.ID, err)
	}
	if _, _, err := k.st.AgentBySession(t.Context(), second, certificate, at.AddDate(0, 1, 0), at); err != nil {
		t.Errorf("a month that a sandbox skips ends the session: %v", err)
	}
	if n := query[int](t, k.st, "select count(*) from audit_events where kind = 'agent_session.started' and actor = $1", k.agent.ID); n != 5 {
		t.Errorf("%d logins are in the trail, want 2 successes and 3 failures", n)
	}
	if n := query[int](t, k.st, "select count(*) from agent_sessions where encode(token_hash, 'escape') like '%tda_%'"); n != 0 {
		t.Error("a token is kept in clear")
	}
}

// PRF-8: one code, shown by many at once, opens one session.
func TestAgentCodeOnce(t *testing.T) {
	k := newCounter(t)
	code := k.code(storetest.At)
	got := atOnce(4, func(int) error { _, _, err := k.login(code, storetest.At); return err })
	if got[""] != 1 || got[models.AgentCodeWrong.Slug] != 3 {
		t.Errorf("answers: %v", got)
	}
}

// PRF-8: after five wrong codes none is tried for an hour; wrong ones that come at once all count.
func TestAgentCodeThrottled(t *testing.T) {
	k := newCounter(t)
	at := storetest.At
	got := atOnce(8, func(int) error { _, _, err := k.login("abcdef", at); return err })
	if got[models.AgentCodeWrong.Slug] != 5 || got[models.TooManyTries.Slug] != 3 {
		t.Errorf("answers: %v", got)
	}
	_, _, err := k.login(k.code(at), at)
	wantFault(t, err, models.TooManyTries)
	if wait := models.FaultOf(err).RetryAfter; wait != time.Hour {
		t.Errorf("told to wait for %v", wait)
	}
	later := at.Add(time.Hour)
	_, _, err = k.login(k.code(later), later)
	storetest.Must(t, err)
}

// PRF-8: who may not log in at all.
func TestAgentWithoutAccess(t *testing.T) {
	k := newCounter(t)
	at, ctx := storetest.At, t.Context()
	_, _, err := k.st.StartAgentSession(ctx, store.AgentLogin{AgentID: "ag_unknown", Certificate: certificate, Code: "123456"}, k.ring, at, at)
	wantFault(t, err, models.CertificateNotAccepted)
	bare := storetest.Reviewer(t, k.st)
	_, _, err = k.st.StartAgentSession(ctx, store.AgentLogin{AgentID: bare.ID, Certificate: certificate, Code: "123456"}, k.ring, at, at)
	wantFault(t, err, models.AgentCodeWrong)
	token, _, err := k.login(k.code(at), at)
	storetest.Must(t, err)
	_, err = k.st.RetireAgent(ctx, k.agent.ID, models.Actor{ID: "test"}, "left", at)
	storetest.Must(t, err)
	_, _, err = k.st.AgentBySession(ctx, token, certificate, at, at)
	wantFault(t, err, models.NotAuthenticated)
	_, _, err = k.login(k.code(at.Add(30*time.Second)), at)
	wantFault(t, err, models.CertificateNotAccepted)
	_, err = k.st.EnrolAgent(ctx, k.agent.ID, k.ring, models.Actor{ID: "test"}, "again", at)
	wantFault(t, err, models.NoSuchThing)
}

// PRF-8: a session is good with its own certificate only, and ends when it is stolen, unused, old, left, or its second factor is replaced.
func TestAgentSessionEnds(t *testing.T) {
	for name, c := range map[string]struct {
		do          func(k *counter, token models.Secret, s models.AgentSession)
		certificate []byte
		after       time.Duration
	}{
		"with another certificate": {certificate: bytes.Repeat([]byte{8}, 32)},
		"shown with another certificate before": {do: func(k *counter, token models.Secret, _ models.AgentSession) {
			if _, _, err := k.st.AgentBySession(k.t.Context(), token, []byte("other"), storetest.At, storetest.At); !errors.Is(err, models.NotAuthenticated) {
				k.t.Fatal(err)
			}
		}},
		"not used for half an hour": {after: 30 * time.Minute},
		"left": {do: func(k *counter, _ models.Secret, s models.AgentSession) {
			storetest.Must(k.t, k.st.EndAgentSession(k.t.Context(), s, storetest.At))
		}},
		"enrolled anew": {do: func(k *counter, _ models.Secret, _ models.AgentSession) {
			storetest.Enrolled(k.t, k.st, k.ring, k.agent.ID)
		}},
		"after twelve hours of use": {after: 12 * time.Hour, do: func(k *counter, token models.Secret, _ models.AgentSession) {
			for used := 20 * time.Minute; used < 12*time.Hour; used += 20 * time.Minute {
				_, _, err := k.st.AgentBySession(k.t.Context(), token, certificate, storetest.At.Add(used), storetest.At.Add(used))
				storetest.Must(k.t, err)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			k := newCounter(t)
			token, session, err := k.login(k.code(storetest.At), storetest.At)
			storetest.Must(t, err)
			if _, _, err := k.st.AgentBySession(t.Context(), token, certificate, storetest.At, storetest.At); err != nil {
				t.Fatal(err)
			}
			if c.do != nil {
				c.do(k, token, session)
			}
			shown := certificate
			if c.certificate != nil {
				shown = c.certificate
			}
			_, _, err = k.st.AgentBySession(t.Context(), token, shown, storetest.At.Add(c.after), storetest.At.Add(c.after))
			wantFault(t, err, models.NotAuthenticated)
		})
	}
}
