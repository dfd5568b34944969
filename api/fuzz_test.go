package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"tokendesk/api/gen"
	"tokendesk/models"
)

// leaks are the words of our own insides; no answer says them.
var leaks = []string{"pq:", "sqlstate", "gorm", "pgx", "pgconn", "goroutine", "runtime error", ".go:", "panic", "strconv", "json:", "unmarshal",
	"sql:", "reflect", "openapi3", "github.com", "syntax error", "violates", "relation \"", "argon2", "nil pointer", "temporal"}

// tricks are texts that have hurt others.
var tricks = []string{
	"' OR '1'='1", "'; DROP TABLE orders; --", "\" OR 1=1 --", "1); SELECT pg_sleep(10); --", "${jndi:ldap://x/y}", "{{7*7}}", "%n%n%s", "../../../../etc/passwd",
	"<script>alert(1)</script>", "\u202Eabc", "👩‍🚀", "a\u0301", "\u0001\u0002", "line\r\nSet-Cookie: a=b", strings.Repeat("A", 100_000), " ", "null", "-1", "1e309",
	"＇", "\ufeff", "\\", "%00", "0x00", "true", "NaN", "٣",
}

// fuzzer sends requests that somebody hostile would send, and knows what must not come back.
type fuzzer struct {
	*house
	op    specimen
	token models.Secret
}

// Requests that cannot be right, made of the specification for every operation: each is answered with a 4xx problem document,
// never a 5xx, never a word of our insides.
func TestHostileRequests(t *testing.T) {
	h := newHouse(t)
	h.machine.stand()
	tokens := map[models.Role]models.Secret{"": ""}
	for _, op := range h.specimens() {
		t.Run(op.OperationID, func(t *testing.T) {
			token, ok := tokens[op.role()]
			if !ok || op.OperationID == "endCurrentSession" { // which ends its session
				token = h.as(op.role())
			}
			if op.OperationID != "endCurrentSession" {
				tokens[op.role()] = token
			}
			f := &fuzzer{h, op, token}
			old := h.t
			h.t = t
			defer func() { h.t = old }()
			f.headers()
			f.parameters()
			f.bodies()
		})
	}
}

// survive sends a request that may even be valid: there is no 5xx, and nothing leaks.
func (f *fuzzer) survive(what string, r *http.Request) answer {
	f.t.Helper()
	a := f.send(r)
	a.what = f.op.OperationID + ": " + what
	if a.status >= 500 && f.op.OperationID != "getReadiness" {
		f.t.Errorf("%s: status %d\n%.500s\n%.500s", a.what, a.status, a.body, f.log)
	}
	if a.status < 400 {
		return a // an answer may quote what a person has typed and we have kept
	}
	p := read[gen.Problem](a)
	lower := strings.ToLower(strings.ReplaceAll(string(a.body), p.RequestID, "")) // which is random letters
	for _, leak := range leaks {
		if strings.Contains(lower, leak) {
			f.t.Errorf("%s: the answer says %q\n%.500s", a.what, leak, a.body)
		}
	}
	return a
}

// refused sends a request that cannot be right.
func (f *fuzzer) refused(what string, r *http.Request) answer {
	f.t.Helper()
	a := f.survive(what, r)
	if a.status < 400 || a.status >= 500 {
		f.t.Errorf("%s: status %d, want 4xx\n%.300s", a.what, a.status, a.body)
	}
	return a
}

func (f *fuzzer) valid() *http.Request { return f.specimenRequest(f.op, f.token) }

func (f *fuzzer) with(change func(*http.Request)) *http.Request {
	r := f.valid()
	change(r)
	return r
}

