package e2e

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"tokendesk/deploy/dev/e2e/journey"
)

const (
	travellers   = 50
	goesOnWithin = 20 * time.Second // of the restart being ready
)

// OPS-2: the process is killed again and again while 50 people are on their way, at random moments and at the worst ones: when
// a card was charged or a mail accepted, and nothing of it recorded yet. The outside world is in a bad mood meanwhile. Every
// journey goes on within 20 seconds of each restart, and all end well.
func TestKilled(t *testing.T) {
	p := newProcess(t)
	p.start()
	g := p.ground()
	var cards [][]string
	for i := range travellers {
		cards = append(cards, [][]string{nil, {journey.GoodCard}, {journey.GoodCard}, {journey.DeclinedCard, journey.GoodCard}}[i%4])
	}
	c := &crowded{ground: g, journeys: g.people(t, cards...)}
	g.annoy(t)

	began := time.Now()
	say := func(format string, args ...any) {
		t.Helper()
		t.Logf("%5.1fs  "+format, append([]any{time.Since(began).Seconds()}, args...)...)
	}
	kill := func(when string, afterwards func()) {
		t.Helper()
		p.kill()
		afterwards()
		say("killed %s, %d of %d steps done", when, c.done(), travellers*journey.Steps)
		c.allow(1)
		c.look()
		p.start()
		ready := time.Now()
		say("ready again")
		last, after := c.everyoneGoesOn(t, ready)
		say("everyone has gone on, the last (%s) after %.1fs", last, after.Seconds())
	}
	c.depart(t, 3)
	g.chargedNotRecorded(t)
	kill("after a card was charged", func() {})
	c.allow(2)
	c.await(t, c.done()+10+rand.IntN(travellers))
	kill("at random", func() {})
	c.allow(2)
	mail, release := g.acceptedNotRecorded(t)
	kill("after a mail was accepted", release)
	c.await(t, min(c.done()+rand.IntN(20), travellers*(journey.Steps-1)-5)) // nobody has arrived yet
	kill("at random", func() {})
	c.allow(journey.Steps)
	c.arrive(t)
	say("all have arrived")
	obeyed, left := one[int](t, g.db, "select count(*) from sandbox.orders where remaining = 0"), one[int](t, g.db, "select count(*) from sandbox.orders where remaining > 0")
	if obeyed < left {
		t.Errorf("the outside world was too kind: %d of %d disturbances have happened", obeyed, obeyed+left)
	}

	g.settled(t)
	if n := one[int](t, g.db, "select deliveries from sandbox.mails where message_id = $1", mail); n < 2 {
		t.Errorf("the mail whose acceptance was not recorded came %d times under its Message-ID", n)
	}
	g.inOrder(t, c.journeys)
	noLeaks(t, g.engine, g.record, g.world.Planted(), logsIn(t, p.cfg.StateDir)...)
	say("checked; %d disturbances were used up, %d not", obeyed, left)
}

// annoy lets the outside world fail, be late, answer nothing, and repeat itself.
func (g *ground) annoy(t *testing.T) {
	t.Helper()
	for _, o := range []struct {
		gateway, operation, effect string
		times                      int
		delay                      string
	}{
		{"payments", "authorize", "time_out", 4, "2s"},
		{"payments", "authorize", "fail", 4, ""},
		{"payments", "capture", "time_out", 4, "3s"},
		{"payments", "capture", "fail", 4, ""},
		{"payments", "webhook", "repeat", 8, ""},
		{"payments", "webhook", "late", 8, "1s"},
		{"payments", "webhook", "reorder", 4, ""},
		{"carrier", "buy_label", "time_out", 5, "2s"},
		{"carrier", "buy_label", "fail", 5, ""},
		{"carrier", "webhook", "repeat", 12, ""},
		{"carrier", "webhook", "late", 8, "1s"},
		{"carrier", "webhook", "reorder", 6, ""},
		{"mailbox", "data", "drop", 8, ""},
		{"mailbox", "data", "fail", 5, ""},
		{"mailbox", "data", "slow", 6, "1s"},
		{"mailbox", "rcpt", "fail", 4, ""},
	} {
		must(t, g.world.Disturb(t.Context(), o.gateway, o.operation, o.effect, o.times, o.delay))
	}
}

// chargedNotRecorded waits until the card processor has taken money and nothing here knows.
func (g *ground) chargedNotRecorded(t *testing.T) {
	t.Helper()
	eventually(t, goesOnWithin, "a card to be charged whose capture is not recorded", func() bool {
		return one[bool](t, g.db, `select exists (select from sandbox.charges s join charges c on c.provider_ref = s.ref
			where s.status = 'captured' and c.status = 'authorized')`)
	})
}

// acceptedNotRecorded waits until the mail server has accepted a mail, and holds back who wants to record that. The release is
// for after the kill: what was held back is never recorded.
func (g *ground) acceptedNotRecorded(t *testing.T) (messageID string, release func()) {
	t.Helper()
	ctx := context.Background()
	must(t, g.world.Disturb(ctx, "mailbox", "data", "slow", 20, "1s"))
	var tx pgx.Tx
	eventually(t, 3*goesOnWithin, "a mail to be accepted while its record is held back", func() bool {
		var err error
		tx, err = g.db.Begin(ctx)
		must(t, err)
		held := within(goesOnWithin/4, func() bool {
			return tx.QueryRow(ctx, `select trim(both '<>' from message_id) from notices where status = 'pending' and attempts > 0 and leased_until > now() + interval '9 seconds'
				order by kind = 'license_key' desc limit 1 for update skip locked`).Scan(&messageID) == nil
		})
		// A mail whose sending went wrong would never be tried again while it is held: then another one.
		if held && within(goesOnWithin/4, func() bool {
			return one[bool](t, g.db, "select exists (select from sandbox.mails where message_id = $1)", messageID)
		}) {
			return true
		}
		must(t, tx.Rollback(ctx))
		return false
	})
	t.Cleanup(func() { _ = tx.Rollback(ctx) }) // before the connections are given back
	return messageID, func() {
		must(t, g.db.QueryRow(ctx, `select count(pg_terminate_backend(pid)) from pg_stat_activity
			where datname = current_database() and cardinality(pg_blocking_pids(pid)) > 0`).Scan(new(int)))
		must(t, tx.Rollback(ctx))
	}
}
