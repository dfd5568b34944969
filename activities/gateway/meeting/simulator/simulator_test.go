package simulator_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tokendesk/activities/gateway/meeting"
	"tokendesk/activities/gateway/meeting/meetingtest"
	"tokendesk/activities/gateway/meeting/rest"
	"tokendesk/activities/gateway/meeting/simulator"
	"tokendesk/activities/gateway/sandbox"
	"tokendesk/internal/testpg"
)

const public = "https://sandbox.example"

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

func subject(store *sandbox.Store, s *simulator.Simulator, provider meeting.Provider) meetingtest.Subject {
	return meetingtest.Subject{Provider: provider, World: &meetingtest.World{
		Disturb: func(t *testing.T, order sandbox.Order) {
			t.Helper()
			if _, err := store.Give(t.Context(), sandbox.Meetings, order); err != nil {
				t.Fatal(err)
			}
		},
		Open: func(t *testing.T, ref string) bool {
			t.Helper()
			room, err := s.Room(t.Context(), ref)
			if err != nil {
				t.Fatal(err)
			}
			return room.Standing != simulator.Cancelled
		},
		Made: func(t *testing.T, key string) int {
			t.Helper()
			rooms, err := s.Rooms(t.Context(), key)
			if err != nil {
				t.Fatal(err)
			}
			return len(rooms)
		},
	}}
}

// PRF-5, OPS-2: the simulator, called in process.
func TestContractInProcess(t *testing.T) {
	meetingtest.Run(t, func(t *testing.T) meetingtest.Subject {
		store, s := open(t, testpg.Empty(t), simulator.Config{PublicURL: public})
		return subject(store, s, s)
	})
}

// PRF-5, OPS-2: the HTTP adapter, against the simulator's API.
func TestContractOfRESTAdapter(t *testing.T) {
	meetingtest.Run(t, func(t *testing.T) meetingtest.Subject {
		store, s := open(t, testpg.Empty(t), simulator.Config{PublicURL: public, APIKey: "key"})
		server := httptest.NewServer(s.Handler())
		t.Cleanup(server.Close)
		return subject(store, s, rest.New(rest.Config{URL: server.URL + "/sandbox/meetings", APIKey: "key"}))
	})
}

var moment = time.Date(2031, 1, 2, 3, 0, 0, 0, time.UTC)

func made(t *testing.T, s *simulator.Simulator, key string) meeting.Room {
	t.Helper()
	room, err := s.Create(t.Context(), meeting.Request{IdempotencyKey: key, AgentID: "ag_1", Title: "Identity proofing", Starts: moment, Ends: moment.Add(30 * time.Minute)})
	if err != nil {
		t.Fatal(err)
	}
	return room
}

// OPS-2: rooms outlive the process that made them.
func TestSurvivesRestart(t *testing.T) {
	url := testpg.Empty(t)
	_, before := open(t, url, simulator.Config{PublicURL: public})
	_, after := open(t, url, simulator.Config{PublicURL: public})
	if first, again := made(t, before, "ap_1/0"), made(t, after, "ap_1/0"); first != again {
		t.Fatalf("made twice: %+v, %+v", first, again)
	}
}

// A room stands as the sandbox's clock has it.
func TestFollowsTheClock(t *testing.T) {
	now := moment
	_, s := open(t, testpg.Empty(t), simulator.Config{PublicURL: public, Now: func() time.Time { return now }})
	room, cancelled := made(t, s, "ap_1/0"), made(t, s, "ap_2/0")
	if err := s.Cancel(t.Context(), cancelled.Ref); err != nil {
		t.Fatal(err)
	}
	for after, want := range map[time.Duration]simulator.Standing{-time.Second: simulator.Early, 0: simulator.Live, 29 * time.Minute: simulator.Live, 30 * time.Minute: simulator.Over} {
		now = moment.Add(after)
		if v, err := s.Room(t.Context(), room.Ref); err != nil || v.Standing != want || v.URL != room.URL {
			t.Errorf("after %s: %+v, %v", after, v, err)
		}
		if v, err := s.Room(t.Context(), cancelled.Ref); err != nil || v.Standing != simulator.Cancelled {
			t.Errorf("after %s, cancelled: %+v, %v", after, v, err)
		}
	}
}

// People and tests see the rooms, and steer the provider, over HTTP.
func TestHandler(t *testing.T) {
	now := moment.Add(-time.Hour)
	_, s := open(t, testpg.Empty(t), simulator.Config{PublicURL: public, APIKey: "key", Now: func() time.Time { return now }})
	room := made(t, s, "ap_1/0")
	const asked = `{"title":"T","host":"ag_1","starts_at":"2031-01-02T03:00:00Z","ends_at":"2031-01-02T03:30:00Z"}`
	for _, c := range []struct {
		name, method, path, accept, body string
		code                             int
		holds                            string
	}{
		{"page of rooms", http.MethodGet, "", "", "", 200, room.Ref},
		{"list", http.MethodGet, "rooms", "application/json", "", 200, room.URL},
		{"list of a key", http.MethodGet, "rooms?key=ap_1/0", "application/json", "", 200, room.Ref},
		{"list of another", http.MethodGet, "rooms?key=ap_2/0", "application/json", "", 200, `"rooms":[]`},
		{"page of a room", http.MethodGet, "rooms/" + room.Ref, "", "", 200, "has not begun"},
		{"room", http.MethodGet, "rooms/" + room.Ref, "application/json", "", 200, `"standing":"not begun"`},
		{"no such room", http.MethodGet, "rooms/mt_0", "", "", 404, "not-found"},
		{"order", http.MethodPost, "orders", "", `{"operation":"create","effect":"fail","match":"ap_9/0","times":2}`, 201, `"times":2`},
		{"order that nobody obeys", http.MethodPost, "orders", "", `{"operation":"cancel","effect":"refuse"}`, 400, "invalid-request"},
		{"API without its key", http.MethodPost, "v1/meetings", "", asked, 401, "unauthenticated"},
		{"cancelled without the key", http.MethodDelete, "v1/meetings/" + room.Ref, "", "", 401, "unauthenticated"},
	} {
		t.Run(c.name, func(t *testing.T) {
			request := httptest.NewRequest(c.method, simulator.Path+c.path, strings.NewReader(c.body))
			request.Header.Set("Content-Type", "application/json")
			request.Header.Set("Accept", c.accept)
			answer := httptest.NewRecorder()
			s.Handler().ServeHTTP(answer, request)
			if answer.Code != c.code || !strings.Contains(answer.Body.String(), c.holds) {
				t.Fatalf("want %d with %s, got %d %s", c.code, c.holds, answer.Code, answer.Body)
			}
		})
	}
	if v, err := s.Room(t.Context(), room.Ref); err != nil || v.Standing == simulator.Cancelled {
		t.Fatalf("%+v, %v", v, err)
	}
}