// headers: credentials, keys and media types that are wrong in every way.
func (f *fuzzer) headers() {
	if !f.op.open() {
		for _, value := range []string{"", "Bearer", "Bearer ", "Basic dXNlcjpwYXNz", "Bearer a b", "Bearer " + strings.Repeat("x", 100_000), "Bearer tdk_\x00", "Bearer ' OR 1=1 --",
			"bearer tds_unknown", "Bearer tdk_unknown", "Bearer \xff\xfe", "Bearer " + f.token.Reveal() + "x"} {
			f.refused("authorization "+value[:min(len(value), 20)], f.with(func(r *http.Request) { r.Header["Authorization"] = []string{value} }))
		}
		f.refused("authorization twice", f.with(func(r *http.Request) {
			r.Header["Authorization"] = []string{"Bearer " + f.token.Reveal(), "Bearer " + f.token.Reveal()}
		}))
	}
	if f.op.keyed() {
		f.refused("no key", f.with(func(r *http.Request) { r.Header.Del(idempotencyKey) })).problem(models.IdempotencyKeyMissing)
		for _, value := range []string{"", " ", "a b", "\x00", "\xff", "ä", strings.Repeat("k", 256)} {
			f.refused(fmt.Sprintf("key %.10q", value), f.with(func(r *http.Request) { r.Header[idempotencyKey] = []string{value} }))
		}
		f.refused("two keys", f.with(func(r *http.Request) { r.Header[idempotencyKey] = []string{"a", "b"} }))
		for i, value := range tricks {
			f.survive("tricky key", f.with(func(r *http.Request) { r.Header[idempotencyKey] = []string{fmt.Sprint(value, i)} }))
		}
	}
	for _, name := range []string{"X-Request-Id", "X-Forwarded-For", "X-Http-Method-Override", "Host", "Cookie", "Accept", "If-Match", "Range"} {
		for _, value := range []string{"' OR 1=1 --", strings.Repeat("h", 50_000), "\xff\xfe", "<script>"} {
			f.survive("header "+name, f.with(func(r *http.Request) { r.Header[name] = []string{value} }))
		}
	}
	f.media()
}

