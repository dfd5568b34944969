package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/speakeasy-api/openapi/linter"
	"github.com/speakeasy-api/openapi/openapi"
	"github.com/speakeasy-api/openapi/validation"
	"go.yaml.in/yaml/v3"
)

// operation is one operation with what surrounds it.
type operation struct {
	*openapi.Operation
	method string // lower case
	path   string
	item   *openapi.PathItem
}

func (o operation) unsafe() bool {
	return slices.Contains([]string{"post", "put", "patch", "delete"}, o.method)
}

// houseRule is a rule about one operation. check returns what is wrong, in words that follow "operation ...".
type houseRule struct {
	id, summary string
	check       func(operation) []string
}

// houseRules are the conventions of the API. Each holds for every operation.
var houseRules = []*houseRule{
	{"house-operation-id", "every operation has an operationId in camelCase", checkOperationID},
	{"house-roles", "every operation states in x-roles who may call it", checkRoles},
	{"house-problems", "every error is a problem document (RFC 9457)", checkProblems},
	{"house-idempotency", "every unsafe operation takes an Idempotency-Key", checkIdempotency},
	{"house-accepted", "what takes time answers with Location", checkAccepted},
}

// registerHouse adds the rules of the house to a linter, as a ruleset named "house".
func registerHouse(registry *linter.Registry[*openapi.OpenAPI]) error {
	var ids []string
	for _, rule := range houseRules {
		registry.Register(rule)
		ids = append(ids, rule.id)
	}
	if err := registry.RegisterRuleset("house", ids); err != nil {
		return fmt.Errorf("registering the rules of the house: %w", err)
	}
	return nil
}

func checkOperationID(o operation) []string {
	id := o.GetOperationID()
	switch {
	case id == "":
		return []string{"has no operationId"}
	case id[0] < 'a' || id[0] > 'z' || strings.ContainsAny(id, "-_. "):
		return []string{"has an operationId that is not in camelCase"}
	}
	return nil
}

// checkRoles wants a list of names. What everybody may call says so with the role "anyone", so that a forgotten
// list cannot pass for an open door.
func checkRoles(o operation) []string {
	node, found := o.GetExtensions().Get("x-roles")
	if !found {
		return []string{"does not state who may call it (x-roles)"}
	}
	var roles []string
	if err := node.Decode(&roles); err != nil || len(roles) == 0 {
		return []string{"has x-roles that are not a list of roles"}
	}
	seen := map[string]bool{}
	for _, role := range roles {
		if role == "" || seen[role] {
			return []string{fmt.Sprintf("has an empty or repeated role %q in x-roles", role)}
		}
		seen[role] = true
	}
	return nil
}

// checkProblems leaves out the probes, which stand outside /v1: who calls them reads the status alone.
func checkProblems(o operation) []string {
	if !strings.HasPrefix(o.path, "/v1/") {
		return nil
	}
	var out []string
	var errorsNamed bool
	each := func(code string, response *openapi.Response) {
		if code != "default" && !strings.HasPrefix(code, "4") && !strings.HasPrefix(code, "5") {
			return
		}
		errorsNamed = true
		if response == nil {
			out = append(out, fmt.Sprintf("has a response %s that does not resolve", code))
			return
		}
		content := response.GetContent()
		if _, ok := content.Get("application/problem+json"); !ok || content.Len() != 1 {
			out = append(out, fmt.Sprintf("answers %s with something else than application/problem+json", code))
		}
	}
	responses := o.GetResponses()
	for code, response := range responses.All() {
		each(code, response.GetObject())
	}
	if fallback := responses.GetDefault(); fallback != nil {
		each("default", fallback.GetObject())
	}
	if !errorsNamed {
		out = append(out, "names no error response")
	}
	return out
}

// checkIdempotency wants the header, required, or in x-idempotent the reason why repeating the call does no harm
// without it: a webhook's sender, for example, sends no such header, and the event's own id does its work.
func checkIdempotency(o operation) []string {
	var key *openapi.Parameter
	for _, parameters := range [][]*openapi.ReferencedParameter{o.item.GetParameters(), o.GetParameters()} {
		for _, p := range parameters {
			if q := p.GetObject(); q != nil && q.GetIn() == openapi.ParameterInHeader && strings.EqualFold(q.GetName(), "Idempotency-Key") {
				key = q
			}
		}
	}
	reason, excused := o.GetExtensions().Get("x-idempotent")
	switch {
	case !o.unsafe() && key != nil:
		return []string{"is safe and takes an Idempotency-Key all the same"}
	case !o.unsafe():
		return nil
	case key != nil && excused:
		return []string{"has both an Idempotency-Key and a reason for having none"}
	case excused && (reason.Kind != yaml.ScalarNode || strings.TrimSpace(reason.Value) == "" || reason.Tag != "!!str"):
		return []string{"gives no reason in x-idempotent"}
	case excused:
		return nil
	case key == nil:
		return []string{"takes no Idempotency-Key and gives no reason in x-idempotent"}
	case !key.GetRequired():
		return []string{"takes an Idempotency-Key that is not required"}
	}
	return nil
}

func checkAccepted(o operation) []string {
	response, found := o.GetResponses().Get("202")
	if !found {
		return nil
	}
	if r := response.GetObject(); r != nil {
		for name := range r.GetHeaders().All() {
			if strings.EqualFold(name, "Location") {
				return nil
			}
		}
	}
	return []string{"answers 202 without a Location header"}
}

func (r *houseRule) ID() string                           { return r.id }
func (r *houseRule) Category() string                     { return "house" }
func (r *houseRule) Description() string                  { return r.summary }
func (r *houseRule) Summary() string                      { return r.summary }
func (r *houseRule) Link() string                         { return "" }
func (r *houseRule) DefaultSeverity() validation.Severity { return validation.SeverityError }
func (r *houseRule) Versions() []string                   { return nil }

// Run checks every operation of the document.
func (r *houseRule) Run(_ context.Context, info *linter.DocumentInfo[*openapi.OpenAPI], _ *linter.RuleConfig) []error {
	var out []error
	for path, reference := range info.Document.GetPaths().All() {
		item := reference.GetObject()
		if item == nil {
			continue
		}
		for method, op := range item.All() {
			o := operation{op, strings.ToLower(string(method)), path, item}
			for _, problem := range r.check(o) {
				message := errors.New("operation " + strings.ToUpper(o.method) + " " + path + " " + problem)
				out = append(out, validation.NewValidationError(validation.SeverityError, r.id, message, op.GetRootNode()))
			}
		}
	}
	return out
}
