package api

import (
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tokendesk/models/store/storetest"
)

var (
	quoted   = regexp.MustCompile(`'([^']*)'|"([^"]*)"`)
	variable = regexp.MustCompile(`\$(CREDENTIAL|AUTHENTICATOR|ORDER|REFUND)`)
)

// variables are what a reader puts in.
var variables = map[string]string{"$CREDENTIAL": "cr_1", "$AUTHENTICATOR": "au_1", "$ORDER": "SO-10042", "$REFUND": "rf_1"}

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
		line = variable.ReplaceAllStringFunc(strings.ReplaceAll(line, `"'$CREDENTIAL'"`, `"$CREDENTIAL"`), func(name string) string { return variables[name] })
		words := strings.Fields(line)
		i := slices.IndexFunc(words, func(w string) bool { return strings.HasPrefix(w, "$API") })
		_, body, withBody := strings.Cut(line, " -d ")
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
		value, err := parseJSON([]byte(quoted.FindStringSubmatch(body)[1]))
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
