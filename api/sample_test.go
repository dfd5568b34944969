package api

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"tokendesk/models"
	"tokendesk/models/store/storetest"
)

// samples are texts that fit the patterns of the specification. A new pattern needs a new sample.
var samples = map[string]string{
	`^[A-Z]{2}$`:                            "US",
	`^pa_[0-9a-z]{1,40}$`:                   "pa_0000000000000000000000000",
	`^ac_[0-9a-z]{1,40}$`:                   "ac_0000000000000000000000000",
	`^og_[0-9a-z]{1,40}$`:                   "og_0000000000000000000000000",
	`^cr_[0-9a-z]{1,40}$`:                   "cr_0000000000000000000000000",
	`^au_[0-9a-z]{1,40}$`:                   "au_0000000000000000000000000",
	`^pc_[0-9a-z]{1,40}$`:                   "pc_0000000000000000000000000",
	`^[0-9]{4}$`:                            "6789",
	`^[0-9 -]+$`:                            "123-45-6789",
	`^\+[1-9][0-9]{6,14}$`:                  "+14155550123",
	`^rf_[0-9a-z]{1,40}$`:                   "rf_0000000000000000000000000",
	`^py_[0-9a-z]{1,40}$`:                   "py_0000000000000000000000000",
	`^P[0-9YMWDTHS]+$`:                      "P30D",
	`^sh_[0-9a-z]{1,40}$`:                   "sh_0000000000000000000000000",
	`^sc_[0-9a-z]{1,40}$`:                   "sc_0000000000000000000000000",
	`^ag_[0-9a-z]{1,40}$`:                   "ag_0000000000000000000000000",
	`^ap_[0-9a-z]{1,40}$`:                   "ap_0000000000000000000000000",
	`^pr_[0-9a-z]{1,40}$`:                   "pr_0000000000000000000000000",
	`^ax_[0-9a-z]{1,40}$`:                   "ax_0000000000000000000000000",
	`^[0-9]{6}$`:                            "123456",
	`^[0-9]{4}-[0-9]{2}-[0-9]{2}$`:          "2026-11-02",
	`^[A-Z]{2}(-[A-Z0-9]{1,3})?$`:           "US",
	`^[a-z][a-z_]{1,39}$`:                   "photograph",
	`^"[0-9a-z]+"$`:                         `"0"`,
	`^SO-[0-9]{1,15}$`:                      "SO-99999",
	`^INV-[0-9]{1,15}$`:                     "INV-99999",
	`^[0-9]{6,8}$`:                          "123456",
	`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`:     "S-1",
	`^[A-Za-z0-9][A-Za-z0-9 ._-]{0,39}$`:    "main",
	`^[A-Za-z0-9][A-Za-z0-9 ._-]{0,59}$`:    storetest.TokenModel,
	`^[0-9A-Fa-f]{32,64}$`:                  "00112233445566778899aabbccddeeff",
	`^[!-~]+$`:                              "key",
	`^[A-Za-z0-9._@+-]+$`:                   "grace",
	`^[^@\s<>(),;:"\\]+@[^@\s<>(),;:"\\]+$`: "grace@example.com",
	`^[A-Za-z0-9_-]+$`:                      "cursor",
}

// sample makes a value that fits a schema; optional members too, unless there may not be so many.
func sample(t testing.TB, s *openapi3.Schema) any {
	t.Helper()
	switch {
	case len(s.Enum) > 0:
		return s.Enum[0]
	case s.Type.Is(openapi3.TypeObject):
		object := map[string]any{}
		for name, member := range s.Properties {
			required := slices.Contains(s.Required, name)
			if required || s.MaxProps == nil {
				object[name] = sample(t, member.Value)
			}
		}
		for name, member := range s.Properties {
			if uint64(len(object)) < s.MinProps {
				object[name] = sample(t, member.Value)
			}
		}
		return object
	case s.Type.Is(openapi3.TypeArray):
		return []any{sample(t, s.Items.Value)}
	case s.Type.Is(openapi3.TypeInteger):
		return int64(max(1, orZero(s.Min)))
	case s.Type.Is(openapi3.TypeBoolean):
		return true
	case s.Pattern != "":
		text, ok := samples[s.Pattern]
		if !ok {
			t.Fatalf("no sample for the pattern %q", s.Pattern)
		}
		return text
	case s.Format == "date-time":
		return "2026-11-02T15:00:00Z"
	}
	return strings.Repeat("x", int(max(s.MinLength, 1)))
}

