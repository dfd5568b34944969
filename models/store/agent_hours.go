package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"tokendesk/internal/availability"
	"tokendesk/models"
)

// expressions keeps what was parsed: only valid ones, which staff wrote, and there are few of them.
var expressions sync.Map // of string to availability.Expression

func parseExpression(text string) (availability.Expression, error) {
	if known, ok := expressions.Load(text); ok {
		return known.(availability.Expression), nil
	}
	e, err := availability.ParseExpression(text)
	if err == nil {
		expressions.Store(text, e)
	}
	return e, err
}

// SetAgentHours replaces an agent's weekly hours (PRF-5). Position is the place in the list. What is booked stays as it is.
// Faults: NoSuchThing, InvalidRequest (joined: one for each window that is wrong, at /windows/i).
func (s *Store) SetAgentHours(ctx context.Context, agentID string, windows []models.AgentWindow, actor models.Actor, at time.Time) error {
	a, err := s.Agent(ctx, agentID)
	if err != nil {
		return err
	}
	if _, err := readHours(a.Zone, windows); err != nil {
		return fmt.Errorf("set an agent's hours: %w", err)
	}
	err = s.InTx(ctx, func(tx *Store) error {
		if err := tx.lockAgent(ctx, agentID); err != nil {
			return err
		}
		if err := tx.with(ctx).Exec("delete from agent_windows where agent_id = ?", agentID).Error; err != nil {
			return err
		}
		for i, w := range windows {
			row := models.AgentWindow{AgentID: agentID, Position: i, Expression: w.Expression, Minutes: w.Minutes}
			if err := tx.with(ctx).Create(&row).Error; err != nil {
				return err
			}
		}
		return tx.auditAgent(ctx, agentID, "agent.hours_set", map[string]string{"windows": strconv.Itoa(len(windows))}, actor, at)
	})
	if err != nil {
		return fmt.Errorf("set an agent's hours: %w", err)
	}
	return nil
}

// AgentHours are an agent's weekly hours, in order.
func (s *Store) AgentHours(ctx context.Context, agentID string) ([]models.AgentWindow, error) {
	var rows []models.AgentWindow
	return rows, fault(s.with(ctx).Where("agent_id = ?", agentID).Order("position").Find(&rows).Error)
}

// HoursPreview is what a window of hours comes to.
type HoursPreview struct {
	Expression string
	Next       []time.Time // when it begins next, in the zone
}

// PreviewAgentHours shows when windows of hours would begin next, n times each, in a zone. Faults as of SetAgentHours, and ZoneUnknown.
func PreviewAgentHours(zone string, windows []models.AgentWindow, n int, at time.Time) ([]HoursPreview, error) {
	schedule, err := readHours(zone, windows)
	if err != nil {
		return nil, fmt.Errorf("preview hours: %w", err)
	}
	previews := make([]HoursPreview, len(windows))
	for i, w := range schedule.Windows {
		previews[i] = HoursPreview{w.Starts.String(), w.Starts.Next(at, schedule.Zone, n)}
	}
	return previews, nil
}

// readHours is the schedule of windows of hours, or everything that is wrong with them.
func readHours(zone string, windows []models.AgentWindow) (schedule availability.Schedule, err error) {
	if schedule.Zone, err = TimeZone(zone, "/zone"); err != nil {
		return schedule, err
	}
	var wrong []error
	for i, w := range windows {
		starts, err := parseExpression(w.Expression)
		if err != nil {
			wrong = append(wrong, models.InvalidRequest.New("%s", hoursTrouble(err)).At(fmt.Sprintf("/windows/%d/expression", i)))
			continue
		}
		window := availability.Window{Starts: starts, Lasts: time.Duration(w.Minutes) * time.Minute}
		if err := (availability.Schedule{Zone: schedule.Zone, Windows: []availability.Window{window}}).Validate(); err != nil {
			wrong = append(wrong, models.InvalidRequest.New("a window lasts 1 to 1440 minutes").At(fmt.Sprintf("/windows/%d/minutes", i)))
		}
		schedule.Windows = append(schedule.Windows, window)
	}
	if err := schedule.Validate(); err != nil && len(wrong) == 0 {
		wrong = append(wrong, models.InvalidRequest.New("too many windows").At("/windows"))
	}
	return schedule, errors.Join(wrong...)
}

