package histories

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"time"

	postsim "tokendesk/activities/gateway/post/simulator"
	identity "tokendesk/activities/gateway/proofing"
	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
)

// applicant is one person who is proofed, on the real engine.
type applicant struct {
	*ground
	c       models.ProofingCase
	device  *storetest.Device
	booked  models.Appointment
	code    models.Secret
	at      time.Time // the vendor's now, on which the run is as well
	session string    // at the provider
}

// proofingRuns are the ways to be proofed, or not.
var proofingRuns = []run{
	{name: "self_service", floor: 21, live: applicants(func(a *applicant) {
		a.consent()
		a.ends(models.OutcomeVerified)
		a.register()
	})},
	{name: "posted", floor: 30, live: applicants(func(a *applicant) {
		a.consent()
		a.ends(models.OutcomeLocated)
		a.readLetter()
		a.milestones(1) // the first reminder
		a.enter()
		a.register()
	})},
	{name: "letter_lapsed", floor: 30, open: true, live: applicants(func(a *applicant) {
		a.consent()
		a.ends(models.OutcomeLocated)
		a.milestones(3) // two reminders, and the end of the term
	})},
	{name: "letter_lost", floor: 27, live: applicants(func(a *applicant) {
		a.consent()
		a.ends(models.OutcomeLocated)
		_, err := a.st.ReportCodeLost(a.Context(), a.c.ID, a.buyer.ID, a.at)
		storetest.Must(a, err)
		a.dispatch()
		a.revoke()
	})},
	{name: "letter_impossible", floor: 21, open: true, live: applicants(func(a *applicant) {
		a.consentFrom(postsim.Unreachable)
		a.ends(models.OutcomeLocated)
	})},
	{name: "timed_out", floor: 39, open: true, live: applicants(func(a *applicant) {
		a.consent()
		a.milestones(1)
	})},
	{name: "not_located", floor: 45, live: applicants(func(a *applicant) {
		a.consent()
		a.ends(models.OutcomeNotLocated)
		a.startOver()
		a.consent()
		a.startOver()
		a.consent()
		a.revoke()
	})},
	{name: "video", floor: 36, live: applicants(func(a *applicant) {
		a.consent()
		a.video()
		a.book(3)
		a.milestones(2) // the reminder, and the link
		a.pass(nil)
		a.enter()
		a.register()
	})},
	{name: "registered_too_late", floor: 33, open: true, live: applicants(func(a *applicant) {
		a.video()
		a.book(3)
		a.milestones(2)
		a.pass(nil)
		a.enter()
		a.milestones(3) // two reminders, and the end of the term
	})},
	{name: "video_troubles", floor: 63, live: applicants(func(a *applicant) {
		a.video()
		a.book(3)
		a.reschedule(4)
		a.milestones(2)
		a.outcome(models.MissAppointment)
		a.book(3)
		a.milestones(2)
		a.outcome(models.FailAppointment)
		a.book(3)
		a.milestones(2)
		a.outcome(models.BreakOffAppointment)
		a.book(3)
		storetest.Must(a, a.st.CancelAppointment(a.Context(), a.c.ID, a.buyer.ID, a.at))
		a.dispatch()
		a.revoke()
	})},
	{name: "outcome_missing", floor: 24, open: true, live: applicants(func(a *applicant) {
		a.video()
		a.book(3)
		a.milestones(3)
	})},
	{name: "agent_absent", floor: 15, open: true, live: applicants(func(a *applicant) {
		a.video()
		a.book(3)
		a.absent() // another agent takes it
		a.absent() // and now nobody
	})},
	{name: "revoked_when_booked", floor: 12, live: applicants(func(a *applicant) {
		a.video()
		a.book(3)
		a.revoke()
	})},
	{name: "reviewed", floor: 27, live: applicants(func(a *applicant) {
		a.video()
		a.book(3)
		a.milestones(2)
		a.pass(closeName)
		a.review(true)
		a.revoke()
	})},
	{name: "review_rejected", floor: 27, live: applicants(func(a *applicant) {
		a.video()
		a.book(3)
		a.milestones(2)
		a.pass(closeName)
		a.review(false)
		a.revoke()
	})},
	{name: "review_overdue", floor: 27, open: true, live: applicants(func(a *applicant) {
		a.video()
		a.book(3)
		a.milestones(2)
		a.pass(closeName)
		a.milestones(2) // a case for staff, and then the code lapses
	})},
	{name: "revoked_in_review", floor: 24, live: applicants(func(a *applicant) {
		a.video()
		a.book(3)
		a.milestones(2)
		a.pass(closeName)
		a.revoke()
	})},
	{name: "revoked_proofed", floor: 21, live: applicants(func(a *applicant) {
		a.consent()
		a.ends(models.OutcomeVerified)
		a.revoke()
	})},
	{name: "provider_down", floor: 24, live: applicants(func(a *applicant) { // it answers again at the second look
		a.consent()
		a.misbehaves("redact", 1)
		a.ends(models.OutcomeVerified)
		a.register()
	})},
}

