package models_test

import (
	"slices"
	"testing"
	"time"

	"tokendesk/models"
)

// weekdays is a calendar without holidays.
type weekdays struct{}

func (weekdays) IsBusinessDay(day time.Time) bool {
	return day.Weekday() != time.Saturday && day.Weekday() != time.Sunday
}

// SHP-1: promised within five business days in the vendor's zone, late from the sixth.
func TestPromise(t *testing.T) {
	policy := models.DefaultPolicy()
	zone := policy.Location()
	day := func(month time.Month, day int) time.Time { return time.Date(2026, month, day, 0, 0, 0, 0, zone) }
	cases := []struct {
		name     string
		shipped  time.Time
		by, late time.Time
	}{
		{"Monday", time.Date(2026, 3, 16, 12, 0, 0, 0, zone), day(3, 24), day(3, 24)},
		{"Friday: late on Monday, not on Saturday", time.Date(2026, 3, 20, 12, 0, 0, 0, zone), day(3, 28), day(3, 30)},
		{"Saturday", time.Date(2026, 3, 21, 12, 0, 0, 0, zone), day(3, 28), day(3, 30)},
		{"late in the evening, already tomorrow in UTC", time.Date(2026, 3, 16, 23, 30, 0, 0, zone), day(3, 24), day(3, 24)},
		{"across the change of clocks", time.Date(2026, 3, 5, 12, 0, 0, 0, zone), day(3, 13), day(3, 13)},
	}
	for _, c := range cases {
		by, late := models.Promise(c.shipped, policy, weekdays{})
		if !by.Equal(c.by) || !late.Equal(c.late) {
			t.Errorf("%s: promised by %s, late from %s, want %s and %s", c.name, by, late, c.by, c.late)
		}
	}
}

// SHP-2: where a parcel stands does not depend on the order in which its events arrived, nor on repetition.
func TestFoldCarrierEvents(t *testing.T) {
	at := func(kind models.CarrierEventKind, hour int) models.CarrierEvent {
		return models.CarrierEvent{Kind: kind, OccurredAt: time.Date(2026, 3, 16, hour, 0, 0, 0, time.UTC)}
	}
	cases := []struct {
		name   string
		events []models.CarrierEvent
		want   models.CarrierEventKind
	}{
		{"nothing yet", nil, models.CarrierLabel},
		{"under way", []models.CarrierEvent{at(models.CarrierLabel, 1), at(models.CarrierInTransit, 2)}, models.CarrierInTransit},
		{"the later report counts", []models.CarrierEvent{at(models.CarrierException, 2), at(models.CarrierInTransit, 3)}, models.CarrierInTransit},
		{"of one hour the graver", []models.CarrierEvent{at(models.CarrierException, 2), at(models.CarrierInTransit, 2)}, models.CarrierException},
		{"a final report stands", []models.CarrierEvent{at(models.CarrierDelivered, 2), at(models.CarrierInTransit, 3)}, models.CarrierDelivered},
		{"found after it was lost", []models.CarrierEvent{at(models.CarrierLost, 2), at(models.CarrierDelivered, 3)}, models.CarrierDelivered},
		{"returned ends it", []models.CarrierEvent{at(models.CarrierReturned, 2), at(models.CarrierDelivered, 3)}, models.CarrierReturned},
	}
	for _, c := range cases {
		permute(append(c.events, c.events...), func(events []models.CarrierEvent) {
			if got := models.FoldCarrierEvents(events); got != c.want {
				t.Fatalf("%s: %s, want %s, for %v", c.name, got, c.want, events)
			}
		})
	}
}

// permute visits every order of the events (Heap's algorithm).
func permute(events []models.CarrierEvent, visit func([]models.CarrierEvent)) {
	var heap func(n int)
	heap = func(n int) {
		if n <= 1 {
			visit(events)
			return
		}
		for i := range n {
			heap(n - 1)
			if n%2 == 0 {
				events[i], events[n-1] = events[n-1], events[i]
			} else {
				events[0], events[n-1] = events[n-1], events[0]
			}
		}
	}
	heap(len(events))
}

// SHP-2: a late parcel of which nothing is heard is asked about a week after, then after twice as long each time.
func TestLookAgain(t *testing.T) {
	late := time.Date(2026, 11, 16, 5, 0, 0, 0, time.UTC)
	sh := models.Shipment{Status: models.ShipmentInTransit, LateFrom: &late, LateSince: &late}
	at, looks := late, []int{}
	for range 8 { // more than three years
		at = sh.LookAgain(at)
		looks = append(looks, int(at.Sub(late).Hours()/24))
	}
	if want := []int{7, 21, 49, 105, 217, 441, 889, 1785}; !slices.Equal(looks, want) {
		t.Errorf("days after it was late: %v, want %v", looks, want)
	}
	if got := sh.LookAgain(late.AddDate(0, 0, 8)); !got.Equal(late.AddDate(0, 0, 21)) {
		t.Errorf("between two looks the next one is on %s", got)
	}
	for name, change := range map[string]func(*models.Shipment){
		"not late":  func(sh *models.Shipment) { sh.LateSince = nil },
		"delivered": func(sh *models.Shipment) { sh.Status = models.ShipmentDelivered },
	} {
		other := sh
		change(&other)
		if got := other.LookAgain(late); !got.IsZero() {
			t.Errorf("%s: asked about on %s", name, got)
		}
	}
}

// SHP-1, SHP-2, LIF-4: a parcel under way is late, then missing, in days of the vendor's zone.
func TestShipmentTimeline(t *testing.T) {
	p := models.DefaultPolicy()
	late := models.StartOfDay(time.Date(2026, 10, 20, 12, 0, 0, 0, time.UTC), 0, p.Location()) // before clocks go back
	sh := models.Shipment{Status: models.ShipmentShipped, LateFrom: &late}
	names := func() (all []models.MilestoneName) {
		for _, m := range models.ShipmentTimeline(sh, p) {
			all = append(all, m.Name)
		}
		return all
	}
	if got := names(); !slices.Equal(got, []models.MilestoneName{models.ShipmentLate, models.ShipmentMissing}) {
		t.Errorf("ahead are %v", got)
	}
	if got := models.ShipmentTimeline(sh, p)[1].At; got.In(p.Location()).Format(time.DateTime) != "2026-11-19 00:00:00" {
		t.Errorf("missing from %s", got)
	}
	sh.LateSince = &late
	if got := names(); !slices.Equal(got, []models.MilestoneName{models.ShipmentMissing}) {
		t.Errorf("when it is late, ahead are %v", got)
	}
	sh.MissingSince = &late
	if got := names(); len(got) != 0 {
		t.Errorf("when it is missing, ahead are %v", got)
	}
	if sh.Status, sh.LateSince, sh.MissingSince = models.ShipmentDelivered, nil, nil; len(names()) != 0 {
		t.Errorf("when it has arrived, ahead are %v", names())
	}
}
