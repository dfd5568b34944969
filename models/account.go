package models

import (
	"slices"
	"strings"
	"time"
)

// Role is what a caller is allowed to be (SEC-1).
type Role string

// The roles.
const (
	RoleSubscriber     Role = "subscriber"
	RoleOrgAdmin       Role = "organization_administrator"
	RoleAppAdmin       Role = "application_administrator"
	RolePartnerSponsor Role = "partner_sponsor"
	RoleBilling        Role = "billing"
	RoleSupport        Role = "support"
	RoleWarehouse      Role = "warehouse"
	RoleProofingAgent  Role = "proofing_agent"
	RoleOperator       Role = "operator"
	RoleAuditor        Role = "auditor"
	RoleRelyingApp     Role = "relying_application"
)

// Roles lists every role.
func Roles() []Role {
	return []Role{RoleSubscriber, RoleOrgAdmin, RoleAppAdmin, RolePartnerSponsor, RoleBilling, RoleSupport,
		RoleWarehouse, RoleProofingAgent, RoleOperator, RoleAuditor, RoleRelyingApp}
}

// OfAccount reports whether an account may have the role; the others belong to API keys.
func (r Role) OfAccount() bool {
	return r == RoleSubscriber || r == RoleOrgAdmin || r == RoleAppAdmin
}

// OfPartner reports whether the role acts for a partner.
func (r Role) OfPartner() bool { return r == RoleRelyingApp || r == RolePartnerSponsor }

// Organization groups accounts.
type Organization struct {
	ID        string // og_…
	Name      string
	Country   string // ISO 3166-1 alpha-2
	Status    OrganizationStatus
	CreatedAt time.Time `gorm:"autoCreateTime:false"`
}

// OrganizationStatus says whether an organization has been approved (ACC-1).
type OrganizationStatus string

// The statuses of an organization.
const (
	OrganizationPending  OrganizationStatus = "pending"
	OrganizationApproved OrganizationStatus = "approved"
)

// Account is one login of one person.
type Account struct {
	ID             string // ac_…
	OrganizationID *string
	UserID         string // what the person logs in with; unique without regard to case
	Email          string
	FirstName      string
	MiddleName     string
	LastName       string
	Country        string
	PasswordHash   string // argon2id, PHC format
	// PreviousPasswordHash is of the person's own choice before the present password; neither may be chosen again. Empty: none.
	PreviousPasswordHash string
	PasswordVersion      int        // counts changes of the password
	MustChangePassword   bool       // the password is temporary: nothing else may be done before it is changed (MGT-4)
	PasswordExpiresAt    *time.Time // when a temporary password lapses
	CreatedAt            time.Time  `gorm:"autoCreateTime:false"`
}

// PasswordLapsed reports whether the password is a temporary one that proves nothing any more: only recovery helps then.
func (a Account) PasswordLapsed(at time.Time) bool {
	return a.PasswordExpiresAt != nil && !at.Before(*a.PasswordExpiresAt)
}

// LegalName is the name as the account has it, first to last.
func (a Account) LegalName() string {
	return strings.Join(strings.Fields(a.FirstName+" "+a.MiddleName+" "+a.LastName), " ")
}

// SameName compares two names as a person would type them: case and runs of white space do not count.
func SameName(a, b string) bool {
	return strings.EqualFold(strings.Join(strings.Fields(a), " "), strings.Join(strings.Fields(b), " "))
}

// Strength is the credential strength of a session (LOG-1).
type Strength string

// The strengths, weakest first.
const (
	StrengthPassword Strength = "password"
	StrengthPhone    Strength = "phone_otp"
	StrengthHardware Strength = "hardware_otp"
)

// Session is a logged-in account. The token itself is known to its holder only; the database has its hash.
type Session struct {
	ID        string // se_…
	AccountID string
	TokenHash []byte
	Strength  Strength
	Level     int       // of the credential that the session was authenticated with, 2 or 3; 0 for a password
	CreatedAt time.Time `gorm:"autoCreateTime:false"`
	// CredentialID is the credential that the session was authenticated with; nil for a password.
	CredentialID *string
	SeenAt       time.Time
	EndedAt      *time.Time
}

// Live reports whether the session may still be used at the moment, by the policy's idle and absolute limits.
func (s Session) Live(p SessionPolicy, at time.Time) bool {
	return s.EndedAt == nil &&
		at.Before(s.SeenAt.Add(time.Duration(p.IdleMinutes)*time.Minute)) &&
		at.Before(s.CreatedAt.Add(time.Duration(p.AbsoluteHours)*time.Hour))
}

// APIKey lets a staff member, a partner or a relying application call the API. Only the hash is kept.
type APIKey struct {
	ID         string // ak_…
	Name       string
	Role       Role
	PartnerID  *string
	SecretHash []byte // SHA-256 of the 256-bit random key
	LastFour   string
	CreatedAt  time.Time `gorm:"autoCreateTime:false"`
	RevokedAt  *time.Time
}

// Partner owns relying applications and says what it accepts (CAT-2).
type Partner struct {
	ID           string // pa_…
	Name         string
	AcceptsKinds []AuthenticatorKind `gorm:"serializer:json"`
	MinimumLevel int
	CreatedAt    time.Time `gorm:"autoCreateTime:false"`
}

// Accepts reports whether the partner's applications take this kind of authenticator at this level (CAT-2).
func (p Partner) Accepts(kind AuthenticatorKind, level int) bool {
	return level >= p.MinimumLevel && slices.Contains(p.AcceptsKinds, kind)
}
