package models_test

import (
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
2026-07-27 00:00 last_invoice
2026-07-28 00:00 revocation_reminder
2026-07-30 17:00 last_renewal
2026-08-01 00:00 credential_revoked`},
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

// life lives a credential by hand, as the store does by guarded updates.
type life struct {
	p         models.Policy
	facts     models.LifeFacts
	at        time.Time
	term      time.Time // when term suspension was performed; zero: not
	performed []models.Milestone
}

func (l *life) advance(r *rapid.T) {
	for {
		tl := models.CredentialTimeline(l.facts, l.p, bankOf(l.p), l.at)
		if !slices.IsSortedFunc(tl, func(a, b models.Milestone) int { return a.At.Compare(b.At) }) {
			r.Fatalf("out of order: %s", described(tl))
		}
		due := tl.Performable(l.at)
		if len(due) == 0 {
			return
		}
		m := due[0]
		if slices.Contains(l.facts.Performed, m.Key) {
			r.Fatalf("%s is performed twice", m.Key)
		}
		l.facts.Performed = append(l.facts.Performed, m.Key)
		l.performed = append(l.performed, m)
		switch m.Name {
		case models.TermSuspended:
			l.term = m.At
		case models.CredentialRevokes:
			l.facts.Phase = models.CredentialRevoked
		}
	}
}

// TestNoMilestoneIsLost lives credentials through any sequence of renewals, suspensions and re-enablings: every milestone is performed exactly
// once, in order, and nobody is revoked without having been reminded of that revocation (LIF-1, LIF-2, REN-1, MGT-3).
func TestNoMilestoneIsLost(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		p := anyPolicy(r)
		bought := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(rapid.Int64Range(0, int64(5*365*24*time.Hour/time.Minute)).Draw(r, "minute")) * time.Minute)
		l := &life{p: p, at: bought, facts: models.LifeFacts{Phase: models.CredentialActive, ExpiresAt: models.TermEnd(bought, 12, p.Location())}}
		for range 40 {
			if l.facts.Phase == models.CredentialRevoked {
				break
			}
			switch rapid.IntRange(0, 5).Draw(r, "what") {
			case 0:
				if l.facts.SuspendedAt == nil {
					l.facts.SuspendedAt = new(l.at)
				}
			case 1:
				l.facts.SuspendedAt = nil
			case 2:
				if models.RenewalOf(l.facts, p, bankOf(p), 12).Open(l.at) {
					l.facts.ExpiresAt, l.term = models.RenewalOf(l.facts, p, bankOf(p), 12).NewExpiry, time.Time{}
				}
			default:
				days := rapid.IntRange(1, 45).Draw(r, "days")
				l.at = l.at.Add(time.Duration(days) * 24 * time.Hour)
			}
			l.advance(r)
			ahead := models.CredentialTimeline(l.facts, p, bankOf(p), l.at)
			if l.facts.Phase != models.CredentialRevoked && (len(ahead) == 0 || ahead[len(ahead)-1].Name != models.CredentialRevokes) {
				r.Fatalf("a life that does not end: %s", described(ahead))
			}
		}
		checkEnd(r, l)
	})
}

// checkEnd looks at a life that has ended: it was expired or suspended by command before, and every reminder of its revocation was sent.
func checkEnd(r *rapid.T, l *life) {
	if l.facts.Phase != models.CredentialRevoked {
		return
	}
	last := l.performed[len(l.performed)-1]
	if last.Name != models.CredentialRevokes {
		r.Fatalf("%s came after the revocation", last.Name)
	}
	reminders := 0
	revocation := models.DatesOf(l.facts, l.p, bankOf(l.p)).Revocation.UTC().Format(time.RFC3339)
	for _, m := range l.performed {
		if m.Name == models.RevocationReminder && strings.Contains(m.Key, revocation) {
			reminders++
		}
	}
	if reminders != len(l.p.Life.Reminders) {
		r.Fatalf("%d of %d reminders of the revocation were sent", reminders, len(l.p.Life.Reminders))
	}
	if l.facts.SuspendedAt == nil && l.term.IsZero() {
		r.Fatalf("revoked without having been suspended")
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
