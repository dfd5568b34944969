package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"tokendesk/internal/availability"
	"tokendesk/models"
)

// AgentAppointment is an appointment as its agent sees it, with what is needed to hold the session.
type AgentAppointment struct {
	models.Appointment
	LegalName string // the account's
	Country   string // whose documents prove the identity
	Attempt   int
}

const agentAppointments = `select a.*, c.country, c.attempt, concat_ws(' ', x.first_name, nullif(x.middle_name, ''), x.last_name) as legal_name
	from appointments a join proofing_cases c on c.id = a.case_id join accounts x on x.id = c.account_id `

// AgentDay lists an agent's appointments on a day in the agent's zone: booked ones and those whose outcome is recorded, in order of time (PRF-8).
// Fault: NoSuchThing.
func (s *Store) AgentDay(ctx context.Context, agentID string, day availability.Date) ([]AgentAppointment, error) {
	agent, err := s.Agent(ctx, agentID)
	if err != nil {
		return nil, err
	}
	zone, err := TimeZone(agent.Zone, "/zone")
	if err != nil {
		return nil, err
	}
	span := dayOf(day, zone)
	var rows []AgentAppointment
	err = s.with(ctx).Raw(agentAppointments+`where a.agent_id = ? and a.starts_at >= ? and a.starts_at < ? and a.status not in ('held', 'released', 'cancelled', 'unstaffed')
		order by a.starts_at, a.id`, agentID, span.Start, span.End).Scan(&rows).Error
	if err != nil {
		return nil, fault(fmt.Errorf("list an agent's day: %w", err))
	}
	return rows, nil
}

// AgentAppointment is one appointment as its agent sees it. Who may see it is the caller's to check. Fault: NoSuchThing.
func (s *Store) AgentAppointment(ctx context.Context, id string) (AgentAppointment, error) {
	var rows []AgentAppointment
	if err := s.with(ctx).Raw(agentAppointments+"where a.id = ?", id).Scan(&rows).Error; err != nil {
		return AgentAppointment{}, fault(fmt.Errorf("read an agent's appointment: %w", err))
	}
	if len(rows) == 0 {
		return AgentAppointment{}, models.NoSuchThing.New("no such appointment")
	}
	return rows[0], nil
}

// Displaced counts what became of the appointments in time that an agent closed.
type Displaced struct {
	Moved     int // to another agent at the same time
	Unstaffed int // the person must choose another slot
}

// AgentAbsent closes an agent's time at once. Each appointment in it goes to another agent who is free then; where nobody is, the person must choose another slot and
// is told so (PRF-6). What is only held is given back. Faults: NoSuchThing, InvalidRequest.
func (s *Store) AgentAbsent(ctx context.Context, agentID string, from, to time.Time, actor models.Actor, at time.Time) (moved, unstaffed int, err error) {
	_, d, err := s.AddAgentException(ctx, models.AgentException{AgentID: agentID, Kind: models.AgentClosed, StartsAt: &from, EndsAt: &to}, actor, at)
	return d.Moved, d.Unstaffed, err
}

// endOfTime is later than any appointment.
var endOfTime = time.Date(9000, 1, 1, 0, 0, 0, 0, time.UTC)

// closeAgent writes down, by closing, that an agent does not work in a time, and finds others for what was booked in it, in one transaction.
func (s *Store) closeAgent(ctx context.Context, agentID string, from, to time.Time, actor models.Actor, at time.Time, closing func() error) (d Displaced, err error) {
	displaced, err := s.lockDisplaced(ctx, agentID, from, to, at)
	if err != nil {
		return d, err
	}
	if err := closing(); err != nil {
		return d, err
	}
	for _, a := range displaced {
		if a.Status == models.AppointmentHeld {
			if err := appointments.move(s.with(ctx), a.ID, models.ReleaseAppointment, at, nil); err != nil {
				return d, err
			}
			continue
		}
		moved, err := s.reassign(ctx, a, actor, at)
		if err != nil {
			return d, fmt.Errorf("find another agent: %w", err)
		}
		if moved {
			d.Moved++
			continue
		}
		if err := s.unstaff(ctx, a, actor, at); err != nil {
			return d, err
		}
		d.Unstaffed++
	}
	return d, nil
}

