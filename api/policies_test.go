package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"tokendesk/api/gen"
	"tokendesk/models"
	"tokendesk/models/store/storetest"
)

// The versions of the policy are shown, every number of them.
func TestPolicies(t *testing.T) {
	h := newHouse(t)
	next := models.DefaultPolicy()
	next.Version, next.Life.Reminders = 2, []int{45, 20, 5}
	storetest.Must(t, h.st.AddPolicy(t.Context(), next, h.now().AddDate(0, 1, 0)))
	list := read[gen.PolicyList](h.get(h.as(models.RoleAuditor), "/v1/policies").want(http.StatusOK)).Items
	if len(list) != 2 || list[0].Version != 2 || list[0].Current || !list[1].Current || !slices.Equal(list[0].Policy.Life.Reminders, next.Life.Reminders) {
		t.Errorf("policies %+v", list)
	}
	one := read[gen.PublishedPolicy](h.get(h.as(models.RoleBilling), "/v1/policies/1").want(http.StatusOK))
	if one.Policy.Life.SuspendBefore != 60 || one.Policy.Refund.SecondPersonAbove == 0 {
		t.Errorf("policy %+v", one)
	}
	h.get(h.as(models.RoleOperator), "/v1/policies/99").problem(models.NoSuchThing)
}

// preview is a streamed answer.
type preview struct {
	header  gen.WhatIfHeader
	changes []gen.WhatIfChange
	summary *gen.WhatIfSummary // nil: it was cut off
	failure *gen.WhatIfFailure
}

func (h *house) preview(a answer) (p preview) {
	h.t.Helper()
	a.want(http.StatusOK)
	scanner := bufio.NewScanner(bytes.NewReader(a.body))
	for scanner.Scan() {
		var kind struct{ Line string }
		storetest.Must(h.t, json.Unmarshal(scanner.Bytes(), &kind))
		var into any
		switch kind.Line {
		case "header":
			into = &p.header
		case "change":
			p.changes = append(p.changes, gen.WhatIfChange{})
			into = &p.changes[len(p.changes)-1]
		case "summary":
			into = &p.summary
		case "failure":
			into = &p.failure
		}
		storetest.Must(h.t, json.Unmarshal(scanner.Bytes(), into))
	}
	storetest.Must(h.t, scanner.Err())
	return p
}

// LIF-1, LIF-4: who would change state under another policy, and when. Nothing changes.
func TestWhatIf(t *testing.T) {
	h := newHouse(t)
	young, old := h.holder(), h.holder()
	e := old.credential.ExpiresAt
	_, err := h.st.Pool().Exec(t.Context(), "update credentials set purchased_at = purchased_at - interval '1 year', expires_at = expires_at - interval '8 months' where id = $1", old.credential.ID)
	storetest.Must(t, err)
	h.setClock(e.AddDate(0, 0, -10)) // the old one has expired seven months ago, the young one has not yet
	operator := h.as(models.RoleOperator)
	ask := func(change map[string]any) answer { return h.post(operator, "/v1/policies/1/what-if", change) }

	none := h.preview(ask(map[string]any{}))
	if none.summary == nil || none.summary.Credentials != 2 || none.summary.Changed != 0 || len(none.changes) != 0 || none.header.Version != 1 {
		t.Errorf("nothing changes: %+v", none)
	}
	p := h.preview(ask(map[string]any{"life": map[string]any{"grace_months": 6, "reminders": []int{20, 10}}}))
	if p.summary == nil || p.summary.Changed != 2 || p.summary.AtOnce != 1 || p.summary.RevokedEarlier != 2 || p.summary.SuspendedEarlier != 2 || p.failure != nil {
		t.Errorf("summary %+v", p.summary)
	}
	if l := p.header.Policy.Life; l.GraceMonths != 6 || l.SuspendBefore != 60 || !slices.Equal(l.Reminders, []int{20, 10}) {
		t.Errorf("the changed policy is %+v", l)
	}
	for _, c := range p.changes {
		want := [2]models.DisplayedStatus{models.ShownActive, models.ShownActive}
		if c.CredentialID == old.credential.ID {
			want = [2]models.DisplayedStatus{models.ShownExpired, models.ShownRevoked}
		}
		if got := [2]models.DisplayedStatus{c.Status, c.Then}; got != want || len(c.Changes) != 2 || !c.Changes[1].To.Before(c.Changes[1].From) {
			t.Errorf("%s: %+v", c.CredentialID, c)
		}
	}
	again := h.preview(ask(map[string]any{}))
	if again.summary.Changed != 0 || !slices.Equal(again.header.Policy.Life.Reminders, models.DefaultPolicy().Life.Reminders) {
		t.Errorf("the version itself was changed: %+v", again.header.Policy.Life)
	}
	young.at(h.now())
	young.shows(young.token, models.ShownActive, "resync", "suspend", "renew", "replace", "revoke")
}

