package api

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"tokendesk/api/gen"
	"tokendesk/models"
	"tokendesk/models/store/storetest"
)

// sent is a shipment whose parcel has left.
func (h *house) sent() (models.Shipment, *storetest.Device) {
	h.t.Helper()
	storetest.Stock(h.t, h.st, h.ring, storetest.TokenModel, storetest.EventDevice, 2)
	o := storetest.FulfilledOrder(h.t, h.st, h.ring, storetest.Account(h.t, h.st).ID)
	device := storetest.Shipped(h.t, h.st, o, 1)
	all, err := h.st.ShipmentsOfOrder(h.t.Context(), o.ID)
	storetest.Must(h.t, err)
	return all[0], device
}

// LIF-4, SHP-2: a shipment says what happens next and what becomes of it if nobody acts, and these are two things; when its parcel is missing,
// support is waited for, and may declare it lost.
func TestShipmentTimelineOfAMissingParcel(t *testing.T) {
	h := newHouse(t)
	sh, _ := h.sent()
	support, at := h.as(models.RoleSupport), *sh.LateFrom
	look := func(on gen.WaitingOn, ahead ...models.MilestoneName) gen.Timeline {
		t.Helper()
		line := read[gen.Timeline](h.get(support, "/v1/shipments/"+sh.ID+"/timeline").want(http.StatusOK))
		var names []models.MilestoneName
		for _, m := range line.Milestones {
			names = append(names, m.Name)
		}
		if line.WaitingOn != on || !slices.Equal(names, ahead) || deref(line.IfNobodyActs) == "" {
			t.Errorf("waiting on %s, ahead are %v, if nobody acts %q", line.WaitingOn, names, deref(line.IfNobodyActs))
		}
		if line.Next != nil && strings.Contains(*line.IfNobodyActs, line.Next.What) {
			t.Errorf("what is next and what happens if nobody acts is the same: %q", *line.IfNobodyActs)
		}
		return line
	}
	line := look(gen.WaitingOnCarrier, models.ShipmentLate, models.ShipmentMissing)
	missing := line.Milestones[1].At
	h.post(support, "/v1/shipments/"+sh.ID+"/loss", map[string]any{"reason": "no trace"}).problem(models.StateForbids)

	h.setClock(at)
	_, err := h.st.MarkOverdue(t.Context(), sh.ID, at)
	storetest.Must(t, err)
	if line = look(gen.WaitingOnCarrier, models.ShipmentMissing); !slices.Equal(line.AllowedActions, []string{"declare_lost"}) {
		t.Errorf("support may %v", line.AllowedActions)
	}
	h.setClock(missing)
	_, err = h.st.MarkOverdue(t.Context(), sh.ID, missing)
	storetest.Must(t, err)
	look(gen.WaitingOnStaff)
	if view := read[gen.Shipment](h.get(support, "/v1/shipments/"+sh.ID).want(http.StatusOK)); view.MissingSince == nil || !view.MissingSince.Equal(missing) {
		t.Errorf("missing since %v", view.MissingSince)
	}
}

// SHP-2: what support declares lost is sent again, once for a key; nobody else may, and not without a reason.
func TestDeclareParcelLost(t *testing.T) {
	h := newHouse(t)
	sh, device := h.sent()
	_, err := h.st.MarkOverdue(t.Context(), sh.ID, *sh.LateFrom)
	storetest.Must(t, err)
	h.setClock(*sh.LateFrom)
	path := "/v1/shipments/" + sh.ID + "/loss"
	h.post(h.as(models.RoleBilling), path, map[string]any{"reason": "no trace"}).problem(models.NotPermitted)
	support := h.as(models.RoleSupport)
	h.post(support, path, map[string]any{"reason": " "}).problem(models.InvalidRequest)
	for range 2 {
		view := read[gen.Shipment](h.post(support, path, map[string]any{"reason": "no trace"}, idempotencyKey, "lost").want(http.StatusOK))
		if view.Status != models.ShipmentReshipping || view.Parcels[0].Serial != device.Serial || deref(view.Parcels[0].Outcome) != gen.ParcelOutcomeLost {
			t.Errorf("shipment %+v", view)
		}
	}
	h.post(support, path, map[string]any{"reason": "no trace"}).problem(models.StateForbids)
}
