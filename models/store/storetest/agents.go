package storetest

import (
	"testing"
	"time"

	"tokendesk/internal/checklist"
	"tokendesk/internal/identitydocs"
	"tokendesk/internal/otp"
	"tokendesk/internal/seal"
	"tokendesk/models"
	"tokendesk/models/store"
)

// LiveSession is a live video session that is booked with an agent.
type LiveSession struct {
	models.Appointment
	Agent models.Agent
	Case  models.ProofingCase
}

// LiveSessionOf books a session of the next morning for an account, with an agent of its own.
func LiveSessionOf(t testing.TB, st *store.Store, ring *seal.Keyring, a models.Account) LiveSession {
	t.Helper()
	Agent(t, st, "America/New_York", Hours(8*60, "0 9 * * 1-5"))
	booked := Booked(t, st, ring, ToSchedule(t, st, ring, a), time.Date(2026, 11, 3, 14, 0, 0, 0, time.UTC), At)
	c, err := st.ProofingCase(t.Context(), booked.CaseID)
	Must(t, err)
	agent, err := st.Agent(t.Context(), booked.AgentID)
	Must(t, err)
	return LiveSession{booked, agent, c}
}

// DocumentNumber and DocumentName are what PassOf reads from a document.
const (
	DocumentNumber models.Secret = "C03005988"
	DocumentName   models.Secret = "LOVELACE, ADA"
)

// PassOf is a faultless pass of Ada Lovelace.
func PassOf(s LiveSession) store.Outcome {
	list := checklist.Current()
	p := store.Pass{Document: identitydocs.Record{Type: identitydocs.Passport, Issuer: "US", Number: DocumentNumber, Expires: "2031-05-06"},
		LegalName: DocumentName, Checklist: map[string]bool{}, ChecklistVersion: list.Version}
	for _, q := range list.Questions {
		p.Checklist[q.ID] = true
	}
	return store.Outcome{AppointmentID: s.ID, AgentID: s.Agent.ID, Event: models.PassAppointment, Pass: &p}
}

// Reviewer is an agent who looks at what others recorded.
func Reviewer(t testing.TB, st *store.Store) models.Agent {
	t.Helper()
	a, err := st.CreateAgent(t.Context(), models.Agent{Name: "Edith Clarke", Email: "edith@agents.example", Zone: "Europe/Berlin", MayReview: true}, models.Actor{ID: "test"}, At)
	Must(t, err)
	return a
}

// Enrolled gives an agent a second factor and returns its secret.
func Enrolled(t testing.TB, st *store.Store, ring *seal.Keyring, agentID string) models.SecretBytes {
	t.Helper()
	secret, err := st.EnrolAgent(t.Context(), agentID, ring, models.Actor{ID: "test"}, "a new agent", At)
	Must(t, err)
	return secret
}

// AgentCode is the code that an agent's app shows at a moment.
func AgentCode(secret models.SecretBytes, at time.Time) models.Secret {
	return models.Secret(otp.Code(secret.Reveal(), otp.App, otp.Step(otp.App, at)))
}
