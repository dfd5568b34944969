package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"
	"tokendesk/models"
)

// ProofingInput starts or continues the lifecycle of a proofing case.
type ProofingInput struct {
	ID string // pc_…
}

// ProofingAt asks for something about a proofing case at a moment of its lifecycle.
type ProofingAt struct {
	ID string
	At time.Time
}

// ProofingFacts is what the lifecycle needs to know of a case to go on.
type ProofingFacts struct {
	Status       models.ProofingStatus
	ProductKind  models.ProductKind
	Organization string
	Fetch        bool      // the provider's result is to be fetched
	Letter       bool      // a letter with an activation code is to be posted
	Meeting      bool      // a meeting is to be made or cancelled
	Tidying      bool      // the provider is to forget what has ended
	NextAt       time.Time // of the next milestone or look; zero: time alone changes nothing
	NextWhat     string    // what happens then, in plain words
	NeedsPerson  bool
}

// Steps of a proofing. None carries what a person gave to be proofed, nor a code (PRF-2, PRF-9).
var (
	// AdvanceProofing performs what is due, each milestone once, and tells where the case stands then.
	AdvanceProofing = localStep[ProofingAt, ProofingFacts]("proofing.advance")
	// FetchProofing fetches the result of a self-service session and has done what it brings.
	FetchProofing = outsideStep[ProofingAt, struct{}]("proofing.fetch")
	// PostCode has a letter with an activation code printed and posted.
	PostCode = outsideStep[ProofingAt, struct{}]("proofing.post_code")
	// ArrangeMeeting makes the meeting of an appointment that is near, and cancels those that are not wanted any more.
	ArrangeMeeting = outsideStep[ProofingAt, struct{}]("proofing.meeting")
	// ForgetSessions makes the provider forget sessions that have ended.
	ForgetSessions = outsideStep[ProofingAt, struct{}]("proofing.forget")
)

type proofing struct {
	ProofingInput
	facts   ProofingFacts
	stuck   bool // an outside service has not answered for a while
	changed nudge
}

// Proofing is the lifecycle of a proofing case: it has done outside what its facts ask for, sleeps until the next milestone or until the database has
// changed, and looks again (PRF). What people, agents and the provider do is in the database before a signal comes. It ends when the person is
// proofed and registered, or when the credential has ended.
func Proofing(ctx workflow.Context, in ProofingInput) error {
	p := &proofing{ProofingInput: in, changed: listen(ctx, models.SignalProofingChanged)}
	for {
		p.changed.clear()
		if err := p.look(ctx); err != nil {
			return err
		}
		if p.facts.Status.Ends() && !p.facts.outside() && !p.changed.pending() {
			return nil
		}
		if workflow.GetInfo(ctx).GetContinueAsNewSuggested() && !p.changed.pending() {
			return workflow.NewContinueAsNewError(ctx, string(models.ProofingLifecycle), in)
		}
		if _, err := waitUntil(ctx, p.nextLook(ctx), p.changed.pending); err != nil {
			return err
		}
	}
}

// mostRounds bounds how often a look goes outside: what then is still due has to wait for the next look.
const mostRounds = 5

// look has done what is due, in the database and outside, until nothing is left or an outside service does not answer.
func (p *proofing) look(ctx workflow.Context) (err error) {
	p.stuck = false
	for range mostRounds {
		if p.facts, err = AdvanceProofing.Run(ctx, ProofingAt{p.ID, now(ctx)}); err != nil {
			return err
		}
		if !p.facts.outside() || p.stuck {
			break
		}
		if p.stuck, err = p.act(ctx); err != nil {
			return err
		}
	}
	if raise := p.facts.NeedsPerson || p.stuck; raise != flagged(ctx) {
		needsPerson(ctx, raise)
	}
	return show(ctx, p.facts.standing())
}

// act takes the steps that the facts ask for, one round of tries each: a service that is down keeps no reminder and no expiry waiting.
func (p *proofing) act(ctx workflow.Context) (stuck bool, err error) {
	for _, s := range []struct {
		due  bool
		step Step[ProofingAt, struct{}]
	}{{p.facts.Fetch, FetchProofing}, {p.facts.Meeting, ArrangeMeeting}, {p.facts.Letter, PostCode}, {p.facts.Tidying, ForgetSessions}} {
		if !s.due {
			continue
		}
		failed, err := s.step.Try(ctx, ProofingAt{p.ID, now(ctx)})
		if err != nil {
			return stuck, err
		}
		stuck = stuck || failed
	}
	return stuck, nil
}

func (f ProofingFacts) outside() bool { return f.Fetch || f.Letter || f.Meeting || f.Tidying }

// nextLook is when the case looks again by itself.
func (p *proofing) nextLook(ctx workflow.Context) time.Time {
	again := now(ctx).Add(secondLook)
	if (p.stuck || p.facts.outside()) && (p.facts.NextAt.IsZero() || again.Before(p.facts.NextAt)) {
		return again
	}
	return p.facts.NextAt
}

var proofingDetails = map[models.ProofingStatus]string{
	models.ProofingChoosing:     "Waiting for the person to choose how to be proofed.",
	models.ProofingSelfService:  "Self-service: the identity provider and the person are at work.",
	models.ProofingScheduling:   "Waiting for the person to choose a slot of a live video session.",
	models.ProofingScheduled:    "A live video session is booked.",
	models.ProofingInReview:     "Passed. Waiting for a second agent's review; the activation code cannot be used before.",
	models.ProofingAwaitingCode: "Waiting for the person to enter the activation code.",
	models.ProofingDone:         "Proofed. Waiting for the person to register an authenticator.",
	models.ProofingCompleted:    "Done: the person is proofed.",
	models.ProofingAbandoned:    "Over: the credential has ended, or the upgrade was taken back.",
}

func (f ProofingFacts) standing() standing {
	details := proofingDetails[f.Status]
	if f.NeedsPerson {
		details += " The review is overdue."
	}
	if !f.NextAt.IsZero() {
		details += "\n\nNext, on " + f.NextAt.Format("2 January 2006, 15:04 MST") + ": " + f.NextWhat + "."
	}
	return standing{Status: string(f.Status), ProductKind: string(f.ProductKind), Organization: f.Organization, Next: f.NextAt, Details: details}
}
