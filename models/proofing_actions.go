package models

import (
	"slices"
	"time"
)

// ProofingAction is what a person can do about the proofing of the own identity: an event of ProofingMachine, or a step within a status.
type ProofingAction string

// The actions that are no events.
const (
	GiveIdentity      ProofingAction = "give_identity" // what self-service needs to know (PRF-2)
	GiveSSN           ProofingAction = "give_ssn"      // all nine digits
	AnswerQuestions   ProofingAction = "answer_questions"
	ResendCaptureLink ProofingAction = "resend_capture_link" // (PRF-3)
	CheckSession      ProofingAction = "check"               // "I am done"
	HoldProofingSlot  ProofingAction = "hold"                // (PRF-5)
	ReleaseSlot       ProofingAction = "release"
	MoveSession       ProofingAction = "reschedule" // (PRF-6)
	BuyAttempt        ProofingAction = "buy_attempt"
)

// ProofingActions are all that a person can ever do.
func ProofingActions() []ProofingAction {
	all := []ProofingAction{GiveIdentity, GiveSSN, AnswerQuestions, ResendCaptureLink, CheckSession, HoldProofingSlot, ReleaseSlot, MoveSession, BuyAttempt}
	for _, e := range []ProofingEvent{ChooseSelfService, ChooseVideo, StartOver, BookSession, CancelSession, EnterCode, ReportCodeLost} {
		all = append(all, ProofingAction(e))
	}
	return all
}

// Actions lists what the person of a case can do at a moment. held reports whether a slot is held. The API shows it as allowed_actions.
func (f ProofingFacts) Actions(held bool, p Policy, at time.Time) []ProofingAction {
	var out []ProofingAction
	may := func(a ProofingAction, when bool) {
		if when {
			out = append(out, a)
		}
	}
	switch c := f.Case; c.Status {
	case ProofingChoosing:
		may(BuyAttempt, c.Exhausted(p))
		may(ProofingAction(ChooseSelfService), !c.Exhausted(p) && slices.Contains(ProofingMethods(c.Country), BySelfService))
		may(ProofingAction(ChooseVideo), !c.Exhausted(p))
	case ProofingSelfService:
		in := func(phase SessionPhase) bool { return f.Session != nil && f.Session.Phase == phase }
		may(GiveIdentity, f.Session == nil)
		may(GiveSSN, in(SessionNeedsSSN))
		may(AnswerQuestions, in(SessionQuestions))
		may(ResendCaptureLink, in(SessionCapture))
		may(CheckSession, f.Session != nil)
		may(ProofingAction(ChooseVideo), true)
		may(ProofingAction(StartOver), true)
	case ProofingScheduling:
		may(HoldProofingSlot, true)
		may(ProofingAction(BookSession), held)
		may(ReleaseSlot, held)
		may(ProofingAction(StartOver), true)
	case ProofingScheduled:
		ahead := f.Booked != nil && at.Before(f.Booked.StartsAt)
		may(MoveSession, ahead)
		may(ProofingAction(CancelSession), ahead)
	case ProofingAwaitingCode:
		may(ProofingAction(EnterCode), f.Code != nil && f.Code.Status == CodeLive)
		may(ProofingAction(ReportCodeLost), true)
	}
	return out
}
