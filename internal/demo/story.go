package demo

import (
	"context"

	"tokendesk/models"
)

// A chapter is a part of the story with a title of its own.
type chapter struct {
	title  string
	passes bool // time passes in it, so it needs a clock that can be moved
	steps  []step
}

// A step is one thing that somebody does. It fails where what it tells is not so.
type step struct {
	name  string // for machines
	title string
	do    func(context.Context, *play) (scene, error)
}

// A scene is what came of a step.
type scene struct {
	outcome  string // in plain words
	workflow string // id of the lifecycle to look at; may be empty
}

var story = []chapter{
	{title: "Before it begins", steps: []step{
		{"open-logins", "Support opens a login for Ada and one for Grace", openLogins},
		{"import-tokens", "The warehouse imports the seed file of the token maker", importTokens},
		{"import-again", "Somebody imports the same file a second time", importAgain},
	}},
	{title: "Ada buys by invoice", steps: []step{
		{"order-by-invoice", "Ada orders a hardware token and will pay by bank transfer", orderByInvoice},
		{"read-confirmation", "Ada reads the confirmation in her mailbox", readConfirmation},
		{"pay-part", "Billing records a transfer of a part of the amount", payPart},
		{"repeat-notice", "The bank reports the same transfer again", repeatNotice},
		{"pay-rest", "Billing records the rest", payRest},
		{"read-key", "Ada reads the license key in her mailbox", of(ada, readKey)},
	}},
	{title: "Ada's token travels", steps: []step{
		{"hand-to-carrier", "A token leaves the warehouse", of(ada, handToCarrier)},
		{"carry", "The carrier reports, twice and in the wrong order", carry},
	}},
	{title: "Ada activates and registers", steps: []step{
		{"wrong-key", "Ada types a license key that was never issued", wrongKey},
		{"activate", "Ada activates her license key", of(ada, activate)},
		{"wrong-serial", "Ada types the wrong serial number", wrongSerial},
		{"wrong-codes", "Ada types two codes that her token does not show", wrongCodes},
		{"register", "Ada presses the button twice and types what the token shows", of(ada, register)},
	}},
	{title: "Ada logs in", steps: []step{
		{"verify", "The prescription portal asks whether Ada's code is right", of(ada, verify)},
		{"verify-again", "Somebody tries the same code once more", verifyAgain},
	}},
	{title: "Grace buys by card", steps: []step{
		{"order-by-card", "Grace orders a token and pays by card", orderByCard},
		{"pay-again", "Grace pays with another card", payAgain},
		{"grace-key", "Grace reads the license key in her mailbox", of(grace, readKey)},
		{"grace-parcel", "Her token leaves the warehouse", of(grace, handToCarrier)},
		{"grace-delivery", "The carrier delivers it", deliver},
		{"grace-activate", "Grace activates her license key", of(grace, activate)},
		{"grace-register", "Grace registers her token", of(grace, register)},
		{"grace-verify", "The portal asks whether Grace's code is right", of(grace, verify)},
	}},
	{title: "Somebody guesses", steps: []step{
		{"guess", "Somebody guesses at Grace's codes until her token locks", guess},
		{"locked", "Grace hears of it, and her right code is refused as well", locked},
	}},
	{title: "Grace gets help", steps: []step{
		{"resync", "Grace types two codes of her token in a row", resync},
	}},
	{title: "An administrator steps in", steps: []step{
		{"suspend", "Grace, the administrator, suspends Ada's credential", suspendAda},
		{"cannot-lift", "Ada tries to lift the suspension", cannotLift},
		{"lift", "Grace lifts it", liftForAda},
	}},
	{title: "Ada's token is stolen", steps: []step{
		{"unconfirmed", "Ada revokes her credential, and is asked whether she means it", unconfirmed},
		{"stolen", "She means it", stolen},
		{"temporary-password", "Ada logs in with the temporary password", temporaryPassword},
	}},
	{title: "Hedy changes her mind", steps: []step{
		{"what-next", "Hedy orders by invoice, and asks what happens next", orderAndAsk},
		{"cancel", "Hedy cancels the order before it is paid", cancelUnpaid},
		{"hedy-buys", "She buys by card after all", buyAndWait},
		{"ask-refund", "The token arrives, and Hedy wants her money back", askForMoney},
		{"return", "The warehouse receives the token, unopened", tokenReturns},
		{"void-key", "Hedy tries the license key", voidKey},
	}},
	{title: "What if the policy were another", steps: []step{
		{"ahead", "Grace reads what time has in store for her credential", everythingAhead},
		{"what-if", "Billing asks what half a year of grace, instead of one, would do", whatIf},
	}},
	{title: "Dorothy proves who she is, by herself", steps: []step{
		{"dorothy", "Dorothy buys a token with identity proofing", dorothyBegins},
		{"consent", "She chooses self-service and agrees to its terms", consents},
		{"identity", "She gives what the identity provider needs to know, and answers its questions", givesIdentity},
		{"pictures", "She takes pictures of her driver's license with her phone", takesPictures},
		{"dorothy-register", "Dorothy registers her token", of(dorothy, registerProofed)},
	}},
	{title: "Emmy proves who she is, to an agent", passes: true, steps: []step{
		{"emmy", "Emmy, with documents of another country, buys a token with identity proofing", emmyBegins},
		{"book", "She chooses a time for a live video session", bookSession},
		{"reschedule", "Something comes up, and she moves it", moveSession},
		{"meeting-link", "The session is near", linkArrives},
		{"pass", "The session takes place", sessionPassed},
		{"enter-code", "Emmy enters the activation code", entersCode},
		{"emmy-register", "Emmy registers her token", of(emmy, registerProofed)},
	}},
	{title: "Three years pass", passes: true, steps: []step{
		{"katherine", "Katherine buys a token and uses it", katherineBegins},
		{"notice", "Thirty days before the end of the term", noticed},
		{"expiry", "The term ends", expired},
		{"quote", "Twenty days later Katherine asks what a renewal costs", quoted},
		{"renew", "She orders the renewal by invoice", orderRenewal},
		{"renewed", "Billing records the money", payRenewal},
		{"misplaced", "Two months into the new term Katherine cannot find her token", misplaced},
		{"found", "Ten days later she finds it", found},
		{"expiry-again", "The second term ends", expiredAgain},
		{"suspended", "Sixty days before the revocation", suspendedByTime},
		{"reminder-30", "Thirty days before", reminded(30)},
		{"reminder-15", "Fifteen days before", reminded(15)},
		{"reminder-3", "Three days before", reminded(3)},
		{"revoked", "The last day is over", revoked},
		{"mailbox", "Katherine looks through her mailbox", lookBack},
	}},
	{title: "Looking back", steps: []step{
		{"history", "An auditor reads what happened to Grace's credential", history},
		{"audit", "An auditor checks that the trail is whole", audit},
	}},
}

func ada(p *play) *person   { return p.ada }
func grace(p *play) *person { return p.grace }

// of is a step of the one or the other.
func of(who func(*play) *person, do func(context.Context, *play, *person) (scene, error)) func(context.Context, *play) (scene, error) {
	return func(ctx context.Context, p *play) (scene, error) { return do(ctx, p, who(p)) }
}

func aboutOrder(w *person) string      { return models.OrderLifecycle.WorkflowID(w.order) }
func aboutShipment(w *person) string   { return models.ShipmentLifecycle.WorkflowID(w.shipment) }
func aboutCredential(w *person) string { return models.CredentialLifecycle.WorkflowID(w.credential) }
