package simulator

import (
	"encoding/json"

	"github.com/jackc/pgx/v5"

	"tokendesk/activities/gateway/payment"
	"tokendesk/activities/gateway/sandbox"
	"tokendesk/models"
)

// The operations, as orders name them. announce is the delivery of a webhook.
const (
	authorize = "authorize"
	capture   = "capture"
	cancel    = "cancel"
	refund    = "refund"
	fetch     = "fetch"
	announce  = "webhook"
)

var operations = sandbox.Operations{
	authorize: sandbox.CallEffects,
	capture:   sandbox.CallEffects,
	cancel:    sandbox.CallEffects,
	refund:    sandbox.CallEffects,
	fetch:     {sandbox.Fail, sandbox.TimeOut, sandbox.Slow},
	announce:  sandbox.WebhookEffects,
}

// outcomeOf is what a test payment method leads to.
type outcomeOf struct {
	status payment.Status
	code   string // the network's decline code
}

// methods are Stripe's test payment methods (https://docs.stripe.com/testing) that matter here.
var methods = map[string]outcomeOf{
	"pm_card_visa":                                 {status: payment.Authorized},
	"pm_card_visa_debit":                           {status: payment.Authorized},
	"pm_card_mastercard":                           {status: payment.Authorized},
	"pm_card_amex":                                 {status: payment.Authorized},
	"pm_card_chargeDeclined":                       {payment.Declined, "generic_decline"},
	"pm_card_visa_chargeDeclined":                  {payment.Declined, "generic_decline"},
	"pm_card_chargeDeclinedInsufficientFunds":      {payment.Declined, "insufficient_funds"},
	"pm_card_visa_chargeDeclinedInsufficientFunds": {payment.Declined, "insufficient_funds"},
	"pm_card_visa_chargeDeclinedLostCard":          {payment.Declined, "lost_card"},
	"pm_card_visa_chargeDeclinedStolenCard":        {payment.Declined, "stolen_card"},
	"pm_card_chargeDeclinedExpiredCard":            {payment.Declined, "expired_card"},
	"pm_card_chargeDeclinedIncorrectCvc":           {payment.Declined, "incorrect_cvc"},
	"pm_card_chargeDeclinedProcessingError":        {payment.Declined, "processing_error"},
	"pm_card_authenticationRequired":               {status: payment.ActionRequired},
	"pm_card_threeDSecure2Required":                {status: payment.ActionRequired},
}

// row is a charge as it is stored, and as it is answered again under its key.
type row struct {
	Ref         string          `json:"ref"`
	OrderNumber string          `json:"order_number"`
	Method      string          `json:"payment_method"`
	Status      payment.Status  `json:"status"`
	Currency    models.Currency `json:"currency"`
	Amount      int64           `json:"amount"`
	Captured    int64           `json:"captured"`
	Refunded    int64           `json:"refunded"`
	DeclineCode string          `json:"decline_code,omitempty"`
}

const selectCharge = `SELECT ref, order_number, method, status, currency, amount, captured, refunded, decline FROM sandbox.charges`

func scan(r pgx.Row) (c row, err error) {
	return c, r.Scan(&c.Ref, &c.OrderNumber, &c.Method, &c.Status, &c.Currency, &c.Amount, &c.Captured, &c.Refunded, &c.DeclineCode)
}

func (c row) charge() payment.Charge {
	charge := payment.Charge{
		Ref: c.Ref, Status: c.Status,
		Amount:   models.Money{Minor: c.Amount, Currency: c.Currency},
		Captured: models.Money{Minor: c.Captured, Currency: c.Currency},
		Refunded: models.Money{Minor: c.Refunded, Currency: c.Currency},
	}
	switch c.Status {
	case payment.Declined:
		charge.Decline = payment.ByCode(c.DeclineCode)
	case payment.ActionRequired:
		charge.ClientSecret = c.clientSecret()
	}
	return charge
}

func (c row) clientSecret() models.Secret { return models.Secret(c.Ref + "_secret_sandbox") }

// event is a webhook in Stripe's envelope. It carries no state: that is fetched.
type event struct {
	ID   string `json:"id"`
	Type string `json:"type"`
	Data struct {
		Object struct {
			ID            string `json:"id"`
			Object        string `json:"object"`
			PaymentIntent string `json:"payment_intent,omitempty"`
		} `json:"object"`
	} `json:"data"`
}

var eventTypes = map[payment.Status]string{
	payment.ActionRequired: "payment_intent.requires_action",
	payment.Authorized:     "payment_intent.amount_capturable_updated",
	payment.Declined:       "payment_intent.payment_failed",
	payment.Captured:       "payment_intent.succeeded",
	payment.Cancelled:      "payment_intent.canceled",
}

func newEvent(c row) event {
	e := event{ID: "evt_" + random(), Type: eventTypes[c.Status]}
	if c.Refunded > 0 {
		e.Type = "charge.refunded"
		e.Data.Object.ID, e.Data.Object.Object, e.Data.Object.PaymentIntent = chargeID(c.Ref), "charge", c.Ref
		return e
	}
	e.Data.Object.ID, e.Data.Object.Object = c.Ref, "payment_intent"
	return e
}

// ref is the charge that the event is about.
func (e event) ref() string {
	if e.Data.Object.PaymentIntent != "" {
		return e.Data.Object.PaymentIntent
	}
	return e.Data.Object.ID
}

func (e event) json() []byte {
	body, err := json.Marshal(e)
	if err != nil { // only plain fields
		panic(err)
	}
	return body
}
