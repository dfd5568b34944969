package demo

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tokendesk/api/client"
	"tokendesk/models"
)

// against plays on a stack that answers everything in one way.
func against(t *testing.T, status int, answer string) *play {
	t.Helper()
	stack := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(answer))
	}))
	t.Cleanup(stack.Close)
	support, err := client.Connect(stack.URL, "support")
	if err != nil {
		t.Fatal(err)
	}
	return &play{support: support, billing: support}
}

func refusal(f *models.FaultType) string {
	return `{"type":"/problems/` + f.Slug + `","title":"` + f.Title + `","status":400,"instance":"/x","request_id":"r"}`
}

// What needs a clock is left out where there is none that can be moved, and told where there is; trouble is not taken for either.
func TestStands(t *testing.T) {
	years := chapter{title: "Three years pass", passes: true}
	for name, c := range map[string]struct {
		chapter chapter
		status  int
		answer  string
		still   bool
		trouble bool
	}{
		"time moves":              {years, 200, `{"lifecycles":1}`, false, false},
		"an engine without":       {years, 503, refusal(models.SandboxClockUnavailable), true, false},
		"no sandbox":              {years, 404, refusal(models.NotASandbox), true, false},
		"another advance":         {years, 409, refusal(models.SandboxClockBusy), false, true},
		"a chapter without years": {chapter{}, 500, "", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			still, err := against(t, c.status, c.answer).stands(t.Context(), c.chapter)
			if still != c.still || (err != nil) != c.trouble {
				t.Error(still, err)
			}
		})
	}
}

func TestDate(t *testing.T) {
	p := against(t, 200, `{"now":"2029-02-03T04:05:06Z","ahead_seconds":9}`)
	if at, err := p.date(t.Context()); err != nil || !at.Equal(time.Date(2029, 2, 3, 4, 5, 6, 0, time.UTC)) {
		t.Error(at, err)
	}
	p = against(t, 404, refusal(models.NotASandbox))
	if at, err := p.date(t.Context()); err != nil || !at.IsZero() || !p.undated {
		t.Error(at, err)
	}
}

// Days are the vendor's: what ends with a day in New York ends on that day.
func TestDay(t *testing.T) {
	if got := day(time.Date(2026, 11, 23, 4, 59, 0, 0, time.UTC)); got != "22 November 2026" {
		t.Error(got)
	}
}

