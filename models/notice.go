package models

import "time"

// NoticeKind names the template of a mail.
type NoticeKind string

// The kinds of notice.
const (
	NoticeOrderConfirmation NoticeKind = "order_confirmation"
	NoticeCardDeclined      NoticeKind = "card_declined"
	NoticeInvoiceReminder   NoticeKind = "invoice_reminder"
	NoticePaymentPartial    NoticeKind = "payment_partial"
	NoticePaymentUnapplied  NoticeKind = "payment_unapplied" // params received, rest
	NoticeOrderCancelled    NoticeKind = "order_cancelled"
	NoticeLicenseKey        NoticeKind = "license_key"
	NoticeShipped           NoticeKind = "shipped"
	NoticeDelivered         NoticeKind = "delivered"
	NoticeLate              NoticeKind = "late"
	NoticeReshipped         NoticeKind = "reshipped"
	NoticeActivated         NoticeKind = "activated"
	NoticeRegistered        NoticeKind = "registered"
	NoticeLocked            NoticeKind = "locked"
	NoticeExpired           NoticeKind = "expired"
)

// Matters reports whether a person has to look when a mail of the kind does not arrive. It does, unless the mail brings news only: what
// it says stands elsewhere too, no date depends on it, and it asks for nothing.
func (k NoticeKind) Matters() bool {
	switch k {
	case NoticeShipped, NoticeDelivered, NoticeLate, NoticeReshipped, NoticeActivated, NoticeRegistered:
		return false
	}
	return true
}

// NoticeStatus is where a mail stands.
type NoticeStatus string

// The statuses of a notice.
const (
	NoticePending NoticeStatus = "pending"
	NoticeSent    NoticeStatus = "sent"    // the mail server took it
	NoticeFailed  NoticeStatus = "failed"  // the mail server refused it, or it was given up
	NoticeBounced NoticeStatus = "bounced" // taken, and then given up for its recipient (LIF-3)

	NoticeWithdrawn NoticeStatus = "withdrawn" // not sent: what it says was true no more
)

// Notice is a mail that is to be sent once. Its Message-ID is the same over every try (OPS-2).
type Notice struct {
	ID         string // no_…
	DedupeKey  string // business key: a second notice under it is the same notice
	Kind       NoticeKind
	AccountID  *string
	ToAddress  string
	SubjectRef string            // what it is about: SO-…, sh_…, cr_…
	Params     map[string]string `gorm:"serializer:json"`
	Sealed     []byte            // a license key; erased when the mail server has accepted it
	MessageID  string
	Status     NoticeStatus
	Attempts   int
	NextAt     time.Time
	LastError  *string
	CreatedAt  time.Time  `gorm:"autoCreateTime:false"`
	SentAt     *time.Time // when the mail server took it, or when it was proven to have

	Code         MailCode   // why it was last refused, or came back
	DeliveredAt  *time.Time // these three as the mail provider dated them (see MailEvidence)
	BouncedAt    *time.Time
	ComplainedAt *time.Time
}

// NoticeContext is the associated data under which a notice's secret is sealed.
func NoticeContext(id string) string { return "notice/" + id }

// SupportCase is something that a person must look at (SUP-1).
type SupportCase struct {
	ID         string // sc_…
	DedupeKey  string
	SubjectRef string
	Title      string
	State      CaseState
	CreatedAt  time.Time `gorm:"autoCreateTime:false"`
	ClosedAt   *time.Time
}

// CaseState says whether a case is still open.
type CaseState string

// The states of a case.
const (
	CaseOpen   CaseState = "open"
	CaseClosed CaseState = "closed"
)
