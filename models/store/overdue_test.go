package store_test

import (
	"testing"
	"time"

	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
)

var atSupport = models.Actor{ID: "ak_support"}

// overdue is a shipment whose parcel is late from a moment on, and missing from another one on.
func overdue(t *testing.T, tokens int) (st *store.Store, id, tracking string, late, missing time.Time) {
	t.Helper()
	st, ids := stocked(t, 1, tokens)
	tracking = storetest.Sent(t, st, ids[0], storetest.At)
	sh, _, err := st.Shipment(t.Context(), ids[0])
	storetest.Must(t, err)
	p := models.DefaultPolicy()
	return st, ids[0], tracking, *sh.LateFrom, models.StartOfDay(*sh.LateFrom, p.Shipping.MissingAfter, p.Location())
}

// SHP-1, SHP-2: late from business day 6, missing after the policy's term; buyer and staff are told once.
func TestMarkOverdue(t *testing.T) {
	t.Parallel()
	st, id, _, late, missing := overdue(t, 1)
	for _, c := range []struct {
		name          string
		at            time.Time
		late, missing bool
	}{
		{"the moment before", late.Add(-time.Microsecond), false, false},
		{"the moment", late, true, false},
		{"known already", late.Add(time.Hour), true, false},
		{"the moment before it is missing", missing.Add(-time.Microsecond), true, false},
		{"missing", missing, true, true},
		{"known to be missing", missing.Add(time.Hour), true, true},
	} {
		sh, err := st.MarkOverdue(t.Context(), id, c.at)
		storetest.Must(t, err)
		if (sh.LateSince != nil) != c.late || (sh.MissingSince != nil) != c.missing {
			t.Errorf("%s: late since %v, missing since %v", c.name, sh.LateSince, sh.MissingSince)
		}
	}
	notices := one[int](t, st, "select count(*) from notices where kind = 'late'")
	lates := one[int](t, st, "select count(*) from support_cases where dedupe_key like 'late/%'")
	missings := one[int](t, st, "select count(*) from support_cases where dedupe_key like 'missing/%'")
	if notices != 1 || lates != 1 || missings != 1 {
		t.Errorf("%d mails, %d cases of a late and %d of a missing parcel, want one each", notices, lates, missings)
	}
}

// SHP-2: after an outage both are told at once.
func TestMarkOverdueTooLate(t *testing.T) {
	t.Parallel()
	st, id, _, _, missing := overdue(t, 1)
	sh, err := st.MarkOverdue(t.Context(), id, missing.AddDate(0, 1, 0))
	storetest.Must(t, err)
	if sh.LateSince == nil || sh.MissingSince == nil {
		t.Errorf("late since %v, missing since %v", sh.LateSince, sh.MissingSince)
	}
}

// SHP-2: a case that was closed while the parcel is missing still is opened again; not one of a parcel that has come.
func TestRemindOfMissing(t *testing.T) {
	t.Parallel()
	st, id, tracking, _, missing := overdue(t, 1)
	_, err := st.MarkOverdue(t.Context(), id, missing)
	storetest.Must(t, err)
	const open = "select count(*) from support_cases where dedupe_key like 'missing/%' and state = 'open'"
	remind := func(want int) {
		t.Helper()
		_, err := st.Pool().Exec(t.Context(), "update support_cases set state = 'closed', closed_at = created_at where dedupe_key like 'missing/%'")
		storetest.Must(t, err)
		storetest.Must(t, st.RemindOfMissing(t.Context(), id, missing.AddDate(0, 1, 0)))
		if n := one[int](t, st, open); n != want {
			t.Errorf("%d open cases, want %d", n, want)
		}
	}
	remind(1)
	report(t, st, tracking, models.CarrierDelivered, 24*90)
	remind(0)
}

// SHP-2: a person declares a late parcel lost: another token is sent; not before it is late, and not twice.
func TestDeclareLost(t *testing.T) {
	t.Parallel()
	st, id, tracking, late, missing := overdue(t, 2)
	wantFault(t, st.DeclareLost(t.Context(), id, "no trace", atSupport, late.Add(-time.Hour)), models.StateForbids)
	wantFault(t, st.DeclareLost(t.Context(), "sh_unknown", "no trace", atSupport, late), models.NoSuchThing)
	_, err := st.MarkOverdue(t.Context(), id, missing)
	storetest.Must(t, err)
	storetest.Must(t, st.DeclareLost(t.Context(), id, "no trace", atSupport, missing))
	sh, err := st.PackShipment(t.Context(), id, missing)
	storetest.Must(t, err)
	if sh.Status != models.ShipmentPacked || sh.Parcel != 2 || sh.LateSince != nil || sh.MissingSince != nil {
		t.Errorf("shipment %+v", sh)
	}
	wantFault(t, st.DeclareLost(t.Context(), id, "no trace", atSupport, missing), models.StateForbids)
	if s := one[string](t, st, "select t.status from tokens t join parcels p on p.serial = t.serial where p.number = 1"); s != "retired" {
		t.Errorf("the first token is %s", s)
	}
	if n := one[int](t, st, "select count(*) from audit_events where kind = 'shipment.declared_lost' and actor = $1 and detail->>'reason' = 'no trace'", atSupport.ID); n != 1 {
		t.Errorf("%d events of evidence", n)
	}
	report(t, st, tracking, models.CarrierDelivered, 24*90) // it arrives after all: a person has to look
	if n := one[int](t, st, "select count(*) from support_cases where dedupe_key like 'carrier/%'"); n != 1 {
		t.Errorf("%d cases of a parcel that arrived after all", n)
	}
}

// ORD-5, SHP-2: who wants no other token asks for a refund first: then the lost parcel is not waited for any more, and the line is credited.
func TestDeclareLostWhileRefunded(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	o := s.fulfilled()
	storetest.Shipped(t, s.Store, o, 1)
	id := query[string](t, s.Store, "select id from shipments")
	_, err := s.MarkOverdue(t.Context(), id, storetest.At.AddDate(0, 2, 0))
	storetest.Must(t, err)
	r := s.wantStatus(s.request(o), models.RefundReturning)
	storetest.Must(t, s.DeclareLost(t.Context(), id, "no trace", atSupport, storetest.At.AddDate(0, 2, 0)))
	s.advance(r, storetest.At.AddDate(0, 2, 0))
	s.wantStatus(r, models.RefundPaying)
	if got := query[string](t, s.Store, "select status from shipments"); got != "given_up" {
		t.Errorf("the shipment is %s", got)
	}
}
