package api

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"tokendesk/api/gen"
	"tokendesk/models"
	"tokendesk/models/store/storetest"
)

var (
	quoted   = regexp.MustCompile(`'([^']*)'|"([^"]*)"`)
	variable = regexp.MustCompile(`\$(CREDENTIAL|AUTHENTICATOR|ORDER|REFUND|POLICY|PROOFING)`)
)

// variables are what a reader puts in.
var variables = map[string]string{"$CREDENTIAL": "cr_1", "$AUTHENTICATOR": "au_1", "$ORDER": "SO-10042", "$REFUND": "rf_1", "$POLICY": "1", "$PROOFING": "pc_1"}

// putIn puts in what a reader does.
func putIn(line string, values map[string]string) string {
	line = strings.ReplaceAll(strings.ReplaceAll(line, `"'$CREDENTIAL'"`, `"$CREDENTIAL"`), `'$POLICY'`, `$POLICY`)
	return variable.ReplaceAllStringFunc(line, func(name string) string { return values[name] })
}

// bodyOf is the body that a call in the guide sends; ok is false where it sends none.
func bodyOf(line string) (body string, ok bool) {
	_, body, ok = strings.Cut(line, " -d ")
	if ok {
		body = quoted.FindStringSubmatch(body)[1]
	}
	return body, ok
}

// Every call in the guide is one of the specification: its path, its method, its body, its key and its credentials.
func TestGuideExamples(t *testing.T) {
	h := readSpecification(t)
	all, err := loadOperations()
	storetest.Must(t, err)
	text, err := os.ReadFile(guide)
	storetest.Must(t, err)
	var seen []string
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "curl ") {
			continue
		}
		line = putIn(line, variables)
		words := strings.Fields(line)
		for n, w := range words {
			words[n] = strings.Trim(w, `"`)
		}
		i := slices.IndexFunc(words, func(w string) bool { return strings.HasPrefix(w, "$API") })
		body, withBody := bodyOf(line)
		method := http.MethodGet
		if withBody {
			method = http.MethodPost
		}
		if at := slices.Index(words, "-X"); at >= 0 {
			method = words[at+1]
		}
		route, _, err := h.router.FindRoute(httptest.NewRequest(method, strings.TrimPrefix(words[i], "$API"), nil))
		if err != nil {
			t.Errorf("no such operation: %s", line)
			continue
		}
		op := all.find(method, ginPath(route.Path))
		seen = append(seen, op.id)
		if op.keyed != strings.Contains(line, idempotencyKey) || op.open() == strings.Contains(line, `-H "$`) || (op.body != nil) != withBody {
			t.Errorf("key, credentials or body are not what %s takes: %s", op.id, line)
		}
		if !withBody {
			continue
		}
		value, err := parseJSON([]byte(body))
		storetest.Must(t, err)
		if err := checkBody(op, value); err != nil {
			t.Errorf("%s: %v: %s", op.id, err, line)
		}
	}
	for _, id := range []string{"createSession", "suspendCredential", "reenableCredential", "revokeCredential", "resyncAuthenticator", "quoteOrder", "requestRefund",
		"recordPayout", "previewPolicy", "advanceSandboxClock", "changePassword", "recoverPassword"} {
		if !slices.Contains(seen, id) {
			t.Errorf("the guide shows no call of %s", id)
		}
	}
}

// LIF-4: the calls about policies work as they stand, over the newest version, whichever that is.
func TestGuidePolicies(t *testing.T) {
	h := newHouse(t)
	later := models.DefaultPolicy()
	later.Version, later.Invoice.DueDays = 2, 20
	storetest.Must(t, h.st.AddPolicy(t.Context(), later, h.now()))
	operator := h.as(models.RoleOperator)
	newest := strconv.Itoa(int(read[gen.PolicyList](h.get(operator, policiesPath).want(http.StatusOK)).Items[0].Version))
	text, err := os.ReadFile(guide)
	storetest.Must(t, err)
	calls := 0
	for line := range strings.Lines(string(text)) {
		line = putIn(line, map[string]string{"$POLICY": newest})
		body, ok := bodyOf(line)
		if !ok || !strings.Contains(line, "$API"+policiesPath) {
			continue
		}
		calls++
		if preview := policiesPath + "/" + newest + "/what-if"; strings.Contains(line, preview) {
			h.post(operator, preview, json.RawMessage(body)).want(http.StatusOK)
		} else {
			h.post(operator, policiesPath, json.RawMessage(body)).want(http.StatusCreated)
		}
	}
	if calls != 2 {
		t.Errorf("the guide has %d calls about policies", calls)
	}
}
