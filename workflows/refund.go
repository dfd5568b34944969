package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"
	"tokendesk/models"
)

// RefundInput starts or continues the lifecycle of a refund.
type RefundInput struct {
	ID string // rf_…
}

// RefundAt asks for something about a refund at a moment of its lifecycle.
type RefundAt struct {
	ID string
	At time.Time
}

// RefundFacts is what the lifecycle needs to know of a refund to go on.
type RefundFacts struct {
	Status       models.RefundStatus
	ProductKind  models.ProductKind
	Organization string
	CardIsDue    bool      // the card processor has money to give back
	Next         string    // what happens at NextAt, in plain words
	NextAt       time.Time // of the next milestone; zero: time alone changes nothing
}

// CardAnswer is how far the card processor has come with a refund.
type CardAnswer string

// The answers.
const (
	CardDone    CardAnswer = "done"
	CardPending CardAnswer = "pending" // it takes its time, or another refund to the same card comes first
	CardRefused CardAnswer = "refused" // whoever asks; a person has to look
)

// Steps of a refund.
var (
	// AdvanceRefund undoes and credits what is back, performs what time brings, and tells where the refund stands then.
	AdvanceRefund = localStep[RefundAt, RefundFacts]("refund.advance")
	// RefundCard asks the card processor for the card's part, once, or looks how far it has come.
	RefundCard = outsideStep[RefundAt, CardAnswer]("refund.card")
)

// pendingLook is how often a refund asks after money that the card processor has not given back yet, in case its webhooks were lost.
const pendingLook = time.Hour

type refund struct {
	RefundInput
	facts   RefundFacts
	card    CardAnswer
	changed nudge
}

// Refund is the lifecycle of a refund: a second person where one is needed, the tokens that have to come back, and the money, through the
// card processor or by billing. It ends when the money is back or kept as credit, or when the refund is given up (ORD-5).
func Refund(ctx workflow.Context, in RefundInput) error {
	r := &refund{RefundInput: in, changed: listen(ctx, models.SignalRefundChanged)}
	for {
		r.changed.clear()
		if err := r.advance(ctx); err != nil {
			return err
		}
		if err := r.show(ctx); err != nil {
			return err
		}
		if r.facts.Status.Over() {
			r.changed.clear() // nothing that is said of it changes how it ended
			return nil
		}
		// What has come was taken before the look above or is still pending, and the next run looks first of all.
		if workflow.GetInfo(ctx).GetContinueAsNewSuggested() && !r.changed.pending() {
			return workflow.NewContinueAsNewError(ctx, string(models.RefundLifecycle), in)
		}
		if _, err := waitUntil(ctx, r.nextLook(ctx), r.changed.pending); err != nil {
			return err
		}
	}
}

// advance goes as far as it can without waiting for the world.
func (r *refund) advance(ctx workflow.Context) (err error) {
	r.card = ""
	if r.facts, err = AdvanceRefund.Run(ctx, RefundAt{r.ID, now(ctx)}); err != nil {
		return err
	}
	if r.facts.CardIsDue {
		if err := r.askCard(ctx); err != nil {
			return err
		}
	}
	if raise := r.card == CardRefused; raise != flagged(ctx) {
		needsPerson(ctx, raise)
	}
	return nil
}

func (r *refund) askCard(ctx workflow.Context) (err error) {
	r.card, err = RefundCard.Run(ctx, RefundAt{r.ID, now(ctx)})
	switch {
	case RefusalOf(err) != "": // not by the processor, but by our own books
		r.card = CardRefused
		return nil
	case err != nil || r.card == CardPending:
		return err
	}
	r.facts, err = AdvanceRefund.Run(ctx, RefundAt{r.ID, now(ctx)})
	return err
}

// nextLook is when the refund looks again by itself.
func (r *refund) nextLook(ctx workflow.Context) time.Time {
	at, look := r.facts.NextAt, time.Time{}
	switch r.card {
	case CardPending:
		look = now(ctx).Add(pendingLook)
	case CardRefused:
		look = now(ctx).Add(secondLook)
	}
	if at.IsZero() || !look.IsZero() && look.Before(at) {
		return look
	}
	return at
}

var refundDetails = map[models.RefundStatus]string{
	models.RefundRequested: "Waiting for a second person to allow or reject it.",
	models.RefundReturning: "Allowed. Waiting for the token to come back; no money leaves before.",
	models.RefundPaying:    "Credited. Waiting for billing to pay the money out, or to keep it as the buyer's credit.",
	models.RefundDone:      "Done: the money went back.",
	models.RefundKept:      "Done: the buyer keeps the money as credit.",
	models.RefundRejected:  "Rejected by a second person.",
	models.RefundWithdrawn: "Withdrawn.",
	models.RefundLapsed:    "Over: no token came back in time.",
}

func (r *refund) show(ctx workflow.Context) error {
	details := refundDetails[r.facts.Status]
	switch r.card {
	case CardPending:
		details = "Credited. The card processor is giving the money back."
	case CardRefused:
		details = "Credited, but the card processor does not give the money back: a person has to look, or billing pays it out."
	}
	if !r.facts.NextAt.IsZero() {
		details += "\n\nIf nobody acts: " + r.facts.Next + " on " + r.facts.NextAt.Format("2 January 2006") + "."
	}
	return show(ctx, standing{Status: string(r.facts.Status), ProductKind: string(r.facts.ProductKind), Organization: r.facts.Organization,
		Next: r.facts.NextAt, Details: details})
}
