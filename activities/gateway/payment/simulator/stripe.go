package simulator

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"tokendesk/activities/gateway/payment"
	"tokendesk/models"
)

// intent is Stripe's PaymentIntent, as far as it is used here.
type intent struct {
	ID               string            `json:"id"`
	Object           string            `json:"object"`
	Amount           int64             `json:"amount"`
	AmountCapturable int64             `json:"amount_capturable"`
	AmountReceived   int64             `json:"amount_received"`
	CaptureMethod    string            `json:"capture_method"`
	ClientSecret     string            `json:"client_secret"`
	Currency         string            `json:"currency"`
	Status           string            `json:"status"`
	Metadata         map[string]string `json:"metadata"`
	LatestCharge     *chargeObject     `json:"latest_charge"`
	LastPaymentError *apiError         `json:"last_payment_error"`
}

type chargeObject struct {
	ID             string `json:"id"`
	Object         string `json:"object"`
	AmountRefunded int64  `json:"amount_refunded"`
	Captured       bool   `json:"captured"`
}

type apiError struct {
	Type          string  `json:"type"`
	Code          string  `json:"code,omitempty"`
	DeclineCode   string  `json:"decline_code,omitempty"`
	Message       string  `json:"message"`
	Param         string  `json:"param,omitempty"`
	PaymentIntent *intent `json:"payment_intent,omitempty"`
}

var stripeStatus = map[payment.Status]string{
	payment.ActionRequired: "requires_action",
	payment.Authorized:     "requires_capture",
	payment.Declined:       "requires_payment_method",
	payment.Captured:       "succeeded",
	payment.Refunded:       "succeeded",
	payment.Cancelled:      "canceled",
}

func chargeID(ref string) string { return "ch_" + strings.TrimPrefix(ref, "pi_") }

func newIntent(c row) *intent {
	i := &intent{ID: c.Ref, Object: "payment_intent", Amount: c.Amount, AmountReceived: c.Captured, CaptureMethod: "manual",
		ClientSecret: c.clientSecret().Reveal(), Currency: strings.ToLower(string(c.Currency)), Status: stripeStatus[c.Status],
		Metadata: map[string]string{"order_number": c.OrderNumber}}
	switch c.Status {
	case payment.Authorized:
		i.AmountCapturable = c.Amount
	case payment.Declined:
		i.LastPaymentError = cardError(c.DeclineCode)
	}
	if c.Status != payment.ActionRequired {
		i.LatestCharge = &chargeObject{ID: chargeID(c.Ref), Object: "charge", AmountRefunded: c.Refunded, Captured: c.Captured > 0}
	}
	return i
}

func cardError(code string) *apiError {
	return &apiError{Type: "card_error", Code: "card_declined", DeclineCode: code, Message: "Your card was declined."}
}

// StripeAPI serves the part of Stripe's API that the stripe adapter uses, under /v1/. Stripe's client insists on that
// path, so it needs a listener of its own.
func (s *Simulator) StripeAPI() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, call func(r *http.Request) (payment.Charge, error)) {
		method, path, _ := strings.Cut(pattern, " ")
		mux.HandleFunc(method+" /v1/"+path, func(w http.ResponseWriter, r *http.Request) {
			if !s.admitted(r) {
				refuse(w, http.StatusUnauthorized, &apiError{Type: "invalid_request_error", Message: "Invalid API Key provided"})
				return
			}
			r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
			charge, err := call(r)
			s.answer(w, r, charge, err)
		})
	}
	key := func(r *http.Request) string { return r.Header.Get("Idempotency-Key") }
	handle("POST payment_intents", func(r *http.Request) (payment.Charge, error) {
		if r.PostFormValue("capture_method") != "manual" || r.PostFormValue("confirm") != "true" {
			return payment.Charge{}, models.InvalidRequest.New("only manual capture, confirmed at once, is simulated")
		}
		return s.Authorize(r.Context(), payment.AuthorizeRequest{
			IdempotencyKey: key(r), Amount: amountOf(r, "amount"),
			PaymentMethod: models.Secret(r.PostFormValue("payment_method")), OrderNumber: r.PostFormValue("metadata[order_number]")})
	})
	handle("GET payment_intents/{ref}", func(r *http.Request) (payment.Charge, error) {
		return s.Fetch(r.Context(), r.PathValue("ref"))
	})
	handle("POST payment_intents/{ref}/capture", func(r *http.Request) (payment.Charge, error) {
		return s.Capture(r.Context(), key(r), r.PathValue("ref"), amountOf(r, "amount_to_capture"))
	})
	handle("POST payment_intents/{ref}/cancel", func(r *http.Request) (payment.Charge, error) {
		return s.Cancel(r.Context(), key(r), r.PathValue("ref"))
	})
	handle("POST refunds", func(r *http.Request) (payment.Charge, error) {
		return s.Refund(r.Context(), key(r), r.PostFormValue("payment_intent"), amountOf(r, "amount"))
	})
	return mux
}

// amountOf reads an amount. Only a new charge names its currency; elsewhere it is the charge's.
func amountOf(r *http.Request, field string) models.Money {
	minor, _ := strconv.ParseInt(r.PostFormValue(field), 10, 64) // zero is refused below
	currency := models.Currency(strings.ToUpper(r.PostFormValue("currency")))
	if currency == "" {
		currency = models.USD
	}
	return models.Money{Minor: minor, Currency: currency}
}

func (s *Simulator) admitted(r *http.Request) bool {
	want := s.config.APIKey.Reveal()
	given := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	return want == "" || subtle.ConstantTimeCompare([]byte(given), []byte(want)) == 1
}

// answer speaks as Stripe does: a refund answers with the refund, all else with the intent.
func (s *Simulator) answer(w http.ResponseWriter, r *http.Request, charge payment.Charge, err error) {
	if err != nil && charge.Ref == "" {
		status, e := errorOf(err)
		refuse(w, status, e)
		return
	}
	c, failure := s.find(r.Context(), charge.Ref)
	if failure != nil {
		status, e := errorOf(failure)
		refuse(w, status, e)
		return
	}
	if err != nil { // a decline keeps its intent
		e := cardError(c.DeclineCode)
		e.PaymentIntent = newIntent(c)
		refuse(w, http.StatusPaymentRequired, e)
		return
	}
	var body any = newIntent(c)
	if strings.HasSuffix(r.URL.Path, "/refunds") {
		body = map[string]any{"id": "re_" + random(), "object": "refund", "payment_intent": c.Ref, "status": "succeeded"}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body)
}

func refuse(w http.ResponseWriter, status int, e *apiError) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": e})
}

func errorOf(err error) (int, *apiError) {
	invalid := func(code string) *apiError {
		return &apiError{Type: "invalid_request_error", Code: code, Message: models.FaultOf(err).Detail}
	}
	switch {
	case errors.Is(err, models.NoSuchThing):
		return http.StatusNotFound, invalid("resource_missing")
	case errors.Is(err, models.StateForbids):
		return http.StatusBadRequest, invalid("payment_intent_unexpected_state")
	case errors.Is(err, models.IdempotencyKeyReused):
		return http.StatusBadRequest, &apiError{Type: "idempotency_error", Message: models.FaultOf(err).Detail}
	case errors.Is(err, models.CardDeclined): // without a charge: the payment method is not known
		e := invalid("resource_missing")
		e.Param = "payment_method"
		return http.StatusBadRequest, e
	case errors.Is(err, models.ServiceDown):
		return http.StatusServiceUnavailable, &apiError{Type: "api_error", Message: "told to fail, or the database is down"}
	default:
		return http.StatusBadRequest, invalid("parameter_invalid")
	}
}
