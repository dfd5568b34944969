package demo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"tokendesk/api/client"
	"tokendesk/internal/identitydocs"
	"tokendesk/models"
)

func emmy(p *play) *person { return p.emmy }

// emmyZone is where Emmy is when she books.
const emmyZone = "Europe/Berlin"

func emmyBegins(ctx context.Context, p *play) (scene, error) {
	w := p.emmy
	opened, err := p.buyProofed(ctx, w)
	if err != nil {
		return scene{}, err
	}
	_, refusal := client.Read[client.Proofing](w.api.ConsentToSelfService(ctx, w.proofing, nil, client.SelfServiceConsent{TermsVersion: "2026-01", CreditInquiry: true}))
	if err := refusedAs(models.MethodNotOffered, refusal); err != nil {
		return scene{}, err
	}
	chosen, err := client.Read[client.Proofing](w.api.ChooseLiveVideo(ctx, w.proofing, nil))
	return scene{fmt.Sprintf("Her documents are of %s, so %s is the one method that she is offered. Self-service is refused.", opened.Country, opened.Methods[0]), aboutProofing(w)},
		all(err, same("the number of methods", len(opened.Methods), 1), same("the proofing's status", chosen.Status, models.ProofingScheduling))
}

// slots lists what is free from a moment on, on Emmy's clocks.
func (w *person) slots(ctx context.Context, from time.Time) ([]client.Slot, error) {
	list, err := client.Read[client.SlotList](w.api.ListSlots(ctx, &client.ListSlotsParams{From: &from, Tz: emmyZone, ProofingID: &w.proofing}))
	if err == nil && len(list.Items) == 0 {
		err = fmt.Errorf("no slot is free from %s on", day(from))
	}
	return list.Items, err
}

func bookSession(ctx context.Context, p *play) (scene, error) {
	w := p.emmy
	now, err := p.date(ctx)
	if err != nil {
		return scene{}, err
	}
	free, err := w.slots(ctx, now.AddDate(0, 0, 2))
	if err != nil {
		return scene{}, err
	}
	past := client.SlotChoice{StartsAt: now.AddDate(0, 0, -1)}
	_, refusal := client.Read[client.Appointment](w.api.HoldSlot(ctx, w.proofing, nil, past))
	if err := refusedAs(models.SlotInPast, refusal); err != nil {
		return scene{}, err
	}
	if _, err := client.Read[client.Appointment](w.api.HoldSlot(ctx, w.proofing, nil, client.SlotChoice{StartsAt: free[0].StartsAt})); err != nil {
		return scene{}, err
	}
	booked, err := client.Read[client.Appointment](w.api.BookAppointment(ctx, w.proofing, nil, client.AppointmentContact{Phone: "+4930123456", Email: w.email, TimeZone: emmyZone}))
	if err != nil {
		return scene{}, err
	}
	w.session = booked.StartsAt
	m, err := p.sandbox.mailFor(ctx, w, "Your live video session")
	return scene{fmt.Sprintf("%d slots are free. She takes the one of %s, in Berlin. The mail brings an invitation for her calendar, %s.", len(free), clock(booked.StartsAt), attached(m)), aboutProofing(w)},
		all(err, same("the appointment's status", booked.Status, models.AppointmentBooked), holds(strings.Contains(attached(m), ".ics"), "the mail brings an invitation"))
}

// clock is a moment as Emmy reads it.
func clock(t time.Time) string { return t.Format("Monday 2 January, 15:04 MST") }

func attached(m mail) string {
	var names []string
	for _, a := range m.Attachments {
		names = append(names, a.Name)
	}
	return strings.Join(names, ", ")
}

func moveSession(ctx context.Context, p *play) (scene, error) {
	w := p.emmy
	free, err := w.slots(ctx, w.session.Add(20*time.Hour))
	if err != nil {
		return scene{}, err
	}
	moved, err := client.Read[client.Appointment](w.api.RescheduleAppointment(ctx, w.proofing, nil, client.SlotChoice{StartsAt: free[0].StartsAt}))
	if err != nil {
		return scene{}, err
	}
	before := w.session
	w.session = moved.StartsAt
	_, err = p.sandbox.mailFor(ctx, w, "Your live video session is now on")
	return scene{fmt.Sprintf("It is the same appointment, now on %s: her calendar moves it, since the invitation keeps its id and counts on.", clock(moved.StartsAt)), aboutProofing(w)},
		all(err, holds(moved.StartsAt.After(before), "the session is later than before"))
}

func linkArrives(ctx context.Context, p *play) (scene, error) {
	w := p.emmy
	link := models.DefaultPolicy().Proofing.Appointment
	if _, err := p.until(ctx, w.session.Add(-time.Duration(link.LinkMinutes)*time.Minute)); err != nil {
		return scene{}, err
	}
	if _, err := p.sandbox.mailFor(ctx, w, "Reminder: your live video session"); err != nil {
		return scene{}, err
	}
	m, err := p.sandbox.mailFor(ctx, w, "The link to your live video session")
	return scene{fmt.Sprintf("A day before she was reminded; %d minutes before, the room is made and its link mailed: “%s”.", link.LinkMinutes, m.Subject), aboutProofing(w)}, err
}

