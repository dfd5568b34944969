package api

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"tokendesk/activities/gateway/sandbox"
	"tokendesk/api/gen"
	"tokendesk/models"
	"tokendesk/models/store/storetest"
)

// PRF-1, PRF-2, PRF-3, PRF-4, LIF-4: self-service with questions and pictures, from the terms to the token.
func TestSelfService(t *testing.T) {
	b := newBureau(t, storetest.Named("Ada", "", "Asked"))
	credential := read[gen.Credential](b.get(b.token, "/v1/credentials/"+b.c.CredentialID).want(http.StatusOK))
	if deref(credential.ProofingID) != b.c.ID || !slices.Contains(credential.AllowedActions, "proof") {
		t.Errorf("the credential says %+v", credential)
	}
	c := b.read()
	if c.Status != models.ProofingChoosing || len(c.Methods) != 2 || c.Terms == nil || !strings.Contains(c.Terms.Text, "soft inquiry") ||
		!slices.Equal(c.AllowedActions, []string{"choose_self_service", "choose_video"}) {
		t.Errorf("it begins as %+v", c)
	}
	if c = b.consent(); c.Status != models.ProofingSelfService || c.Terms != nil || !slices.Contains(c.AllowedActions, "give_identity") {
		t.Errorf("after the consent %+v", c)
	}
	if c = b.do("/self-service", identityData()); c.Session == nil || c.Session.Phase != models.SessionQuestions || !slices.Contains(c.AllowedActions, "answer_questions") {
		t.Fatalf("after the start %+v", c)
	}
	set := read[gen.QuestionSet](b.get(b.token, b.path("/self-service/questions")).want(http.StatusOK))
	if rule := models.DefaultPolicy().Proofing; len(set.Questions) < rule.QuestionsAtLeast || len(set.Questions[0].Options) < rule.QuestionOptions || !set.AnswerBy.After(b.now()) {
		t.Errorf("the questions are %+v", set)
	}
	if c = b.do("/self-service/questions", answers(set, true)); c.Session == nil || c.Session.Phase != models.SessionCapture {
		t.Fatalf("after the answers %+v", c)
	}
	b.do("/self-service/capture-link", map[string]any{"phone": planted.phone})
	if c = read[gen.Proofing](b.send(b.request(http.MethodPost, b.path("/self-service/check"), b.token, nil, idempotencyKey, "")).want(http.StatusOK)); c.Session == nil {
		t.Errorf("nothing was taken yet, and it is %+v", c)
	}
	b.photograph()
	c = b.check()
	if c.Status != models.ProofingDone || c.Session != nil || c.RegisterBy == nil || c.WaitingOn != gen.WaitingOnHolder {
		t.Fatalf("after the pictures %+v", c)
	}
	line := read[gen.Timeline](b.get(b.token, b.path("/timeline")).want(http.StatusOK))
	if line.Next == nil || line.Next.Name != models.RegistrationAhead || !strings.Contains(deref(line.IfNobodyActs), "proofing must be repeated") || len(line.Past) != 2 {
		t.Errorf("the timeline is %+v", line)
	}
	first, second := b.device.Pair(b.now())
	b.post(b.token, "/v1/credentials/"+b.c.CredentialID+"/hardware-tokens", registration(b.device.Serial, first.Reveal(), second.Reveal())).want(http.StatusCreated)
	credential = read[gen.Credential](b.get(b.token, "/v1/credentials/"+b.c.CredentialID).want(http.StatusOK))
	if c = b.read(); c.Status != models.ProofingCompleted || len(c.AllowedActions) != 0 || credential.Level != 3 || credential.Status != models.ShownActive {
		t.Errorf("in the end %+v, %+v", c, credential)
	}
}

// check says that the pictures are taken.
func (b *bureau) check() gen.Proofing {
	b.t.Helper()
	return read[gen.Proofing](b.send(b.request(http.MethodPost, b.path("/self-service/check"), b.token, nil, idempotencyKey, "")).want(http.StatusOK))
}

