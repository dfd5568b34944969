package api

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"tokendesk/api/gen"
	"tokendesk/models"
	"tokendesk/models/store/storetest"
)

// PRF-7: no operation of the agents has a member that could take or carry an image, a recording or a transcript: every text is bounded, and short, and none is data.
func TestNoRoomForAnImage(t *testing.T) {
	h := readSpecification(t)
	for _, op := range h.agentSpecimens() {
		schemas := map[string]*openapi3.SchemaRef{}
		if op.RequestBody != nil {
			for media, content := range op.RequestBody.Value.Content {
				if media != mediaJSON {
					t.Errorf("%s takes %s", op.OperationID, media)
				}
				schemas["request"] = content.Schema
				if room := roomOf(t, op.OperationID, content.Schema.Value); room > 4<<10 {
					t.Errorf("%s has room for %d characters", op.OperationID, room)
				}
			}
		}
		for status, response := range op.Responses.Map() {
			for media, content := range response.Value.Content {
				if media != mediaProblem {
					schemas[status] = content.Schema
				}
			}
		}
		for where, schema := range schemas {
			roomOf(t, op.OperationID+" "+where, schema.Value)
		}
		if loaded, err := loadOperations(); err != nil || loaded.find(op.method, ginPath(op.path)).maxBody > 16<<10 {
			t.Errorf("%s takes a body of any size: %v", op.OperationID, err)
		}
	}
}

// roomOf is how many characters a value of a schema may hold, in all its texts together.
func roomOf(t *testing.T, where string, s *openapi3.Schema) (room uint64) {
	t.Helper()
	if s.Format == "byte" || s.Format == "binary" || s.Extensions["contentEncoding"] != nil || s.Extensions["contentMediaType"] != nil || s.ContentEncoding != "" || s.ContentMediaType != "" {
		t.Errorf("%s takes data", where)
	}
	switch {
	case s.Type.Is(openapi3.TypeObject):
		if s.AdditionalProperties.Has == nil || *s.AdditionalProperties.Has {
			t.Errorf("%s takes any member", where)
		}
		for name, member := range s.Properties {
			for _, word := range []string{"image", "photo", "picture", "scan", "video", "recording", "transcript", "file", "data", "attachment", "selfie"} {
				if strings.Contains(name, word) {
					t.Errorf("%s: %s sounds like what nobody keeps", where, name)
				}
			}
			room += roomOf(t, where+"/"+name, member.Value)
		}
	case s.Type.Is(openapi3.TypeArray):
		if s.MaxItems == nil {
			t.Errorf("%s has no bound", where)
			return 0
		}
		room = *s.MaxItems * roomOf(t, where+"/*", s.Items.Value)
	case s.Type.Is(openapi3.TypeString):
		if len(s.Enum) > 0 {
			return 0
		}
		switch {
		case s.Pattern == `^[A-Z]{2}$`: // a country
			return 2
		case s.MaxLength == nil:
			t.Errorf("%s has no bound", where)
			return 0
		}
		room = *s.MaxLength
	case s.Type.Is(openapi3.TypeInteger), s.Type.Is(openapi3.TypeBoolean):
	default:
		t.Errorf("%s takes anything", where)
	}
	return room
}

// PRF-7, PRF-9: an agent's day, from the list to the code, which is shown once.
func TestAgentsDay(t *testing.T) {
	d := newDesk(t)
	a, session := d.sessionOf()
	day := read[gen.AgentDay](a.get("/v1/agent/appointments").want(http.StatusOK))
	if len(day.Items) != 1 || day.Items[0].ID != session.ID || day.Items[0].LegalName != "Ada Lovelace" || day.Day != "2026-11-03" || day.TimeZone != "America/New_York" {
		t.Errorf("the day is %+v", day)
	}
	if other := read[gen.AgentDay](a.get("/v1/agent/appointments?day=2026-11-04").want(http.StatusOK)); len(other.Items) != 0 {
		t.Errorf("another day has %d", len(other.Items))
	}
	a.get("/v1/agent/appointments?day=2026-02-30").problem(models.InvalidRequest)

	view := read[gen.AgentAppointment](a.get("/v1/agent/appointments/" + session.ID).want(http.StatusOK))
	if deref(view.Phone) != session.Phone || deref(view.Email) != session.Email || view.Country != "US" || len(view.Checklist.Questions) == 0 || len(view.Documents.Items) == 0 {
		t.Errorf("the appointment is %+v", view)
	}
	recorded := a.post(outcomePath(session), passBody(session), idempotencyKey, "once").want(http.StatusCreated)
	out := read[gen.RecordedOutcome](recorded)
	if out.Status != models.AppointmentPassed || deref(out.ActivationCode) == "" || out.CodeExpiresAt == nil || deref(out.ReviewWanted) {
		t.Errorf("recorded %+v", out)
	}
	again := a.post(outcomePath(session), passBody(session), idempotencyKey, "once").want(http.StatusCreated)
	if code := deref(read[gen.RecordedOutcome](again).ActivationCode); again.header.Get(replayed) != "true" || code != redacted {
		t.Errorf("the same call again tells %q", code)
	}
	a.post(outcomePath(session), passBody(session)).problem(models.StateForbids)
	after := read[gen.AgentAppointment](a.get("/v1/agent/appointments/" + session.ID).want(http.StatusOK))
	if after.Phone != nil || after.Email != nil || after.Status != models.AppointmentPassed {
		t.Errorf("afterwards the appointment shows %+v", after)
	}
}

