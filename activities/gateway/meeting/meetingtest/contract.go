// Package meetingtest is the contract of places for live video sessions, as a test that every provider passes.
package meetingtest

import (
	"errors"
	"net/url"
	"sync"
	"testing"
	"time"

	"tokendesk/activities/gateway/meeting"
	"tokendesk/activities/gateway/sandbox"
	"tokendesk/models"
)

// Subject is a provider under test.
type Subject struct {
	Provider meeting.Provider
	World    *World // nil where the provider makes nothing: then nothing can go wrong
}

// World is where a provider makes its rooms.
type World struct {
	Disturb func(t *testing.T, order sandbox.Order)       // tells the provider to misbehave
	Open    func(t *testing.T, ref string) bool           // reports whether there is such a room, and it is not cancelled
	Made    func(t *testing.T, idempotencyKey string) int // counts the rooms that were made under a key
}

var moment = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func request(key string) meeting.Request {
	return meeting.Request{IdempotencyKey: key, AgentID: "ag_1", Title: "Identity proofing", Starts: moment, Ends: moment.Add(30 * time.Minute)}
}

// Run proves the promises of package meeting on the providers that open makes (PRF-5, OPS-2).
func Run(t *testing.T, open func(t *testing.T) Subject) {
	cases := []struct {
		name string
		made bool // it is about rooms that are made
		test func(t *testing.T, s Subject)
	}{
		{"PRF-5 a room has a link", false, creates},
		{"bad requests", false, refuses},
		{"OPS-2 a key works once", false, once},
		{"OPS-2 one key at the same time", false, atOnce},
		{"cancelling may be repeated", false, cancels},
		{"a key belongs to its parameters", true, keyReused},
		{"PRF-6 a cancelled room is closed", true, closes},
		{"OPS-2 a lost answer is found again", true, lostAnswers},
		{"OPS-2 a failure leaves nothing behind", true, failures},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := open(t)
			if c.made && s.World == nil {
				t.Skip("it makes no rooms")
			}
			c.test(t, s)
		})
	}
}

func creates(t *testing.T, s Subject) {
	room := created(t, s, request("ap_1/0"))
	link, err := url.Parse(room.URL)
	if err != nil || link.Scheme != "https" || link.Host == "" || room.Ref == "" {
		t.Fatalf("room: %+v", room)
	}
}

func refuses(t *testing.T, s Subject) {
	for name, c := range map[string]struct {
		change func(*meeting.Request)
		want   *models.FaultType
	}{
		"no key":          {func(r *meeting.Request) { r.IdempotencyKey = "" }, models.IdempotencyKeyMissing},
		"no agent":        {func(r *meeting.Request) { r.AgentID = "" }, models.InvalidRequest},
		"no title":        {func(r *meeting.Request) { r.Title = "" }, models.InvalidRequest},
		"no time":         {func(r *meeting.Request) { r.Ends = r.Starts }, models.InvalidRequest},
		"ends beforehand": {func(r *meeting.Request) { r.Ends = r.Starts.Add(-time.Second) }, models.InvalidRequest},
	} {
		r := request("ap_1/0")
		c.change(&r)
		if _, err := s.Provider.Create(t.Context(), r); !errors.Is(err, c.want) {
			t.Errorf("%s: want %s, got %v", name, c.want.Slug, err)
		}
	}
}

func once(t *testing.T, s Subject) {
	first := created(t, s, request("ap_1/0"))
	elsewhere := request("ap_1/0") // the same moments, as another zone writes them
	elsewhere.Starts, elsewhere.Ends = elsewhere.Starts.In(time.FixedZone("", 3600)), elsewhere.Ends.In(time.FixedZone("", 3600))
	for _, r := range []meeting.Request{request("ap_1/0"), elsewhere} {
		if again := created(t, s, r); again != first {
			t.Fatalf("one key made two rooms: %+v, %+v", first, again)
		}
	}
	if other := created(t, s, request("ap_1/1")); other.Ref == first.Ref {
		t.Fatal("another key gave the first room")
	}
}

