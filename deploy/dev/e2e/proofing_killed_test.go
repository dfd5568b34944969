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

	must(t, g.world.Disturb(ctx, "post", "send", "time_out", 1, "30s"))
	g.locate(t, taken)
	eventually(t, goesOnWithin, "a letter to be taken that is not recorded", func() bool {
		return one[bool](t, g.db, "select exists (select from sandbox.letters l join activation_codes c on c.id = l.key where c.case_id = $1 and c.posted_at is null)", taken.Proofing.ID)
	})
	must(t, g.world.Disturb(ctx, "post", "send", "slow", 1, "30s"))
	g.locate(t, lost)
	const unprinted = "select id from activation_codes where case_id = $1 and posted_at is null and not exists (select from sandbox.letters where key = activation_codes.id)"
	var abandoned []string
	eventually(t, goesOnWithin, "a code whose letter is not printed", func() bool {
		abandoned = all[string](t, g.db, unprinted, lost.Proofing.ID)
		return len(abandoned) == 1
	})
	recorded, err := agent.Record(ctx, p.booked.ID, outcome)
	must(t, err)
	proc.kill()
	if n := one[int](t, g.db, "select count(*) from activation_codes where status = 'pending'"); n != 2 {
		t.Errorf("%d codes wait for the printer, want 2: the process was killed too late", n)
	}
	proc.start()

	for name, c := range map[string]struct {
		*journey.Journey
		code func() string
	}{
		"a letter that was taken":       {taken, func() string { return g.onlyLetter(t, taken).Code }},
		"a letter that was not printed": {lost, func() string { return g.onlyLetter(t, lost).Code }},
		"an agent's pass":               {seen, func() string { return *recorded.ActivationCode }},
	} {
		t.Run(name, func(t *testing.T) {
			code := c.code()
			must(t, c.EnterCode(ctx, code))
			if err := c.EnterCode(ctx, code); !errors.Is(err, models.AlreadyProofed) {
				t.Errorf("the code typed again is answered with %v", err)
			}
			g.completed(t, c.Journey)
		})
	}
	if status := one[string](t, g.db, "select status from activation_codes where id = $1", abandoned[0]); status != string(models.CodeVoid) {
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
