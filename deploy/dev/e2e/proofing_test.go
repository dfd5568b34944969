package e2e

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	api "tokendesk/api/client"
	"tokendesk/deploy/dev/e2e/journey"
	"tokendesk/deploy/dev/stack/stacktest"
	"tokendesk/models"
)

// proofed is a person who is proofed by live video, and the time that passes over it.
type proofed struct {
	*life
	office  *journey.Office
	contact journey.Contact
	booked  api.Appointment
	since   time.Time // the license key was activated
	mailed  []string  // what must have been mailed, by date and address
}

// office is where the agents of a running stack work.
func (g *ground) office() *journey.Office {
	return &journey.Office{World: g.world, URL: g.record.AgentsURL, CA: g.record.AgentsCA}
}

// proof has a person buy a token with proofing, and activate it.
func (g *ground) proof(t *testing.T, country, lastName string) *journey.Journey {
	t.Helper()
	must(t, g.world.Stock(t.Context(), 21))
	person, err := g.world.Named(t.Context(), lastName)
	must(t, err)
	j := &journey.Journey{World: g.world, Person: person, Proofs: country}
	must(t, j.Activate(t.Context()))
	must(t, j.Proof(t.Context()))
	if j.Credential.Phase != models.PendingProofing || j.Proofing.Status != models.ProofingChoosing {
		t.Fatalf("the credential is %s, its proofing %s", j.Credential.Phase, j.Proofing.Status)
	}
	return j
}

// expect says that a mail is sent on a day so many days after a moment.
func (p *proofed) expect(of time.Time, days int, subject string) {
	p.mailed = append(p.mailed, p.day(of, days)+" "+subject)
}

// sessionDay is how mails name the day of the session.
func (p *proofed) sessionDay() string {
	zone, err := time.LoadLocation(journey.Zone)
	must(p.t, err)
	return p.booked.StartsAt.In(zone).Format("Monday, 2 January 2006")
}

// book books a session some days from now.
func (p *proofed) book(now time.Time, days int) {
	p.t.Helper()
	var err error
	p.booked, err = p.journey.Book(p.t.Context(), now.AddDate(0, 0, days), p.contact)
	must(p.t, err)
	p.expect(now, 0, "Your live video session on "+p.sessionDay())
}

// meet lets time pass until the session has begun.
func (p *proofed) meet() (agent *journey.Desk, others []*journey.Desk) {
	p.t.Helper()
	p.until(p.booked.StartsAt.Add(10 * time.Minute))
	p.expect(p.booked.StartsAt.Add(-24*time.Hour), 0, "Reminder: your live video session on "+p.sessionDay())
	p.expect(p.booked.StartsAt.Add(-30*time.Minute), 0, "The link to your live video session")
	agent, others, err := p.office.Assigned(p.t.Context(), p.booked)
	must(p.t, err)
	return agent, others
}

// pass has the assigned agent record a pass, which no other one may, and returns the code that is shown once.
func (p *proofed) pass() (code string, lapses time.Time) {
	p.t.Helper()
	agent, others := p.meet()
	outcome, err := agent.Pass(p.t.Context(), p.journey.Person, p.booked.ID)
	must(p.t, err)
	for _, other := range others { // PRF-8
		if _, err := other.Record(p.t.Context(), p.booked.ID, outcome); !errors.Is(err, models.NotTheAssignedAgent) {
			p.t.Errorf("%s, whose session it is not, is told %v", other.Name, err)
		}
	}
	recorded, err := agent.Record(p.t.Context(), p.booked.ID, outcome)
	must(p.t, err)
	if recorded.ActivationCode == nil || recorded.CodeExpiresAt == nil {
		p.t.Fatalf("a pass is answered with %+v", recorded)
	}
	return *recorded.ActivationCode, *recorded.CodeExpiresAt
}

func (p *proofed) status(want models.ProofingStatus, attempt int32) {
	p.t.Helper()
	must(p.t, p.journey.Proof(p.t.Context()))
	if got := p.journey.Proofing; got.Status != want || got.Attempt != attempt {
		p.t.Errorf("the proofing is %s in attempt %d, want %s in %d", got.Status, got.Attempt, want, attempt)
	}
}

func (p *proofed) now() time.Time {
	p.t.Helper()
	now, err := p.world.Now(p.t.Context())
	must(p.t, err)
	return now
}