func (f *fuzzer) media() {
	if f.op.RequestBody == nil {
		f.refused("a body where none is taken", f.with(func(r *http.Request) { setBody(r, []byte(`{"a":1}`)) }))
		return
	}
	for _, media := range []string{"", "text/plain", "application/xml", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json; charset=utf-16",
		"application/", "\xff", strings.Repeat("m", 50_000), "application/json, text/csv"} {
		f.refused("media type "+media[:min(len(media), 30)], f.with(func(r *http.Request) { r.Header["Content-Type"] = []string{media} })).problem(models.MediaTypeUnsupported)
	}
	f.refused("gzip", f.with(func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") })).problem(models.MediaTypeUnsupported)
	f.refused("two media types", f.with(func(r *http.Request) { r.Header["Content-Type"] = []string{mediaJSON, mediaJSON} })).problem(models.MediaTypeUnsupported)
}

// parameters: every one of them wrong in every way, and some that do not exist.
func (f *fuzzer) parameters() {
	for _, p := range f.op.Parameters {
		for _, value := range append(slices.Clone(tricks), "\x00", "\xff\xfe", "a/b", "..", "99999999999999999999", "0x1F", "+1") {
			switch p.Value.In {
			case openapi3.ParameterInPath, openapi3.ParameterInQuery:
				target := f.op.url(f.t, map[string]string{p.Value.Name: value})
				f.survive(fmt.Sprintf("parameter %s=%.20q", p.Value.Name, value), f.at(target))
			default:
				f.survive(fmt.Sprintf("header %s=%.20q", p.Value.Name, value), f.with(func(r *http.Request) { r.Header[p.Value.Name] = []string{value} }))
			}
		}
		if p.Value.In == openapi3.ParameterInQuery {
			name := p.Value.Name
			f.refused(name+" twice", f.query(name+"=a&"+name+"=b"))
			f.refused(name+" empty", f.query(name+"="))
		}
	}
	for _, query := range []string{"unknown=1", "a=1;b=2", "%zz=1", "=", "%00=1", "%ff=%ff", "limit[]=1", "cursor=AAAA&cursor=BBBB"} {
		if f.op.OperationID != "createVerification" || query != "" {
			f.refused("query "+query, f.query(query))
		}
	}
}

// at is the valid request at another address.
func (f *fuzzer) at(target string) *http.Request {
	return f.with(func(r *http.Request) {
		other := httptest.NewRequest(http.MethodGet, target, nil)
		r.URL, r.RequestURI = other.URL, other.RequestURI
	})
}

func (f *fuzzer) query(raw string) *http.Request {
	return f.with(func(r *http.Request) { r.URL.RawQuery = raw })
}

func setBody(r *http.Request, body []byte) {
	other := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
	r.Body, r.ContentLength = other.Body, other.ContentLength
}

// bodies: what is no JSON, what is too much, and every member wrong in every way.
func (f *fuzzer) bodies() {
	if f.op.RequestBody == nil {
		return
	}
	f.refused("oversized", f.raw(bytes.Repeat([]byte(" "), f.most()+1))).problem(models.RequestTooLarge)
	schema := f.op.jsonBody()
	if schema == nil {
		for _, body := range []string{"", "<", "<KeyContainer/>", "serial\nx", "\x00\xff", "a,b,c\n1,2,3", `<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>`, strings.Repeat("<a>", 100_000)} {
			for _, media := range []string{"text/csv", "application/pskc+xml"} {
				r := f.raw([]byte(body))
				r.Header.Set("Content-Type", media)
				f.refused("file "+body[:min(len(body), 20)], r)
			}
		}
		return
	}
	f.refused("oversized JSON", f.raw([]byte(`{"a":"`+strings.Repeat("x", maxBody)+`"}`))).problem(models.RequestTooLarge)
	for _, body := range []string{"", " ", "{", "}", "[", `"`, `{"a"`, `{"a":`, `{"a":1,}`, `{a:1}`, "{'a':1}", "null", "true", "1", `"text"`, "[]", "[{}]", "{}{}", `{} x`, "{\"a\":\"\xff\"}",
		"\xef\xbb\xbf{}", `{"a":"\u0000"}`, `{"\u0000":1}`, `{"a":1,"a":2}`, `{"a":1e999}`, `{"a":01}`, `{"a":NaN}`, strings.Repeat("[", 100_000), strings.Repeat(`{"a":`, 1000) + "1" + strings.Repeat("}", 1000),
		"\x00", "// comment\n{}", `{"a":"` + "\n" + `"}`} {
		f.refused(fmt.Sprintf("body %.20q", body), f.raw([]byte(body)))
	}
	if slices.Contains(f.op.roles, gateway) {
		return // its form is the gateway's own, and without a signature nothing is read
	}
	valid := sample(f.t, schema).(map[string]any)
	f.members(valid, schema, "", func(v any) any { return v })
}

// most is the longest body that the operation takes.
func (f *fuzzer) most() int {
	if f.op.jsonBody() == nil {
		return maxImport
	}
	return maxBody
}

func (f *fuzzer) raw(body []byte) *http.Request {
	return f.with(func(r *http.Request) { setBody(r, body) })
}

func (f *fuzzer) json(v any) *http.Request {
	text, err := json.Marshal(v)
	if err != nil {
		f.t.Fatal(err)
	}
	return f.raw(text)
}

// members spoils every member of an object, and of the objects in it. whole puts the spoiled object into its place in the body.
func (f *fuzzer) members(object map[string]any, schema *openapi3.Schema, at string, whole func(any) any) {
	change := func(name string, value any) any {
		spoiled := maps.Clone(object)
		spoiled[name] = value
		return whole(spoiled)
	}
	f.refused(at+"/unknown", f.json(change("unknown", 1)))
	f.refused(at+"/__proto__", f.json(change("__proto__", map[string]any{})))
	for name, ref := range schema.Properties {
		pointer, member := at+"/"+name, ref.Value
		if slices.Contains(schema.Required, name) {
			without := maps.Clone(object)
			delete(without, name)
			f.refused(pointer+" missing", f.json(whole(without)))
		}
		f.refused(pointer+" in capitals", f.json(withRenamed(object, name, strings.ToUpper(name), whole)))
		for _, wrong := range wrongFor(member) {
			f.refused(fmt.Sprintf("%s = %.20v", pointer, wrong), f.json(change(name, wrong)))
		}
		if member.Type.Is(openapi3.TypeString) {
			for _, trick := range tricks {
				f.survive(fmt.Sprintf("%s = %.20q", pointer, trick), f.json(change(name, trick)))
			}
			f.refused(pointer+" with NUL", f.json(change(name, "a\x00b")))
		}
		if _, present := object[name]; !present {
			continue
		}
		switch {
		case member.Type.Is(openapi3.TypeObject):
			f.members(object[name].(map[string]any), member, pointer, func(v any) any { return change(name, v) })
		case member.Type.Is(openapi3.TypeArray) && member.Items.Value.Type.Is(openapi3.TypeObject):
			item := object[name].([]any)[0].(map[string]any)
			f.members(item, member.Items.Value, pointer+"/0", func(v any) any { return change(name, []any{v}) })
		}
	}
}

func withRenamed(object map[string]any, name, to string, whole func(any) any) any {
	renamed := maps.Clone(object)
	renamed[to] = renamed[name]
	delete(renamed, name)
	return whole(renamed)
}

// wrongFor are values that a schema cannot take.
func wrongFor(s *openapi3.Schema) []any {
	wrong := []any{nil}
	add := func(types string, values ...any) {
		if !s.Type.Is(types) {
			wrong = append(wrong, values...)
		}
	}
	add(openapi3.TypeString, "text", "1")
	add(openapi3.TypeInteger, 1, -1, json.Number("1e300"))
	add(openapi3.TypeBoolean, true)
	add(openapi3.TypeArray, []any{}, []any{[]any{1}})
	add(openapi3.TypeObject, map[string]any{}, map[string]any{"$gt": ""})
	switch {
	case s.Type.Is(openapi3.TypeInteger):
		wrong = append(wrong, 1.5, json.Number("99999999999999999999999"), json.Number("-99999999999999999999999"), json.Number("1e300"), -5)
		if orZero(s.Min) > 0 {
			wrong = append(wrong, 0)
		}
	case s.Type.Is(openapi3.TypeArray):
		wrong = append(wrong, []any{nil}, []any{1}, slices.Repeat([]any{map[string]any{}}, 1000))
	case s.Type.Is(openapi3.TypeString) && s.MinLength > 0:
		wrong = append(wrong, "")
	}
	return wrong
}

// Addresses and methods that do not exist get a problem document as well.
func TestUnknownPathsAndMethods(t *testing.T) {
	h := newHouse(t)
	for _, path := range []string{"/v1", "/v1/", "/v1/orders/", "//v1/orders", "/V1/orders", "/v1/orders/../accounts/me", "/v1/orders/SO-1/unknown", "/v2/orders", "/%00", "/%ff", "/v1/%2e%2e/x", "/sandbox/mailbox", "/metrics", "/debug/pprof/"} {
		h.get("", path).problem(models.NoSuchThing)
	}
	for _, op := range h.specimens() {
		for _, method := range []string{http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions, http.MethodHead, http.MethodTrace, "BREW"} {
			if h.doc.Paths.Value(op.path).GetOperation(method) != nil || method == http.MethodDelete && op.path == "/v1/sessions/current" {
				continue
			}
			a := h.send(h.request(method, op.url(t, nil), "", nil)).problem(models.MethodNotAllowed)
			_ = a
		}
	}
}

// What is read strictly is a part of what the standard library reads, and the same.
func FuzzParseJSON(f *testing.F) {
	for _, seed := range []string{`{"a":[1,2.5,"x",null,true]}`, `[]`, `{"a":{"a":{}}}`, `"\u0000"`, `{"a":1,"a":2}`, "1e400", "[[[[", "\xff", `{"é":"\ud83d\ude00"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := parseJSON(data)
		if err != nil {
			return
		}
		d := json.NewDecoder(bytes.NewReader(data))
		d.UseNumber()
		var want any
		if err := d.Decode(&want); err != nil {
			t.Fatalf("%q is read here, but not by the standard library: %v", data, err)
		}
		a, _ := json.Marshal(got)
		b, _ := json.Marshal(want)
		if !bytes.Equal(a, b) {
			t.Fatalf("%q: %s here, %s in the standard library", data, a, b)
		}
	})
}
