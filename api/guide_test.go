package api

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"tokendesk/models"
	"tokendesk/models/store/storetest"
)

var update = flag.Bool("update", false, "write the generated parts of docs/api-guide.md anew")

const guide = "../docs/api-guide.md"

// The guide documents every problem type and every operation, as the program has them.
func TestGuide(t *testing.T) {
	h := readSpecification(t)
	text, err := os.ReadFile(guide)
	storetest.Must(t, err)
	for name, want := range map[string]string{"problems": problemTable(), "operations": operationTable(h)} {
		begin, end := "<!-- "+name+": generated -->\n", "<!-- end of "+name+" -->"
		before, rest, ok := strings.Cut(string(text), begin)
		got, after, ok2 := strings.Cut(rest, end)
		if !ok || !ok2 {
			t.Fatalf("the guide has no part %q", name)
		}
		if got != want {
			if !*update {
				t.Errorf("the part %q of docs/api-guide.md is stale: go test ./api -run TestGuide -update", name)
			}
			text = []byte(before + begin + want + end + after)
		}
	}
	if *update {
		storetest.Must(t, os.WriteFile(guide, text, 0o644))
	}
}

func problemTable() string {
	var b strings.Builder
	b.WriteString("| type | status | title | next step |\n|---|---|---|---|\n")
	for _, p := range problemTypes() {
		fmt.Fprintf(&b, "| `%s` | %d | %s | %s |\n", p.Slug, p.Status, p.Title, p.Next)
	}
	return b.String()
}

func operationTable(h *house) string {
	var b strings.Builder
	b.WriteString("| operation | what | who |\n|---|---|---|\n")
	all := h.everySpecimen()
	slices.SortFunc(all, func(a, b specimen) int {
		return strings.Compare(a.path+" "+a.method, b.path+" "+b.method)
	})
	for _, op := range all {
		fmt.Fprintf(&b, "| `%s %s` | %s | %s |\n", op.method, op.path, op.Summary, strings.Join(op.roles, ", "))
	}
	return b.String()
}

// Every problem type has a page, under the address that problem documents name.
func TestProblemPages(t *testing.T) {
	h := newHouse(t)
	index := string(h.get("", "/problems").want(http.StatusOK).body)
	for _, f := range models.FaultTypes() {
		page := string(h.get("", "/problems/"+f.Slug).want(http.StatusOK).body)
		for _, text := range []string{f.Slug, fmt.Sprint(statusOf(f))} {
			if !strings.Contains(page, text) || !strings.Contains(index, f.Slug) {
				t.Errorf("the page of %s does not say %q", f.Slug, text)
			}
		}
	}
	h.get("", "/problems/unknown").problem(models.NoSuchThing)
}

// The reference page fetches nothing from elsewhere.
func TestReferencePage(t *testing.T) {
	h := newHouse(t)
	a := h.get("", "/docs").want(http.StatusOK)
	if strings.Contains(string(a.body), "://") || !strings.Contains(a.header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("the page reaches elsewhere: %v\n%s", a.header, a.body)
	}
	if got := h.get("", "/openapi.yaml").want(http.StatusOK); !bytes.Equal(got.body, specification) {
		t.Error("the specification that is served is another one")
	}
	h.get("", "/docs/redoc.js").want(http.StatusOK)
}

// The specification is valid OpenAPI 3.1, and names nothing but roles in x-roles.
func TestSpecification(t *testing.T) {
	h := readSpecification(t)
	if err := h.doc.Validate(t.Context(), openapi3.EnableExamplesValidation()); err != nil {
		t.Error(err)
	}
	if !h.doc.IsOpenAPI31OrLater() {
		t.Errorf("the specification is %s", h.doc.OpenAPI)
	}
	for _, op := range h.everySpecimen() {
		for _, role := range op.roles {
			if role != anyone && role != gateway && !slices.Contains(models.Roles(), models.Role(role)) {
				t.Errorf("%s: there is no role %q", op.OperationID, role)
			}
		}
		if slices.Contains(op.Tags, agentsTag) {
			continue // see TestAgentSpecification
		}
		if op.open() && (op.Security == nil || len(op.roles) != 1) || !op.open() && op.Security != nil {
			t.Errorf("%s: security and x-roles do not agree", op.OperationID)
		}
	}
	for name, ref := range h.doc.Components.Schemas {
		if s := ref.Value; s.Type.Is(openapi3.TypeObject) && (s.AdditionalProperties.Has == nil || *s.AdditionalProperties.Has) {
			t.Errorf("%s takes members that it does not know", name)
		}
	}
}

