package api

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"tokendesk/api/gen"
	"tokendesk/models"
	"tokendesk/models/store/storetest"
)

// holder is a person with a credential in use.
type holder struct {
	*house
	account    models.Account
	credential models.Credential
	device     *storetest.Device
	token      models.Secret // of the person's session
}

func (h *house) holder(options ...storetest.AccountOption) *holder {
	h.t.Helper()
	account, token := h.person(options...)
	c, device := storetest.Registered(h.t, h.st, h.ring, account, storetest.EventDevice, h.now())
	return &holder{h, account, c, device, token}
}

func (p *holder) path(what string) string { return "/v1/credentials/" + p.credential.ID + what }

// at moves the clock, and logs the person in again.
func (p *holder) at(moment time.Time) {
	p.t.Helper()
	p.setClock(moment)
	p.token = p.login(p.account)
}

// login is a session that begins now.
func (h *house) login(a models.Account) models.Secret {
	h.t.Helper()
	token, _, err := h.st.StartSession(h.t.Context(), a.ID, models.StrengthPassword, 0, h.now())
	storetest.Must(h.t, err)
	return token
}

// shows reads the credential and checks what the person is shown.
func (p *holder) shows(token models.Secret, status models.DisplayedStatus, actions ...string) gen.Credential {
	p.t.Helper()
	c := read[gen.Credential](p.get(token, p.path("")).want(http.StatusOK))
	if c.Status != status || !slices.Equal(c.AllowedActions, actions) {
		p.t.Errorf("shows %s with %v, want %s with %v", c.Status, c.AllowedActions, status, actions)
	}
	return c
}

var confirmed = map[string]any{"reason": "stolen", "confirm": true}

// The bad input of a credential's life: each its own problem document, with what is allowed instead (MGT-3, MGT-4, MGT-5, REN-1, LOG-8).
func TestLifeRefusals(t *testing.T) {
	type bad struct {
		name    string
		prepare func(p *holder) answer
		problem *models.FaultType
		allowed []string
	}
	renew := func(p *holder, method string) answer { return p.post(p.token, "/v1/orders", p.renewal(method)) }
	for _, c := range []bad{
		{"renewing a revoked credential", func(p *holder) answer {
			p.post(p.token, p.path("/revocation"), confirmed).want(http.StatusOK)
			p.choosesPassword()
			return renew(p, "card")
		}, models.CredentialIsRevoked, []string{}},
		{"lifting an administrator's suspension", func(p *holder) answer {
			p.post(p.as(models.RoleSupport), p.path("/suspension"), map[string]any{"reason": "asked by the police"}).want(http.StatusOK)
			return p.post(p.token, p.path("/re-enabling"), map[string]any{})
		}, models.SuspendedByAdministrator, []string{"replace", "revoke"}},
		{"lifting what time has suspended", func(p *holder) answer {
			p.at(p.credential.ExpiresAt.AddDate(1, 0, -50))
			return p.post(p.token, p.path("/re-enabling"), map[string]any{})
		}, models.SuspendedByTime, []string{"suspend", "renew", "revoke"}},
		{"lifting no suspension", func(p *holder) answer {
			return p.post(p.token, p.path("/re-enabling"), map[string]any{})
		}, models.NotSuspended, []string{"resync", "suspend", "replace", "revoke"}},
		{"suspending twice", func(p *holder) answer {
			p.post(p.token, p.path("/suspension"), map[string]any{}).want(http.StatusOK)
			return p.post(p.token, p.path("/suspension"), map[string]any{})
		}, models.AlreadySuspended, []string{"re_enable", "replace", "revoke"}},
		{"suspending a revoked credential", func(p *holder) answer {
			p.post(p.token, p.path("/revocation"), confirmed).want(http.StatusOK)
			p.choosesPassword()
			return p.post(p.token, p.path("/suspension"), map[string]any{})
		}, models.CredentialIsRevoked, []string{}},
		{"revoking twice", func(p *holder) answer {
			support := p.as(models.RoleSupport)
			p.post(support, p.path("/revocation"), confirmed).want(http.StatusOK)
			return p.post(support, p.path("/revocation"), confirmed)
		}, models.AlreadyRevoked, []string{}},
		{"renewing too early", func(p *holder) answer { return renew(p, "card") }, models.RenewalNotOpen, []string{"resync", "suspend", "replace", "revoke"}},
		{"an invoice in the last days", func(p *holder) answer {
			p.at(p.credential.ExpiresAt.AddDate(1, 0, -3))
			return renew(p, "invoice")
		}, models.RenewalByCardOnly, []string{"suspend", "renew", "revoke"}},
		{"renewing after the last moment", func(p *holder) answer {
			p.at(p.credential.ExpiresAt.AddDate(1, 0, 0))
			return renew(p, "card")
		}, models.RenewalTooLate, []string{"suspend", "revoke"}},
		{"a second hardware token", func(p *holder) answer {
			o := storetest.FulfilledOrder(p.t, p.st, p.ring, p.account.ID)
			storetest.Stock(p.t, p.st, p.ring, storetest.TokenModel, storetest.EventDevice, 1)
			device := storetest.Shipped(p.t, p.st, o, 1)
			second := storetest.Activated(p.t, p.st, p.ring, p.account, o, 1)
			first, next := device.Pair(p.now())
			return p.post(p.token, "/v1/credentials/"+second.ID+"/hardware-tokens", registration(device.Serial, first.Reveal(), next.Reveal()))
		}, models.TokenAlreadyRegistered, []string{"revoke"}},
		{"a resync of a suspended credential", func(p *holder) answer {
			p.post(p.token, p.path("/suspension"), map[string]any{}).want(http.StatusOK)
			return p.resync(p.device.Pair(p.now()))
		}, models.CredentialNotActive, []string{"re_enable", "replace", "revoke"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newHouse(t).holder()
			problem := c.prepare(p).problem(c.problem)
			if !slices.Equal(problem.AllowedActions, c.allowed) || (problem.AllowedActions == nil) != (c.allowed == nil) { // none is said, too
				t.Errorf("allowed are %v, want %v", problem.AllowedActions, c.allowed)
			}
			if deref(problem.Next) == "" {
				t.Error("the refusal names no next step")
			}
		})
	}
}

