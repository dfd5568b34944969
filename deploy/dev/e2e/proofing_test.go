package e2e

import (
	"errors"
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
	mailed  []string // what must have been mailed, by date and address
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
	g := groundOf(t, stacktest.Run(t, cfg))
	began := time.Now()
	j := g.proof(t, "DE", "")
	p := &proofed{life: &life{g, t, j, models.DefaultPolicy().Location()}, office: g.office(), contact: g.world.Contact()}
	opened := j.Proofing.OpenedAt
	p.expect(opened, 0, "Your license key was activated")
	p.expect(opened, 0, "Please have your identity proofed")
	for _, chapter := range []func(){p.missesSession, p.letsCodeExpire, p.typesCode, p.registers} {
		chapter()
		if t.Failed() {
			return
		}
	}
	if p.now().Before(opened.AddDate(0, 3, 0)) {
		t.Errorf("it lasted from %v to %v only", opened, p.now())
	}
	took := time.Since(began)
	t.Logf("three months, %v to %v, passed in %v", opened.Format(time.DateOnly), p.now().Format(time.DateOnly), took.Round(time.Millisecond))
	if took > time.Minute {
		t.Errorf("they took %v", took)
	}
	g.settled(t)
	p.wantMails()
	noLeaks(t, g.engine, g.record, g.world.Planted(), append(logsIn(t, cfg.StateDir), logs)...)
	p.contactStandsInItsPlace()
}

// missesSession books a session, moves it by the link of the mail, and does not appear.
func (p *proofed) missesSession() {
	p.t.Helper()
	ctx := p.t.Context()
	must(p.t, p.journey.ChooseVideo(ctx))
	p.book(p.now(), 2)
	first := p.booked
	moved, link, err := p.world.MoveByLink(ctx, p.contact, first.StartsAt.Add(36*time.Hour))
	must(p.t, err)
	if p.booked = moved; moved.ID != first.ID || !moved.StartsAt.After(first.StartsAt) {
		p.t.Errorf("%s at %v became %s at %v", first.ID, first.StartsAt, moved.ID, moved.StartsAt)
	}
	p.expect(p.now(), 0, "Your live video session is now on "+p.sessionDay())
	if err := p.world.UseLink(ctx, link, first.StartsAt, nil); !errors.Is(err, models.AppointmentLinkUsed) {
		p.t.Errorf("the link used again: %v", err)
	}
	agent, _ := p.meet()
	_, err = agent.Record(ctx, moved.ID, api.NewOutcome{Outcome: models.MissAppointment})
	must(p.t, err)
	p.status(models.ProofingScheduling, 1)
	p.expect(p.now(), 0, "Please choose another time for your live video session")
}

// letsCodeExpire books another session after some days, passes, and never types the code.
func (p *proofed) letsCodeExpire() {
	p.t.Helper()
	missed := p.now()
	p.until(missed.AddDate(0, 0, 4))
	p.expect(missed, 3, "The proofing of your identity waits for you")
	p.book(p.now(), 2)
	code, lapses := p.pass()
	p.status(models.ProofingAwaitingCode, 1)
	p.expect(lapses, -11, "Your activation code expires on") // its last day is the one before it lapses
	p.expect(lapses, -4, "Your activation code expires on")
	if last := p.day(p.booked.StartsAt, 30); last != p.day(lapses, -1) {
		p.t.Errorf("the code lapses at %v, want the end of %s", lapses, last)
	}
	p.until(lapses.Add(-time.Minute))
	p.status(models.ProofingAwaitingCode, 1)
	p.until(lapses.Add(time.Hour))
	p.expect(lapses, 0, "Your activation code has expired")
	p.status(models.ProofingChoosing, 2)
	if err := p.journey.EnterCode(p.t.Context(), code); !errors.Is(err, models.ActivationCodeLapsed) {
		p.t.Errorf("the expired code is answered with %v", err)
	}
	p.until(lapses.AddDate(0, 0, 16))
	p.expect(lapses, 3, "The proofing of your identity waits for you")
	p.expect(lapses, 14, "The proofing of your identity waits for you")
}

// typesCode repeats the proofing, and types the code eight days before it expires.
func (p *proofed) typesCode() {
	p.t.Helper()
	ctx := p.t.Context()
	must(p.t, p.journey.ChooseVideo(ctx))
	p.book(p.now(), 3)
	code, lapses := p.pass()
	p.until(lapses.AddDate(0, 0, -8))
	p.expect(lapses, -11, "Your activation code expires on")
	must(p.t, p.journey.EnterCode(ctx, code))
	p.status(models.ProofingDone, 2)
	p.expect(p.now(), 0, "Your identity has been proofed")
	if err := p.journey.EnterCode(ctx, code); !errors.Is(err, models.AlreadyProofed) {
		p.t.Errorf("the code typed again is answered with %v", err)
	}
}

// registers registers the token six days before the time for that is over, and lets a quiet week pass.
func (p *proofed) registers() {
	p.t.Helper()
	typed := p.now()
	p.until(typed.AddDate(0, 0, 24))
	p.expect(typed, 30-7, "Please register your token by")
	_, err := p.journey.Look(p.t.Context()) // in a new session
	must(p.t, err)
	p.completed(p.t, p.journey)
	p.expect(p.now(), 0, "Your token is registered")
	p.status(models.ProofingCompleted, 2)
	p.until(p.now().AddDate(0, 0, 7))
}
