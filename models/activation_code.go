package models

import "time"

// ActivationCodeStatus is where an activation code stands.
type ActivationCodeStatus string

// The statuses of an activation code.
const (
	CodePending ActivationCodeStatus = "pending" // not to be used yet: it waits for a review, or for the printer
	CodeLive    ActivationCodeStatus = "live"
	CodeUsed    ActivationCodeStatus = "used"
	CodeLapsed  ActivationCodeStatus = "lapsed"
	CodeVoid    ActivationCodeStatus = "void"
)

// ActivationCodeEvent moves an activation code.
type ActivationCodeEvent string

// The events of an activation code.
const (
	ReleaseCode ActivationCodeEvent = "release"
	UseCode     ActivationCodeEvent = "use"
	ExpireCode  ActivationCodeEvent = "lapse"
	VoidCode    ActivationCodeEvent = "void"
)

// ActivationCodeMachine is the transition table of an activation code (PRF-9).
var ActivationCodeMachine = Machine[ActivationCodeStatus, ActivationCodeEvent]{Name: "activation code", Initial: CodePending, Transitions: []Transition[ActivationCodeStatus, ActivationCodeEvent]{
	{[]ActivationCodeStatus{CodePending}, ReleaseCode, CodeLive, ByWorld, "handed to the person, confirmed, or posted"},
	{[]ActivationCodeStatus{CodeLive}, UseCode, CodeUsed, ByPerson, "entered by the person, once"},
	{[]ActivationCodeStatus{CodePending, CodeLive}, ExpireCode, CodeLapsed, ByWorkflow, "its term is over"},
	{[]ActivationCodeStatus{CodePending, CodeLive}, VoidCode, CodeVoid, ByWorld, "lost, rejected, replaced, or no longer needed"},
}}

// CodeChannel is how an activation code reaches the person.
type CodeChannel string

// The channels.
const (
	CodeByAgent CodeChannel = "agent"
	CodeByPost  CodeChannel = "post"
)

// ActivationCode is a code by which a proofed person activates; only its hash is kept (PRF-9).
type ActivationCode struct {
	ID        string // cd_…
	CaseID    string
	Attempt   int
	Channel   CodeChannel
	Status    ActivationCodeStatus
	Hash      []byte
	IssuedAt  time.Time
	ExpiresAt time.Time
	PostedAt  *time.Time // when the printer took the letter
	EndedAt   *time.Time
	UpdatedAt time.Time `gorm:"autoUpdateTime:false"`
}

// ActivationCodeEnds is the end of a code's last day in the vendor's zone. contiguous says that a letter stays within the contiguous United States.
func ActivationCodeEnds(channel CodeChannel, contiguous bool, issued time.Time, p Policy) time.Time {
	days := p.Proofing.AgentCodeDays
	if channel == CodeByPost {
		days = p.Proofing.PostCodeDaysElsewhere
		if contiguous {
			days = p.Proofing.PostCodeDays
		}
	}
	return StartOfDay(issued, days+1, p.Location())
}

// Contiguous reports whether an address lies in the contiguous United States: the 48 states and the District of Columbia.
func (a Address) Contiguous() bool {
	switch a.Region {
	case "AK", "HI", "PR", "GU", "VI", "AS", "MP", "UM", "AA", "AE", "AP", "FM", "MH", "PW", "":
		return false
	}
	return a.Country == "US"
}