// SEC-5: what was read from the document, and the code, are in no log, no problem document and no stored answer.
func TestOutcomeLeavesNothing(t *testing.T) {
	d := newDesk(t)
	a, session := d.sessionOf()
	wrong := passBody(session)
	pass := wrong["pass"].(map[string]any)
	pass["document_number"], pass["legal_name"] = "planted number", "Planted Name"
	refused := a.post(outcomePath(session), wrong).want(http.StatusUnprocessableEntity)
	if strings.Contains(string(refused.body), "lanted") {
		t.Errorf("the refusal tells what was sent: %s", refused.body)
	}
	pass["document_number"] = strings.Repeat("planted ", 6) // too long for the specification
	malformed := a.post(outcomePath(session), wrong).problem(models.InvalidRequest)
	if strings.Contains(deref(malformed.Detail), "lanted") || strings.Contains(malformed.Errors[0].Detail, "lanted") {
		t.Errorf("the refusal tells what was sent: %+v", malformed)
	}
	code := deref(read[gen.RecordedOutcome](a.post(outcomePath(session), passBody(session)).want(http.StatusCreated)).ActivationCode)
	var stored []byte
	storetest.Must(t, d.st.Pool().QueryRow(t.Context(), "select string_agg(k::text, ' ')::bytea from idempotency_keys k").Scan(&stored))
	for _, text := range []string{"lanted", code, storetest.DocumentNumber.Reveal(), storetest.DocumentName.Reveal(), a.token.Reveal()} {
		if bytes.Contains(stored, []byte(text)) || strings.Contains(d.log.String(), text) {
			t.Error("a stored answer or the log has what nobody may see")
		}
	}
	if len(stored) == 0 {
		t.Error("no answer is stored: nothing was searched")
	}
}

// PRF-7, PRF-8: bad input, each its own clear answer.
func TestOutcomeProblems(t *testing.T) {
	d := newDesk(t)
	a, session := d.sessionOf()
	other := d.enter(storetest.Agent(t, d.st, "Europe/Berlin", nil))
	other.get("/v1/agent/appointments/" + session.ID).problem(models.NoSuchThing)
	other.post(outcomePath(session), passBody(session)).problem(models.NotTheAssignedAgent)
	for name, c := range map[string]struct {
		change func(body, pass map[string]any)
		want   *models.FaultType
		at     string
	}{
		"an expired document":       {func(_, p map[string]any) { p["document_expiry"] = "2026-11-02" }, models.DocumentExpired, "/pass/document_expiry"},
		"a type that is no type":    {func(_, p map[string]any) { p["document_type"] = "library_card" }, models.InvalidRequest, "/pass/document_type"},
		"a type of another country": {func(_, p map[string]any) { p["document_type"] = "national_id" }, models.DocumentNotAccepted, "/pass/document_type"},
		"a no":                      {func(_, p map[string]any) { answersOf(p)[0].(map[string]any)["yes"] = false }, models.ChecklistIncomplete, "/pass/checklist/answers"},
		"an answer twice": {func(_, p map[string]any) {
			p["checklist"].(map[string]any)["answers"] = append(answersOf(p), answersOf(p)[0])
		}, models.InvalidRequest, "/pass/checklist/answers"},
		"a close name":       {func(_, p map[string]any) { p["legal_name"] = "Ada King Lovelace" }, models.NameNeedsDecision, "/pass/name_confirmed"},
		"a different name":   {func(_, p map[string]any) { p["legal_name"] = "Grace Hopper" }, models.NameDiffers, "/pass/legal_name"},
		"a fail with a pass": {func(b, _ map[string]any) { b["outcome"] = "fail" }, models.InvalidRequest, "/outcome"},
		"a pass without one": {func(b, _ map[string]any) { delete(b, "pass") }, models.InvalidRequest, "/outcome"},
		"an image":           {func(_, p map[string]any) { p["image"] = "iVBORw0KGgo=" }, models.InvalidRequest, ""},
	} {
		t.Run(name, func(t *testing.T) {
			body := passBody(session)
			c.change(body, body["pass"].(map[string]any))
			p := a.post(outcomePath(session), body).problem(c.want)
			if len(p.Errors) != 1 || c.at != "" && deref(p.Errors[0].Pointer) != c.at {
				t.Errorf("it points at %+v, want %s", p.Errors, c.at)
			}
		})
	}
	large := passBody(session)
	large["instructions"] = strings.Repeat("x", 20<<10)
	a.post(outcomePath(session), large).problem(models.RequestTooLarge)
}

