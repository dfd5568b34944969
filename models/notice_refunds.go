package models

// The mails of a refund (ORD-5). Their subject is the refund.
const (
	NoticeReturnToken     NoticeKind = "return_token"
	NoticeReturnReminder  NoticeKind = "return_reminder"
	NoticeCreditNote      NoticeKind = "credit_note"
	NoticeRefunded        NoticeKind = "refunded"
	NoticeRefundKept      NoticeKind = "refund_kept"
	NoticeRefundRejected  NoticeKind = "refund_rejected"
	NoticeRefundWithdrawn NoticeKind = "refund_withdrawn" // param cause: withdrawn or lapsed
)
