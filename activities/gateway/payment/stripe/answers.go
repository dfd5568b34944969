package stripe

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	api "github.com/stripe/stripe-go/v84"

	"tokendesk/activities/gateway/payment"
	"tokendesk/models"
)

var statuses = map[api.PaymentIntentStatus]payment.Status{
	api.PaymentIntentStatusCanceled:              payment.Cancelled,
	api.PaymentIntentStatusProcessing:            payment.Processing,
	api.PaymentIntentStatusRequiresAction:        payment.ActionRequired,
	api.PaymentIntentStatusRequiresCapture:       payment.Authorized,
	api.PaymentIntentStatusRequiresConfirmation:  payment.ActionRequired,
	api.PaymentIntentStatusRequiresPaymentMethod: payment.Declined,
	api.PaymentIntentStatusSucceeded:             payment.Captured,
}

// settled is the charge of an intent that Stripe answered with, and a fault where that is a decline.
func (g *Gateway) settled(intent *api.PaymentIntent) (payment.Charge, error) {
	charge := chargeOf(intent)
	if charge.Status == payment.Declined {
		return charge, charge.Decline.Fault()
	}
	return charge, nil
}

// declined is the charge that an error carries, where the error is a decline.
func (g *Gateway) declined(err error) payment.Charge {
	var e *api.Error
	if errors.As(err, &e) && e.Type == api.ErrorTypeCard && e.PaymentIntent != nil {
		charge := chargeOf(e.PaymentIntent)
		charge.Decline = declineOf(e)
		return charge
	}
	return payment.Charge{}
}

func chargeOf(intent *api.PaymentIntent) payment.Charge {
	currency := models.Currency(strings.ToUpper(string(intent.Currency)))
	charge := payment.Charge{
		Ref:      intent.ID,
		Status:   statuses[intent.Status],
		Amount:   models.Money{Minor: intent.Amount, Currency: currency},
		Captured: models.Money{Minor: intent.AmountReceived, Currency: currency},
		Refunded: models.Money{Currency: currency},
	}
	if charge.Status == "" { // a status that Stripe invented since
		charge.Status = payment.Processing
	}
	if intent.LatestCharge != nil {
		charge.Refunded.Minor = intent.LatestCharge.AmountRefunded
	}
	switch charge.Status {
	case payment.Captured:
		if charge.Refunded.Minor > 0 && charge.Refunded == charge.Captured {
			charge.Status = payment.Refunded
		}
	case payment.Declined:
		charge.Decline = payment.DeclinedByBank
		if intent.LastPaymentError != nil {
			charge.Decline = declineOf(intent.LastPaymentError)
		}
	case payment.ActionRequired:
		charge.ClientSecret = models.Secret(intent.ClientSecret)
	}
	return charge
}

func declineOf(e *api.Error) payment.Decline {
	if e.DeclineCode != "" {
		return payment.ByCode(string(e.DeclineCode))
	}
	return payment.ByCode(string(e.Code))
}

// fault gives Stripe's error its meaning. Its message and parameters stay out: they may hold what a buyer typed.
func fault(operation string, err error) error {
	var e *api.Error
	if !errors.As(err, &e) {
		return models.ServiceDown.Because(fmt.Errorf("stripe: %s: no answer", operation))
	}
	cause := fmt.Errorf("stripe: %s: status %d, type %s, code %s, request %s", operation, e.HTTPStatusCode, e.Type, e.Code, e.RequestID)
	switch {
	case e.Type == api.ErrorTypeCard:
		return declineOf(e).Fault()
	case e.Type == api.ErrorTypeIdempotency && e.HTTPStatusCode == http.StatusBadRequest:
		return models.IdempotencyKeyReused.Because(cause)
	case e.Code == api.ErrorCodeResourceMissing && e.Param == "payment_method":
		return payment.MethodUnknown.Fault()
	case e.Code == api.ErrorCodeResourceMissing:
		return models.NoSuchThing.Because(cause)
	case stateForbids[e.Code]:
		return models.StateForbids.Because(cause)
	case e.HTTPStatusCode == http.StatusBadRequest:
		return models.InvalidRequest.Because(cause)
	default: // 401 and 403 too: a person puts the API key right, and the call goes on
		return models.ServiceDown.Because(cause)
	}
}

var stateForbids = map[api.ErrorCode]bool{
	api.ErrorCodePaymentIntentUnexpectedState: true,
	api.ErrorCodeChargeAlreadyCaptured:        true,
	api.ErrorCodeChargeAlreadyRefunded:        true,
	api.ErrorCodeChargeDisputed:               true,
	api.ErrorCodeChargeExpiredForCapture:      true,
}
