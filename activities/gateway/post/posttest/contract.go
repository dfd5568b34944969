// Package posttest is the contract of those who print and post letters, as a test that every provider passes.
package posttest

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"tokendesk/activities/gateway/post"
	"tokendesk/activities/gateway/sandbox"
	"tokendesk/models"
)

// Subject is a provider under test.
type Subject struct {
	Provider post.Provider
	Disturb  func(t *testing.T, order sandbox.Order)                 // tells the provider to misbehave
	Taken    func(t *testing.T, idempotencyKey string) []post.Letter // what it has under a key
}

// Home is where letters of the contract go; no error may show any of it.
var Home = models.Address{Name: "Zelda Quillon", Line1: "4711 Larkspur Terrace", City: "Yakima", Region: "WA", PostalCode: "98901", Country: "US"}

// Text is what letters of the contract say; no error may show it.
const Text = "7KQ2M-8ABCD-W4ZPC"

// Letter is a letter under a key.
func Letter(key string) post.Letter {
	return post.Letter{IdempotencyKey: key, To: Home, PDF: []byte("%PDF-1.4\n\nstream\n(" + Text + ") Tj\nendstream\n%%EOF\n")}
}

// Run proves the promises of package post on the providers that open makes (PRF-4, PRF-9, OPS-2).
func Run(t *testing.T, open func(t *testing.T) Subject) {
	cases := []struct {
		name string
		test func(t *testing.T, s Subject)
	}{
		{"PRF-4 a letter is taken as it is", sends},
		{"bad requests", refuses},
		{"PRF-4 an address to which no letter can go", unreachable},
		{"OPS-2 a key works once", once},
		{"OPS-2 one key at the same time", atOnce},
		{"OPS-2 a lost answer is found again", lostAnswers},
		{"OPS-2 a failure leaves nothing behind", failures},
		{"OPS-2 what cannot be looked up is not missing", lookUpFails},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

func sends(t *testing.T, s Subject) {
	for _, key := range []string{"cd_1", "a/b?c#d&e=f g+h"} {
		found(t, s, key, "")
		ref := sent(t, s, Letter(key))
		if ref == "" {
			t.Fatal("a letter without a reference")
		}
		found(t, s, key, ref)
		if got := s.Taken(t, key); len(got) != 1 || got[0].To != Home || string(got[0].PDF) != string(Letter(key).PDF) {
			t.Fatalf("%d letters, or another one", len(got))
		}
	}
	found(t, s, "cd_2", "")
}

func refuses(t *testing.T, s Subject) {
	for name, c := range map[string]struct {
		change func(*post.Letter)
		want   *models.FaultType
	}{
		"no key":        {func(l *post.Letter) { l.IdempotencyKey = "" }, models.IdempotencyKeyMissing},
		"no PDF":        {func(l *post.Letter) { l.PDF = nil }, models.InvalidRequest},
		"not a PDF":     {func(l *post.Letter) { l.PDF = []byte(Text) }, models.InvalidRequest},
		"no street":     {func(l *post.Letter) { l.To.Line1 = "" }, models.PostalAddressNotUsable},
		"no country":    {func(l *post.Letter) { l.To.Country = "XX" }, models.PostalAddressNotUsable},
		"nobody's name": {func(l *post.Letter) { l.To.Name = " " }, models.PostalAddressNotUsable},
	} {
		l := Letter("cd_1")
		c.change(&l)
		_, err := s.Provider.Send(t.Context(), l)
		wantFault(t, name, err, c.want)
	}
	_, _, err := s.Provider.Find(t.Context(), "")
	wantFault(t, "looked for without a key", err, models.IdempotencyKeyMissing)
	found(t, s, "cd_1", "")
}

func unreachable(t *testing.T, s Subject) {
	s.Disturb(t, sandbox.Order{Operation: "send", Match: "cd_1", Effect: sandbox.Refuse})
	_, err := s.Provider.Send(t.Context(), Letter("cd_1"))
	wantFault(t, "told to", err, models.PostalAddressNotUsable)
	found(t, s, "cd_1", "")
	sent(t, s, Letter("cd_2"))
}

func once(t *testing.T, s Subject) {
	first := sent(t, s, Letter("cd_1"))
	if again := sent(t, s, Letter("cd_1")); again != first {
		t.Fatalf("one key, two letters: %s, %s", first, again)
	}
	for name, change := range map[string]func(*post.Letter){
		"another address": func(l *post.Letter) { l.To.Line1 = "4712 Larkspur Terrace" },
		"another text":    func(l *post.Letter) { l.PDF = append(l.PDF, '\n') },
	} {
		l := Letter("cd_1")
		change(&l)
		_, err := s.Provider.Send(t.Context(), l)
		wantFault(t, name, err, models.IdempotencyKeyReused)
	}
	if other := sent(t, s, Letter("cd_2")); other == first {
		t.Fatal("another key gave the first letter")
	}
	if n := len(s.Taken(t, "cd_1")); n != 1 {
		t.Fatalf("%d letters", n)
	}
}

func atOnce(t *testing.T, s Subject) {
	const callers = 24 // more than there are connections
	refs := make([]string, callers)
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			ref, err := s.Provider.Send(t.Context(), Letter("cd_1"))
			if err != nil {
				t.Errorf("send: %v", err)
			}
			refs[i] = ref
		})
	}
	all.Wait()
	for _, ref := range refs {
		if ref != refs[0] {
			t.Fatalf("one key, several letters: %v", refs)
		}
	}
}

