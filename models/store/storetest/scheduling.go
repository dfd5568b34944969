package storetest

import (
	"testing"
	"time"

	"tokendesk/internal/seal"
	"tokendesk/models"
	"tokendesk/models/store"
)

// ToSchedule is the proofing case of an account whose person is to choose a slot of a live video session.
func ToSchedule(t testing.TB, st *store.Store, ring *seal.Keyring, a models.Account) models.ProofingCase {
	t.Helper()
	c := Activated(t, st, ring, a, FulfilledOrder(t, st, ring, a.ID, ProofedTokenSKU), 1)
	chosen, err := st.ChooseVideo(t.Context(), OpenCase(t, st, c.ID).ID, a.ID, At)
	Must(t, err)
	return chosen
}

// Hours are windows of hours, each for some minutes.
func Hours(minutes int, expressions ...string) []models.AgentWindow {
	windows := make([]models.AgentWindow, len(expressions))
	for i, e := range expressions {
		windows[i] = models.AgentWindow{Expression: e, Minutes: minutes}
	}
	return windows
}

// Agent is an agent with hours in a zone.
func Agent(t testing.TB, st *store.Store, zone string, hours []models.AgentWindow) models.Agent {
	t.Helper()
	a, err := st.CreateAgent(t.Context(), models.Agent{Name: "Grace Hopper", Email: "grace@agents.example", Zone: zone}, models.Actor{ID: "test"}, At)
	Must(t, err)
	Must(t, st.SetAgentHours(t.Context(), a.ID, hours, models.Actor{ID: "test"}, At))
	return a
}

// Booking books what is held, with contact data that could be anybody's.
func Booking(c models.ProofingCase, a models.Appointment) store.Booking {
	return store.Booking{CaseID: c.ID, AccountID: c.AccountID, AppointmentID: a.ID, Phone: "+14155550123", Email: "ada.at.home@example.com", Zone: "America/New_York"}
}

// Booked is the appointment of a case at a time, in a slot that is held and booked at a moment.
func Booked(t testing.TB, st *store.Store, ring *seal.Keyring, c models.ProofingCase, startsAt, at time.Time) models.Appointment {
	t.Helper()
	held, err := st.HoldSlot(t.Context(), c.ID, c.AccountID, startsAt, at)
	Must(t, err)
	a, err := st.BookAppointment(t.Context(), Booking(c, held), ring, at)
	Must(t, err)
	return a
}

// LinkOf opens the link that waits in the newest mail about an appointment.
func LinkOf(t testing.TB, st *store.Store, ring *seal.Keyring, a models.Appointment) models.Secret {
	t.Helper()
	var id string
	var sealed []byte
	Must(t, st.Pool().QueryRow(t.Context(), `select id, sealed from notices where params->>'appointment' = $1 and sealed is not null
		order by (params->>'sequence')::int desc limit 1`, a.ID).Scan(&id, &sealed))
	link, err := ring.Open(sealed, models.NoticeContext(id))
	Must(t, err)
	return models.Secret(link.Reveal())
}