// applicants begins with a person who has bought, received and activated.
func applicants(live func(*applicant)) func(*ground) string {
	return func(g *ground) string {
		a := &applicant{ground: g}
		h := &holder{ground: g}
		holdOf(storetest.ProofedTokenSKU, func(held *holder) { h = held })(g)
		a.device, a.c, a.at = h.device, storetest.OpenCase(g, g.st, h.credential.ID), now()
		for range 2 {
			storetest.Agent(g, g.st, "America/New_York", storetest.Hours(8*60, "0 9 * * *"))
		}
		g.forget()
		a.start()
		live(a)
		return a.c.ID
	}
}

func (a *applicant) workflowID() string { return models.ProofingLifecycle.WorkflowID(a.c.ID) }

func (a *applicant) dispatch() {
	a.Helper()
	a.ground.dispatch(a.workflowID())
	c, err := a.st.ProofingCase(a.Context(), a.c.ID)
	storetest.Must(a, err)
	a.c = c
}

// start begins the lifecycle: the outbox row that does was claimed for the credential's.
func (a *applicant) start() {
	a.Helper()
	a.exec("update outbox set leased_until = null where dispatched_at is null")
	a.dispatch()
}

func (a *applicant) consent() { a.Helper(); a.consentFrom("62701") }

// consentFrom begins self-service for somebody who lives there.
func (a *applicant) consentFrom(postalCode string) {
	a.Helper()
	if a.at.Before(now()) {
		a.at = now()
	}
	_, err := a.st.ConsentToSelfService(a.Context(), a.c.ID, a.buyer.ID, models.DefaultPolicy().Proofing.TermsVersion, true, a.at)
	storetest.Must(a, err)
	s, err := a.st.IntendProofingSession(a.Context(), a.c.ID, a.buyer.ID, a.at)
	storetest.Must(a, err)
	started, err := a.identity.Start(a.Context(), identity.Applicant{Reference: s.ID, IdempotencyKey: s.ID, Name: identity.Name{First: "Ada", Last: "Lovelace"},
		Address: models.Address{Name: "Ada Lovelace", Line1: "1 Main Street", City: "Springfield", Region: "IL", PostalCode: postalCode, Country: "US"}, BirthDate: "1975-12-10",
		Phone: "+12175550123", SSNLast4: "1234"})
	storetest.Must(a, err)
	a.session = started.Ref
	_, err = a.st.ProofingSessionStarted(a.Context(), s.ID, started.Ref, models.ProofingResult{Phase: started.Phase, Outcome: started.Outcome}, a.at)
	storetest.Must(a, err)
	a.dispatch()
}

// ends has the provider come to a result, and tell that there is one.
func (a *applicant) ends(o models.ProofingOutcome) {
	a.Helper()
	_, err := a.identity.End(a.Context(), a.session, o)
	storetest.Must(a, err)
	storetest.Must(a, a.st.ProofingNews(a.Context(), "evt_"+a.session, a.session, a.at))
	a.dispatch()
	a.dispatch() // what the result has brought
}

func (a *applicant) misbehaves(operation string, times int) {
	a.Helper()
	a.misbehave("proofing", operation, "fail", times)
}

func (a *applicant) readLetter() {
	a.Helper()
	open, err := a.st.OpenActivationCode(a.Context(), a.c.ID)
	storetest.Must(a, err)
	letters, err := a.letters.Letters(a.Context(), open.ID)
	storetest.Must(a, err)
	w := httptest.NewRecorder()
	a.letters.Handler().ServeHTTP(w, httptest.NewRequestWithContext(a.Context(), http.MethodGet, letters[0].Text, nil))
	a.code = models.Secret(strings.ReplaceAll(codeForm.FindString(w.Body.String()), " – ", "-"))
}

var codeForm = regexp.MustCompile(`[0-9A-Z]{5}( – [0-9A-Z]{5}){2}`)

func (a *applicant) enter() {
	a.Helper()
	_, err := a.st.EnterActivationCode(a.Context(), store.CodeEntry{CaseID: a.c.ID, AccountID: a.buyer.ID, Code: a.code, Address: "192.0.2.1"}, a.at)
	storetest.Must(a, err)
	a.dispatch()
}

func (a *applicant) register() {
	a.Helper()
	first, second := a.device.Pair(now())
	_, err := a.st.RegisterHardwareToken(a.Context(), store.Registration{CredentialID: a.c.CredentialID, AccountID: a.buyer.ID, Serial: a.device.Serial,
		First: first, Second: second}, a.ring, a.at, now())
	storetest.Must(a, err)
	a.dispatch()
}

func (a *applicant) startOver() {
	a.Helper()
	_, err := a.st.StartProofingOver(a.Context(), a.c.ID, a.buyer.ID, false, a.at)
	storetest.Must(a, err)
	a.dispatch()
}

