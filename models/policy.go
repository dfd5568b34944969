package models

// Policy holds every number of the default policy. It is a versioned row of data; its version is pinned on each
// order and credential, so that a later change never alters an agreement already made.
type Policy struct {
	Version    int              `json:"-"`
	Zone       string           `json:"zone"`              // the vendor's time zone (IANA)
	CloseOfDay string           `json:"close_of_business"` // local time, 15:04
	OTP        OTPPolicy        `json:"otp"`
	LicenseKey LicenseKeyPolicy `json:"license_key"`
	Invoice    InvoicePolicy    `json:"invoice"`
	Shipping   ShippingPolicy   `json:"shipping"`
	Session    SessionPolicy    `json:"session"`
	Life       LifePolicy       `json:"life"`
	Tokens     TokenPolicy      `json:"tokens"`
	Refund     RefundPolicy     `json:"refund"`
	Proofing   ProofingPolicy   `json:"proofing"`
}

// LifePolicy dates the life of a credential (LIF). E is the end of the term, R the day of its revocation.
type LifePolicy struct {
	NoticeBefore      int   `json:"notice_before"`       // days before E: the expiry notice is mailed and renewal opens
	GraceMonths       int   `json:"grace_months"`        // calendar months from E to R
	SuspendBefore     int   `json:"suspend_before"`      // days before R: suspended at the start of that day
	Reminders         []int `json:"reminders"`           // days before a revocation, descending: a reminder each
	LastInvoiceBefore int   `json:"last_invoice_before"` // days before R: the last day to ask for an invoice
	LastRenewalBefore int   `json:"last_renewal_before"` // days before R: renewal closes at close of business
	SuspensionDays    int   `json:"suspension_days"`     // a suspension by command ends in a revocation at the end of this day (LIF-2)
	ReviewDays        int   `json:"review_days"`         // a revocation whose reminders all failed waits so long for a person (LIF-3)
}

// TokenPolicy says how long a token is replaced free, and from when on a renewal warns of its age (MGT-6).
type TokenPolicy struct {
	WarrantyDays int `json:"warranty_days"` // from purchase
	OldYears     int `json:"old_years"`
}

// RefundPolicy says who allows a refund, and dates it in days of the vendor's zone (ORD-5, SEC-1).
type RefundPolicy struct {
	SecondPersonAbove int64 `json:"second_person_above"` // minor units of one order's refunds that nobody else has allowed
	SelfServiceDays   int   `json:"self_service_days"`   // after payment; a buyer's own request that comes later is for staff to decide
	DecisionDays      int   `json:"decision_days"`       // a request that waits longer becomes a case
	ReturnDays        int   `json:"return_days"`         // for a token to come back
	ReturnReminder    int   `json:"return_reminder"`     // days before the last one
	PayoutDays        int   `json:"payout_days"`         // for billing to pay out what cannot go back to a card
}

// OTPPolicy bounds what a one-time password may match.
type OTPPolicy struct {
	HOTPLookAhead int `json:"hotp_look_ahead"` // counters
	HOTPResync    int `json:"hotp_resync"`     // counters
	TOTPWindow    int `json:"totp_window"`     // steps on either side of the remembered drift
	TOTPResync    int `json:"totp_resync"`     // steps on either side
	LockAfter     int `json:"lock_after"`      // consecutive failures of an authenticator; never more than 100
}

// LicenseKeyPolicy bounds a license key's life and the guessing of it.
type LicenseKeyPolicy struct {
	TriesPerAccount int `json:"tries_per_account"` // wrong keys an hour
	TriesPerAddress int `json:"tries_per_address"` // wrong keys an hour
	LifetimeMonths  int `json:"lifetime_months"`
	PromiseHours    int `json:"promise_hours"` // the key follows a card payment within this time (ORD-6)
}

// InvoicePolicy dates an invoice's life, in days of the vendor's zone.
type InvoicePolicy struct {
	DueDays        int `json:"due_days"`        // after issue
	ReminderBefore int `json:"reminder_before"` // days before the due date
	ReminderAfter  int `json:"reminder_after"`  // days after the due date
	VoidAfter      int `json:"void_after"`      // days after the due date
}

// ShippingPolicy promises a delivery, in business days of the carrier's calendar, and says when one that never comes is a person's matter.
type ShippingPolicy struct {
	PromiseFrom  int `json:"promise_from"`
	PromiseTo    int `json:"promise_to"`
	MissingAfter int `json:"missing_after"` // days that a parcel is late: from then on it counts as missing (SHP-2)
}

// SessionPolicy limits a session and the guessing of passwords.
type SessionPolicy struct {
	IdleMinutes     int `json:"idle_minutes"`
	AbsoluteHours   int `json:"absolute_hours"`
	TriesPerUser    int `json:"tries_per_user"`    // wrong passwords an hour, for one user id as typed from one network address
	TriesPerAddress int `json:"tries_per_address"` // wrong passwords an hour
	// TriesPerUserAnywhere is how many wrong passwords an hour one user id as typed takes from all addresses together. It is so much
	// larger that a stranger does not easily lock a person out; never more than 100 (NIST SP 800-63B, 5.2.2).
	TriesPerUserAnywhere   int `json:"tries_per_user_anywhere"`
	TemporaryPasswordHours int `json:"temporary_password_hours"` // a temporary password lapses after this time (MGT-4)
	RecoveryMinutes        int `json:"recovery_minutes"`         // a recovery token lapses after this time (ACC-1)
	RecoveryMails          int `json:"recovery_mails"`           // an hour, for one account and each kind of recovery
}

// DefaultPolicy is version 1, as REQUIREMENTS states it.
func DefaultPolicy() Policy {
	return Policy{
		Version: 1, Zone: "America/New_York", CloseOfDay: "17:00",
		OTP:        OTPPolicy{HOTPLookAhead: 10, HOTPResync: 1000, TOTPWindow: 2, TOTPResync: 20, LockAfter: 10},
		LicenseKey: LicenseKeyPolicy{TriesPerAccount: 5, TriesPerAddress: 20, LifetimeMonths: 12, PromiseHours: 24},
		Invoice:    InvoicePolicy{DueDays: 30, ReminderBefore: 7, ReminderAfter: 7, VoidAfter: 15},
		Shipping:   ShippingPolicy{PromiseFrom: 3, PromiseTo: 5, MissingAfter: 30},
		Session: SessionPolicy{IdleMinutes: 30, AbsoluteHours: 12, TriesPerUser: 10, TriesPerAddress: 100, TriesPerUserAnywhere: 100,
			TemporaryPasswordHours: 72, RecoveryMinutes: 60, RecoveryMails: 3},
		Life: LifePolicy{NoticeBefore: 30, GraceMonths: 12, SuspendBefore: 60, Reminders: []int{30, 15, 3}, LastInvoiceBefore: 5,
			LastRenewalBefore: 1, SuspensionDays: 60, ReviewDays: 14},
		Tokens:   TokenPolicy{WarrantyDays: 45, OldYears: 3},
		Refund:   RefundPolicy{SecondPersonAbove: 50000, SelfServiceDays: 30, DecisionDays: 3, ReturnDays: 30, ReturnReminder: 7, PayoutDays: 14},
		Proofing: defaultProofing(),
	}
}
