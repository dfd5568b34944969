package simulator_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tokendesk/activities/gateway/post"
	"tokendesk/activities/gateway/post/posttest"
	"tokendesk/activities/gateway/post/rest"
	"tokendesk/activities/gateway/post/simulator"
	"tokendesk/activities/gateway/sandbox"
	"tokendesk/internal/documents"
	"tokendesk/internal/keycode"
	"tokendesk/internal/seal"
	"tokendesk/internal/testpg"
	"tokendesk/models"
)

func open(t *testing.T, url string, config simulator.Config) (*sandbox.Store, *simulator.Simulator) {
	t.Helper()
	store, err := sandbox.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	s, err := simulator.New(t.Context(), store, config)
	if err != nil {
		t.Fatal(err)
	}
	return store, s
}

func subject(store *sandbox.Store, s *simulator.Simulator, provider post.Provider) posttest.Subject {
	return posttest.Subject{Provider: provider,
		Disturb: func(t *testing.T, order sandbox.Order) {
			t.Helper()
			if _, err := store.Give(t.Context(), sandbox.Post, order); err != nil {
				t.Fatal(err)
			}
		},
		Taken: func(t *testing.T, key string) (taken []post.Letter) {
			t.Helper()
			items, err := s.Letters(t.Context(), key)
			if err != nil {
				t.Fatal(err)
			}
			for _, item := range items {
				o := opened(t, s, item.Ref)
				taken = append(taken, post.Letter{IdempotencyKey: o.Key, To: o.To, PDF: o.PDF})
			}
			return taken
		}}
}