// choosesPassword logs the person in with the temporary password's consequences behind it.
func (p *holder) choosesPassword() {
	p.t.Helper()
	_, err := p.st.Pool().Exec(p.t.Context(), "update accounts set must_change_password = false, password_expires_at = null where id = $1", p.account.ID)
	storetest.Must(p.t, err)
	p.token = p.login(p.account)
}

// renewal is an order that renews the credential.
func (p *holder) renewal(method string) map[string]any {
	body := newOrderBody()
	body["lines"] = []any{map[string]any{"product_sku": storetest.RenewalSKU, "credential_id": p.credential.ID}}
	body["payment_method"] = method
	if method == "card" {
		body["card_token"] = "pm_card_visa"
	}
	return body
}

func (p *holder) resync(first, second models.Secret) answer {
	p.t.Helper()
	_, bound, err := p.st.Credential(p.t.Context(), p.credential.ID)
	storetest.Must(p.t, err)
	return p.post(p.token, p.path("/authenticators/"+bound[0].ID+"/resync"), map[string]any{"first_code": first, "second_code": second})
}

// MGT-3, SEC-1: the person, an administrator of the same organization and support suspend and re-enable; for everybody else there is no
// such credential. Whoever acts for another gives a reason, which the trail keeps.
func TestWhoSuspends(t *testing.T) {
	h := newHouse(t)
	o := storetest.Organization(t, h.st)
	p := h.holder(storetest.In(o))
	_, admin := h.person(storetest.In(o), storetest.WithRoles(models.RoleOrgAdmin))
	_, otherAdmin := h.person(storetest.In(storetest.Organization(t, h.st)), storetest.WithRoles(models.RoleOrgAdmin))
	_, homelessAdmin := h.person(storetest.WithRoles(models.RoleOrgAdmin))
	_, colleague := h.person(storetest.In(o))
	reason := map[string]any{"reason": "left the company"}
	for name, stranger := range map[string]models.Secret{"another organization": otherAdmin, "no organization": homelessAdmin, "a colleague": colleague} {
		for _, what := range []string{"/suspension", "/re-enabling"} {
			if a := h.post(stranger, p.path(what), reason); a.status != http.StatusNotFound {
				t.Errorf("%s of %s: %d", what, name, a.status)
			}
		}
		h.post(stranger, p.path("/revocation"), confirmed).problem(models.NoSuchThing)
		for _, what := range []string{"", "/timeline", "/notices"} {
			h.get(stranger, p.path(what)).problem(models.NoSuchThing)
		}
		h.get(stranger, "/v1/credentials?account_id="+p.account.ID).problem(models.NoSuchThing)
	}
	p.shows(p.token, models.ShownActive, "resync", "suspend", "replace", "revoke")
	p.shows(admin, models.ShownActive, "resync", "suspend", "replace", "revoke")

	h.post(p.token, p.path("/suspension"), map[string]any{}).want(http.StatusOK)
	c := p.shows(p.token, models.ShownSuspended, "re_enable", "replace", "revoke")
	if c.SuspendedBy == nil || *c.SuspendedBy != models.BySubscriber {
		t.Errorf("suspended %+v", c)
	}
	h.post(p.token, p.path("/re-enabling"), map[string]any{}).want(http.StatusOK)

	for _, by := range []models.Secret{admin, h.as(models.RoleSupport)} {
		refused := h.post(by, p.path("/suspension"), map[string]any{}).problem(models.InvalidRequest)
		if len(refused.Errors) != 1 || *refused.Errors[0].Pointer != "/reason" {
			t.Errorf("refused %+v", refused)
		}
		h.post(by, p.path("/suspension"), map[string]any{"reason": "   "}).problem(models.InvalidRequest)
		c := read[gen.Credential](h.post(by, p.path("/suspension"), reason).want(http.StatusOK))
		if c.SuspendedBy == nil || *c.SuspendedBy != models.ByAdministrator || c.Status != models.ShownSuspended {
			t.Errorf("suspended %+v", c)
		}
		p.shows(p.token, models.ShownSuspended, "replace", "revoke")
		if line := read[gen.Timeline](h.get(p.token, p.path("/timeline"))); line.WaitingOn != gen.WaitingOnAdministrator {
			t.Errorf("timeline %+v", line)
		}
		h.post(by, p.path("/re-enabling"), reason).want(http.StatusOK)
	}
	var reasons int
	storetest.Must(t, h.st.Pool().QueryRow(t.Context(), "select count(*) from audit_events where credential_id = $1 and detail->>'reason' = 'left the company'", p.credential.ID).Scan(&reasons))
	if reasons != 4 {
		t.Errorf("the trail has %d reasons, want 4", reasons)
	}
	if list := read[gen.CredentialList](h.get(admin, "/v1/credentials?account_id="+p.account.ID).want(http.StatusOK)); len(list.Items) != 1 {
		t.Errorf("the administrator sees %+v", list)
	}
}