// TestThreeMonths proofs a person of Germany for three months on the real engine: a session moved by the mailed link and missed, another one
// passed, a code that nobody types before it expires, a repetition, a code typed, a token registered. Every mail comes once, on its day;
// invitations keep their UID and count on (PRF-5 to PRF-9, REG-2, LOG-2).
func TestThreeMonths(t *testing.T) {
	cfg := stacktest.Config(t)
	s := stacktest.Run(t, cfg)
	g := groundOf(t, s)
	began := time.Now()
	j := g.proof(t, "DE", "")
	p := &proofed{life: &life{g, t, j, models.DefaultPolicy().Location()}, office: g.office(), contact: g.world.Contact()}
	p.since = j.Proofing.OpenedAt
	p.expect(p.since, 0, "Your license key was activated")
	p.expect(p.since, 0, "Please have your identity proofed")
	ctx := t.Context()

	// A session, moved by the link of the mail and missed.
	must(t, j.ChooseVideo(ctx))
	p.book(p.now(), 2)
	first := p.booked
	moved, link, err := g.world.MoveByLink(ctx, p.contact, first.StartsAt.Add(36*time.Hour))
	must(t, err)
	if p.booked = moved; moved.ID != first.ID || !moved.StartsAt.After(first.StartsAt) {
		t.Errorf("%s at %v became %s at %v", first.ID, first.StartsAt, moved.ID, moved.StartsAt)
	}
	p.expect(p.now(), 0, "Your live video session is now on "+p.sessionDay())
	if err := g.world.UseLink(ctx, link, first.StartsAt, nil); !errors.Is(err, models.AppointmentLinkUsed) {
		t.Errorf("the link used again: %v", err)
	}
	agent, _ := p.meet()
	_, err = agent.Record(ctx, moved.ID, api.NewOutcome{Outcome: models.MissAppointment})
	must(t, err)
	p.status(models.ProofingScheduling, 1)
	missed := p.now()
	p.expect(missed, 0, "Please choose another time for your live video session")

	// Another session, passed; its code expires.
	p.until(missed.AddDate(0, 0, 4))
	p.expect(missed, 3, "The proofing of your identity waits for you")
	p.book(p.now(), 2)
	code, lapses := p.pass()
	p.status(models.ProofingAwaitingCode, 1)
	p.expect(lapses, -11, "Your activation code expires on") // its last day is the one before it lapses
	p.expect(lapses, -4, "Your activation code expires on")
	p.until(lapses.Add(-time.Minute))
	p.status(models.ProofingAwaitingCode, 1)
	p.until(lapses.Add(time.Hour))
	p.expect(lapses, 0, "Your activation code has expired")
	p.status(models.ProofingChoosing, 2)
	if days := lapses.Sub(p.booked.StartsAt).Hours() / 24; days < 30 || days > 31.1 {
		t.Errorf("the code lived for %.1f days", days)
	}
	if err := j.EnterCode(ctx, code); !errors.Is(err, models.ActivationCodeLapsed) {
		t.Errorf("the expired code is answered with %v", err)
	}

	// Proofing is repeated, and succeeds.
	p.until(lapses.AddDate(0, 0, 16))
	p.expect(lapses, 3, "The proofing of your identity waits for you")
	p.expect(lapses, 14, "The proofing of your identity waits for you")
	must(t, j.ChooseVideo(ctx))
	p.book(p.now(), 3)
	code, lapses = p.pass()
	typed := lapses.AddDate(0, 0, -8)
	p.until(typed)
	p.expect(lapses, -11, "Your activation code expires on")
	must(t, j.EnterCode(ctx, code))
	p.status(models.ProofingDone, 2)
	p.expect(typed, 0, "Your identity has been proofed")
	if err := j.EnterCode(ctx, code); !errors.Is(err, models.AlreadyProofed) {
		t.Errorf("the code typed again is answered with %v", err)
	}
	registered := typed.AddDate(0, 0, 24)
	p.until(registered)
	p.expect(typed, 30-7, "Please register your token by")
	_, err = j.Look(ctx) // in a new session
	must(t, err)
	must(t, j.Run(ctx))
	p.expect(registered, 0, "Your token is registered")
	answer, err := j.Verify(ctx, j.Device().Press())
	must(t, err)
	if !answer.Accepted || answer.Level == nil || *answer.Level != 3 {
		t.Errorf("the relying application is told %+v", answer)
	}
	p.status(models.ProofingCompleted, 2)
	p.until(registered.AddDate(0, 0, 7)) // nothing more comes
	if p.now().Before(p.since.AddDate(0, 3, 0)) {
		t.Errorf("it lasted from %v to %v only", p.since, p.now())
	}
	took := time.Since(began)
	t.Logf("three months, %v to %v, passed in %v", p.since.Format(time.DateOnly), p.now().Format(time.DateOnly), took.Round(time.Millisecond))
	if took > time.Minute {
		t.Errorf("they took %v", took)
	}
	g.settled(t)
	p.wantMails()
	noLeaks(t, g.engine, g.record, g.world.Planted(), append(logsIn(t, cfg.StateDir), logs)...)
	p.contactStandsInItsPlace()
}

