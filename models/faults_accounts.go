package models

// Passwords and recovery (ACC-1, MGT-4).
var (
	PasswordWrong           = declare(Refused, "password-wrong", "The present password is not correct", "type the present password again, or recover it by mail")
	PasswordReused          = declare(Refused, "password-reused", "The password is the present or the previous one", "choose another password")
	PasswordChangeRequired  = declare(Forbidden, "password-change-required", "The password must be changed first", "change the password, then go on")
	TemporaryPasswordLapsed = declare(Unauthenticated, "temporary-password-lapsed", "The temporary password has lapsed", "recover the password by mail")
	RecoveryTokenWrong      = declare(Refused, "recovery-token-wrong", "The recovery code is not valid", "ask for a new one: it works once, and for a short time")
)

// Resync of a token (MGT-2).
var (
	CredentialNotActive = declare(Conflict, "credential-not-active", "The credential is not active", "choose one of the allowed actions")
	TokenNeedsReset     = declare(Conflict, "token-needs-reset", "The token cannot be resynchronized any more", "contact support: the token must be reset")
)