// MGT-4: a revocation asks for a confirmation and says what will happen; then sessions end, and a temporary password opens nothing but its change.
func TestRevocation(t *testing.T) {
	p := newHouse(t).holder()
	refused := p.post(p.token, p.path("/revocation"), map[string]any{"reason": "stolen"}).problem(models.ConfirmationMissing)
	for _, word := range []string{"for good", "sessions end", "password is reset", "everything bound to it"} {
		if !strings.Contains(*refused.Detail, word) {
			t.Errorf("%q does not say %q", *refused.Detail, word)
		}
	}
	p.post(p.token, p.path("/revocation"), map[string]any{"reason": "refunded", "confirm": true}).problem(models.InvalidRequest)
	p.post(p.token, p.path("/revocation"), map[string]any{"reason": "lost", "confirm": true, "authenticator_id": "au_0unknown"}).problem(models.NoSuchThing)
	p.shows(p.token, models.ShownActive, "resync", "suspend", "replace", "revoke")

	c := read[gen.Credential](p.post(p.token, p.path("/revocation"), confirmed).want(http.StatusOK))
	if c.Status != models.ShownRevoked || *c.RevokeReason != models.RevokeStolen || len(c.AllowedActions) != 0 || c.Renewal != nil ||
		c.Authenticators[0].Status != models.AuthenticatorRevoked {
		t.Errorf("revoked %+v", c)
	}
	p.get(p.token, p.path("")).problem(models.NotAuthenticated)
	p.get(p.login(p.account), p.path("")).problem(models.PasswordChangeRequired)
	line := read[gen.Timeline](p.get(p.as(models.RoleSupport), p.path("/timeline")).want(http.StatusOK))
	if line.WaitingOn != gen.WaitingOnNobody || len(line.Milestones) != 0 || line.IfNobodyActs != nil || !slices.ContainsFunc(line.Past, func(m models.Milestone) bool { return m.Name == models.CredentialRevokes }) {
		t.Errorf("timeline %+v", line)
	}
}