func (a *applicant) video() {
	a.Helper()
	_, err := a.st.ChooseVideo(a.Context(), a.c.ID, a.buyer.ID, a.at)
	storetest.Must(a, err)
	a.dispatch()
}

// slot is the first one, so many days on.
func (a *applicant) slot(days int) time.Time {
	a.Helper()
	from := a.at.AddDate(0, 0, days)
	slots, err := a.st.Slots(a.Context(), store.SlotQuery{From: from, To: from.AddDate(0, 0, 2), Policy: models.DefaultPolicy()}, a.at)
	storetest.Must(a, err)
	if len(slots) == 0 {
		a.Fatal("no slot is free")
	}
	return slots[0].StartsAt
}

func (a *applicant) book(days int) {
	a.Helper()
	a.booked = storetest.Booked(a, a.st, a.ring, a.c, a.slot(days), a.at)
	a.dispatch()
}

func (a *applicant) reschedule(days int) {
	a.Helper()
	var err error
	a.booked, err = a.st.RescheduleAppointment(a.Context(), a.c.ID, a.buyer.ID, a.slot(days), a.ring, a.at)
	storetest.Must(a, err)
	a.dispatch()
}

// absent has the agent of the appointment be absent.
func (a *applicant) absent() {
	a.Helper()
	booked, err := a.st.Appointment(a.Context(), a.booked.ID)
	storetest.Must(a, err)
	_, _, err = a.st.AgentAbsent(a.Context(), booked.AgentID, booked.StartsAt, booked.EndsAt, models.Actor{ID: booked.AgentID}, a.at)
	storetest.Must(a, err)
	a.dispatch()
}

func closeName(p *store.Pass) { p.LegalName, p.NameConfirmed = "Ada King Lovelace", true }

// pass has the assigned agent pass the session, ten minutes after it began.
func (a *applicant) pass(change func(*store.Pass)) {
	a.Helper()
	o := storetest.PassOf(a.live())
	if change != nil {
		change(o.Pass)
	}
	r, err := a.st.RecordOutcome(a.Context(), o, a.ring, a.at)
	storetest.Must(a, err)
	a.code = r.Code
	a.dispatch()
}

// live is the session, which has begun.
func (a *applicant) live() storetest.LiveSession {
	a.Helper()
	booked, err := a.st.Appointment(a.Context(), a.booked.ID)
	storetest.Must(a, err)
	a.at = booked.StartsAt.Add(10 * time.Minute)
	agent, err := a.st.Agent(a.Context(), booked.AgentID)
	storetest.Must(a, err)
	return storetest.LiveSession{Appointment: booked, Agent: agent, Case: a.c}
}

func (a *applicant) outcome(event models.AppointmentEvent) {
	a.Helper()
	live := a.live()
	_, err := a.st.RecordOutcome(a.Context(), store.Outcome{AppointmentID: live.ID, AgentID: live.Agent.ID, Event: event, Instructions: "Please bring your passport."}, a.ring, a.at)
	storetest.Must(a, err)
	a.dispatch()
}

// review has a second agent decide.
func (a *applicant) review(confirm bool) {
	a.Helper()
	var record string
	storetest.Must(a, a.st.Pool().QueryRow(a.Context(), "select id from proofing_records where case_id = $1", a.c.ID).Scan(&record))
	_, err := a.st.RecordReview(a.Context(), store.ReviewDecision{RecordID: record, AgentID: storetest.Reviewer(a, a.st).ID, Confirm: confirm, Reason: "The name is another one."}, a.at)
	storetest.Must(a, err)
	a.dispatch()
}

func (a *applicant) revoke() {
	a.Helper()
	r := models.Revocation{CredentialID: a.c.CredentialID, Reason: models.RevokeNotNeeded, By: models.BySubscriber}
	storetest.Must(a, a.st.RevokeCredential(a.Context(), r, a.ring, storetest.Hasher, models.Actor{ID: a.buyer.ID}, a.at))
	a.dispatch()
}

// milestones lets time pass until so many more have been performed; looks at the provider come in between.
func (a *applicant) milestones(n int) {
	a.Helper()
	for want := a.performed() + n; a.performed() < want; {
		before := timers(a.T, a.engine, a.workflowID())
		done := a.performed()
		skip(a.T, a.engine, a.workflowID())
		until(a.T, "the next look", func() bool { return a.performed() > done || timers(a.T, a.engine, a.workflowID()) > before })
		settle(a.T, a.engine, a.workflowID())
	}
	storetest.Must(a, a.st.Pool().QueryRow(a.Context(), "select greatest($2, max(performed_at)) from proofing_milestones where case_id = $1", a.c.ID, a.at).Scan(&a.at))
	a.at = a.at.UTC()
	a.dispatch()
}

func (a *applicant) performed() (n int) {
	a.Helper()
	storetest.Must(a, a.st.Pool().QueryRow(a.Context(), "select count(*) from proofing_milestones where case_id = $1", a.c.ID).Scan(&n))
	return n
}