func orZero(f *float64) float64 {
	if f == nil {
		return 0
	}
	return *f
}

// specimen is an operation with everything that a request for it needs.
type specimen struct {
	*openapi3.Operation
	method, path string // path as in the specification
	roles        []string
}

// specimens are the operations of the ordinary listener.
func (h *house) specimens() []specimen { return h.ofListener(false) }

// agentSpecimens are those of the agents' listener.
func (h *house) agentSpecimens() []specimen { return h.ofListener(true) }

func (h *house) ofListener(agents bool) []specimen {
	return slices.DeleteFunc(h.everySpecimen(), func(s specimen) bool { return slices.Contains(s.Tags, agentsTag) != agents })
}

func (h *house) everySpecimen() (all []specimen) {
	for path, item := range h.doc.Paths.Map() {
		for method, o := range item.Operations() {
			s := specimen{Operation: o, method: method, path: path}
			for _, r := range o.Extensions["x-roles"].([]any) {
				s.roles = append(s.roles, r.(string))
			}
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b specimen) int { return strings.Compare(a.OperationID, b.OperationID) })
	return all
}

func (s specimen) open() bool {
	return slices.Contains(s.roles, anyone) || slices.Contains(s.roles, gateway)
}

// role is one that may call it.
func (s specimen) role() models.Role {
	if s.open() {
		return ""
	}
	return models.Role(s.roles[0])
}

func (s specimen) keyed() bool { return s.Parameters.GetByInAndName("header", idempotencyKey) != nil }

func (s specimen) jsonBody() *openapi3.Schema {
	if s.RequestBody == nil {
		return nil
	}
	if media := s.RequestBody.Value.Content[mediaJSON]; media != nil {
		return media.Schema.Value
	}
	return nil
}

// url fills the parameters in path and query, with those given instead of samples.
func (s specimen) url(t testing.TB, instead map[string]string) string {
	path, query := s.path, url.Values{}
	for _, p := range s.Parameters {
		value := text(sample(t, p.Value.Schema.Value))
		if v, ok := instead[p.Value.Name]; ok {
			value = v
		}
		switch {
		case p.Value.In == openapi3.ParameterInPath:
			path = strings.ReplaceAll(path, "{"+p.Value.Name+"}", url.PathEscape(value))
		case p.Value.In == openapi3.ParameterInQuery && (p.Value.Required || instead[p.Value.Name] != ""):
			query.Set(p.Value.Name, value)
		}
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return path
}

func text(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	return "1"
}

// request makes a request that fits the specification: its own example, where it has one.
func (h *house) specimenRequest(s specimen, token models.Secret) *http.Request {
	var body any
	switch schema := s.jsonBody(); {
	case schema != nil && s.RequestBody.Value.Content[mediaJSON].Example != nil:
		body = s.RequestBody.Value.Content[mediaJSON].Example
	case schema != nil:
		body = sample(h.t, schema)
	case s.RequestBody != nil:
		body = []byte("serial,seed\n")
	}
	r := h.request(s.method, s.url(h.t, nil), token, body)
	if s.Parameters.GetByInAndName("header", ifMatch) != nil {
		r.Header.Set(ifMatch, `"0"`)
	}
	if s.RequestBody != nil && s.jsonBody() == nil {
		r.Header.Set("Content-Type", "text/csv")
	}
	return r
}