// wantMails checks all mails but those of the order, and what they bring for calendars.
func (p *proofed) wantMails() {
	p.t.Helper()
	var all []journey.Mail
	for _, to := range []string{p.contact.Email, p.journey.Person.Email} {
		mails, err := p.world.Mails(p.t.Context(), to, "")
		must(p.t, err)
		all = append(all, mails...)
	}
	all = slices.DeleteFunc(all, func(m journey.Mail) bool {
		return strings.Contains(m.Subject, p.journey.Order.Number)
	})
	var got []string
	for _, m := range all {
		if m.Deliveries != 1 || m.Altered {
			p.t.Errorf("%q came %d times", m.Subject, m.Deliveries)
		}
		got = append(got, fmt.Sprintf("%s %s", m.Date.In(p.zone).Format(time.DateOnly), m.Subject))
	}
	want := slices.Clone(p.mailed)
	slices.Sort(want)
	sorted := slices.Sorted(slices.Values(got))
	if !slices.EqualFunc(sorted, want, strings.HasPrefix) {
		p.t.Errorf("mails\n%s\nwant\n%s", strings.Join(sorted, "\n"), strings.Join(want, "\n"))
	}
	p.wantInvitations(all)
}

var icsLine = regexp.MustCompile(`(?m)^(UID|SEQUENCE|METHOD|DTSTART):(.*?)\r?$`)

// wantInvitations checks that each appointment keeps the UID of its invitation, and that its sequence rises with each change (RFC 5545).
func (p *proofed) wantInvitations(mails []journey.Mail) {
	p.t.Helper()
	type change struct {
		sequence int
		start    string
	}
	seen := map[string][]change{}
	for _, m := range mails {
		for _, a := range m.Alternatives {
			fields := map[string]string{}
			for _, line := range icsLine.FindAllStringSubmatch(a.Content, -1) {
				fields[line[1]] = line[2]
			}
			sequence, err := strconv.Atoi(fields["SEQUENCE"])
			if err != nil || fields["UID"] == "" || fields["METHOD"] != "REQUEST" || a.ContentType != "text/calendar" {
				p.t.Errorf("%q brings %s with %v", m.Subject, a.ContentType, fields)
			}
			seen[fields["UID"]] = append(seen[fields["UID"]], change{sequence, fields["DTSTART"]})
		}
	}
	if len(seen) != 3 { // sessions
		p.t.Errorf("%d invitations: %v", len(seen), seen)
	}
	sequences := []string{}
	for uid, changes := range seen {
		// Mails may cross each other: calendars go by the sequence.
		slices.SortFunc(changes, func(a, b change) int { return cmp.Compare(a.sequence, b.sequence) })
		text := ""
		for i, c := range changes {
			if i > 0 && (c.sequence == changes[i-1].sequence) != (c.start == changes[i-1].start) {
				p.t.Errorf("%s goes from %v to %v", uid, changes[i-1], c)
			}
			text += strconv.Itoa(c.sequence)
		}
		sequences = append(sequences, text)
	}
	slices.Sort(sequences)
	if want := []string{"00", "00", "011"}; !slices.Equal(sequences, want) { // booked, moved; and with the link
		p.t.Errorf("the sequences are %v, want %v", sequences, want)
	}
}

// contactStandsInItsPlace checks that contact data are with the appointment, and where mails to it and the answer to the booking are kept, and nowhere else (SEC-5).
func (p *proofed) contactStandsInItsPlace() {
	p.t.Helper()
	for what, needle := range map[string]struct {
		value  string
		places []string
	}{
		"phone":   {p.contact.Phone, []string{"public.appointments", "public.idempotency_keys"}},
		"address": {p.contact.Email, []string{"public.appointments", "public.idempotency_keys", "public.notices", "sandbox.mails"}},
	} {
		var places []string
		for table, content := range dump(p.t, p.record.DatabaseURL) {
			if strings.Contains(string(content), needle.value) {
				places = append(places, table)
			}
		}
		slices.Sort(places)
		if !slices.Equal(places, needle.places) {
			p.t.Errorf("the %s stands in %v, want %v", what, places, needle.places)
		}
	}
}
