package store_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"tokendesk/models"
	"tokendesk/models/store/storetest"
)

// lastMoment is when renewing the credential closes.
func (w renewing) lastMoment(t *testing.T) time.Time {
	t.Helper()
	st, err := w.Standing(t.Context(), w.credential.ID, w.credential.ExpiresAt)
	storetest.Must(t, err)
	return st.Window.LastRenewal
}

// declined is an order by card whose card was declined at a moment.
func (w renewing) declined(t *testing.T, n models.NewOrder, at time.Time) models.Order {
	t.Helper()
	o := storetest.PlacedAt(t, w.Store, n, at)
	w.decline(t, o, at)
	return storetest.Order(t, w.Store, o.Number)
}

func (w renewing) decline(t *testing.T, o models.Order, at time.Time) {
	t.Helper()
	c, err := w.LiveCharge(t.Context(), o.Number)
	storetest.Must(t, err)
	storetest.Must(t, w.ChargeDeclined(t.Context(), c, o.Number, "insufficient_funds", at))
}

// REN-4, ORD-2, LIF-4: a declined renewal is charged again until the last moment to renew and not after, and nobody is asked for the money then;
// an order with something else in it goes on.
func TestLateRenewalIsNotCharged(t *testing.T) {
	t.Parallel()
	w := newRenewing(t)
	last := w.lastMoment(t)
	o := w.declined(t, storetest.Renewal(w.person.ID, models.PayByCard, w.credential), last.Add(-2*time.Hour))
	if _, err := w.NewCharge(t.Context(), o.Number, "pm_other", models.Actor{ID: w.person.ID}, last.Add(-time.Minute)); err != nil {
		t.Fatal(err)
	}
	w.decline(t, o, last)
	o = storetest.Order(t, w.Store, o.Number)
	_, err := w.NewCharge(t.Context(), o.Number, "pm_third", models.Actor{ID: w.person.ID}, last)
	wantFault(t, err, models.RenewalTooLate)
	if got := fmt.Sprint(models.FaultOf(err).Allowed); got != "[cancel]" {
		t.Errorf("allowed %s", got)
	}
	if now := storetest.Order(t, w.Store, o.Number); now.Status != models.OrderDeclined {
		t.Errorf("the order is %s", now.Status)
	}
	for at, want := range map[time.Time]string{last.Add(-time.Minute): "[pay_again cancel]", last: "[cancel]"} {
		allowed, err := w.OrderActions(t.Context(), o, at)
		storetest.Must(t, err)
		if fmt.Sprint(allowed) != want {
			t.Errorf("at %v allowed %v, want %s", at, allowed, want)
		}
	}
	var told []map[string]string
	for _, n := range notices(t, w.Store, o.Number) {
		if n.Kind == models.NoticeCardDeclined {
			told = append(told, n.Params)
		}
	}
	if len(told) != 2 || told[0]["last_renewal"] != last.Format("2 January 2006, 15:04 MST") || told[1]["too_late"] == "" {
		t.Errorf("told %v", told)
	}

	mine, _ := storetest.Registered(t, w.Store, w.ring, w.admin, storetest.EventDevice, codeNow)
	n := storetest.Renewal(w.admin.ID, models.PayByCard, mine)
	n.Lines = append(n.Lines, models.NewOrderLine{ProductSKU: storetest.TokenSKU})
	mixed := w.declined(t, n, last.Add(-time.Hour))
	if _, err := w.NewCharge(t.Context(), mixed.Number, "pm_other", models.Actor{ID: w.admin.ID}, last.Add(time.Hour)); err != nil {
		t.Error(err)
	}
}

// REN-4, OPS-2: a draft that is taken up only after the last moment to renew is refused: its card is not charged.
func TestLateDraftOfARenewal(t *testing.T) {
	t.Parallel()
	w := newRenewing(t)
	last := w.lastMoment(t)
	o, err := w.DraftOrder(t.Context(), storetest.Renewal(w.person.ID, models.PayByCard, w.credential), last.Add(-time.Second))
	storetest.Must(t, err)
	wantFault(t, w.PlaceOrder(t.Context(), o.Number, last), models.RenewalTooLate)
	if now := storetest.Order(t, w.Store, o.Number); now.Status != models.OrderRefused {
		t.Errorf("the draft is %s", now.Status)
	}
}

