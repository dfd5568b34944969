package availability

import (
	"fmt"
	"testing"
	"time"
)

// Listing grows in proportion to agents and days: a listing of 50 agents over 30 days is the whole of PRF-5's page.
func BenchmarkOffers(b *testing.B) {
	at := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC) // both changes of clocks of spring are ahead
	for _, size := range []struct{ agents, days int }{{5, 30}, {50, 3}, {50, 15}, {50, 30}, {50, 60}, {100, 30}, {500, 30}} {
		agents := staff(b, size.agents, at)
		rules := Rules{Length: 30 * time.Minute, Buffer: 5 * time.Minute, Notice: 4 * time.Hour, Horizon: 24 * time.Hour * time.Duration(size.days)}
		b.Run(fmt.Sprintf("%d_agents/%d_days", size.agents, size.days), func(b *testing.B) {
			b.ReportAllocs()
			var offers []Offer
			for b.Loop() {
				offers = Offers(agents, rules, at, at, at.Add(rules.Horizon))
			}
			slots := 0
			for _, o := range offers {
				slots += len(o.Agents)
			}
			b.ReportMetric(float64(slots), "slots")
			b.ReportMetric(float64(len(offers)), "offers")
		})
	}
}

// One slot, as looked up when it is held.
func BenchmarkFree(b *testing.B) {
	at := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	agent := staff(b, 1, at)[0]
	rules := Rules{Length: 30 * time.Minute, Buffer: 5 * time.Minute, Notice: 4 * time.Hour, Horizon: 720 * time.Hour}
	var slots []Interval
	for slot := range agent.Schedule.Slots(rules, at, at, at.Add(720*time.Hour), agent.Busy) {
		slots = append(slots, slot)
	}
	for b.Loop() {
		if !agent.Schedule.Free(rules, at, slots[len(slots)-1], agent.Busy) {
			b.Fatal("not free")
		}
	}
}

// staff are agents all over the world with a usual week, a holiday, a closure and appointments.
func staff(t testing.TB, n int, at time.Time) []Agent {
	zones := []string{"America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "America/Santiago", "Asia/Kolkata", "America/Los_Angeles"}
	agents := make([]Agent, n)
	for i := range agents {
		zone, err := Zone(zones[i%len(zones)])
		if err != nil {
			t.Fatal(err)
		}
		s := Schedule{
			Zone: zone,
			Windows: []Window{
				{expression(t, fmt.Sprintf("%d 9 * * 1-5", i%2*30)), 3 * time.Hour},
				{expression(t, "0 13 * * MON-FRI"), 4 * time.Hour},
				{expression(t, "0 10 * * SAT"), 2 * time.Hour},
			},
			Holidays: map[Date]bool{{2026, time.March, 17}: true},
			Closed:   []Interval{{at.AddDate(0, 0, 10), at.AddDate(0, 0, 12)}},
			Extra:    []Interval{{at.AddDate(0, 0, 14), at.AddDate(0, 0, 14).Add(2 * time.Hour)}},
		}
		var busy []Interval
		for day := range 30 {
			start := at.AddDate(0, 0, day).Add(time.Duration(i%8) * time.Hour)
			busy = append(busy, Interval{start, start.Add(30 * time.Minute)})
		}
		agents[i] = Agent{ID: fmt.Sprintf("ag_%d", i), Schedule: s, Busy: busy}
	}
	return agents
}

func expression(t testing.TB, text string) Expression {
	t.Helper()
	e, err := ParseExpression(text)
	if err != nil {
		t.Fatal(err)
	}
	return e
}
