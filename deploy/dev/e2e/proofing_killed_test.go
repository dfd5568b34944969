package e2e

import (
	"errors"
	"testing"

	"tokendesk/deploy/dev/e2e/journey"
	"tokendesk/models"
)

// TestProofingKilled kills the process in the middle of three proofings: the printer has taken a letter and nobody has written that down; the code of
// another letter exists and the printer has not got it; an agent's pass was answered just now. Afterwards each goes on, one
// letter a person was posted, and its code works, once (OPS-2, PRF-4, PRF-9).
func TestProofingKilled(t *testing.T) {
	proc := newProcess(t)
	proc.start()
	g := proc.ground()
	ctx := t.Context()
	p := &proofed{life: &life{g, t, g.proof(t, "DE", ""), models.DefaultPolicy().Location()}, office: g.office(), contact: g.world.Contact()}
	seen := p.journey
	must(t, seen.ChooseVideo(ctx))
	p.book(p.now(), 2)
	agent, _ := p.meet()
	outcome, err := agent.Pass(ctx, seen.Person, p.booked.ID)
	must(t, err)
	taken, lost := g.proof(t, "US", "Located"), g.proof(t, "US", "Located")

	g.takenNotRecorded(t, taken)
	abandoned := g.issuedNotPrinted(t, lost)
	recorded, err := agent.Record(ctx, p.booked.ID, outcome)
	must(t, err)
	proc.kill()
	if n := one[int](t, g.db, "select count(*) from activation_codes where status = 'pending'"); n != 2 {
		t.Errorf("%d codes wait for the printer, want 2: the process was killed too late", n)
	}
	proc.start()

	for name, c := range map[string]struct {
		*journey.Journey
		code func(*testing.T) string
	}{
		"a letter that was taken":       {taken, func(t *testing.T) string { return g.onlyLetter(t, taken).Code }},
		"a letter that was not printed": {lost, func(t *testing.T) string { return g.onlyLetter(t, lost).Code }},
		"an agent's pass":               {seen, func(*testing.T) string { return *recorded.ActivationCode }},
	} {
		t.Run(name, func(t *testing.T) { g.goesOnBy(t, c.Journey, c.code(t)) })
	}
	if status := one[string](t, g.db, "select status from activation_codes where id = $1", abandoned); status != string(models.CodeVoid) {
		t.Errorf("the code that was never printed is %s", status)
	}
	for _, j := range []*journey.Journey{taken, lost} {
		if n := one[int](t, g.db, "select count(*) from sandbox.letters l join activation_codes c on c.id = l.key where c.case_id = $1", j.Proofing.ID); n != 1 {
			t.Errorf("%d letters were printed for one person", n)
		}
	}
	g.settled(t)
	g.inOrder(t, []*journey.Journey{seen, taken, lost})
	noLeaks(t, g.engine, g.record, g.world.Planted(), logsIn(t, proc.cfg.StateDir)...)
}

// goesOnBy has a person type an activation code, which works once, and arrive.
func (g *ground) goesOnBy(t *testing.T, j *journey.Journey, code string) {
	t.Helper()
	must(t, j.EnterCode(t.Context(), code))
	if err := j.EnterCode(t.Context(), code); !errors.Is(err, models.AlreadyProofed) {
		t.Errorf("the code typed again is answered with %v", err)
	}
	g.completed(t, j)
}

// locate has a person give what self-service asks for, and answer so that the provider only locates them.
func (g *ground) locate(t *testing.T, j *journey.Journey) {
	t.Helper()
	must(t, j.Consent(t.Context()))
	must(t, j.GiveIdentity(t.Context()))
	must(t, j.Answer(t.Context()))
}

// onlyLetter waits until the letter to a person is posted, and reads it.
func (g *ground) onlyLetter(t *testing.T, j *journey.Journey) journey.Letter {
	t.Helper()
	eventually(t, 2*goesOnWithin, "the letter to be posted", func() bool {
		return one[bool](t, g.db, "select exists (select from activation_codes where case_id = $1 and posted_at is not null)", j.Proofing.ID)
	})
	l, err := j.ReceiveLetter(t.Context())
	must(t, err)
	return l
}

// takenNotRecorded waits until the printer has the letter to a person, and nobody here knows.
func (g *ground) takenNotRecorded(t *testing.T, j *journey.Journey) {
	t.Helper()
	must(t, g.world.Disturb(t.Context(), "post", "send", "time_out", 1, "30s"))
	g.locate(t, j)
	eventually(t, goesOnWithin, "a letter to be taken that is not recorded", func() bool {
		return one[bool](t, g.db, "select exists (select from sandbox.letters l join activation_codes c on c.id = l.key where c.case_id = $1 and c.posted_at is null)", j.Proofing.ID)
	})
}

// issuedNotPrinted waits until there is a code for a person whose letter the printer does not have, and returns its id.
func (g *ground) issuedNotPrinted(t *testing.T, j *journey.Journey) (codeID string) {
	t.Helper()
	must(t, g.world.Disturb(t.Context(), "post", "send", "slow", 1, "30s"))
	g.locate(t, j)
	eventually(t, goesOnWithin, "a code whose letter is not printed", func() bool {
		found := all[string](t, g.db, `select id from activation_codes where case_id = $1 and posted_at is null
			and not exists (select from sandbox.letters where key = activation_codes.id)`, j.Proofing.ID)
		if len(found) == 1 {
			codeID = found[0]
		}
		return codeID != ""
	})
	return codeID
}
