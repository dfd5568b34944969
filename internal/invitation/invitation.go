// Package invitation writes calendar invitations for mail: one appointment between an organizer and one person, asked
// for, moved or cancelled (RFC 5545 iCalendar, RFC 5546 iTIP, RFC 6047 iMIP; PRF-5, PRF-6).
//
// Times are written in UTC. An appointment that happens once is an instant, and UTC is the one form of it that every
// calendar reads alike: a VTIMEZONE would bring rules of its own, which Outlook maps to names of its own and
// others ignore for their own data. The calendar shows the instant in its owner's zone, wherever that is by then.
//
// Content lines are written here, not by a library: those to be had for Go escape the values of parameters with
// backslashes, which RFC 5545 §3.1 does not know, so that people would read O\'Brien in their calendars.
package invitation

import (
	"errors"
	"fmt"
	"net/mail"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Method is what an invitation asks of the calendar that receives it (RFC 5546 §1.4).
type Method string

// The methods that an organizer uses.
const (
	Request Method = "REQUEST" // take this appointment, or this new state of it
	Cancel  Method = "CANCEL"  // it does not take place
)

// FileName is what an invitation is called when it is attached to a mail.
const FileName = "invite.ics"

// ContentType is the media type of the mail part (RFC 6047 §2.4). Its method must be that of the invitation.
func (m Method) ContentType() string { return "text/calendar; charset=utf-8; method=" + string(m) }

// Party is who takes part. The name may be empty.
type Party struct{ Name, Address string }

// Invitation is an appointment as a calendar shall show it. Names, summary and description may be any text: what a
// calendar could take for structure is escaped, control characters are left out.
type Invitation struct {
	UID         string        // the same for the life of the appointment: letters, digits and ._@-, up to 200
	Sequence    int           // rises with each change, the cancellation included; from 0
	Stamp       time.Time     // when this invitation is written
	Start, End  time.Time     // in whole seconds
	Summary     string        // one line; required
	Description string        // may have many lines; may be empty
	Link        string        // where to meet, https; may be empty. A cancellation leaves it out
	Organizer   Party         // who answers mail about it
	Attendee    Party         // who asked for the appointment, and so has accepted it
	Reminder    time.Duration // the calendar reminds so long before; 0 for not at all
}

// ErrInvalid is an appointment that no invitation can be written of.
var ErrInvalid = errors.New("invitation: invalid")

const (
	maxUID      = 200
	maxReminder = 30 * 24 * time.Hour
	maxSequence = 1<<31 - 1
)

var uidForm = regexp.MustCompile(`^[A-Za-z0-9._@-]+$`)

func (i Invitation) validate() error {
	switch {
	case !uidForm.MatchString(i.UID) || len(i.UID) > maxUID:
		return fmt.Errorf("%w: the UID", ErrInvalid)
	case i.Sequence < 0 || i.Sequence > maxSequence:
		return fmt.Errorf("%w: the sequence", ErrInvalid)
	case !writable(i.Stamp) || !writable(i.Start) || !writable(i.End):
		return fmt.Errorf("%w: a time", ErrInvalid)
	case !i.Start.Truncate(time.Second).Before(i.End.Truncate(time.Second)):
		return fmt.Errorf("%w: it ends before it starts", ErrInvalid)
	case line(i.Summary) == "":
		return fmt.Errorf("%w: the summary is missing", ErrInvalid)
	case i.Reminder < 0 || i.Reminder > maxReminder:
		return fmt.Errorf("%w: the reminder", ErrInvalid)
	}
	return nil
}

// writable reports whether a time fits into the four digits of a year, and was set at all.
func writable(t time.Time) bool {
	return !t.IsZero() && t.UTC().Year() >= 1900 && t.UTC().Year() <= 9999
}

// Encode is the invitation as the content of a mail part. Errors are ErrInvalid.
func (i Invitation) Encode(m Method) ([]byte, error) {
	if m != Request && m != Cancel {
		return nil, fmt.Errorf("%w: the method", ErrInvalid)
	}
	if err := i.validate(); err != nil {
		return nil, err
	}
	organizer, err := mailto(i.Organizer.Address)
	if err != nil {
		return nil, err
	}
	attendee, err := mailto(i.Attendee.Address)
	if err != nil {
		return nil, err
	}
	link, err := meeting(i.Link)
	if err != nil {
		return nil, err
	}
	status := "CONFIRMED"
	if m == Cancel {
		status, link = "CANCELLED", ""
	}
	var w writer
	w.line("BEGIN:VCALENDAR")
	w.line("PRODID:-//Tokendesk//Appointments//EN")
	w.line("VERSION:2.0")
	w.line("CALSCALE:GREGORIAN")
	w.line("METHOD:" + string(m))
	w.line("BEGIN:VEVENT")
	w.line("UID:" + i.UID)
	w.line("SEQUENCE:" + strconv.Itoa(i.Sequence))
	w.line("DTSTAMP:" + utc(i.Stamp))
	w.line("DTSTART:" + utc(i.Start))
	w.line("DTEND:" + utc(i.End))
	w.line("STATUS:" + status)
	w.line("SUMMARY:" + escape(line(i.Summary)))
	if text := lines(i.Description); text != "" {
		w.line("DESCRIPTION:" + escape(text))
	}
	if link != "" {
		w.line("LOCATION:" + escape(link)) // every calendar shows it
		w.line("URL:" + link)
		w.line("CONFERENCE;VALUE=URI;FEATURE=AUDIO,VIDEO:" + link) // RFC 7986 §5.11
	}
	w.line("ORGANIZER" + commonName(i.Organizer.Name) + ":" + organizer)
	w.line("ATTENDEE" + commonName(i.Attendee.Name) + ";CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;PARTSTAT=ACCEPTED;RSVP=FALSE:" + attendee)
	w.line("CLASS:PRIVATE") // whoever shares a calendar need not share that an identity is proofed
	w.line("TRANSP:OPAQUE")
	if i.Reminder > 0 && m == Request {
		w.line("BEGIN:VALARM")
		w.line("ACTION:DISPLAY")
		w.line("DESCRIPTION:" + escape(line(i.Summary)))
		w.line("TRIGGER:-PT" + strconv.Itoa(int(i.Reminder/time.Second)) + "S")
		w.line("END:VALARM")
	}
	w.line("END:VEVENT")
	w.line("END:VCALENDAR")
	return w.Bytes(), nil
}

func utc(t time.Time) string { return t.UTC().Format("20060102T150405Z") }

// mailto is a plain address as a URI (RFC 6068 §2).
func mailto(address string) (string, error) {
	parsed, err := mail.ParseAddress(address)
	if err != nil || parsed.Address != address || strings.ContainsAny(address, "\"\\() ") || len(address) > 254 {
		return "", fmt.Errorf("%w: an address", ErrInvalid)
	}
	var b strings.Builder
	for _, c := range []byte(address) {
		if c < 0x80 && (alphanumeric(c) || strings.IndexByte("-._~@!$'*+=", c) >= 0) {
			b.WriteByte(c)
			continue
		}
		fmt.Fprintf(&b, "%%%02X", c)
	}
	return "mailto:" + b.String(), nil
}

func alphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

// meeting is a link as a URI. Only https: a calendar opens it at a touch.
func meeting(link string) (string, error) {
	if link == "" {
		return "", nil
	}
	parsed, err := url.Parse(link)
	if err != nil || parsed.Scheme != "https" || parsed.Host == "" || parsed.User != nil || len(link) > 2000 {
		return "", fmt.Errorf("%w: the link", ErrInvalid)
	}
	written := parsed.String()
	for _, c := range []byte(written) {
		if c <= ' ' || c >= 0x7f || c == '"' {
			return "", fmt.Errorf("%w: the link", ErrInvalid)
		}
	}
	return written, nil
}