// ORD-5, LIF-2, LIF-4: when a suspension brings the last moment to renew before the due date, the order's timeline says so, reminders name it,
// and after it nobody is reminded.
func TestSuspensionBringsTheLastMomentForward(t *testing.T) {
	t.Parallel()
	w := newRenewing(t)
	e := w.credential.ExpiresAt
	storetest.Must(t, w.SuspendCredential(t.Context(), w.credential.ID, models.BySubscriber, person, e.AddDate(0, 0, -45)))
	st, err := w.Standing(t.Context(), w.credential.ID, e)
	storetest.Must(t, err)
	last, placed := st.Window.LastRenewal, e.AddDate(0, 0, -20)
	storetest.Must(t, w.ReenableCredential(t.Context(), w.credential.ID, models.BySubscriber, person, placed))
	o := storetest.PlacedAt(t, w.Store, storetest.Renewal(w.person.ID, models.PayByInvoice, w.credential), placed)
	names := func() (names []models.MilestoneName) {
		timeline, err := w.OrderTimeline(t.Context(), o)
		storetest.Must(t, err)
		if !slices.IsSortedFunc(timeline, func(a, b models.Milestone) int { return a.At.Compare(b.At) }) {
			t.Errorf("out of order: %v", timeline)
		}
		for _, m := range timeline {
			names = append(names, m.Name)
		}
		return names
	}
	if got, want := fmt.Sprint(names()), "[invoice_reminder_before_due invoice_reminder_due invoice_reminder_after_due invoice_voided]"; got != want {
		t.Errorf("timeline %s, want %s", got, want)
	}
	_, err = w.Pool().Exec(t.Context(), "update credentials set suspended_at = $1, suspended_by = 'person' where id = $2", e.AddDate(0, 0, -45), w.credential.ID)
	storetest.Must(t, err)
	if got, want := fmt.Sprint(names()), "[invoice_reminder_before_due invoice_reminder_due last_renewal order_lapses]"; got != want {
		t.Errorf("timeline %s, want %s", got, want)
	}
	storetest.Must(t, w.RemindInvoice(t.Context(), o.Number, models.InvoiceReminderBefore, last.Add(-time.Hour)))
	storetest.Must(t, w.RemindInvoice(t.Context(), o.Number, models.InvoiceReminderDue, last))
	var told []string
	for _, n := range notices(t, w.Store, o.Number) {
		if n.Kind == models.NoticeInvoiceReminder {
			told = append(told, n.Params["milestone"]+" "+n.Params["last_renewal"])
		}
	}
	if want := "[invoice_reminder_before_due " + last.Format("2 January 2006, 15:04 MST") + "]"; fmt.Sprint(told) != want {
		t.Errorf("reminded %v, want %s", told, want)
	}
}

// REN-1, MGT-6: one order renews an expired credential and replaces its token; without the renewal it is refused.
func TestRenewalAndReplacementInOneOrder(t *testing.T) {
	t.Parallel()
	w := newRenewing(t)
	at := w.credential.ExpiresAt.AddDate(0, 0, 10)
	n := storetest.Renewal(w.person.ID, models.PayByInvoice, w.credential)
	replacement := storetest.Replacement(w.person.ID, models.PayByInvoice, w.credential, models.ReplaceLost)
	_, err := w.DraftOrder(t.Context(), replacement, at)
	wantFault(t, err, models.ReplacementNotPossible)
	n.Lines = append(n.Lines, replacement.Lines...)
	o := storetest.FulfilledAt(t, w.Store, w.ring, n, at)
	shipments, err := w.ShipmentsOfOrder(t.Context(), o.ID)
	if storetest.Must(t, err); len(shipments) != 1 || !w.again(t).ExpiresAt.After(at) {
		t.Errorf("shipments %v, the term ends at %v", shipments, w.again(t).ExpiresAt)
	}
}

// MGT-6, REN-4: a replacement that is paid after the term is sent as long as the credential can be renewed, and credited when it cannot any more.
func TestReplacementPaidAfterTheTerm(t *testing.T) {
	t.Parallel()
	w := newRenewing(t)
	o := storetest.PlacedAt(t, w.Store, storetest.Replacement(w.person.ID, models.PayByInvoice, w.credential, models.ReplaceLost), storetest.BeforeExpiry(w.credential, 10))
	storetest.PayAt(t, w.Store, o, w.credential.ExpiresAt.AddDate(0, 0, 5))
	storetest.Must(t, w.FulfilOrder(t.Context(), o.Number, w.ring, w.credential.ExpiresAt.AddDate(0, 0, 5)))
	if shipments, err := w.ShipmentsOfOrder(t.Context(), o.ID); err != nil || len(shipments) != 1 {
		t.Errorf("shipments %v, %v", shipments, err)
	}
	late := newRenewing(t)
	o = storetest.PlacedAt(t, late.Store, storetest.Replacement(late.person.ID, models.PayByInvoice, late.credential, models.ReplaceLost), storetest.BeforeExpiry(late.credential, 10))
	storetest.PayAt(t, late.Store, o, late.lastMoment(t))
	storetest.Must(t, late.FulfilOrder(t.Context(), o.Number, late.ring, late.lastMoment(t)))
	if now := storetest.Order(t, late.Store, o.Number); now.Status != models.OrderRefunded || late.owed(t) != 2500 {
		t.Errorf("the order is %s, owed %d", now.Status, late.owed(t))
	}
}

