package models

import (
	"fmt"
	"time"
)

// RefundStatus is where a refund stands.
type RefundStatus string

// The statuses of a refund.
const (
	RefundRequested RefundStatus = "requested" // waits for a second person
	RefundReturning RefundStatus = "returning" // allowed; tokens that left must come back first
	RefundPaying    RefundStatus = "paying"    // the credit note is issued, the money is on its way back
	RefundDone      RefundStatus = "refunded"  // the money went back
	RefundKept      RefundStatus = "credited"  // the buyer keeps the money as credit
	RefundRejected  RefundStatus = "rejected"
	RefundWithdrawn RefundStatus = "withdrawn"
	RefundLapsed    RefundStatus = "lapsed" // nothing came back in time
)

// What billing may do with the bank part of a refund beside the events of RefundMachine.
const (
	RecordPayoutAction = "record_payout"
	ApplyCreditAction  = "apply_credit"
)

// RefundEvent moves a refund.
type RefundEvent string

// The events of a refund.
const (
	ApproveRefund  RefundEvent = "approve"
	RejectRefund   RefundEvent = "reject"
	WithdrawRefund RefundEvent = "withdraw"
	LapseRefund    RefundEvent = "lapse"
	CreditRefund   RefundEvent = "credit"
	KeepRefund     RefundEvent = "keep_as_credit"
	SettleRefund   RefundEvent = "settle"
)

// RefundMachine is the transition table of a refund (ORD-5, SEC-1).
var RefundMachine = Machine[RefundStatus, RefundEvent]{Name: "refund", Initial: RefundRequested, Transitions: []Transition[RefundStatus, RefundEvent]{
	{[]RefundStatus{RefundRequested}, ApproveRefund, RefundReturning, ByPerson, "a second person allows it, or none is needed; what has not left is undone at once (SEC-1)"},
	{[]RefundStatus{RefundRequested}, RejectRefund, RefundRejected, ByPerson, "a second person refuses it"},
	{[]RefundStatus{RefundRequested, RefundReturning}, WithdrawRefund, RefundWithdrawn, ByPerson, "given up before anything was undone"},
	{[]RefundStatus{RefundReturning}, LapseRefund, RefundLapsed, ByWorkflow, "no token came back in time"},
	{[]RefundStatus{RefundReturning}, CreditRefund, RefundPaying, ByWorkflow, "everything that had left is back: the credit note is issued, keys and credentials end"},
	{[]RefundStatus{RefundPaying}, KeepRefund, RefundKept, ByPerson, "the buyer keeps the money as credit"},
	{[]RefundStatus{RefundPaying, RefundKept}, SettleRefund, RefundDone, ByWorld, "the card processor or the bank gave the money back"},
}}

// Over reports whether the lifecycle of a refund has nothing left to do.
func (s RefundStatus) Over() bool {
	switch s {
	case RefundRequested, RefundReturning, RefundPaying:
		return false
	}
	return true
}

// RefundReason says why money goes back; a code, so that no personal data enters the engine.
type RefundReason string

// The reasons for a refund.
const (
	RefundNotNeeded  RefundReason = "not_needed"
	RefundMistake    RefundReason = "ordered_by_mistake"
	RefundDuplicate  RefundReason = "duplicate"
	RefundDefective  RefundReason = "defective"
	RefundGoodwill   RefundReason = "goodwill"
	RefundOther      RefundReason = "other"
	RefundTooLate    RefundReason = "renewal_too_late"    // fulfilment itself: the credential was revoked first (REN-4)
	RefundImpossible RefundReason = "cannot_be_fulfilled" // fulfilment itself: what was bought cannot be given any more
)

// Commanded reports whether a person may give the reason.
func (r RefundReason) Commanded() bool {
	switch r {
	case RefundNotNeeded, RefundMistake, RefundDuplicate, RefundDefective, RefundGoodwill, RefundOther:
		return true
	}
	return false
}

// RefundRequest asks to undo lines of a paid order.
type RefundRequest struct {
	OrderNumber string
	Positions   []int // of the lines; empty: all that are in no refund yet
	Reason      RefundReason
	Note        string // for the people who decide; may be empty
}

// Refund undoes lines of a paid order: the lines are credited together, and the money goes back to where it came from.
type Refund struct {
	ID           string // rf_…
	OrderID      string
	Status       RefundStatus
	Reason       RefundReason
	Note         string
	SecondPerson bool // somebody else than the requester has to allow it (SEC-1)
	RequestedBy  string
	RequestedAt  time.Time
	DecidedBy    *string
	DecidedAt    *time.Time
	Rejection    *string    // why it was rejected
	ReturnBy     *time.Time // from this moment on, what has not come back is not refunded; nil: nothing has to
	TotalMinor   int64
	Currency     Currency

	CreditedAt *time.Time
	CardMinor  int64 // goes back through the card processor
	BankMinor  int64 // is paid out by billing, or kept as credit
	UsedMinor  int64 // of what was kept as credit: it has paid invoices

	ChargeID       *string    // the charge that the card part goes back to
	CardTry        int        // 1, 2, …: what was refused is asked for under a new key
	CardAskedAt    *time.Time // the intent: recorded before the processor is called
	CardAcceptedAt *time.Time // the processor has taken it up: it is not asked again
	CardRefusedAt  *time.Time // the processor will not, whoever asks; a person has to look
	CardRefundedAt *time.Time

	EndedAt   *time.Time
	UpdatedAt time.Time `gorm:"autoUpdateTime:false"`

	Lines []RefundLine
}

