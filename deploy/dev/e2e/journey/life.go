package journey

import (
	"context"
	"crypto/rand"
	"net/http"
	"time"

	api "tokendesk/api/client"
	"tokendesk/internal/demodata"
	"tokendesk/models"
)

// Advance lets the sandbox's time pass until a moment, for everybody.
func (w *World) Advance(ctx context.Context, to time.Time) (report api.AdvanceReport, err error) {
	err = w.Do(ctx, Call{Method: http.MethodPost, Path: "/v1/sandbox/clock/advance", Bearer: w.Key(models.RoleOperator), Key: "advance-" + rand.Text(),
		Body: map[string]any{"to": to}}, &report)
	return report, err
}

// Command does something to the person's credential in a new session: sessions do not last for months.
func (j *Journey) Command(ctx context.Context, path string, body any) error {
	if err := j.login(ctx); err != nil {
		return err
	}
	return j.call(ctx, http.MethodPost, "/v1/credentials/"+j.Credential.ID+path, "command-"+rand.Text(), body, nil)
}

// Look reads the person's credential in a new session.
func (j *Journey) Look(ctx context.Context) (c api.Credential, err error) {
	if err := j.login(ctx); err != nil {
		return c, err
	}
	err = j.call(ctx, http.MethodGet, "/v1/credentials/"+j.Credential.ID, "", nil, &c)
	return c, err
}

// Renew orders the renewal of the person's credential by invoice.
func (j *Journey) Renew(ctx context.Context) (o api.Order, err error) {
	if err := j.login(ctx); err != nil {
		return o, err
	}
	err = j.call(ctx, http.MethodPost, "/v1/orders", "renewal-"+rand.Text(), map[string]any{"payment_method": models.PayByInvoice, "billing_address": j.Person.Address,
		"disclaimer_version": demodata.DisclaimerNow, "lines": []map[string]any{{"product_sku": demodata.RenewalSKU, "credential_id": j.Credential.ID}}}, &o)
	return o, err
}

// Transfer has billing record a bank transfer for the whole of an order's invoice.
func (w *World) Transfer(ctx context.Context, o api.Order, received time.Time) error {
	return w.Do(ctx, Call{Method: http.MethodPost, Path: "/v1/payments", Bearer: w.Key(models.RoleBilling), Key: "payment-" + rand.Text(), Body: map[string]any{
		"source": models.SourceBankTransfer, "source_account": "US00-E2E", "bank_reference": "transfer " + o.Number, "amount": o.Invoice.Total,
		"received_at": received, "invoice_number": o.Invoice.Number}}, nil)
}

// Press types a new code of the person's token at the relying application.
func (j *Journey) Press(ctx context.Context) (models.VerificationResult, error) {
	answer, err := j.Verify(ctx, j.device.Press())
	return answer.Result, err
}

// Now is the sandbox's now.
func (w *World) Now(ctx context.Context) (time.Time, error) {
	var clock api.SandboxClock
	err := w.Do(ctx, Call{Method: http.MethodGet, Path: "/v1/sandbox/clock", Bearer: w.Key(models.RoleOperator)}, &clock)
	return clock.Now, err
}
