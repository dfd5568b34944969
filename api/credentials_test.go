package api

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"tokendesk/activities/gateway/mail/events"
	"tokendesk/activities/gateway/webhook"
	"tokendesk/api/gen"
	"tokendesk/models"
	"tokendesk/models/store/storetest"
)

// MGT-2: a locked token is resynchronized with a password only, and the very next code works; after too many wrong pairs support resets it.
func TestResync(t *testing.T) {
	p := newHouse(t).holder()
	app := p.as(models.RoleRelyingApp)
	verify := func(code models.Secret) models.VerificationResult {
		return read[gen.Verification](p.post(app, verificationPath, map[string]any{"serial": p.device.Serial, "code": code}).want(http.StatusOK)).Result
	}
	for range models.DefaultPolicy().OTP.LockAfter {
		verify("000000")
	}
	p.shows(p.token, models.ShownLocked, "resync", "suspend", "replace", "revoke")
	p.device.Next += 500
	p.resync("000000", "000000").problem(models.OTPIncorrect)
	first, second := p.device.Pair(p.now())
	bound := read[gen.Authenticator](p.resync(first, second).want(http.StatusOK))
	if bound.Status != models.AuthenticatorActive || verify(p.device.Press(p.now())) != models.Accepted {
		t.Errorf("resynced %+v", bound)
	}
	p.shows(p.token, models.ShownActive, "resync", "suspend", "replace", "revoke")

	for range models.DefaultPolicy().OTP.LockAfter {
		p.resync("000000", "000000").problem(models.OTPIncorrect)
	}
	first, second = p.device.Pair(p.now())
	if refused := p.resync(first, second).problem(models.TokenNeedsReset); slices.Contains(refused.AllowedActions, "resync") {
		t.Errorf("allowed are %v", refused.AllowedActions)
	}
	reset := p.path("/authenticators/" + bound.ID + "/reset")
	p.post(p.token, reset, map[string]any{"reason": "too_many_tries"}).problem(models.NotPermitted)
	p.post(p.as(models.RoleSupport), reset, map[string]any{"reason": "too_many_tries", "note": "the person read both codes out"}).want(http.StatusNoContent)
	p.resync(p.device.Pair(p.now())).want(http.StatusOK)

	_, stranger := p.person()
	p.post(stranger, p.path("/authenticators/"+bound.ID+"/resync"), map[string]any{"first_code": "123456", "second_code": "654321"}).problem(models.NoSuchThing)
	p.post(p.token, p.path("/authenticators/au_0unknown/resync"), map[string]any{"first_code": "123456", "second_code": "654321"}).problem(models.NoSuchThing)
}

// LIF-3: the mails of a credential are shown with the evidence of their delivery, which the mail provider reports under its signature.
func TestNoticesOfCredential(t *testing.T) {
	p := newHouse(t).holder()
	p.post(p.token, p.path("/suspension"), map[string]any{}).want(http.StatusOK)
	page := read[gen.NoticePage](p.get(p.token, p.path("/notices?limit=1")).want(http.StatusOK))
	if len(page.Items) != 1 || page.NextCursor == nil {
		t.Fatalf("the first page is %+v", page)
	}
	suspended := func(token models.Secret) gen.Notice {
		all := read[gen.NoticePage](p.get(token, p.path("/notices")).want(http.StatusOK)).Items
		i := slices.IndexFunc(all, func(n gen.Notice) bool { return n.Kind == string(models.NoticeSuspended) })
		if i < 0 {
			t.Fatalf("there is no such mail among %+v", all)
		}
		return all[i]
	}
	last := suspended(p.token)
	if last.Status != models.NoticePending {
		t.Fatalf("the mail is %+v", last)
	}
	storetest.Must(t, p.st.NoticeSent(t.Context(), last.ID, p.now()))
	event := models.MailEvent{ID: "ev_1", MessageID: last.ID + "@tokendesk", Kind: models.MailBounced, Code: "5.1.1", OccurredAt: p.now()}
	p.mailSays(event, p.now().Add(-time.Hour)).problem(models.SignatureWrong)
	for range 2 { // repeated
		p.mailSays(event, p.now()).want(http.StatusNoContent)
	}
	event.ID, event.MessageID = "ev_2", "unknown@elsewhere"
	p.mailSays(event, p.now()).want(http.StatusNoContent)
	if last := suspended(p.as(models.RoleAuditor)); last.Status != models.NoticeBounced || last.BouncedAt == nil || deref(last.Code) != "5.1.1" {
		t.Errorf("the mail is %+v", last)
	}
}

// LIF-4: the timeline of a credential says everything that is ahead, from whom it waits, and what happens if nobody acts.
func TestCredentialTimeline(t *testing.T) {
	p := newHouse(t).holder()
	names := func(milestones []models.Milestone) (out []models.MilestoneName) {
		for _, m := range milestones {
			out = append(out, m.Name)
		}
		return out
	}
	ahead := []models.MilestoneName{models.ExpiryNotice, models.CredentialExpires, models.TermSuspended, models.RevocationReminder,
		models.RevocationReminder, models.LastInvoice, models.RevocationReminder, models.LastRenewal, models.CredentialRevokes}
	line := read[gen.Timeline](p.get(p.token, p.path("/timeline")).want(http.StatusOK))
	if !slices.Equal(names(line.Milestones), ahead) || line.WaitingOn != gen.WaitingOnTime || !strings.Contains(*line.IfNobodyActs, "revoked, for good") ||
		line.Next.Name != models.ExpiryNotice || !slices.Equal(names(line.Past), []models.MilestoneName{"purchased", "registered"}) {
		t.Errorf("timeline %+v", line)
	}
	p.at(p.credential.ExpiresAt.AddDate(1, 0, -50))
	_, err := p.st.AdvanceCredential(t.Context(), p.credential.ID, p.now())
	storetest.Must(t, err)
	line = read[gen.Timeline](p.get(p.token, p.path("/timeline")).want(http.StatusOK))
	if line.Status != string(models.ShownSuspended) || line.WaitingOn != gen.WaitingOnHolder || !slices.Equal(names(line.Milestones), ahead[3:]) ||
		!slices.Equal(line.AllowedActions, []string{"suspend", "renew", "revoke"}) {
		t.Errorf("timeline %+v", line)
	}
}

// mailSays is a report of the mail provider, signed at a moment.
func (h *house) mailSays(e models.MailEvent, at time.Time) answer {
	h.t.Helper()
	body, err := events.Encode(e)
	storetest.Must(h.t, err)
	return h.post("", "/v1/webhooks/mail", body, events.SignatureHeader, webhook.Sign([]models.Secret{webhookSecret}, body, at))
}
