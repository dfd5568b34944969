package e2e

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	api "tokendesk/api/client"
	"tokendesk/deploy/dev/e2e/journey"
	"tokendesk/deploy/dev/stack/stacktest"
	"tokendesk/internal/app"
	"tokendesk/internal/demodata"
	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/workflows"
)

// buyer is a person with a session, and what is done in it.
type buyer struct {
	*ground
	journey.Person
	session string
	st      *store.Store
}

func newBuyer(t *testing.T, g *ground, st *store.Store) *buyer {
	t.Helper()
	person, err := g.world.Person(t.Context())
	must(t, err)
	session, err := g.world.Login(t.Context(), person)
	must(t, err)
	return &buyer{g, person, session, st}
}

func (b *buyer) post(t *testing.T, path, key string, body, out any) error {
	return b.world.Do(t.Context(), journey.Call{Method: http.MethodPost, Path: path, Bearer: b.session, Key: key, Body: body}, out)
}

func (b *buyer) order(t *testing.T, key string) (o api.Order) {
	t.Helper()
	must(t, b.post(t, "/v1/orders", key, map[string]any{"payment_method": models.PayByInvoice, "billing_address": b.Address, "shipping_address": b.Address,
		"disclaimer_version": demodata.DisclaimerNow, "lines": []map[string]any{{"product_sku": demodata.HardwareSKU}}}, &o))
	return o
}

// draft records an order as the API does, and then dies.
func (b *buyer) draft(t *testing.T, sku string, at time.Time) string {
	t.Helper()
	o, err := b.st.DraftOrder(t.Context(), models.NewOrder{BuyerID: b.AccountID, PaymentMethod: models.PayByInvoice, BillingAddress: b.Address, ShippingAddress: &b.Address,
		DisclaimerVersion: demodata.DisclaimerNow, Lines: []models.NewOrderLine{{ProductSKU: sku}}}, at)
	must(t, err)
	return o.Number
}

// run describes the lifecycle of an order; nil where there is none.
func (g *ground) run(t *testing.T, number string) *client.WorkflowExecutionDescription {
	t.Helper()
	d, err := g.engine.DescribeWorkflow(context.Background(), models.OrderLifecycle.WorkflowID(number), "")
	if _, missing := errors.AsType[*serviceerror.NotFound](err); missing {
		return nil
	}
	must(t, err)
	return d
}