func lostAnswers(t *testing.T, s Subject) {
	s.Disturb(t, sandbox.Order{Operation: "send", Effect: sandbox.TimeOut, Delay: sandbox.Duration(time.Millisecond)})
	ref, err := s.Provider.Send(t.Context(), Letter("cd_1"))
	wantFault(t, "lost", err, models.ServiceDown)
	if ref != "" {
		t.Fatal("a lost answer has a reference")
	}
	ref, ok, err := s.Provider.Find(t.Context(), "cd_1")
	if err != nil || !ok || ref == "" {
		t.Fatalf("not found: %q, %v", ref, err)
	}
	if again := sent(t, s, Letter("cd_1")); again != ref {
		t.Fatalf("sent twice: %s, %s", ref, again)
	}
	if n := len(s.Taken(t, "cd_1")); n != 1 {
		t.Fatalf("%d letters", n)
	}
}

func failures(t *testing.T, s Subject) {
	s.Disturb(t, sandbox.Order{Operation: "send", Effect: sandbox.Fail, Times: 2})
	for range 2 {
		_, err := s.Provider.Send(t.Context(), Letter("cd_1"))
		wantFault(t, "failed", err, models.ServiceDown)
		found(t, s, "cd_1", "")
	}
	found(t, s, "cd_1", sent(t, s, Letter("cd_1")))
}

func lookUpFails(t *testing.T, s Subject) {
	ref := sent(t, s, Letter("cd_1"))
	for _, order := range []sandbox.Order{{Operation: "find", Effect: sandbox.Fail}, {Operation: "find", Effect: sandbox.TimeOut, Delay: sandbox.Duration(time.Millisecond)}} {
		s.Disturb(t, order)
		_, _, err := s.Provider.Find(t.Context(), "cd_1")
		wantFault(t, string(order.Effect), err, models.ServiceDown)
	}
	found(t, s, "cd_1", ref)
}

func sent(t *testing.T, s Subject, l post.Letter) string {
	t.Helper()
	ref, err := s.Provider.Send(t.Context(), l)
	if err != nil {
		t.Fatalf("send: %v", err)
	}
	return ref
}

// found checks what is found under a key; nothing where want is empty.
func found(t *testing.T, s Subject, key, want string) {
	t.Helper()
	ref, ok, err := s.Provider.Find(t.Context(), key)
	if err != nil || ref != want || ok != (want != "") {
		t.Fatalf("under %s: want %q, got %q, %v, %v", key, want, ref, ok, err)
	}
}

// wantFault checks what an error is, and that it shows nothing of the letter (SEC-5).
func wantFault(t *testing.T, name string, err error, want *models.FaultType) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("%s: want fault %s, got %v", name, want.Slug, err)
	}
	for _, private := range []string{Text, "Zelda", "Larkspur", "98901", "PDF-1"} {
		if strings.Contains(err.Error(), private) {
			t.Fatalf("%s: the error shows %q: %v", name, private, err)
		}
	}
}