func sessionPassed(ctx context.Context, p *play) (scene, error) {
	w := p.emmy
	if _, err := p.until(ctx, w.session.Add(10*time.Minute)); err != nil {
		return scene{}, err
	}
	mine, others, err := p.deskOf(ctx, w)
	if err != nil {
		return scene{}, err
	}
	outcome := passOf(w, mine.appointment)
	_, refusal := client.Read[client.RecordedOutcome](others.RecordAgentOutcome(ctx, mine.appointment.ID, nil, outcome))
	if err := refusedAs(models.NotTheAssignedAgent, refusal); err != nil {
		return scene{}, err
	}
	stale := outcome
	pass, expired := *outcome.Pass, "2020-03-23"
	pass.DocumentExpiry, stale.Pass = &expired, &pass
	_, refusal = client.Read[client.RecordedOutcome](mine.RecordAgentOutcome(ctx, mine.appointment.ID, nil, stale))
	if err := refusedAs(models.DocumentExpired, refusal); err != nil {
		return scene{}, err
	}
	recorded, err := client.Read[client.RecordedOutcome](mine.RecordAgentOutcome(ctx, mine.appointment.ID, nil, outcome))
	if err != nil {
		return scene{}, err
	}
	w.code = *recorded.ActivationCode
	return scene{fmt.Sprintf("%s sees her passport and answers %d questions with yes. %s, whose appointment it is not, may not. The code is shown to %s once, and read to Emmy: %s.",
			mine.name, len(outcome.Pass.Checklist.Answers), others.name, mine.name, masked(w.code)), aboutProofing(w)},
		same("the appointment's status", recorded.Status, models.AppointmentPassed)
}

// assigned is the desk of the agent who holds a session.
type assigned struct {
	desk
	appointment client.AgentAppointment
}

// deskOf finds the agent of a person's session by the list of the day, and another one.
func (p *play) deskOf(ctx context.Context, w *person) (mine assigned, others desk, err error) {
	for _, name := range []string{"edith", "mary"} {
		d, err := p.sitDown(ctx, name)
		if err != nil {
			return mine, others, err
		}
		today, err := client.Read[client.AgentDay](d.ListAgentAppointments(ctx, nil))
		if err != nil {
			return mine, others, err
		}
		i := slices.IndexFunc(today.Items, func(e client.AgentDayEntry) bool { return e.StartsAt.Equal(w.session) && e.LegalName == w.legalName() })
		if i < 0 {
			others = d
			continue
		}
		mine.desk = d
		if mine.appointment, err = client.Read[client.AgentAppointment](d.GetAgentAppointment(ctx, today.Items[i].ID)); err != nil {
			return mine, others, err
		}
	}
	return mine, others, holds(mine.Client != nil && others.Client != nil, "one of two agents has Emmy's session on the list of the day")
}

// passOf is what the agent reads from a passport.
func passOf(w *person, a client.AgentAppointment) client.NewOutcome {
	expires := "2034-03-23"
	pass := client.NewPass{DocumentType: identitydocs.Passport, Issuer: a.Country, DocumentNumber: "C01X00T47", LegalName: strings.ToUpper(w.last + ", " + w.first),
		DocumentExpiry: &expires, Checklist: client.ChecklistAnswers{Version: a.Checklist.Version}}
	for _, q := range a.Checklist.Questions {
		pass.Checklist.Answers = append(pass.Checklist.Answers, client.ChecklistAnswer{Question: q.ID, Yes: true})
	}
	return client.NewOutcome{Outcome: models.PassAppointment, Pass: &pass}
}

// masked shows the first part of a code.
func masked(code string) string {
	first, _, _ := strings.Cut(code, "-")
	return first + "-…"
}

func entersCode(ctx context.Context, p *play) (scene, error) {
	w := p.emmy
	if _, err := p.login(ctx, w); err != nil {
		return scene{}, err
	}
	_, refusal := client.Read[client.Proofing](w.api.EnterActivationCode(ctx, w.proofing, nil, client.ActivationCodeEntry{Code: "7KQ2M-WQ4PX-2XRT9"}))
	if err := refusedAs(models.ActivationCodeWrong, refusal); err != nil {
		return scene{}, err
	}
	if _, err := client.Read[client.Proofing](w.api.EnterActivationCode(ctx, w.proofing, nil, client.ActivationCodeEntry{Code: w.code})); err != nil {
		return scene{}, err
	}
	return proofedNow(ctx, p, w, "A wrong one is counted; hers is good once, and nobody could have looked it up.")
}
