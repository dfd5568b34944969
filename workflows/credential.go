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
	Ended        bool      // revoked, for good
}

// AdvanceCredential performs what is due for a credential, each milestone once, and tells where it stands then.
var AdvanceCredential = localStep[CredentialAt, CredentialFacts]("credential.advance")

// Credential is the lifecycle of a credential, for as long as it lives. The timeline in package models decides what happens
// and when; this sleeps until the next milestone, or until the database has changed, and has what is due performed
// (LIF-1, LOG-4). It ends when the credential is revoked.
func Credential(ctx workflow.Context, in CredentialInput) error {
	changed := listen(ctx, models.SignalCredentialChanged, models.SignalAuthenticatorLocked)
	for {
		changed.clear()
		facts, err := AdvanceCredential.Run(ctx, CredentialAt{in.ID, now(ctx)})
		if err != nil {
			return err
		}
		if err := show(ctx, facts.standing()); err != nil {
			return err
		}
		if facts.Ended {
			return nil
		}
		// Every signal that has come was taken before the look above or is still pending, and the next run looks first of all.
		if workflow.GetInfo(ctx).GetContinueAsNewSuggested() && !changed.pending() {
			return workflow.NewContinueAsNewError(ctx, string(models.CredentialLifecycle), in)
		}
		if _, err := waitUntil(ctx, facts.NextAt, changed.pending); err != nil {
			return err
		}
	}
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
	if !f.NextAt.IsZero() {
		details += "\n\nNext, on " + f.NextAt.Format("2 January 2006") + ": " + f.NextWhat + "."
	}
	return standing{Status: string(f.Status), ProductKind: string(f.ProductKind), Organization: f.Organization, Next: f.NextAt, Details: details}
}
