package models

import (
	"slices"
	"sync"
	"time"
)

// MilestoneName names a dated step of a lifecycle.
type MilestoneName string

// The milestones.
const (
	InvoiceReminderBefore MilestoneName = "invoice_reminder_before_due"
	InvoiceReminderDue    MilestoneName = "invoice_reminder_due"
	InvoiceReminderAfter  MilestoneName = "invoice_reminder_after_due"
	InvoiceVoided         MilestoneName = "invoice_voided"
	ShipmentLate          MilestoneName = "delivery_late"
	ShipmentMissing       MilestoneName = "delivery_missing"
)

// Milestone is one dated step: what happens then if nobody acts.
type Milestone struct {
	Name MilestoneName `json:"name"`
	At   time.Time     `json:"at"`
	What string        `json:"what"` // plain words
	// Key names the milestone together with the date that it belongs to, where it is performed once per such date.
	Key string `json:"-"`
	// Passive milestones change what may be done from then on; nothing is performed at them.
	Passive bool `json:"-"`
}

// Timeline is a lifecycle's milestones in order of time.
type Timeline []Milestone

// Next returns the first milestone after the moment.
func (t Timeline) Next(after time.Time) (Milestone, bool) {
	i := slices.IndexFunc(t, func(m Milestone) bool { return m.At.After(after) })
	if i < 0 {
		return Milestone{}, false
	}
	return t[i], true
}

// Due returns the milestones at or before the moment.
func (t Timeline) Due(at time.Time) Timeline {
	i := slices.IndexFunc(t, func(m Milestone) bool { return m.At.After(at) })
	if i < 0 {
		return t
	}
	return t[:i]
}

// BusinessDays knows a calendar's working days; the date is read in its own location.
type BusinessDays interface {
	IsBusinessDay(day time.Time) bool
}

// Location loads the policy's zone; an unknown zone is a mistake in the policy row and falls back to UTC.
func (p Policy) Location() *time.Location {
	if known, ok := zones.Load(p.Zone); ok {
		return known.(*time.Location)
	}
	l, err := time.LoadLocation(p.Zone)
	if err != nil {
		return time.UTC
	}
	known, _ := zones.LoadOrStore(p.Zone, l)
	return known.(*time.Location)
}

// zones keeps what was loaded: each time it is a file to read, and a life asks many times. There are only so many zones.
var zones sync.Map

// StartOfDay is the first moment of the day, days later, in the zone. That is midnight, or, where clocks jump over midnight, the
// moment at which they do.
func StartOfDay(t time.Time, days int, zone *time.Location) time.Time {
	l := t.In(zone)
	start := time.Date(l.Year(), l.Month(), l.Day()+days, 0, 0, 0, 0, zone)
	if start.Hour() != 0 {
		if before, after := start.ZoneBounds(); start.Hour() > 12 { // read as the evening before
			return after
		} else if !before.IsZero() {
			return before
		}
	}
	return start
}

// InvoiceDue is the end of the due day: the first moment of the day after it, in the vendor's zone.
func InvoiceDue(issued time.Time, p Policy) time.Time {
	return StartOfDay(issued, p.Invoice.DueDays+1, p.Location())
}

// DueText is how a due date reads in its own location: the day whose end it is, or the date with its hour.
func DueText(due time.Time) string {
	if StartOfDay(due, 0, due.Location()).Equal(due) {
		return due.Add(-time.Nanosecond).Format("2 January 2006")
	}
	return due.Format("2 January 2006, 15:04 MST")
}

// OrderTimeline is what happens to an order that nobody pays: reminders, then the invoice is voided and the order
// cancelled (ORD-5). An order that no longer waits for money has none.
func OrderTimeline(o Order, i Invoice, p Policy) Timeline {
	if o.Status != OrderPlaced && o.Status != OrderDeclined || i.Status != InvoiceOpen {
		return nil
	}
	zone := p.Location()
	due := i.DueAt.Add(-time.Nanosecond) // a moment of the due day
	day := func(n int) time.Time { return StartOfDay(due, n, zone) }
	return Timeline{
		{Name: InvoiceReminderBefore, At: day(-p.Invoice.ReminderBefore), What: "a reminder is mailed: the invoice falls due soon"},
		{Name: InvoiceReminderDue, At: day(0), What: "a reminder is mailed: the invoice is due today"},
		{Name: InvoiceReminderAfter, At: day(p.Invoice.ReminderAfter), What: "a reminder is mailed: the invoice is overdue"},
		{Name: InvoiceVoided, At: day(p.Invoice.VoidAfter + 1), What: "the invoice is voided and the order cancelled"},
	}
}

// AfterBusinessDays is the end (the following midnight) of the n-th business day after the moment's day, in the zone (SHP-1).
func AfterBusinessDays(from time.Time, n int, c BusinessDays, zone *time.Location) time.Time {
	day := StartOfDay(from, 0, zone)
	for n > 0 {
		day = StartOfDay(day, 1, zone)
		if c.IsBusinessDay(day) {
			n--
		}
	}
	return StartOfDay(day, 1, zone)
}

// ShipmentTimeline is what is expected of a parcel under way: promised within the policy's business days, late after (SHP-1), and missing
// when it is so late that a person has to decide about it (SHP-2).
func ShipmentTimeline(s Shipment, p Policy) (t Timeline) {
	if !s.UnderWay() || s.LateFrom == nil {
		return nil
	}
	if s.LateSince == nil {
		t = append(t, Milestone{Name: ShipmentLate, At: *s.LateFrom, What: "the parcel is late: buyer and staff are told"})
	}
	if s.MissingSince == nil {
		t = append(t, Milestone{Name: ShipmentMissing, At: StartOfDay(*s.LateFrom, p.Shipping.MissingAfter, p.Location()), What: "the parcel counts as missing: support decides about it"})
	}
	return t
}
