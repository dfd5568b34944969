package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"tokendesk/deploy/dev/e2e/journey"
	"tokendesk/deploy/dev/stack"
	"tokendesk/deploy/dev/stack/stacktest"
	"tokendesk/internal/demodata"
	"tokendesk/models"
)

const (
	crowd        = 50
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
	for i := range crowd {
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
		say("killed %s, %d of %d steps done", when, c.done(), crowd*journey.Steps)
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
	c.await(t, c.done()+10+rand.IntN(crowd))
	kill("at random", func() {})
	c.allow(2)
	mail, release := g.acceptedNotRecorded(t)
	kill("after a mail was accepted", release)
	c.allow(1)
	c.await(t, c.done()+rand.IntN(20))
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
	tx, err := g.db.Begin(ctx)
	must(t, err)
	t.Cleanup(func() { _ = tx.Rollback(ctx) }) // before the connections are given back
	eventually(t, goesOnWithin, "a mail to be under way", func() bool {
		err := tx.QueryRow(ctx, `select trim(both '<>' from message_id) from notices where status = 'pending' and attempts > 0 and next_at > now() + interval '9 seconds'
			order by kind = 'license_key' desc limit 1 for update skip locked`).Scan(&messageID)
		return err == nil
	})
	eventually(t, goesOnWithin, "the mail to be accepted", func() bool {
		return one[bool](t, g.db, "select exists (select from sandbox.mails where message_id = $1)", messageID)
	})
	return messageID, func() {
		must(t, g.db.QueryRow(ctx, `select count(pg_terminate_backend(pid)) from pg_stat_activity
			where datname = current_database() and cardinality(pg_blocking_pids(pid)) > 0`).Scan(new(int)))
		must(t, tx.Rollback(ctx))
	}
}

// process is a stack in a process of its own.
type process struct {
	*testing.T
	cfg     child
	running *exec.Cmd
	output  *os.File
}

func newProcess(t *testing.T) *process {
	t.Helper()
	cfg := stacktest.Config(t)
	p := &process{T: t, cfg: child{StateDir: cfg.StateDir, DatabaseURL: cfg.DatabaseURL,
		Ports: stack.Ports{API: lowPort(t), SMTP: lowPort(t), Temporal: lowPort(t)}}}
	var err error
	must(t, os.MkdirAll(filepath.Join(cfg.StateDir, "log"), 0o755))
	p.output, err = os.Create(filepath.Join(cfg.StateDir, "log", "output.log"))
	must(t, err)
	t.Cleanup(func() {
		p.kill()
		_ = p.output.Close()
		if t.Failed() {
			p.keepLogs()
		}
	})
	return p
}

// start starts the process and waits until it serves.
func (p *process) start() {
	p.Helper()
	text, err := json.Marshal(p.cfg)
	must(p, err)
	p.running = exec.Command(os.Args[0])
	p.running.Env = append(os.Environ(), childConfig+"="+string(text))
	p.running.Stderr = p.output
	_, err = p.running.StdinPipe() // held open: its end tells the child that nobody needs it any more
	must(p, err)
	out, err := p.running.StdoutPipe()
	must(p, err)
	must(p, p.running.Start())
	lines := bufio.NewScanner(out)
	if !lines.Scan() || lines.Text() != "started" {
		p.Fatalf("the process does not start: %s", lines.Text())
	}
	eventually(p, time.Minute, "the API to be ready", func() bool {
		response, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/readyz", p.cfg.Ports.API))
		if err != nil {
			return false
		}
		defer response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
}

// kill ends the process as a power failure would.
func (p *process) kill() {
	if p.running == nil {
		return
	}
	_ = p.running.Process.Kill()
	_ = p.running.Wait()
	p.running = nil
}

func (p *process) ground() *ground {
	p.Helper()
	secrets, err := demodata.Read(filepath.Join(p.cfg.StateDir, "demo.json"))
	must(p, err)
	url, engine := fmt.Sprintf("http://127.0.0.1:%d", p.cfg.Ports.API), fmt.Sprintf("127.0.0.1:%d", p.cfg.Ports.Temporal)
	return &ground{stack.Record{APIURL: url, TemporalAddress: engine, DatabaseURL: p.cfg.DatabaseURL}, journey.NewWorld(url, secrets), dial(p, engine), pool(p, p.cfg.DatabaseURL)}
}

// keepLogs leaves the logs of a process that failed where they can be read.
func (p *process) keepLogs() {
	kept, err := os.MkdirTemp("", "tokendesk-killed")
	if err == nil {
		err = os.CopyFS(kept, os.DirFS(filepath.Join(p.cfg.StateDir, "log")))
	}
	p.Logf("logs are kept in %s: %v", kept, err)
}

// lowPort is a port that no outgoing connection is given by chance while nobody listens on it.
func lowPort(t *testing.T) int {
	t.Helper()
	for range 1000 {
		port := 20000 + rand.IntN(12000)
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			must(t, l.Close())
			return port
		}
	}
	t.Fatal("no port is free")
	return 0
}

// crowded is many journeys at once, which nobody may run ahead of.
type crowded struct {
	*ground
	journeys []*journey.Journey

	mu      sync.Mutex
	changed *sync.Cond
	allowed int // steps
	steps   []int
	first   []time.Time // when each journey did its first step since the look
	did     []string    // and which
	failed  []error
	running sync.WaitGroup
}

// depart sends all on their way, for a few steps at first.
func (c *crowded) depart(t *testing.T, allowed int) {
	c.changed = sync.NewCond(&c.mu)
	n := len(c.journeys)
	c.allowed, c.steps, c.first, c.did, c.failed = allowed, make([]int, n), make([]time.Time, n), make([]string, n), make([]error, n)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	t.Cleanup(func() {
		cancel()
		c.allow(journey.Steps) // nobody waits any more
		c.running.Wait()
	})
	for i, j := range c.journeys {
		j.Before = func(step int) {
			c.mu.Lock()
			defer c.mu.Unlock()
			for step >= c.allowed {
				c.changed.Wait()
			}
		}
		j.After = func(step int, name string) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.steps[i] = step
			if c.first[i].IsZero() {
				c.first[i], c.did[i] = time.Now(), name
			}
		}
		c.running.Go(func() {
			err := j.Run(ctx)
			c.mu.Lock()
			defer c.mu.Unlock()
			c.failed[i] = err
		})
	}
}

// allow lets every journey go so many steps further.
func (c *crowded) allow(steps int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.allowed += steps
	c.changed.Broadcast()
}

func (c *crowded) count() (n int) {
	for _, s := range c.steps {
		n += s
	}
	return n
}

func (c *crowded) done() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.count()
}

