package models

import (
	"regexp"
	"time"
)

// MailEventKind says what became of a mail after the mail server had taken it.
type MailEventKind string

// The kinds of mail event.
const (
	MailDelivered  MailEventKind = "delivered"  // the recipient's server took it (RFC 5321 §4.2.5)
	MailBounced    MailEventKind = "bounced"    // given up for this recipient (RFC 3464 §2.3.3, action "failed")
	MailComplained MailEventKind = "complained" // the recipient calls it unwanted (RFC 5965)
)

// MailEvent is one report of the mail provider about a mail of ours (LIF-3). It holds no address and none of a mail server's
// words, which may hold one.
type MailEvent struct {
	ID         string // the provider's own event id; a repeat changes nothing
	MessageID  string // of the notice, without angle brackets
	Kind       MailEventKind
	Code       MailCode // why, where the provider says so
	OccurredAt time.Time
	ReceivedAt time.Time
}

// maxMailText bounds what a provider calls its things, in bytes; a Message-ID is at most one header line.
const maxMailText = 450

// Check refuses an event that cannot be right: InvalidRequest.
func (e MailEvent) Check() error {
	switch {
	case e.ID == "" || len(e.ID) > maxMailText:
		return InvalidRequest.New("1 to %d characters are needed", maxMailText).At("/id")
	case e.MessageID == "" || len(e.MessageID) > maxMailText:
		return InvalidRequest.New("1 to %d characters are needed", maxMailText).At("/message_id")
	case e.Kind != MailDelivered && e.Kind != MailBounced && e.Kind != MailComplained:
		return InvalidRequest.New("no such kind of mail event").At("/kind")
	case !e.Code.Valid():
		return InvalidRequest.New("a status code reads like 5.1.1").At("/code")
	case e.OccurredAt.IsZero():
		return InvalidRequest.New("the provider's own time is needed").At("/occurred_at")
	}
	return nil
}

// MailCode says in short why a mail was not taken or came back: an enhanced status code such as 5.1.1 (RFC 3463), or the
// reply code such as 550 of a server that gives no other (RFC 5321 §4.2.1). "" where nothing is known.
type MailCode string

var mailCode = regexp.MustCompile(`^([245]\.[0-9]{1,3}\.[0-9]{1,3}|[45][0-9]{2})?$`)

// Valid reports whether the code is one, or empty.
func (c MailCode) Valid() bool { return mailCode.MatchString(string(c)) }

// MailEvidence is what all events of one mail say together.
type MailEvidence struct {
	DeliveredAt  *time.Time // first
	BouncedAt    *time.Time // first
	ComplainedAt *time.Time // first
	Code         MailCode   // of that bounce
}

// FoldMailEvents weighs the events of one mail, which may repeat and arrive in any order; the order of arrival does not matter.
func FoldMailEvents(events []MailEvent) (v MailEvidence) {
	var bounce MailEvent
	for _, e := range events {
		switch e.Kind {
		case MailDelivered:
			v.DeliveredAt = earlier(v.DeliveredAt, e.OccurredAt)
		case MailComplained:
			v.ComplainedAt = earlier(v.ComplainedAt, e.OccurredAt)
		case MailBounced:
			if sooner := e.OccurredAt.Compare(bounce.OccurredAt); v.BouncedAt == nil || sooner < 0 || sooner == 0 && e.ID < bounce.ID {
				bounce, v.BouncedAt, v.Code = e, earlier(nil, e.OccurredAt), e.Code
			}
		}
	}
	return v
}

func earlier(known *time.Time, at time.Time) *time.Time {
	if known != nil && !at.Before(*known) {
		return known
	}
	return &at
}

// Status says where a notice stands in the light of the evidence.
//
// A bounce is the last word, whenever it was told or dated: "delivered" only says that the recipient's server has taken
// responsibility (RFC 5321 §4.2.5), what RFC 3464 §2.3.3 calls relayed; a server that cannot keep it reports "failed", which is final.
// Where two copies of a mail fared differently, because an answer was lost, the worse one counts: a person then looks.
// A delivery proves that a mail was sent though nobody could record it; so does a complaint, which is no failure.
func (v MailEvidence) Status(now NoticeStatus) NoticeStatus {
	switch {
	case v.BouncedAt != nil:
		return NoticeBounced
	case v.DeliveredAt != nil || v.ComplainedAt != nil:
		return NoticeSent
	}
	return now
}