// lockDisplaced locks what an agent has in a time: credentials, then proofing cases, then all agents, so that nothing more is booked with any of them.
func (s *Store) lockDisplaced(ctx context.Context, agentID string, from, to, at time.Time) ([]models.Appointment, error) {
	for {
		if err := s.with(ctx).SavePoint("before_cases").Error; err != nil {
			return nil, fmt.Errorf("lock an agent's appointments: %w", err)
		}
		before, err := s.displaced(ctx, agentID, from, to, at)
		if err != nil {
			return nil, err
		}
		cases := make([]string, len(before))
		for i, a := range before {
			cases[i] = a.CaseID
		}
		if len(cases) > 0 {
			for _, lock := range []string{
				"select id from credentials where id in (select credential_id from proofing_cases where id in ?) order by id for update",
				"select id from proofing_cases where id in ? order by id for update",
			} {
				if err := s.with(ctx).Exec(lock, cases).Error; err != nil {
					return nil, fault(fmt.Errorf("lock an agent's appointments: %w", err))
				}
			}
		}
		if err := s.lockAgents(ctx); err != nil {
			return nil, err
		}
		now, err := s.displaced(ctx, agentID, from, to, at)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(now, func(a models.Appointment) bool { return !slices.Contains(cases, a.CaseID) }) {
			return now, nil
		}
		// Somebody took a slot meanwhile: the case comes before the agents. Going back lets go of the locks.
		if err := s.with(ctx).RollbackTo("before_cases").Error; err != nil {
			return nil, fmt.Errorf("lock an agent's appointments: %w", err)
		}
	}
}

// displaced are the live appointments of an agent in a time, as far as they are not over, the first ones first.
func (s *Store) displaced(ctx context.Context, agentID string, from, to, at time.Time) ([]models.Appointment, error) {
	var rows []models.Appointment
	err := s.with(ctx).Where("agent_id = ? and status in ? and starts_at < ? and ends_at > ? and ends_at > ?", agentID,
		[]models.AppointmentStatus{models.AppointmentHeld, models.AppointmentBooked}, to, from, at).Order("starts_at, id").Find(&rows).Error
	return rows, fault(err)
}

// reassign gives a booked appointment to another agent who works and is free at that time, the one with the fewest sessions that day. All agents are locked.
// It keeps its time, wherever the other's own slots begin. One that has begun stays.
func (s *Store) reassign(ctx context.Context, a models.Appointment, actor models.Actor, at time.Time) (bool, error) {
	if !at.Before(a.StartsAt) {
		return false, nil
	}
	slot := availability.Interval{Start: a.StartsAt, End: a.EndsAt}
	agents, err := s.roster(ctx, rosterQuery{from: slot.Start, to: slot.End, without: a.ID}, at)
	if err != nil {
		return false, err
	}
	agents = slices.DeleteFunc(agents, func(o *onDuty) bool { return o.id == a.AgentID || o.full(a.StartsAt) || !o.works(slot) })
	slices.SortStableFunc(agents, func(x, y *onDuty) int { return cmp.Compare(x.on(a.StartsAt), y.on(a.StartsAt)) })
	for _, other := range agents {
		w := wanted{slot: slot, rules: availability.Rules{Buffer: a.BlockedUntil.Sub(a.EndsAt)}, without: a.ID}
		if free, err := s.clearTime(ctx, other.id, w, at); err != nil || !free {
			if err != nil {
				return false, err
			}
			continue
		}
		err := appointments.move(s.with(ctx), a.ID, models.ReassignAppointment, at, map[string]any{"agent_id": other.id, "sequence": a.Sequence + 1})
		if err != nil {
			return false, err
		}
		a.AgentID, a.Sequence = other.id, a.Sequence+1
		c, err := s.ProofingCase(ctx, a.CaseID)
		if err != nil {
			return false, err
		}
		if err := s.tellAppointment(ctx, c, a, NewNotice{Kind: models.NoticeAppointmentMoved, Params: map[string]string{"cause": "agent"}}, at); err != nil {
			return false, err
		}
		return true, s.appointmentChanged(ctx, c, a, "appointment.reassigned", actor.ID, at)
	}
	return false, nil
}

// works reports whether all of a time lies within the agent's hours.
func (a *onDuty) works(i availability.Interval) bool {
	for open := range a.schedule.Openings(i.Start, i.End) {
		return open.Start.Equal(i.Start) && open.End.Equal(i.End)
	}
	return false
}

// unstaff ends an appointment that nobody can hold.
func (s *Store) unstaff(ctx context.Context, a models.Appointment, actor models.Actor, at time.Time) error {
	c, err := s.ProofingCase(ctx, a.CaseID)
	if err != nil {
		return err
	}
	return s.notPassed(ctx, &c, a, models.UnstaffAppointment, RescheduleUnstaffed, map[string]any{"sequence": a.Sequence + 1, "link_hash": nil}, actor.ID, at)
}
