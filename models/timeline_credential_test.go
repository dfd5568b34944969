package models_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
	"tokendesk/internal/calendar"
	"tokendesk/models"
)

func bankOf(p models.Policy) models.BankDays {
	return calendar.Bank(p.Location(), calendar.DefaultClose)
}

func vendorTime(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.ParseInLocation("2006-01-02 15:04", text, models.DefaultPolicy().Location())
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// described renders a timeline in the vendor's zone, one milestone a line.
func described(tl models.Timeline) string {
	var lines []string
	for _, m := range tl {
		lines = append(lines, m.At.In(models.DefaultPolicy().Location()).Format("2006-01-02 15:04")+" "+string(m.Name))
	}
	return strings.Join(lines, "\n")
}

// TestCredentialTimeline checks dates against the table of the requirements (LIF-1, LIF-2, LIF-3, MGT-3).
func TestCredentialTimeline(t *testing.T) {
	long := vendorTime(t, "2000-01-01 00:00")
	for name, c := range map[string]struct {
		facts models.LifeFacts
		at    time.Time
		want  string
	}{
		"a quiet life": {models.LifeFacts{ExpiresAt: vendorTime(t, "2027-03-10 15:30")}, long, `
2027-02-08 00:00 expiry_notice
2027-03-10 15:30 credential_expires
2028-01-10 00:00 credential_suspended
2028-02-09 00:00 revocation_reminder
2028-02-24 00:00 revocation_reminder
2028-03-06 00:00 last_invoice
2028-03-07 00:00 revocation_reminder
2028-03-09 17:00 last_renewal
2028-03-11 00:00 credential_revoked`},
		"29 February: the term and the year after end on the 28th": {models.LifeFacts{ExpiresAt: models.TermEnd(vendorTime(t, "2028-02-29 10:00"), 12, time.UTC)},
			vendorTime(t, "2029-12-31 00:00"), `
2029-01-29 00:00 expiry_notice
2029-02-28 10:00 credential_expires
2029-12-30 00:00 credential_suspended
2030-01-29 00:00 revocation_reminder
2030-02-13 00:00 revocation_reminder
2030-02-24 00:00 last_invoice
2030-02-25 00:00 revocation_reminder
2030-02-27 17:00 last_renewal
2030-03-01 00:00 credential_revoked`},
		"R − 1 on a Sunday: the Friday before": {models.LifeFacts{ExpiresAt: vendorTime(t, "2026-03-15 12:00")}, vendorTime(t, "2027-03-11 00:00"), `
2026-02-13 00:00 expiry_notice
2026-03-15 12:00 credential_expires
2027-01-14 00:00 credential_suspended
2027-02-13 00:00 revocation_reminder
2027-02-28 00:00 revocation_reminder
2027-03-12 00:00 revocation_reminder
2027-03-12 17:00 last_renewal
2027-03-16 00:00 credential_revoked`},
		"R − 1 on a bank holiday: Christmas on a Friday": {models.LifeFacts{ExpiresAt: vendorTime(t, "2025-12-26 09:00")}, vendorTime(t, "2026-12-24 00:00"), `
2025-11-26 00:00 expiry_notice
2025-12-26 09:00 credential_expires
2026-10-27 00:00 credential_suspended
2026-11-26 00:00 revocation_reminder
2026-12-11 00:00 revocation_reminder
2026-12-23 00:00 revocation_reminder
2026-12-24 17:00 last_renewal
2026-12-27 00:00 credential_revoked`},
		"suspended by command: bounded by 60 days": {models.LifeFacts{ExpiresAt: vendorTime(t, "2027-03-10 15:30"), SuspendedAt: new(vendorTime(t, "2026-06-01 23:59"))}, long, `
2026-07-01 00:00 revocation_reminder
2026-07-16 00:00 revocation_reminder
2026-07-28 00:00 revocation_reminder
2026-08-01 00:00 credential_revoked`},
		"suspended by command as renewal opens: by card only": {models.LifeFacts{ExpiresAt: vendorTime(t, "2027-03-10 15:30"), SuspendedAt: new(vendorTime(t, "2026-12-12 10:00"))}, long, `
2027-01-11 00:00 revocation_reminder
2027-01-26 00:00 revocation_reminder
2027-02-07 00:00 revocation_reminder
2027-02-08 00:00 expiry_notice
2027-02-09 17:00 last_renewal
2027-02-11 00:00 credential_revoked`},
		"suspended by command before renewal opens, which it never does": {models.LifeFacts{ExpiresAt: vendorTime(t, "2027-03-10 15:30"), SuspendedAt: new(vendorTime(t, "2026-12-10 10:00"))}, long, `
2027-01-09 00:00 revocation_reminder
2027-01-24 00:00 revocation_reminder
2027-02-05 00:00 revocation_reminder
2027-02-08 00:00 expiry_notice
2027-02-09 00:00 credential_revoked`},
		"suspended late: the term's own revocation is earlier": {models.LifeFacts{ExpiresAt: vendorTime(t, "2027-03-10 15:30"), SuspendedAt: new(vendorTime(t, "2028-02-20 08:00"))},
			vendorTime(t, "2028-02-20 09:00"), `
2027-02-08 00:00 expiry_notice
2027-03-10 15:30 credential_expires
2028-01-10 00:00 credential_suspended
2028-02-09 00:00 revocation_reminder
2028-02-24 00:00 revocation_reminder
2028-03-06 00:00 last_invoice
2028-03-07 00:00 revocation_reminder
2028-03-09 17:00 last_renewal
2028-03-11 00:00 credential_revoked`},
		"no reminder was delivered: a person looks first": {models.LifeFacts{ExpiresAt: vendorTime(t, "2027-03-10 15:30"), Undelivered: true}, vendorTime(t, "2028-03-11 00:00"), `
2027-02-08 00:00 expiry_notice
2027-03-10 15:30 credential_expires
2028-01-10 00:00 credential_suspended
2028-02-09 00:00 revocation_reminder
2028-02-24 00:00 revocation_reminder
2028-03-07 00:00 revocation_reminder
2028-03-11 00:00 revocation_review
2028-03-25 00:00 credential_revoked`},
		"revoked": {models.LifeFacts{Phase: models.CredentialRevoked, ExpiresAt: vendorTime(t, "2027-03-10 15:30")}, long, "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			p := models.DefaultPolicy()
			if got := "\n" + described(models.CredentialTimeline(c.facts, p, bankOf(p), c.at)); got != c.want {
				t.Errorf("got %s\nwant %s", got, c.want)
			}
		})
	}
}

