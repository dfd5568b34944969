package api

import (
	"encoding/base32"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"tokendesk/api/gen"
	"tokendesk/models"
	"tokendesk/models/store/storetest"
)

var grace = map[string]any{"name": "Grace Hopper", "email": "grace@agents.example", "time_zone": "Europe/Berlin", "daily_capacity": 8, "may_review": true}

func with(base map[string]any, name string, value any) map[string]any {
	changed := map[string]any{name: value}
	for n, v := range base {
		if n != name {
			changed[n] = v
		}
	}
	return changed
}

// PRF-5, PRF-8: staff add an agent, give it hours and a second factor, change it, and end its work.
func TestAgentAdministration(t *testing.T) {
	h := newHouse(t)
	operator, support := h.as(models.RoleOperator), h.as(models.RoleSupport)
	created := read[gen.Agent](h.post(operator, "/v1/agents", grace).want(http.StatusCreated))
	path := "/v1/agents/" + created.ID
	if created.Enrolled || created.DailyCapacity != 8 || !created.MayReview {
		t.Errorf("created %+v", created)
	}
	h.post(support, "/v1/agents", grace).problem(models.NotPermitted)
	h.post(operator, "/v1/agents", with(grace, "time_zone", "Mars/Olympus")).problem(models.ZoneUnknown)

	shown := h.get(support, path).want(http.StatusOK)
	put := func(body any, tag string) answer {
		return h.send(h.request(http.MethodPut, path, operator, body, ifMatch, tag))
	}
	h.setClock(h.now().Add(time.Second))
	put(with(grace, "daily_capacity", 3), `"0"`).problem(models.PreconditionFailed)
	if got := read[gen.Agent](put(with(grace, "daily_capacity", 3), shown.header.Get("Etag")).want(http.StatusOK)); got.DailyCapacity != 3 {
		t.Errorf("changed to %+v", got)
	}
	put(grace, shown.header.Get("Etag")).problem(models.PreconditionFailed)

	factor := read[gen.AgentSecondFactor](h.post(operator, path+"/second-factor", map[string]any{"reason": "a new agent"}, idempotencyKey, "f").want(http.StatusCreated))
	uri, err := url.Parse(deref(factor.OtpauthURI))
	storetest.Must(t, err)
	secret, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(uri.Query().Get("secret"))
	if err != nil || len(secret) != 20 || uri.Scheme != "otpauth" || uri.Host != "totp" || uri.Query().Get("digits") != "6" || uri.Query().Get("period") != "30" {
		t.Errorf("the second factor is %v: %v", uri, err)
	}
	again := h.post(operator, path+"/second-factor", map[string]any{"reason": "a new agent"}, idempotencyKey, "f").want(http.StatusCreated)
	if strings.Contains(string(again.body), "otpauth://") {
		t.Error("the second factor is shown twice")
	}
	if got := read[gen.AgentPage](h.get(support, "/v1/agents").want(http.StatusOK)); len(got.Items) != 1 || !got.Items[0].Enrolled {
		t.Errorf("the agents are %+v", got)
	}

	retired := h.post(operator, path+"/retirement", map[string]any{"reason": "left the company"}).want(http.StatusOK)
	if got := read[gen.DisplacedAppointments](retired); got != (gen.DisplacedAppointments{}) {
		t.Errorf("became of it: %+v", got)
	}
	h.post(operator, path+"/second-factor", map[string]any{"reason": "come back"}).problem(models.NoSuchThing)
	if got := read[gen.AgentDetails](h.get(support, path).want(http.StatusOK)); got.Agent.RetiredAt == nil {
		t.Error("the agent has not retired")
	}
}

// PRF-5: hours are cron expressions on the agent's wall clock; what is wrong with them is named, and when they begin is shown.
func TestAgentHours(t *testing.T) {
	h := newHouse(t)
	support := h.as(models.RoleSupport)
	a := storetest.Agent(t, h.st, "Europe/Berlin", nil)
	path := "/v1/agents/" + a.ID + "/hours"
	set := func(windows ...any) answer {
		return h.send(h.request(http.MethodPut, path, support, map[string]any{"windows": windows}))
	}
	window := func(expression string) map[string]any {
		return map[string]any{"expression": expression, "minutes": 240}
	}
	got := read[gen.AgentHoursPreview](set(window("0 9 * * 1-5"), window("30 14 * * 2")).want(http.StatusOK))
	if len(got.Items) != 2 || len(got.Items[0].Next) != previewed || !got.Items[0].Next[0].Equal(time.Date(2026, 11, 3, 8, 0, 0, 0, time.UTC)) {
		t.Errorf("the hours are %+v", got)
	}
	p := set(window("0 9 * * 1-5"), window("0 25 * * *"), window("0 0 9 * * 1-5")).problem(models.InvalidRequest)
	if len(p.Errors) != 2 || deref(p.Errors[0].Pointer) != "/windows/1/expression" || deref(p.Errors[1].Pointer) != "/windows/2/expression" {
		t.Errorf("the problem points at %+v", p.Errors)
	}
	preview := map[string]any{"time_zone": "Asia/Tokyo", "windows": []any{window("0 9 * * 1-5")}}
	shown := read[gen.AgentHoursPreview](h.post(support, "/v1/agent-hours/preview", preview).want(http.StatusOK))
	if !shown.Items[0].Next[0].Equal(time.Date(2026, 11, 3, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("the preview is %+v", shown)
	}
	h.post(support, "/v1/agent-hours/preview", with(preview, "time_zone", "Mars/Olympus")).problem(models.ZoneUnknown)
	if got := read[gen.AgentDetails](h.get(support, "/v1/agents/"+a.ID).want(http.StatusOK)); len(got.Windows) != 2 {
		t.Errorf("kept are %+v", got.Windows)
	}
	h.send(h.request(http.MethodPut, "/v1/agents/ag_unknown/hours", support, map[string]any{"windows": []any{}})).problem(models.NoSuchThing)
}

// PRF-6: an exception that closes time tells what became of the appointments in it, and can be taken back.
func TestAgentExceptions(t *testing.T) {
	h := newHouse(t)
	support := h.as(models.RoleSupport)
	session := storetest.LiveSessionOf(t, h.st, h.ring, storetest.Account(t, h.st))
	other := storetest.Agent(t, h.st, "America/New_York", storetest.Hours(8*60, "0 9 * * 1-5"))
	path := "/v1/agents/" + session.Agent.ID + "/exceptions"
	h.post(support, path, map[string]any{"kind": "holiday"}).problem(models.InvalidRequest)
	made := h.post(support, path, map[string]any{"kind": "holiday", "day": "2026-11-03"}).want(http.StatusCreated)
	if got := read[gen.DisplacedAppointments](made); got != (gen.DisplacedAppointments{Moved: 1}) {
		t.Errorf("became of it: %+v", got)
	}
	a, err := h.st.Appointment(t.Context(), session.ID)
	if err != nil || a.AgentID != other.ID {
		t.Errorf("the appointment went to %s: %v", a.AgentID, err)
	}
	details := read[gen.AgentDetails](h.get(support, "/v1/agents/"+session.Agent.ID).want(http.StatusOK))
	if len(details.Exceptions) != 1 || deref(details.Exceptions[0].Day) != "2026-11-03" {
		t.Errorf("exceptions are %+v", details.Exceptions)
	}
	h.send(h.request(http.MethodDelete, made.header.Get("Location"), support, nil)).want(http.StatusNoContent)
	h.send(h.request(http.MethodDelete, made.header.Get("Location"), support, nil)).problem(models.NoSuchThing)
}