// A policy that cannot be is refused, with a pointer at what is wrong; so is one that nobody knows.
func TestWhatIfRefuses(t *testing.T) {
	h := newHouse(t)
	operator := h.as(models.RoleOperator)
	for name, c := range map[string]struct {
		change  string
		problem *models.FaultType
		pointer string
	}{
		"an unknown member":                    {`{"life":{"grace_weeks":3}}`, models.InvalidRequest, "/life"},
		"an unknown part":                      {`{"lives":{}}`, models.InvalidRequest, ""},
		"negative days":                        {`{"life":{"notice_before":-1}}`, models.InvalidRequest, "/life/notice_before"},
		"half a day":                           {`{"life":{"notice_before":1.5}}`, models.InvalidRequest, "/life/notice_before"},
		"no reminders":                         {`{"life":{"reminders":[]}}`, models.InvalidRequest, "/life/reminders"},
		"a reminder on the day of revocation":  {`{"life":{"reminders":[15,0]}}`, models.PolicyInvalid, "/life/reminders/1"},
		"reminders out of order":               {`{"life":{"reminders":[3,15]}}`, models.PolicyInvalid, "/life/reminders/1"},
		"suspended before the end of the term": {`{"life":{"suspend_before":336}}`, models.PolicyInvalid, "/life/suspend_before"},
		"an unknown zone":                      {`{"zone":"Europe/Atlantis"}`, models.PolicyInvalid, "/zone"},
		"no time of day":                       {`{"close_of_business":"5pm"}`, models.PolicyInvalid, "/close_of_business"},
	} {
		t.Run(name, func(t *testing.T) {
			p := h.post(operator, "/v1/policies/1/what-if", []byte(c.change)).problem(c.problem)
			if len(p.Errors) != 1 || deref(p.Errors[0].Pointer) != c.pointer || p.Errors[0].Detail == "" {
				t.Errorf("errors %+v, want one at %q", p.Errors, c.pointer)
			}
		})
	}
	h.post(operator, "/v1/policies/99/what-if", map[string]any{}).problem(models.NoSuchThing)
}

// fragile is a connection that breaks after the first piece.
type fragile struct {
	*httptest.ResponseRecorder
	broken func()
}

func (f *fragile) Write(p []byte) (int, error) {
	f.broken()
	return 0, errors.New("the caller has gone")
}

// A caller who goes away ends the preview, and its connection to the database is given back; what was cut off says so by what is missing.
func TestWhatIfCallerGone(t *testing.T) {
	p := newHouse(t).holder()
	operator := p.as(models.RoleOperator)
	ctx, cancel := context.WithCancel(t.Context())
	w := &fragile{httptest.NewRecorder(), cancel}
	body := map[string]any{"life": map[string]any{"grace_months": 6}}
	p.handler.ServeHTTP(w, p.request(http.MethodPost, "/v1/policies/1/what-if", operator, body).WithContext(ctx))
	if n := p.st.Pool().Stat().AcquiredConns(); n != 0 {
		t.Errorf("%d connections are held", n)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	p.send(p.request(http.MethodPost, "/v1/policies/1/what-if", operator, body).WithContext(gone)).problem(models.ServiceDown)
}
