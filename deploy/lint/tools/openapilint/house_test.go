package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const head = `openapi: 3.1.0
info: {title: Test, version: "1", description: A document for the test.}
servers: [{url: /}]
components:
  parameters:
    key: {name: Idempotency-Key, in: header, required: true, schema: {type: string}, description: Key.}
    optional: {name: Idempotency-Key, in: header, schema: {type: string}, description: Key.}
  responses:
    problem:
      description: A problem.
      content: {application/problem+json: {schema: {type: object}}}
    page:
      description: A page.
      content: {text/html: {schema: {type: string}}}
`

const good = `
  /v1/things:
    get:
      operationId: listThings
      tags: [Things]
      summary: Lists.
      x-roles: [support]
      responses: {"200": {description: Things.}, default: {$ref: "#/components/responses/problem"}}
    post:
      operationId: createThing
      tags: [Things]
      summary: Creates.
      x-roles: [support, billing]
      parameters: [{$ref: "#/components/parameters/key"}]
      responses: {"202": {description: Begun., headers: {Location: {schema: {type: string}}}}, "422": {$ref: "#/components/responses/problem"}}
  /v1/hooks/parcels:
    post:
      operationId: parcelHook
      tags: [Things]
      summary: Hears.
      x-roles: [anyone]
      x-idempotent: the event carries its own id
      responses: {"204": {description: Heard.}, "401": {$ref: "#/components/responses/problem"}}
  /healthz:
    get:
      operationId: getHealth
      tags: [Health]
      summary: Lives.
      x-roles: [anyone]
      responses: {"200": {description: It does.}, "503": {description: It does not.}}
`

func TestHouseRules(t *testing.T) {
	cases := []struct {
		name, from, to string
		want           []string // rule ids
	}{
		{"good", "", "", nil},
		{"no operationId", "      operationId: listThings\n", "", []string{"house-operation-id", "semantic-operation-operation-id"}},
		{"operationId in snake case", "listThings", "list_things", []string{"house-operation-id"}},
		{"no roles", "      x-roles: [support, billing]\n", "", []string{"house-roles"}},
		{"empty roles", "x-roles: [support, billing]", "x-roles: []", []string{"house-roles"}},
		{"roles that are no list", "x-roles: [support, billing]", "x-roles: {a: b}", []string{"house-roles"}},
		{"a role twice", "[support, billing]", "[support, support]", []string{"house-roles"}},
		{"an error as a page", `"422": {$ref: "#/components/responses/problem"}`, `"422": {$ref: "#/components/responses/page"}`, []string{"house-problems"}},
		{"the default error as a page", `default: {$ref: "#/components/responses/problem"}`, `default: {$ref: "#/components/responses/page"}`, []string{"house-problems"}},
		{"an error without content", `"401": {$ref: "#/components/responses/problem"}`, `"401": {description: No.}`, []string{"house-problems"}},
		{"no error named", `, "401": {$ref: "#/components/responses/problem"}`, "", []string{"house-problems"}},
		{"no key", `      parameters: [{$ref: "#/components/parameters/key"}]` + "\n", "", []string{"house-idempotency"}},
		{"key not required", `[{$ref: "#/components/parameters/key"}]`, `[{$ref: "#/components/parameters/optional"}]`, []string{"house-idempotency"}},
		{"no reason for no key", "x-idempotent: the event carries its own id", "x-idempotent: true", []string{"house-idempotency"}},
		{"key on a safe call", "      operationId: listThings\n", "      operationId: listThings\n" + `      parameters: [{$ref: "#/components/parameters/key"}]` + "\n", []string{"house-idempotency"}},
		{"202 without Location", ", headers: {Location: {schema: {type: string}}}", "", []string{"house-accepted"}},
		{"an operationId twice", "createThing", "listThings", []string{"validation-operation-id-unique"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			text := head + "paths:" + good
			if c.from != "" && !strings.Contains(text, c.from) {
				t.Fatalf("%q is not in the document", c.from)
			}
			path := filepath.Join(t.TempDir(), "openapi.yaml")
			if err := os.WriteFile(path, []byte(strings.Replace(text, c.from, c.to, 1)), 0o600); err != nil {
				t.Fatal(err)
			}
			found, err := lint(t.Context(), "../../openapi-rules.yaml", path)
			if err != nil {
				t.Fatal(err)
			}
			var rules []string
			for _, f := range found {
				if f.Rule != "semantic-unused-component" { // the parts that no case but its own uses
					rules = append(rules, f.Rule)
				}
			}
			slices.Sort(rules)
			if !slices.Equal(rules, c.want) {
				report(os.Stderr, path, found)
				t.Errorf("found %v, want %v", rules, c.want)
			}
		})
	}
}
