package timemachine

import (
	"context"
	"crypto/rand"
	"net/http"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	api "tokendesk/api/client"
	"tokendesk/deploy/dev/e2e/journey"
	"tokendesk/deploy/dev/stack"
	"tokendesk/deploy/dev/stack/stacktest"
	"tokendesk/internal/demodata"
	"tokendesk/internal/sandboxclock"
	"tokendesk/models"
)

// buyer is somebody who orders by invoice.
type buyer struct {
	*testing.T
	stack   *stack.Stack
	world   *journey.World
	person  journey.Person
	session string
}

func newBuyer(t *testing.T, s *stack.Stack) *buyer {
	t.Helper()
	b := &buyer{T: t, stack: s, world: journey.NewWorld(s.APIURL(), s.Secrets())}
	var err error
	b.person, err = b.world.Person(t.Context())
	must(t, err)
	b.session, err = b.world.Login(t.Context(), b.person)
	must(t, err)
	return b
}

func (b *buyer) order(ctx context.Context) (o api.Order, err error) {
	return o, b.world.Do(ctx, journey.Call{Method: http.MethodPost, Path: "/v1/orders", Bearer: b.session, Key: rand.Text(), Body: map[string]any{
		"payment_method": models.PayByInvoice, "billing_address": b.person.Address, "shipping_address": b.person.Address,
		"disclaimer_version": demodata.DisclaimerNow, "lines": []map[string]any{{"product_sku": demodata.HardwareSKU}}}}, &o)
}

// timeline is what is to happen to an order that nobody pays.
func (b *buyer) timeline(number string) models.Timeline {
	b.Helper()
	st := b.stack.App().Store()
	o, err := st.OrderByNumber(b.Context(), number)
	must(b.T, err)
	invoice, err := st.InvoiceOfOrder(b.Context(), o.ID)
	must(b.T, err)
	policy, err := st.Policy(b.Context(), o.PolicyVersion)
	must(b.T, err)
	return models.OrderTimeline(o, invoice, policy)
}

// advance moves time on, through the product's own time machine.
func (b *buyer) advance(a sandboxclock.Advance) sandboxclock.Report {
	b.Helper()
	r, err := b.stack.App().TimeMachine().Advance(b.Context(), a)
	must(b.T, err)
	return r
}

// ORD-5: nobody pays, and everything happens at its date: the reminders, the voiding, and their mails. The clock survives a restart.
func TestAnOrderThatNobodyPays(t *testing.T) {
	cfg := stacktest.Config(t)
	s := stacktest.Run(t, cfg)
	b := newBuyer(t, s)
	o, err := b.order(t.Context())
	must(t, err)
	timeline := b.timeline(o.Number)
	began := time.Now()
	r := b.advance(sandboxclock.Advance{By: 90 * day})
	t.Logf("90 days in %v", time.Since(began).Round(time.Millisecond))

	if len(r.Wakes) != len(timeline) || len(timeline) != 4 {
		t.Fatalf("%d wakes for %d milestones: %+v", len(r.Wakes), len(timeline), r.Wakes)
	}
	mails, err := b.world.Mails(t.Context(), b.person.Email, "")
	must(t, err)
	slices.SortFunc(mails, func(a, b journey.Mail) int { return a.Date.Compare(b.Date) })
	if len(mails) != 1+len(timeline) { // the confirmation was first
		t.Fatalf("%d mails: %+v", len(mails), mails)
	}
	for i, m := range timeline {
		if w := r.Wakes[i]; w.WorkflowID != models.OrderLifecycle.WorkflowID(o.Number) || !about(w.At, m.At) {
			t.Errorf("%s was due at %v, and the report says %+v", m.Name, m.At, w)
		}
		if mail := mails[i+1]; !about(mail.Date, m.At) || mail.Deliveries != 1 {
			t.Errorf("%s was due at %v, and %q is dated %v, delivered %d times", m.Name, m.At, mail.Subject, mail.Date, mail.Deliveries)
		}
	}
	var sent []time.Time
	rows, err := s.App().Store().Pool().Query(t.Context(), "select sent_at from notices where subject_ref = $1 order by created_at", o.Number)
	must(t, err)
	for at := zero; rows.Next(); sent = append(sent, at) {
		must(t, rows.Scan(&at))
	}
	must(t, rows.Err())
	for i, m := range timeline {
		if !about(sent[i+1], m.At) {
			t.Errorf("the mail of %s left at %v, not %v", m.Name, sent[i+1], m.At)
		}
	}
	var rest int
	must(t, s.App().Store().Pool().QueryRow(t.Context(), `select (select count(*) from audit_administration_rest) + (select count(*) from audit_lifecycle_rest)
		+ (select count(*) from audit_authentication_rest)`).Scan(&rest))
	if rest != 0 {
		t.Errorf("%d events were written before their month was prepared", rest)
	}

	must(t, s.Close())
	s = stacktest.Run(t, cfg)
	now, ahead, err := s.App().TimeMachine().Now(t.Context())
	must(t, err)
	if ahead < 89*day || now.Before(r.To) {
		t.Errorf("after a restart it is %v, %v ahead", now, ahead)
	}
	b = newBuyer(t, s)
	o, err = b.order(t.Context())
	must(t, err)
	if !about(*o.PlacedAt, now) {
		t.Errorf("an order of %v is dated %v", now, o.PlacedAt)
	}
}

var zero time.Time

// Many orders over 30 days, in order. How fast that goes is measured in deploy/dev/bench.
func TestManyOrders(t *testing.T) {
	const orders = 200
	s := stacktest.Start(t, nil)
	b := newBuyer(t, s)
	numbers := make([]string, orders)
	g, ctx := errgroup.WithContext(t.Context())
	g.SetLimit(8)
	for i := range numbers {
		g.Go(func() error {
			o, err := b.order(ctx)
			numbers[i] = o.Number
			return err
		})
	}
	must(t, g.Wait())
	due := map[string]models.Timeline{}
	for _, number := range numbers {
		due[models.OrderLifecycle.WorkflowID(number)] = b.timeline(number)
	}
	began := time.Now()
	r := b.advance(sandboxclock.Advance{By: 30 * day})
	t.Logf("%d lifecycles, %d wakes in %v", r.Lifecycles, len(r.Wakes), time.Since(began).Round(time.Millisecond))
	woken := map[string]int{}
	for i, w := range r.Wakes {
		if i > 0 && w.At.Before(r.Wakes[i-1].At) {
			t.Errorf("%s is in the report after one that woke later", w.WorkflowID)
		}
		if next := due[w.WorkflowID][woken[w.WorkflowID]]; !about(w.At, next.At) {
			t.Errorf("%s woke at %v, and %s was due at %v", w.WorkflowID, w.At, next.Name, next.At)
		}
		woken[w.WorkflowID]++
	}
	for id, timeline := range due {
		if passed := len(timeline.Due(r.To)); woken[id] != passed || passed == 0 {
			t.Errorf("%s woke %d times for %d milestones", id, woken[id], passed)
		}
	}
	var wrong []string
	rows, err := s.App().Store().Pool().Query(t.Context(), "select id || ' of ' || created_at || ' left ' || coalesce(sent_at::text, 'never') from notices where sent_at is null or sent_at - created_at > interval '1 minute'")
	must(t, err)
	for text := ""; rows.Next(); wrong = append(wrong, text) {
		must(t, rows.Scan(&text))
	}
	if must(t, rows.Err()); len(wrong) > 0 {
		t.Errorf("%d mails left at a wrong date, such as %s", len(wrong), wrong[0])
	}
}
