// Package payment holds what card payments are made of, whoever processes them: the values that a gateway takes and
// gives, and the meaning of its answers. Its sub-packages are the gateways: stripe, and a stateful simulator.
//
// Every gateway keeps these promises, and package paymenttest proves them:
//   - A call under an idempotency key happens once. The same key and parameters give the first answer again, a
//     decline too; with other parameters it is a models.IdempotencyKeyReused fault. No key: models.IdempotencyKeyMissing.
//   - A refused card is a models.CardDeclined fault whose detail may be told to the buyer (ORD-2).
//   - What the charge's state forbids is a models.StateForbids fault, an unknown charge models.NoSuchThing.
//   - Technical trouble is a models.ServiceDown fault: whether the work was done is not known, and the same call may
//     be repeated under the same key (OPS-2).
//   - No error carries card data, a buyer's data, or the processor's own wording.
package payment

import (
	"tokendesk/models"
)

// Status is the state of a charge.
type Status string

// The states of a charge.
const (
	ActionRequired Status = "action_required" // the buyer must confirm with the bank (3-D Secure) before money is held
	Processing     Status = "processing"      // the processor has not decided; a webhook will nudge
	Authorized     Status = "authorized"      // the amount is held on the card, not taken
	Declined       Status = "declined"        // the bank refused
	Captured       Status = "captured"        // money was taken; part of it may have been refunded
	Cancelled      Status = "cancelled"       // the hold was released, nothing was taken
	Refunded       Status = "refunded"        // everything that was taken went back
)

// AuthorizeRequest asks to hold an amount on a card.
type AuthorizeRequest struct {
	IdempotencyKey string        // made of business ids, for example "order/SO-10042/authorize/1"
	Amount         models.Money  // more than zero
	PaymentMethod  models.Secret // the processor's token for a card, never a card number
	OrderNumber    string        // what the buyer and the books know it by
}

// Charge is what the processor knows about one payment.
type Charge struct {
	Ref          string        `json:"ref"` // the processor's id
	Status       Status        `json:"status"`
	Amount       models.Money  `json:"amount"`   // asked for
	Captured     models.Money  `json:"captured"` // taken so far
	Refunded     models.Money  `json:"refunded"` // given back so far
	Decline      Decline       `json:"decline,omitempty"`
	ClientSecret models.Secret `json:"-"` // lets the buyer's browser confirm, while ActionRequired
}

// EventKind says what a webhook is about. Webhooks only nudge: the state is always fetched.
type EventKind string

// The kinds of events.
const (
	ChargeChanged  EventKind = "charge_changed"  // fetch the charge
	ChargeDisputed EventKind = "charge_disputed" // the buyer's bank takes the money back; a person must look
	Irrelevant     EventKind = "irrelevant"      // acknowledge it and forget it
)

// Event is a verified webhook.
type Event struct {
	ID   string // the same when the processor repeats itself
	Ref  string // the charge; empty for Irrelevant
	Kind EventKind
}

// Decline says why a card was refused, as far as a buyer may know. What would help a thief, such as a card reported
// as stolen, is DeclinedByBank.
type Decline string

// The reasons for a decline.
const (
	DeclinedByBank         Decline = "declined_by_bank"
	InsufficientFunds      Decline = "insufficient_funds"
	CardExpired            Decline = "card_expired"
	IncorrectCVC           Decline = "incorrect_cvc"
	AuthenticationRequired Decline = "authentication_required"
	ProcessingError        Decline = "processing_error"
	MethodUnknown          Decline = "method_unknown"
)

var declineDetails = map[Decline]string{
	InsufficientFunds:      "the card has too little funds",
	CardExpired:            "the card has expired",
	IncorrectCVC:           "the security code is not correct",
	AuthenticationRequired: "the bank wants the buyer to confirm",
	ProcessingError:        "the bank could not process the card; the same card may work later",
	MethodUnknown:          "the payment method is not known",
}

// Fault is the models.CardDeclined fault of a decline.
func (d Decline) Fault() *models.Fault {
	detail, ok := declineDetails[d]
	if !ok {
		detail = "the bank refused without a reason"
	}
	return models.CardDeclined.New("%s", detail)
}

// ByCode translates the decline codes of the card networks, as Stripe spells them
// (https://docs.stripe.com/declines/codes).
func ByCode(code string) Decline {
	switch code {
	case "insufficient_funds", "card_velocity_exceeded", "withdrawal_count_limit_exceeded":
		return InsufficientFunds
	case "expired_card", "invalid_expiry_month", "invalid_expiry_year":
		return CardExpired
	case "incorrect_cvc", "invalid_cvc":
		return IncorrectCVC
	case "authentication_required", "authentication_not_handled", "payment_intent_authentication_failure":
		return AuthenticationRequired
	case "processing_error", "issuer_not_available", "try_again_later", "reenter_transaction":
		return ProcessingError
	default:
		return DeclinedByBank
	}
}

// Check refuses what no gateway should be asked.
func (r AuthorizeRequest) Check() error {
	if r.IdempotencyKey == "" {
		return models.IdempotencyKeyMissing.New("an authorization needs an idempotency key")
	}
	if r.PaymentMethod == "" {
		return models.PaymentMethodMissing.New("an authorization needs a payment method")
	}
	return CheckAmount(r.Amount)
}

// CheckAmount refuses amounts that are not more than zero, and currencies that are not sold in.
func CheckAmount(amount models.Money) error {
	if _, known := amount.Currency.Exponent(); !known {
		return models.InvalidRequest.New("the currency is not known")
	}
	if amount.Minor <= 0 {
		return models.InvalidRequest.New("the amount must be more than zero")
	}
	return nil
}
