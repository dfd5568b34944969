package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tokendesk/deploy/dev/e2e/journey"
	"tokendesk/deploy/dev/stack/stacktest"
	"tokendesk/models"
)

// life is a person's credential and the time that passes over it.
type life struct {
	*ground
	t       *testing.T
	journey *journey.Journey
	zone    *time.Location
}

// until lets time pass until a moment.
func (l *life) until(at time.Time) {
	l.t.Helper()
	_, err := l.world.Advance(l.t.Context(), at)
	must(l.t, err)
}

// shows checks what the person sees, and what a relying application is told of a fresh code.
func (l *life) shows(status models.DisplayedStatus, result models.VerificationResult) {
	l.t.Helper()
	c, err := l.journey.Look(l.t.Context())
	must(l.t, err)
	said, err := l.journey.Press(l.t.Context())
	must(l.t, err)
	if c.Status != status || said != result {
		l.t.Errorf("shown as %s, the application was told %s; want %s, %s", c.Status, said, status, result)
	}
}

// day is a date in the vendor's zone, so many days after a moment.
func (l *life) day(of time.Time, days int) string {
	return of.In(l.zone).AddDate(0, 0, days).Format(time.DateOnly)
}

// TestThreeYears lives a credential for three years on the real engine: notice, expiry, renewal by invoice, misplaced and found, expiry again,
// suspension, three reminders, revocation; every mail comes once, with its date (LIF-1, LIF-2, REN-1, REN-2, MGT-1, MGT-3, LOG-5).
func TestThreeYears(t *testing.T) {
	s := stacktest.Run(t, stacktest.Config(t))
	g := groundOf(t, s)
	j := g.people(t, nil)[0]
	play(t, j)
	ctx := t.Context()
	l := &life{g, t, j, models.DefaultPolicy().Location()}
	began := time.Now()
	e1 := j.Credential.ExpiresAt
	e2 := models.TermEnd(e1, 12, l.zone)
	r := models.TermEnd(e2, 12, l.zone)

	l.until(e1.AddDate(0, 0, -29))
	l.shows(models.ShownActive, models.Accepted)
	l.until(e1.AddDate(0, 0, 20))
	l.shows(models.ShownExpired, models.ResultExpired)

	renewal, err := j.Renew(ctx)
	must(t, err)
	must(t, g.world.Transfer(ctx, renewal, e1.AddDate(0, 0, 20)))
	eventually(t, 10*time.Second, "the renewal", func() bool {
		c, err := j.Look(ctx)
		must(t, err)
		return c.ExpiresAt.Equal(e2)
	})
	l.shows(models.ShownActive, models.Accepted)

	misplaced := e1.AddDate(0, 2, 0)
	l.until(misplaced)
	must(t, j.Command(ctx, "/suspension", map[string]any{}))
	l.shows(models.ShownSuspended, models.ResultSuspended)
	found := misplaced.AddDate(0, 0, 10)
	l.until(found)
	must(t, j.Command(ctx, "/re-enabling", map[string]any{}))
	l.shows(models.ShownActive, models.Accepted)

	l.until(e2.AddDate(0, 0, 1))
	l.shows(models.ShownExpired, models.ResultExpired)
	l.until(r.AddDate(0, 0, -59))
	l.shows(models.ShownSuspended, models.ResultExpired) // suspended by time: what helps is to renew (LOG-8)
	l.until(r.AddDate(0, 0, 2))
	l.shows(models.ShownRevoked, models.ResultRevoked)
	t.Logf("three years passed in %v", time.Since(began).Round(time.Millisecond))

	want := []string{
		l.day(e1, -30) + " Your credential expires on", l.day(e1, 0) + " Your credential has expired",
		l.day(e1, 20) + " Your credential has been renewed", l.day(misplaced, 0) + " Your credential has been suspended", l.day(found, 0) + " Your credential can be used again",
		l.day(e2, -30) + " Your credential expires on", l.day(e2, 0) + " Your credential has expired", l.day(r, -60) + " Your credential is suspended",
		l.day(r, -30) + " Your credential will be revoked on", l.day(r, -15) + " Your credential will be revoked on", l.day(r, -3) + " Your credential will be revoked on",
		l.day(r, 1) + " Your credential has been revoked",
	}
	if got := l.mails(); !slices.EqualFunc(got, want, strings.HasPrefix) {
		t.Errorf("mails\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// mails lists the mails about the credential since it was registered, by date, having checked that each came once.
func (l *life) mails() (list []string) {
	l.t.Helper()
	all, err := l.world.Mails(l.t.Context(), l.journey.Person.Email, "Your credential")
	must(l.t, err)
	slices.SortFunc(all, func(a, b journey.Mail) int { return a.Date.Compare(b.Date) })
	for _, m := range all {
		if m.Deliveries != 1 || m.Altered {
			l.t.Errorf("%q came %d times", m.Subject, m.Deliveries)
		}
		list = append(list, fmt.Sprintf("%s %s", m.Date.In(l.zone).Format(time.DateOnly), m.Subject))
	}
	return list
}
