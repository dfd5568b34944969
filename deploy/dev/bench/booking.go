package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"golang.org/x/sync/errgroup"
	"tokendesk/internal/seal"
	"tokendesk/models"
	"tokendesk/models/store"
)

const (
	bookers       = 200
	bookedAgents  = 12
	slotsOfAWeek  = 5 * 4 // of each agent: five a day, four days
	bookingRounds = 3
	leastBookings = 1.0 // of the rate of people who come one after the other
)

// bookingAt is a Monday; nothing here waits for it.
var bookingAt = time.Date(2026, 11, 2, 15, 0, 0, 0, time.UTC)

// caller is a person who is to choose a slot.
type caller struct{ caseID, accountID string }

// callers opens a proofing for each person of the site, who has chosen a live video session.
func (s *site) callers(ctx context.Context) (all []caller, err error) {
	_, err = s.store.Pool().Exec(ctx, `insert into proofing_cases (id, credential_id, account_id, purpose, country, status, policy_version, since, opened_at, updated_at)
		select 'pc_' || substr(id, 4), id, account_id, 'activation', 'DE', 'scheduling', 1, $1, $1, $1 from credentials`, bookingAt)
	if err != nil {
		return nil, err
	}
	rows, err := s.store.Pool().Query(ctx, "select id, account_id from proofing_cases order by id")
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		var c caller
		if err := rows.Scan(&c.caseID, &c.accountID); err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, rows.Err()
}

// agent adds a proofing agent with hours.
func (s *site) agent(ctx context.Context, zone string, hours ...models.AgentWindow) (models.Agent, error) {
	system := models.Actor{ID: "bench"}
	a, err := s.store.CreateAgent(ctx, models.Agent{Name: "Agent", Email: "agent@agents.example", Zone: zone}, system, bookingAt)
	if err == nil {
		err = s.store.SetAgentHours(ctx, a.ID, hours, system, bookingAt)
	}
	return a, err
}

// booking has 200 people book at once from what 12 agents offer at the same times: 240 slots, 12 at each time. Nobody may be booked twice, and whoever comes
// afterwards must get exactly the 40 that are left. Those come one after the other, which is the baseline.
func booking(ctx context.Context, r *report, s *site) error {
	people, err := s.callers(ctx)
	if err != nil {
		return err
	}
	for range bookedAgents {
		if _, err := s.agent(ctx, "UTC", models.AgentWindow{Expression: "0 9 * * 2-5", Minutes: 180}); err != nil {
			return err
		}
	}
	ring, err := seal.Generate()
	if err != nil {
		return err
	}
	b := &bookings{site: s, ring: ring}
	if b.policy, err = s.store.Policy(ctx, 1); err != nil {
		return err
	}
	for round := range bookingRounds {
		began := time.Now()
		if err := b.rush(ctx, people[:bookers]); err != nil {
			return err
		}
		b.rates = append(b.rates, bookers/time.Since(began).Seconds())
		if err := b.check(ctx, r, people[bookers:], round == bookingRounds-1); err != nil {
			return err
		}
	}
	rate, baseline := median(b.rates), median(b.alone)
	r.add("bookings, one person after the other", baseline, "1/s", 0)
	r.add("bookings, 200 people at once, 12 agents", rate, "1/s", baseline)
	r.atLeast(leastBookings, "bookings at once per booking alone", rate/baseline, "ratio", baseline)
	return nil
}

// bookings is a rush of people who book.
type bookings struct {
	*site
	ring   *seal.Keyring
	policy models.Policy

	rates, alone []float64 // a second
}

func (b *bookings) rush(ctx context.Context, people []caller) error {
	var g errgroup.Group
	for i, c := range people {
		g.Go(func() error { return b.book(ctx, c, rand.New(rand.NewPCG(uint64(i), 1))) })
	}
	return g.Wait()
}

func (b *bookings) free(ctx context.Context) ([]store.Slot, error) {
	return b.store.Slots(ctx, store.SlotQuery{From: bookingAt, To: bookingAt.AddDate(0, 0, 6), Policy: b.policy}, bookingAt)
}

// book looks what is free, holds a slot and books it; whoever is too late looks again.
func (b *bookings) book(ctx context.Context, c caller, chance *rand.Rand) error {
	for {
		free, err := b.free(ctx)
		if err != nil {
			return err
		}
		if len(free) == 0 {
			return fmt.Errorf("%s finds no slot, though there are more slots than people", c.caseID)
		}
		held, err := b.store.HoldSlot(ctx, c.caseID, c.accountID, free[chance.IntN(len(free))].StartsAt, bookingAt)
		if models.FaultOf(err).Type == models.SlotTaken {
			continue
		}
		if err != nil {
			return err
		}
		_, err = b.store.BookAppointment(ctx, store.Booking{CaseID: c.caseID, AccountID: c.accountID, AppointmentID: held.ID, Phone: "+4930123456789",
			Email: "someone@persons.example", Zone: "Europe/Berlin"}, b.ring, bookingAt)
		return err
	}
}

// check counts what was booked twice, and lets others book until nothing is left. Then everybody cancels, for another round.
func (b *bookings) check(ctx context.Context, r *report, others []caller, last bool) error {
	const left = bookedAgents*slotsOfAWeek - bookers
	var booked, twice int
	if err := b.store.Pool().QueryRow(ctx, `select (select count(*) from appointments where status = 'booked'), (select count(*) from appointments a join appointments b on
		a.agent_id = b.agent_id and a.id < b.id and tstzrange(a.starts_at, a.blocked_until) && tstzrange(b.starts_at, b.blocked_until)
		where a.status = 'booked' and b.status = 'booked')`).Scan(&booked, &twice); err != nil {
		return err
	}
	began, chance := time.Now(), rand.New(rand.NewPCG(1, 1))
	for _, c := range others[:left] {
		if err := b.book(ctx, c, chance); err != nil {
			return fmt.Errorf("a slot was lost: %w", err)
		}
	}
	b.alone = append(b.alone, left/time.Since(began).Seconds())
	over, err := b.free(ctx)
	if err != nil {
		return err
	}
	if booked != bookers || twice > 0 || len(over) > 0 || last {
		r.atLeast(bookers, "people who booked", float64(booked), "count", bookers)
		r.atMost(0, "slots that were booked twice", float64(twice), "count", bookers)
		r.atMost(0, "slots that were lost, or are too many, after 40 others", float64(len(over)), "count", left)
	}
	_, err = b.store.Pool().Exec(ctx, "update appointments set status = 'cancelled' where status = 'booked'")
	if err == nil {
		_, err = b.store.Pool().Exec(ctx, "update proofing_cases set status = 'scheduling'")
	}
	if err == nil {
		_, err = b.store.Pool().Exec(ctx, "delete from attempts")
	}
	return err
}
