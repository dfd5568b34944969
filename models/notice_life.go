package models

// The mails of a credential's life (LIF-1, MGT-3, MGT-4, REN-1).
const (
	NoticeExpiryAhead        NoticeKind = "expiry_ahead"
	NoticeTermSuspended      NoticeKind = "term_suspended"
	NoticeRevocationReminder NoticeKind = "revocation_reminder"
	NoticeRevokedByTime      NoticeKind = "revoked_by_time"
	NoticeSuspended          NoticeKind = "suspended"
	NoticeReenabled          NoticeKind = "re_enabled"
	NoticeRevoked            NoticeKind = "revoked"
	NoticeTokenRevoked       NoticeKind = "token_revoked"
	NoticeRenewed            NoticeKind = "renewed"
	NoticeRenewalTakenBack   NoticeKind = "renewal_taken_back"
)
