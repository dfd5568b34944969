package models

import (
	"strconv"
	"time"
)

// AppointmentStatus is where an appointment for a live video session stands.
type AppointmentStatus string

// The statuses of an appointment.
const (
	AppointmentHeld      AppointmentStatus = "held"     // for a few minutes, while the person gives contact data
	AppointmentBooked    AppointmentStatus = "booked"   //
	AppointmentReleased  AppointmentStatus = "released" // the hold ended without a booking
	AppointmentCancelled AppointmentStatus = "cancelled"
	AppointmentUnstaffed AppointmentStatus = "unstaffed" // its agent was absent and nobody else was free (PRF-6)
	AppointmentPassed    AppointmentStatus = "passed"
	AppointmentFailed    AppointmentStatus = "failed"
	AppointmentMissed    AppointmentStatus = "missed"     // the person did not appear
	AppointmentBrokenOff AppointmentStatus = "broken_off" // technical trouble
	AppointmentUnheard   AppointmentStatus = "unheard"    // nobody recorded an outcome
)

// AppointmentEvent moves an appointment.
type AppointmentEvent string

// The events of an appointment. The outcomes that an agent records are pass, fail, no_show and technical_problem (PRF-7).
const (
	BookAppointment       AppointmentEvent = "book"
	ReleaseAppointment    AppointmentEvent = "release"
	RescheduleAppointment AppointmentEvent = "reschedule"
	ReassignAppointment   AppointmentEvent = "reassign"
	CancelAppointment     AppointmentEvent = "cancel"
	UnstaffAppointment    AppointmentEvent = "unstaff"
	PassAppointment       AppointmentEvent = "pass"
	FailAppointment       AppointmentEvent = "fail"
	MissAppointment       AppointmentEvent = "no_show"
	BreakOffAppointment   AppointmentEvent = "technical_problem"
	ForgetAppointment     AppointmentEvent = "forget"
)

// AppointmentMachine is the transition table of an appointment. A rescheduled one stays the same appointment, with a higher sequence.
var AppointmentMachine = Machine[AppointmentStatus, AppointmentEvent]{Name: "appointment", Initial: AppointmentHeld, Transitions: []Transition[AppointmentStatus, AppointmentEvent]{
	{[]AppointmentStatus{AppointmentHeld}, BookAppointment, AppointmentBooked, ByPerson, "the person books the slot that is held (PRF-5)"},
	{[]AppointmentStatus{AppointmentHeld}, ReleaseAppointment, AppointmentReleased, ByPerson, "given back, or held for too long"},
	{[]AppointmentStatus{AppointmentBooked}, RescheduleAppointment, AppointmentBooked, ByPerson, "the person moves it to another slot (PRF-6)"},
	{[]AppointmentStatus{AppointmentBooked}, ReassignAppointment, AppointmentBooked, ByWorld, "its agent is absent: another one takes it (PRF-6)"},
	{[]AppointmentStatus{AppointmentBooked}, CancelAppointment, AppointmentCancelled, ByPerson, "the person cancels it, or proofing ends (PRF-6)"},
	{[]AppointmentStatus{AppointmentBooked}, UnstaffAppointment, AppointmentUnstaffed, ByWorld, "its agent is absent, and nobody else is free (PRF-6)"},
	{[]AppointmentStatus{AppointmentBooked}, PassAppointment, AppointmentPassed, ByWorld, "the agent records a pass (PRF-7)"},
	{[]AppointmentStatus{AppointmentBooked}, FailAppointment, AppointmentFailed, ByWorld, "the agent records a fail (PRF-7)"},
	{[]AppointmentStatus{AppointmentBooked}, MissAppointment, AppointmentMissed, ByWorld, "the person did not appear (PRF-6)"},
	{[]AppointmentStatus{AppointmentBooked}, BreakOffAppointment, AppointmentBrokenOff, ByWorld, "technical trouble, or too much of it (PRF-6)"},
	{[]AppointmentStatus{AppointmentBooked}, ForgetAppointment, AppointmentUnheard, ByWorkflow, "no outcome was recorded in time"},
}}

