package api

import (
	"net/http"
	"slices"
	"testing"

	"tokendesk/api/gen"
	"tokendesk/models"
	"tokendesk/models/store/storetest"
)

// secretOf opens the secret that waits in its mail.
func (h *house) secretOf(subject string, kind models.NoticeKind) models.Secret {
	h.t.Helper()
	var id string
	var sealed []byte
	storetest.Must(h.t, h.st.Pool().QueryRow(h.t.Context(), "select id, sealed from notices where subject_ref = $1 and kind = $2 and sealed is not null order by created_at desc, id desc limit 1",
		subject, kind).Scan(&id, &sealed))
	secret, err := h.ring.Open(sealed, models.NoticeContext(id))
	storetest.Must(h.t, err)
	return models.Secret(secret.Reveal())
}

func (h *house) logsIn(userID string, password models.Secret) answer {
	h.t.Helper()
	return h.post("", "/v1/sessions", map[string]any{"user_id": userID, "password": password})
}

const chosen models.Secret = "a phrase of my own choice"

// MGT-4, ACC-1: whoever has a temporary password changes it before anything else, in every operation that the specification does not except.
func TestTemporaryPassword(t *testing.T) {
	h := newHouse(t)
	h.machine.stand()
	account, old := h.person()
	reset := "/v1/accounts/" + account.ID + "/password-reset"
	h.post(h.as(models.RoleSupport), reset, map[string]any{"reason": "   "}).problem(models.InvalidRequest)
	h.post(h.as(models.RoleSupport), reset, map[string]any{"reason": "the phone was stolen"}).want(http.StatusNoContent)
	h.get(old, "/v1/accounts/me").problem(models.NotAuthenticated)
	h.logsIn(account.UserID, storetest.Password).problem(models.LoginFailed)
	temporary := h.secretOf(account.ID, models.NoticeTemporaryPassword)
	started := read[gen.StartedSession](h.logsIn(account.UserID, temporary).want(http.StatusCreated))
	token := models.Secret(started.Token)
	if !deref(started.Session.MustChangePassword) {
		t.Errorf("the session is %+v", started.Session)
	}
	var open []string
	for _, op := range h.specimens() {
		if op.open() || op.OperationID == "endCurrentSession" || op.OperationID == "changePassword" {
			continue
		}
		a := h.send(h.specimenRequest(op, token))
		if a.status < 300 {
			open = append(open, op.OperationID)
			continue
		}
		a.problem(models.PasswordChangeRequired)
	}
	if !slices.Equal(open, []string{"getCurrentSession", "getOwnAccount"}) {
		t.Errorf("open are %v", open)
	}
	change := func(old, chosen models.Secret) answer {
		return h.send(h.request(http.MethodPut, "/v1/accounts/me/password", token, map[string]any{"old_password": old, "new_password": chosen}))
	}
	change("wrong", chosen).problem(models.PasswordWrong)
	if p := change(temporary, "short").problem(models.PasswordWeak); len(p.Errors) != 1 || *p.Errors[0].Pointer != "/new_password" {
		t.Errorf("refused %+v", p)
	}
	change(temporary, storetest.Password).problem(models.PasswordReused)
	other := h.login(account)
	change(temporary, chosen).want(http.StatusNoContent)
	h.get(token, "/v1/orders").want(http.StatusOK)
	h.get(other, "/v1/accounts/me").problem(models.NotAuthenticated)
	if s := read[gen.Session](h.get(token, "/v1/sessions/current").want(http.StatusOK)); s.MustChangePassword != nil {
		t.Errorf("the session is %+v", s)
	}
}

// ACC-1: recovery tells a stranger nothing; its token works once.
func TestRecovery(t *testing.T) {
	h := newHouse(t)
	account, session := h.person()
	var answers []string
	for _, name := range []string{account.UserID, account.Email, "nobody"} {
		a := h.post("", "/v1/password-recoveries", map[string]any{"user_id": name}).want(http.StatusNoContent)
		answers = append(answers, string(a.body))
		h.post("", "/v1/user-id-recoveries", map[string]any{"email": "nobody@example.com"}).want(http.StatusNoContent)
	}
	if len(slices.Compact(answers)) != 1 {
		t.Errorf("answers differ: %q", answers)
	}
	h.post("", "/v1/user-id-recoveries", map[string]any{"email": account.Email}).want(http.StatusNoContent)
	_, err := h.st.MailRecoveries(t.Context(), 100, h.now())
	storetest.Must(t, err)
	token := h.secretOf(account.ID, models.NoticePasswordRecovery)
	complete := func(token, chosen models.Secret) answer {
		return h.post("", "/v1/password-recoveries/completion", map[string]any{"token": token, "new_password": chosen})
	}
	complete("unknown", chosen).problem(models.RecoveryTokenWrong)
	complete(token, "short").problem(models.PasswordWeak)
	complete(token, chosen).want(http.StatusNoContent)
	complete(token, chosen).problem(models.RecoveryTokenWrong)
	h.get(session, "/v1/accounts/me").problem(models.NotAuthenticated)
	h.logsIn(account.UserID, chosen).want(http.StatusCreated)
}

// ACC-1: an account that is made without a password gets its first-login mail.
func TestFirstLogin(t *testing.T) {
	h := newHouse(t)
	body := map[string]any{"user_id": "grace", "email": "grace@example.com", "first_name": "Grace", "last_name": "Hopper", "country": "US"}
	made := read[gen.Account](h.post(h.as(models.RoleSupport), "/v1/accounts", body).want(http.StatusCreated))
	started := read[gen.StartedSession](h.logsIn("grace", h.secretOf(made.ID, models.NoticeFirstLogin)).want(http.StatusCreated))
	h.get(models.Secret(started.Token), "/v1/orders").problem(models.PasswordChangeRequired)
}
