package models

// The life of a credential (LIF, MGT, REN).
var (
	CredentialIsRevoked      = declare(Conflict, "credential-revoked", "The credential is revoked", "buy a new credential")
	AlreadyRevoked           = declare(Conflict, "already-revoked", "It has been revoked already", "nothing is left to do; a revocation is for good")
	ConfirmationMissing      = declare(Refused, "confirmation-missing", "A revocation must be confirmed", "confirm that it is for good")
	AlreadySuspended         = declare(Conflict, "already-suspended", "The credential is suspended already", "choose one of the allowed actions")
	NotSuspended             = declare(Conflict, "not-suspended", "The credential is not suspended", "choose one of the allowed actions")
	SuspendedByAdministrator = declare(Conflict, "suspended-by-administrator", "An administrator has suspended the credential", "ask your administrator to re-enable it")
	SuspendedByTime          = declare(Conflict, "suspended-by-time", "The credential is suspended because it was not renewed", "renew the credential")
	RenewalNotOpen           = declare(Conflict, "renewal-not-open", "The credential cannot be renewed yet", "wait until renewal opens")
	RenewalTooLate           = declare(Conflict, "renewal-too-late", "The last moment to renew has passed", "buy a new credential")
	RenewalByCardOnly        = declare(Conflict, "renewal-by-card-only", "It is too late for an invoice", "pay by card")
	RenewalPending           = declare(Conflict, "renewal-pending", "A renewal of this credential waits for its payment", "pay or cancel that order")
	ReplacementPending       = declare(Conflict, "replacement-pending", "A replacement for this credential is under way", "wait for it, or cancel that order")
	ReplacementNotPossible   = declare(Conflict, "replacement-not-possible", "The token cannot be replaced now", "choose one of the allowed actions")
)