// An expiry notice promises no renewal where a suspension by command leads to the revocation before that opens (LIF-2, LIF-4).
func TestExpiryNoticeWithoutRenewal(t *testing.T) {
	p := models.DefaultPolicy()
	for since, want := range map[string]string{"2026-12-10 10:00": "an expiry notice is mailed", "2026-12-12 10:00": "an expiry notice is mailed, and renewal opens"} {
		f := models.LifeFacts{ExpiresAt: vendorTime(t, "2027-03-10 15:30"), SuspendedAt: new(vendorTime(t, since))}
		for _, m := range models.CredentialTimeline(f, p, bankOf(p), vendorTime(t, since)) {
			if m.Name == models.ExpiryNotice && m.What != want {
				t.Errorf("suspended on %s: %q, want %q", since, m.What, want)
			}
		}
	}
}

// TestRenewalWindow checks the moments at which renewal opens and closes (REN-1, LIF-1, LIF-3).
func TestRenewalWindow(t *testing.T) {
	p := models.DefaultPolicy()
	quiet := models.LifeFacts{ExpiresAt: vendorTime(t, "2027-03-10 15:30")}
	unreached := quiet
	unreached.Undelivered = true
	for name, c := range map[string]struct {
		facts  models.LifeFacts
		at     string
		method models.PaymentMethod
		want   *models.FaultType
	}{
		"the moment before it opens":  {quiet, "2027-02-07 23:59", models.PayByCard, models.RenewalNotOpen},
		"the moment it opens":         {quiet, "2027-02-08 00:00", models.PayByInvoice, nil},
		"long expired":                {quiet, "2027-12-01 00:00", models.PayByInvoice, nil},
		"the last day for an invoice": {quiet, "2028-03-05 23:59", models.PayByInvoice, nil},
		"the day after, by invoice":   {quiet, "2028-03-06 00:00", models.PayByInvoice, models.RenewalByCardOnly},
		"the day after, by card":      {quiet, "2028-03-06 00:00", models.PayByCard, nil},
		"the last minute":             {quiet, "2028-03-09 16:59", models.PayByCard, nil},
		"close of business":           {quiet, "2028-03-09 17:00", models.PayByCard, models.RenewalTooLate},
		"under review, by card":       {unreached, "2028-03-20 12:00", models.PayByCard, nil},
		"under review, by invoice":    {unreached, "2028-03-20 12:00", models.PayByInvoice, models.RenewalByCardOnly},
		"at the end of the review":    {unreached, "2028-03-25 00:00", models.PayByCard, models.RenewalTooLate},
	} {
		t.Run(name, func(t *testing.T) {
			w := models.RenewalOf(c.facts, p, bankOf(p), 12)
			got := w.Refuse(c.method, vendorTime(t, c.at))
			if (got == nil) != (c.want == nil) || got != nil && got.Type != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
			if want := vendorTime(t, "2028-03-10 15:30"); !w.NewExpiry.Equal(want) {
				t.Errorf("the new expiry is %s, want %s", w.NewExpiry, want)
			}
		})
	}
}

