package invitation

import (
	"bytes"
	"errors"
	"mime"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	ics "github.com/arran4/golang-ical"
	"pgregory.net/rapid"
)

var ada = Invitation{
	UID:         "ap_0198c2@tokendesk.example",
	Sequence:    2,
	Stamp:       time.Date(2026, 3, 1, 8, 0, 0, 123, time.UTC),
	Start:       time.Date(2026, 3, 29, 9, 35, 0, 0, time.FixedZone("", 2*3600)),
	End:         time.Date(2026, 3, 29, 10, 5, 0, 0, time.FixedZone("", 2*3600)),
	Summary:     "Identity proofing by video",
	Description: "Have your passport at hand;\r\nwe call you at 09:35, not before.",
	Link:        "https://meet.example/r/7f?lang=en&a=1,2;3",
	Organizer:   Party{"Tokendesk", "proofing@tokendesk.example"},
	Attendee:    Party{"Ada King, Countess of Lovelace", "ada+id@example.com"},
	Reminder:    30 * time.Minute,
}

// PRF-5: what a calendar gets, to the byte.
func TestRequest(t *testing.T) {
	got, err := ada.Encode(Request)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.ReplaceAll(`BEGIN:VCALENDAR
PRODID:-//Tokendesk//Appointments//EN
VERSION:2.0
CALSCALE:GREGORIAN
METHOD:REQUEST
BEGIN:VEVENT
UID:ap_0198c2@tokendesk.example
SEQUENCE:2
DTSTAMP:20260301T080000Z
DTSTART:20260329T073500Z
DTEND:20260329T080500Z
STATUS:CONFIRMED
SUMMARY:Identity proofing by video
DESCRIPTION:Have your passport at hand\;\nwe call you at 09:35\, not before
 .
LOCATION:https://meet.example/r/7f?lang=en&a=1\,2\;3
URL:https://meet.example/r/7f?lang=en&a=1,2;3
CONFERENCE;VALUE=URI;FEATURE=AUDIO,VIDEO:https://meet.example/r/7f?lang=en&
 a=1,2;3
ORGANIZER;CN="Tokendesk":mailto:proofing@tokendesk.example
ATTENDEE;CN="Ada King, Countess of Lovelace";CUTYPE=INDIVIDUAL;ROLE=REQ-PAR
 TICIPANT;PARTSTAT=ACCEPTED;RSVP=FALSE:mailto:ada+id@example.com
CLASS:PRIVATE
TRANSP:OPAQUE
BEGIN:VALARM
ACTION:DISPLAY
DESCRIPTION:Identity proofing by video
TRIGGER:-PT1800S
END:VALARM
END:VEVENT
END:VCALENDAR
`, "\n", "\r\n")
	if string(got) != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

// PRF-5, PRF-6: a library that reads calendars reads what was meant; a cancellation names the same appointment.
func TestReadBack(t *testing.T) {
	for _, c := range []struct {
		method Method
		status ics.ObjectStatus
		link   bool
		alarms int
	}{{Request, ics.ObjectStatusConfirmed, true, 1}, {Cancel, ics.ObjectStatusCancelled, false, 0}} {
		event, cal := read(t, encode(t, ada, c.method))
		if got := cal.CalendarProperties[slices.IndexFunc(cal.CalendarProperties, func(p ics.CalendarProperty) bool { return p.IANAToken == "METHOD" })].Value; got != string(c.method) {
			t.Errorf("method %s, want %s", got, c.method)
		}
		start, _ := event.GetStartAt()
		end, _ := event.GetEndAt()
		stamp, _ := event.GetDtStampTime()
		if !start.Equal(ada.Start) || !end.Equal(ada.End) || !stamp.Equal(ada.Stamp.Truncate(time.Second)) {
			t.Errorf("%s: %v to %v as of %v", c.method, start, end, stamp)
		}
		for property, want := range map[ics.ComponentProperty]string{
			ics.ComponentPropertyUniqueId: ada.UID, ics.ComponentPropertySequence: "2", ics.ComponentPropertyStatus: string(c.status),
			ics.ComponentPropertySummary: ada.Summary, ics.ComponentPropertyDescription: strings.ReplaceAll(ada.Description, "\r\n", "\n"),
			ics.ComponentPropertyOrganizer: "mailto:proofing@tokendesk.example", ics.ComponentPropertyAttendee: "mailto:ada+id@example.com",
		} {
			if got := event.GetProperty(property); got == nil || got.Value != want {
				t.Errorf("%s: %s is %+v, want %s", c.method, property, got, want)
			}
		}
		if cn := event.Attendees()[0].ICalParameters["CN"]; len(cn) != 1 || cn[0] != ada.Attendee.Name {
			t.Errorf("%s: %q", c.method, cn)
		}
		if got := event.GetProperty(ics.ComponentPropertyUrl); (got != nil) != c.link || (c.link && got.Value != ada.Link) {
			t.Errorf("%s: link %+v", c.method, got)
		}
		if got := len(event.Alarms()); got != c.alarms {
			t.Errorf("%s: %d alarms", c.method, got)
		}
		kind, params, err := mime.ParseMediaType(c.method.ContentType())
		if err != nil || kind != "text/calendar" || params["method"] != string(c.method) || params["charset"] != "utf-8" {
			t.Errorf("%s: %s %v %v", c.method, kind, params, err)
		}
	}
}

// PRF-5: what may be left out.
func TestOptional(t *testing.T) {
	i := ada
	i.Link, i.Description, i.Reminder, i.Attendee.Name, i.Organizer.Name, i.Sequence = "", "", 0, "", " \r\n", 0
	text := string(encode(t, i, Request))
	for _, absent := range []string{"URL", "LOCATION", "CONFERENCE", "DESCRIPTION", "VALARM", "CN="} {
		if strings.Contains(text, absent) {
			t.Errorf("%s in\n%s", absent, text)
		}
	}
	if !strings.Contains(text, "SEQUENCE:0\r\n") {
		t.Error(text)
	}
}

// PRF-5: names as they are, and names as attackers would like them.
func TestNames(t *testing.T) {
	for name, want := range map[string]string{
		"O'Brien":                           "O'Brien",
		"José Ñandú":                        "José Ñandú",
		"山田 太郎":                             "山田 太郎",
		"محمد علي":                          "محمد علي",
		"Dr.; Jekyll: Hyde, MD":             "Dr.; Jekyll: Hyde, MD",
		`William "Bill" Gates`:              "William 'Bill' Gates",
		"back\\slash\\":                     "back/slash/",
		"Ada\r\nATTENDEE:mailto:x@evil.org": "Ada ATTENDEE:mailto:x@evil.org",
		"Ada\nEND:VEVENT":                   "Ada END:VEVENT",
		"Ada\rEND:VEVENT":                   "Ada END:VEVENT",
		"Ada\u2028END:VEVENT":               "Ada END:VEVENT",
		"Ada\u0085END:VEVENT":               "Ada END:VEVENT",
		"Ada^nEND:VEVENT":                   "Ada nEND:VEVENT",
		`Ada";ROLE=CHAIR;X="`:               "Ada';ROLE=CHAIR;X='",
		"Ada\x00\x1b[31m":                   "Ada[31m",
		"\u202egnp.exe":                     "gnp.exe",
		"\xff\xfe":                          "\uFFFD",
	} {
		i := ada
		i.Attendee.Name, i.Summary = name, name
		out := encode(t, i, Request)
		lines := unfold(t, out)
		at := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "ATTENDEE;") })
		if !strings.HasPrefix(lines[at], `ATTENDEE;CN="`+want+`";CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;`) {
			t.Errorf("%q: %s", name, lines[at])
		}
		event, _ := read(t, out)
		if n := len(event.Attendees()); n != 1 {
			t.Errorf("%q: %d attendees", name, n)
		}
	}
}