// PRF-4: where each test person comes to, without a word about why.
func TestOutcomes(t *testing.T) {
	for _, c := range []struct {
		name   string
		steps  func(b *bureau)
		status models.ProofingStatus
	}{
		{"Passes", (*bureau).photograph, models.ProofingDone},
		{"Needsssn", func(b *bureau) {
			if p := b.do("/self-service/ssn", map[string]any{"ssn": planted.ssn}); p.Session == nil || p.Session.Phase != models.SessionCapture {
				b.t.Fatalf("after nine digits %+v", p)
			}
			b.photograph()
		}, models.ProofingDone},
		{"Located", func(b *bureau) {
			for range models.DefaultPolicy().Proofing.QuestionAttempts {
				if p := b.read(); p.Session == nil || p.Session.Phase != models.SessionQuestions {
					return
				}
				set := read[gen.QuestionSet](b.get(b.token, b.path("/self-service/questions")).want(http.StatusOK))
				b.do("/self-service/questions", answers(set, false))
			}
		}, models.ProofingAwaitingCode},
		{"Unlocated", func(*bureau) {}, models.ProofingScheduling},
		{"Misnamed", (*bureau).photograph, models.ProofingScheduling},
		{"Unreadable", func(b *bureau) { b.photograph(); b.photograph() }, models.ProofingScheduling},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBureau(t, storetest.Named("Ada", "", c.name))
			b.started()
			c.steps(b)
			b.check()
			answer := b.get(b.token, b.path(""))
			if got := read[gen.Proofing](answer); got.Status != c.status || got.Session != nil {
				t.Errorf("it is %+v", got)
			}
			said := strings.ToLower(string(answer.body) + string(b.get(b.token, b.path("/timeline")).body) + string(b.get(b.token, "/v1/credentials/"+b.c.CredentialID+"/timeline").body))
			for _, outcome := range []string{"locat", "incorrect", "unreadable", "fail", "outcome", "not verified"} {
				if strings.Contains(said, outcome) {
					t.Errorf("it tells of %q: %s", outcome, said)
				}
			}
		})
	}
}

// PRF-2, PRF-4: a provider that fails for a moment is asked again; one that stays away costs nothing.
func TestProviderAway(t *testing.T) {
	b := newBureau(t)
	b.consent()
	b.disturb(sandbox.Order{Operation: "start", Effect: sandbox.Fail, Times: identityTries})
	p := b.post(b.token, b.path("/self-service"), identityData(), idempotencyKey, "same").problem(models.ProviderUnreachable)
	if !slices.Equal(p.AllowedActions, []string{"give_identity", "choose_video", "start_over"}) {
		t.Errorf("allowed are %v", p.AllowedActions)
	}
	b.disturb(sandbox.Order{Operation: "start", Effect: sandbox.Fail, Times: identityTries - 1})
	if c := read[gen.Proofing](b.post(b.token, b.path("/self-service"), identityData(), idempotencyKey, "same").want(http.StatusOK)); c.Session == nil || c.Session.Phase != models.SessionCapture {
		t.Errorf("in the end it is %+v", c)
	}
	b.disturb(sandbox.Order{Operation: "fetch", Effect: sandbox.Fail, Times: identityTries})
	b.send(b.request(http.MethodPost, b.path("/self-service/check"), b.token, nil, idempotencyKey, "")).problem(models.ProviderUnreachable)
	if c := b.do("/video", nil); c.Status != models.ProofingScheduling || c.Session != nil {
		t.Errorf("declined it is %+v", c)
	}
}

