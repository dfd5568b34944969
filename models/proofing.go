package models

import (
	"strings"
	"time"
)

// ProofingStatus is how far the proofing of a person's identity has come.
type ProofingStatus string

// The statuses of a proofing case.
const (
	ProofingChoosing     ProofingStatus = "choosing"      // the person chooses a method (PRF-1)
	ProofingSelfService  ProofingStatus = "self_service"  // the identity provider checks (PRF-2, PRF-3)
	ProofingScheduling   ProofingStatus = "scheduling"    // the person is to choose a slot of a live video session (PRF-5)
	ProofingScheduled    ProofingStatus = "scheduled"     // a session is booked
	ProofingInReview     ProofingStatus = "in_review"     // passed; a second person looks at what the agent recorded (PRF-8)
	ProofingAwaitingCode ProofingStatus = "awaiting_code" // an activation code was given or posted (PRF-9)
	ProofingDone         ProofingStatus = "proofed"       // the first authenticator is to be registered in time (REG-2)
	ProofingCompleted    ProofingStatus = "completed"
	ProofingAbandoned    ProofingStatus = "abandoned" // the credential ended first
)

// ProofingEvent moves a proofing case.
type ProofingEvent string

// The events of a proofing case.
const (
	ChooseSelfService ProofingEvent = "choose_self_service"
	ChooseVideo       ProofingEvent = "choose_video"
	StartOver         ProofingEvent = "start_over"
	VerifyIdentity    ProofingEvent = "verify"
	LocatePerson      ProofingEvent = "locate"
	TurnToVideo       ProofingEvent = "turn_to_video"
	EndSelfService    ProofingEvent = "end_self_service"
	BookSession       ProofingEvent = "book"
	CancelSession     ProofingEvent = "cancel"
	SessionNotPassed  ProofingEvent = "not_passed"
	PassSession       ProofingEvent = "pass"
	PassForReview     ProofingEvent = "pass_for_review"
	ConfirmReview     ProofingEvent = "confirm"
	RejectReview      ProofingEvent = "reject"
	EnterCode         ProofingEvent = "enter_code"
	ReportCodeLost    ProofingEvent = "report_code_lost"
	LapseCode         ProofingEvent = "lapse_code"
	CompleteProofing  ProofingEvent = "complete"
	LapseRegistration ProofingEvent = "lapse_registration"
	AbandonProofing   ProofingEvent = "abandon"
)