func opened(t *testing.T, s *simulator.Simulator, ref string) simulator.Opened {
	t.Helper()
	o, err := s.Letter(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func sent(t *testing.T, s *simulator.Simulator, l post.Letter) string {
	t.Helper()
	ref, err := s.Send(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// PRF-4, PRF-9, OPS-2: the simulator, called in process.
func TestContractInProcess(t *testing.T) {
	posttest.Run(t, func(t *testing.T) posttest.Subject {
		store, s := open(t, testpg.Empty(t), simulator.Config{})
		return subject(store, s, s)
	})
}

// PRF-4, PRF-9, OPS-2: the HTTP adapter, against the simulator's API.
func TestContractOfRESTAdapter(t *testing.T) {
	posttest.Run(t, func(t *testing.T) posttest.Subject {
		store, s := open(t, testpg.Empty(t), simulator.Config{APIKey: "key"})
		server := httptest.NewServer(s.Handler())
		t.Cleanup(server.Close)
		return subject(store, s, rest.New(rest.Config{URL: server.URL + "/sandbox/post", APIKey: "key"}))
	})
}

// OPS-2: letters outlive the process that took them, and another one opens them.
func TestSurvivesRestart(t *testing.T) {
	url := testpg.Empty(t)
	ring, err := seal.Generate()
	if err != nil {
		t.Fatal(err)
	}
	_, before := open(t, url, simulator.Config{Keyring: ring})
	_, after := open(t, url, simulator.Config{Keyring: ring})
	first := sent(t, before, posttest.Letter("cd_1"))
	if again := sent(t, after, posttest.Letter("cd_1")); again != first {
		t.Fatalf("taken twice: %s, %s", first, again)
	}
	if o := opened(t, after, first); o.To != posttest.Home {
		t.Fatal("another letter")
	}
}

// PRF-4: the post has a place to which no letter goes.
func TestUnreachable(t *testing.T) {
	_, s := open(t, testpg.Empty(t), simulator.Config{})
	l := posttest.Letter("cd_1")
	l.To.PostalCode = simulator.Unreachable
	if _, err := s.Send(t.Context(), l); models.FaultOf(err).Type != models.PostalAddressNotUsable {
		t.Fatal(err)
	}
	if _, found, err := s.Find(t.Context(), "cd_1"); found || err != nil {
		t.Fatal(found, err)
	}
}

// SEC-5: what the database holds of a letter cannot be read there, and is gone once erased; that there was one is not.
func TestSealedAndErased(t *testing.T) {
	store, s := open(t, testpg.Empty(t), simulator.Config{})
	kept := func() (dump string) {
		t.Helper()
		err := store.Pool.QueryRow(t.Context(), `SELECT coalesce((SELECT string_agg(encode(coalesce(sealed, ''), 'escape'), '') || string_agg(l::text, '') FROM sandbox.letters l), '')
			|| (SELECT string_agg(c::text || encode(fingerprint, 'escape'), '') FROM sandbox.calls c)`).Scan(&dump)
		if err != nil {
			t.Fatal(err)
		}
		return dump
	}
	first, second := sent(t, s, posttest.Letter("cd_1")), sent(t, s, posttest.Letter("cd_2"))
	for _, private := range []string{posttest.Text, "Zelda", "Larkspur", "98901"} {
		if strings.Contains(kept(), private) {
			t.Errorf("%q is there to read", private)
		}
	}
	if err := s.Erase(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	if one, other := opened(t, s, first), opened(t, s, second); !one.Erased || one.PDF != nil || one.To != (models.Address{}) || one.Name != "" || other.Erased || other.To != posttest.Home {
		t.Errorf("not that one, or not that one alone, is erased")
	}
	if ref, found, err := s.Find(t.Context(), "cd_1"); err != nil || !found || ref != first {
		t.Errorf("%s, %v, %v", ref, found, err)
	}
	if again := sent(t, s, posttest.Letter("cd_1")); again != first {
		t.Errorf("taken again: %s", again)
	}
	if err := s.Erase(t.Context(), ""); err != nil || !opened(t, s, second).Erased {
		t.Errorf("not all are erased: %v", err)
	}
	if err := s.Erase(t.Context(), "ltr_0"); models.FaultOf(err).Type != models.NoSuchThing {
		t.Errorf("an unknown one: %v", err)
	}
}

// People and tests read letters, and steer the post, over HTTP. A list names whom a letter goes to, and nothing else of it.
func TestHandler(t *testing.T) {
	_, s := open(t, testpg.Empty(t), simulator.Config{APIKey: "key"})
	ref, erased := sent(t, s, posttest.Letter("cd_1")), sent(t, s, posttest.Letter("cd_0"))
	letter := "letters/" + ref
	for _, c := range []struct {
		name, method, path, accept, body string
		code                             int
		holds, lacks                     string
	}{
		{"page of letters", http.MethodGet, "", "", "", 200, letter + "/pdf", posttest.Text},
		{"list", http.MethodGet, "letters", "application/json", "", 200, `"name":"Zelda Quillon"`, "Larkspur"},
		{"list of a key", http.MethodGet, "letters?key=cd_1", "application/json", "", 200, letter + "/text", "cd_0"},
		{"list of another", http.MethodGet, "letters?key=cd_9", "application/json", "", 200, `"letters":[]`, ref},
		{"page of a letter", http.MethodGet, letter, "", "", 200, "4711 Larkspur Terrace", "erased"},
		{"text on its page", http.MethodGet, letter, "", "", 200, posttest.Text, "Tj"},
		{"letter", http.MethodGet, letter, "application/json", "", 200, `"key":"cd_1"`, "Larkspur"},
		{"PDF", http.MethodGet, letter + "/pdf", "", "", 200, "%PDF-1.4", "letters"},
		{"text", http.MethodGet, letter + "/text", "", "", 200, posttest.Text + "\n", "Tj"},
		{"no such letter", http.MethodGet, "letters/ltr_0", "", "", 404, "not-found", ref},
		{"erased from another site", http.MethodPost, "letters/" + erased + "/erase", "evil", "", 400, "another site", ref},
		{"erased", http.MethodPost, "letters/" + erased + "/erase", "", "", 303, "", ref},
		{"an erased one's PDF", http.MethodGet, "letters/" + erased + "/pdf", "", "", 404, "erased", "PDF-1.4"},
		{"an erased one's text", http.MethodGet, "letters/" + erased + "/text", "", "", 404, "erased", posttest.Text},
		{"an erased one's page", http.MethodGet, "letters/" + erased, "", "", 200, "An erased letter", "Zelda"},
		{"erased, listed", http.MethodGet, "letters?key=cd_0", "application/json", "", 200, `"erased":true`, "Zelda"},
		{"order", http.MethodPost, "orders", "", `{"operation":"send","effect":"time_out","match":"cd_9","times":2}`, 201, `"times":2`, ref},
		{"order that nobody obeys", http.MethodPost, "orders", "", `{"operation":"find","effect":"refuse"}`, 400, "invalid-request", ref},
		{"API without its key", http.MethodGet, "v1/letters?idempotency_key=cd_1", "", "", 401, "unauthenticated", ref},
		{"sent without the key", http.MethodPost, "v1/letters", "", `{}`, 401, "unauthenticated", ref},
		{"all thrown away", http.MethodDelete, "letters", "", "", 200, "{}", ref},
		{"nothing left", http.MethodGet, letter + "/pdf", "", "", 404, "erased", "PDF-1.4"},
	} {
		t.Run(c.name, func(t *testing.T) {
			request := httptest.NewRequest(c.method, simulator.Path+c.path, strings.NewReader(c.body))
			request.Header.Set("Content-Type", "application/json")
			if c.accept == "evil" {
				request.Header.Set("Sec-Fetch-Site", "cross-site")
			} else {
				request.Header.Set("Accept", c.accept)
			}
			answer := httptest.NewRecorder()
			s.Handler().ServeHTTP(answer, request)
			if answer.Code != c.code || !strings.Contains(answer.Body.String(), c.holds) || strings.Contains(answer.Body.String(), c.lacks) {
				t.Fatalf("want %d with %s, without %s, got %d %s", c.code, c.holds, c.lacks, answer.Code, answer.Body)
			}
		})
	}
}

// PRF-9: the code is read off our own letter, in whichever font it is written.
func TestReadsOurLetters(t *testing.T) {
	_, s := open(t, testpg.Empty(t), simulator.Config{})
	for name, recipient := range map[string]string{"standard font": "Zelda (Quillon) Müller\\", "carried font": "Zelda Łukasiewicz"} {
		code, err := keycode.New(keycode.MinBits)
		if err != nil {
			t.Fatal(err)
		}
		to := posttest.Home
		to.Name = recipient
		issued := time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)
		pdf, err := documents.ActivationLetter(documents.Letter{Seller: documents.Seller{Name: "Tokendesk", Address: posttest.Home}, To: to, Reference: "cd_1",
			Code: code, IssuedAt: issued, ExpiresAt: issued.AddDate(0, 0, 30)})
		if err != nil {
			t.Fatal(err)
		}
		ref := sent(t, s, post.Letter{IdempotencyKey: name, To: to, PDF: pdf})
		answer := httptest.NewRecorder()
		s.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, opened(t, s, ref).Text, nil))
		read := models.Secret("")
		for line := range strings.Lines(answer.Body.String()) {
			if parsed, err := keycode.Parse(line); err == nil {
				read = parsed
			}
		}
		if read != code || !strings.Contains(answer.Body.String(), recipient+"\n") {
			t.Errorf("%s: %s", name, answer.Body)
		}
		list, err := json.Marshal(opened(t, s, ref).Item)
		if err != nil || strings.Contains(string(list), code.Reveal()) {
			t.Errorf("%s: %s, %v", name, list, err)
		}
	}
}
