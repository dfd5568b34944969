package journey

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"time"

	api "tokendesk/api/client"
	"tokendesk/deploy/dev/await"
	"tokendesk/internal/demodata"
	"tokendesk/models"
)

// Test payment methods of the card processor's simulator.
const (
	GoodCard     = "pm_card_visa"
	DeclinedCard = "pm_card_chargeDeclined"
)

// Journey is one person's way from buying a token to logging in with it. Run takes up where an earlier Run has ended.
type Journey struct {
	World  *World
	Person Person
	Cards  []string                 // tried one after the other; none: pay the invoice by bank transfer
	Proofs string                   // country of the documents that prove the person's identity; empty: a token without proofing is bought
	Step   int                      // steps done
	Before func(step int)           // called before each step; may be nil
	After  func(step int, n string) // called after each step with its name; may be nil

	Order      api.Order
	Shipment   api.Shipment
	Credential api.Credential
	Proofing   api.Proofing

	tag        string // makes the keys of this journey's calls its own
	session    string
	licenseKey string
	device     *Device
	codes      [2]string
	ssn        string
}

type step struct {
	name string
	do   func(*Journey, context.Context) error
}

const activated = "activated"

var steps = []step{
	{"logged in", (*Journey).login},
	{"ordered", (*Journey).order},
	{"confirmed", (*Journey).confirmed},
	{"paid", (*Journey).pay},
	{"key received", (*Journey).receiveKey},
	{"shipped", (*Journey).shipped},
	{"on its way", (*Journey).inTransit},
	{"delivered", (*Journey).delivered},
	{activated, (*Journey).activate},
	{"registered", (*Journey).register},
	{"verified", (*Journey).verify},
}

// Steps is how many steps a journey has.
var Steps = len(steps)

// Run goes on until the person has logged in with the token. The context bounds how long that may take.
func (j *Journey) Run(ctx context.Context) error { return j.runTo(ctx, len(steps)) }

// Activate goes on until the license key is activated.
func (j *Journey) Activate(ctx context.Context) error {
	return j.runTo(ctx, slices.IndexFunc(steps, func(s step) bool { return s.name == activated })+1)
}

func (j *Journey) runTo(ctx context.Context, last int) error {
	if j.tag == "" {
		j.tag = rand.Text()
	}
	for j.Step < last {
		s := steps[j.Step]
		if j.Before != nil {
			j.Before(j.Step)
		}
		if err := s.do(j, ctx); err != nil {
			return fmt.Errorf("%s of %s is not %s: %w", j.Order.Number, j.Person.AccountID, s.name, err)
		}
		j.Step++
		if j.After != nil {
			j.After(j.Step, s.name)
		}
	}
	return nil
}

// call makes a call of the person's session. Its key is made of the journey and the name of the call.
func (j *Journey) call(ctx context.Context, method, path, name string, body, out any) error {
	c := Call{Method: method, Path: path, Bearer: j.session, Body: body}
	if name != "" {
		c.Key = j.tag + "-" + name
	}
	return j.World.Do(ctx, c, out)
}

// until looks again and again until something is there.
func until(ctx context.Context, what string, look func() (bool, error)) error {
	if err := await.Until(ctx, longestPause, look); err != nil {
		return fmt.Errorf("waiting for %s: %w", what, err)
	}
	return nil
}

func (j *Journey) login(ctx context.Context) (err error) {
	j.session, err = j.World.Login(ctx, j.Person)
	return err
}

func (j *Journey) order(ctx context.Context) error {
	body := map[string]any{"payment_method": models.PayByInvoice, "billing_address": j.Person.Address, "shipping_address": j.Person.Address,
		"disclaimer_version": demodata.DisclaimerNow, "lines": []map[string]any{{"product_sku": j.sku()}}}
	if len(j.Cards) > 0 {
		body["payment_method"], body["card_token"] = models.PayByCard, j.Cards[0]
	}
	return j.call(ctx, http.MethodPost, "/v1/orders", "order", body, &j.Order)
}

