package models

// The one-time password that raises a session (LOG-2, LOG-8). Who logs in with a password is the person: what stands against the credential is told.
var (
	CodeWrong               = declare(Refused, "one-time-password-wrong", "The one-time password is not correct", "enter the next one: each is accepted once")
	TokenLocked             = declare(Conflict, "token-locked", "The token is locked after too many wrong codes", "resynchronize it with two consecutive one-time passwords")
	SuspendedByHolder       = declare(Conflict, "suspended-by-holder", "You have suspended the credential", "re-enable it")
	CredentialIsExpired     = declare(Conflict, "credential-expired", "The term of the credential has ended", "renew it")
	CredentialNotApproved   = declare(Conflict, "credential-not-approved", "The credential is not approved yet", "wait for your administrator's approval")
	CredentialNotProofed    = declare(Conflict, "credential-not-proofed", "The identity is not proofed yet", "have your identity proofed, then register the token")
	CredentialNotRegistered = declare(Conflict, "credential-not-registered", "No token is registered yet", "register the token with its serial number and two one-time passwords")
	NoLiveToken             = declare(Conflict, "no-live-token", "No live hardware token is bound to the credential", "register its replacement, or contact support")
	NoCredential            = declare(Refused, "no-credential", "You have no credential to log in with", "activate a license key, or buy a credential")
)

// The proofing of a credential by order (PRF-9, PRF-10).
var (
	RequirementsNotAcknowledged = declare(Refused, "requirements-not-acknowledged", "The requirements of the identity proofing have not been acknowledged", "read and acknowledge them")
	ProofingOrderPending        = declare(Conflict, "proofing-order-pending", "Proofing for this credential has been ordered already", "pay or cancel that order")
	ProofingNotRefundable       = declare(Refused, "proofing-not-refundable", "What was bought of this proofing has been used", "ask billing")
)