// ProofingMachine is the transition table of a proofing case. What begins anew is another attempt of the same case.
var ProofingMachine = Machine[ProofingStatus, ProofingEvent]{Name: "proofing", Initial: ProofingChoosing, Transitions: []Transition[ProofingStatus, ProofingEvent]{
	{[]ProofingStatus{ProofingChoosing}, ChooseSelfService, ProofingSelfService, ByPerson, "the person agrees to self-service (PRF-2)"},
	{[]ProofingStatus{ProofingChoosing, ProofingSelfService}, ChooseVideo, ProofingScheduling, ByPerson, "the person chooses a live video session, or declines self-service (PRF-1, PRF-4)"},
	{[]ProofingStatus{ProofingSelfService, ProofingScheduling}, StartOver, ProofingChoosing, ByPerson, "the person chooses anew, or reports a wrong name (PRF-2)"},
	{[]ProofingStatus{ProofingSelfService}, VerifyIdentity, ProofingDone, ByWorld, "the provider verified the identity (PRF-4)"},
	{[]ProofingStatus{ProofingSelfService}, LocatePerson, ProofingAwaitingCode, ByWorld, "the person is located: an activation code goes by post (PRF-4)"},
	{[]ProofingStatus{ProofingSelfService, ProofingAwaitingCode}, TurnToVideo, ProofingScheduling, ByWorld, "the provider could not verify, or no letter can be posted: live video remains (PRF-4)"},
	{[]ProofingStatus{ProofingSelfService}, EndSelfService, ProofingChoosing, ByWorkflow, "the provider's session timed out: the person chooses anew"},
	{[]ProofingStatus{ProofingScheduling}, BookSession, ProofingScheduled, ByPerson, "a slot is booked (PRF-5)"},
	{[]ProofingStatus{ProofingScheduled}, CancelSession, ProofingScheduling, ByPerson, "the person cancels the session (PRF-6)"},
	{[]ProofingStatus{ProofingScheduled}, SessionNotPassed, ProofingScheduling, ByWorld, "missed, failed, broken off, or without an agent: it must be rescheduled (PRF-6)"},
	{[]ProofingStatus{ProofingScheduled}, PassSession, ProofingAwaitingCode, ByWorld, "the agent records a pass and hands out an activation code (PRF-7)"},
	{[]ProofingStatus{ProofingScheduled}, PassForReview, ProofingInReview, ByWorld, "the agent records a pass that a second person must confirm (PRF-8)"},
	{[]ProofingStatus{ProofingInReview}, ConfirmReview, ProofingAwaitingCode, ByWorld, "the second person confirms: the code may be used (PRF-8)"},
	{[]ProofingStatus{ProofingInReview}, RejectReview, ProofingScheduling, ByWorld, "the second person does not: the code is void (PRF-8)"},
	{[]ProofingStatus{ProofingAwaitingCode}, EnterCode, ProofingDone, ByPerson, "the person enters the activation code (PRF-9)"},
	{[]ProofingStatus{ProofingAwaitingCode}, ReportCodeLost, ProofingChoosing, ByPerson, "the code is lost: proofing is repeated (PRF-9)"},
	{[]ProofingStatus{ProofingAwaitingCode, ProofingInReview}, LapseCode, ProofingChoosing, ByWorkflow, "the code has expired: proofing is repeated (PRF-9)"},
	{[]ProofingStatus{ProofingDone}, CompleteProofing, ProofingCompleted, ByPerson, "an authenticator is registered, or was already (PRF-10)"},
	{[]ProofingStatus{ProofingDone}, LapseRegistration, ProofingChoosing, ByWorkflow, "nothing was registered in time: proofing is repeated (REG-2)"},
	{[]ProofingStatus{ProofingChoosing, ProofingSelfService, ProofingScheduling, ProofingScheduled, ProofingInReview, ProofingAwaitingCode, ProofingDone},
		AbandonProofing, ProofingAbandoned, ByWorld, "the credential is revoked, or the upgrade refunded"},
}}

// ProofingMethod is a way to prove an identity.
type ProofingMethod string

// The methods.
const (
	BySelfService ProofingMethod = "self_service"
	ByLiveVideo   ProofingMethod = "live_video"
)

// ProofingMethods are the methods that a country's people may choose from (PRF-1).
func ProofingMethods(country string) []ProofingMethod {
	if country == "US" {
		return []ProofingMethod{BySelfService, ByLiveVideo}
	}
	return []ProofingMethod{ByLiveVideo}
}

// ProofingPurpose says why a person is proofed.
type ProofingPurpose string

// The purposes.
const (
	ProofingForActivation ProofingPurpose = "activation" // of a credential that comes with proofing
	ProofingForUpgrade    ProofingPurpose = "upgrade"    // of one that is in use (PRF-10)
)

// ProofingCase is the proofing of one person for one credential. It holds no identity data: what a person gives to be proofed goes to the
// provider only (PRF-2).
type ProofingCase struct {
	ID            string // pc_…
	CredentialID  string
	AccountID     string
	Purpose       ProofingPurpose
	Country       string // whose documents prove the identity, ISO 3166-1 alpha-2
	Status        ProofingStatus
	Attempt       int // from 1; rises when proofing is repeated
	PaidAttempts  int // attempts that were bought besides the policy's free ones (PRF-9)
	PolicyVersion int
	OrderLineID   *string   // the upgrade that asked for it
	Since         time.Time // when the status was reached
	OpenedAt      time.Time
	ProofedAt     *time.Time
	RegisterBy    *time.Time // registration of an authenticator is due until then (REG-2)
	EndedAt       *time.Time
	UpdatedAt     time.Time `gorm:"autoUpdateTime:false"`
}

