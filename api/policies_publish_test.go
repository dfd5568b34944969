package api

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"tokendesk/api/gen"
	"tokendesk/models"
	"tokendesk/models/store/storetest"
)

const policiesPath = "/v1/policies"

func newPolicy(base int, change any) map[string]any {
	return map[string]any{"base_version": base, "reason": "reminders come earlier", "change": change}
}

var earlier = map[string]any{"life": map[string]any{"reminders": []int{45, 20, 5}}}

// boughtUnder is the version of the policy of what is bought now.
func (h *house) boughtUnder() (version int) {
	h.t.Helper()
	buyer, _ := h.person(storetest.WithRoles(models.RoleSubscriber))
	o := read[gen.Order](h.post(h.login(buyer), "/v1/orders", newOrderBody()).want(http.StatusCreated))
	storetest.Must(h.t, h.st.Pool().QueryRow(h.t.Context(), "select policy_version from orders where number = $1", o.Number).Scan(&version))
	return version
}

// LIF-1: what is bought from now on is bought under a version that is published; a credential that exists keeps its own.
func TestPublishPolicy(t *testing.T) {
	h := newHouse(t)
	p := h.holder()
	a := h.post(h.as(models.RoleOperator), policiesPath, newPolicy(1, earlier)).want(http.StatusCreated)
	v := read[gen.PublishedPolicy](a)
	if a.header.Get("Location") != "/v1/policies/2" || v.Version != 2 || !v.Current || !v.EffectiveAt.Equal(h.now()) || deref(v.BaseVersion) != 1 ||
		deref(v.Reason) != "reminders come earlier" || deref(v.AddedBy) == "" || v.AddedAt == nil {
		t.Errorf("published %+v at %q", v, a.header.Get("Location"))
	}
	want := models.DefaultPolicy()
	want.Life.Reminders = []int{45, 20, 5}
	if !slices.Equal(v.Policy.Life.Reminders, want.Life.Reminders) || v.Policy.Life.GraceMonths != want.Life.GraceMonths || v.Policy.OTP != want.OTP {
		t.Errorf("the policy is %+v", v.Policy)
	}
	if got := read[gen.PublishedPolicy](h.get(h.as(models.RoleAuditor), "/v1/policies/1").want(http.StatusOK)); got.Current || got.BaseVersion != nil ||
		!slices.Equal(got.Policy.Life.Reminders, models.DefaultPolicy().Life.Reminders) {
		t.Errorf("version 1 is %+v", got)
	}
	if got := h.boughtUnder(); got != 2 {
		t.Errorf("bought under version %d", got)
	}
	if c, _, err := h.st.Credential(t.Context(), p.credential.ID); err != nil || c.PolicyVersion != 1 {
		t.Errorf("the credential is under version %d, %v", c.PolicyVersion, err)
	}
	var who, why string
	storetest.Must(t, h.st.Pool().QueryRow(t.Context(), "select actor, detail->>'reason' from audit_events where kind = 'policy.published' and subject_ref = 'policy/2'").Scan(&who, &why))
	if who != deref(v.AddedBy) || why != "reminders come earlier" {
		t.Errorf("audited: %q, %q", who, why)
	}
}

// A call under the same key publishes once.
func TestPublishPolicyOnce(t *testing.T) {
	h := newHouse(t)
	operator := h.as(models.RoleOperator)
	for range 2 {
		h.post(operator, policiesPath, newPolicy(1, earlier), idempotencyKey, "one").want(http.StatusCreated)
	}
	if list := read[gen.PolicyList](h.get(operator, policiesPath).want(http.StatusOK)).Items; len(list) != 2 {
		t.Errorf("%d versions", len(list))
	}
}