// PRF-2: steps that the session does not wait for are refused, with what it does wait for.
func TestStepsOutOfOrder(t *testing.T) {
	b := newBureau(t)
	b.consent()
	for step, body := range map[string]any{"/self-service/ssn": map[string]any{"ssn": planted.ssn}, "/self-service/capture-link": map[string]any{"phone": planted.phone},
		"/self-service/questions": map[string]any{"set_id": "1", "answers": []any{map[string]any{"question_id": "1", "option_id": "1"}}}} {
		if p := b.post(b.token, b.path(step), body).problem(models.StateForbids); !slices.Contains(p.AllowedActions, "give_identity") {
			t.Errorf("%s: allowed are %v", step, p.AllowedActions)
		}
	}
	b.do("/self-service", identityData())
	if p := b.post(b.token, b.path("/self-service/ssn"), map[string]any{"ssn": planted.ssn}).problem(models.StateForbids); !slices.Contains(p.AllowedActions, "resend_capture_link") {
		t.Errorf("allowed are %v", p.AllowedActions)
	}
	b.get(b.token, b.path("/self-service/questions")).problem(models.StateForbids)
	for range mostCaptureLinks {
		b.do("/self-service/capture-link", map[string]any{"phone": planted.phone})
	}
	b.post(b.token, b.path("/self-service/capture-link"), map[string]any{"phone": planted.phone}).problem(models.TooManyTries)
}

// PRF-2: answers that come too late use the set up; the next one may be answered.
func TestLateAnswers(t *testing.T) {
	b := newBureau(t, storetest.Named("Ada", "", "Asked"))
	b.started()
	set := read[gen.QuestionSet](b.get(b.token, b.path("/self-service/questions")).want(http.StatusOK))
	b.later(set.AnswerBy.Sub(b.now()) + time.Second)
	if p := b.post(b.token, b.path("/self-service/questions"), answers(set, true)).problem(models.QuestionsTooLate); !slices.Contains(p.AllowedActions, "answer_questions") {
		t.Errorf("allowed are %v", p.AllowedActions)
	}
	next := read[gen.QuestionSet](b.get(b.token, b.path("/self-service/questions")).want(http.StatusOK))
	if next.SetID == set.SetID {
		t.Error("the same set is asked again")
	}
	twice := answers(next, true)
	twice["answers"] = append(twice["answers"].([]any), twice["answers"].([]any)[0])
	b.post(b.token, b.path("/self-service/questions"), twice).problem(models.InvalidRequest)
	if c := b.do("/self-service/questions", answers(next, true)); c.Session == nil || c.Session.Phase != models.SessionCapture {
		t.Errorf("then it is %+v", c)
	}
}

// PRF-2: consent comes first, and what cannot be right is pointed at.
func TestSelfServiceRefused(t *testing.T) {
	b := newBureau(t)
	terms := models.DefaultPolicy().Proofing.TermsVersion
	b.post(b.token, b.path("/self-service"), identityData()).problem(models.ConsentMissing)
	for name, c := range map[string]struct {
		body    map[string]any
		pointer string
	}{
		"older terms": {map[string]any{"terms_version": "2019-07", "credit_inquiry": true}, "/terms_version"},
		"no inquiry":  {map[string]any{"terms_version": terms, "credit_inquiry": false}, "/credit_inquiry"},
	} {
		if p := b.post(b.token, b.path("/consent"), c.body).problem(models.ConsentMissing); len(p.Errors) != 1 || deref(p.Errors[0].Pointer) != c.pointer {
			t.Errorf("%s: %+v", name, p)
		}
	}
	b.consent()
	wrong := identityData()
	wrong["birth_date"], wrong["address"] = "1961-02-30", models.Address{Name: " ", Line1: " ", City: "Wenatchee", PostalCode: "98801", Country: "XX"}
	if p := b.post(b.token, b.path("/self-service"), wrong).problem(models.IdentityDataIncomplete); len(p.Errors) != 2 {
		t.Errorf("wrong are %+v", p.Errors)
	}
	b.post(b.token, b.path("/self-service/ssn"), map[string]any{"ssn": "000-12-3456"}).problem(models.IdentityDataIncomplete)
}

// PRF-1: abroad there is live video only.
func TestSelfServiceAbroad(t *testing.T) {
	abroad, terms := newBureau(t, storetest.From("DE")), models.DefaultPolicy().Proofing.TermsVersion
	if c := abroad.read(); !slices.Equal(c.Methods, []models.ProofingMethod{models.ByLiveVideo}) || c.Terms != nil || !slices.Equal(c.AllowedActions, []string{"choose_video"}) {
		t.Errorf("abroad it begins as %+v", c)
	}
	abroad.post(abroad.token, abroad.path("/consent"), map[string]any{"terms_version": terms, "credit_inquiry": true}).problem(models.MethodNotOffered)
	abroad.post(abroad.token, abroad.path("/self-service"), identityData()).problem(models.MethodNotOffered)
}

