package models

// The kinds of notice about an account and its tokens.
const (
	NoticeFirstLogin        NoticeKind = "first_login"
	NoticeTemporaryPassword NoticeKind = "temporary_password"
	NoticePasswordChanged   NoticeKind = "password_changed"
	NoticePasswordRecovery  NoticeKind = "password_recovery"
	NoticeUserIDRecovery    NoticeKind = "user_id_recovery"
	NoticeResynced          NoticeKind = "resynced"
)
