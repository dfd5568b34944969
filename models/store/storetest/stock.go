package storetest

import (
	"fmt"
	"testing"
	"time"

	"tokendesk/models"
	"tokendesk/models/store"
)

// Shipments makes n shipments of TokenModel that nothing has happened to yet, oldest first.
func Shipments(t testing.TB, st *store.Store, n int) []string {
	t.Helper()
	skus := make([]string, n)
	for i := range skus {
		skus[i] = TokenSKU
	}
	o := FulfilledOrder(t, st, Keyring(t), Account(t, st).ID, skus...)
	rows, err := st.ShipmentsOfOrder(t.Context(), o.ID)
	Must(t, err)
	ids := make([]string, n)
	for i, row := range rows {
		ids[i] = row.ID
		_, err := st.Pool().Exec(t.Context(), "update shipments set created_at = created_at + $2 * interval '1 second' where id = $1", row.ID, i)
		Must(t, err)
	}
	return ids
}

// Carrier of every parcel that is sent here.
const Carrier = "testparcel"

// Sent brings a shipment on its way, under the tracking number that is returned: a token is taken from stock and a label bought.
func Sent(t testing.TB, st *store.Store, shipmentID string, at time.Time) (trackingNumber string) {
	t.Helper()
	sh, err := st.PackShipment(t.Context(), shipmentID, at)
	Must(t, err)
	if sh.Status != models.ShipmentPacked {
		t.Fatalf("the shipment is %s, want packed", sh.Status)
	}
	in, err := st.IntendLabel(t.Context(), shipmentID, at)
	Must(t, err)
	l := store.Label{Carrier: Carrier, TrackingNumber: fmt.Sprintf("TRK-%s-%d", shipmentID, sh.Parcel), Ref: in.Parcel.LabelKey(),
		PromisedBy: at.AddDate(0, 0, 7), LateFrom: at.AddDate(0, 0, 8)}
	_, _, err = st.RecordLabel(t.Context(), in, l, at)
	Must(t, err)
	return l.TrackingNumber
}

// CarrierEvent is a report about a parcel; its id is made of its own content.
func CarrierEvent(trackingNumber string, kind models.CarrierEventKind, occurred time.Time) models.CarrierEvent {
	return models.CarrierEvent{ID: fmt.Sprintf("%s/%s/%d", trackingNumber, kind, occurred.Unix()), Carrier: Carrier,
		TrackingNumber: trackingNumber, Kind: kind, OccurredAt: occurred}
}