func (j *Journey) sku() string {
	if j.Proofs != "" {
		return demodata.ProofedSKU
	}
	return demodata.HardwareSKU
}

func (j *Journey) readOrder(ctx context.Context) error {
	return j.call(ctx, http.MethodGet, "/v1/orders/"+j.Order.Number, "", nil, &j.Order)
}

func (j *Journey) confirmed(ctx context.Context) error {
	return until(ctx, "the order confirmation", func() (bool, error) {
		mails, err := j.World.Mails(ctx, j.Person.Email, "Your order "+j.Order.Number)
		return len(mails) > 0, err
	})
}

// paid reports whether the money was enough.
func (j *Journey) paid() bool {
	return j.Order.Status == models.OrderPaid || j.Order.Status == models.OrderFulfilled
}

func (j *Journey) pay(ctx context.Context) error {
	if len(j.Cards) == 0 {
		if err := j.transfer(ctx); err != nil {
			return err
		}
	}
	used := 1
	return until(ctx, "the money", func() (bool, error) {
		if err := j.readOrder(ctx); err != nil || j.paid() {
			return err == nil, err
		}
		if j.Order.Status != models.OrderDeclined {
			return false, nil
		}
		if used++; used > len(j.Cards) {
			return false, errors.New("every card was declined")
		}
		return false, j.payAgain(ctx, used)
	})
}

// payAgain charges another card. If an answer got lost the charge may be under way or done already.
func (j *Journey) payAgain(ctx context.Context, card int) error {
	return j.call(ctx, http.MethodPost, "/v1/orders/"+j.Order.Number+"/charges", fmt.Sprintf("charge-%d", card), map[string]any{"card_token": j.Cards[card-1]}, nil)
}

// transfer has billing record the bank transfer for the invoice.
func (j *Journey) transfer(ctx context.Context) error {
	return j.World.Do(ctx, Call{Method: http.MethodPost, Path: "/v1/payments", Bearer: j.World.Key(models.RoleBilling), Key: j.tag + "-payment", Body: map[string]any{
		"source": models.SourceBankTransfer, "source_account": "US00-E2E", "bank_reference": "transfer " + j.Order.Number, "amount": j.Order.Invoice.Total,
		"received_at": j.Order.CreatedAt, "invoice_number": j.Order.Invoice.Number}}, nil)
}

var licenseKeyLine = regexp.MustCompile(`(?m)^\s+([2-9A-Z]{5}(?:-[2-9A-Z]{5})+)\s*$`)

func (j *Journey) receiveKey(ctx context.Context) error {
	return until(ctx, "the license key", func() (bool, error) {
		mails, err := j.World.Mails(ctx, j.Person.Email, "Your license key for order "+j.Order.Number)
		if err != nil || len(mails) == 0 {
			return false, err
		}
		found := licenseKeyLine.FindStringSubmatch(mails[0].Text)
		if found == nil {
			return false, errors.New("there is no license key in its mail")
		}
		j.licenseKey = found[1]
		j.World.plantSecrets(found[1])
		return true, nil
	})
}

func (j *Journey) shipped(ctx context.Context) error {
	err := until(ctx, "the shipment", func() (bool, error) {
		if err := j.readOrder(ctx); err != nil || j.Order.Lines[0].Shipment == nil {
			return false, err
		}
		j.Shipment = *j.Order.Lines[0].Shipment
		return true, nil
	})
	if err != nil {
		return err
	}
	return until(ctx, "the token to leave", func() (bool, error) { return j.tracking() != "", j.readShipment(ctx) })
}

func (j *Journey) readShipment(ctx context.Context) error {
	return j.call(ctx, http.MethodGet, "/v1/shipments/"+j.Shipment.ID, "", nil, &j.Shipment)
}

// tracking is the number of the newest parcel, as far as it has one.
func (j *Journey) tracking() string {
	if n := len(j.Shipment.Parcels); n > 0 && j.Shipment.Parcels[n-1].TrackingNumber != nil {
		return *j.Shipment.Parcels[n-1].TrackingNumber
	}
	return ""
}

