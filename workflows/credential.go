package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"
	"tokendesk/models"
)

// CredentialInput starts or continues the lifecycle of a credential.
type CredentialInput struct {
	ID string // cr_…
}

// CredentialAt asks for something about a credential at a moment of its lifecycle.
type CredentialAt struct {
	ID string
	At time.Time
}

// CredentialFacts is what the lifecycle needs to know of a credential to go on.
type CredentialFacts struct {
	Status       models.DisplayedStatus
	ProductKind  models.ProductKind
	Organization string
	NextAt       time.Time // of the next milestone; zero: time alone changes nothing
	NextWhat     string    // what happens then, in plain words
	NeedsPerson  bool      // its revocation waits for a person's review (LIF-3)
	Ended        bool      // revoked, for good
}

// AdvanceCredential performs what is due for a credential, each milestone once, and tells where it stands then.
var AdvanceCredential = localStep[CredentialAt, CredentialFacts]("credential.advance")

type credential struct {
	CredentialInput
	facts   CredentialFacts
	changed nudge
}

// Credential is the lifecycle of a credential, for as long as it lives. The timeline in package models decides what happens
// and when; this sleeps until the next milestone, or until the database has changed, and has what is due performed
// (LIF-1, LOG-4). Commands come as Updates. It ends when the credential is revoked.
func Credential(ctx workflow.Context, in CredentialInput) error {
	c := &credential{CredentialInput: in, changed: listen(ctx, models.SignalCredentialChanged, models.SignalAuthenticatorLocked)}
	if err := c.answer(ctx); err != nil {
		return err
	}
	for {
		if err := c.look(ctx); err != nil {
			return err
		}
		// Every signal that has come was taken before the look above or is still pending, and the next run looks first of all.
		continueAsNew := workflow.GetInfo(ctx).GetContinueAsNewSuggested() && !c.changed.pending()
		if c.facts.Ended || continueAsNew {
			if err := workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) }); err != nil {
				return err
			}
		}
		switch {
		case c.facts.Ended:
			return nil
		case continueAsNew:
			return workflow.NewContinueAsNewError(ctx, string(models.CredentialLifecycle), in)
		}
		if _, err := waitUntil(ctx, c.facts.NextAt, c.changed.pending); err != nil {
			return err
		}
	}
}

// look has what is due performed, and shows where the credential stands then.
func (c *credential) look(ctx workflow.Context) (err error) {
	c.changed.clear()
	if c.facts, err = AdvanceCredential.Run(ctx, CredentialAt{c.ID, now(ctx)}); err != nil {
		return err
	}
	if c.facts.NeedsPerson != flagged(ctx) { // a step that was stuck for a while has lowered it
		needsPerson(ctx, c.facts.NeedsPerson)
	}
	return show(ctx, c.facts.standing())
}

var credentialDetails = map[models.DisplayedStatus]string{
	models.ShownPendingApproval:   "Waiting for an administrator's approval.",
	models.ShownPendingActivation: "Waiting for the person: proofing or registration is not done.",
	models.ShownActive:            "Active.",
	models.ShownLocked:            "Locked after too many wrong codes. The person was told how to resync.",
	models.ShownSuspended:         "Suspended: it cannot be used to log in.",
	models.ShownExpired:           "Expired: it cannot be used to log in until it is renewed.",
	models.ShownRevoked:           "Revoked, for good.",
}

func (f CredentialFacts) standing() standing {
	details := credentialDetails[f.Status]
	if f.NeedsPerson {
		details += " None of the reminders could be delivered: a person must look at it before it is revoked."
	}
	if !f.NextAt.IsZero() {
		details += "\n\nNext, on " + f.NextAt.Format("2 January 2006") + ": " + f.NextWhat + "."
	}
	return standing{Status: string(f.Status), ProductKind: string(f.ProductKind), Organization: f.Organization, Next: f.NextAt, Details: details}
}