// What cannot be an appointment.
func TestInvalid(t *testing.T) {
	for name, change := range map[string]func(*Invitation){
		"no UID":                  func(i *Invitation) { i.UID = "" },
		"UID of two lines":        func(i *Invitation) { i.UID = "a\r\nEND:VEVENT" },
		"UID too long":            func(i *Invitation) { i.UID = strings.Repeat("a", 201) },
		"negative sequence":       func(i *Invitation) { i.Sequence = -1 },
		"no stamp":                func(i *Invitation) { i.Stamp = time.Time{} },
		"no start":                func(i *Invitation) { i.Start = time.Time{} },
		"year 10000":              func(i *Invitation) { i.End = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
		"ends at its start":       func(i *Invitation) { i.End = i.Start.Add(time.Millisecond) },
		"no summary":              func(i *Invitation) { i.Summary = "\u202e \n" },
		"negative reminder":       func(i *Invitation) { i.Reminder = -1 },
		"endless reminder":        func(i *Invitation) { i.Reminder = 1 << 62 },
		"no organizer":            func(i *Invitation) { i.Organizer = Party{} },
		"no attendee":             func(i *Invitation) { i.Attendee.Address = "" },
		"address of two lines":    func(i *Invitation) { i.Attendee.Address = "a@example.com\r\nX:1" },
		"address with a name":     func(i *Invitation) { i.Attendee.Address = "Ada <a@example.com>" },
		"two addresses":           func(i *Invitation) { i.Attendee.Address = "a@example.com, b@example.com" },
		"quoted address":          func(i *Invitation) { i.Attendee.Address = `"a b"@example.com` },
		"link without encryption": func(i *Invitation) { i.Link = "http://meet.example/" },
		"script for a link":       func(i *Invitation) { i.Link = "javascript:alert(1)" },
		"link of two lines":       func(i *Invitation) { i.Link = "https://meet.example/\r\nX:1" },
		"link with a password":    func(i *Invitation) { i.Link = "https://a:b@meet.example/" },
		"link with a blank":       func(i *Invitation) { i.Link = "https://meet.example/?a b" },
		"no link at all":          func(i *Invitation) { i.Link = "meet" },
	} {
		i := ada
		change(&i)
		if out, err := i.Encode(Request); !errors.Is(err, ErrInvalid) || out != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
	if _, err := ada.Encode("PUBLISH"); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
}

// Addresses with characters that a URI gives a meaning.
func TestAddresses(t *testing.T) {
	for address, want := range map[string]string{
		"ada.king+id@example.com": "mailto:ada.king+id@example.com",
		"o'brien@example.com":     "mailto:o'brien@example.com",
		"a?subject=x@example.com": "mailto:a%3Fsubject=x@example.com",
		"a&b%c/d#e@example.com":   "mailto:a%26b%25c%2Fd%23e@example.com",
		"jörg@bücher.example":     "mailto:j%C3%B6rg@b%C3%BCcher.example",
	} {
		if got, err := mailto(address); err != nil || got != want {
			t.Errorf("%s: %s, %v", address, got, err)
		}
	}
}

// Whatever the texts, the same lines come in the same order, none too long, and texts read back as they were.
func TestTextsStayTexts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringMatching(`([a-zß-ſ\\;,:"^'\r\n\t <>日本語😀]|END:VEVENT|\\n|BEGIN:){0,60}`))
		i := ada
		i.Summary = "x" + text.Draw(t, "summary")
		i.Description = "x" + text.Draw(t, "description")
		i.Attendee.Name = "x" + text.Draw(t, "name")
		checkTexts(t, i)
	})
}