// The enumerations of the specification are those of the transition tables.
func TestEnumerations(t *testing.T) {
	h := readSpecification(t)
	for name, want := range map[string][]string{
		"OrderStatus":       models.Events(models.OrderMachine.States()),
		"InvoiceStatus":     models.Events(models.InvoiceMachine.States()),
		"ShipmentStatus":    models.Events(models.ShipmentMachine.States()),
		"TokenStatus":       models.Events(models.TokenMachine.States()),
		"CredentialPhase":   models.Events(models.CredentialMachine.States()),
		"RefundStatus":      models.Events(models.RefundMachine.States()),
		"Role":              models.Events(models.Roles()),
		"AppointmentStatus": models.Events(models.AppointmentMachine.States()),
		"ProofingStatus":    models.Events(models.ProofingMachine.States()),
	} {
		var got []string
		for _, v := range h.doc.Components.Schemas[name].Value.Enum {
			got = append(got, v.(string))
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, slices.Compact(want)) {
			t.Errorf("%s is %v in the specification, %v in the tables", name, got, want)
		}
	}
}

// What x-event names is an event of a transition table that a person may cause.
func TestEventsOfOperations(t *testing.T) {
	h := readSpecification(t)
	known := map[string]bool{}
	add := func(machine string, events []string) {
		for _, e := range events {
			known[machine+"."+e] = true
		}
	}
	add(models.OrderMachine.Name, personal(models.OrderMachine))
	add(models.TokenMachine.Name, personal(models.TokenMachine))
	add(models.CredentialMachine.Name, personal(models.CredentialMachine))
	add(models.ShipmentMachine.Name, append(personal(models.ShipmentMachine), "declare_lost"))
	add(models.RefundMachine.Name, append(personal(models.RefundMachine), models.RecordPayoutAction, models.ApplyCreditAction))
	add("payment", models.Events([]models.PaymentAction{models.ApplyPayment, models.PayOutPayment, models.ApprovePayout}))
	add(models.CredentialMachine.Name, models.Events([]models.CredentialAction{models.ActionRegisterToken, models.ActionResync, models.ActionSuspend,
		models.ActionReenable, models.ActionRenew, models.ActionReplace, models.ActionRevoke, models.ActionProof, models.ActionUpgrade}))
	add(models.ProofingMachine.Name, models.Events(models.ProofingActions()))
	for _, op := range h.everySpecimen() {
		for _, event := range eventsOf(op.Operation) {
			if !known[event] {
				t.Errorf("%s: a person cannot cause %s", op.OperationID, event)
			}
		}
	}
}

// What the runbooks tell people to call exists.
func TestRunbooksNameOperations(t *testing.T) {
	h := readSpecification(t)
	parameter := regexp.MustCompile(`{[^}]*}`)
	known := map[string]bool{}
	for path, item := range h.doc.Paths.Map() {
		for method := range item.Operations() {
			known[parameter.ReplaceAllString(method+" "+path, "{}")] = true
		}
	}
	pages, err := filepath.Glob("../docs/runbooks/*.md")
	storetest.Must(t, err)
	call, found := regexp.MustCompile("`((?:GET|POST|PATCH|PUT|DELETE) /v1/[^`?]+)"), 0
	for _, page := range pages {
		text, err := os.ReadFile(page)
		storetest.Must(t, err)
		for _, match := range call.FindAllStringSubmatch(string(text), -1) {
			found++
			if !known[parameter.ReplaceAllString(match[1], "{}")] {
				t.Errorf("%s: there is no %s", page, match[1])
			}
		}
	}
	if found == 0 {
		t.Error("no runbook calls anything")
	}
}

func personal[S, E ~string](m models.Machine[S, E]) (events []string) {
	for _, tr := range m.Transitions {
		if tr.By == models.ByPerson {
			events = append(events, string(tr.Event))
		}
	}
	return events
}

// The generated server is the one that the specification makes. The generator is fetched through the module proxy; where
// there is none, nothing can be compared.
func TestGeneratedIsFresh(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the generator")
	}
	out := filepath.Join(t.TempDir(), "api.gen.go")
	command := exec.CommandContext(t.Context(), "go", "run", "github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2", "-config", "gen/config.yaml", "-o", out, "openapi.yaml")
	if said, err := command.CombinedOutput(); err != nil {
		t.Skipf("the generator does not run here: %v %s", err, said)
	}
	fresh, err := os.ReadFile(out)
	storetest.Must(t, err)
	kept, err := os.ReadFile("gen/api.gen.go")
	storetest.Must(t, err)
	if !bytes.Equal(fresh, kept) {
		t.Error("api/gen/api.gen.go is stale: go generate ./api")
	}
}

// A process that is not ready says which check fails, and why only in its log.
func TestReadiness(t *testing.T) {
	h := newHouse(t, func(c *Config) {
		c.Ready = []Check{{"database", c.Store.Ping}, {"engine", func(context.Context) error { return fmt.Errorf("dial tcp 10.0.0.1: refused") }}}
	})
	h.get("", "/healthz").want(http.StatusOK)
	a := h.get("", "/readyz").want(http.StatusServiceUnavailable)
	if got := strings.TrimSpace(string(a.body)); got != `{"checks":{"database":"ok","engine":"failing"},"status":"failing"}` {
		t.Errorf("readiness %s", got)
	}
	if !strings.Contains(h.log.String(), "10.0.0.1") {
		t.Error("the log does not say why")
	}
}