// Katherine's dates: three years, two of them counted from the end of a term, never from a payment.
func TestLetters(t *testing.T) {
	w := &person{expires: time.Date(2028, 11, 22, 15, 0, 0, 0, zone)}
	var said []string
	for _, l := range letters(w) {
		said = append(said, day(l.at)+": "+l.subject)
	}
	want := `23 October 2027: expires on 22 November 2027
22 November 2027: has expired
12 December 2027: has been renewed
22 January 2028: has been suspended
1 February 2028: can be used again
23 October 2028: expires on 22 November 2028
22 November 2028: has expired
23 September 2029: is suspended
23 October 2029: will be revoked on 22 November 2029
7 November 2029: will be revoked on 22 November 2029
19 November 2029: will be revoked on 22 November 2029
23 November 2029: has been revoked`
	if got := strings.Join(said, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestAloud(t *testing.T) {
	at := time.Date(2027, 1, 2, 12, 0, 0, 0, time.UTC)
	remind, end := client.Milestone{Name: "remind", At: at, What: "a reminder is mailed"}, client.Milestone{Name: "end", At: at.AddDate(0, 0, 8), What: "it is over"}
	nobody := "on 2027-01-10 it is over"
	for name, c := range map[string]struct {
		timeline client.Timeline
		want     string
	}{
		"somebody's turn": {client.Timeline{WaitingOn: "buyer", WaitingFor: "USD 1.00", Next: &remind, Milestones: []client.Milestone{remind, end}, IfNobodyActs: &nobody},
			"Tokendesk waits for the buyer: “USD 1.00”. Next, on 2 January 2027: “a reminder is mailed”. And if nobody acts: “on 2027-01-10 it is over”."},
		"one date":      {client.Timeline{WaitingOn: "time", WaitingFor: "nothing", Next: &end, Milestones: []client.Milestone{end}, IfNobodyActs: &nobody}, "It is left to time: “nothing”. And if nobody acts: “on 2027-01-10 it is over”."},
		"nothing ahead": {client.Timeline{WaitingOn: "nobody", WaitingFor: "nothing more happens"}, "Nobody is waited for: “nothing more happens”."},
	} {
		t.Run(name, func(t *testing.T) {
			if got := aloud(c.timeline); got != c.want {
				t.Error(got)
			}
		})
	}
	if got := dates(client.Timeline{Milestones: []client.Milestone{remind, end}}); got != "2 January 2027: a reminder is mailed; 10 January 2027: it is over." {
		t.Error(got)
	}
}

// A preview counts when its last line has come.
func TestReadPreview(t *testing.T) {
	const header, change = `{"line":"header","version":2}`, `{"line":"change","credential_id":"cr_1","changes":[{"what":"revoked"}]}`
	for name, c := range map[string]struct {
		text  string
		lines int
		wrong string
	}{
		"whole":    {header + "\n" + change + "\n" + `{"line":"summary","changed":1}` + "\n", 3, ""},
		"cut off":  {header + "\n" + change + "\n", 2, "the last line of a preview is its summary"},
		"torn":     {header + "\n" + `{"line":`, 1, "read the preview"},
		"given up": {header + "\n" + `{"line":"failure","problem":{"title":"The service is down"}}`, 1, "The service is down"},
	} {
		t.Run(name, func(t *testing.T) {
			seen, err := readPreview(strings.NewReader(c.text))
			if seen.lines != c.lines || (err == nil) != (c.wrong == "") || err != nil && !strings.Contains(err.Error(), c.wrong) {
				t.Error(seen, err)
			}
			if c.wrong == "" && (seen.changes["cr_1"].CredentialID != "cr_1" || seen.summary.Changed != 1) {
				t.Errorf("%+v", seen)
			}
		})
	}
	if _, err := against(t, 200, `{"items":[{"version":2,"current":true}]}`+"\n").preview(t.Context(), 6); err == nil {
		t.Error("an answer that is no preview was taken for one")
	}
}

// The temporary password stands in a line of its own.
func TestPasswordLine(t *testing.T) {
	found := passwordLine.FindStringSubmatch("Hello Ada,\r\n\r\nyours, as it stands:\r\n\r\n    ABCDE-fghij\r\n\r\nIt is good until noon.")
	if found == nil || found[1] != "ABCDE-fghij" {
		t.Errorf("%q", found)
	}
}

// A skipped chapter is told in a sentence, and to machines as an object of its own. Dates stand at the end of the titles' lines.
func TestSkippedAndDated(t *testing.T) {
	tell := func(cfg Config) string {
		var out bytes.Buffer
		cfg.Out = &out
		n := newNarrator(cfg)
		n.chapter("Three years pass")
		n.skipped("Three years pass", "There is no clock.")
		r := report{Step: 7, Name: "end", Title: "The term ends", OK: true, Outcome: "It is over.", Date: time.Date(2027, 11, 22, 12, 0, 0, 0, time.UTC)}
		n.begins(r)
		n.ends(r)
		return out.String()
	}
	want := "Three years pass\n\n      There is no clock.\n\n   7  The term ends" + strings.Repeat(" ", 57) + "22 November 2027\n      It is over.\n\n"
	if got := tell(Config{}); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for _, part := range []string{`{"chapter":"Three years pass","skipped":"There is no clock."}`, `"date":"2027-11-22T12:00:00Z"`} {
		if got := tell(Config{JSON: true}); !strings.Contains(got, part) {
			t.Errorf("%s is missing in %s", part, got)
		}
	}
}
