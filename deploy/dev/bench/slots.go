package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"tokendesk/api/gen"
	"tokendesk/internal/app"
	"tokendesk/internal/pgcluster"
	"tokendesk/models"
)

const (
	listings      = 200   // of each size
	mostListing   = 100.0 // ms, the 99th percentile of 50 agents and 30 days
	mostOfAnother = 1.5   // of the cost per agent and day at the least size
	longestView   = 60    // days
)

// sizes are the numbers of agents and days that slots are listed for.
var sizes = []struct{ agents, days int }{{10, 30}, {50, 7}, {50, 30}, {50, 60}, {200, 30}}

// scheduling measures what people wait for who want to meet an agent: bookings of many at once, and the list of free slots.
func scheduling(ctx context.Context, r *report) (err error) {
	dir, err := os.MkdirTemp("", "tokendesk-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	cluster, err := pgcluster.Start(ctx, pgcluster.Config{Dir: dir, Durable: true, Install: true})
	if err != nil {
		return err
	}
	defer func() {
		if e := pgcluster.Remove(context.WithoutCancel(ctx), dir); err == nil {
			err = e
		}
	}()
	for _, m := range []struct {
		people  int
		measure func(context.Context, *report, *site) error
	}{{bookedAgents * slotsOfAWeek, booking}, {1, listing}} {
		s, err := openSite(ctx, cluster, filepath.Join(dir, fmt.Sprint(m.people)), m.people)
		if err != nil {
			return err
		}
		err = m.measure(ctx, r, s)
		s.close()
		if err != nil {
			return err
		}
	}
	return nil
}

// listing measures GET /v1/proofing/slots over HTTP as agents and days become more: agents all over the world with usual weeks, holidays and closed days, half of
// whose slots are booked. The baseline reads the same appointments through the same driver.
func listing(ctx context.Context, r *report, s *site) error {
	now := app.RealClock()
	wide := models.DefaultPolicy()
	wide.Version++
	wide.Proofing.Appointment.HorizonDays = longestView + 1
	if err := s.store.AddPolicy(ctx, wide, now); err != nil {
		return err
	}
	key, _, err := s.store.CreateAPIKey(ctx, "bench support", models.RoleSupport, "", now)
	if err != nil {
		return err
	}
	v := &viewer{site: s, key: key, now: now}
	medians := map[string]float64{}
	for _, size := range sizes {
		if err := v.staff(ctx, size.agents); err != nil {
			return err
		}
		name := fmt.Sprintf("%d agents, %d days", size.agents, size.days)
		m, err := v.measure(ctx, size.days)
		if err != nil {
			return fmt.Errorf("list slots of %s: %w", name, err)
		}
		medians[name] = m.p50
		r.add("slots listed, "+name, float64(m.slots), "count", 0)
		r.add("listing p50, "+name, m.p50, "ms", m.scan)
		if size.agents == 50 && size.days == 30 {
			r.atMost(mostListing, "listing p99, "+name, m.p99, "ms", m.scan)
		} else {
			r.add("listing p99, "+name, m.p99, "ms", m.scan)
		}
		r.add("listing per scan of the same appointments, "+name, m.p50/m.scan, "ratio", m.scan)
	}
	for _, g := range []struct {
		what, from, to string
		times          float64
	}{{"agents", "10 agents, 30 days", "200 agents, 30 days", 20}, {"days", "50 agents, 7 days", "50 agents, 60 days", 60.0 / 7}} {
		r.atMost(mostOfAnother, fmt.Sprintf("cost for each of %.3g times as many %s", g.times, g.what), medians[g.to]/medians[g.from]/g.times, "ratio", medians[g.from])
	}
	return nil
}

// viewer lists slots.
type viewer struct {
	*site
	key    models.Secret
	now    time.Time
	agents int // so far
}

var zones = []string{"America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "America/Santiago", "Asia/Kolkata", "America/Los_Angeles"}

// staff has so many agents, and books every other slot of the new ones for the whole view.
func (v *viewer) staff(ctx context.Context, agents int) error {
	for ; v.agents < agents; v.agents++ {
		zone := zones[v.agents%len(zones)]
		a, err := v.agent(ctx, zone, models.AgentWindow{Expression: fmt.Sprintf("%d 9 * * 1-5", v.agents%2*30), Minutes: 180},
			models.AgentWindow{Expression: "0 13 * * MON-FRI", Minutes: 240}, models.AgentWindow{Expression: "0 10 * * SAT", Minutes: 120})
		if err != nil {
			return err
		}
		if err := v.fill(ctx, a); err != nil {
			return err
		}
	}
	_, err := v.store.Pool().Exec(ctx, "vacuum analyze appointments, agent_windows, agent_exceptions")
	return err
}

// fill gives an agent a holiday, a closed day, and six sessions a day. No case is behind them, which no listing asks for.
func (v *viewer) fill(ctx context.Context, a models.Agent) error {
	tx, err := v.store.Pool().Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(ctx) }()
	for _, q := range []struct {
		sql  string
		args []any
	}{
		{"set local session_replication_role = replica", nil},
		{"insert into agent_exceptions (id, agent_id, kind, day) values ('ax_h' || $1, $1, 'holiday', $2)", []any{a.ID, v.now.AddDate(0, 0, 5)}},
		{"insert into agent_exceptions (id, agent_id, kind, starts_at, ends_at) values ('ax_c' || $1, $1, 'closed', $2, $3)", []any{a.ID, v.now.AddDate(0, 0, 9), v.now.AddDate(0, 0, 10)}},
		{`insert into appointments (id, case_id, agent_id, status, starts_at, ends_at, blocked_until, zone, phone, email, created_at, updated_at)
			select 'ap_' || $1 || g, 'pc_' || $1 || g, $1, 'booked', s, s + interval '30 minutes', s + interval '35 minutes', 'UTC', '+1', 'a@b.c', $2, $2
			from (select g, (date_trunc('day', $2::timestamptz at time zone $3) + interval '9 hours' + g / 6 * interval '1 day' + g % 6 * interval '70 minutes') at time zone $3 as s
				from generate_series(0, $4::int * 6) g) x`, []any{a.ID, v.now, a.Zone, longestView}},
	} {
		if _, err := tx.Exec(ctx, q.sql, q.args...); err != nil {
			return fmt.Errorf("fill an agent's calendar: %w", err)
		}
	}
	return tx.Commit(ctx)
}

type viewed struct {
	p50, p99, scan float64 // milliseconds
	slots          int
}

func (v *viewer) measure(ctx context.Context, days int) (m viewed, err error) {
	from, to := v.now, v.now.AddDate(0, 0, days)
	var took, scans []time.Duration
	for range listings {
		began := time.Now()
		if m.slots, err = v.list(ctx, from, to); err != nil {
			return m, err
		}
		took = append(took, time.Since(began))
		began = time.Now()
		if err := v.scan(ctx, from, to); err != nil {
			return m, err
		}
		scans = append(scans, time.Since(began))
	}
	slices.Sort(took)
	slices.Sort(scans)
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	m.p50, m.p99, m.scan = ms(took[len(took)/2]), ms(took[len(took)*99/100]), ms(scans[len(scans)/2])
	return m, nil
}

// list asks once, and reads the answer to its end.
func (v *viewer) list(ctx context.Context, from, to time.Time) (int, error) {
	q := url.Values{"from": {from.Format(time.RFC3339)}, "to": {to.Format(time.RFC3339)}, "tz": {"Europe/Berlin"}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+v.address+"/v1/proofing/slots?"+q.Encode(), nil)
	if err != nil {
		return 0, err
	}
	request.Header.Set("Authorization", "Bearer "+v.key.Reveal())
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err
	}
	if response.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("%s: %s", response.Status, body)
	}
	var list gen.SlotList
	err = json.Unmarshal(body, &list)
	return len(list.Items), err
}

// scan reads the appointments that a listing looks at, and nothing more.
func (v *viewer) scan(ctx context.Context, from, to time.Time) error {
	rows, err := v.store.Pool().Query(ctx, "select agent_id, starts_at, blocked_until from appointments where starts_at between $1 and $2 and status in ('held', 'booked')", from, to)
	if err != nil {
		return err
	}
	var agent string
	var starts, until time.Time
	_, err = pgx.ForEachRow(rows, []any{&agent, &starts, &until}, func() error { return nil })
	return err
}