func (j *Journey) inTransit(ctx context.Context) error {
	return j.travel(ctx, "in_transit", models.ShipmentInTransit, models.ShipmentDelivered)
}

func (j *Journey) delivered(ctx context.Context) error {
	return j.travel(ctx, "delivered", models.ShipmentDelivered)
}

// patience is how long a carrier waits before it reports once more what nobody has taken note of.
const patience = 5 * time.Second

// travel lets something happen to the parcel and waits until Tokendesk knows.
func (j *Journey) travel(ctx context.Context, kind string, known ...models.ShipmentStatus) error {
	var reported time.Time
	return until(ctx, "the parcel to be "+kind, func() (bool, error) {
		if err := j.readShipment(ctx); err != nil {
			return false, err
		}
		for _, status := range known {
			if j.Shipment.Status == status {
				return true, nil
			}
		}
		if time.Since(reported) < patience {
			return false, nil
		}
		reported = time.Now()
		return false, j.World.Happen(ctx, j.tracking(), kind)
	})
}

// Happen lets something happen to a parcel of the sandbox's carrier.
func (w *World) Happen(ctx context.Context, trackingNumber, kind string) error {
	return w.Do(ctx, Call{Method: http.MethodPost, Path: "/sandbox/carrier/parcels/" + trackingNumber + "/events", Body: map[string]any{"kind": kind}}, nil)
}

func (j *Journey) activate(ctx context.Context) error {
	return j.call(ctx, http.MethodPost, "/v1/license-keys/activations", "activation", map[string]any{
		"license_key": j.licenseKey, "legal_name": j.Person.LegalName(), "proofing_country": cmp.Or(j.Proofs, "US"), "token_in_hand": true}, &j.Credential)
}

func (j *Journey) register(ctx context.Context) (err error) {
	if j.device == nil {
		serial := j.Shipment.Parcels[len(j.Shipment.Parcels)-1].Serial
		if j.device, err = j.World.Device(serial); err != nil {
			return err
		}
		j.codes = [2]string{j.device.Press(), j.device.Press()}
	}
	err = j.call(ctx, http.MethodPost, "/v1/credentials/"+j.Credential.ID+"/hardware-tokens", "registration", map[string]any{
		"serial": j.device.Serial, "first_code": j.codes[0], "second_code": j.codes[1]}, nil)
	if err != nil {
		return err
	}
	return j.call(ctx, http.MethodGet, "/v1/credentials/"+j.Credential.ID, "", nil, &j.Credential)
}

// verify has a relying application ask about a code. A call whose answer got lost may have used the code up: then the next
// one is taken.
func (j *Journey) verify(ctx context.Context) error {
	var answer api.Verification
	code, lost := j.device.Press(), false
	err := until(ctx, "the verification", func() (_ bool, err error) {
		answer, err = j.Verify(ctx, code)
		switch {
		case errors.Is(err, ErrUnanswered):
			lost = true
			return false, nil
		case err == nil && lost && answer.Result == models.ResultWrongCode:
			code, lost = j.device.Press(), false
			return false, nil
		}
		return err == nil, err
	})
	if err == nil && (!answer.Accepted || answer.CredentialID == nil || *answer.CredentialID != j.Credential.ID) {
		err = fmt.Errorf("the code is %s", answer.Result)
	}
	return err
}

// Verify has the relying application of the sandbox ask about a code of this person, once.
func (j *Journey) Verify(ctx context.Context, code string) (answer api.Verification, err error) {
	err = j.World.Do(ctx, Call{Method: http.MethodPost, Path: "/v1/verifications", Bearer: j.World.Key(models.RoleRelyingApp), OnceOnly: true,
		Body: map[string]any{"user_id": j.Person.UserID, "code": code}}, &answer)
	return answer, err
}

// Device is the token that the person has registered.
func (j *Journey) Device() *Device { return j.device }

// Session is the token of the person's session.
func (j *Journey) Session() string { return j.session }