// await waits until so many steps were done, by all together.
func (c *crowded) await(t *testing.T, steps int) {
	t.Helper()
	eventually(t, time.Minute, fmt.Sprintf("%d steps", steps), func() bool { return c.done() >= steps || c.err(t) })
}

// everyoneGoesOn waits until each journey has done a step since the restart, and returns what the last one did, and when.
func (c *crowded) everyoneGoesOn(t *testing.T, ready time.Time) (last string, after time.Duration) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		c.err(t)
		behind, last, after := c.behind(ready)
		if len(behind) == 0 {
			return last, after
		}
		if time.Since(ready) > goesOnWithin {
			for _, j := range behind {
				t.Errorf("%s has not gone on within %v, after %d steps%s", j.Order.Number, goesOnWithin, j.Step, c.trail(models.OrderLifecycle.WorkflowID(j.Order.Number)))
			}
			return last, after
		}
		<-tick.C
	}
}

// behind lists the journeys that have not gone on since a moment, and tells what the last of the others did, and when.
func (c *crowded) behind(since time.Time) (behind []*journey.Journey, last string, after time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, j := range c.journeys {
		if !c.first[i].IsZero() {
			if d := c.first[i].Sub(since); d > after {
				last, after = j.Order.Number+" "+c.did[i], d
			}
		} else if c.steps[i] < journey.Steps {
			behind = append(behind, j)
		}
	}
	return behind, last, after
}

// look begins to note what each journey does next.
func (c *crowded) look() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.first)
}

// trail tells what the engine did for a lifecycle, and when.
func (c *crowded) trail(workflowID string) string {
	var b strings.Builder
	events := c.engine.GetWorkflowHistory(context.Background(), workflowID, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		e, err := events.Next()
		if err != nil {
			return b.String() + "\n\t" + err.Error()
		}
		fmt.Fprintf(&b, "\n\t%s %s", e.EventTime.AsTime().Format("15:04:05.000"), e.EventType)
	}
	return b.String()
}

// err fails the test when a journey has ended badly.
func (c *crowded) err(t *testing.T) bool {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, err := range c.failed {
		if err != nil {
			t.Fatal(err)
		}
	}
	return false
}

// arrive waits for the end of all journeys.
func (c *crowded) arrive(t *testing.T) {
	t.Helper()
	eventually(t, time.Minute, "all to arrive", func() bool { return c.done() == len(c.journeys)*journey.Steps || c.err(t) })
}
