package models

// General faults.
var (
	InternalFault    = declare(Internal, "internal", "Something went wrong on our side", "try again; if it stays, contact support")
	InvalidRequest   = declare(Invalid, "invalid-request", "The request is not valid", "correct the request")
	NotAuthenticated = declare(Unauthenticated, "not-authenticated", "Authentication is required", "log in, or send an API key")
	NotPermitted     = declare(Forbidden, "not-permitted", "This role may not do this", "ask an administrator")
	NoSuchThing      = declare(NotFound, "not-found", "There is no such thing here", "check the identifier")
	StateForbids     = declare(Conflict, "state-forbids", "The present state does not allow this", "choose one of the allowed actions")
	TooManyTries     = declare(Throttled, "too-many-tries", "Too many tries", "wait, then try again")
	ServiceDown      = declare(Unavailable, "unavailable", "The service cannot answer now", "try again later; nothing was lost")

	IdempotencyKeyMissing  = declare(Invalid, "idempotency-key-missing", "An Idempotency-Key is required", "send an Idempotency-Key header")
	IdempotencyKeyInFlight = declare(Conflict, "idempotency-key-in-flight", "The first call with this key is still running", "wait for the first call")
	IdempotencyKeyReused   = declare(Refused, "idempotency-key-reused", "This key was used for another request", "use a new key")
	EditConflict           = declare(Conflict, "edit-conflict", "It was changed by someone else meanwhile", "load it again")
)

// Orders and payment (ORD).
var (
	DisclaimerMissing    = declare(Refused, "disclaimer-missing", "The disclaimer has not been accepted", "read and accept the current disclaimer")
	DisclaimerOutdated   = declare(Refused, "disclaimer-outdated", "The disclaimer has a newer version", "read and accept the current disclaimer")
	AddressMissing       = declare(Refused, "address-missing", "An address is missing", "give the address")
	ProductUnavailable   = declare(Refused, "product-unavailable", "This product cannot be bought", "choose another product")
	BeneficiaryUnknown   = declare(Refused, "beneficiary-unknown", "A beneficiary is not in the buyer's organization", "name an account of the same organization")
	PaymentMethodMissing = declare(Refused, "payment-method-missing", "A card is needed", "give a payment method")
	CardDeclined         = declare(Refused, "card-declined", "The card was declined", "pay again with another card")
	CurrencyMismatch     = declare(Refused, "currency-mismatch", "The currency does not match", "pay in the invoice's currency")
)

// License keys (LIC).
var (
	LicenseKeyWrong   = declare(Refused, "license-key-wrong", "The license key is not correct", "check the key; letters may be typed in either case")
	LicenseKeyUsed    = declare(Conflict, "license-key-used", "The license key has been used", "if it was not you, contact support")
	LicenseKeyVoid    = declare(Conflict, "license-key-void", "The license key is void", "use the newest key that was mailed")
	LicenseKeyExpired = declare(Conflict, "license-key-expired", "The license key has expired", "contact support")
	NameNotConfirmed  = declare(Refused, "name-not-confirmed", "The legal name is not the account's", "confirm the name as it stands in the account")
	TokenNotInHand    = declare(Refused, "token-not-in-hand", "The token must be in hand before activation", "wait for the parcel")
)

// Token stock and shipping (SHP).
var (
	SeedFileInvalid = declare(Refused, "seed-file-invalid", "The seed file cannot be imported", "correct the file; nothing was imported")
	SignatureWrong  = declare(Unauthenticated, "signature-wrong", "The signature does not fit", "sign the request with the current secret")
)

// Registration of authenticators (REG-1). The titles are the words that the user guide uses.
var (
	SerialIncorrect   = declare(Refused, "serial-incorrect", "The serial number is not correct", "check the serial number on the back of the token")
	OTPIncorrect      = declare(Refused, "otp-incorrect", "The one-time password is not correct", "enter the first and second consecutive one-time password; wait 30 seconds between them")
	TokenNotActivable = declare(Conflict, "token-cannot-be-activated", "The token cannot be activated", "contact support: the token must be reset")
	ActionNotPossible = declare(Conflict, "action-cannot-be-completed", "The action cannot be completed now", "choose one of the allowed actions")
)

// Accounts.
var (
	LoginFailed   = declare(Unauthenticated, "login-failed", "The user id or the password is not correct", "try again, or recover the password")
	AccountExists = declare(Conflict, "account-exists", "The user id is taken", "choose another user id")
	PasswordWeak  = declare(Refused, "password-weak", "The password is too weak", "use a phrase of at least 12 characters")
)

// Faults of a person's tokens.
var (
	TokenAlreadyRegistered = declare(Conflict, "token-already-registered", "The person has a live hardware token", "revoke the old token before a new one is registered")
)
