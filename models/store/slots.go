package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"tokendesk/internal/availability"
	"tokendesk/models"
)

// SlotQuery asks for slots that begin within [From, To).
type SlotQuery struct {
	From, To time.Time
	Policy   models.Policy // of the proofing case, or the current one
}

// Slot is a time for a live video session, with one agent or several.
type Slot struct {
	StartsAt time.Time
	EndsAt   time.Time
}

// slotRules are the policy's, as availability reads them.
func slotRules(p models.AppointmentPolicy) availability.Rules {
	return availability.Rules{Length: time.Duration(p.Minutes) * time.Minute, Buffer: time.Duration(p.BufferMinutes) * time.Minute,
		Notice: time.Duration(p.NoticeHours) * time.Hour, Horizon: time.Duration(p.HorizonDays) * 24 * time.Hour}
}

// Slots lists the slots that anybody may hold at a moment, each once, in order (PRF-5): not before the policy's notice, not after its horizon, and never of an
// agent whose day is full. Fault: InvalidRequest.
func (s *Store) Slots(ctx context.Context, q SlotQuery, at time.Time) ([]Slot, error) {
	if q.To.Before(q.From) {
		return nil, models.InvalidRequest.New("it ends before it begins").At("/to")
	}
	r := slotRules(q.Policy.Proofing.Appointment)
	if first := at.Add(r.Notice); q.From.Before(first) {
		q.From = first
	}
	if last := at.Add(r.Horizon + time.Microsecond); q.To.After(last) {
		q.To = last
	}
	if !q.From.Before(q.To) {
		return nil, nil
	}
	agents, err := s.roster(ctx, rosterQuery{from: q.From, to: q.To, buffer: r.Buffer}, at)
	if err != nil {
		return nil, err
	}
	var starts []int64
	for _, a := range agents {
		for slot := range a.schedule.Slots(r, at, q.From, q.To, a.busy) {
			if !a.full(slot.Start) {
				starts = append(starts, slot.Start.UnixMicro())
			}
		}
	}
	slices.Sort(starts)
	starts = slices.Compact(starts)
	slots := make([]Slot, len(starts))
	for i, micro := range starts {
		start := time.UnixMicro(micro).UTC()
		slots[i] = Slot{start, start.Add(r.Length)}
	}
	return slots, nil
}

// wanted is a slot that somebody asks for.
type wanted struct {
	slot    availability.Interval
	rules   availability.Rules
	without string // the appointment that is moved there; empty: a new one
}

func want(startsAt time.Time, p models.Policy, without string) wanted {
	r := slotRules(p.Proofing.Appointment)
	startsAt = startsAt.UTC()
	return wanted{availability.Interval{Start: startsAt, End: startsAt.Add(r.Length)}, r, without}
}

func (w wanted) roster(agentID string) rosterQuery {
	return rosterQuery{agentID: agentID, from: w.slot.Start, to: w.slot.End, buffer: w.rules.Buffer, without: w.without}
}

// takeSlot finds a free agent for a slot, the one with the fewest sessions that day, and has keep write the appointment down. Whoever comes second for the last
// free agent is refused. The caller has locked the case. Faults: SlotInPast, SlotNotOffered, SlotTaken.
func (s *Store) takeSlot(ctx context.Context, w wanted, at time.Time, keep func(agentID string) error) error {
	if w.slot.Start.Before(at.Add(w.rules.Notice)) {
		return models.SlotInPast.New("").At("/starts_at")
	}
	agents, err := s.roster(ctx, w.roster(""), at)
	if err != nil {
		return err
	}
	agents = slices.DeleteFunc(agents, func(a *onDuty) bool { return !a.schedule.Free(w.rules, at, w.slot, nil) })
	if len(agents) == 0 {
		return models.SlotNotOffered.New("").At("/starts_at")
	}
	agents = slices.DeleteFunc(agents, func(a *onDuty) bool { return !a.free(w.rules, at, w.slot) })
	slices.SortStableFunc(agents, func(a, b *onDuty) int { return cmp.Compare(a.on(w.slot.Start), b.on(w.slot.Start)) })
	for _, a := range agents {
		taken, err := s.takeFrom(ctx, a.id, w, at, keep)
		if err != nil || taken {
			return err
		}
	}
	return models.SlotTaken.New("").At("/starts_at")
}

// takeFrom tries to take a slot of one agent's time, and leaves nothing behind, no lock either, if it is gone. All who take time of an agent do so one after
// another: the exclusion constraint is what guards it, but those who meet there would wait for each other.
func (s *Store) takeFrom(ctx context.Context, agentID string, w wanted, at time.Time, keep func(agentID string) error) (taken bool, err error) {
	if err := s.with(ctx).SavePoint("before_agent").Error; err != nil {
		return false, fmt.Errorf("take a slot: %w", err)
	}
	if err := s.lockAgent(ctx, agentID); err != nil {
		return false, err
	}
	free, err := s.stillFree(ctx, agentID, w, at)
	if err == nil && free {
		err = fault(keep(agentID))
	}
	switch {
	case errors.Is(err, models.SlotTaken): // by someone whom the lock did not stop: the constraint did
	case err != nil || free:
		return free, err
	}
	if err := s.with(ctx).RollbackTo("before_agent").Error; err != nil {
		return false, fmt.Errorf("take a slot: %w", err)
	}
	return false, nil
}

// stillFree looks again at an agent who is locked.
func (s *Store) stillFree(ctx context.Context, agentID string, w wanted, at time.Time) (bool, error) {
	agents, err := s.roster(ctx, w.roster(agentID), at)
	if err != nil || len(agents) == 0 || !agents[0].free(w.rules, at, w.slot) {
		return false, err
	}
	return s.clearTime(ctx, agentID, w, at)
}

// clearTime releases expired holds of a locked agent that are in the way, and reports whether nothing is any more. One that its own holder is about to
// release counts as taken, since waiting for that could mean waiting for each other.
func (s *Store) clearTime(ctx context.Context, agentID string, w wanted, at time.Time) (bool, error) {
	way := map[string]any{"agent": agentID, "from": w.slot.Start, "to": w.slot.End.Add(w.rules.Buffer), "without": w.without, "at": at}
	const inTheWay = "agent_id = @agent and status in ('held', 'booked') and id <> @without and tstzrange(starts_at, blocked_until) && tstzrange(@from, @to)"
	if err := s.releaseHolds(ctx, inTheWay+" and held_until <= @at", way, at); err != nil {
		return false, err
	}
	var blocked bool
	if err := s.with(ctx).Raw("select exists (select from appointments where "+inTheWay+")", way).Row().Scan(&blocked); err != nil {
		return false, fault(fmt.Errorf("look whether a slot is free: %w", err))
	}
	return !blocked, nil
}
