package demo

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func tale(cfg Config) string {
	var out bytes.Buffer
	cfg.Out = &out
	tell := newNarrator(cfg)
	tell.opening()
	tell.chapter("Ada buys")
	for _, r := range []report{
		{Step: 1, Name: "order", Title: "Ada orders", OK: true, Outcome: "Her number is <SO-1> & " + strings.Repeat("many words ", 8) + "follow.", Link: "http://ui/namespaces/ns/workflows/order%2FSO-1", TookMS: 12},
		{Step: 2, Name: "pay", Title: "Ada pays", Error: "the bank is closed", TookMS: 3},
	} {
		tell.begins(r)
		tell.ends(r)
	}
	tell.closing(2, 1500*time.Millisecond)
	return out.String()
}

func TestProse(t *testing.T) {
	got := tale(Config{APIURL: "http://api", UIURL: "http://ui"})
	want := `Tokendesk, from purchase to login, and three years on

  API          http://api
  Mailbox      http://api/sandbox/mailbox
  Temporal UI  http://ui

Ada buys

   1  Ada orders
      Her number is <SO-1> & many words many words many words many words many words many
      words many words many words follow.
      http://ui/namespaces/ns/workflows/order%2FSO-1

   2  Ada pays
      It did not go as it should: the bank is closed.

The story is told: 2 steps in 1.5 s, and everything in them was checked.
`
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	styled := tale(Config{APIURL: "http://api", UIURL: "http://ui", Styled: true})
	if !strings.Contains(styled, "\x1b[1mAda orders\x1b[0m") {
		t.Error("nothing is bold on a terminal")
	}
	if plain := strings.NewReplacer("\x1b[1m", "", "\x1b[2m", "", "\x1b[0m", "").Replace(styled); plain != want {
		t.Errorf("style changes more than the type:\n%s", plain)
	}
	if bare := tale(Config{APIURL: "http://api"}); strings.Contains(bare, "Temporal UI") {
		t.Error("it names a Temporal UI where none is")
	}
}

func TestLines(t *testing.T) {
	rows := strings.Split(strings.TrimSpace(tale(Config{JSON: true, Styled: true, APIURL: "http://api"})), "\n")
	if len(rows) != 2 {
		t.Fatalf("two steps became %d lines: %q", len(rows), rows)
	}
	want := []report{
		{Step: 1, Name: "order", Title: "Ada orders", OK: true, Outcome: "Her number is <SO-1> & " + strings.Repeat("many words ", 8) + "follow.", Link: "http://ui/namespaces/ns/workflows/order%2FSO-1", TookMS: 12},
		{Step: 2, Name: "pay", Title: "Ada pays", Error: "the bank is closed", TookMS: 3},
	}
	for i, row := range rows {
		var got report
		d := json.NewDecoder(strings.NewReader(row))
		d.DisallowUnknownFields()
		if err := d.Decode(&got); err != nil || got != want[i] {
			t.Errorf("%v %+v", err, got)
		}
	}
	if strings.Contains(rows[0], `\u00`) {
		t.Errorf("it escapes what no browser reads: %s", rows[0])
	}
}

func TestWrap(t *testing.T) {
	for _, c := range []struct {
		name, text, want string
		most             int
	}{
		{"nothing", "  ", "", 10},
		{"fits exactly", "one two", "one two", 7},
		{"one too many", "one two", "one/two", 6},
		{"characters, not bytes", "•••• ••••", "•••• ••••", 9},
		{"a word that is too long", "a http://127.0.0.1 b", "a/http://127.0.0.1/b", 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := strings.Join(wrap(c.text, c.most), "/"); got != c.want {
				t.Errorf("want %q, got %q", c.want, got)
			}
		})
	}
}
