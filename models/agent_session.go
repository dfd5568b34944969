package models

import "time"

// AgentSession is a session of a proofing agent. It is good together with the client certificate that it was opened with only (PRF-8).
// Its moments are real ones, in a sandbox too.
type AgentSession struct {
	ID          string // as_…
	AgentID     string
	TokenHash   []byte
	Certificate []byte    // SHA-256 of the certificate in DER
	CreatedAt   time.Time `gorm:"autoCreateTime:false"`
	SeenAt      time.Time
	ExpiresAt   time.Time
	EndedAt     *time.Time
}

// Live reports whether the session may still be used at the moment.
func (s AgentSession) Live(p SessionPolicy, at time.Time) bool {
	return s.EndedAt == nil && at.Before(s.ExpiresAt) && at.Before(s.SeenAt.Add(time.Duration(p.IdleMinutes)*time.Minute))
}

// SessionOutcomes are the events by which an agent says how a live video session went (PRF-7).
func SessionOutcomes() []AppointmentEvent {
	return []AppointmentEvent{PassAppointment, FailAppointment, MissAppointment, BreakOffAppointment}
}

// Wants reports whether a pass is to be confirmed by a second person; close says that the displayed name is not quite the account's.
func (r ReviewRule) Wants(closeName bool) bool {
	return r == ReviewAlways || r == ReviewCloseNames && closeName
}