// Exhausted reports whether another attempt must be bought first (PRF-9).
func (c ProofingCase) Exhausted(p Policy) bool {
	return c.Status == ProofingChoosing && c.Attempt > p.Proofing.FreeAttempts+c.PaidAttempts
}

// SessionPhase is what the identity provider waits for in a self-service session.
type SessionPhase string

// The phases of a self-service session.
const (
	SessionNeedsSSN  SessionPhase = "needs_ssn" // all nine digits (PRF-2)
	SessionQuestions SessionPhase = "questions" // knowledge questions are to be answered
	SessionCapture   SessionPhase = "capture"   // a link is on the person's phone (PRF-3)
	SessionChecking  SessionPhase = "checking"  // the provider is at work
	SessionEnded     SessionPhase = "ended"
)

// ProofingOutcome is how a self-service session ended. It decides what happens next and is never told to the person (PRF-4).
type ProofingOutcome string

// The outcomes.
const (
	OutcomeVerified      ProofingOutcome = "verified"
	OutcomeLocated       ProofingOutcome = "located"        // not verified, but known to live at the address
	OutcomeNotLocated    ProofingOutcome = "not_located"    //
	OutcomeNameIncorrect ProofingOutcome = "name_incorrect" // another name than the account's
	OutcomeUnreadable    ProofingOutcome = "unreadable"     // the document could not be read
	OutcomeTimedOut      ProofingOutcome = "timed_out"
	OutcomeCancelled     ProofingOutcome = "cancelled" // by us
)

// Leads is the event that an outcome brings.
func (o ProofingOutcome) Leads() ProofingEvent {
	switch o {
	case OutcomeVerified:
		return VerifyIdentity
	case OutcomeLocated:
		return LocatePerson
	case OutcomeTimedOut, OutcomeCancelled:
		return EndSelfService
	}
	return TurnToVideo
}

// ProofingSession is one session at the identity provider: its reference and where it stands, never what was given there.
type ProofingSession struct {
	ID          string // ps_…
	CaseID      string
	Attempt     int
	ProviderRef string // the provider's id
	Phase       SessionPhase
	Outcome     *ProofingOutcome
	StartedAt   time.Time
	ExpiresAt   time.Time
	CheckAt     time.Time // when its result is fetched again, whether a webhook came or not
	EndedAt     *time.Time
	RedactedAt  *time.Time // when the provider was told to forget
}

// AskedRef begins the reference of a session that the provider has not answered for yet.
const AskedRef = "asked/"

// Asked reports whether the provider has not answered for the session yet.
func (s ProofingSession) Asked() bool { return strings.HasPrefix(s.ProviderRef, AskedRef) }

// TableName of proofing sessions.
func (ProofingSession) TableName() string { return "proofing_sessions" }

// ProofingConsent is what a person agreed to before self-service (PRF-2).
type ProofingConsent struct {
	CaseID        string
	Attempt       int
	TermsVersion  string
	CreditInquiry bool // notice of the soft credit inquiry was acknowledged
	GivenAt       time.Time
}

// ProofingResult is what the identity provider says of a session.
type ProofingResult struct {
	Phase   SessionPhase
	Outcome *ProofingOutcome // nil until it has ended
}

// Repeats reports whether an event begins another attempt: a proofing that had succeeded, and has to be repeated.
func (e ProofingEvent) Repeats() bool {
	return e == ReportCodeLost || e == LapseCode || e == LapseRegistration
}

// Ends reports whether a status is the end of a case.
func (s ProofingStatus) Ends() bool { return ProofingMachine.Ends(s) }
