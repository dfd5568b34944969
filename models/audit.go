package models

import "time"

// RetentionClass says how long an audit event is kept; each class has a chain of its own (SEC-3, SEC-4).
type RetentionClass string

// The retention classes.
const (
	AuthenticationEvents RetentionClass = "authentication" // 3 years
	LifecycleEvents      RetentionClass = "lifecycle"      // 10 years and 6 months
	AdministrationEvents RetentionClass = "administration" // 10 years and 6 months
)

// RetentionClasses lists every retention class.
func RetentionClasses() []RetentionClass {
	return []RetentionClass{AuthenticationEvents, LifecycleEvents, AdministrationEvents}
}

// AuditEvent is one row of the audit trail. It carries ids, never personal data or secrets.
type AuditEvent struct {
	ID              int64 `gorm:"->"`
	At              time.Time
	Class           RetentionClass
	Kind            string // verb and noun: order.placed, token.registered
	Actor           string // ac_…, ak_…, or the lifecycle that did it
	CredentialID    *string
	AuthenticatorID *string
	SubjectRef      string
	Outcome         Outcome
	Detail          map[string]string `gorm:"serializer:json"`
}

// Outcome of an audited action.
type Outcome string

// The outcomes.
const (
	Succeeded Outcome = "success"
	Failed    Outcome = "failure"
)

// Actor identifies who does something, for the audit trail and for ownership checks.
type Actor struct {
	ID        string // ac_…, ak_…, or a lifecycle name
	Role      Role
	AccountID string // for subscribers
	PartnerID string // for relying applications and sponsors
	Strength  Strength
	Address   string // network address, for throttling; never audited in clear
}

// SystemActor is what lifecycles act as.
func SystemActor(l Lifecycle) Actor { return Actor{ID: "lifecycle:" + string(l)} }