// PRF-2: a wrong name becomes a support case, and the choice is open again.
func TestWrongName(t *testing.T) {
	b := newBureau(t)
	b.started()
	if c := b.do("/start-over", map[string]any{"wrong_name": true}); c.Status != models.ProofingChoosing || c.Session != nil {
		t.Errorf("it is %+v", c)
	}
	cases := read[gen.SupportCasePage](b.get(b.as(models.RoleSupport), "/v1/support-cases").want(http.StatusOK))
	if !slices.ContainsFunc(cases.Items, func(c gen.SupportCase) bool { return c.SubjectRef == b.c.ID }) {
		t.Errorf("the cases are %+v", cases.Items)
	}
}

// PRF-1, SEC-1: a proofing is its person's; support may look, and nobody else knows that there is one.
func TestWhoseProofing(t *testing.T) {
	b := newBureau(t)
	b.office()
	b.booked(1)
	_, stranger := b.house.person()
	organizer := b.as(models.RoleOrgAdmin)
	for _, op := range b.specimens() {
		if !strings.HasPrefix(op.path, "/v1/proofing/cases/") {
			continue
		}
		for _, token := range []models.Secret{stranger, organizer} {
			r := b.specimenRequest(op, token)
			target := op.url(t, map[string]string{"proofing_id": b.c.ID})
			r.URL.Path, r.RequestURI = target, target
			b.send(r).problem(models.NoSuchThing)
		}
	}
	for _, token := range []models.Secret{stranger, organizer} {
		b.get(token, "/v1/credentials/"+b.c.CredentialID+"/proofing").problem(models.NoSuchThing)
		b.get(token, "/v1/proofing/slots?tz=UTC&proofing_id="+b.c.ID).problem(models.NoSuchThing)
	}
	support := b.as(models.RoleSupport)
	seen := read[gen.Proofing](b.get(support, b.path("")).want(http.StatusOK))
	if seen.Appointment == nil || seen.Appointment.Phone != nil || seen.Appointment.Email != nil || len(seen.AllowedActions) != 0 {
		t.Errorf("support sees %+v", seen)
	}
	list := read[gen.ProofingList](b.get(support, "/v1/credentials/"+b.c.CredentialID+"/proofing").want(http.StatusOK))
	if len(list.Items) != 1 || list.Items[0].ID != b.c.ID {
		t.Errorf("support lists %+v", list)
	}
	b.post(support, b.path("/video"), nil).problem(models.NotPermitted)
}

// PRF-5: what to have at hand is told before anybody logs in.
func TestProofingDocuments(t *testing.T) {
	h := newHouse(t)
	us := read[gen.ProofingDocuments](h.get("", "/v1/proofing/documents?country=US").want(http.StatusOK))
	selfService := slices.ContainsFunc(us.Documents, func(d gen.ProofingDocument) bool { return d.SelfService })
	if len(us.Methods) != 2 || !selfService || len(us.Devices) == 0 || len(us.SystemTest) == 0 || len(us.MustShow) == 0 {
		t.Errorf("in the US %+v", us)
	}
	abroad := read[gen.ProofingDocuments](h.get("", "/v1/proofing/documents?country=DE").want(http.StatusOK))
	if len(abroad.Methods) != 1 || len(abroad.Documents) == 0 || slices.ContainsFunc(abroad.Documents, func(d gen.ProofingDocument) bool { return d.SelfService }) {
		t.Errorf("abroad %+v", abroad)
	}
	if p := h.get("", "/v1/proofing/documents?country=XX").problem(models.InvalidRequest); len(p.Errors) != 1 || deref(p.Errors[0].Parameter) != "country" {
		t.Errorf("no country: %+v", p)
	}
}