func FuzzTexts(f *testing.F) {
	f.Add("Ada", "Proofing", "Two\nlines")
	f.Add("Ada\r\nATTENDEE:mailto:x@y", "a;b,c\\n", strings.Repeat("日本", 80))
	f.Fuzz(func(t *testing.T, name, summary, description string) {
		i := ada
		i.Attendee.Name, i.Summary, i.Description = "x"+name, "x"+summary, "x"+description
		checkTexts(t, i)
	})
}

type tester interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

func checkTexts(t tester, i Invitation) {
	t.Helper()
	out, err := i.Encode(Request)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, l := range unfold(t, out) {
		name := contentLine.FindStringSubmatch(l)
		if name == nil {
			t.Fatalf("not a content line: %q", l)
		}
		names = append(names, name[1])
	}
	plain, err := ada.Encode(Request)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, l := range unfold(t, plain) {
		want = append(want, contentLine.FindStringSubmatch(l)[1])
	}
	if !slices.Equal(names, want) {
		t.Fatalf("%v, want %v", names, want)
	}
	event, _ := read(t, out)
	if got := event.GetProperty(ics.ComponentPropertySummary).Value; got != line(i.Summary) {
		t.Fatalf("summary %q, want %q", got, line(i.Summary))
	}
	if got := event.GetProperty(ics.ComponentPropertyDescription).Value; got != lines(i.Description) {
		t.Fatalf("description %q, want %q", got, lines(i.Description))
	}
}

// contentLine is RFC 5545 §3.1, its parameters included.
var contentLine = regexp.MustCompile(`^([A-Z-]+)(?:;[A-Z-]+=(?:"[^"\x00-\x08\x0a-\x1f\x7f]*"|[^";:,\x00-\x1f\x7f]*)(?:,[^";:,\x00-\x1f\x7f]*)*)*:[^\x00-\x08\x0a-\x1f\x7f]*$`)

// unfold undoes folding, and checks what RFC 5545 §3.1 says of lines.
func unfold(t tester, out []byte) []string {
	t.Helper()
	text, ok := strings.CutSuffix(string(out), "\r\n")
	if !ok {
		t.Fatal("the last line is not ended")
	}
	for l := range strings.SplitSeq(text, "\r\n") {
		if len(l) > 75 || !utf8.ValidString(l) || strings.ContainsFunc(l, func(r rune) bool { return unicode.IsControl(r) && r != '\t' }) {
			t.Fatalf("line %q", l)
		}
	}
	return strings.Split(strings.ReplaceAll(text, "\r\n ", ""), "\r\n")
}

func encode(t *testing.T, i Invitation, m Method) []byte {
	t.Helper()
	out, err := i.Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func read(t tester, out []byte) (*ics.VEvent, *ics.Calendar) {
	t.Helper()
	cal, err := ics.ParseCalendar(bytes.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	if len(cal.Events()) != 1 {
		t.Fatalf("%d events", len(cal.Events()))
	}
	return cal.Events()[0], cal
}