// zones have changes of the clock at all sorts of hours, at midnight too.
var zones = []string{"America/New_York", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "America/Asuncion", "Africa/Cairo", "Asia/Beirut", "Pacific/Apia", "UTC"}

func anyPolicy(r *rapid.T) models.Policy {
	p := models.DefaultPolicy()
	p.Zone = rapid.SampledFrom(zones).Draw(r, "zone")
	if rapid.Bool().Draw(r, "own policy") {
		p.Life.NoticeBefore = rapid.IntRange(1, 90).Draw(r, "notice")
		p.Life.SuspendBefore = rapid.IntRange(20, 120).Draw(r, "suspend")
		p.Life.SuspensionDays = rapid.IntRange(20, 120).Draw(r, "suspension")
		p.Life.Reminders = [][]int{{30, 15, 3}, {19, 1}, {7}, nil}[rapid.IntRange(0, 3).Draw(r, "reminders")]
	}
	return p
}

// life lives a credential by hand, as the store does by guarded updates. What happened is written down by what it is about, not by the keys
// under which the timeline looks it up.
type life struct {
	p       models.Policy
	facts   models.LifeFacts
	at      time.Time
	done    map[string]time.Time // milestone and what it belongs to → the date that it had
	newest  time.Time            // date of the milestone that was performed last at this moment
	renewed bool
	lifted  bool // a suspension by command
}

func (l *life) dates() models.LifeDates { return models.DatesOf(l.facts, l.p, bankOf(l.p)) }

// about names a milestone by the term, or by the revocation and the day, that it belongs to.
func (l *life) about(name models.MilestoneName, at time.Time) string {
	switch name {
	case models.RevocationReminder:
		return fmt.Sprint(name, " of ", l.dates().Revocation.UTC(), " on ", at.UTC())
	case models.CredentialRevokes:
		return string(name)
	}
	return fmt.Sprint(name, " of ", l.facts.ExpiresAt.UTC())
}

func (l *life) advance(r *rapid.T) {
	l.newest = time.Time{}
	for {
		due := models.CredentialTimeline(l.facts, l.p, bankOf(l.p), l.at).Performable(l.at)
		if len(due) == 0 {
			return
		}
		l.perform(r, due[0])
	}
}

func (l *life) perform(r *rapid.T, m models.Milestone) {
	what := l.about(m.Name, m.At)
	switch _, before := l.done[what]; {
	case before:
		r.Fatalf("%s is performed twice", what)
	case l.facts.Phase == models.CredentialRevoked:
		r.Fatalf("%s comes after the revocation", what)
	case m.At.After(l.at):
		r.Fatalf("%s, which is on %s, is performed on %s", what, m.At, l.at)
	case m.At.Before(l.newest):
		r.Fatalf("%s, which is on %s, comes after what is on %s", what, m.At, l.newest)
	}
	l.done[what], l.newest = m.At, m.At
	l.facts.Performed = append(l.facts.Performed, m.Key)
	if m.Name == models.CredentialRevokes {
		l.facts.Phase = models.CredentialRevoked
	}
}

// checkNothingLost holds what has happened against the dates: whatever lies behind, up to the revocation, was performed, on its date.
func (l *life) checkNothingLost(r *rapid.T) {
	d := l.dates()
	behind := map[string]time.Time{
		l.about(models.ExpiryNotice, d.Notice): d.Notice, l.about(models.CredentialExpires, d.Expiry): d.Expiry,
		l.about(models.TermSuspended, d.Suspension): d.Suspension, l.about(models.CredentialRevokes, d.Revocation): d.Revocation,
	}
	for _, days := range l.p.Life.Reminders {
		at := models.StartOfDay(d.Revocation, -1-days, l.p.Location())
		behind[l.about(models.RevocationReminder, at)] = at
	}
	for what, at := range behind {
		performed, ok := l.done[what]
		switch past := !at.After(l.at) && !at.After(d.Revocation); {
		case past && !ok:
			r.Fatalf("on %s, %s, which is on %s, is lost", l.at, what, at)
		case past && !performed.Equal(at):
			r.Fatalf("%s is on %s, and was performed as if on %s", what, at, performed)
		case ok && at.After(l.at):
			r.Fatalf("on %s, %s, which is on %s, has happened already", l.at, what, at)
		}
	}
}