func TestOrders(t *testing.T) {
	s := stacktest.Start(t, nil)
	g := groundOf(t, s)
	b := newBuyer(t, g, s.App().Store())

	t.Run("ORD-1 a repeated key is the same order", func(t *testing.T) {
		first, again, other := b.order(t, "order-1"), b.order(t, "order-1"), b.order(t, "order-2")
		if first.Number != again.Number || first.Number == other.Number {
			t.Errorf("the same key made %s and %s, another key %s", first.Number, again.Number, other.Number)
		}
	})

	t.Run("ORD-5 an unpaid order is cancelled, once", func(t *testing.T) {
		o := b.order(t, "order-3")
		cancel := map[string]any{"reason": models.CancelNotNeeded}
		for range 2 { // the second time, the answer is given again
			var cancelled api.Order
			must(t, b.post(t, "/v1/orders/"+o.Number+"/cancellation", "cancel-3", cancel, &cancelled))
			if cancelled.Status != models.OrderCancelled || cancelled.Invoice.Status != models.InvoiceVoid {
				t.Errorf("the order is %s, its invoice %s", cancelled.Status, cancelled.Invoice.Status)
			}
		}
		eventually(t, 15*time.Second, "its lifecycle to end", func() bool {
			return g.run(t, o.Number).Status == enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED
		})
		err := b.post(t, "/v1/orders/"+o.Number+"/cancellation", "cancel-3b", cancel, nil)
		if !errors.Is(err, models.StateForbids) {
			t.Errorf("cancelled again by another call: %v", err)
		}
		mails := one[int](t, g.db, "select count(*) from notices where subject_ref = $1 and kind = 'order_cancelled'", o.Number)
		if mails != 1 {
			t.Errorf("the buyer was told %d times", mails)
		}
	})

	t.Run("ORD-4 money for a void invoice is unapplied", func(t *testing.T) {
		o := b.order(t, "order-4")
		must(t, b.post(t, "/v1/orders/"+o.Number+"/cancellation", "cancel-4", map[string]any{"reason": models.CancelNotNeeded}, nil))
		var paid api.Payment
		must(t, g.world.Do(t.Context(), journey.Call{Method: http.MethodPost, Path: "/v1/payments", Bearer: g.world.Key(models.RoleBilling), Key: "pay-4", Body: map[string]any{
			"source": models.SourceBankTransfer, "source_account": "US00-E2E", "bank_reference": "late", "amount": o.Total, "received_at": o.CreatedAt, "invoice_number": o.Invoice.Number}}, &paid))
		if paid.Unapplied != o.Total {
			t.Errorf("%v of %v are unapplied", paid.Unapplied, o.Total)
		}
	})

	t.Run("ORD-3 the database itself refuses a key before the payment", func(t *testing.T) {
		o := b.order(t, "order-6")
		_, err := g.db.Exec(t.Context(), `insert into license_keys (id, order_line_id, status, hash, last_four, issued_at, expires_at)
			select 'lk_e2e', l.id, 'issued', 'hash', 'ABCD', now(), now() from order_lines l join orders o on o.id = l.order_id where o.number = $1`, o.Number)
		if refused, ok := errors.AsType[*pgconn.PgError](err); !ok || refused.ConstraintName != "license_keys_after_payment" {
			t.Errorf("it said %v", err)
		}
	})

	t.Run("ORD-1 a refused first update leaves no lifecycle running", func(t *testing.T) {
		number := b.draft(t, demodata.TimeTokenSKU, app.RealClock())
		product, err := b.st.Product(t.Context(), demodata.TimeTokenSKU)
		must(t, err)
		product.Status = models.ProductRetired
		must(t, b.st.PutProduct(t.Context(), product))
		_, err = workflows.NewClient(g.engine).PlaceOrder(t.Context(), number)
		if !errors.Is(err, models.ProductUnavailable) {
			t.Errorf("placing it ended with %v", err)
		}
		eventually(t, 15*time.Second, "the lifecycle to end", func() bool {
			return g.run(t, number).Status != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
		})
		if _, err = workflows.NewClient(g.engine).PlaceOrder(t.Context(), number); !errors.Is(err, models.ProductUnavailable) {
			t.Errorf("placing it again ended with %v", err)
		}
		if status := one[string](t, g.db, "select status from orders where number = $1", number); status != string(models.OrderRefused) {
			t.Errorf("the order is %s", status)
		}
	})

	t.Run("OPS-2 an abandoned draft is taken up", func(t *testing.T) {
		number := b.draft(t, demodata.HardwareSKU, app.RealClock().Add(-time.Minute))
		eventually(t, 20*time.Second, "the draft to be placed", func() bool {
			return one[string](t, g.db, "select status from orders where number = $1", number) == string(models.OrderPlaced)
		})
		if d := g.run(t, number); d == nil || d.Status != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
			t.Errorf("its lifecycle: %v", d)
		}
		eventually(t, 15*time.Second, "the confirmation", func() bool {
			mails, err := g.world.Mails(t.Context(), b.Email, "Your order "+number)
			must(t, err)
			return len(mails) == 1
		})
	})

	t.Run("OPS-1 what an order waits for is told in plain words", func(t *testing.T) {
		o := b.order(t, "order-5")
		eventually(t, 15*time.Second, "the details", func() bool {
			return strings.Contains(g.details(t, models.OrderLifecycle.WorkflowID(o.Number)), "Waiting for the money")
		})
		d := g.run(t, o.Number)
		if at, ok := d.TypedSearchAttributes.GetTime(workflows.NextDeadlineKey); !ok || !at.After(time.Now()) {
			t.Errorf("the next deadline is %v, %v", at, ok)
		}
	})
}
