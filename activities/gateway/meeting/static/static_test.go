package static_test

import (
	"strings"
	"testing"
	"time"

	"tokendesk/activities/gateway/meeting"
	"tokendesk/activities/gateway/meeting/meetingtest"
	"tokendesk/activities/gateway/meeting/static"
)

// PRF-5: a room that is always there.
func TestContract(t *testing.T) {
	meetingtest.Run(t, func(t *testing.T) meetingtest.Subject {
		rooms, err := static.New("https://video.example/tokendesk")
		if err != nil {
			t.Fatal(err)
		}
		return meetingtest.Subject{Provider: rooms}
	})
}

// PRF-5: each agent has a room where the link says so.
func TestRoomOfAnAgent(t *testing.T) {
	starts := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	for link, want := range map[string]string{
		"https://video.example/tokendesk":            "https://video.example/tokendesk",
		"https://video.example/{agent}?from={agent}": "https://video.example/ag_7?from=ag_7",
	} {
		rooms, err := static.New(link)
		if err != nil {
			t.Fatal(err)
		}
		room, err := rooms.Create(t.Context(), meeting.Request{IdempotencyKey: "ap_1/0", AgentID: "ag_7", Title: "T", Starts: starts, Ends: starts.Add(time.Minute)})
		if err != nil || room.URL != want {
			t.Errorf("%s gives %+v, %v", link, room, err)
		}
	}
}

// A link that nobody should be sent to is refused, and not quoted.
func TestRefusesOtherLinks(t *testing.T) {
	for _, link := range []string{"", "video.example/private", "http://video.example/private", "https:///private", "ftp://video.example/private", "https://video.example/private\x00"} {
		if _, err := static.New(link); err == nil || strings.Contains(err.Error(), "private") {
			t.Errorf("%q gives %v", link, err)
		}
	}
}