// TestNoMilestoneIsLost lives credentials through any sequence of renewals, suspensions and re-enablings: every milestone is performed exactly
// once, in order, and nobody is revoked without having been reminded of that revocation (LIF-1, LIF-2, REN-1, MGT-3).
func TestNoMilestoneIsLost(t *testing.T) {
	ends := map[string]int{}
	wanted := []string{"suspended to the end", "expired after a renewal", "expired after a suspension was lifted", "expired"}
	for round := 0; round < 10 && slices.ContainsFunc(wanted, func(end string) bool { return ends[end] == 0 }); round++ {
		liveAnyhow(t, ends)
	}
	for _, end := range wanted {
		if ends[end] == 0 {
			t.Errorf("no credential was %s: %v", end, ends)
		}
	}
}

// liveAnyhow lives many lives, and counts how they end.
func liveAnyhow(t *testing.T, ends map[string]int) {
	t.Helper()
	rapid.Check(t, func(r *rapid.T) {
		p := anyPolicy(r)
		bought := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(rapid.Int64Range(0, int64(5*365*24*time.Hour/time.Minute)).Draw(r, "minute")) * time.Minute)
		l := &life{p: p, at: bought, done: map[string]time.Time{}, facts: models.LifeFacts{Phase: models.CredentialActive, ExpiresAt: models.TermEnd(bought, 12, p.Location())}}
		temper := rapid.SampledFrom(tempers).Draw(r, "temper")
		for range 80 {
			l.act(r, temper)
			l.advance(r)
			l.checkNothingLost(r)
			if l.facts.Phase == models.CredentialRevoked {
				break
			}
			ahead := models.CredentialTimeline(l.facts, p, bankOf(p), l.at)
			if len(ahead) == 0 || ahead[len(ahead)-1].Name != models.CredentialRevokes {
				r.Fatalf("a life that does not end: %s", described(ahead))
			}
		}
		switch {
		case l.facts.Phase != models.CredentialRevoked:
			ends["still living"]++
		case l.facts.SuspendedAt != nil:
			ends["suspended to the end"]++
		case l.renewed:
			ends["expired after a renewal"]++
		case l.lifted:
			ends["expired after a suspension was lifted"]++
		default:
			ends["expired"]++
		}
	})
}

// deed is something that happens to a credential.
type deed string

const (
	passes   deed = "time passes"
	suspends deed = "it is suspended"
	lifts    deed = "it is re-enabled"
	renews   deed = "it is renewed"
)

// tempers are how people treat their credentials; chance alone would hardly let any of them live until time revokes it.
var tempers = [][]deed{{passes}, {passes, passes, passes, renews}, {passes, passes, suspends, lifts, lifts}, {passes, passes, suspends, lifts, renews}}

func (l *life) act(r *rapid.T, temper []deed) {
	switch rapid.SampledFrom(temper).Draw(r, "deed") {
	case suspends:
		if l.facts.SuspendedAt == nil {
			l.facts.SuspendedAt = new(l.at)
		}
	case lifts:
		l.lifted = l.lifted || l.facts.SuspendedAt != nil
		l.facts.SuspendedAt = nil
	case renews:
		if w := models.RenewalOf(l.facts, l.p, bankOf(l.p), 12); w.Open(l.at) && rapid.Bool().Draw(r, "really") {
			l.facts.ExpiresAt, l.renewed = w.NewExpiry, true
		}
	default:
		l.at = l.at.AddDate(0, 0, rapid.SampledFrom([]int{1, 3, 14, 30, 45, 59}).Draw(r, "days"))
	}
}

// TestDaysBegin checks first moments of days over years in zones whose clocks change, at midnight too (LIF-1).
func TestDaysBegin(t *testing.T) {
	for _, name := range zones {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		noon := time.Date(2009, 1, 1, 12, 0, 0, 0, zone)
		for i := range 10 * 365 {
			day := noon.AddDate(0, 0, i)
			start := models.StartOfDay(noon, i, zone)
			if start.Day() == start.Add(-time.Nanosecond).Day() {
				t.Fatalf("%s: %s is not the first moment of a day", name, start)
			}
			if name != "Pacific/Apia" && (start.Day() != day.Day() || start.Month() != day.Month()) { // Apia left out a day in 2011
				t.Fatalf("%s: the day of %s begins at %s", name, day, start)
			}
		}
	}
}
