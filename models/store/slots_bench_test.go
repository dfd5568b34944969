package store_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
)

// PRF-5: listing all that 50 agents offer in 30 days takes less than a tenth of a second at the 99th percentile, the database included, with half of the slots
// booked. It grows in proportion to agents and days.
func BenchmarkSlots(b *testing.B) {
	for _, size := range []struct{ agents, days int }{{5, 30}, {50, 3}, {50, 15}, {50, 30}, {100, 30}} {
		b.Run(fmt.Sprintf("%d_agents/%d_days", size.agents, size.days), func(b *testing.B) {
			o := newOffice(b)
			o.staff(b, size.agents)
			q := store.SlotQuery{From: storetest.At, To: storetest.At.AddDate(0, 0, size.days), Policy: o.policy(b)}
			var took []time.Duration
			var offered int
			for b.Loop() {
				begun := time.Now()
				slots, err := o.Slots(b.Context(), q, storetest.At)
				storetest.Must(b, err)
				took, offered = append(took, time.Since(begun)), len(slots)
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2])/1e6, "p50-ms")
			b.ReportMetric(float64(took[len(took)*99/100])/1e6, "p99-ms")
			b.ReportMetric(float64(offered), "slots")
			if p99 := took[len(took)*99/100]; len(took) >= 100 && size.agents <= 50 && p99 > 100*time.Millisecond {
				b.Errorf("p99 is %v", p99)
			}
		})
	}
}

// BenchmarkHoldSlot is what one person waits for, with 50 agents to choose from.
func BenchmarkHoldSlot(b *testing.B) {
	o := newOffice(b)
	o.staff(b, 50)
	c := o.person(b)
	offered := o.slots(b, storetest.At, 30)
	for i := 0; b.Loop(); i++ {
		if i%20 == 0 { // so as not to be throttled
			_, err := o.Pool().Exec(b.Context(), "delete from attempts")
			storetest.Must(b, err)
		}
		_, err := o.HoldSlot(b.Context(), c.ID, c.AccountID, offered[i*7%len(offered)], storetest.At)
		storetest.Must(b, err)
	}
}

// staff are agents with a usual week all over the world, exceptions and appointments: every other slot of theirs is booked.
func (o office) staff(b *testing.B, n int) {
	b.Helper()
	zones := []string{"America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "America/Santiago", "Asia/Kolkata", "America/Los_Angeles"}
	c := o.person(b)
	for i := range n {
		agent := storetest.Agent(b, o.Store, zones[i%len(zones)], append(append(storetest.Hours(180, fmt.Sprintf("%d 9 * * 1-5", i%2*30)),
			storetest.Hours(240, "0 13 * * MON-FRI")...), storetest.Hours(120, "0 10 * * SAT")...))
		_, err := o.Pool().Exec(b.Context(), `insert into agent_exceptions (id, agent_id, kind, day) values ('ax_h' || $1, $1, 'holiday', '2026-11-26')`, agent.ID)
		storetest.Must(b, err)
		_, err = o.Pool().Exec(b.Context(), `insert into agent_exceptions (id, agent_id, kind, starts_at, ends_at) values ('ax_c' || $1, $1, 'closed', '2026-11-10', '2026-11-11')`, agent.ID)
		storetest.Must(b, err)
		// As passed ones, so that one case may have them all; what is read of them is the same but for the status, which is set right below.
		_, err = o.Pool().Exec(b.Context(), `insert into appointments (id, case_id, agent_id, status, starts_at, ends_at, blocked_until, zone, phone, email, created_at, updated_at)
			select 'ap_' || $1 || g, $2, $1, 'passed', s, s + interval '30 minutes', s + interval '35 minutes', 'UTC', '+1', 'a@b.c', $3, $3
			from (select g, (timestamp '2026-11-02 09:00' + g / 6 * interval '1 day' + g % 6 * interval '70 minutes') at time zone $4 as s from generate_series(0, 179) g) x`,
			agent.ID, c.ID, storetest.At, agent.Zone)
		storetest.Must(b, err)
	}
	// One case has one live appointment at most; for reading it does not matter.
	for _, sql := range []string{"drop index appointments_case_live", "update appointments set status = 'booked'", "analyze appointments"} {
		_, err := o.Pool().Exec(b.Context(), sql)
		storetest.Must(b, err)
	}
}
