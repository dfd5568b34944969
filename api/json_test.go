package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"tokendesk/models"
)

// Characters that cannot be seen are refused wherever a string stands, as they are and escaped, with a pointer; others are not.
func TestUnseenCharacters(t *testing.T) {
	refused := []rune{0, '\t', '\n', '\r', 0x1B, 0x1F, 0x7F, 0x80, 0x85, 0x9F, 0x200B, 0x200D, 0x200F, 0x2028, 0x2029, 0x202A, 0x202E, 0x2066, 0x2069, 0xFEFF}
	for _, r := range refused {
		quoted, _ := json.Marshal("a" + string(r) + "b")
		escaped := fmt.Sprintf(`"a\u%04xb"`, r)
		for _, text := range []string{string(quoted), escaped, `"a` + string(r) + `b"`} {
			for shape, pointer := range map[string]string{`%s`: "", `{"a~/b":[1,{"c":%s}]}`: "/a~0~1b/1/c", `{"lines":[{%s:1}]}`: "/lines/0"} {
				body := strings.Replace(shape, "%s", text, 1)
				_, err := parseJSON([]byte(body))
				rejected, ok := errors.AsType[*rejection](err)
				if raw := r < 0x20 && strings.ContainsRune(body, r); raw && err != nil { // no JSON at all
					continue
				}
				if !ok || len(rejected.errors) != 1 || *rejected.errors[0].Pointer != pointer {
					t.Errorf("%U in %q: %v, want a pointer to %q", r, body, err, pointer)
				}
			}
		}
	}
	for _, text := range []string{"Ærøskøbing", "東京都", "नमस्ते", "Ωμέγα", "a b", "a\u00a0b", "\u2010\u2015\u2019", "\U0001F600", "e\u0301", "\u2070", "\u2065"} {
		body, _ := json.Marshal(map[string]string{"name": text})
		if _, err := parseJSON(body); err != nil {
			t.Errorf("%q is refused: %v", text, err)
		}
	}
}

// An address cannot break the lines of a label.
func TestUnseenCharactersInAnAddress(t *testing.T) {
	h := newHouse(t)
	_, token := h.person()
	for _, text := range []string{"Ada\r\nBcc: x", "Ada\u202eecalevoL", "Ada\u200bLovelace"} {
		p := h.post(token, "/v1/orders", map[string]any{"billing_address": map[string]any{"name": text}}).problem(models.InvalidRequest)
		if len(p.Errors) != 1 || deref(p.Errors[0].Pointer) != "/billing_address/name" {
			t.Errorf("%q is answered with %+v", text, p)
		}
	}
	p := h.post(h.as(models.RoleRelyingApp), verificationPath, map[string]any{"user_id": "a\tb", "code": "123456"}).problem(models.InvalidRequest)
	if len(p.Errors) != 1 || deref(p.Errors[0].Pointer) != "/user_id" {
		t.Errorf("%+v", p)
	}
}