// A version may be announced: it takes effect at its moment, and those after it not before.
func TestPublishPolicyAhead(t *testing.T) {
	h := newHouse(t)
	operator := h.as(models.RoleOperator)
	ahead := func(base int, at time.Time) answer {
		body := newPolicy(base, earlier)
		body["effective_at"] = at
		return h.post(operator, policiesPath, body)
	}
	start := h.now().AddDate(0, 1, 0)
	if v := read[gen.PublishedPolicy](ahead(1, start).want(http.StatusCreated)); v.Current || !v.EffectiveAt.Equal(start) {
		t.Errorf("published %+v", v)
	}
	for name, at := range map[string]time.Time{"that has passed": h.now().Add(-time.Second), "before its base": start.Add(-time.Second)} {
		if p := ahead(2, at).problem(models.InvalidRequest); len(p.Errors) != 1 || deref(p.Errors[0].Pointer) != "/effective_at" {
			t.Errorf("a moment %s: %+v", name, p.Errors)
		}
	}
	h.post(operator, policiesPath, newPolicy(2, earlier)).problem(models.InvalidRequest)
	if got := h.boughtUnder(); got != 1 {
		t.Errorf("before its moment something is bought under version %d", got)
	}
	h.setClock(start)
	if got := h.boughtUnder(); got != 2 {
		t.Errorf("at its moment something is bought under version %d", got)
	}
}

// What cannot be is refused, with everything that is wrong with it; so is what was made of a version that is not the newest.
func TestPublishPolicyRefuses(t *testing.T) {
	h := newHouse(t)
	operator := h.as(models.RoleOperator)
	h.post(operator, policiesPath, newPolicy(1, earlier)).want(http.StatusCreated)
	wrong := map[string]any{"zone": "Europe/Atlantis", "life": map[string]any{"reminders": []int{3, 15}, "last_renewal_before": 9}, "otp": map[string]any{"lock_after": 101}}
	for name, c := range map[string]struct {
		body     map[string]any
		problem  *models.FaultType
		pointers []string
	}{
		"a policy that cannot be": {newPolicy(2, wrong), models.PolicyInvalid,
			[]string{"/change/life/last_renewal_before", "/change/life/reminders/1", "/change/otp/lock_after", "/change/zone"}},
		"one fault":              {newPolicy(2, map[string]any{"zone": "Local"}), models.PolicyInvalid, []string{"/change/zone"}},
		"an older base":          {newPolicy(1, earlier), models.EditConflict, []string{"/base_version"}},
		"a base that is unknown": {newPolicy(7, earlier), models.ReferenceUnknown, []string{"/base_version"}},
		"no reason":              {map[string]any{"base_version": 2, "reason": " ", "change": earlier}, models.InvalidRequest, []string{"/reason"}},
		"an unknown member":      {newPolicy(2, map[string]any{"lives": 9}), models.InvalidRequest, []string{"/change"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := h.post(operator, policiesPath, c.body).problem(c.problem)
			var got []string
			for _, e := range p.Errors {
				got = append(got, deref(e.Pointer))
			}
			if !slices.Equal(got, c.pointers) {
				t.Errorf("%v, want %v", got, c.pointers)
			}
		})
	}
	if list := read[gen.PolicyList](h.get(operator, policiesPath).want(http.StatusOK)).Items; len(list) != 2 {
		t.Errorf("%d versions", len(list))
	}
}

// held is a caller who takes the first piece of an answer when it is told to.
type held struct {
	*httptest.ResponseRecorder
	begun chan struct{}
	goOn  chan struct{}
}

func (w *held) Write(p []byte) (int, error) {
	w.begun <- struct{}{}
	<-w.goOn
	return w.ResponseRecorder.Write(p)
}

// Only so many previews run at once in a process; another one is told to wait, and is served when one is done.
func TestPreviewsAtOnce(t *testing.T) {
	h := newHouse(t)
	operator := h.as(models.RoleOperator)
	const path = "/v1/policies/1/what-if"
	begun, goOn, done := make(chan struct{}), make(chan struct{}), make(chan int)
	for range maxPreviews {
		slow := &held{httptest.NewRecorder(), begun, goOn}
		r := h.request(http.MethodPost, path, operator, map[string]any{})
		go func() { h.handler.ServeHTTP(slow, r); done <- slow.Code }()
	}
	for range maxPreviews {
		<-begun
	}
	a := h.post(operator, path, map[string]any{})
	a.problem(models.PreviewsBusy)
	if got := a.header.Get("Retry-After"); got != fmt.Sprint(previewPatience.Seconds()) {
		t.Errorf("Retry-After is %q", got)
	}
	close(goOn)
	for range maxPreviews {
		if code := <-done; code != http.StatusOK {
			t.Errorf("a preview was answered with %d", code)
		}
	}
	h.preview(h.post(operator, path, map[string]any{}))
}