// MGT-3, MGT-4, OPS-2: what must not wait for an engine does not; and what the engine has done without being able to say so is done once.
func TestWithoutEngine(t *testing.T) {
	mails := func(p *holder, kind models.NoticeKind) (n int) {
		storetest.Must(p.t, p.st.Pool().QueryRow(p.t.Context(), "select count(*) from notices where subject_ref = $1 and kind = $2", p.credential.ID, kind).Scan(&n))
		return n
	}
	for name, trouble := range map[string]func(*engine){
		"down": func(e *engine) { e.down = models.ServiceDown.New("") },
		"late": func(e *engine) { e.late = true },
	} {
		t.Run(name, func(t *testing.T) {
			p := newHouse(t).holder()
			trouble(p.engine)
			c := read[gen.Credential](p.post(p.token, p.path("/suspension"), map[string]any{}).want(http.StatusOK))
			if c.Status != models.ShownSuspended || mails(p, models.NoticeSuspended) != 1 {
				t.Errorf("suspended %+v, %d mails", c, mails(p, models.NoticeSuspended))
			}
			p.post(p.token, p.path("/suspension"), map[string]any{}).problem(models.AlreadySuspended)
			c = read[gen.Credential](p.post(p.token, p.path("/revocation"), confirmed).want(http.StatusOK))
			if c.Status != models.ShownRevoked || mails(p, models.NoticeRevoked) != 1 {
				t.Errorf("revoked %+v, %d mails", c, mails(p, models.NoticeRevoked))
			}
			var signals int
			storetest.Must(t, p.st.Pool().QueryRow(t.Context(), "select count(*) from outbox where name = $1 and ref = $2", models.SignalCredentialChanged, p.credential.ID).Scan(&signals))
			if signals == 0 {
				t.Error("the lifecycle hears of nothing")
			}
		})
	}
	t.Run("re-enabling waits", func(t *testing.T) {
		p := newHouse(t).holder()
		p.post(p.token, p.path("/suspension"), map[string]any{}).want(http.StatusOK)
		p.engine.setDown(models.ServiceDown.New(""))
		key := []string{idempotencyKey, "again"}
		p.post(p.token, p.path("/re-enabling"), map[string]any{}, key...).problem(models.ServiceDown)
		p.engine.setDown(nil)
		p.post(p.token, p.path("/re-enabling"), map[string]any{}, key...).want(http.StatusOK)
		if a := p.post(p.token, p.path("/re-enabling"), map[string]any{}, key...).want(http.StatusOK); a.header.Get(replayed) != "true" {
			t.Error("the same call is performed twice")
		}
	})
}

// OPS-2: a call that was interrupted after the engine had performed it finds that done, and is no second command.
func TestInterruptedCommand(t *testing.T) {
	p := newHouse(t).holder()
	support, key := p.as(models.RoleSupport), []string{idempotencyKey, "interrupted"}
	forget := func() { // the server dies before it keeps its answer
		_, err := p.st.Pool().Exec(t.Context(), "update idempotency_keys set response_status = null, response_header = null, response_body = null, locked_until = $1 where key = 'interrupted'", p.now())
		storetest.Must(t, err)
	}
	p.post(support, p.path("/revocation"), confirmed, key...).want(http.StatusOK)
	forget()
	p.engine.done = map[string]bool{} // update ids do not outlive a run
	p.post(support, p.path("/revocation"), confirmed, key...).want(http.StatusOK)
	p.post(support, p.path("/revocation"), confirmed).problem(models.AlreadyRevoked)
	var asked int
	storetest.Must(t, p.st.Pool().QueryRow(t.Context(), "select count(*) from audit_events where kind = 'credential.revocation_requested'").Scan(&asked))
	if asked != 2 {
		t.Errorf("the trail has %d requests, want 2", asked)
	}
}