func atOnce(t *testing.T, s Subject) {
	const callers = 24 // more than there are connections
	rooms := make([]meeting.Room, callers)
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			room, err := s.Provider.Create(t.Context(), request("ap_1/0"))
			if err != nil {
				t.Errorf("create: %v", err)
			}
			rooms[i] = room
		})
	}
	all.Wait()
	for _, room := range rooms {
		if room != rooms[0] {
			t.Fatalf("one key made several rooms: %+v", rooms)
		}
	}
}

func cancels(t *testing.T, s Subject) {
	room := created(t, s, request("ap_1/0"))
	for _, ref := range []string{room.Ref, room.Ref, "mt_unknown", "a/b?c#d"} {
		if err := s.Provider.Cancel(t.Context(), ref); err != nil {
			t.Errorf("cancel %s: %v", ref, err)
		}
	}
}

func keyReused(t *testing.T, s Subject) {
	created(t, s, request("ap_1/0"))
	for name, change := range map[string]func(*meeting.Request){
		"agent": func(r *meeting.Request) { r.AgentID = "ag_2" },
		"title": func(r *meeting.Request) { r.Title = "Another" },
		"start": func(r *meeting.Request) { r.Starts = r.Starts.Add(time.Minute) },
		"end":   func(r *meeting.Request) { r.Ends = r.Ends.Add(time.Minute) },
	} {
		r := request("ap_1/0")
		change(&r)
		if _, err := s.Provider.Create(t.Context(), r); !errors.Is(err, models.IdempotencyKeyReused) {
			t.Errorf("another %s: %v", name, err)
		}
	}
}

func closes(t *testing.T, s Subject) {
	room, other := created(t, s, request("ap_1/0")), created(t, s, request("ap_2/0"))
	if !s.World.Open(t, room.Ref) {
		t.Fatal("the room is not open")
	}
	if err := s.Provider.Cancel(t.Context(), room.Ref); err != nil {
		t.Fatal(err)
	}
	if s.World.Open(t, room.Ref) || !s.World.Open(t, other.Ref) {
		t.Fatal("not that room, or not that room alone, is closed")
	}
}

func lostAnswers(t *testing.T, s Subject) {
	lose := func(operation string) {
		s.World.Disturb(t, sandbox.Order{Operation: operation, Effect: sandbox.TimeOut, Delay: sandbox.Duration(time.Millisecond)})
	}
	lose("create")
	_, err := s.Provider.Create(t.Context(), request("ap_1/0"))
	wantDown(t, err)
	room := created(t, s, request("ap_1/0"))
	if n := s.World.Made(t, "ap_1/0"); n != 1 {
		t.Fatalf("%d rooms under one key", n)
	}
	lose("cancel")
	wantDown(t, s.Provider.Cancel(t.Context(), room.Ref))
	if err := s.Provider.Cancel(t.Context(), room.Ref); err != nil || s.World.Open(t, room.Ref) {
		t.Fatalf("cancelled again: %v", err)
	}
}

func failures(t *testing.T, s Subject) {
	s.World.Disturb(t, sandbox.Order{Operation: "create", Effect: sandbox.Fail, Times: 2})
	for range 2 {
		_, err := s.Provider.Create(t.Context(), request("ap_1/0"))
		wantDown(t, err)
	}
	if n := s.World.Made(t, "ap_1/0"); n != 0 {
		t.Fatalf("%d rooms were made", n)
	}
	room := created(t, s, request("ap_1/0"))
	s.World.Disturb(t, sandbox.Order{Operation: "cancel", Effect: sandbox.Fail})
	wantDown(t, s.Provider.Cancel(t.Context(), room.Ref))
	if !s.World.Open(t, room.Ref) {
		t.Fatal("the room is closed")
	}
}

func created(t *testing.T, s Subject, r meeting.Request) meeting.Room {
	t.Helper()
	room, err := s.Provider.Create(t.Context(), r)
	if err != nil {
		t.Fatalf("create: %v", err)
	}
	return room
}

func wantDown(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, models.ServiceDown) {
		t.Fatalf("want fault %s, got %v", models.ServiceDown.Slug, err)
	}
}