// hoursTrouble says in plain words what is wrong with an expression.
func hoursTrouble(err error) string {
	for _, known := range []struct {
		err  error
		text string
	}{
		{availability.ErrSeconds, "an expression has five fields: minute, hour, day, month and weekday, and no seconds"},
		{availability.ErrShorthand, "shorthands such as @daily are not accepted: write five fields"},
		{availability.ErrNamesZone, "an expression names no time zone: hours are in the agent's"},
		{availability.ErrImpossible, "no such date ever comes"},
		{availability.ErrTooOften, fmt.Sprintf("it begins more than %d times a day", availability.MaxPerDay)},
	} {
		if errors.Is(err, known.err) {
			return known.text
		}
	}
	return "this is no cron expression of five fields: minute, hour, day, month and weekday, such as 0 9 * * 1-5"
}

// AddAgentException changes an agent's hours once. What was booked in time that is closed goes to others, as in AgentAbsent.
// Faults: NoSuchThing, InvalidRequest.
func (s *Store) AddAgentException(ctx context.Context, e models.AgentException, actor models.Actor, at time.Time) (models.AgentException, Displaced, error) {
	e.ID = NewID("ax", at)
	var d Displaced
	err := s.InTx(ctx, func(tx *Store) error {
		a, err := tx.Agent(ctx, e.AgentID)
		if err != nil {
			return err
		}
		closed, err := checkException(a, e)
		if err != nil {
			return err
		}
		add := func() error {
			if err := tx.with(ctx).Create(&e).Error; err != nil {
				return err
			}
			return tx.auditAgent(ctx, a.ID, "agent.exception_added", map[string]string{"exception": e.ID, "kind": string(e.Kind)}, actor, at)
		}
		if e.Kind == models.AgentExtra {
			if err := tx.lockAgent(ctx, a.ID); err != nil {
				return err
			}
			return add()
		}
		d, err = tx.closeAgent(ctx, a.ID, closed.Start, closed.End, actor, at, add)
		return err
	})
	if err != nil {
		return models.AgentException{}, Displaced{}, fmt.Errorf("add an exception to an agent's hours: %w", err)
	}
	return e, d, nil
}

// checkException returns the time that an exception is about. Fault: InvalidRequest.
func checkException(a models.Agent, e models.AgentException) (i availability.Interval, err error) {
	switch e.Kind {
	case models.AgentHoliday:
		day, err := time.Parse(time.DateOnly, deref(e.Day))
		if err != nil || e.StartsAt != nil || e.EndsAt != nil {
			return i, models.InvalidRequest.New("a holiday is a day, such as 2026-12-25").At("/day")
		}
		zone, err := TimeZone(a.Zone, "/zone")
		if err != nil {
			return i, err
		}
		return dayOf(availability.DateOf(day), zone), nil
	case models.AgentClosed, models.AgentExtra:
		i = availability.Interval{Start: deref(e.StartsAt), End: deref(e.EndsAt)}
		s := availability.Schedule{Zone: time.UTC, Closed: []availability.Interval{i}}
		if e.Kind == models.AgentExtra {
			s = availability.Schedule{Zone: time.UTC, Extra: []availability.Interval{i}}
		}
		if s.Validate() != nil || e.Day != nil || i.Start.IsZero() {
			return i, models.InvalidRequest.New("it ends after it starts; an extra opening lasts 31 days at most").At("/ends_at")
		}
		return i, nil
	}
	return i, models.InvalidRequest.New("there is no such kind").At("/kind")
}

// RemoveAgentException takes an exception back. What went to others meanwhile stays there. Fault: NoSuchThing.
func (s *Store) RemoveAgentException(ctx context.Context, agentID, exceptionID string, actor models.Actor, at time.Time) error {
	err := s.InTx(ctx, func(tx *Store) error {
		if err := tx.lockAgent(ctx, agentID); err != nil {
			return err
		}
		r := tx.with(ctx).Exec("delete from agent_exceptions where id = ? and agent_id = ?", exceptionID, agentID)
		if r.Error != nil {
			return r.Error
		}
		if r.RowsAffected == 0 {
			return models.NoSuchThing.New("no such exception")
		}
		return tx.auditAgent(ctx, agentID, "agent.exception_removed", map[string]string{"exception": exceptionID}, actor, at)
	})
	if err != nil {
		return fmt.Errorf("remove an exception from an agent's hours: %w", err)
	}
	return nil
}

// AgentExceptions lists the exceptions of an agent that are not over at a moment, in order of time.
func (s *Store) AgentExceptions(ctx context.Context, agentID string, at time.Time) ([]models.AgentException, error) {
	var rows []models.AgentException
	err := s.with(ctx).Raw("select id, agent_id, kind, to_char(day, 'YYYY-MM-DD') as day, starts_at, ends_at from agent_exceptions where agent_id = ? and (ends_at > ? or day > ?) order by coalesce(starts_at, day), id",
		agentID, at, at.AddDate(0, 0, -2).Format(time.DateOnly)).Scan(&rows).Error
	return rows, fault(err)
}