func answersOf(pass map[string]any) []any {
	return pass["checklist"].(map[string]any)["answers"].([]any)
}

// PRF-8: an outcome is recorded while the engine is down.
func TestOutcomeWithoutEngine(t *testing.T) {
	d := newDesk(t)
	a, session := d.sessionOf()
	d.engine.setDown(models.ServiceDown.New(""))
	a.post(outcomePath(session), map[string]any{"outcome": "no_show"}).want(http.StatusCreated)
}

// PRF-8: a second person sees both names and decides; the first one may not.
func TestReviewThroughAPI(t *testing.T) {
	d := newDesk(t)
	a, session := d.sessionOf()
	body := passBody(session)
	body["pass"].(map[string]any)["legal_name"], body["pass"].(map[string]any)["name_confirmed"] = "Ada King Lovelace", true
	if out := read[gen.RecordedOutcome](a.post(outcomePath(session), body).want(http.StatusCreated)); !deref(out.ReviewWanted) {
		t.Fatalf("recorded %+v", out)
	}
	a.get("/v1/agent/reviews").problem(models.NotPermitted)
	second := d.enter(storetest.Reviewer(t, d.st))
	page := read[gen.AgentReviewPage](second.get("/v1/agent/reviews").want(http.StatusOK))
	if len(page.Items) != 1 {
		t.Fatalf("waiting are %+v", page)
	}
	path := "/v1/agent/reviews/" + page.Items[0].ID
	view := read[gen.AgentReview](second.get(path).want(http.StatusOK))
	if view.AccountName != "Ada Lovelace" || view.DisplayedName != "Ada King Lovelace" || len(view.NameReasons) == 0 || len(view.Checklist.Answers) == 0 || deref(view.DocumentExpiry) != "2031-05-06" {
		t.Errorf("the review shows %+v", view)
	}
	if text := string(second.get(path).body); strings.Contains(text, storetest.DocumentNumber.Reveal()) {
		t.Error("the review shows the number")
	}
	second.post(path, map[string]any{"confirm": false}).problem(models.InvalidRequest)
	second.post(path, map[string]any{"confirm": true}).want(http.StatusNoContent)
	second.post(path, map[string]any{"confirm": true}).problem(models.StateForbids)
}

// PRF-6: an agent who is absent gives the appointments of that time away.
func TestAbsence(t *testing.T) {
	d := newDesk(t)
	session := storetest.LiveSessionOf(t, d.st, d.ring, storetest.Account(t, d.st))
	a := d.enter(session.Agent)
	a.post(outcomePath(session), passBody(session)).problem(models.TooEarlyForOutcome)
	a.post("/v1/agent/absences", map[string]any{"from": session.EndsAt, "to": session.StartsAt}).problem(models.InvalidRequest)
	absence := map[string]any{"from": session.StartsAt, "to": session.EndsAt}
	for range 2 { // the second is the first one's stored answer
		if got := read[gen.DisplacedAppointments](a.post("/v1/agent/absences", absence, idempotencyKey, "k").want(http.StatusOK)); got != (gen.DisplacedAppointments{Unstaffed: 1}) {
			t.Errorf("became of it: %+v", got)
		}
	}
	a.post(outcomePath(session), passBody(session)).problem(models.StateForbids)
}
