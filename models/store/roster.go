package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"tokendesk/internal/availability"
	"tokendesk/models"
)

// onDuty is an agent as scheduling sees one.
type onDuty struct {
	id       string
	capacity int // sessions a day; 0: no limit
	schedule availability.Schedule
	busy     []availability.Interval
	sessions map[availability.Date]int // that begin on a day in the agent's zone
}

// full reports whether the agent has as many sessions as wanted on the day of an instant.
func (a *onDuty) full(start time.Time) bool {
	return a.capacity > 0 && a.on(start) >= a.capacity
}

func (a *onDuty) on(start time.Time) int {
	return a.sessions[availability.DateOf(start.In(a.schedule.Zone))]
}

// free reports whether the slot is one of the agent's, and nothing stands against it.
func (a *onDuty) free(r availability.Rules, at time.Time, slot availability.Interval) bool {
	return a.schedule.Free(r, at, slot, a.busy) && !a.full(slot.Start)
}

// rosterQuery says which agents are looked at, and for what time.
type rosterQuery struct {
	agentID  string // empty: all who have not retired
	from, to time.Time
	buffer   time.Duration
	without  string // an appointment that is to be moved, and takes no time
}

// What can matter to the slots of a time: an extra opening of 31 days that ended before is looked back on, with the days before it.
const lookBack = 36 * 24 * time.Hour

// roster reads the agents on duty with all that their slots in a time depend on, in four queries. Holds that have expired take no time.
func (s *Store) roster(ctx context.Context, q rosterQuery, at time.Time) ([]*onDuty, error) {
	var rows []models.Agent
	err := s.with(ctx).Select("id", "zone", "daily_capacity").Where("retired_at is null and (? = '' or id = ?)", q.agentID, q.agentID).Order("id").Find(&rows).Error
	if err != nil {
		return nil, fault(fmt.Errorf("read the agents on duty: %w", err))
	}
	agents, byID := make([]*onDuty, len(rows)), make(map[string]*onDuty, len(rows))
	for i, row := range rows {
		zone, err := availability.Zone(row.Zone)
		if err != nil {
			return nil, fmt.Errorf("read the zone of agent %s: %w", row.ID, err)
		}
		agents[i] = &onDuty{id: row.ID, capacity: row.DailyCapacity, sessions: map[availability.Date]int{},
			schedule: availability.Schedule{Zone: zone, Holidays: map[availability.Date]bool{}}}
		byID[row.ID] = agents[i]
	}
	for _, read := range []func(context.Context, rosterQuery, map[string]*onDuty, time.Time) error{s.rosterWindows, s.rosterExceptions, s.rosterBusy} {
		if err := read(ctx, q, byID, at); err != nil {
			return nil, fault(fmt.Errorf("read the agents on duty: %w", err))
		}
	}
	return agents, nil
}

func (s *Store) rosterWindows(ctx context.Context, q rosterQuery, agents map[string]*onDuty, _ time.Time) error {
	var windows []models.AgentWindow
	if err := s.with(ctx).Where("? = '' or agent_id = ?", q.agentID, q.agentID).Order("agent_id, position").Find(&windows).Error; err != nil {
		return err
	}
	for _, w := range windows {
		a, ok := agents[w.AgentID]
		if !ok {
			continue
		}
		starts, err := parseExpression(w.Expression)
		if err != nil {
			return fmt.Errorf("read the hours of agent %s: %w", w.AgentID, err)
		}
		a.schedule.Windows = append(a.schedule.Windows, availability.Window{Starts: starts, Lasts: time.Duration(w.Minutes) * time.Minute})
	}
	return nil
}

func (s *Store) rosterExceptions(ctx context.Context, q rosterQuery, agents map[string]*onDuty, _ time.Time) error {
	from, to := q.from.Add(-lookBack), q.to.AddDate(0, 0, 3)
	rows, err := s.with(ctx).Raw(`select agent_id, kind, day, starts_at, ends_at from agent_exceptions
		where (@agent = '' or agent_id = @agent) and (ends_at > @from and starts_at < @to or day between cast(@from as date) and cast(@to as date)) order by id`,
		map[string]any{"agent": q.agentID, "from": from, "to": to}).Rows()
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		var kind models.AgentExceptionKind
		var day, starts, ends sql.NullTime
		if err := rows.Scan(&id, &kind, &day, &starts, &ends); err != nil {
			return err
		}
		a, ok := agents[id]
		if !ok {
			continue
		}
		i := availability.Interval{Start: starts.Time, End: ends.Time}
		switch kind {
		case models.AgentHoliday:
			a.schedule.Holidays[availability.DateOf(day.Time)] = true
		case models.AgentClosed:
			a.schedule.Closed = append(a.schedule.Closed, i)
		case models.AgentExtra:
			a.schedule.Extra = append(a.schedule.Extra, i)
		}
	}
	return rows.Err()
}

// rosterBusy reads what takes the agents' time. Sessions that have ended count for their day as well.
func (s *Store) rosterBusy(ctx context.Context, q rosterQuery, agents map[string]*onDuty, at time.Time) error {
	// What was booked under a policy with a longer buffer takes more time.
	rows, err := s.with(ctx).Raw(`select agent_id, starts_at, greatest(ends_at, blocked_until - make_interval(secs => @buffer)), status in ('held', 'booked') from appointments
		where (@agent = '' or agent_id = @agent) and starts_at > @from and starts_at < @to and id <> @without
		  and status not in ('released', 'cancelled', 'unstaffed') and (status <> 'held' or held_until > @at)`,
		map[string]any{"agent": q.agentID, "from": q.from.AddDate(0, 0, -3), "to": q.to.AddDate(0, 0, 3), "without": q.without, "at": at, "buffer": q.buffer.Seconds()}).Rows()
	if err != nil {
		return err
	}
	defer rows.Close()
	var id string
	var starts, ends time.Time
	var live bool
	for rows.Next() {
		if err := rows.Scan(&id, &starts, &ends, &live); err != nil {
			return err
		}
		a, ok := agents[id]
		if !ok {
			continue
		}
		a.sessions[availability.DateOf(starts.In(a.schedule.Zone))]++
		if live {
			a.busy = append(a.busy, availability.Interval{Start: starts, End: ends})
		}
	}
	return rows.Err()
}

// dayOf is a day in a zone.
func dayOf(d availability.Date, zone *time.Location) availability.Interval {
	noon := time.Date(d.Year, d.Month, d.Day, 12, 0, 0, 0, zone)
	return availability.Interval{Start: models.StartOfDay(noon, 0, zone), End: models.StartOfDay(noon, 1, zone)}
}