// LIF-1, ORD-4, REN-4: the money's time counts, not the typist's: a transfer received before the last moment to renew renews, though it is
// recorded later, and the credential waits no longer than until its revocation for the record.
func TestTransferRecordedLate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		received, recorded time.Duration // from the last moment to renew
		renews             bool
	}{
		"in time, recorded later":       {-time.Minute, time.Hour, true},
		"too late":                      {0, time.Hour, false},
		"in time, after the revocation": {-time.Minute, 48 * time.Hour, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newRenewing(t)
			last := w.lastMoment(t)
			n := storetest.Renewal(w.person.ID, models.PayByInvoice, w.credential)
			n.Lines = append(n.Lines, models.NewOrderLine{ProductSKU: storetest.TokenSKU})
			o := storetest.PlacedAt(t, w.Store, n, last.AddDate(0, 0, -10))
			at := last.Add(c.recorded)
			if at.After(w.revocation(t)) {
				w.revoke(t, w.revocation(t))
			}
			w.transfer(t, o, o.TotalMinor, last.Add(c.received), at)
			storetest.Must(t, w.FulfilOrder(t.Context(), o.Number, w.ring, at))
			if renewed := w.again(t).ExpiresAt.After(w.credential.ExpiresAt); renewed != c.renews {
				t.Errorf("renewed %v", renewed)
			}
			if owed := -balance(t, w.Store, "refunds_payable"); (owed == 3900) == c.renews {
				t.Errorf("owed %d", owed)
			}
		})
	}
}

// ORD-4: an order is paid when the last of its money was received, whatever came into the books first; neither before it was placed, nor in the
// time to come. The books have the day on which that was recorded.
func TestPaidWhenReceived(t *testing.T) {
	t.Parallel()
	placed, at := storetest.At, storetest.At.AddDate(0, 0, 9)
	for name, c := range map[string]struct {
		first, second, want time.Time // received
	}{
		"in order":         {placed.AddDate(0, 0, 1), placed.AddDate(0, 0, 3), placed.AddDate(0, 0, 3)},
		"out of order":     {placed.AddDate(0, 0, 3), placed.AddDate(0, 0, 1), placed.AddDate(0, 0, 3)},
		"before the order": {placed.AddDate(0, 0, -9), placed.AddDate(0, 0, -3), placed},
		"ahead of the day": {placed, at.Add(time.Hour), at},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newRenewing(t)
			o := storetest.PlacedAt(t, w.Store, storetest.NewOrder(w.person.ID, models.PayByInvoice, storetest.TokenSKU), placed)
			w.transfer(t, o, 1000, c.first, at)
			w.transfer(t, o, o.TotalMinor-1000, c.second, at)
			i, err := w.InvoiceOfOrder(t.Context(), o.ID)
			storetest.Must(t, err)
			if now := storetest.Order(t, w.Store, o.Number); now.PaidAt == nil || !now.PaidAt.Equal(c.want) || !i.SettledAt.Equal(at) {
				t.Errorf("paid %v, want %v; settled %v", now.PaidAt, c.want, i.SettledAt)
			}
		})
	}
}

// transfer records money for an order that was received at another moment than it is recorded at.
func (w renewing) transfer(t *testing.T, o models.Order, minor int64, received, at time.Time) {
	t.Helper()
	i, err := w.InvoiceOfOrder(t.Context(), o.ID)
	storetest.Must(t, err)
	_, err = w.RecordPayment(t.Context(), models.NewPayment{Source: models.SourceBankTransfer, SourceAccount: "DE02", BankReference: fmt.Sprint(o.Number, "/", received),
		Amount: models.Money{Minor: minor, Currency: o.Currency}, ReceivedAt: received, InvoiceNumber: i.Number}, models.Actor{ID: "billing"}, at)
	storetest.Must(t, err)
}