// Appointment is a slot of an agent's time for a proofing case. Its id is the UID of its calendar invitation.
type Appointment struct {
	ID           string // ap_…
	CaseID       string
	AgentID      string
	Status       AppointmentStatus
	StartsAt     time.Time
	EndsAt       time.Time
	BlockedUntil time.Time // end and buffer: nothing else of the agent's begins before
	Sequence     int       // rises with each change (RFC 5545 §3.8.7.4)
	HeldUntil    *time.Time
	Zone         string // the person's, IANA
	Phone        string // the number that the agent calls, E.164
	Email        string // where the person reads about the appointment
	LinkHash     []byte // of the single-use link to change it
	MeetingRef   string // the meeting provider's id; empty: none yet
	MeetingURL   string
	MeetingFor   int // the sequence that the meeting was made for
	Instructions string
	OutcomeAt    *time.Time
	CreatedAt    time.Time `gorm:"autoCreateTime:false"`
	UpdatedAt    time.Time `gorm:"autoUpdateTime:false"`
}

// MeetingKey is the idempotency key of an appointment's meeting: another one for each time it is moved.
func (a Appointment) MeetingKey() string { return a.ID + "/" + strconv.Itoa(a.Sequence) }

// Agent is a proofing agent: somebody who holds live video sessions.
type Agent struct {
	ID            string // ag_…
	Name          string
	Email         string
	Zone          string // IANA; the agent's hours are on its wall clock
	DailyCapacity int    // sessions a day in that zone; 0: as many as there are slots
	MayReview     bool   // looks at what other agents recorded (PRF-8)
	SealedTOTP    []byte
	TOTPStep      int64 // the last time step that was used; a code is good once
	TOTPFailures  int
	TOTPLocked    *time.Time // until then no code is tried
	CreatedAt     time.Time  `gorm:"autoCreateTime:false"`
	UpdatedAt     time.Time  `gorm:"autoUpdateTime:false"`
	RetiredAt     *time.Time
}

// TableName of agents.
func (Agent) TableName() string { return "proofing_agents" }

// AgentSecretContext is the associated data under which an agent's TOTP secret is sealed.
func AgentSecretContext(agentID string) string { return "proofing-agent/" + agentID }

// AgentWindow is a part of an agent's week: a cron expression on the wall clock of the agent's zone, and how long it lasts.
type AgentWindow struct {
	AgentID    string
	Position   int
	Expression string
	Minutes    int
}

// AgentExceptionKind says what an exception does to an agent's hours.
type AgentExceptionKind string

// The kinds of exceptions.
const (
	AgentHoliday AgentExceptionKind = "holiday" // a whole day in the agent's zone
	AgentClosed  AgentExceptionKind = "closed"
	AgentExtra   AgentExceptionKind = "extra"
)

// AgentException changes an agent's hours once.
type AgentException struct {
	ID       string // ax_…
	AgentID  string
	Kind     AgentExceptionKind
	Day      *string // 2006-01-02, of a holiday
	StartsAt *time.Time
	EndsAt   *time.Time
}

// ProofingRecord is what an agent records of a passed session (PRF-7). Number and name are sealed; there is no field that could take an image.
type ProofingRecord struct {
	ID               string // pr_…
	CaseID           string
	Attempt          int
	AppointmentID    string
	AgentID          string
	DocumentType     string
	Issuer           string // ISO 3166
	SealedNumber     []byte
	SealedName       []byte          // the legal name as displayed
	DocumentExpiry   *string         // 2006-01-02; nil: it never expires
	Checklist        map[string]bool `gorm:"serializer:json"`
	ChecklistVersion int             // of the questions
	DocumentsVersion int             // of the list that the document was checked by
	NameResult       string          // legalname.Result
	NameReasons      []string        `gorm:"serializer:json"`
	RecordedAt       time.Time
	ReviewWanted     bool
	ReviewerID       *string
	ReviewedAt       *time.Time
	Confirmed        *bool
	ReviewReason     string
}

// TableName of proofing records.
func (ProofingRecord) TableName() string { return "proofing_records" }

// ProofingRecordContext is the associated data under which a record's sealed members are.
func ProofingRecordContext(id, member string) string { return "proofing-record/" + id + "/" + member }