// Total of the lines that are (to be) credited.
func (r Refund) Total() Money { return Money{r.TotalMinor, r.Currency} }

// CardDue is what the card processor still has to give back.
func (r Refund) CardDue() Money {
	if r.Status != RefundPaying || r.CardRefundedAt != nil {
		return Money{0, r.Currency}
	}
	return Money{r.CardMinor, r.Currency}
}

// BankDue is what billing may pay out once the card processor has done its part: the bank part, less what was used of it as credit, and the
// card part where the processor refuses it.
func (r Refund) BankDue() Money {
	switch {
	case r.Status != RefundPaying && r.Status != RefundKept:
	case r.CardMinor == 0, r.CardRefundedAt != nil:
		return Money{r.BankMinor - r.UsedMinor, r.Currency}
	case r.CardRefusedAt != nil:
		return Money{r.BankMinor + r.CardMinor, r.Currency}
	}
	return Money{0, r.Currency}
}

// CardKey is the card processor's idempotency key: asked twice under it, the processor gives the money back once.
func (r Refund) CardKey() string { return fmt.Sprintf("%s/refund/%d", r.ID, r.CardTry) }

// RefundLine is one order line in a refund. A line stands in one refund at a time, and is credited once.
type RefundLine struct {
	RefundID    string
	OrderLineID string
	Position    int // in the order
	AmountMinor int64
	UndoneAt    *time.Time // its key is void, its credential revoked, its shipment cancelled: there is no way back
	DroppedAt   *time.Time // left the refund: rejected, withdrawn, or its token did not come back
}

// TokenCondition says how a token came back.
type TokenCondition string

// The conditions of a returned token.
const (
	ReturnedUnopened TokenCondition = "unopened"
	ReturnedOpened   TokenCondition = "opened"
	ReturnedDamaged  TokenCondition = "damaged"
)

// Valid reports whether the condition is known.
func (c TokenCondition) Valid() bool {
	return c == ReturnedUnopened || c == ReturnedOpened || c == ReturnedDamaged
}

// TokenReturn is a token that came back. A serial comes back once, and is never shipped again.
type TokenReturn struct {
	Serial     string `gorm:"primaryKey"`
	ShipmentID string
	Condition  TokenCondition
	RecordedBy string
	ReceivedAt time.Time
}

// ExpectedReturn is a token that a refund waits, or has waited, for.
type ExpectedReturn struct {
	Position   int // of the order line
	ShipmentID string
	Serial     string
	Back       bool
	Condition  *TokenCondition // as the warehouse saw it
	ReceivedAt *time.Time
}

// RefundEnding is a credential, or one authenticator of it, that ends for good with a refunded line.
type RefundEnding struct {
	Position        int // of the order line
	CredentialID    string
	AuthenticatorID string     // this one alone; empty: the credential, with everything bound to it
	EndedAt         *time.Time // nil: not yet
}

// Payout is money that billing transferred back to a buyer.
type Payout struct {
	RefundID      string `gorm:"primaryKey"`
	SourceAccount string // ours
	BankReference string
	AmountMinor   int64
	Currency      Currency
	PaidAt        time.Time
	RecordedBy    string
	RecordedAt    time.Time
}

// NewPayout is what billing tells of a transfer to a buyer.
type NewPayout struct {
	SourceAccount string
	BankReference string
	Amount        Money
	PaidAt        time.Time
}

// The milestones of a refund.
const (
	RefundDecisionDue    MilestoneName = "refund_decision_due"
	RefundReturnReminder MilestoneName = "refund_return_reminder"
	RefundLapses         MilestoneName = "refund_lapses"
	RefundPayoutDue      MilestoneName = "refund_payout_due"
)

// ReturnDeadline is the end of the last day on which a token may come back, in the vendor's zone.
func ReturnDeadline(allowed time.Time, p Policy) time.Time {
	return StartOfDay(allowed, p.Refund.ReturnDays+1, p.Location())
}

// RefundTimeline is what happens to a refund if nobody acts (ORD-5, LIF-4).
func RefundTimeline(r Refund, p Policy) Timeline {
	zone := p.Location()
	switch {
	case r.Status == RefundRequested:
		return Timeline{{Name: RefundDecisionDue, At: StartOfDay(r.RequestedAt, p.Refund.DecisionDays+1, zone),
			What: "staff are told that the refund waits for a second person"}}
	case r.Status == RefundReturning && r.ReturnBy != nil:
		return Timeline{
			{Name: RefundReturnReminder, At: StartOfDay(*r.ReturnBy, -p.Refund.ReturnReminder-1, zone), What: "the buyer is reminded to send the token back"},
			{Name: RefundLapses, At: r.ReturnBy.In(zone), What: "what has not come back is not refunded"},
		}
	case r.Status == RefundPaying && r.BankDue().Minor > 0:
		return Timeline{{Name: RefundPayoutDue, At: StartOfDay(*r.CreditedAt, p.Refund.PayoutDays+1, zone),
			What: "billing is told that the buyer waits for the money"}}
	}
	return nil
}
