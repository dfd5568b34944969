package models

import "time"

// RecoveryKind says what is recovered by mail (ACC-1).
type RecoveryKind string

// The kinds of recovery.
const (
	PasswordRecovery RecoveryKind = "password"
	UserIDRecovery   RecoveryKind = "user_id"
)

// Recovery is a request to recover a password or a user id. It is recorded whoever is named, so that a stranger cannot tell.
type Recovery struct {
	ID        string // rv_…
	Kind      RecoveryKind
	AccountID *string   // nil: nobody has this name
	TokenHash []byte    // of the single-use token that the mail carries; nil for a user id
	Sealed    []byte    // the token, until the mail is recorded
	NoticeID  string    // of the mail
	CreatedAt time.Time `gorm:"autoCreateTime:false"`
	ExpiresAt time.Time
	MailedAt  *time.Time
	EndedAt   *time.Time // used, or void since the password was changed otherwise
}
