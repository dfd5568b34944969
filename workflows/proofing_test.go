package workflows_test

import (
	"context"
	"testing"
	"time"

	"go.temporal.io/sdk/testsuite"
	"tokendesk/activities"
	meetingsim "tokendesk/activities/gateway/meeting/simulator"
	postsim "tokendesk/activities/gateway/post/simulator"
	identity "tokendesk/activities/gateway/proofing"
	identitysim "tokendesk/activities/gateway/proofing/simulator"
	"tokendesk/activities/gateway/sandbox"
	"tokendesk/internal/testpg"
	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
	"tokendesk/workflows"
)

// hearing is one proofing in virtual time, on a real database, with the providers of a sandbox.
type hearing struct {
	*testing.T
	st       *store.Store
	env      *testsuite.TestWorkflowEnvironment
	outside  *sandbox.Store
	identity *identitysim.Simulator
	person   models.Account
	c        models.ProofingCase
}

func newHearing(t *testing.T) *hearing {
	t.Helper()
	h := &hearing{T: t, st: storetest.New(t)}
	ring := storetest.Keyring(t)
	h.person = storetest.Account(t, h.st)
	h.c, _ = storetest.Proofing(t, h.st, ring, h.person)
	var suite testsuite.WorkflowTestSuite
	h.env = suite.NewTestWorkflowEnvironment()
	h.env.SetStartTime(storetest.At)
	h.env.SetTestTimeout(time.Minute)
	var err error
	h.outside, err = sandbox.Open(t.Context(), testpg.Empty(t))
	storetest.Must(t, err)
	t.Cleanup(h.outside.Close)
	h.identity, err = identitysim.New(t.Context(), h.outside, identitysim.Config{Now: h.env.Now})
	storetest.Must(t, err)
	rooms, err := meetingsim.New(t.Context(), h.outside, meetingsim.Config{})
	storetest.Must(t, err)
	letters, err := postsim.New(t.Context(), h.outside, postsim.Config{})
	storetest.Must(t, err)
	(&activities.Proofing{Store: h.st, Identity: h.identity, Meetings: rooms, Post: letters}).Bind(workflows.NewBinder(h.env))
	return h
}

// selfService begins a session at the provider, before the lifecycle looks.
func (h *hearing) selfService() (ref string) {
	h.Helper()
	at := storetest.At
	_, err := h.st.ConsentToSelfService(h.Context(), h.c.ID, h.person.ID, models.DefaultPolicy().Proofing.TermsVersion, true, at)
	storetest.Must(h, err)
	s, err := h.st.IntendProofingSession(h.Context(), h.c.ID, h.person.ID, at)
	storetest.Must(h, err)
	started, err := h.identity.Start(h.Context(), identity.Applicant{Reference: s.ID, IdempotencyKey: s.ID, Name: identity.Name{First: "Ada", Last: "Lovelace"},
		Address:   models.Address{Name: "Ada Lovelace", Line1: "1 Main Street", City: "Springfield", Region: "IL", PostalCode: "62701", Country: "US"},
		BirthDate: "1975-12-10", Phone: "+12175550123", SSNLast4: "1234"})
	storetest.Must(h, err)
	_, err = h.st.ProofingSessionStarted(h.Context(), s.ID, started.Ref, models.ProofingResult{Phase: started.Phase}, at)
	storetest.Must(h, err)
	return started.Ref
}

// stop ends the credential, and with it the case, so that the lifecycle comes to its end.
func (h *hearing) stopAt(after time.Duration) {
	h.env.RegisterDelayedCallback(func() {
		r := models.Revocation{CredentialID: h.c.CredentialID, Reason: models.RevokeNotNeeded, By: models.BySubscriber}
		storetest.Must(h, h.st.RevokeCredential(context.Background(), r, storetest.Keyring(h), storetest.Hasher, models.Actor{ID: h.person.ID}, h.env.Now()))
		h.env.SignalWorkflow(string(models.SignalProofingChanged), h.c.ID)
	}, after)
}

func (h *hearing) run() {
	h.Helper()
	h.env.ExecuteWorkflow(workflows.Proofing, workflows.ProofingInput{ID: h.c.ID})
	if !h.env.IsWorkflowCompleted() || h.env.GetWorkflowError() != nil {
		h.Fatalf("completed %v: %v", h.env.IsWorkflowCompleted(), h.env.GetWorkflowError())
	}
}

func (h *hearing) mails(kind models.NoticeKind) (n int) {
	h.Helper()
	storetest.Must(h, h.st.Pool().QueryRow(context.Background(), "select count(*) from notices where subject_ref = $1 and kind = $2", h.c.ID, kind).Scan(&n))
	return n
}

// PRF-3: a result is fetched though no webhook ever comes.
func TestProofingWithoutWebhooks(t *testing.T) {
	h := newHearing(t)
	ref := h.selfService()
	h.env.RegisterDelayedCallback(func() {
		_, err := h.identity.End(context.Background(), ref, models.OutcomeVerified)
		storetest.Must(h, err)
	}, time.Hour)
	h.env.RegisterDelayedCallback(func() {
		c, err := h.st.ProofingCase(context.Background(), h.c.ID)
		storetest.Must(h, err)
		if c.Status != models.ProofingDone {
			h.Errorf("after six hours %s", c.Status)
		}
	}, 6*time.Hour)
	h.stopAt(7 * time.Hour)
	h.run()
	if h.mails(models.NoticeProofed) != 1 {
		h.Error("the person was not told once")
	}
}

// PRF-4: a provider that is down for a day holds up nothing: the session times out at its time, the person is reminded, and what the provider
// has to forget is forgotten when it is there again.
func TestProofingWhileTheProviderIsDown(t *testing.T) {
	h := newHearing(t)
	h.selfService()
	for _, operation := range []string{"fetch", "redact"} {
		_, err := h.outside.Give(h.Context(), sandbox.Proofing, sandbox.Order{Operation: operation, Effect: sandbox.Fail, Times: 100})
		storetest.Must(h, err)
	}
	h.env.RegisterDelayedCallback(func() {
		c, err := h.st.ProofingCase(context.Background(), h.c.ID)
		storetest.Must(h, err)
		if c.Status != models.ProofingChoosing {
			h.Errorf("after a day and two hours %s", c.Status)
		}
	}, 26*time.Hour)
	h.stopAt(90 * 24 * time.Hour)
	h.run()
	var forgotten int
	storetest.Must(h, h.st.Pool().QueryRow(context.Background(), "select count(*) from proofing_sessions where redacted_at is not null").Scan(&forgotten))
	if forgotten != 1 {
		h.Errorf("%d sessions were forgotten", forgotten)
	}
	if nudges := h.mails(models.NoticeProofingNudge); nudges != 1+len(models.DefaultPolicy().Proofing.Nudges) {
		h.Errorf("%d reminders", nudges)
	}
}
