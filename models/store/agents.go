package store

import (
	"context"
	"fmt"
	"net/mail"
	"strings"
	"time"
	"unicode/utf8"

	"tokendesk/internal/availability"
	"tokendesk/models"
)

// TimeZone is the zone of that name in the IANA database. pointer names the member of the request. Fault: ZoneUnknown.
func TimeZone(name, pointer string) (*time.Location, error) {
	zone, err := availability.Zone(name)
	if err != nil {
		return nil, models.ZoneUnknown.New("").At(pointer)
	}
	return zone, nil
}

// CreateAgent adds a proofing agent, who has no hours yet. Name, Email, Zone, DailyCapacity and MayReview are taken from a.
// Faults: InvalidRequest, ZoneUnknown.
func (s *Store) CreateAgent(ctx context.Context, a models.Agent, actor models.Actor, at time.Time) (models.Agent, error) {
	if err := checkAgent(a); err != nil {
		return models.Agent{}, fmt.Errorf("create an agent: %w", err)
	}
	a = models.Agent{ID: NewID("ag", at), Name: a.Name, Email: a.Email, Zone: a.Zone, DailyCapacity: a.DailyCapacity, MayReview: a.MayReview, CreatedAt: at, UpdatedAt: at}
	err := s.InTx(ctx, func(tx *Store) error {
		if err := tx.with(ctx).Create(&a).Error; err != nil {
			return err
		}
		return tx.auditAgent(ctx, a.ID, "agent.created", nil, actor, at)
	})
	if err != nil {
		return models.Agent{}, fmt.Errorf("create an agent: %w", err)
	}
	return a, nil
}

// UpdateAgent changes Name, Email, Zone, DailyCapacity and MayReview of an agent who has not retired. In another zone the hours keep their wall times; what is
// booked stays as it is. Faults: NoSuchThing, InvalidRequest, ZoneUnknown.
func (s *Store) UpdateAgent(ctx context.Context, a models.Agent, actor models.Actor, at time.Time) (models.Agent, error) {
	err := checkAgent(a)
	if err == nil {
		err = s.InTx(ctx, func(tx *Store) error {
			r := tx.with(ctx).Table("proofing_agents").Where("id = ? and retired_at is null", a.ID).Updates(map[string]any{
				"name": a.Name, "email": a.Email, "zone": a.Zone, "daily_capacity": a.DailyCapacity, "may_review": a.MayReview, "updated_at": at})
			if r.Error != nil {
				return r.Error
			}
			if r.RowsAffected == 0 {
				return models.NoSuchThing.New("no such agent")
			}
			if err := tx.auditAgent(ctx, a.ID, "agent.changed", nil, actor, at); err != nil {
				return err
			}
			a, err = tx.Agent(ctx, a.ID)
			return err
		})
	}
	if err != nil {
		return models.Agent{}, fmt.Errorf("change an agent: %w", err)
	}
	return a, nil
}

// RetireAgent ends an agent's work at once: nothing more is booked, what was booked goes to others as in AgentAbsent, and the agent's logins end.
// reason is for the trail. Fault: NoSuchThing.
func (s *Store) RetireAgent(ctx context.Context, agentID string, actor models.Actor, reason string, at time.Time) (d Displaced, err error) {
	err = s.InTx(ctx, func(tx *Store) (err error) {
		d, err = tx.closeAgent(ctx, agentID, at, endOfTime, actor, at, func() error {
			r := tx.with(ctx).Exec("update proofing_agents set retired_at = ?, updated_at = ? where id = ? and retired_at is null", at, at, agentID)
			if r.Error == nil && r.RowsAffected == 0 {
				return models.NoSuchThing.New("no such agent")
			}
			return r.Error
		})
		if err != nil {
			return err
		}
		if err := tx.with(ctx).Exec("update agent_sessions set ended_at = ? where agent_id = ? and ended_at is null", at, agentID).Error; err != nil {
			return err
		}
		return tx.auditAgent(ctx, agentID, "agent.retired", map[string]string{"reason": reason}, actor, at)
	})
	if err != nil {
		return Displaced{}, fmt.Errorf("retire an agent: %w", err)
	}
	return d, nil
}

// Agent returns one agent, retired or not. Fault: NoSuchThing.
func (s *Store) Agent(ctx context.Context, id string) (a models.Agent, err error) {
	if err := s.with(ctx).Where("id = ?", id).Take(&a).Error; err != nil {
		return a, fault(fmt.Errorf("read an agent: %w", err))
	}
	return a, nil
}

// Agents lists agents, retired ones among them, in order of their ids.
func (s *Store) Agents(ctx context.Context, p Page) ([]models.Agent, error) {
	var rows []models.Agent
	q := s.with(ctx).Order("id").Limit(p.limit())
	if p.After != "" {
		q = q.Where("id > ?", p.After)
	}
	return rows, fault(q.Find(&rows).Error)
}

const mostSessionsOfAgent = 100 // a day

func checkAgent(a models.Agent) error {
	if strings.TrimSpace(a.Name) == "" || utf8.RuneCountInString(a.Name) > 200 || strings.ContainsFunc(a.Name, func(r rune) bool { return r < ' ' }) {
		return models.InvalidRequest.New("the name is missing or too long").At("/name")
	}
	if !plainAddress(a.Email) {
		return models.InvalidRequest.New("this is no e-mail address").At("/email")
	}
	if a.DailyCapacity < 0 || a.DailyCapacity > mostSessionsOfAgent {
		return models.InvalidRequest.New("0 to %d sessions a day", mostSessionsOfAgent).At("/daily_capacity")
	}
	_, err := TimeZone(a.Zone, "/zone")
	return err
}

// plainAddress reports whether a text is one e-mail address and nothing else, in a form that a mail and an invitation can carry.
func plainAddress(text string) bool {
	parsed, err := mail.ParseAddress(text)
	return err == nil && parsed.Address == text && len(text) <= 254 && !strings.ContainsAny(text, "\"\\()<>[],;: ")
}

// lockAgent holds back whoever books the agent's time, or closes it. It comes after credentials and proofing cases in the order of locks; whoever holds one waits
// for no other row, except for the other agents, which are locked all at once in order of their ids (see lockAgents).
func (s *Store) lockAgent(ctx context.Context, id string) error {
	var locked []string
	err := s.with(ctx).Raw("select id from proofing_agents where id = ? for no key update", id).Scan(&locked).Error
	if err == nil && len(locked) == 0 {
		err = models.NoSuchThing.New("no such agent")
	}
	if err != nil {
		return fault(fmt.Errorf("lock an agent: %w", err))
	}
	return nil
}

func (s *Store) lockAgents(ctx context.Context) error {
	if err := s.with(ctx).Exec("select id from proofing_agents where retired_at is null order by id for no key update").Error; err != nil {
		return fault(fmt.Errorf("lock the agents: %w", err))
	}
	return nil
}

// auditAgent writes down what staff did to an agent. Details are codes and times, never names.
func (s *Store) auditAgent(ctx context.Context, agentID, kind string, detail map[string]string, actor models.Actor, at time.Time) error {
	return s.Audit(ctx, models.AuditEvent{At: at, Class: models.AdministrationEvents, Kind: kind, Actor: actor.ID, SubjectRef: agentID, Outcome: models.Succeeded, Detail: detail})
}
