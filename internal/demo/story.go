package demo

import (
	"context"

	"tokendesk/models"
)

// A chapter is a part of the story with a title of its own.
type chapter struct {
	title string
	steps []step
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
	{"Before it begins", []step{
		{"open-logins", "Support opens a login for Ada and one for Grace", openLogins},
		{"import-tokens", "The warehouse imports the seed file of the token maker", importTokens},
		{"import-again", "Somebody imports the same file a second time", importAgain},
	}},
	{"Ada buys by invoice", []step{
		{"order-by-invoice", "Ada orders a hardware token and will pay by bank transfer", orderByInvoice},
		{"read-confirmation", "Ada reads the confirmation in her mailbox", readConfirmation},
		{"pay-part", "Billing records a transfer of a part of the amount", payPart},
		{"repeat-notice", "The bank reports the same transfer again", repeatNotice},
		{"pay-rest", "Billing records the rest", payRest},
		{"read-key", "Ada reads the license key in her mailbox", of(ada, readKey)},
	}},
	{"Ada's token travels", []step{
		{"hand-to-carrier", "A token leaves the warehouse", of(ada, handToCarrier)},
		{"carry", "The carrier reports, twice and in the wrong order", carry},
	}},
	{"Ada activates and registers", []step{
		{"wrong-key", "Ada types a license key that was never issued", wrongKey},
		{"activate", "Ada activates her license key", of(ada, activate)},
		{"wrong-serial", "Ada types the wrong serial number", wrongSerial},
		{"wrong-codes", "Ada types two codes that her token does not show", wrongCodes},
		{"register", "Ada presses the button twice and types what the token shows", of(ada, register)},
	}},
	{"Ada logs in", []step{
		{"verify", "The prescription portal asks whether Ada's code is right", of(ada, verify)},
		{"verify-again", "Somebody tries the same code once more", verifyAgain},
	}},
	{"Grace buys by card", []step{
		{"order-by-card", "Grace orders a token and pays by card", orderByCard},
		{"pay-again", "Grace pays with another card", payAgain},
		{"grace-key", "Grace reads the license key in her mailbox", of(grace, readKey)},
		{"grace-parcel", "Her token leaves the warehouse", of(grace, handToCarrier)},
		{"grace-delivery", "The carrier delivers it", deliver},
		{"grace-activate", "Grace activates her license key", of(grace, activate)},
		{"grace-register", "Grace registers her token", of(grace, register)},
		{"grace-verify", "The portal asks whether Grace's code is right", of(grace, verify)},
	}},
	{"Somebody guesses", []step{
		{"guess", "Somebody guesses at Grace's codes until her token locks", guess},
		{"locked", "Grace hears of it, and her right code is refused as well", locked},
	}},
	{"Looking back", []step{
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
